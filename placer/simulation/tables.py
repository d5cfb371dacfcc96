"""A queueing network laid out as the event loop reads it: flat arrays, every division done before.

The loop of :mod:`placer.simulation.kernel` only indexes, adds, multiplies and compares. That is what makes
the compiled and the uncompiled run agree to the last bit, and why each parameter of a law is worked out here.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from placer.errors import InputError
from placer.queueing.network import DELAY, UNLIMITED, Arrivals, Floats, Ints, Law, Process, QueueNetwork
from placer.queueing.validation import problems_of

Row: TypeAlias = Any
"""One-dimensional numbers as the loop sees them: an array when compiled, a list when not."""

NEVER_FULL = 2**62
"""Capacity in the tables of a station that never drops."""

# Kinds of draw in the loop. They are not the laws of the network: gamma with scv 0 is deterministic here.
DRAW_CONSTANT, DRAW_EXPONENTIAL, DRAW_GAMMA, DRAW_TWO_PHASES = 0, 1, 2, 3


class ArrivalTables(NamedTuple):
    """The arrival processes of C classes.

    Attributes:
        kind, gap, spacing: shape (C,): ``Process`` value; mean time between arrivals in s, inf for rate 0, beyond
            the least time between them.
        modulated_ptr: shape (C+1,), states of the MMPP of each class, in the three arrays below.
        modulated_gap, modulated_accept: shape (states,): mean time to the next event of the state in s;
            probability that this event is an arrival.
        modulated_start: shape (states,), running sum of the stationary distribution.
        jump_ptr, jumps: shape (C+1,), (Σ states²,): running sums of the jump probabilities, by row.
        trace_ptr, trace_times, trace_period: shape (C+1,), (instants,), (C,): s.
        phase: shape (C,), first arrival of a periodic process in s; NaN where it is drawn.
    """

    kind: Row
    gap: Row
    spacing: Row
    modulated_ptr: Row
    modulated_gap: Row
    modulated_accept: Row
    modulated_start: Row
    jump_ptr: Row
    jumps: Row
    trace_ptr: Row
    trace_times: Row
    trace_period: Row
    phase: Row


class LawTables(NamedTuple):
    """How long the O outcomes take.

    Attributes:
        draw: shape (O,), one of the ``DRAW_`` kinds.
        mean, shape, first, second: shape (O,): mean in s; gamma shape or probability of the first phase; gamma scale
            or mean of the first phase in s; mean of the second phase in s.
    """

    draw: Row
    mean: Row
    shape: Row
    first: Row
    second: Row


class Tables(NamedTuple):
    """What the event loop knows of a network and never changes. S, C, T, E, O as in ``QueueNetwork``.

    Attributes:
        dims: shape (9,): S, C, T, O, widest class with a join (0: no joins), most tasks that one event can
            start, slot of the delays (-1: none), first slot of the outages (-1: none), first slot of the
            arrivals.
        capacity, servers: shape (S,), ``NEVER_FULL`` for unlimited; jobs in service at once.
        task_station, task_class, task_need, task_local: shape (T,): station or ``DELAY``, class, number of
            predecessors, index within the class.
        start_ptr, starts: shape (T+C+1,) and (E + roots,): what starts when task v ends (row v) and when a
            job of class c arrives (row T+c).
        outcome_ptr, outcome_cumulative: shape (T+1,), (O,): running sum of the probabilities within a task.
        laws: how long the outcomes take.
        outcome_leaves, outcome_delay: shape (O,), 1 when the job leaves; s to the sink.
        class_tasks: shape (C+1,).
        arrivals: the arrival processes.
        up, down: shape (S,), s; ``up`` 0 never fails.
        level_ptr, levels: shape (S+1,), (Σ lengths,): level of a station by the number of jobs there, the last for
            all higher numbers: what splitting watches. The level of the network is that of its highest station.
    """

    dims: Row
    capacity: Row
    servers: Row
    task_station: Row
    task_class: Row
    task_need: Row
    task_local: Row
    start_ptr: Row
    starts: Row
    outcome_ptr: Row
    outcome_cumulative: Row
    laws: LawTables
    outcome_leaves: Row
    outcome_delay: Row
    class_tasks: Row
    arrivals: ArrivalTables
    up: Row
    down: Row
    level_ptr: Row
    levels: Row


def tabulate(network: QueueNetwork) -> Tables:
    """Lay out ``network`` for the event loop.

    Raises:
        InputError: the arrays contradict each other; lists every problem found.
    """
    problems = problems_of(network)
    if problems:
        raise InputError(problems)
    tasks, classes = len(network.task_station), network.classes
    task_class = np.repeat(np.arange(classes), np.diff(network.class_tasks))
    need = np.diff(network.pred_ptr)
    start_ptr, starts = _starts(network, need, task_class)
    draw, shape, first, second = _laws(network)
    joins = bool((need > 1).any())
    has_delay = bool((network.task_station == DELAY).any() or (network.at_once > 1).any())
    has_outage = bool((network.up > 0).any())
    slot = network.stations
    delay_slot, slot = (slot, slot + 1) if has_delay else (-1, slot)
    outage_slot, slot = (slot, slot + network.stations) if has_outage else (-1, slot)
    width = int(np.diff(network.class_tasks).max()) if joins else 0
    fan = int(np.diff(start_ptr).max())
    dims = [
        network.stations,
        classes,
        tasks,
        len(network.outcome_mean),
        width,
        fan,
        delay_slot,
        outage_slot,
        slot,
    ]
    return Tables(
        np.array(dims, dtype=np.int64),
        np.where(network.capacity == UNLIMITED, NEVER_FULL, network.capacity).astype(np.int64),
        _ints(network.at_once),
        _ints(network.task_station),
        _ints(task_class),
        _ints(need),
        _ints(np.arange(tasks) - network.class_tasks[task_class]),
        start_ptr,
        starts,
        _ints(network.outcome_ptr),
        _running(network.outcome_probability, network.outcome_ptr),
        LawTables(draw, _floats(network.outcome_mean), shape, first, second),
        _ints(network.outcome_leaves),
        _floats(network.outcome_delay),
        _ints(network.class_tasks),
        ArrivalTables(
            np.array([int(arrivals.process) for arrivals in network.arrivals], dtype=np.int64),
            np.array([max(1 / a.rate - a.spacing, 0.0) if a.rate > 0 else np.inf for a in network.arrivals]),
            np.array([float(a.spacing) for a in network.arrivals]),
            *_modulated(network.arrivals),
            *_traces(network.arrivals),
            np.array([np.nan if a.phase is None else float(a.phase) for a in network.arrivals]),
        ),
        _floats(network.up),
        _floats(network.down),
        np.zeros(network.stations + 1, dtype=np.int64),
        np.zeros(0, dtype=np.int64),
    )


def _ints(values: NDArray[np.generic]) -> Ints:
    return np.ascontiguousarray(values, dtype=np.int64)


def _floats(values: NDArray[np.generic]) -> Floats:
    return np.ascontiguousarray(values, dtype=np.float64)


def _pointers(lengths: list[int]) -> Ints:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _starts(network: QueueNetwork, need: Ints, task_class: Ints) -> tuple[Ints, Ints]:
    """Successors by task, then roots by class, as one CSR."""
    tasks = len(task_class)
    follower = np.repeat(np.arange(tasks), need)
    roots = np.flatnonzero(need == 0)
    source = np.concatenate([network.preds, tasks + task_class[roots]])
    target = np.concatenate([follower, roots])
    order = np.argsort(source, kind="stable")
    counts = np.bincount(source, minlength=tasks + network.classes)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), _ints(target[order])


def _running(probability: Floats, pointers: Ints) -> Floats:
    """Running sums within each group; the last of a group is exactly 1 so that every draw lands."""
    if len(pointers) == len(probability) + 1:
        return np.ones(len(probability))
    result = np.empty(len(probability))
    for start, stop in pairwise(pointers):
        result[start:stop] = np.cumsum(probability[start:stop])
    result[pointers[1:] - 1] = 1.0
    return result


def _laws(network: QueueNetwork) -> tuple[Ints, Floats, Floats, Floats]:
    law, mean, scv = network.outcome_law, network.outcome_mean, network.outcome_scv
    draw = np.full(len(mean), DRAW_CONSTANT, dtype=np.int64)
    shape, first, second = np.zeros(len(mean)), np.zeros(len(mean)), np.zeros(len(mean))
    phased = law == Law.HYPEREXPONENTIAL
    draw[(law == Law.EXPONENTIAL) | (phased & (scv == 1))] = DRAW_EXPONENTIAL
    gamma = (law == Law.GAMMA) & (scv > 0)
    if gamma.any():
        draw[gamma] = DRAW_GAMMA
        shape[gamma] = 1 / scv[gamma]
        first[gamma] = mean[gamma] * scv[gamma]
    phased &= scv > 1
    if phased.any():
        # Balanced means: each phase carries half of the work, p m1 = (1-p) m2 (Tijms 1994, A.2).
        probability = (1 + np.sqrt((scv[phased] - 1) / (scv[phased] + 1))) / 2
        draw[phased] = DRAW_TWO_PHASES
        shape[phased] = probability
        first[phased] = mean[phased] / (2 * probability)
        second[phased] = mean[phased] / (2 * (1 - probability))
    return draw, shape, first, second


def _modulated(arrivals: tuple[Arrivals, ...]) -> tuple[Ints, Floats, Floats, Floats, Ints, Floats]:
    sizes = [len(a.rates) if a.process == Process.MMPP else 0 for a in arrivals]
    gap, accept, start, jumps = [np.zeros(0)], [np.zeros(0)], [np.zeros(0)], [np.zeros(0)]
    for entry, size in zip(arrivals, sizes, strict=True):
        if size == 0:
            continue
        leave = entry.generator - np.diag(np.diag(entry.generator))
        out = leave.sum(axis=1)
        total = entry.rates + out
        gap.append(1 / total)
        accept.append(entry.rates / total)
        start.append(np.cumsum(stationary(entry.generator)))
        moves = np.cumsum(leave, axis=1) / np.where(out > 0, out, 1.0)[:, None]
        jumps.append(moves.ravel())
    squares = [size * size for size in sizes]
    joined = [np.concatenate(parts) for parts in (gap, accept, start, jumps)]
    return _pointers(sizes), joined[0], joined[1], joined[2], _pointers(squares), joined[3]


def _traces(arrivals: tuple[Arrivals, ...]) -> tuple[Ints, Floats, Floats]:
    sizes = [len(a.times) if a.process == Process.TRACE else 0 for a in arrivals]
    times = [_floats(a.times) for a, size in zip(arrivals, sizes, strict=True) if size]
    period = [float(a.times[-1]) + 1 / a.rate if size else 0.0 for a, size in zip(arrivals, sizes, strict=True)]
    return _pointers(sizes), np.concatenate([np.zeros(0), *times]), np.array(period)


def stationary(generator: Floats) -> Floats:
    """Stationary distribution of a finite Markov chain, shape (states,), from its generator in 1/s."""
    states = len(generator)
    system = np.vstack([generator.T, np.ones(states)])
    solution = np.linalg.lstsq(system, np.append(np.zeros(states), 1.0), rcond=None)[0]
    positive: Floats = np.maximum(solution, 0.0)
    share: Floats = positive / positive.sum()
    return share
