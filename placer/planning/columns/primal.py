"""Placements from prices: services put in at them, and the best choice from the columns that are almost worth them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from placer.errors import TimeIsUpError
from placer.plan.placement import Placement
from placer.planning.columns.beam import Walk
from placer.planning.columns.coupling import Column, Coupling
from placer.planning.columns.master import Master
from placer.planning.columns.search import Search
from placer.planning.columns.sites import Sites
from placer.planning.columns.solution import keeps
from placer.planning.columns.tariffs import Prices, dear_stations, paid_by
from placer.solver.countdown import Countdown
from placer.solver.progress import Limits

NEAR, BARRED, EACH = 24, 6, 250
"""Placements of a variant that a walk lists, stations that are barred in turn, columns of a service to choose from."""


class Primal:
    """What betters a search's placement between rounds of prices.

    Attributes:
        free: no prices.
        near: columns listed near the cheapest, beside those of the master programme.
    """

    def __init__(self, coupling: Coupling, sites: Sites, master: Master, search: Search, countdown: Countdown) -> None:
        self.coupling, self.sites, self.master, self.search = coupling, sites, master, search
        self.countdown = countdown
        self.free, self.near = Prices(), dict[tuple[int, tuple[int, ...]], Column]()

    def first(self) -> bool:
        """Put services in one after the other at no prices; whether all found room."""
        return self.search.construct(self.free, self.countdown.part(0.2))

    def straight(self, prices: Prices) -> bool:
        """Put services in one after the other, taking none out again; whether all found room."""
        return self.search.construct(prices, self.countdown, room=False)

    def better(self, prices: Prices, at: Prices | None, gap: float) -> None:
        """Better placements: constructed, in part anew, and chosen from what is known."""
        if not self.search.best or self.search.rng.random() < 0.3:
            share = self.countdown.part(0.05) if self.search.best else self.countdown
            self.search.construct(prices, share)
        some = self.search.rng.random() < 0.5
        self.search.improve(
            self.free if some else prices, self.countdown.part(0.03), 4 * len(self.sites.choices.groups)
        )
        for column in self.search.found.values():
            self.master.add(column)
        self.search.found.clear()
        if at is not None:
            self._near(at, self.countdown.part(0.08))
        self._choose(at or self.free, gap, self.countdown.part(0.08))

    def _near(self, at: Prices, share: Countdown) -> None:
        """Columns that are almost worth their prices, for choices to be made from."""
        room = self.coupling.resources.room(Placement((), ()))
        dear = dear_stations(self.coupling, at)
        self.search.rng.shuffle(dear)
        bars: list[list[int]] = [
            [],
            *([one] for one in dear[:BARRED]),
            dear,
            *([one, other] for one, other in pairwise(dear[:BARRED])),
        ]
        for choice in (index for group in self.sites.choices.groups for index in group):
            loading, site = self.coupling.compiled.sharing.to_load(choice), self.sites.site(choice)
            legs = self.sites.legs(choice, at)
            for bar in bars:
                walk = Walk(site, legs, room, loading, NEAR)
                walk.barred = np.isin(site.subset, bar)
                try:
                    listed = walk.run(share)
                except TimeIsUpError:
                    return
                for stations in listed:
                    self.near.setdefault((choice, stations), self.coupling.column(choice, stations))

    def _choose(self, at: Prices, gap: float, share: Countdown) -> None:
        """The best choice from the columns in the mixture and the cheapest at the best bound's prices."""
        if share.over or not self.master.columns:
            return
        weights = self.master.solve().weights
        mixed = {id(c) for c, w in zip(self.master.columns, weights, strict=True) if w > 1e-9}
        known = {(c.choice, c.stations): c for c in self.master.columns} | self.near
        own = {key: -np.inf if id(c) in mixed else c.cost + paid_by(c, at) for key, c in known.items()}
        picked, count = list[Column](), dict[int, int]()
        for key in sorted(known, key=lambda k: own[k]):
            service = self.master.service_of(known[key])
            if count.get(service, 0) < EACH and alone(self.coupling, known[key]):
                count[service] = count.get(service, 0) + 1
                picked.append(known[key])
        picked += self.search.best
        if len({self.master.service_of(column) for column in picked}) == len(self.sites.choices.groups):
            _, chosen = self.master.choose(picked, Limits(seconds=min(share.left, 10.0), gap=gap))
            if chosen is not None and len(chosen) == len(self.sites.choices.groups):
                self.search.offer(chosen)


def alone(coupling: Coupling, column: Column) -> bool:
    """Whether a column keeps every limit where nothing else is placed."""
    return keeps(coupling, [column])
