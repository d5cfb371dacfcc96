"""The served tasks of a batch in the order in which the chain model works on them, and the values of its
sweeps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from placer.queueing.flattened import Batch
from placer.queueing.markov_streams import MarkovArrivals
from placer.queueing.network import Floats, Ints

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Layout:
    """Served tasks sorted by (station, upstream station); what does not change between the sweeps.

    P tasks that a station serves; the rest of a batch are pure delays.

    Attributes:
        task: shape (P,), the task of the batch.
        station, group: shape (P,), the station, and a label that tasks with one upstream station share.
        up: shape (P,), position of the task before that a station serves, -1 for none.
        mean, scv: shape (P,), service time in s.
        before: shape (P,), the fixed service time at the station before in s, or 0.
        spacing: shape (P,), least time in s between two jobs that arrive: ``before``, or more where no others shared
            the stations on the way.
        widest: shape (P,), longest fixed service on the way in s: the least time between two jobs before the
            stations after it disturbed them.
        widest_at: shape (P,), the station of that service; a label of its own for a stream without one.
        slowest: shape (P,), longest service before on the chain, s.
        alone: shape (P,), the station has one server, which serves no other task.
        unshared: shape (P,), and so do all before, with fixed times and no outages.
        plain: shape (P,), the class has Poisson arrivals.
        part_of, part_weight, part_mean, part_scv: gamma components of the service times, by position.
    """

    task: Ints
    station: Ints
    group: Ints
    up: Ints
    mean: Floats
    scv: Floats
    before: Floats
    spacing: Floats
    widest: Floats
    widest_at: Ints
    slowest: Floats
    alone: Bools
    unshared: Bools
    plain: Bools
    part_of: Ints
    part_weight: Floats
    part_mean: Floats
    part_scv: Floats


@dataclass
class State:
    """Values that the sweeps carry.

    Attributes:
        acceptance: shape (P,), of the jobs that arrive at the task, as the flows use it (damped).
        base: shape (P,), the same as the rules say it.
        target: shape (P,), the same corrected (:mod:`placer.queueing.correction`).
        loss, queue: shape (S,), loss ratio over all classes, and mean number waiting, as the rules say them.
        poisson_loss: shape (S,), the loss ratio if the arrivals were Poisson.
        scv: shape (P,), of the interarrival times of the stream.
        long_scv: shape (P,), variance of its counts over a long time, per mean count.
        jitter: shape (P,), s, by how much others disturbed the stream since its widest spacing, a mean.
        upstream_load: shape (P,), largest utilisation on its way so far.
        eta: shape (S,), parameter of the token rule.
        seen_rate, seen_scv: shape (P,) and (S,), for which loss and queue were computed.
        own_waiting, own_survival: shape (P,), wait in s, and part of the admitted that no outage meets, at stations
            that are solved exactly (:mod:`placer.queueing.exact_stations`); NaN elsewhere.
        streams: by position, what a modulated stream from another station looks like there.
        stale: shape (S,), stations to which such a stream changed.
        station: shape (P,), as in the layout.
        spread_low, spread_high: shape (P,), loss of the best and the worst phases that nobody states; NaN elsewhere.
    """

    acceptance: Floats
    base: Floats
    target: Floats
    loss: Floats
    queue: Floats
    poisson_loss: Floats
    scv: Floats
    long_scv: Floats
    jitter: Floats
    upstream_load: Floats
    eta: Floats
    seen_rate: Floats
    seen_scv: Floats
    own_waiting: Floats
    own_survival: Floats
    streams: dict[int, MarkovArrivals]
    stale: Bools
    station: Ints
    spread_low: Floats
    spread_high: Floats


def start(batch: Batch, layout: Layout, memory: Memory | None = None) -> State:
    """The state before the first sweep: nothing is lost, all streams are as their arrivals, or what is remembered."""
    tasks, stations = len(layout.task), len(batch.capacity)
    scv = batch.arrival_scv[batch.task_class[layout.task]]
    state = State(
        acceptance=np.ones(tasks),
        base=np.ones(tasks),
        target=np.ones(tasks),
        loss=np.zeros(stations),
        queue=np.zeros(stations),
        poisson_loss=np.zeros(stations),
        scv=scv.copy(),
        long_scv=scv.copy(),
        jitter=np.zeros(tasks),
        upstream_load=np.zeros(tasks),
        eta=np.full(stations, 0.3),
        seen_rate=np.full(tasks, -1.0),
        seen_scv=np.full(stations, -1.0),
        own_waiting=np.full(tasks, np.nan),
        own_survival=np.full(tasks, np.nan),
        streams={},
        stale=np.zeros(stations, dtype=bool),
        station=layout.station,
        spread_low=np.full(tasks, np.nan),
        spread_high=np.full(tasks, np.nan),
    )
    if memory is not None:
        _recall(state, layout, memory)
    return state


@dataclass(frozen=True)
class Memory:
    """Where the sweeps of a network ended, in the order of its tasks and stations: a start for one much like it.

    Attributes:
        acceptance, base, scv, long_scv, jitter, upstream_load, rate, own_waiting, own_survival: shape (T,), see
            :class:`State`; rate NaN for a task about which nothing is known.
        loss, queue, poisson_loss, eta, felt_scv: shape (S,); felt_scv -1 for a station that must be solved again.
    """

    acceptance: Floats
    base: Floats
    scv: Floats
    long_scv: Floats
    jitter: Floats
    upstream_load: Floats
    rate: Floats
    loss: Floats
    queue: Floats
    poisson_loss: Floats
    eta: Floats
    felt_scv: Floats
    own_waiting: Floats
    own_survival: Floats


def _recall(state: State, layout: Layout, memory: Memory) -> None:
    """Take what is known from a network like this one."""
    known = ~np.isnan(memory.rate[layout.task])
    task = layout.task[known]
    state.loss, state.queue, state.eta = memory.loss.copy(), memory.queue.copy(), memory.eta.copy()
    state.seen_scv = memory.felt_scv.copy()
    state.acceptance = 1.0 - memory.loss[layout.station]
    state.acceptance[known] = memory.acceptance[task]
    state.target = state.acceptance.copy()
    state.base = state.acceptance.copy()
    state.base[known] = memory.base[task]
    state.poisson_loss = memory.poisson_loss.copy()
    state.scv[known], state.long_scv[known] = memory.scv[task], memory.long_scv[task]
    state.upstream_load[known], state.seen_rate[known] = memory.upstream_load[task], memory.rate[task]
    state.jitter[known] = memory.jitter[task]
    state.own_waiting[known], state.own_survival[known] = memory.own_waiting[task], memory.own_survival[task]


def remember(layout: Layout, state: State, tasks: int) -> Memory:
    """The memory of a state; a task that no station serves has none."""

    def spread(values: Floats, blank: float) -> Floats:
        result = np.full(tasks, blank)
        result[layout.task] = values
        return result

    return Memory(
        acceptance=spread(state.acceptance, 1.0),
        base=spread(state.base, 1.0),
        scv=spread(state.scv, 1.0),
        long_scv=spread(state.long_scv, 1.0),
        jitter=spread(state.jitter, 0.0),
        upstream_load=spread(state.upstream_load, 0.0),
        rate=spread(state.seen_rate, np.nan),
        loss=state.loss.copy(),
        queue=state.queue.copy(),
        poisson_loss=state.poisson_loss.copy(),
        eta=state.eta.copy(),
        felt_scv=state.seen_scv.copy(),
        own_waiting=spread(state.own_waiting, np.nan),
        own_survival=spread(state.own_survival, np.nan),
    )


def arrange(batch: Batch) -> Layout:
    """Lay out the served tasks of a batch."""
    served = np.flatnonzero(batch.task_station >= 0)
    up_task = batch.previous[served]
    up_station = np.where(up_task >= 0, batch.task_station[up_task], -1 - served)
    order = np.lexsort((up_station, batch.task_station[served]))
    task, up_task, up_station = served[order], up_task[order], up_station[order]
    station = batch.task_station[task]
    position = np.full(len(batch.first), -1, dtype=np.int64)
    position[task] = np.arange(len(task))
    new = np.ones(len(task), dtype=bool)
    new[1:] = (station[1:] != station[:-1]) | (up_station[1:] != up_station[:-1])
    mean, scv = batch.mean[task], batch.scv[task]
    up = np.where(up_task >= 0, position[up_task], -1)
    one = batch.servers == 1  # several servers neither space the jobs that leave nor keep them in order
    alone = (np.bincount(station, minlength=len(batch.capacity))[station] == 1) & one[station]
    steady = alone & (scv == 0.0) & (batch.up[station] <= 0.0) & (batch.goes_on[task] == 1.0)
    unshared = steady.copy()
    fixed = (up >= 0) & (scv[up] == 0.0) & one[station[up]]
    slowest, before = np.zeros(len(task)), np.where(fixed, mean[up], 0.0)
    spacing, widest = np.where(up < 0, batch.arrival_spacing[batch.task_class[task]], before), before.copy()
    widest_at = np.where(before > 0.0, station[up], -1 - np.arange(len(task)))
    joined = np.zeros(len(batch.first), dtype=bool)
    for level in batch.levels:
        joined[level.joins] = True
        here = position[level.single]
        here = here[here >= 0]
        here = here[up[here] >= 0]
        source = up[here]
        slowest[here] = np.maximum(slowest[source], mean[source])
        wider = before[here] >= widest[source]
        widest[here] = np.where(wider, before[here], widest[source])
        widest_at[here] = np.where(wider, widest_at[here], widest_at[source])
        kept = alone[source] & (scv[source] == 0.0)
        spacing[here] = np.where(kept, np.maximum(spacing[source], before[here]), before[here])
        unshared[here] &= unshared[up[here]] & ~joined[task[up[here]]]
    unshared &= ~joined[task]
    parts = batch.components
    owner = position[parts.item]
    by_owner = np.argsort(owner, kind="stable")
    by_owner = by_owner[owner[by_owner] >= 0]
    return Layout(
        task=task,
        station=station,
        group=(np.cumsum(new) - 1).astype(np.int64),
        up=up,
        mean=mean,
        scv=scv,
        before=before,
        spacing=spacing,
        widest=widest,
        widest_at=widest_at,
        slowest=slowest,
        alone=alone,
        unshared=unshared,
        plain=batch.arrival_scv[batch.task_class[task]] == 1.0,
        part_of=owner[by_owner],
        part_weight=parts.weight[by_owner],
        part_mean=parts.mean[by_owner],
        part_scv=parts.scv[by_owner],
    )
