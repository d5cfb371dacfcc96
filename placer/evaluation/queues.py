"""The queueing network of a placement: fragments as jobs at stations, transfers as delays or stations of their own.

Each compute unit is a station with the buffer of its device; a fragment is served there as one job, admitted once. A
link with a ``queue`` is a station too; any other way is a pure delay. Exits inside a fragment are outcomes of its
service: the job leaves with the work done up to the gate. Services without arrivals are not part of the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from placer.evaluation.deterministic import RouteBook, loads
from placer.instance.compiled import Compiled
from placer.instance.service import Service
from placer.instance.topology import Arc
from placer.instance.variant import Variant
from placer.plan.placement import Placement, fragments_of
from placer.queueing.network import DELAY, UNLIMITED, Arrivals, Floats, Ints, Law, Process, QueueNetwork

MOST_BLOCKS = 20_000
"""Assignments that a builder remembers before it starts anew."""


@dataclass(frozen=True)
class Outcome:
    """One way in which a task ends; times in s."""

    probability: float
    mean: float
    scv: float = 0.0
    leaves: bool = False
    delay: float = 0.0


@dataclass
class Task:
    """A task under construction: its station (or DELAY), the tasks before it, its outcomes."""

    station: int
    before: list[int]
    outcomes: list[Outcome]


@dataclass(frozen=True)
class Labelled:
    """A queueing network with the names of what it is made of.

    Attributes:
        network: the arrays.
        services: name of each class.
        stations: name of each station.
        devices: device of each station; empty for a link.
        offered: shape (C,), requests per second before any rate limit at the source.
    """

    network: QueueNetwork
    services: tuple[str, ...]
    stations: tuple[str, ...]
    devices: tuple[str, ...]
    offered: Floats


@dataclass(frozen=True, eq=False)
class Block:
    """The tasks of one service under one assignment of its layers, as the arrays of a network of one class.

    Attributes:
        tasks: number of tasks.
        station: shape (tasks,), or ``DELAY``.
        pred_ptr, preds: predecessors, numbered within the block.
        outcome_ptr, outcomes: pointers, and the outcomes' columns by the names of :class:`QueueNetwork`.
    """

    tasks: int
    station: Ints
    pred_ptr: Ints
    preds: Ints
    outcome_ptr: Ints
    outcomes: dict[str, NDArray[Any]]


class NetworkBuilder:
    """Builds the queueing networks of placements; what services have in common is built once.

    Two networks from one builder number their stations alike, so a search can carry values from one placement over
    to the next. A link that queues becomes a station when it is first used, and stays one.

    Attributes:
        compiled: the instance.
        book: the routes.
        served: services that have arrivals, in order: the classes of every network.
    """

    def __init__(self, compiled: Compiled, book: RouteBook | None = None) -> None:
        self.compiled = compiled
        self.book = book or RouteBook(compiled)
        self.served = tuple(s for s, service in enumerate(compiled.instance.services) if service.arrivals is not None)
        self.arrivals = {s: arrivals_of(compiled.instance.services[s]) for s in self.served}
        self._links: dict[int, int] = {}
        self._link_arcs: list[Arc] = []
        self._blocks: dict[tuple[int, tuple[int, ...]], Block] = {}
        buffers = [compiled.instance.devices[place.device].buffer for place in compiled.stations]
        numbers = [UNLIMITED if buffer is None else buffer for buffer in buffers if buffer != "memory"]
        self._fixed_capacity = numbers if len(numbers) == len(buffers) else None

    def block(self, choice: int, stations: tuple[int, ...]) -> Block:
        """The tasks of one variant under one assignment."""
        key = (choice, stations)
        found = self._blocks.get(key)
        if found is None:
            if len(self._blocks) > MOST_BLOCKS:
                self._blocks.clear()
            found = self._blocks[key] = _block(self._tasks(self.compiled.variants[choice], stations))
        return found

    def blocks(self, placement: Placement) -> list[Block]:
        """The blocks of all served services."""
        return [self.block(placement.choice[s], placement.stations[s]) for s in self.served]

    def network(self, placement: Placement, arrivals: Sequence[Arrivals] | None = None) -> QueueNetwork:
        """The network of a placement.

        Args:
            placement: which station runs each layer.
            arrivals: arrival process of each served service; those of the instance when None.
        """
        blocks = self.blocks(placement)
        streams = tuple(self.arrivals[s] for s in self.served) if arrivals is None else tuple(arrivals)
        up, down = _outages(self.compiled, len(self._link_arcs))
        return _joined(blocks, self.capacity(placement), streams, up, down)

    def capacity(self, placement: Placement) -> Ints:
        """K of every station, the links that queue last."""
        links = [arc.queue or UNLIMITED for arc in self._link_arcs]
        fixed = self._fixed_capacity
        own = _capacities(self.compiled, placement) if fixed is None else fixed
        return np.array([*own, *links], dtype=np.int64)

    def labelled(self, placement: Placement, gaps: Mapping[int, float] | None = None) -> Labelled:
        """The network of a placement with the names of what it is made of.

        Args:
            placement: which station runs each layer.
            gaps: rate limits at the sources, seconds by service index.
        """
        streams = [behind_limit(self.arrivals[s], (gaps or {}).get(s, 0.0)) for s in self.served]
        network = self.network(placement, streams)
        compiled = self.compiled
        labels = [station.name for station in compiled.stations]
        labels += [f"link {compiled.device_names[a.tail]} → {compiled.device_names[a.head]}" for a in self._link_arcs]
        devices = [compiled.device_names[station.device] for station in compiled.stations]
        names = tuple(compiled.instance.services[s].name for s in self.served)
        offered = np.array([self.arrivals[s].rate for s in self.served])
        return Labelled(network, names, tuple(labels), (*devices, *("" for _ in self._link_arcs)), offered)

    def _link(self, arc: Arc) -> int:
        """Station of a link that queues."""
        if id(arc) not in self._links:
            self._links[id(arc)] = len(self.compiled.stations) + len(self._link_arcs)
            self._link_arcs.append(arc)
        return self._links[id(arc)]

    def _way(self, tasks: list[Task], before: list[int], arcs: Sequence[Arc], size: float) -> list[int]:
        """Append the tasks of a transfer; returns what the next task waits for."""
        delay = 0.0
        for arc in arcs:
            if arc.queue is None:
                delay += arc.seconds(size)
                continue
            if delay > 0:
                tasks.append(Task(DELAY, before, [Outcome(1.0, delay)]))
                before, delay = [len(tasks) - 1], 0.0
            tasks.append(Task(self._link(arc), before, [Outcome(1.0, size / arc.rate)]))
            before, delay = [len(tasks) - 1], arc.latency
        if delay > 0:
            tasks.append(Task(DELAY, before, [Outcome(1.0, delay)]))
            before = [len(tasks) - 1]
        return before

    def _tasks(self, variant: Variant, stations: tuple[int, ...]) -> list[Task]:
        compiled, book, at = self.compiled, self.book, self.compiled.station_device
        source, sink = int(compiled.source[variant.service]), int(compiled.sink[variant.service])
        tasks: list[Task] = []
        made_by: dict[int, int] = {}  # layer → task of its fragment
        arrived: dict[tuple[int, int], list[int]] = {}  # (tensor, device) → what to wait for
        for station, layers in fragments_of(variant, stations):
            here = int(at[station])
            before: list[int] = []
            for tensor in dict.fromkeys(u for layer in layers for u in variant.predecessors[layer] if u not in layers):
                tail = source if tensor < 0 else int(at[stations[tensor]])
                if (tensor, here) not in arrived:
                    begin = [] if tensor < 0 else [made_by[tensor]]
                    arcs = book.arcs(variant, False, tensor, tail, here)
                    arrived[tensor, here] = self._way(tasks, begin, arcs, variant.tensor_size(tensor))
                before += [task for task in arrived[tensor, here] if task not in before]
            tasks.append(Task(station, before, _outcomes(variant, station, layers, book, here, sink)))
            made_by |= dict.fromkeys(layers, len(tasks) - 1)
        for leaf in variant.leaves:
            arcs = book.arcs(variant, True, leaf, int(at[stations[leaf]]), sink)
            self._way(tasks, [made_by[leaf]], arcs, variant.result_size(leaf))
        return tasks


def queue_network(
    compiled: Compiled, placement: Placement, book: RouteBook, gaps: Mapping[int, float] | None = None
) -> Labelled | None:
    """Return the queueing network of a placement; None when no service has arrivals.

    ``gaps`` are the rate limits at the sources: seconds by service index.
    """
    builder = NetworkBuilder(compiled, book)
    return builder.labelled(placement, gaps) if builder.served else None


def behind_limit(stream: Arrivals, gap: float) -> Arrivals:
    """A Poisson process behind a token bucket that holds one token, refilled ``gap`` seconds after it was taken.

    The admitted ones are a renewal process of gaps ``gap + Exp(lambda)``: rate ``1/(gap + 1/lambda)``.
    """
    if gap <= 0.0:
        return stream
    return replace(stream, rate=1.0 / (gap + 1.0 / stream.rate), spacing=gap)


def _outcomes(
    variant: Variant, station: int, layers: list[int], book: RouteBook, here: int, sink: int
) -> list[Outcome]:
    """Ends of a fragment: each exit inside it, and going on; probabilities given that the fragment starts."""
    reached = float(variant.run[layers[0]])
    shares = {layer: share for layer, share, _ in variant.exits if share > 0}
    outcomes, mean, variance, rest = [], 0.0, 0.0, 1.0
    for layer in layers:
        seconds = float(variant.time[layer, station])
        mean += seconds
        variance += float(variant.scv[layer, station]) * seconds**2
        if layer in shares and reached > 0:
            way = book.seconds(variant, True, layer, here, sink)
            probability = min(shares[layer] / reached, rest)
            outcomes.append(Outcome(probability, mean, _scv(mean, variance), True, way))
            rest -= probability
    if rest > 1e-12 or not outcomes:
        outcomes.append(Outcome(rest, mean, _scv(mean, variance)))
    return outcomes


def _scv(mean: float, variance: float) -> float:
    return variance / mean**2 if mean > 0 else 0.0


def _capacities(compiled: Compiled, placement: Placement) -> list[int]:
    """K of every station: as given, or what the memory left free holds of the largest waiting input."""
    load = loads(compiled, placement)
    largest = np.zeros(len(compiled.stations))
    for choice, stations in zip(placement.choice, placement.stations, strict=True):
        variant = compiled.variants[choice]
        for station, layers in fragments_of(variant, stations):
            outside = {u for layer in layers for u in variant.predecessors[layer] if u not in layers}
            size = sum(variant.tensor_size(tensor) for tensor in outside)
            largest[station] = max(largest[station], size)
    result = []
    for station, place in enumerate(compiled.stations):
        buffer = compiled.instance.devices[place.device].buffer
        if buffer != "memory":
            result.append(UNLIMITED if buffer is None else buffer)
            continue
        in_ram = load.runtime[place.device] + load.activations[place.device]
        in_ram += load.weights[place.device] if np.isnan(compiled.flash[place.device]) else 0.0
        free = max(float(compiled.memory[place.device] - in_ram), 0.0)
        result.append(1 + int(min(free // largest[station], 10**6)) if largest[station] > 0 else UNLIMITED)
    return result


def _outages(compiled: Compiled, links: int) -> tuple[list[float], list[float]]:
    up, down = [], []
    for place in compiled.stations:
        outages = compiled.instance.devices[place.device].outages
        up.append(0.0 if outages is None else outages.up)
        down.append(0.0 if outages is None else outages.down)
    return up + [0.0] * links, down + [0.0] * links


def arrivals_of(service: Service) -> Arrivals:
    """The arrival process of a service that has one."""
    spec = service.arrivals
    assert spec is not None
    if spec.process == "mmpp":
        count = len(spec.states)
        generator = np.zeros((count, count))
        for state, entry in enumerate(spec.states):
            generator[state, state] -= 1.0 / entry.mean
            generator[state, (state + 1) % count] += 1.0 / entry.mean
        rates = np.array([state.rate for state in spec.states])
        return Arrivals(Process.MMPP, spec.mean_rate, rates=rates, generator=generator)
    if spec.process == "trace":
        # an origin far back (seconds since 1970) is no time without arrivals
        return Arrivals(Process.TRACE, spec.mean_rate, times=np.array(spec.times) - spec.times[0])
    if spec.process == "periodic":
        return Arrivals(Process.PERIODIC, spec.mean_rate, phase=spec.phase)
    return Arrivals(Process.POISSON, spec.mean_rate)


def _block(tasks: list[Task]) -> Block:
    outcomes = [outcome for task in tasks for outcome in task.outcomes]
    return Block(
        tasks=len(tasks),
        station=np.array([task.station for task in tasks], dtype=np.int64),
        pred_ptr=np.concatenate([[0], np.cumsum([len(task.before) for task in tasks])]).astype(np.int64),
        preds=np.array([before for task in tasks for before in task.before], dtype=np.int64),
        outcome_ptr=np.concatenate([[0], np.cumsum([len(task.outcomes) for task in tasks])]).astype(np.int64),
        outcomes={
            "outcome_probability": np.array([outcome.probability for outcome in outcomes]),
            "outcome_mean": np.array([outcome.mean for outcome in outcomes]),
            "outcome_scv": np.array([outcome.scv for outcome in outcomes]),
            "outcome_law": np.array(
                [int(Law.GAMMA if o.scv > 0 else Law.DETERMINISTIC) for o in outcomes], dtype=np.int64
            ),
            "outcome_leaves": np.array([outcome.leaves for outcome in outcomes], dtype=bool),
            "outcome_delay": np.array([outcome.delay for outcome in outcomes]),
        },
    )


def _joined(
    blocks: list[Block], capacity: Ints, arrivals: tuple[Arrivals, ...], up: list[float], down: list[float]
) -> QueueNetwork:
    starts = np.cumsum([0, *(block.tasks for block in blocks)])

    def pointers(parts: list[Ints]) -> Ints:
        ends = np.cumsum([0, *(int(part[-1]) for part in parts)])
        joined = [part[:-1] + end for part, end in zip(parts, ends, strict=False)]
        return np.append(np.concatenate(joined), ends[-1]).astype(np.int64)

    columns = {name: np.concatenate([block.outcomes[name] for block in blocks]) for name in blocks[0].outcomes}
    return QueueNetwork(
        capacity=capacity,
        arrivals=arrivals,
        class_tasks=starts.astype(np.int64),
        task_station=np.concatenate([block.station for block in blocks]),
        pred_ptr=pointers([block.pred_ptr for block in blocks]),
        preds=np.concatenate([block.preds + start for block, start in zip(blocks, starts, strict=False)]),
        outcome_ptr=pointers([block.outcome_ptr for block in blocks]),
        up=np.array(up),
        down=np.array(down),
        **columns,
    )
