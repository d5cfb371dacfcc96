"""Exact values by roads that share nothing with the package: Markov chains of jobs, and decimal
arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, getcontext

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla


def stationary(rates: dict[tuple[int, int], float], states: int) -> np.ndarray:
    """Stationary vector of a Markov chain with the given transition rates."""
    rows, columns = np.array(list(rates)).T
    q = sp.coo_matrix((list(rates.values()), (rows, columns)), shape=(states, states)).tolil()
    q.setdiag(-np.asarray(q.sum(axis=1)).ravel())
    a = q.T.tolil()
    a[-1, :] = 1.0
    b = np.zeros(states)
    b[-1] = 1.0
    return np.asarray(spla.spsolve(a.tocsc(), b))


def tandem_loss(rates: Sequence[float], mu: Sequence[Sequence[float]], capacity: int) -> float:
    """Lost over offered in a line of exponential FIFO stations that all classes visit in the same order.

    ``mu[station][class]``; the state is the order of the classes in each queue.
    """
    stations = len(mu)
    empty = tuple(() for _ in range(stations))
    index = {empty: 0}
    todo = [empty]
    moves: dict[tuple[int, int], float] = {}
    out: dict[int, float] = {}

    def go(source: int, target: tuple[tuple[int, ...], ...], rate: float) -> None:
        if target not in index:
            index[target] = len(index)
            todo.append(target)
        key = (source, index[target])
        if key[0] != key[1]:
            moves[key] = moves.get(key, 0.0) + rate

    while todo:
        state = todo.pop()
        here = index[state]
        for c, rate in enumerate(rates):
            if len(state[0]) < capacity:
                go(here, (state[0] + (c,), *state[1:]), rate)
        for m in range(stations):
            if not state[m]:
                continue
            c = state[m][0]
            queues = list(state)
            queues[m] = state[m][1:]
            if m + 1 < stations:
                if len(queues[m + 1]) < capacity:
                    queues[m + 1] = (*queues[m + 1], c)
            else:
                out[here] = mu[m][c]
            go(here, tuple(queues), mu[m][c])
    p = stationary(moves, len(index))
    return 1.0 - sum(p[i] * rate for i, rate in out.items()) / sum(rates)


def phase_type_loss(rate: float, capacity: int, start: Sequence[float], generator: np.ndarray) -> tuple[float, float]:
    """Loss and mean number of M/PH/1/K by its Markov chain of (number, phase)."""
    phases = len(start)
    leave = -generator.sum(axis=1)

    def at(number: int, phase: int) -> int:
        return 0 if number == 0 else 1 + (number - 1) * phases + phase

    moves: dict[tuple[int, int], float] = {}

    def add(a: int, b: int, r: float) -> None:
        if r > 0 and a != b:
            moves[a, b] = moves.get((a, b), 0.0) + r

    for phase in range(phases):
        add(0, at(1, phase), rate * start[phase])
        for n in range(1, capacity + 1):
            if n < capacity:
                add(at(n, phase), at(n + 1, phase), rate)
            for other in range(phases):
                if other != phase:
                    add(at(n, phase), at(n, other), generator[phase, other])
                add(
                    at(n, phase),
                    at(n - 1, other),
                    leave[phase] * (start[other] if n > 1 else float(other == 0)),
                )
    p = stationary(moves, 1 + capacity * phases)
    number = sum(n * p[at(n, i)] for n in range(1, capacity + 1) for i in range(phases))
    return float(sum(p[at(capacity, i)] for i in range(phases))), float(number)


def deterministic_mixture(
    rate: float, capacity: int, means: Sequence[float], probabilities: Sequence[float]
) -> tuple[float, float]:
    """Loss and mean number of M/G/1/K with a mixture of fixed service times, in 80 decimal digits."""
    getcontext().prec = 80
    lam = Decimal(rate)
    p = [Decimal(x) for x in probabilities]
    y = [lam * Decimal(x) for x in means]
    rho = sum((pi * yi for pi, yi in zip(p, y, strict=True)), Decimal(0))
    a, term = [], [pi * (-yi).exp() for pi, yi in zip(p, y, strict=True)]
    for n in range(capacity + 1):
        a.append(sum(term, Decimal(0)))
        term = [t * yi / (n + 1) for t, yi in zip(term, y, strict=True)]
    pi = [Decimal(1)]
    for n in range(capacity - 1):
        value = pi[n] - pi[0] * a[n] - sum((pi[j] * a[n - j + 1] for j in range(1, n + 1)), Decimal(0))
        pi.append(value / a[0])
    total = sum(pi, Decimal(0))
    pi = [x / total for x in pi]
    loss = 1 - 1 / (pi[0] + rho)
    number = sum((j * x for j, x in enumerate(pi)), Decimal(0)) / (pi[0] + rho) + capacity * loss
    return float(loss), float(number)
