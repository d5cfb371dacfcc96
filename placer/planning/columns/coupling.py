"""What couples services: every limit as a row, what a whole placement of one service takes of it, and its price.

A row says Σ taken ≤ ``limit``, all figures relative to the limit. Rows are numbered once and for all; few of them ever
bind, and only those come into a master programme. Objectives that are a largest value are rows too: what is taken is
compared with the value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.evaluation.checks import RELATIVE_TOLERANCE
from placer.evaluation.deterministic import RouteBook, service_metrics
from placer.evaluation.traffic import arc_seconds
from placer.instance.compiled import Compiled, Floats, Ints
from placer.plan.placement import Placement
from placer.planning.resources import Resources

DEADLINE, MOVES, SLOWEST, STAGE, STAGE_TRAFFIC = (number << 40 for number in range(1, 6))
"""First row of the services' deadlines, the moves, the services' seconds, the units' and the ways' loads as stages."""
NOTHING = "nothing"
"""Objective of a search for any placement: all cost nothing."""
EASED = 1.0 + RELATIVE_TOLERANCE
"""Right-hand side of every row: a limit is kept within rounding."""


@dataclass(frozen=True, eq=False)
class Column:
    """A whole placement of one service.

    Attributes:
        choice, stations: which variant, and the station of each layer.
        cost: what it adds to the objective; 0 where that is a largest value.
        value: the service's own figure: seconds or joules; its share of the largest load where that is sought.
        rows, taken: shape (n,), rows in order and what it takes of each, without what services share.
        shared: bytes of what services share, by number (:meth:`Coupling.store_of`): the largest of theirs counts.
    """

    choice: int
    stations: tuple[int, ...]
    cost: float
    value: float
    rows: Ints
    taken: Floats
    shared: dict[int, float]


class Coupling:
    """The rows of an instance under one objective.

    Attributes:
        compiled, objective: what is planned.
        resources: counts what placements take.
        kept, most_moves: what is deployed, and how many of its layers may move; None for any.
        sums_end: first row of channels and links, after those of memories, layers, work and utilisation.
        channels: names, in the order of their rows.
        units, deepest: how many stations, and layers of a variant at most.
    """

    def __init__(
        self, compiled: Compiled, objective: str, kept: Placement | None = None, most_moves: int | None = None
    ) -> None:
        self.compiled, self.objective = compiled, objective
        self.resources = Resources(compiled)
        self.kept = kept if most_moves is not None else None
        self.most_moves = most_moves
        self.book = RouteBook(compiled)
        self.sums_end = len(self.resources.limits)
        self.channels = tuple(compiled.topology.hears)
        self.units = len(compiled.stations)
        self.deepest = max(len(variant) for variant in compiled.variants)
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
        if row < self.sums_end:
            limit = float(self.resources.limits[row])
            return limit if limit >= 0 else np.inf
        return self.resources.traffic_limit(row - self.sums_end)

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
        alone = compiled.sharing.alone[choice]
        for row in np.flatnonzero(usage.sums).tolist():
            if alone or row >= len(compiled.stores):
                taken[row] = float(usage.sums[row])
        for row, load in zip(usage.rows.tolist(), usage.traffic.tolist(), strict=True):
            taken[self.sums_end + row] = taken.get(self.sums_end + row, 0.0) + load
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
        cost = 0.0 if self.largest or self.objective == NOTHING else weight * value
        return Column(choice, stations, cost, value, rows, figures, self._shared(choice, stations, usage.peak))

    def _shared(self, choice: int, stations: tuple[int, ...], peak: Floats) -> dict[int, float]:
        """Bytes of working memory, and of weights and runtimes that other services may have loaded."""
        compiled, variant = self.compiled, self.compiled.variants[choice]
        servers = compiled.stores.servers
        found = {station: float(servers[station] * peak[station]) for station in np.flatnonzero(peak).tolist()}
        if not compiled.sharing.alone[choice]:
            owner = compiled.sharing.first[choice]
            for layer, station in enumerate(stations):
                if variant.weights[layer] > 0:
                    found[self._loaded(owner, layer, station)] = float(variant.weights[layer])
                resident = float(variant.runtime_memory[station])
                if resident > 0:
                    found[self._runtime(owner, int(compiled.station_device[station]))] = resident
        return found

    def _runtime(self, owner: int, device: int) -> int:
        return self.units + owner * self.resources.devices + device

    def _loaded(self, owner: int, layer: int, station: int) -> int:
        first = self.units + len(self.compiled.variants) * self.resources.devices
        return first + (owner * self.deepest + layer) * self.units + station

    def store_of(self, shared: int) -> int:
        """The memory that holds what is shared: working memory of a station, a runtime, the weights of a layer."""
        stores = self.compiled.stores
        if shared < self.units:
            return int(stores.working[shared])
        rest = shared - self.units
        runtimes = len(self.compiled.variants) * self.resources.devices
        if rest < runtimes:
            return rest % self.resources.devices  # RAM comes first
        return int(stores.weights[(rest - runtimes) % self.units])

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
        rate = float(compiled.mix[variant.service])
        found: dict[int, float] = {}
        for layer, station in enumerate(stations):
            if variant.run[layer] > 0:
                busy = (
                    rate * float(variant.run[layer] * variant.time[layer, station]) / float(compiled.servers[station])
                )
                found[STAGE + station] = found.get(STAGE + station, 0.0) + busy
        for arc, seconds in arc_seconds(compiled, variant, stations, self.book).items():
            for row in self.heard(arc.channel, arc.carrier, arc.tail, arc.head):
                found[STAGE_TRAFFIC + row] = found.get(STAGE_TRAFFIC + row, 0.0) + rate * seconds
        return found

    def heard(self, channel: str | None, carrier: int, tail: int, head: int) -> list[int]:
        """Numbers of the traffic rows that an arc takes of, as in :class:`placer.planning.resources.Usage`."""
        devices = self.resources.devices
        if channel is None:
            return [len(self.channels) * devices + carrier]
        near = self.compiled.topology.hears[channel]
        place = self.channels.index(channel) * devices
        return (place + np.flatnonzero(near[tail] | near[head])).tolist()
