"""The event loop, in the subset of Python that numba compiles; uncompiled it gives the same numbers.

Rules that keep both runs equal to the last bit: arrays are one-dimensional and only indexed (uncompiled they
are lists, which index faster), random numbers come from one ``numpy.random.Generator`` whose methods numba
compiles to the same stream, and no logarithm, exponential or division is taken here.

The calendar holds one *slot* per thing that can happen next: the completion of each station that serves one job at a
time, the end of the first delay (or of the first service where several are served at once), the next failure or repair
of each station, the next arrival of each class; in this order, so that at equal times a place is freed before it is
asked for. A winner tree over the slots gives the earliest; changing a slot costs log2(slots) comparisons.

Compiling costs more than most simulations take, and it costs by the line. So the loop is made for what a network
has (:class:`placer.simulation.features.Features`): a branch whose feature is False is gone before numba looks at
types. Every loop whose features cover those of a network gives the same numbers for it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import inf

import numpy as np

from placer.simulation.features import Features
from placer.simulation.kernel_parts import (
    admit,
    constant_or_exponential,
    duration,
    fail_or_repair,
    heap_pop,
    heap_push,
    highest_level,
    level_at,
    next_arrival,
    pick,
    release,
    replay,
    settle,
)
from placer.simulation.split_state import DEPTH, REGION, book, next_trial
from placer.simulation.state import (
    BUDGET,
    DELAYED,
    EVENTS,
    FREE_JOB,
    FREE_JOBS,
    FREE_NODE,
    FREE_NODES,
    GROW,
    LEFT,
    LEVEL,
    LOST,
    ON_ITS_WAY,
    PHASE,
    REACHED,
    SAMPLED,
    SAMPLES_FULL,
    STRIDE,
    State,
)
from placer.simulation.tables import Tables

Loop = Callable[[Tables, State, np.random.Generator, float, int], int]
"""The event loop, compiled or not."""


@cache
def loop(features: Features) -> Loop:
    """The event loop for networks that have no more than ``features``."""
    JOINS, OUTAGES, DELAYS, PROCESSES, LAWS, BRANCHES, SERVERS, LEVELS = features

    def run(net: Tables, st: State, rng: np.random.Generator, until: float, max_events: int) -> int:
        """Run the network until ``until`` (s), or until ``max_events`` events have been counted in all.

        An event is an arrival from outside or the end of a task.

        Returns:
            ``REACHED``; ``BUDGET``; ``GROW``: the caller must add nodes and jobs; ``SAMPLES_FULL``: the caller
            must thin the samples. After the last two the caller calls again and the run goes on as if nothing had
            been.
        """
        S, C, T, width = net.dims[0], net.dims[1], net.dims[2], net.dims[4]
        fan, delay_slot, arrival_slot = net.dims[5], net.dims[6], net.dims[8]
        times, tree = st.times, st.tree
        capacity, queues = net.capacity, st.queues
        number, head, tail = queues.number, queues.head, queues.tail
        counts, sums, scalars, split = st.counts, st.sums, st.scalars, st.split
        at_completed, at_lost, at_arrived, at_dropped = C, 2 * C, 3 * C, 3 * C + T
        at_ended, at_outcome, at_sojourn, at_busy, at_full = 3 * C + 3 * T, 3 * C + 4 * T, C, C + T, C + T + S
        free_node, free_nodes = scalars[FREE_NODE], scalars[FREE_NODES]
        free_job, free_jobs = scalars[FREE_JOB], scalars[FREE_JOBS]
        delayed, sampled, stride, phase = scalars[DELAYED], scalars[SAMPLED], scalars[STRIDE], scalars[PHASE]
        events, level = scalars[EVENTS], scalars[LEVEL]
        sample_cap = len(st.sample_response) if stride > 0 else -1
        clock = st.clock[0]
        status = REACHED
        while True:
            slot = tree[1]
            now = times[slot]
            if LEVELS and level != split.now[REGION]:
                scalars[FREE_NODE], scalars[FREE_NODES] = free_node, free_nodes
                scalars[FREE_JOB], scalars[FREE_JOBS] = free_job, free_jobs
                scalars[DELAYED], scalars[LEVEL] = delayed, level
                st.clock[0] = clock
                next_trial(split, counts, scalars)
                free_node, free_nodes = scalars[FREE_NODE], scalars[FREE_NODES]
                free_job, free_jobs = scalars[FREE_JOB], scalars[FREE_JOBS]
                delayed, level = scalars[DELAYED], scalars[LEVEL]
                clock = st.clock[0]
                continue
            if now >= until and (not LEVELS or split.now[DEPTH] == 0):
                now = until
                break
            if events >= max_events:
                status = BUDGET
            elif free_nodes < fan or free_jobs == 0:
                status = GROW
            elif sampled == sample_cap:
                status = SAMPLES_FULL
            if status != REACHED:
                now = clock
                break
            clock = now
            node = -1
            done = False
            if slot < S:  # a station completes a service
                node = head[slot]
                left = number[slot] - 1
                number[slot] = left
                if LEVELS and level_at(net.level_ptr, net.levels, slot, left + 1) == level:
                    level = highest_level(net.level_ptr, net.levels, number)
                if left + 1 == capacity[slot]:
                    sums[at_full + slot] += now - queues.full_since[slot]
                sums[at_busy + slot] += now - queues.busy_since[slot]
                if left > 0:
                    following = st.node_next[node]
                    head[slot] = following
                    v = st.node_task[following]
                    o = v
                    if BRANCHES:
                        o = pick(rng, net.outcome_ptr[v], net.outcome_ptr[v + 1], net.outcome_cumulative)
                        st.node_outcome[following] = o
                    queues.busy_since[slot] = now
                    times[slot] = now + (
                        duration(rng, net.laws, o) if LAWS else constant_or_exponential(rng, net.laws, o)
                    )
                else:
                    times[slot] = inf
            elif slot >= arrival_slot:  # a job comes from outside
                c = slot - arrival_slot
                if PROCESSES and net.arrivals.kind[c] != 0:
                    times[slot] = next_arrival(net.arrivals, st.sources, rng, c, now)
                else:
                    times[slot] = now + net.arrivals.spacing[c] + net.arrivals.gap[c] * rng.standard_exponential()
                counts[c] += 1
                job = free_job
                free_job = st.job_next[job]
                free_jobs -= 1
                st.job_time[job] = now
                st.job_active[job] = 1  # itself, until all its first tasks are placed
                st.job_state[job] = ON_ITS_WAY
                st.job_finish[job] = now
                if JOINS and width > 0:
                    for v in range(net.class_tasks[c], net.class_tasks[c + 1]):
                        st.job_pending[job * width + net.task_local[v]] = net.task_need[v]
                row = T + c
            elif OUTAGES and slot != delay_slot:  # a station fails or is repaired
                scalars[FREE_NODE], scalars[FREE_NODES] = free_node, free_nodes
                scalars[FREE_JOB], scalars[FREE_JOBS] = free_job, free_jobs
                fail_or_repair(net, st, rng, slot, now)
                free_node, free_nodes = scalars[FREE_NODE], scalars[FREE_NODES]
                free_job, free_jobs = scalars[FREE_JOB], scalars[FREE_JOBS]
                if LEVELS:
                    level = highest_level(net.level_ptr, net.levels, number)
                continue
            elif DELAYS:  # the first delay ends
                node = heap_pop(st.heap_time, st.heap_node, delayed)
                delayed -= 1
                if SERVERS and net.task_station[st.node_task[node]] >= 0:  # a service where several are served at once
                    delayed = release(net, st, rng, net.task_station[st.node_task[node]], delayed, now)
                    if LEVELS:
                        level = highest_level(net.level_ptr, net.levels, number)
                times[slot] = st.heap_time[0] if delayed > 0 else inf
            replay(tree, times, slot)
            events += 1
            if node >= 0:  # a task ended
                v = st.node_task[node]
                job = st.node_job[node]
                o = st.node_outcome[node] if BRANCHES else v
                c = net.task_class[v]
                counts[at_ended + v] += 1
                counts[at_outcome + o] += 1
                sums[at_sojourn + v] += now - st.node_enter[node]
                st.node_next[node] = free_node
                free_node = node
                free_nodes += 1
                row = v
                if BRANCHES and net.outcome_leaves[o] == 1:
                    row = -1
                    if st.job_state[job] == ON_ITS_WAY:
                        st.job_state[job] = LEFT
                        done = True
                        st.job_finish[job] = now + net.outcome_delay[o]
                elif BRANCHES and st.job_state[job] == LEFT:
                    row = -1  # the answer is out: nothing new starts
                elif net.start_ptr[v] == net.start_ptr[v + 1]:
                    finish = now + net.outcome_delay[o]
                    if finish > st.job_finish[job]:
                        st.job_finish[job] = finish
            if row >= 0:
                for k in range(net.start_ptr[row], net.start_ptr[row + 1]):
                    v = net.starts[k]
                    if JOINS and net.task_need[v] > 1:
                        place = job * width + net.task_local[v]
                        st.job_pending[place] -= 1
                        if st.job_pending[place] > 0:
                            continue
                    counts[at_arrived + v] += 1
                    s = net.task_station[v]
                    if (not DELAYS or s >= 0) and (number[s] >= capacity[s] or (OUTAGES and queues.failed[s] == 1)):
                        counts[at_dropped + v] += 1
                        if st.job_state[job] == ON_ITS_WAY:
                            st.job_state[job] = LOST
                            counts[at_lost + c] += 1
                        continue
                    node = free_node
                    free_node = st.node_next[node]
                    free_nodes -= 1
                    st.node_task[node] = v
                    st.node_job[node] = job
                    st.node_enter[node] = now
                    st.job_active[job] += 1
                    if not DELAYS or s >= 0:
                        waiting = number[s]
                        number[s] = waiting + 1
                        if waiting + 1 == capacity[s]:
                            queues.full_since[s] = now
                        if LEVELS:
                            level = max(level, level_at(net.level_ptr, net.levels, s, waiting + 1))
                        if SERVERS and net.servers[s] > 1:
                            if admit(net, st, s, node, now):
                                continue
                        else:
                            if waiting > 0:
                                st.node_next[tail[s]] = node
                                tail[s] = node
                                continue
                            head[s] = node
                            tail[s] = node
                            queues.busy_since[s] = now
                    o = v
                    if BRANCHES:
                        o = pick(rng, net.outcome_ptr[v], net.outcome_ptr[v + 1], net.outcome_cumulative)
                        st.node_outcome[node] = o
                    end = now + (duration(rng, net.laws, o) if LAWS else constant_or_exponential(rng, net.laws, o))
                    if not DELAYS or (s >= 0 and (not SERVERS or net.servers[s] == 1)):
                        times[s] = end
                        replay(tree, times, s)
                    else:
                        heap_push(st.heap_time, st.heap_node, delayed, end, node)
                        delayed += 1
                        if st.heap_node[0] == node:
                            times[delay_slot] = end
                            replay(tree, times, delay_slot)
            active = st.job_active[job] - 1
            st.job_active[job] = active
            if active == 0:
                done = done or st.job_state[job] == ON_ITS_WAY
                st.job_next[job] = free_job
                free_job = job
                free_jobs += 1
            if done:
                counts[at_completed + c] += 1
                response = st.job_finish[job] - st.job_time[job]
                sums[c] += response
                if stride > 0:
                    phase += 1
                    if phase >= stride:
                        phase = 0
                        st.sample_class[sampled] = c
                        st.sample_response[sampled] = response
                        sampled += 1
        st.clock[0] = now
        scalars[FREE_NODE], scalars[FREE_NODES] = free_node, free_nodes
        scalars[FREE_JOB], scalars[FREE_JOBS] = free_job, free_jobs
        scalars[DELAYED], scalars[SAMPLED], scalars[STRIDE], scalars[PHASE] = delayed, sampled, stride, phase
        scalars[EVENTS] = events
        if LEVELS:
            scalars[LEVEL] = level
            book(split, counts)
        else:
            rows, nodes = (capacity, net.servers, net.task_station), (st.node_next, st.node_enter, st.node_task)
            settle(net.dims, rows, queues, nodes, (st.heap_node, delayed), sums, now)
        return status

    return run
