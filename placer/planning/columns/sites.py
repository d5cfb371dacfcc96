"""Where services are looked for: all stations on small sites, on large ones the likely ones first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.instance.compiled import Ints
from placer.planning.columns.coupling import DEADLINE, SLOWEST, Coupling
from placer.planning.columns.legs import Leg, legs_of
from placer.planning.columns.pricing import Priced, Site
from placer.planning.columns.runs import Truths, cheapest, runs_that_fit
from placer.planning.columns.tariffs import Prices, fixed_price, prices_of_arcs, prices_of_layers
from placer.planning.decomposition.programme import Stage, Tables, backward, forward
from placer.planning.domains import Choices, choices_of
from placer.solver.countdown import Countdown

ALL, SOME = 80, 48
"""Stations up to which all are looked at, and how many of more."""
SHARE, LEAST = 0.02, 0.05
"""Of the time left, for the cheapest placement of one variant, and the least seconds."""
CLOSE = 1e-4
"""Relative gap at which the price of a placement is known well enough while prices still change."""


@dataclass(frozen=True)
class Answer:
    """The cheapest placement of one service at some prices.

    Attributes:
        bound: no placement of it costs less, on the stations looked at.
        choice, stations: that placement; no stations where none is known.
    """

    bound: float
    choice: int
    stations: tuple[int, ...]


class Sites:
    """The variants of an instance, each on its stations.

    Attributes:
        coupling, choices: the rows, and what may be chosen.
        whole: whether every station is looked at.
    """

    def __init__(self, coupling: Coupling, choices: Choices) -> None:
        self.coupling, self.choices = coupling, choices
        count = len(coupling.compiled.stations)
        self.whole = count <= ALL
        self._every = np.arange(count)
        self._tables: Tables = {}
        self._sites: dict[int, Site] = {}
        self._runs: dict[int, tuple[Site, Truths | None]] = {}
        self._last: list[tuple[Prices, dict[int, list[Stage]], dict[int, list[Leg]]]] = []

    @classmethod
    def of(cls, coupling: Coupling) -> Sites:
        """Every alternative that has a place for all its layers.

        Raises:
            InfeasibleError: when a service has none.
        """
        return cls(coupling, choices_of(coupling.compiled))

    def _of(self, prices: Prices) -> tuple[dict[int, list[Stage]], dict[int, list[Leg]]]:
        """What is known at prices, the last few of them: the stretches and the legs of variants."""
        for known, stages, legs in self._last:
            if known is prices:
                return stages, legs
        self._last = [(prices, {}, {}), *self._last[:1]]
        return self._last[0][1:]

    def site(self, choice: int) -> Site:
        """The variant on the stations that it is looked for on."""
        if choice not in self._sites:
            site = self._full(choice)
            self._sites[choice] = site if self.whole else self._on(choice, self._likely(site))
        return self._sites[choice]

    def _full(self, choice: int) -> Site:
        tables = self._tables if self.whole else {}
        return Site.of(self.coupling, self.choices.domains[choice], choice, self._every, tables)

    def _on(self, choice: int, subset: Ints) -> Site:
        return Site.of(self.coupling, self.choices.domains[choice], choice, subset, {})

    def _likely(self, site: Site) -> Ints:
        """The stations by which the cheapest placements go when nothing has a price; some for every layer."""
        price = Prices()
        lower = [stage.costs(stage.table.lower) for stage in site.stages(self.factor(site.choice, price) or 1.0, price)]
        best = np.full(len(self._every), np.inf)
        for before, after in zip(forward(lower), backward(lower), strict=True):
            if len(before) == len(best):
                best = np.minimum(best, before + after)
        usable = site.costs.domain.usable
        if not np.isfinite(best).any():
            best = np.where(usable.any(axis=0), 0.0, np.inf)
        found = set(np.argsort(best, kind="stable")[:SOME].tolist())
        for layer in range(len(usable)):
            if not usable[layer, list(found)].any():
                found |= set(np.flatnonzero(usable[layer])[:SOME].tolist())
        return np.array(sorted(found), dtype=np.int64)

    def widen(self, choice: int, stations: tuple[int, ...]) -> bool:
        """Look at these stations too; whether any is new."""
        site = self.site(choice)
        fresh = np.setdiff1d(stations, site.subset)
        if len(fresh):
            self._sites[choice] = self._on(choice, np.union1d(site.subset, fresh))
            self._last = []
        return bool(len(fresh))

    def factor(self, choice: int, prices: Prices) -> float:
        """What a second of a variant's latency costs."""
        coupling = self.coupling
        service = coupling.compiled.variants[choice].service
        late = prices.row.get(DEADLINE + service, 0.0)
        total = late / coupling.scale(DEADLINE + service) if late else 0.0
        if coupling.objective == "latency":
            total += float(coupling.compiled.weight[service])
        return total + prices.row.get(SLOWEST + service, 0.0)

    def answer(self, service: int, prices: Prices, countdown: Countdown, everywhere: bool = False) -> Answer:
        """The cheapest placement of a service; ``everywhere`` looks at all stations."""
        least = np.inf
        best: tuple[float, int, tuple[int, ...]] = (np.inf, -1, ())
        for choice in self.choices.groups[service]:
            site = self._full(choice) if everywhere and not self.whole else self.site(choice)
            found = self._price(site, prices, countdown)
            least = min(least, found.bound)
            if found.value < best[0]:
                best = found.value, choice, found.stations
        return Answer(least, best[1], best[2])

    def _price(self, site: Site, prices: Prices, countdown: Countdown) -> Priced:
        fits, fixed = self._fitting(site), fixed_price(self.coupling, site.choice, prices)
        if fits is None and self._is_separate(site.choice, prices):
            return _separate(site, prices, fixed)
        stages = self._stages(site, prices)
        if fits is not None:
            return cheapest(site, stages, fits, fixed)
        share = min(countdown.end, countdown.now() + max(SHARE * countdown.left, LEAST))
        return site.solve(stages, CLOSE, lambda: countdown.now() < share, fixed)

    def _is_separate(self, choice: int, prices: Prices) -> bool:
        """Whether neither time nor what tensors take has a price, so that every layer goes where it is cheapest."""
        free = self.coupling.objective != "energy" and self.factor(choice, prices) == 0
        return free and prices_of_arcs(self.coupling, choice, prices) is None

    def _fitting(self, site: Site) -> Truths | None:
        if id(site) not in self._runs:
            self._runs[id(site)] = site, runs_that_fit(site)  # the site is kept, and with it its number
        return self._runs[id(site)][1]

    def stages(self, choice: int, prices: Prices) -> list[Stage]:
        """The stretches of a variant at prices."""
        return self._stages(self.site(choice), prices)

    def _stages(self, site: Site, prices: Prices) -> list[Stage]:
        factor = self.factor(site.choice, prices)
        if self._sites.get(site.choice) is not site:
            return site.stages(factor, prices)
        known = self._of(prices)[0]
        if site.choice not in known:
            known[site.choice] = site.stages(factor, prices)
        return known[site.choice]

    def legs(self, choice: int, prices: Prices, factor: float | None = None) -> list[Leg]:
        """The stretches of a variant at prices, for walks; with another price of a second if ``factor`` is given."""
        site = self.site(choice)
        if factor is not None:
            return legs_of(site, site.stages(factor, prices))
        known = self._of(prices)[1]
        if choice not in known:
            known[choice] = legs_of(site, self._stages(site, prices))
        return known[choice]


def _separate(site: Site, prices: Prices, fixed: float) -> Priced:
    """Every layer on its cheapest station, of equals on the one that is cheapest for all layers together."""
    usable = site.costs.domain.usable
    price = np.where(usable, prices_of_layers(site.coupling, site.choice, prices)[:, site.subset], np.inf)
    kept = np.where(usable, price, price[usable].max(initial=0.0) + 1.0).sum(axis=0)
    order = np.argsort(kept, kind="stable")
    picked = order[np.argmin(price[:, order], axis=1)]
    value = float(price[np.arange(len(price)), picked].sum()) + fixed
    return Priced(value, value, tuple(site.subset[picked].tolist()))
