"""One service under one assignment, as the tasks of a queueing network: fragments as jobs, transfers on their way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from placer.evaluation.deterministic import RouteBook
from placer.instance.compiled import Compiled
from placer.instance.topology import Arc
from placer.instance.variant import Variant
from placer.plan.placement import fragments_of
from placer.queueing.network import DELAY, Ints, Law


@dataclass(frozen=True)
class Ending:
    """One way in which a task ends; times in s."""

    probability: float
    mean: float
    scv: float = 0.0
    leaves: bool = False
    delay: float = 0.0


@dataclass
class Task:
    """A task under construction: its station (or DELAY), the tasks before it, how it may end, devices it needs."""

    station: int
    before: list[int]
    endings: list[Ending]
    needs: set[int] = field(default_factory=set)


@dataclass(frozen=True, eq=False)
class Block:
    """The tasks of one service under one assignment of its layers, as the arrays of a network of one class.

    Attributes:
        tasks: number of tasks.
        station: shape (tasks,), or ``DELAY``.
        pred_ptr, preds: predecessors, numbered within the block.
        needs: per task the devices without which it fails: that compute, send, relay or receive.
        outcome_ptr, outcomes: pointers, and the outcomes' columns by the names of :class:`QueueNetwork`.
    """

    tasks: int
    station: Ints
    pred_ptr: Ints
    preds: Ints
    needs: tuple[frozenset[int], ...]
    outcome_ptr: Ints
    outcomes: dict[str, NDArray[Any]]


def tasks_of(compiled: Compiled, book: RouteBook, variant: Variant, stations: tuple[int, ...]) -> list[Task]:
    """The tasks of one service under one assignment: its fragments and the ways between them, in causal order."""
    at = compiled.station_device
    source, sink = int(compiled.source[variant.service]), int(compiled.sink[variant.service])
    tasks: list[Task] = []
    made_by: dict[int, int] = {}  # layer → task of its fragment
    arrived: dict[tuple[int, int], list[int]] = {}  # (tensor, device) → what to wait for
    for station, layers in fragments_of(variant, stations):
        here = int(at[station])
        before: list[int] = []
        needs = {here}
        for tensor in dict.fromkeys(u for layer in layers for u in variant.predecessors[layer] if u not in layers):
            tail = source if tensor < 0 else int(at[stations[tensor]])
            if tensor >= 0 and tail == here and stations[tensor] != station:
                seconds = float(compiled.switch(here, variant.tensor_size(tensor)))
                tasks.append(Task(DELAY, [made_by[tensor]], [Ending(1.0, seconds)], {here}))
                before.append(len(tasks) - 1)
                continue
            if (tensor, here) not in arrived:
                begin = [] if tensor < 0 else [made_by[tensor]]
                arcs = book.arcs(variant, False, tensor, tail, here)
                arrived[tensor, here] = _way(compiled, tasks, begin, arcs, variant.tensor_size(tensor))
            before += [task for task in arrived[tensor, here] if task not in before]
            needs |= _along(book.arcs(variant, False, tensor, tail, here))
        for layer in layers:
            if any(layer == gate and share > 0 for gate, share, _ in variant.exits):
                needs |= _along(book.arcs(variant, True, layer, here, sink))
        tasks.append(Task(station, before, _endings(variant, station, layers, book, here, sink), needs))
        made_by |= dict.fromkeys(layers, len(tasks) - 1)
    for leaf in variant.leaves:
        arcs = book.arcs(variant, True, leaf, int(at[stations[leaf]]), sink)
        end = _way(compiled, tasks, [made_by[leaf]], arcs, variant.result_size(leaf))
        if end == [made_by[leaf]]:
            tasks[made_by[leaf]].needs |= _along(arcs)  # a way that takes no time is no task
    return tasks


def _along(arcs: Sequence[Arc]) -> set[int]:
    """The devices at the ends of some arcs."""
    return {device for arc in arcs for device in (arc.tail, arc.head)}


def _way(compiled: Compiled, tasks: list[Task], before: list[int], arcs: Sequence[Arc], size: float) -> list[int]:
    """Append the tasks of a transfer; returns what the next task waits for.

    Each hop is sent by its carrier, a station after the compute units; then the latency passes, which occupies nobody.
    An empty tensor is no work for a carrier.
    """
    delay = 0.0
    needs = _along(arcs)
    for arc in arcs:
        if size == 0.0:
            delay += arc.latency
            continue
        if delay > 0:
            tasks.append(Task(DELAY, before, [Ending(1.0, delay)], needs))
            before, delay = [len(tasks) - 1], 0.0
        ends = {arc.tail, arc.head}
        tasks.append(Task(len(compiled.stations) + arc.carrier, before, [Ending(1.0, size / arc.rate)], ends))
        before, delay = [len(tasks) - 1], arc.latency
    if delay > 0:
        tasks.append(Task(DELAY, before, [Ending(1.0, delay)], needs))
        before = [len(tasks) - 1]
    return before


def _endings(variant: Variant, station: int, layers: list[int], book: RouteBook, here: int, sink: int) -> list[Ending]:
    """Ends of a fragment: each exit inside it, and going on; probabilities given that the fragment starts."""
    reached = float(variant.run[layers[0]])
    shares = {layer: share for layer, share, _ in variant.exits if share > 0}
    endings, mean, variance, rest = [], 0.0, 0.0, 1.0
    for layer in layers:
        seconds = float(variant.time[layer, station])
        mean += seconds
        variance += float(variant.scv[layer, station]) * seconds**2
        if layer in shares and reached > 0:
            way = book.seconds(variant, True, layer, here, sink)
            probability = min(shares[layer] / reached, rest)
            endings.append(Ending(probability, mean, _scv(mean, variance), True, way))
            rest -= probability
    if rest > 1e-12 or not endings:
        endings.append(Ending(rest, mean, _scv(mean, variance)))
    return endings


def _scv(mean: float, variance: float) -> float:
    return variance / mean**2 if mean > 0 else 0.0


def block_of(tasks: list[Task]) -> Block:
    """The arrays of some tasks."""
    endings = [ending for task in tasks for ending in task.endings]
    return Block(
        tasks=len(tasks),
        station=np.array([task.station for task in tasks], dtype=np.int64),
        pred_ptr=np.concatenate([[0], np.cumsum([len(task.before) for task in tasks])]).astype(np.int64),
        preds=np.array([before for task in tasks for before in task.before], dtype=np.int64),
        needs=tuple(frozenset(task.needs) for task in tasks),
        outcome_ptr=np.concatenate([[0], np.cumsum([len(task.endings) for task in tasks])]).astype(np.int64),
        outcomes={
            "outcome_probability": np.array([ending.probability for ending in endings]),
            "outcome_mean": np.array([ending.mean for ending in endings]),
            "outcome_scv": np.array([ending.scv for ending in endings]),
            "outcome_law": np.array(
                [int(Law.GAMMA if e.scv > 0 else Law.DETERMINISTIC) for e in endings], dtype=np.int64
            ),
            "outcome_leaves": np.array([ending.leaves for ending in endings], dtype=bool),
            "outcome_delay": np.array([ending.delay for ending in endings]),
        },
    )
