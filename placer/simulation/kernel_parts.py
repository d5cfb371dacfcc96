"""Parts of the event loop: the calendar, the heap of delays, the draws. Same subset of Python, same rules."""

from __future__ import annotations

import numpy as np

from placer.jit import helper
from placer.simulation.state import State
from placer.simulation.tables import Row, Tables


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
def duration(rng: np.random.Generator, draw: int, mean: float, shape: float, first: float, second: float) -> float:
    """Draw a service time or a delay in s; parameters as in :class:`placer.simulation.tables.Tables`."""
    if draw == 0:
        return mean
    if draw == 1:
        return mean * rng.standard_exponential()
    if draw == 2:
        return first * rng.standard_gamma(shape)
    if rng.random() < shape:
        return first * rng.standard_exponential()
    return second * rng.standard_exponential()


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
def next_arrival(net: Tables, st: State, rng: np.random.Generator, c: int, now: float) -> float:
    """Time in s of the arrival of class ``c`` that follows the one at ``now``."""
    kind = net.arrival_kind[c]
    if kind == 1:
        st.arrival_index[c] += 1
        instant: float = st.arrival_base[c] + st.arrival_index[c] * net.arrival_gap[c]
        return instant
    if kind == 3:
        st.arrival_index[c] += 1
        if net.trace_ptr[c] + st.arrival_index[c] >= net.trace_ptr[c + 1]:
            st.arrival_index[c] = 0
            st.arrival_base[c] += net.trace_period[c]
        instant = st.arrival_base[c] + net.trace_times[net.trace_ptr[c] + st.arrival_index[c]]
        return instant
    base = net.modulated_ptr[c]
    states = net.modulated_ptr[c + 1] - base
    while True:
        state = st.arrival_state[c]
        now += net.modulated_gap[base + state] * rng.standard_exponential()
        if rng.random() < net.modulated_accept[base + state]:
            return now
        row = net.jump_ptr[c] + state * states
        st.arrival_state[c] = pick(rng, row, row + states, net.jumps) - row
