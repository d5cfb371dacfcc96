"""Many queueing networks flattened into one set of arrays, so that thousands are solved together.

Stations, classes, tasks and outcomes of all networks are numbered through; a single network is the batch of
one. One *sink* per class is appended to the tasks: it joins the tasks without successors, so that "the job
is complete" is a join like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from placer.queueing.mg1k_exact import Components, gamma_components
from placer.queueing.network import DELAY, Arrivals, Floats, Ints, Process, QueueNetwork


@dataclass(frozen=True)
class Level:
    """Tasks whose predecessors all lie at lower levels.

    Attributes:
        single, single_pred: tasks with one predecessor, and it.
        joins: tasks with several predecessors.
        join_ptr, join_preds: their predecessors (CSR).
        ancestor_ptr, ancestors: all their ancestors (CSR), each once; of several that are admitted in order at one
            instant only the last.
    """

    single: Ints
    single_pred: Ints
    joins: Ints
    join_ptr: Ints
    join_preds: Ints
    ancestor_ptr: Ints
    ancestors: Ints


@dataclass(frozen=True)
class Batch:
    """Networks as flat arrays; N networks, S stations, C classes, T tasks, O outcomes in all.

    Attributes:
        station_ptr, class_ptr, task_ptr: shape (N+1,), what belongs to each network.
        capacity, servers: shape (S,).
        up, down: shape (S,), s.
        rate, arrival_scv: shape (C,), 1/s and the (asymptotic) squared coefficient of variation of the
            arrivals.
        arrival_spacing: shape (C,), least time between two arrivals in s.
        arrivals: the processes, length C.
        together: shape (T,), the first of the tasks that start at the same instant at the same station (a fork); -1
            for a task that starts alone.
        class_tasks: shape (C+1,).
        task_class, task_station: shape (T,); ``DELAY`` is a pure delay.
        mean, scv: shape (T,), moments of the service time over the outcomes.
        goes_on: shape (T,), probability that the job does not leave through an exit at the task.
        components: gamma components of the service times, items are tasks.
        outcome_ptr, outcome_probability, outcome_mean, outcome_delay, outcome_leaves: as in QueueNetwork.
        previous: shape (T+C,), the last predecessor of a task that is served by a station, -1 for none.
        first: shape (T+C,), True for tasks without predecessors.
        terminal: shape (T,), True for tasks without successors.
        levels: tasks and sinks by depth, from depth 1.
    """

    station_ptr: Ints
    class_ptr: Ints
    task_ptr: Ints
    capacity: Ints
    servers: Ints
    up: Floats
    down: Floats
    rate: Floats
    arrival_scv: Floats
    arrival_spacing: Floats
    arrivals: tuple[Arrivals, ...]
    together: Ints
    class_tasks: Ints
    task_class: Ints
    task_station: Ints
    mean: Floats
    scv: Floats
    goes_on: Floats
    components: Components
    outcome_ptr: Ints
    outcome_probability: Floats
    outcome_mean: Floats
    outcome_delay: Floats
    outcome_leaves: Ints
    previous: Ints
    first: Ints
    terminal: Ints
    levels: tuple[Level, ...]


def arrival_scv(arrivals: Arrivals) -> float:
    """Squared coefficient of variation that stands for an arrival process.

    Poisson 1, with a rate limit ``(1 - rate spacing)^2``, periodic 0. MMPP: the limit of the index of
    dispersion for counts, ``1 + 2 (p R (e p - Q)^-1 R e / rate - rate)`` (Fischer & Meier-Hellstern, *The
    MMPP cookbook*, 1993), which holds for buffers that are large against the correlation time and
    overstates loss in short ones.
    Trace: of its gaps.
    """
    if arrivals.process == Process.PERIODIC:
        return 0.0
    if arrivals.process == Process.MMPP and len(arrivals.rates):
        q = arrivals.generator
        states = len(arrivals.rates)
        stationary = np.linalg.lstsq(np.vstack([q.T, np.ones(states)]), np.r_[np.zeros(states), 1.0], rcond=None)[0]
        rate = float(stationary @ arrivals.rates)
        if rate <= 0.0:
            return 1.0
        deviation = np.linalg.solve(np.outer(np.ones(states), stationary) - q, arrivals.rates)
        return max(float(1.0 + 2.0 * ((stationary * arrivals.rates) @ deviation / rate - rate)), 0.0)
    if arrivals.process == Process.TRACE and len(arrivals.times) > 1:
        gaps = np.append(np.diff(arrivals.times), 1.0 / arrivals.rate)
        return float(gaps.var() / gaps.mean() ** 2)
    return (1.0 - arrivals.rate * arrivals.spacing) ** 2


def _pointers(sizes: Sequence[int]) -> Ints:
    return np.concatenate([[0], np.cumsum(np.asarray(sizes, dtype=np.int64))]).astype(np.int64)


def _joined(parts: list[Ints], offsets: Ints) -> Ints:
    """CSR pointers or indices of all networks, each shifted by its offset."""
    sizes = np.array([len(part) for part in parts])
    return np.asarray(np.concatenate(parts) + np.repeat(offsets, sizes), dtype=np.int64)


def compile_batch(networks: Sequence[QueueNetwork]) -> Batch:
    """Flatten networks into one :class:`Batch`."""
    station_ptr = _pointers([len(net.capacity) for net in networks])
    class_ptr = _pointers([len(net.arrivals) for net in networks])
    task_ptr = _pointers([len(net.task_station) for net in networks])
    outcome_base = _pointers([len(net.outcome_probability) for net in networks])
    edge_base = _pointers([len(net.preds) for net in networks])
    tasks, classes = int(task_ptr[-1]), int(class_ptr[-1])
    class_tasks = np.append(_joined([net.class_tasks[:-1] for net in networks], task_ptr[:-1]), tasks)
    outcome_ptr = np.append(_joined([net.outcome_ptr[:-1] for net in networks], outcome_base[:-1]), outcome_base[-1])
    pred_ptr = np.append(_joined([net.pred_ptr[:-1] for net in networks], edge_base[:-1]), edge_base[-1])
    preds = _joined([net.preds for net in networks], task_ptr[:-1])
    station = _joined([net.task_station for net in networks], station_ptr[:-1])
    raw = np.concatenate([net.task_station for net in networks])
    station = np.where(raw == DELAY, DELAY, station)
    flat = [arrivals for net in networks for arrivals in net.arrivals]
    simple = np.array([arrivals.process == Process.POISSON and arrivals.spacing == 0 for arrivals in flat], dtype=bool)
    variation = np.ones(classes)
    for k in np.flatnonzero(~simple):
        variation[k] = arrival_scv(flat[k])
    probability = np.concatenate([net.outcome_probability for net in networks])
    mean = np.concatenate([net.outcome_mean for net in networks])
    spread = np.concatenate([net.outcome_scv for net in networks])
    law = np.concatenate([net.outcome_law for net in networks])
    leaves = np.concatenate([net.outcome_leaves for net in networks])
    task_of = np.repeat(np.arange(tasks), np.diff(outcome_ptr))
    first_moment = np.bincount(task_of, probability * mean, minlength=tasks).astype(np.float64)
    components = gamma_components(task_of, probability, mean, spread, law)
    second = np.bincount(
        components.item, components.weight * components.mean**2 * (1.0 + components.scv), minlength=tasks
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        scv = np.where(first_moment > 0.0, np.maximum(second / first_moment**2 - 1.0, 0.0), 0.0)
    task_class = np.repeat(np.arange(classes), np.diff(class_tasks))
    terminal = np.bincount(preds, minlength=tasks)[:tasks] == 0
    # the sinks: one more task a class, whose predecessors are the class's terminal tasks
    ends = np.flatnonzero(terminal)
    all_ptr = np.concatenate([pred_ptr, pred_ptr[-1] + np.cumsum(np.bincount(task_class[ends], minlength=classes))])
    all_preds = np.concatenate([preds, ends])
    together = _together(pred_ptr, preds, station, task_class)
    goes_on = np.asarray(1.0 - np.bincount(task_of, probability * leaves, minlength=tasks), dtype=np.float64)
    nested = np.where(goes_on == 1.0, together, -1)
    levels, first, previous = _levels(all_ptr.astype(np.int64), all_preds, station, nested)
    return Batch(
        station_ptr=station_ptr,
        class_ptr=class_ptr,
        task_ptr=task_ptr,
        capacity=np.concatenate([net.capacity for net in networks]),
        servers=np.concatenate([net.at_once for net in networks]),
        up=np.concatenate([net.up for net in networks]),
        down=np.concatenate([net.down for net in networks]),
        rate=np.array([arrivals.rate for arrivals in flat], dtype=np.float64),
        arrival_scv=variation,
        arrival_spacing=np.array([arrivals.spacing for arrivals in flat], dtype=np.float64),
        arrivals=tuple(flat),
        together=together,
        class_tasks=class_tasks.astype(np.int64),
        task_class=task_class,
        task_station=station,
        mean=first_moment,
        scv=scv,
        goes_on=goes_on,
        components=components,
        outcome_ptr=outcome_ptr.astype(np.int64),
        outcome_probability=probability,
        outcome_mean=mean,
        outcome_delay=np.concatenate([net.outcome_delay for net in networks]),
        outcome_leaves=leaves.astype(np.int64),
        previous=previous,
        first=first.astype(np.int64),
        terminal=terminal.astype(np.int64),
        levels=levels,
    )


def _together(pred_ptr: Ints, preds: Ints, station: Ints, task_class: Ints) -> Ints:
    """Tasks of a class that have the same predecessors and the same station, labelled by the first of them."""
    count = np.diff(pred_ptr)
    label = np.full(len(count), -1, dtype=np.int64)
    alone = np.full(len(count), -1, dtype=np.int64)
    only = count == 1
    label[only] = len(count) + preds[pred_ptr[:-1][only]]
    label[count == 0] = task_class[count == 0]
    served = np.flatnonzero((label >= 0) & (station >= 0))
    several = len(served) > len(np.unique(label[served]))
    joins = np.flatnonzero((count > 1) & (station >= 0))
    if not several and len(joins) < 2:
        return alone
    groups: dict[object, list[int]] = {}
    for task in served.tolist():
        groups.setdefault((int(label[task]), int(station[task])), []).append(task)
    for task in joins.tolist():
        own = tuple(sorted(preds[pred_ptr[task] : pred_ptr[task + 1]].tolist()))
        groups.setdefault((own, int(station[task])), []).append(task)
    for members in groups.values():
        if len(members) > 1:
            alone[members] = members[0]
    return alone


def _without_nested(ancestors: set[int], nested: Ints) -> list[int]:
    """Ancestors that count in a product: of those that start together only the last, which needs the most room."""
    last: dict[int, int] = {}
    for task in ancestors:
        if nested[task] >= 0:
            last[int(nested[task])] = max(task, last.get(int(nested[task]), -1))
    return sorted(task for task in ancestors if nested[task] < 0 or last[int(nested[task])] == task)


def _levels(pred_ptr: Ints, preds: Ints, station: Ints, nested: Ints) -> tuple[tuple[Level, ...], Ints, Ints]:
    """Tasks by depth; which have no predecessor; the last predecessor served by a station."""
    count = np.diff(pred_ptr)
    total = len(count)
    owner = np.repeat(np.arange(total), count)
    depth = np.zeros(total, dtype=np.int64)
    while True:
        deeper = depth.copy()
        np.maximum.at(deeper, owner, depth[preds] + 1)
        if np.array_equal(deeper, depth):
            break
        depth = deeper
    previous = np.full(total, -1, dtype=np.int64)
    ancestors: dict[int, set[int]] = {}
    joined = bool((count > 1).any())
    levels = []
    by_depth = np.argsort(depth, kind="stable")
    bounds = np.searchsorted(depth[by_depth], np.arange(1, int(depth.max()) + 2))
    for lo, hi in pairwise(bounds.tolist()):
        here = by_depth[lo:hi]
        single = here[count[here] == 1]
        joins = here[count[here] > 1]
        source = preds[pred_ptr[here]]
        previous[here] = np.where(station[source] >= 0, source, previous[source])
        lists = []
        if joined:
            for task in here.tolist():
                own = preds[pred_ptr[task] : pred_ptr[task + 1]].tolist()
                ancestors[task] = set(own).union(*(ancestors.get(p, set()) for p in own))
            lists = [_without_nested(ancestors[task], nested) for task in joins.tolist()]
        levels.append(
            Level(
                single=single,
                single_pred=preds[pred_ptr[single]],
                joins=joins,
                join_ptr=_pointers(count[joins].tolist()),
                join_preds=np.concatenate(
                    [preds[pred_ptr[t] : pred_ptr[t + 1]] for t in joins] + [np.zeros(0, np.int64)]
                ),
                ancestor_ptr=_pointers([len(one) for one in lists]),
                ancestors=np.array([a for one in lists for a in one], dtype=np.int64),
            )
        )
    return tuple(levels), count == 0, previous
