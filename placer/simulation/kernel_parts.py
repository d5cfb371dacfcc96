"""Parts of the event loop: the calendar, the delays, the draws, what is rare. Same subset of Python, same rules.

A function costs compile time by the arrays it is given: what is called for one thing gets the rows of that thing.
"""

from __future__ import annotations

from math import inf

import numpy as np

from placer.jit import helper
from placer.simulation.state import FREE_JOB, FREE_JOBS, FREE_NODE, FREE_NODES, LOST, ON_ITS_WAY, Queues, Sources, State
from placer.simulation.tables import ArrivalTables, LawTables, Row, Tables


@helper
def replay(tree: Row, times: Row, slot: int) -> None:
    """Restore the winner tree after the time of ``slot`` changed; on a tie the lower slot wins."""
    at = (slot + len(times)) >> 1
    while at > 0:
        left = tree[2 * at]
        right = tree[2 * at + 1]
        tree[at] = left if times[left] <= times[right] else right
        at >>= 1


@helper
def pick(rng: np.random.Generator, start: int, stop: int, cumulative: Row) -> int:
    """Draw an index of ``start:stop`` from running sums of probability; draws nothing when there is one."""
    if stop - start > 1:
        u = rng.random()
        while start < stop - 1 and u >= cumulative[start]:
            start += 1
    return start


@helper
def duration(rng: np.random.Generator, laws: LawTables, o: int) -> float:
    """Draw the service time or the delay of outcome ``o`` in s."""
    draw = laws.draw[o]
    if draw < 2:
        return constant_or_exponential(rng, laws, o)
    first: float = laws.first[o]
    shape: float = laws.shape[o]
    if draw == 2:
        return first * rng.standard_gamma(shape)
    if rng.random() < shape:
        return first * rng.standard_exponential()
    second: float = laws.second[o]
    return second * rng.standard_exponential()


@helper
def constant_or_exponential(rng: np.random.Generator, laws: LawTables, o: int) -> float:
    """The same where there is no other law."""
    mean: float = laws.mean[o]
    if laws.draw[o] == 1:
        return mean * rng.standard_exponential()
    return mean


@helper
def heap_push(heap_time: Row, heap_node: Row, size: int, time: float, node: int) -> None:
    """Add a delay that ends at ``time`` to a binary heap of ``size`` entries."""
    at = size
    while at > 0:
        parent = (at - 1) >> 1
        if heap_time[parent] <= time:
            break
        heap_time[at] = heap_time[parent]
        heap_node[at] = heap_node[parent]
        at = parent
    heap_time[at] = time
    heap_node[at] = node


@helper
def heap_pop(heap_time: Row, heap_node: Row, size: int) -> int:
    """Remove the earliest of ``size`` delays and return its node."""
    node: int = heap_node[0]
    size -= 1
    time = heap_time[size]
    moved = heap_node[size]
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and heap_time[child + 1] < heap_time[child]:
            child += 1
        if time <= heap_time[child]:
            break
        heap_time[at] = heap_time[child]
        heap_node[at] = heap_node[child]
        at = child
    heap_time[at] = time
    heap_node[at] = moved
    return node


@helper
def next_arrival(net: ArrivalTables, sources: Sources, rng: np.random.Generator, c: int, now: float) -> float:
    """Time in s of the arrival of class ``c`` that follows the one at ``now``; not for Poisson arrivals."""
    kind = net.kind[c]
    if kind == 1:
        sources.index[c] += 1
        instant: float = sources.base[c] + sources.index[c] * net.gap[c]
        return instant
    if kind == 3:
        sources.index[c] += 1
        if net.trace_ptr[c] + sources.index[c] >= net.trace_ptr[c + 1]:
            sources.index[c] = 0
            sources.base[c] += net.trace_period[c]
        instant = sources.base[c] + net.trace_times[net.trace_ptr[c] + sources.index[c]]
        return instant
    base = net.modulated_ptr[c]
    states = net.modulated_ptr[c + 1] - base
    while True:
        state = sources.state[c]
        now += net.modulated_gap[base + state] * rng.standard_exponential()
        if rng.random() < net.modulated_accept[base + state]:
            return now
        row = net.jump_ptr[c] + state * states
        sources.state[c] = pick(rng, row, row + states, net.jumps) - row


