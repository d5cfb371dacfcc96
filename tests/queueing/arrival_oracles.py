"""Exact values of single stations under other than Poisson arrivals, by roads that share nothing with the package:
generators written state by state and solved, matrix exponentials of scipy, orbits in fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import scipy.linalg as la


def solve_chain(generator: np.ndarray) -> np.ndarray:
    """Stationary vector of a generator, by least squares."""
    a = np.vstack([generator.T, np.ones(len(generator))])
    return la.lstsq(a, np.append(np.zeros(len(generator)), 1.0))[0]


def closed(moves: dict[tuple[object, object], float]) -> tuple[np.ndarray, list[object]]:
    """Generator and states of a chain given by its transitions."""
    states = list(dict.fromkeys(s for pair in moves for s in pair))
    index = {s: i for i, s in enumerate(states)}
    q = np.zeros((len(states), len(states)))
    for (a, b), rate in moves.items():
        if a != b:
            q[index[a], index[b]] += rate
            q[index[a], index[a]] -= rate
    return q, states


def markov_queue(
    capacity: int,
    mu: float | Sequence[float],
    streams: Sequence[tuple[np.ndarray, np.ndarray]],
    up: float = 0.0,
    down: float = 0.0,
) -> list[float]:
    """Part of each stream that is not served, MMPPs (rates, generator) into an exponential station that may fail.

    The state is (order of the kinds of jobs, phases) or ("down", phases).
    """
    speed = list(mu) if isinstance(mu, Sequence) else [mu] * len(streams)
    phases: list[tuple[int, ...]] = [()]
    for rates, _ in streams:
        phases = [(*old, j) for old in phases for j in range(len(rates))]
    start = ((), phases[0])
    todo, seen = [start], {start}
    moves: dict[tuple[object, object], float] = {}
    served = [dict[object, float]() for _ in streams]

    def go(a: object, b: tuple[object, tuple[int, ...]], rate: float) -> None:
        if rate <= 0.0:
            return
        moves[a, b] = moves.get((a, b), 0.0) + rate
        if b not in seen:
            seen.add(b)
            todo.append(b)

    while todo:
        state = todo.pop()
        queue, phase = state
        for s, (rates, generator) in enumerate(streams):
            for j in range(len(rates)):
                if j != phase[s]:
                    go(state, (queue, (*phase[:s], j, *phase[s + 1 :])), generator[phase[s], j])
            if queue != "down" and len(queue) < capacity:
                go(state, ((*queue, s), phase), rates[phase[s]])
        if queue == "down":
            go(state, ((), phase), 1.0 / down)
            continue
        if queue:
            served[queue[0]][state] = speed[queue[0]]
            go(state, (queue[1:], phase), speed[queue[0]])
        if up > 0.0:
            go(state, ("down", phase), 1.0 / up)
    q, states = closed(moves)
    p = dict(zip(states, solve_chain(q), strict=True))
    result = []
    for s, (rates, generator) in enumerate(streams):
        share = solve_chain(generator) if len(rates) > 1 else np.ones(1)
        result.append(1.0 - sum(p[state] * rate for state, rate in served[s].items()) / float(share @ rates))
    return result


def modulated_constant(capacity: int, service: float, rates: np.ndarray, generator: np.ndarray) -> float:
    """Loss of MMPP/D/1/K: arrivals in a service by the exponential of a pure birth chain, then departures."""
    m, K = len(rates), capacity
    size = (K + 1) * m
    birth = np.zeros((size, size))
    for n in range(K + 1):
        birth[n * m : n * m + m, n * m : n * m + m] += generator
        if n < K:
            birth[n * m : n * m + m, n * m : n * m + m] -= np.diag(rates)
            birth[n * m : n * m + m, n * m + m : n * m + 2 * m] += np.diag(rates)
    after = la.expm(birth * service)[:m].reshape(m, K + 1, m)
    idle = np.linalg.inv(np.diag(rates) - generator)
    first = idle @ np.diag(rates)
    chain = np.zeros((K * m, K * m))
    for n in range(K):
        begin = max(n, 1)
        for a in range(K + 1):
            to = min(begin + a, K) - 1
            block = after[:, a] if n else first @ after[:, a]
            chain[n * m : n * m + m, to * m : to * m + m] += block
    pi = solve_chain(chain - np.eye(K * m))
    cycle = service + pi[:m] @ idle @ np.ones(m)
    share = solve_chain(generator)
    return 1.0 - 1.0 / cycle / float(share @ rates)


def timed_queue(
    capacity: int, mu: float, period: float, instants: Sequence[tuple[float, int]], poisson: float = 0.0
) -> list[float]:
    """Loss by stream at an exponential station with arrivals (instant, stream) in each period, and a Poisson stream.

    Between instants the matrix exponential of the generator, at an instant a job more; the loss of the Poisson
    stream is the last entry.
    """
    K = capacity
    q = np.zeros((K + 1, K + 1))
    for n in range(K + 1):
        if n:
            q[n, n - 1] += mu
        if n < K:
            q[n, n + 1] += poisson
        q[n, n] -= q[n].sum()
    gaps = np.diff([t for t, _ in instants], append=instants[0][0] + period)
    add = np.eye(K + 1, k=1)
    add[K, K] = 1.0
    steps = [add @ la.expm(q * gap) for gap in gaps]
    whole = np.linalg.multi_dot([np.eye(K + 1), *steps, np.eye(K + 1)])
    x = solve_chain(whole - np.eye(K + 1))
    streams = max(s for _, s in instants) + 1
    lost, come, full = np.zeros(streams), np.zeros(streams), 0.0
    # time with K present: one more state that counts it
    for (_, s), gap, step in zip(instants, gaps, steps, strict=True):
        lost[s] += x[K]
        come[s] += 1.0
        counter = np.zeros((K + 2, K + 2))
        counter[: K + 1, : K + 1] = q
        counter[K, K + 1] = 1.0
        full += (np.append(x @ add, 0.0) @ la.expm(counter * gap))[K + 1]
        x = x @ step
    return [*(lost / come).tolist(), full / period]


def orbit(
    capacity: int, service: Sequence[Fraction], period: Fraction, instants: Sequence[tuple[Fraction, int]]
) -> list[Fraction]:
    """Loss by stream where everything goes by the clock: events one by one in exact arithmetic until a state recurs."""
    ends: list[Fraction] = []
    lap = 0
    seen: dict[tuple[Fraction, ...], tuple[int, list[int]]] = {}
    lost = [0] * len(service)
    while True:
        state = tuple(e - lap * period for e in ends if e > lap * period)
        if state in seen:
            before, old = seen[state]
            per = [sum(s == c for _, s in instants) for c in range(len(service))]
            return [Fraction(new - was, (lap - before) * n) for new, was, n in zip(lost, old, per, strict=True)]
        seen[state] = (lap, lost.copy())
        for t, s in instants:
            now = lap * period + t
            ends = [e for e in ends if e > now]
            if len(ends) >= capacity:
                lost[s] += 1
            else:
                ends.append(max([now, *ends]) + service[s])
        lap += 1
