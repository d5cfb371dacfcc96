"""What short simulations of chains need beside the event loop: a start near steady state, control by theory.

In the same subset of Python as :mod:`placer.simulation.kernel`: compiled when numba is there, as it stands
when not.
"""

from __future__ import annotations

from math import exp, log, sqrt

import numpy as np

from placer.jit import helper
from placer.simulation.kernel_parts import duration, replay
from placer.simulation.state import FREE_JOB, FREE_JOBS, FREE_NODE, FREE_NODES, State
from placer.simulation.tables import Row, Tables

SWEEPS = 6
"""Passes over the chains that settle the flows; few are enough, as the flows are only a control."""

LONGEST = 1000
"""Capacity above which a queue is taken as this long by the two-moment formulas."""


@helper
def two_moments(rho: float, scv: float, capacity: int) -> tuple[float, float]:
    """Loss ratio and mean number *waiting* of M/G/1/K by two moments.

    The loss is Smith's formula as the M/M/1/n loss at the real capacity n = 1 + 2(K−1)/b, b = 2 +
    √min(ρ,1)(scv−1) (J. MacGregor Smith, Math. Comput. Modelling 39, 2004); the queue takes p_k ∝ ρ^{2k/b}, k
    = 1..K, with the server busy a share ρ(1−L).

    Args:
        rho: offered load.
        scv: squared coefficient of variation of the service time.
        capacity: K, the job in service included.
    """
    if rho <= 0.0:
        return 0.0, 0.0
    capacity = min(capacity, LONGEST)
    b = 2.0 + sqrt(min(rho, 1.0)) * (scv - 1.0)
    n = 1.0 + 2.0 * (capacity - 1) / b
    x = log(rho)
    if abs(x) * (n + 1.0) < 1e-9:
        loss = 1.0 / (n + 1.0)
    elif x < 0.0:
        loss = exp(n * x) * (1.0 - rho) / (1.0 - exp((n + 1.0) * x))
    else:
        loss = (1.0 - 1.0 / rho) / (1.0 - exp(-(n + 1.0) * x))
    # Weights fall from 1 away from the likelier end, so that none overflows.
    step = exp(-abs(2.0 / b * x))
    weight, total, moment = 1.0, 0.0, 0.0
    for k in range(capacity):
        total += weight
        moment += weight * (k if x < 0.0 else capacity - 1 - k)
        weight *= step
    return loss, min(1.0, rho * (1.0 - loss)) * moment / total


@helper
def loads(net: Tables, flow: Row, rho: Row, scv: Row) -> None:
    """Write load and service scv of each station, shape (S,), from the flow of each task, 1/s, (T,)."""
    S, T = net.dims[0], net.dims[2]
    for s in range(S):
        rho[s] = 0.0
        scv[s] = 0.0
    for v in range(T):
        mean = net.laws.mean[v]
        spread = 0.0
        if net.laws.draw[v] == 1:
            spread = 1.0
        elif net.laws.draw[v] == 2:
            spread = 1.0 / net.laws.shape[v]
        elif net.laws.draw[v] == 3:
            first, second, p = net.laws.first[v], net.laws.second[v], net.laws.shape[v]
            spread = 2.0 * (p * first * first + (1.0 - p) * second * second) / (mean * mean) - 1.0
        rho[net.task_station[v]] += flow[v] * mean
        scv[net.task_station[v]] += flow[v] * mean * mean * (1.0 + spread)
    total = 0.0
    for s in range(S):
        total = 0.0
        for v in range(T):
            if net.task_station[v] == s:
                total += flow[v]
        if rho[s] > 0.0:
            scv[s] = scv[s] * total / (rho[s] * rho[s]) - 1.0


@helper
def thinned(net: Tables, accepted: Row, flow: Row) -> None:
    """Write the flow of each task, 1/s, shape (T,), when each task accepts a known share, shape (T,)."""
    C = net.dims[1]
    for c in range(C):
        rate = 1.0 / net.arrivals.gap[c]
        for v in range(net.class_tasks[c], net.class_tasks[c + 1]):
            flow[v] = rate
            rate *= accepted[v]