@helper
def fail_or_repair(net: Tables, st: State, rng: np.random.Generator, slot: int, now: float) -> None:
    """Let the station of an outage slot fail, which kills the jobs that it holds, or repair it."""
    S, C, T, s = net.dims[0], net.dims[1], net.dims[2], slot - net.dims[7]
    counts, sums, scalars, number = st.counts, st.sums, st.scalars, st.queues.number
    at_lost, at_killed = 2 * C, 3 * C + 2 * T
    at_busy, at_full, at_down, at_removed = C + T, C + T + S, C + T + 2 * S, C + T + 4 * S
    if st.queues.failed[s] == 1:
        st.queues.failed[s] = 0
        sums[at_down + s] += now - st.queues.failed_since[s]
        st.times[slot] = now + net.up[s] * rng.standard_exponential()
        replay(st.tree, st.times, slot)
        return
    st.queues.failed[s] = 1
    st.queues.failed_since[s] = now
    st.times[slot] = now + net.down[s] * rng.standard_exponential()
    replay(st.tree, st.times, slot)
    if number[s] == 0:
        return
    if number[s] == net.capacity[s]:
        sums[at_full + s] += now - st.queues.full_since[s]
    sums[at_busy + s] += now - st.queues.busy_since[s]
    node = st.queues.head[s]
    for _ in range(number[s]):
        v = st.node_task[node]
        job = st.node_job[node]
        counts[at_killed + v] += 1
        sums[at_removed + s] += now - st.node_enter[node]
        if st.job_state[job] == ON_ITS_WAY:
            st.job_state[job] = LOST
            counts[at_lost + net.task_class[v]] += 1
        st.job_active[job] -= 1
        if st.job_active[job] == 0:
            st.job_next[job] = scalars[FREE_JOB]
            scalars[FREE_JOB] = job
            scalars[FREE_JOBS] += 1
        following = st.node_next[node]
        st.node_next[node] = scalars[FREE_NODE]
        scalars[FREE_NODE] = node
        scalars[FREE_NODES] += 1
        node = following
    number[s] = 0
    st.times[s] = inf
    replay(st.tree, st.times, s)


@helper
def admit(net: Tables, st: State, s: int, node: int, now: float) -> bool:
    """Take a job into a station that serves several at once, whose number counts it already; whether it waits."""
    queues, busy = st.queues, st.queues.number[s] - 1
    at_once = net.servers[s]
    st.sums[net.dims[1] + net.dims[2] + s] += (now - queues.busy_since[s]) * min(busy, at_once)
    queues.busy_since[s] = now
    if busy < at_once:
        return False
    if busy == at_once:
        queues.head[s] = node
    else:
        st.node_next[queues.tail[s]] = node
    queues.tail[s] = node
    return True


@helper
def release(net: Tables, st: State, rng: np.random.Generator, s: int, delayed: int, now: float) -> int:
    """Take a job that ended out of a station that serves several at once, and start the next; how many are delayed."""
    S, C, T = net.dims[0], net.dims[1], net.dims[2]
    queues = st.queues
    before, at_once = queues.number[s], net.servers[s]
    queues.number[s] = before - 1
    if before == net.capacity[s]:
        st.sums[C + T + S + s] += now - queues.full_since[s]
    st.sums[C + T + s] += (now - queues.busy_since[s]) * min(before, at_once)
    queues.busy_since[s] = now
    if before > at_once:
        node = queues.head[s]
        queues.head[s] = st.node_next[node]
        v = st.node_task[node]
        o = pick(rng, net.outcome_ptr[v], net.outcome_ptr[v + 1], net.outcome_cumulative)
        st.node_outcome[node] = o
        heap_push(st.heap_time, st.heap_node, delayed, now + duration(rng, net.laws, o), node)
        delayed += 1
    return delayed


@helper
def settle(
    dims: Row,
    rows: tuple[Row, Row, Row],
    queues: Queues,
    nodes: tuple[Row, Row, Row],
    delays: tuple[Row, int],
    sums: Row,
    now: float,
) -> None:
    """Bring the integrals over what is in progress up to ``now``, so that differences of two readings are exact.

    Args:
        dims, sums: of the network and of its state.
        rows: capacities, servers, and the stations of the tasks.
        queues: who waits where.
        nodes: following node, time of entry and task by node.
        delays: nodes of the delays, among them jobs in service where several are served at once, and how many.
        now: s.
    """
    S, C, T = dims[0], dims[1], dims[2]
    capacity, servers, task_station = rows
    following, entered, task = nodes
    number, busy_since, full_since, failed_since = (
        queues.number,
        queues.busy_since,
        queues.full_since,
        queues.failed_since,
    )
    at_sojourn, at_busy, at_full, at_down = C, C + T, C + T + S, C + T + 2 * S
    at_area, at_removed = C + T + 3 * S, C + T + 4 * S
    for s in range(S):
        if number[s] > 0:
            sums[at_busy + s] += (now - busy_since[s]) * min(number[s], servers[s])
            busy_since[s] = now
            if number[s] == capacity[s]:
                sums[at_full + s] += now - full_since[s]
                full_since[s] = now
        if queues.failed[s] == 1:
            sums[at_down + s] += now - failed_since[s]
            failed_since[s] = now
        area = sums[at_removed + s]
        node = queues.head[s]
        for _ in range(number[s] if servers[s] == 1 else number[s] - servers[s]):
            area += now - entered[node]
            node = following[node]
        sums[at_area + s] = area
    for k in range(delays[1]):
        node = delays[0][k]
        s = task_station[task[node]]
        if s >= 0:
            sums[at_area + s] += now - entered[node]
    for v in range(T):
        s = task_station[v]
        if s >= 0:
            sums[at_area + s] += sums[at_sojourn + v]


@helper
def level_at(pointers: Row, levels: Row, s: int, number: int) -> int:
    """Level of station ``s`` with ``number`` jobs there."""
    level: int = levels[min(pointers[s] + number, pointers[s + 1] - 1)]
    return level


@helper
def highest_level(pointers: Row, levels: Row, number: Row) -> int:
    """Level of the network: that of its highest station."""
    level = 0
    for s in range(len(number)):
        level = max(level, level_at(pointers, levels, s, number[s]))
    return level
