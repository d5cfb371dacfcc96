"""Forks and joins: branches that meet at one station, and branches at stations of their own, against exact chains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from placer.queueing.network import Law, QueueNetwork, chains
from placer.queueing.solve import solve
from tests.queueing.arrival_oracles import closed, solve_chain


def fork(capacity: list[int], rate: float, service: list[float], where: list[int], law: Law) -> QueueNetwork:
    """One stream whose jobs start tasks at several stations at once; all must be admitted."""
    network = chains(np.array(capacity), np.array([rate]), [where], [service], None, law)
    tasks = len(where)
    return replace(network, pred_ptr=np.zeros(tasks + 1, dtype=np.int64), preds=np.zeros(0, dtype=np.int64))


def exact_pair(capacity: list[int], rate: float, mu: list[float]) -> float:
    """Part of the jobs that lose a branch, two exponential stations fed at the same instants."""
    moves: dict[tuple[object, object], float] = {}
    first, second = capacity
    for a in range(first + 1):
        for b in range(second + 1):
            moves[(a, b), (min(a + 1, first), min(b + 1, second))] = rate
            if a:
                moves[(a, b), (a - 1, b)] = mu[0]
            if b:
                moves[(a, b), (a, b - 1)] = mu[1]
    q, states = closed(moves)
    p = solve_chain(q)
    return float(sum(x for x, (a, b) in zip(p, states, strict=True) if a == first or b == second))


@pytest.mark.parametrize(
    ("capacity", "rate", "mu"),
    [
        ([5, 5], 0.8, [1, 1]),
        ([3, 3], 0.8, [1, 1]),
        ([10, 10], 0.8, [1, 1]),
        ([5, 8], 0.8, [1, 1]),
        ([5, 5], 1.2, [1, 1.3]),
    ],
)
def test_branches_at_stations_of_their_own(capacity: list[int], rate: float, mu: list[float]) -> None:
    found = solve(fork(capacity, rate, [1 / m for m in mu], [0, 1], Law.EXPONENTIAL)).loss_ratio[0]
    assert found == pytest.approx(exact_pair(capacity, rate, mu), rel=0.06)


def test_equal_constant_branches_lose_the_same_jobs() -> None:
    pair = solve(fork([5, 5], 0.8, [1.0, 1.0], [0, 1], Law.DETERMINISTIC)).loss_ratio[0]
    alone = solve(fork([5], 0.8, [1.0], [0], Law.DETERMINISTIC)).loss_ratio[0]
    assert pair == pytest.approx(alone, rel=1e-9)


@pytest.mark.parametrize("capacity", [1, 2, 5])
def test_branches_that_meet_at_one_station(capacity: int) -> None:
    """Batches of two into M/M/1/K: two places must be free; with K = 1 that never is (`cases/oracle/fork`)."""
    rate, mu = 0.3, 1.0
    moves: dict[tuple[object, object], float] = {}
    for n in range(capacity + 1):
        moves[n, min(n + 2, capacity)] = rate
        if n:
            moves[n, n - 1] = moves.get((n, n - 1), 0.0) + mu
    q, states = closed(moves)
    p = dict(zip(states, solve_chain(q), strict=True))
    exact = 1.0 - sum(p[n] for n in range(capacity - 1))
    found = solve(fork([capacity], rate, [1 / mu, 1 / mu], [0, 0], Law.EXPONENTIAL)).loss_ratio[0]
    assert found == pytest.approx(exact, abs=1e-9)
