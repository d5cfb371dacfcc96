"""The queueing network of a placement: fragments as jobs at stations, transfers as delays or stations of their own.

Each compute unit is a station with the buffer of its device; a fragment is served there as one job, admitted once. A
link with a ``queue`` is a station too; any other way is a pure delay. Exits inside a fragment are outcomes of its
service: the job leaves with the work done up to the gate. Services without arrivals are not part of the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from placer.evaluation.metrics import RouteBook, loads
from placer.instance.compiled import Compiled
from placer.instance.service import Arrivals as ArrivalSpec
from placer.instance.topology import Arc
from placer.instance.variant import Variant
from placer.placement import Placement, fragments_of
from placer.queueing.network import DELAY, UNLIMITED, Arrivals, Law, Process, QueueNetwork


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
    """

    network: QueueNetwork
    services: tuple[str, ...]
    stations: tuple[str, ...]
    devices: tuple[str, ...]


@dataclass
class _Builder:
    compiled: Compiled
    book: RouteBook
    links: dict[int, int] = field(default_factory=dict)
    link_arcs: list[Arc] = field(default_factory=list)
    tasks: list[list[Task]] = field(default_factory=list)

    def link(self, arc: Arc) -> int:
        """Station of a link that queues."""
        if id(arc) not in self.links:
            self.links[id(arc)] = len(self.compiled.stations) + len(self.link_arcs)
            self.link_arcs.append(arc)
        return self.links[id(arc)]

    def way(self, tasks: list[Task], before: list[int], arcs: Sequence[Arc], size: float) -> list[int]:
        """Append the tasks of a transfer; returns what the next task waits for."""
        delay = 0.0
        for arc in arcs:
            if arc.queue is None:
                delay += arc.seconds(size)
                continue
            if delay > 0:
                tasks.append(Task(DELAY, before, [Outcome(1.0, delay)]))
                before, delay = [len(tasks) - 1], 0.0
            tasks.append(Task(self.link(arc), before, [Outcome(1.0, size / arc.rate)]))
            before, delay = [len(tasks) - 1], arc.latency
        if delay > 0:
            tasks.append(Task(DELAY, before, [Outcome(1.0, delay)]))
            before = [len(tasks) - 1]
        return before


def queue_network(compiled: Compiled, placement: Placement, book: RouteBook) -> Labelled | None:
    """Return the queueing network of a placement; None when no service has arrivals."""
    builder = _Builder(compiled, book)
    names, arrivals = [], []
    for choice, stations in zip(placement.choice, placement.stations, strict=True):
        variant = compiled.variants[choice]
        service = compiled.instance.services[variant.service]
        if service.arrivals is None:
            continue
        builder.tasks.append(_service_tasks(builder, variant, stations))
        names.append(service.name)
        arrivals.append(_arrivals(service.arrivals))
    if not names:
        return None
    devices = [compiled.device_names[station.device] for station in compiled.stations]
    labels = [station.name for station in compiled.stations]
    labels += [f"link {compiled.device_names[a.tail]} → {compiled.device_names[a.head]}" for a in builder.link_arcs]
    capacity = [*_capacities(compiled, placement), *(arc.queue or UNLIMITED for arc in builder.link_arcs)]
    up, down = _outages(compiled, len(builder.link_arcs))
    network = _arrays(builder.tasks, capacity, tuple(arrivals), up, down)
    return Labelled(network, tuple(names), tuple(labels), (*devices, *("" for _ in builder.link_arcs)))


def _service_tasks(builder: _Builder, variant: Variant, stations: tuple[int, ...]) -> list[Task]:
    compiled, book, at = builder.compiled, builder.book, builder.compiled.station_device
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
                arrived[tensor, here] = builder.way(tasks, begin, arcs, variant.tensor_size(tensor))
            before += [task for task in arrived[tensor, here] if task not in before]
        tasks.append(Task(station, before, _outcomes(variant, station, layers, book, here, sink)))
        made_by |= dict.fromkeys(layers, len(tasks) - 1)
    for leaf in variant.leaves:
        arcs = book.arcs(variant, True, leaf, int(at[stations[leaf]]), sink)
        builder.way(tasks, [made_by[leaf]], arcs, variant.result_size(leaf))
    return tasks


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


def _arrivals(spec: ArrivalSpec) -> Arrivals:
    if spec.process == "mmpp":
        count = len(spec.states)
        generator = np.zeros((count, count))
        for state, entry in enumerate(spec.states):
            generator[state, state] -= 1.0 / entry.mean
            generator[state, (state + 1) % count] += 1.0 / entry.mean
        rates = np.array([state.rate for state in spec.states])
        return Arrivals(Process.MMPP, spec.mean_rate, rates=rates, generator=generator)
    if spec.process == "trace":
        return Arrivals(Process.TRACE, spec.mean_rate, times=np.array(spec.times))
    return Arrivals(Process.PERIODIC if spec.process == "periodic" else Process.POISSON, spec.mean_rate)


def _arrays(
    classes: list[list[Task]], capacity: list[int], arrivals: tuple[Arrivals, ...], up: list[float], down: list[float]
) -> QueueNetwork:
    starts = np.concatenate([[0], np.cumsum([len(tasks) for tasks in classes])]).astype(np.int64)
    every = [(int(start), task) for start, tasks in zip(starts[:-1], classes, strict=True) for task in tasks]
    outcomes = [outcome for _, task in every for outcome in task.outcomes]
    return QueueNetwork(
        capacity=np.array(capacity, dtype=np.int64),
        arrivals=arrivals,
        class_tasks=starts,
        task_station=np.array([task.station for _, task in every], dtype=np.int64),
        pred_ptr=np.concatenate([[0], np.cumsum([len(task.before) for _, task in every])]).astype(np.int64),
        preds=np.array([start + task for start, entry in every for task in entry.before], dtype=np.int64),
        outcome_ptr=np.concatenate([[0], np.cumsum([len(task.outcomes) for _, task in every])]).astype(np.int64),
        outcome_probability=np.array([outcome.probability for outcome in outcomes]),
        outcome_mean=np.array([outcome.mean for outcome in outcomes]),
        outcome_scv=np.array([outcome.scv for outcome in outcomes]),
        outcome_law=np.array([int(Law.GAMMA if o.scv > 0 else Law.DETERMINISTIC) for o in outcomes], dtype=np.int64),
        outcome_leaves=np.array([outcome.leaves for outcome in outcomes], dtype=bool),
        outcome_delay=np.array([outcome.delay for outcome in outcomes]),
        up=np.array(up),
        down=np.array(down),
    )