def preload(net: Tables, st: State, rng: np.random.Generator, work: Row) -> None:
    """Fill the stations of an empty network to about their mean numbers.

    The flows are those of a fluid: a station passes at most what it can serve. The job in service has a
    uniform part of its time left, and those that wait have been there since about when they must have come.

    Args:
        net: chains with one outcome per task.
        st: at time 0; needs room for all that the stations hold.
        rng: draws the rounding of the means, the classes and the residual times.
        work: scratch, shape (2T + 2S,).
    """
    S, T = net.dims[0], net.dims[2]
    accepted, flow, rho, scv = work[:T], work[T : 2 * T], work[2 * T : 2 * T + S], work[2 * T + S :]
    for v in range(T):
        accepted[v] = 1.0
    for _ in range(SWEEPS):
        thinned(net, accepted, flow)
        loads(net, flow, rho, scv)
        for v in range(T):
            accepted[v] = 1.0 / max(1.0, rho[net.task_station[v]])
    for s in range(S):
        if rho[s] <= 0.0:
            continue
        loss, waiting = two_moments(rho[s], scv[s], net.capacity[s])
        number = min(int(waiting + min(1.0, rho[s] * (1.0 - loss)) + rng.random()), net.capacity[s])
        total = 0.0
        for v in range(T):
            if net.task_station[v] == s:
                total += flow[v]
        gap = 1.0 / (total * (1.0 - loss))
        previous = -1
        for place in range(number):
            mark = total * rng.random()
            chosen = -1
            for v in range(T):
                if net.task_station[v] == s and (chosen < 0 or mark >= 0.0):
                    chosen = v
                    mark -= flow[v]
            node = st.scalars[FREE_NODE]
            st.scalars[FREE_NODE] = st.node_next[node]
            st.scalars[FREE_NODES] -= 1
            job = st.scalars[FREE_JOB]
            st.scalars[FREE_JOB] = st.job_next[job]
            st.scalars[FREE_JOBS] -= 1
            st.node_task[node] = chosen
            st.node_job[node] = job
            st.node_outcome[node] = chosen
            st.node_enter[node] = -gap * (number - 1 - place + rng.random())
            st.job_active[job] = 1
            st.job_time[job] = st.node_enter[node]
            if place == 0:
                st.queues.head[s] = node
                time = duration(rng, net.laws, chosen)
                st.times[s] = time * rng.random()
                replay(st.tree, st.times, s)
            else:
                st.node_next[previous] = node
            previous = node
            st.queues.tail[s] = node
        st.queues.number[s] = number


def conclude(net: Tables, counts: Row, sums: Row, span: float, work: Row, ratio: Row, response: Row) -> None:
    """Write throughput ratio and response time of each chain from what a run counted, less its known noise.

    The run saw an offered load ρ̂ at each station that is off the true one, ρ̃, mostly because the arrivals
    of a short run are. The two-moment formulas f need not be right to say how much of the result that is:
    what is reported is measured × f(ρ̃)/f(ρ̂), a control with a slope from theory; it vanishes as the run
    gets longer. ρ̃ follows from the nominal rates and the corrected shares that the earlier stations accept.
    Where a chain enters, the share of time that the station is not full stands for the share accepted
    (Poisson arrivals see time averages).

    Args:
        net: chains with one outcome per task.
        counts, sums: differences over the measured interval, as in :class:`placer.simulation.state.Layout`.
        span: its length in s.
        work: scratch, shape (4T + 6S,).
        ratio, response: shape (C,), written: completed / offered; sum of the mean sojourns in s.
    """
    S, C, T = net.dims[0], net.dims[1], net.dims[2]
    measured, accepted, flow, seen = work[:T], work[T : 2 * T], work[2 * T : 3 * T], work[3 * T : 4 * T]
    at = 4 * T
    rho, scv = work[at : at + S], work[at + S : at + 2 * S]
    loss_seen, waiting_seen = work[at + 2 * S : at + 3 * S], work[at + 3 * S : at + 4 * S]
    loss_true, waiting_true = work[at + 4 * S : at + 5 * S], work[at + 5 * S : at + 6 * S]
    at_arrived, at_dropped, at_ended = 3 * C, 3 * C + T, 3 * C + 3 * T
    at_sojourn, at_full = C, C + T + S
    for v in range(T):
        arrived = counts[at_arrived + v]
        measured[v] = (arrived - counts[at_dropped + v]) / arrived if arrived > 0 else 1.0
        seen[v] = arrived / span
    for c in range(C):
        v = net.class_tasks[c]
        measured[v] = max(1.0 - sums[at_full + net.task_station[v]] / span, 0.0)
    loads(net, seen, rho, scv)
    for s in range(S):
        loss_seen[s], waiting_seen[s] = two_moments(rho[s], scv[s], net.capacity[s])
        # Mean wait of the jobs accepted, by Little's law, up to a constant factor s̄ that both sides share.
        waiting_seen[s] = waiting_seen[s] / (rho[s] * (1.0 - loss_seen[s])) if rho[s] > 0.0 else 0.0
    for v in range(T):
        accepted[v] = measured[v]
    for _ in range(SWEEPS):
        thinned(net, accepted, flow)
        loads(net, flow, rho, scv)
        for s in range(S):
            loss_true[s], waiting_true[s] = two_moments(rho[s], scv[s], net.capacity[s])
        for v in range(T):
            s = net.task_station[v]
            accepted[v] = min(1.0, measured[v] * (1.0 - loss_true[s]) / (1.0 - loss_seen[s]))
    for s in range(S):
        waiting_true[s] = waiting_true[s] / (rho[s] * (1.0 - loss_true[s])) if rho[s] > 0.0 else 0.0
    for c in range(C):
        ratio[c] = 1.0
        response[c] = 0.0
        for v in range(net.class_tasks[c], net.class_tasks[c + 1]):
            ratio[c] *= accepted[v]
            s = net.task_station[v]
            wait = 0.0
            if counts[at_ended + v] > 0:
                wait = sums[at_sojourn + v] / counts[at_ended + v] - net.laws.mean[v]
            if waiting_seen[s] > 1e-12:
                wait *= waiting_true[s] / waiting_seen[s]
            response[c] += net.laws.mean[v] + wait
