"""Placements that keep every limit: services one after the other within what is left, and some of them anew."""

from __future__ import annotations

import numpy as np

from placer.planning.columns.beam import Walk
from placer.planning.columns.coupling import Column, Coupling
from placer.planning.columns.pricing import Site
from placer.planning.columns.sites import Sites
from placer.planning.columns.solution import keeps, placement_of, worth
from placer.planning.columns.tariffs import Prices
from placer.solver.countdown import Countdown

WIDTH, LOOKED_AT = 24, 6
"""Partial placements of a walk, and complete ones that are looked at."""
TRIES = 4
"""Prices of a second that are tried where a deadline is missed."""

Plan = dict[int, Column]


class Search:
    """The best placement known, and how to better it.

    Attributes:
        value, best: the objective and the columns of every service; inf and empty while there is none.
        found: every column that a walk came to and that keeps its own limits.
    """

    def __init__(self, coupling: Coupling, sites: Sites, seed: int) -> None:
        self.coupling, self.sites = coupling, sites
        self.rng = np.random.default_rng(seed)
        self.value, self.best = np.inf, list[Column]()
        self.found: dict[tuple[int, tuple[int, ...]], Column] = {}
        groups = sites.choices.groups
        sizes = [max(float(coupling.compiled.variants[c].weights.sum()) for c in group) for group in groups]
        work = [max(float(coupling.compiled.variants[c].macs.sum()) for c in group) for group in groups]
        rate = coupling.compiled.mix
        self._order = sorted(range(len(groups)), key=lambda s: (-sizes[s], -work[s] * rate[s]))

    def offer(self, columns: list[Column]) -> bool:
        """Take a placement of every service if it keeps every limit and is better."""
        value = worth(self.coupling, columns)
        if value >= self.value * (1 - 1e-12) or not keeps(self.coupling, columns):
            return False
        self.value, self.best = value, list(columns)
        return True

    def construct(self, prices: Prices, countdown: Countdown, room: bool = True) -> bool:
        """Services in turn, the largest first or in some order; whether that bettered the best.

        ``room`` takes services out again for those that found none.
        """
        order = list(self._order)
        if np.isfinite(self.value) or self.rng.random() < 0.5:
            order = [
                order[k] for k in np.argsort(np.arange(len(order)) + self.rng.normal(0, 0.3 * len(order), len(order)))
            ]
        plan: Plan = {}
        blocked: list[int] = []
        for service in order:
            if countdown.over:
                return False
            column = self.insert(service, plan, prices)
            if column is None:
                blocked.append(service)
                if not room:
                    return False
            else:
                plan[service] = column
        if blocked and not self._make_room(plan, blocked, prices, countdown):
            return False
        return self.offer([plan[service] for service in range(len(order))])

    def _make_room(self, plan: Plan, blocked: list[int], prices: Prices, countdown: Countdown) -> bool:
        """Place what found no room after taking others out, which come after it."""
        waiting = list(blocked)
        for _ in range(4 * len(self._order) + 8):
            if not waiting:
                return True
            if countdown.over:
                return False
            service = waiting.pop(0)
            column = self.insert(service, plan, prices)
            while column is None and plan:
                out = self._in_the_way(service, plan, prices)
                waiting.append(out)
                del plan[out]
                column = self.insert(service, plan, prices)
            if column is None:
                return False
            plan[service] = column
        return not waiting

    def _in_the_way(self, service: int, plan: Plan, prices: Prices) -> int:
        """A service that shares stations with where this one would like to be; any, at times."""
        others = list(plan)
        if self.rng.random() < 0.7:
            alone = self.insert(service, {}, prices)
            if alone is not None:
                mine = set(alone.stations)
                near = [other for other in others if mine & set(plan[other].stations)]
                others = near or others
        return int(self.rng.choice(others))

    def improve(self, prices: Prices, countdown: Countdown, rounds: int) -> bool:
        """Take some services out and put them in anew, a number of times; whether that bettered the best."""
        services, some = len(self.best), False
        for _ in range(rounds):
            if countdown.over or not self.best:
                break
            count = int(self.rng.integers(1, max(2, min(5, services)) + 1)) if services > 1 else 1
            out = self._together(min(count, services))
            plan = {service: column for service, column in enumerate(self.best) if service not in out}
            for service in out:
                column = self.insert(service, plan, prices)
                if column is None:
                    break
                plan[service] = column
            if len(plan) == services:
                some |= self.offer([plan[service] for service in range(services)])
        return some

    def _together(self, count: int) -> list[int]:
        """Services that share stations, in some order; the one that gains most from a better place more often."""
        services = len(self.best)
        first = int(self.rng.integers(services))
        mine = set(self.best[first].stations)
        near = [s for s in range(services) if s != first and mine & set(self.best[s].stations)]
        others = (
            near if len(near) >= count - 1 and self.rng.random() < 0.7 else [s for s in range(services) if s != first]
        )
        picked = [first, *self.rng.choice(others, count - 1, replace=False).tolist()] if count > 1 else [first]
        return [int(service) for service in self.rng.permutation(picked)]

    def insert(self, service: int, plan: Plan, prices: Prices) -> Column | None:
        """The cheapest placement of a service at prices that fits beside others, as far as walks see; None for none."""
        others = [plan[other] for other in sorted(plan)]
        placed = placement_of(others)
        room = self.coupling.resources.room(placed)
        deadline = self.coupling.compiled.instance.services[service].deadline
        best: tuple[float, Column] | None = None
        for choice in self.sites.choices.groups[service]:
            factor = self.sites.factor(choice, prices)
            loading = self.coupling.compiled.sharing.to_load(choice, placed.choice, placed.stations)
            for attempt in range(TRIES if deadline is not None else 1):
                legs = self.sites.legs(choice, prices, None if attempt == 0 else factor)
                site = self.sites.site(choice)
                listed = Walk(site, legs, room, loading, WIDTH).run()
                kept = 0
                for stations in (*listed, *self._whole(site)):
                    column = self.coupling.column(choice, stations)
                    if not keeps(self.coupling, [*others, column]):
                        continue
                    kept += 1
                    self.found[choice, stations] = column
                    price = self._price(column, prices, others)
                    if best is None or price < best[0]:
                        best = price, column
                    if kept == LOOKED_AT:
                        break
                if kept:
                    break
                factor = 10 * factor + 0.01
        return None if best is None else best[1]

    def _whole(self, site: Site) -> list[tuple[int, ...]]:
        """All layers on one station, where a service may not be stretched over many; walks do not know of that."""
        service = self.coupling.compiled.instance.services[site.costs.domain.variant.service]
        if service.max_devices is None and service.max_fragments is None and not service.contiguous:
            return []
        usable = site.costs.domain.usable.all(axis=0)
        return [(int(station),) * len(site.costs.domain.usable) for station in site.subset[usable]]

    def _price(self, column: Column, prices: Prices, others: list[Column]) -> float:
        """What a column costs beside others, with a little of its prices: room is left for those that come."""
        paid = sum(
            prices.row.get(row, 0.0) * taken
            for row, taken in zip(column.rows.tolist(), column.taken.tolist(), strict=True)
        )
        if self.coupling.largest:
            return float(worth(self.coupling, [*others, column]) + 1e-3 * paid)
        return float(column.cost + paid)
