"""What couples services: every limit as a row, what a whole placement of one service takes of it, and its price.

A row says Σ taken ≤ ``limit``, all figures relative to the limit. Rows are numbered once and for all; few of them ever
bind, and only those come into a master programme. Objectives that are a largest value are rows too: what is taken is
compared with the value.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from placer.evaluation.checks import RELATIVE_TOLERANCE
from placer.evaluation.deterministic import RouteBook, service_metrics
from placer.evaluation.traffic import arc_seconds
from placer.instance.compiled import Compiled, Floats, Ints
from placer.instance.topology import Routes
from placer.plan.placement import Placement
from placer.planning.resources import Resources

DEADLINE, MOVES, SLOWEST, STAGE, STAGE_TRAFFIC = (number << 40 for number in range(1, 6))
"""First row of the services' deadlines, the moves, the services' seconds, the units' and the ways' loads as stages."""
EASED = 1.0 + RELATIVE_TOLERANCE
"""Right-hand side of every row: a limit is kept within rounding."""


@dataclass(frozen=True, eq=False)
class Column:
    """A whole placement of one service.

    Attributes:
        choice, stations: which variant, and the station of each layer.
        cost: what it adds to the objective; 0 where that is a largest value.
        value: the service's own figure: seconds or joules; its share of the largest load where that is sought.
        rows, taken: shape (n,), rows in order and what it takes of each, without shared working memory.
        peak: shape (N,), largest working memory of a layer on each station, bytes.
    """

    choice: int
    stations: tuple[int, ...]
    cost: float
    value: float
    rows: Ints
    taken: Floats
    peak: Floats


@dataclass(eq=False)
class Prices:
    """Prices of rows, at least 0: what a unit of their limit costs.

    Attributes:
        row: by row.
        peak: by (service, station), of the working memory that a service needs there, per byte.
    """

    row: dict[int, float] = field(default_factory=dict)
    peak: dict[tuple[int, int], float] = field(default_factory=dict)


class Coupling:
    """The rows of an instance under one objective.

    Attributes:
        compiled, objective: what is planned.
        resources: counts what placements take.
        kept, most_moves: what is deployed, and how many of its layers may move; None for any.
    """

    def __init__(
        self, compiled: Compiled, objective: str, kept: Placement | None = None, most_moves: int | None = None
    ) -> None:
        self.compiled, self.objective = compiled, objective
        self.resources = Resources(compiled)
        self.kept = kept if most_moves is not None else None
        self.most_moves = most_moves
        self.book = RouteBook(compiled)
        self._sums = len(self.resources.limits)
        self._channels = tuple(compiled.topology.hears)
        self._columns: dict[tuple[int, tuple[int, ...]], Column] = {}

    @property
    def largest(self) -> bool:
        """Whether the objective is a largest value over rows and no sum over services."""
        return self.objective in ("latency-worst", "throughput")

    def is_stage(self, row: int) -> bool:
        """Whether a row is compared with the objective's value and with no limit."""
        return row >= SLOWEST

    def limit(self, row: int) -> float:
        """What a row is relative to, in its own unit; inf where it never binds.

        A device without room for anything holds no layer at all (domains see to it), whatever is below zero there.
        """
        if row >= SLOWEST:
            return 1.0
        if row == MOVES:
            return float(self.most_moves or 0)
        if row >= DEADLINE:
            return float(self.compiled.instance.services[row - DEADLINE].deadline or np.inf)
        if row < self._sums:
            limit = float(self.resources.limits[row])
            return limit if limit >= 0 else np.inf
        air = row - self._sums < len(self._channels) * self.resources.devices
        return self.compiled.max_airtime if air else self.compiled.max_link_utilisation

    def scale(self, row: int) -> float:
        """What figures of a row are divided by."""
        limit = self.limit(row)
        return limit if limit > 0 else 1.0

    def right(self, row: int) -> float:
        """Right-hand side of a row, after division; 0 for a stage."""
        limit = self.limit(row)
        return 0.0 if self.is_stage(row) else EASED if limit > 0 else 1e-12 * RELATIVE_TOLERANCE

    def column(self, choice: int, stations: tuple[int, ...]) -> Column:
        """What one placement of a service costs and takes."""
        key = choice, stations
        if key not in self._columns:
            self._columns[key] = self._count(choice, stations)
        return self._columns[key]

    def _count(self, choice: int, stations: tuple[int, ...]) -> Column:
        compiled, variant = self.compiled, self.compiled.variants[choice]
        service, weight = variant.service, float(compiled.weight[variant.service])
        usage = self.resources.usage(choice, stations)
        metrics = service_metrics(compiled, variant, stations, self.book)
        deadline = compiled.instance.services[service].deadline
        taken: dict[int, float] = {}
        for row in np.flatnonzero(usage.sums):
            taken[int(row)] = float(usage.sums[row])
        for row, load in zip(usage.rows.tolist(), usage.traffic.tolist(), strict=True):
            taken[self._sums + row] = taken.get(self._sums + row, 0.0) + load
        if deadline is not None:
            taken[DEADLINE + service] = metrics.latency
        if self.kept is not None:
            taken[MOVES] = float(self.moves(choice, stations))
        value = metrics.energy if self.objective == "energy" else metrics.latency
        if self.objective == "latency-worst":
            taken[SLOWEST + service] = metrics.latency
        if self.objective == "throughput":
            stages = self._stages(choice, stations)
            value = max(stages.values())
            taken |= stages
        kept = {row: load / self.scale(row) for row, load in taken.items() if load and np.isfinite(self.limit(row))}
        rows = np.array(sorted(kept), dtype=np.int64)
        figures = np.array([kept[row] for row in rows.tolist()])
        cost = 0.0 if self.largest else weight * value
        return Column(choice, stations, cost, value, rows, figures, usage.peak)

    def moves(self, choice: int, stations: tuple[int, ...]) -> int:
        """How many layers of the service that is deployed are no longer where they were."""
        assert self.kept is not None
        service = self.compiled.variants[choice].service
        old = self.kept.stations[service]
        if self.kept.choice[service] != choice:
            return len(old)
        return sum(one != other for one, other in zip(old, stations, strict=True))

    def _stages(self, choice: int, stations: tuple[int, ...]) -> dict[int, float]:
        """Seconds of work per second that a service gives to every stage, as rows."""
        compiled, variant = self.compiled, self.compiled.variants[choice]
        rate, found = float(compiled.mix[variant.service]), {}
        for layer, station in enumerate(stations):
            if variant.run[layer] > 0:
                busy = rate * float(variant.run[layer] * variant.time[layer, station])
                found[STAGE + station] = found.get(STAGE + station, 0.0) + busy
        for arc, seconds in arc_seconds(compiled, variant, stations, self.book).items():
            for row in self.heard(arc.channel, arc.carrier, arc.tail, arc.head):
                found[STAGE_TRAFFIC + row] = found.get(STAGE_TRAFFIC + row, 0.0) + rate * seconds
        return found

    def heard(self, channel: str | None, carrier: int, tail: int, head: int) -> list[int]:
        """Numbers of the traffic rows that an arc takes of, as in :class:`placer.planning.resources.Usage`."""
        devices = self.resources.devices
        if channel is None:
            return [len(self._channels) * devices + carrier]
        near = self.compiled.topology.hears[channel]
        place = self._channels.index(channel) * devices
        return (place + np.flatnonzero(near[tail] | near[head])).tolist()

    def prices_of_layers(self, choice: int, prices: Prices) -> Floats:
        """What each layer of a variant pays on each station, shape (M, N): never more than a column pays for it all.

        A runtime is paid for by the heaviest layer, working memory by the layer that needs most.
        """
        compiled, variant, stores = self.compiled, self.compiled.variants[choice], self.compiled.stores
        devices, at = self.resources.devices, self.compiled.station_device
        price = np.zeros(self._sums)
        stage = np.zeros(len(at))
        for row, worth in prices.row.items():
            if row < self._sums:
                price[row] = worth / self.scale(row)
            elif STAGE <= row < STAGE_TRAFFIC:
                stage[row - STAGE] = worth
        store, layers, work, busy = np.split(price, np.cumsum([len(stores), devices, devices]))
        total = variant.weights[:, None] * store[stores.weights] + layers[at] + variant.macs[:, None] * work[at]
        times = np.where(np.isfinite(variant.time), variant.run[:, None] * np.nan_to_num(variant.time, posinf=0.0), 0.0)
        total += times * (float(np.nan_to_num(compiled.rate[variant.service])) * busy)
        total += times * (float(compiled.mix[variant.service]) * stage)
        total[int(np.argmax(variant.weights))] += variant.runtime_memory * store[stores.runtime]
        hungry = int(np.argmax(variant.activations))
        for (service, station), worth in prices.peak.items():
            if service == variant.service:
                total[hungry, station] += worth * variant.activations[hungry]
        if self.kept is not None and self.kept.choice[variant.service] == choice:
            moving = prices.row.get(MOVES, 0.0) / self.scale(MOVES)
            old = np.array(self.kept.stations[variant.service])
            total += moving * (old[:, None] != np.arange(len(at)))
        return np.asarray(total)

    def fixed_price(self, choice: int, prices: Prices) -> float:
        """What a column of a variant pays wherever its layers are."""
        service = self.compiled.variants[choice].service
        if self.kept is None or self.kept.choice[service] == choice:
            return 0.0
        return prices.row.get(MOVES, 0.0) / self.scale(MOVES) * len(self.kept.stations[service])

    def prices_of_arcs(self, choice: int, prices: Prices) -> Floats | None:
        """What a variant's byte pays on every arc, shape (arcs,), times its chance to be sent; None for nothing."""
        service = self.compiled.variants[choice].service
        rate, mix = float(np.nan_to_num(self.compiled.rate[service])), float(self.compiled.mix[service])
        first: dict[int, float] = {}
        for row, worth in prices.row.items():
            if row >= STAGE_TRAFFIC:
                first[row - STAGE_TRAFFIC] = first.get(row - STAGE_TRAFFIC, 0.0) + mix * worth
            elif self._sums <= row < DEADLINE:
                first[row - self._sums] = first.get(row - self._sums, 0.0) + rate * worth / self.scale(row)
        if not any(first.values()):
            return None
        return self._along_arcs(first)

    def _along_arcs(self, worth: dict[int, float]) -> Floats:
        """Prices per byte of arcs from those of traffic rows per second of sending."""
        topology, devices = self.compiled.topology, self.resources.devices
        tails = np.array([arc.tail for arc in topology.arcs], dtype=np.int64)
        heads = np.array([arc.head for arc in topology.arcs], dtype=np.int64)
        total = np.zeros(len(tails))
        for number, channel in enumerate(self._channels):
            mine = np.array([arc.channel == channel for arc in topology.arcs])
            near = topology.hears[channel]
            for device in range(devices):
                price = worth.get(number * devices + device, 0.0)
                if price > 0:
                    total += np.where(mine & (near[device, tails] | near[device, heads]), price, 0.0)
        first = len(self._channels) * devices
        for index, arc in enumerate(topology.arcs):
            if arc.channel is None:
                total[index] += worth.get(first + arc.carrier, 0.0)
        return np.asarray(total / np.array([arc.rate for arc in topology.arcs]))


def way_of(routes: Routes, arcs: Floats | None, joules: float) -> Floats | None:
    """What a tensor's way costs by price and energy, shape (D, D); None for nothing."""
    if arcs is None and joules == 0:
        return None
    total = np.zeros_like(routes.seconds) if arcs is None else routes.along(arcs * routes.size)
    if joules:
        total = total + joules * routes.joules
    return np.asarray(np.nan_to_num(total, nan=np.inf, posinf=np.inf))
