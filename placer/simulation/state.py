"""What the event loop changes while it runs, and what it counts.

The loop can stop at any event and be called again, so all of its memory is here: the calendar, the queues,
the jobs, the cumulative statistics. Growing the pools and thinning the samples happen between two calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isnan
from typing import Any, NamedTuple

import numpy as np

from placer.queueing.network import Process
from placer.simulation.tables import ArrivalTables, Row, Tables

# Why the loop returned.
REACHED, BUDGET, GROW, SAMPLES_FULL = 0, 1, 2, 3

# State of a job: on its way, lost (some task was), left through an exit while other tasks of it still run.
ON_ITS_WAY, LOST, LEFT = 0, 1, 2

# Entries of State.scalars.
FREE_NODE, FREE_NODES, FREE_JOB, FREE_JOBS, DELAYED, SAMPLED, STRIDE, PHASE, EVENTS, LEVEL = range(10)
SCALARS = 10

FIRST_POOL = 64
"""Nodes and jobs that a run starts with; the pools double when they are used up."""


class Sources(NamedTuple):
    """Where the arrival processes of the C classes are.

    Attributes:
        state, index, base: shape (C,): MMPP state, arrivals so far (of this lap of a trace), time in s from which a
            periodic or trace process counts.
    """

    state: Row
    index: Row
    base: Row


class Queues(NamedTuple):
    """Who waits where: the queues of the S stations.

    Attributes:
        head, tail, number, failed: shape (S,): first and last node, nodes, 1 while the station is down.
        busy_since, full_since, failed_since: shape (S,), s.
    """

    head: Row
    tail: Row
    number: Row
    failed: Row
    busy_since: Row
    full_since: Row
    failed_since: Row


class State(NamedTuple):
    """Everything that the loop changes, so that it can stop and be called again.

    A *node* is one task of one job, queued, in service or delayed; nodes and jobs are recycled through free
    lists. B slots rounded up to a power of two, N nodes, J jobs, W widest class with a join.

    Attributes:
        times, tree: shape (B,), (2B,): time of each slot in s; winner tree of slots, root at 1.
        node_task, node_job, node_enter, node_outcome, node_next: shape (N,).
        job_time, job_active, job_state, job_finish, job_next: shape (J,): arrival in s, nodes alive, state,
            latest time at the sink in s, free list.
        job_pending: shape (J·W,), predecessors still to end.
        queues: who waits where.
        heap_time, heap_node: shape (N,), binary heap of the delays.
        sources: where the arrival processes are.
        counts, sums: cumulative statistics, laid out by :class:`Layout`.
        sample_class, sample_response: shape (cap,), class and response time in s of every stride-th completed
            job.
        split: what splitting needs besides, a :class:`placer.simulation.split_state.Split`; () without it.
        scalars: shape (SCALARS,), see the constants above; stride 0 takes no samples.
        clock: shape (1,), s.
    """

    times: Row
    tree: Row
    node_task: Row
    node_job: Row
    node_enter: Row
    node_outcome: Row
    node_next: Row
    job_time: Row
    job_active: Row
    job_state: Row
    job_finish: Row
    job_next: Row
    job_pending: Row
    queues: Queues
    heap_time: Row
    heap_node: Row
    sources: Sources
    counts: Row
    sums: Row
    sample_class: Row
    sample_response: Row
    split: Any
    scalars: Row
    clock: Row


@dataclass(frozen=True)
class Layout:
    """Where each statistic lies in ``State.counts`` and ``State.sums``; the loop uses the same order.

    Counts: per class offered, completed, lost; per task arrived (tried to enter), dropped (found the station
    full or failed), killed (held by a station that failed), ended; per outcome. Sums in s: per class response
    times of completed jobs; per task sojourn times of ended tasks; per station time busy, time full, time
    failed, ∫ number dt, and the part of that integral that killed jobs left behind.
    """

    stations: int
    classes: int
    tasks: int
    outcomes: int

    def counts(self) -> dict[str, slice]:
        """Slices of ``State.counts`` by name."""
        C, T = self.classes, self.tasks
        sizes = {"offered": C, "completed": C, "lost": C, "arrived": T, "dropped": T, "killed": T, "ended": T}
        return _slices(sizes | {"outcome": self.outcomes})

    def sums(self) -> dict[str, slice]:
        """Slices of ``State.sums`` by name."""
        S = self.stations
        sizes = {"response": self.classes, "sojourn": self.tasks}
        return _slices(sizes | {"busy": S, "full": S, "down": S, "area": S, "removed": S})


def _slices(sizes: dict[str, int]) -> dict[str, slice]:
    result, at = {}, 0
    for name, size in sizes.items():
        result[name] = slice(at, at + size)
        at += size
    return result


def layout(net: Tables) -> Layout:
    """The layout that belongs to ``net``."""
    return Layout(*(int(size) for size in net.dims[:4]))


def initial(net: Tables, rng: np.random.Generator, sample_cap: int, room: int = FIRST_POOL) -> State:
    """An empty network at time 0 with the first arrival of each class drawn.

    Args:
        net: the network as arrays.
        rng: draws the phases and the first arrivals.
        sample_cap: completed jobs whose response time is kept.
        room: nodes and jobs to make room for; when they are used up, the loop asks for more.
    """
    S, C, _, _, width, fan, _, outage_slot, arrival_slot = (int(size) for size in net.dims)
    slots = 1 << max(0, arrival_slot + C - 1).bit_length()
    pool = room + 2 * fan
    times = np.full(slots, inf)
    sources = Sources(np.zeros(C, dtype=np.int64), np.zeros(C, dtype=np.int64), np.zeros(C))
    for c in range(C):
        times[arrival_slot + c] = _first(net.arrivals, rng, c, sources)
    if outage_slot >= 0:
        for s in range(S):
            if net.up[s] > 0:
                times[outage_slot + s] = net.up[s] * rng.standard_exponential()
    scalars = np.zeros(SCALARS, dtype=np.int64)
    scalars[[FREE_NODES, FREE_JOBS]] = pool
    where = layout(net)

    def whole(size: int) -> Row:
        return np.zeros(size, dtype=np.int64)

    return State(
        times=times,
        tree=_tree(times),
        node_task=whole(pool),
        node_job=whole(pool),
        node_enter=np.zeros(pool),
        node_outcome=whole(pool),
        node_next=np.arange(1, pool + 1),
        job_time=np.zeros(pool),
        job_active=whole(pool),
        job_state=whole(pool),
        job_finish=np.zeros(pool),
        job_next=np.arange(1, pool + 1),
        job_pending=whole(pool * width),
        queues=Queues(whole(S), whole(S), whole(S), whole(S), np.zeros(S), np.zeros(S), np.zeros(S)),
        heap_time=np.zeros(pool),
        heap_node=whole(pool),
        sources=sources,
        counts=whole(where.counts()["outcome"].stop),
        sums=np.zeros(where.sums()["removed"].stop),
        sample_class=whole(sample_cap),
        sample_response=np.zeros(sample_cap),
        split=(),
        scalars=scalars,
        clock=np.zeros(1),
    )


def _first(net: ArrivalTables, rng: np.random.Generator, c: int, sources: Sources) -> float:
    """Time of the first arrival of class ``c``; sets the state and the origin of its process."""
    kind, gap = int(net.kind[c]), float(net.gap[c])
    if gap == inf:
        return inf
    if kind == Process.POISSON:
        return gap * rng.standard_exponential()
    if kind == Process.PERIODIC:
        stated = float(net.phase[c])
        sources.base[c] = gap * rng.random() if isnan(stated) else stated
        return float(sources.base[c])
    if kind == Process.TRACE:
        return float(net.trace_times[net.trace_ptr[c]])
    start, stop = int(net.modulated_ptr[c]), int(net.modulated_ptr[c + 1])
    sources.state[c] = min(
        int(np.searchsorted(net.modulated_start[start:stop], rng.random(), "right")), stop - start - 1
    )
    # An MMPP has no memory within a state: the first event after time 0 is one like any other.
    now = 0.0
    while True:
        at = start + int(sources.state[c])
        now += float(net.modulated_gap[at]) * rng.standard_exponential()
        if rng.random() < net.modulated_accept[at]:
            return now
        row = int(net.jump_ptr[c]) + int(sources.state[c]) * (stop - start)
        sources.state[c] = int(np.searchsorted(net.jumps[row : row + stop - start], rng.random(), "right"))


def _tree(times: Row) -> Row:
    """Winner tree over the slots: entry 1 is the earliest, entries B.. are the slots themselves."""
    slots = len(times)
    tree = np.zeros(2 * slots, dtype=np.int64)
    tree[slots:] = np.arange(slots)
    for at in range(slots - 1, 0, -1):
        left, right = tree[2 * at], tree[2 * at + 1]
        tree[at] = left if times[left] <= times[right] else right
    return tree


def grown(st: State) -> State:
    """The same state with twice the nodes and jobs."""
    nodes, jobs = len(st.node_task), len(st.job_time)
    width = len(st.job_pending) // jobs
    scalars = st.scalars
    links = {}
    for name, size, free, frees in (
        ("node_next", nodes, FREE_NODE, FREE_NODES),
        ("job_next", jobs, FREE_JOB, FREE_JOBS),
    ):
        # The new entries come first, each linked to the next, the last of them to the old free list.
        fresh = [*range(size + 1, 2 * size), int(scalars[free])]
        links[name] = _joined(getattr(st, name), fresh)
        scalars[free] = size
        scalars[frees] += size
    of_nodes = ("node_task", "node_job", "node_enter", "node_outcome", "heap_time", "heap_node")
    of_jobs = ("job_time", "job_active", "job_state", "job_finish")
    larger = {name: _joined(getattr(st, name), [0] * nodes) for name in of_nodes}
    larger |= {name: _joined(getattr(st, name), [0] * jobs) for name in of_jobs}
    larger["job_pending"] = _joined(st.job_pending, [0] * (jobs * width))
    return st._replace(**links, **larger)


def _joined(values: Row, more: list[int]) -> Row:
    if isinstance(values, list):
        return values + more
    return np.concatenate([values, np.array(more, dtype=values.dtype)])


def roomier(st: State) -> State:
    """The same state with room for twice the samples."""
    more = [0] * len(st.sample_class)
    return st._replace(sample_class=_joined(st.sample_class, more), sample_response=_joined(st.sample_response, more))


def thin(st: State) -> None:
    """Keep every second sample and sample half as often from now on."""
    kept = int(st.scalars[SAMPLED] + 1) // 2
    for samples in (st.sample_class, st.sample_response):
        samples[:kept] = samples[: 2 * kept : 2]
    st.scalars[SAMPLED] = kept
    st.scalars[STRIDE] *= 2
