"""Limits decided by sequential simulation: right, reproducible, undecided where nothing was learnt."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from placer.errors import InputError
from placer.jit import have_numba
from placer.queueing.mg1k_exact import mg1k
from placer.queueing.network import UNLIMITED, Arrivals, Law, Process, QueueNetwork, chains
from placer.simulation import open_executor
from placer.simulation.decision import Limit, Measure, Status
from placer.simulation.sequential import decide

from .networks import exact_losses, network, served

needs_numba = pytest.mark.skipif(not have_numba(), reason="too long without numba")


def one(rho: float, capacity: int, law: Law = Law.EXPONENTIAL) -> QueueNetwork:
    return chains(np.array([capacity]), np.array([rho]), [[0]], [[1.0]], law=law)


def loss_of(rho: float, capacity: int) -> float:
    return (1 - rho) * rho**capacity / (1 - rho ** (capacity + 1))


@needs_numba
@pytest.mark.parametrize(("rho", "capacity"), [(0.9, 5), (0.6, 8), (1.3, 3)])
def test_limits_on_either_side_of_the_exact_loss(rho: float, capacity: int) -> None:
    exact = loss_of(rho, capacity)
    limits = [Limit(Measure.LOSS, 0, exact * factor) for factor in (0.8, 1.25)]
    broken, kept = decide(one(rho, capacity), limits, seed=3).limits
    assert (broken.status, kept.status) == (Status.BROKEN, Status.KEPT)
    assert abs(kept.estimate - exact) <= kept.half_width
    assert kept.method == "simulation"


@needs_numba
@pytest.mark.parametrize(("rho", "capacity"), [(0.3, 10), pytest.param(0.5, 24, marks=pytest.mark.slow)])
def test_rare_losses_are_decided_by_splitting(rho: float, capacity: int) -> None:
    exact = loss_of(rho, capacity)
    limits = [Limit(Measure.LOSS, 0, exact * factor) for factor in (0.5, 2.0)]
    broken, kept = decide(one(rho, capacity), limits, seed=5).limits
    assert (broken.status, kept.status) == (Status.BROKEN, Status.KEPT)
    assert {broken.method, kept.method} == {"splitting"}
    assert abs(kept.estimate - exact) <= kept.half_width


@needs_numba
def test_a_rare_loss_at_the_end_of_a_tandem() -> None:
    net = chains(np.array([4, 6]), np.array([0.35]), [[0, 1]], [[0.8, 1.0]], law=Law.EXPONENTIAL)
    exact = float(exact_losses(net)[0])
    broken, kept = decide(net, [Limit(Measure.LOSS, 0, exact * factor) for factor in (0.6, 1.7)], seed=1).limits
    assert (broken.status, kept.status) == (Status.BROKEN, Status.KEPT)


@needs_numba
def test_response_times_of_an_unlimited_station() -> None:
    rho = 0.6
    mean, tail = 1 / (1 - rho), -log(0.05) / (1 - rho)
    net = one(rho, UNLIMITED)
    limits = [
        Limit(Measure.MEAN, 0, 0.9 * mean),
        Limit(Measure.MEAN, 0, 1.1 * mean),
        Limit(Measure.PERCENTILE, 0, 0.9 * tail),
        Limit(Measure.PERCENTILE, 0, 1.1 * tail, 0.95),
    ]
    found = decide(net, limits, seed=2).limits
    assert [each.status for each in found] == [Status.BROKEN, Status.KEPT] * 2
    for each, exact in zip(found, (mean, mean, tail, tail), strict=True):
        assert abs(each.estimate - exact) <= each.half_width


def test_constant_response_times_are_decided_at_the_limit_itself() -> None:
    net = chains(np.array([UNLIMITED]), np.array([0.5]), [[0]], [[1.0]])
    periodic = network([UNLIMITED], [Arrivals(Process.PERIODIC, 0.5)], [[(0, [])]], [served(1.0, Law.DETERMINISTIC)])
    limits = [Limit(Measure.MEAN, 0, 1.0), Limit(Measure.PERCENTILE, 0, 1.0), Limit(Measure.MEAN, 0, 0.999)]
    found = decide(periodic, limits, seed=1, compiled=False, events=500_000).limits
    assert [each.status for each in found] == [Status.KEPT, Status.KEPT, Status.BROKEN]
    waits = decide(net, limits[:1], seed=1, compiled=False, events=100_000).limits[0]
    assert waits.status is Status.BROKEN


@needs_numba
def test_nothing_lost_is_not_no_loss() -> None:
    periodic = network([2], [Arrivals(Process.PERIODIC, 0.5)], [[(0, [])]], [served(1.0, Law.DETERMINISTIC)])
    limits = [Limit(Measure.LOSS, 0, value) for value in (0.01, 1e-9, 0.0)]
    kept, open_, never = decide(periodic, limits, seed=1, events=2_000_000).limits
    assert kept.status is Status.KEPT
    assert kept.half_width > 0
    assert open_.status is Status.UNDECIDED
    assert open_.estimate == 0
    assert open_.half_width > 1e-9
    assert never.status is Status.UNDECIDED


@needs_numba
def test_outages_that_were_hardly_seen_decide_nothing() -> None:
    net = network([5], [Arrivals(Process.POISSON, 1.0)], [[(0, [])]], [served(0.2)], up=[1e6], down=[1e4])
    assert decide(net, [Limit(Measure.LOSS, 0, 0.001)], seed=1, events=200_000).limits[0].status is Status.UNDECIDED


@needs_numba
def test_a_budget_that_is_spent_leaves_the_limit_open() -> None:
    exact = loss_of(0.9, 5)
    decision = decide(one(0.9, 5), [Limit(Measure.LOSS, 0, exact)], seed=4, events=1_000_000)
    assert decision.limits[0].status is Status.UNDECIDED
    assert decision.limits[0].missing > 0
    assert decision.events <= 1_000_100
    assert not decision.by_clock


@needs_numba
def test_the_clock_ends_it_too() -> None:
    exact = loss_of(0.9, 5)
    decision = decide(one(0.9, 5), [Limit(Measure.LOSS, 0, exact)], seed=4, seconds=1e-6)
    assert decision.by_clock
    assert decision.limits[0].looks == 1


@needs_numba
@pytest.mark.parametrize("rho", [0.9, 0.3])
def test_the_same_numbers_anywhere(rho: float) -> None:
    limits = [Limit(Measure.LOSS, 0, loss_of(rho, 6) * 1.3)]
    here = decide(one(rho, 6), limits, seed=8, events=3_000_000)
    for spec in ("threads:2", "processes:1"):
        with open_executor(spec) as executor:
            there = decide(one(rho, 6), limits, seed=8, events=3_000_000, executor=executor)
        assert there.limits == here.limits
        assert there.events == here.events


@needs_numba
@pytest.mark.slow
def test_compiled_and_plain_decide_alike() -> None:
    limits = [Limit(Measure.LOSS, 0, loss_of(0.35, 5) * 2), Limit(Measure.PERCENTILE, 0, 4.0)]
    results = [decide(one(0.35, 5), limits, seed=8, events=600_000, compiled=flag) for flag in (True, False)]
    assert results[0].limits == results[1].limits
    assert results[0].events == results[1].events


@pytest.mark.parametrize("limit", [Limit(Measure.LOSS, 1, 0.1), Limit(Measure.LOSS, 0, float("nan"))])
def test_limits_on_nothing_are_refused(limit: Limit) -> None:
    with pytest.raises(InputError, match="limit"):
        decide(one(0.5, 3), [limit])


@needs_numba
@pytest.mark.slow
def test_verdicts_are_right_near_the_limit() -> None:
    rng = np.random.default_rng(17)
    wrong = undecided = 0
    count = 200
    for index in range(count):
        rho, capacity = float(rng.uniform(0.3, 1.2)), int(rng.integers(1, 13))
        law = (Law.EXPONENTIAL, Law.DETERMINISTIC)[index % 2]
        exact = loss_of(rho, capacity) if law is Law.EXPONENTIAL else mg1k(rho, capacity, 1.0).loss
        value = exact * float(np.exp(rng.uniform(-0.5, 0.5)))
        status = decide(one(rho, capacity, law), [Limit(Measure.LOSS, 0, value)], seed=index).limits[0].status
        undecided += status is Status.UNDECIDED
        wrong += status is (Status.BROKEN if exact <= value else Status.KEPT)
    assert wrong <= 0.01 * count
    assert undecided <= 0.05 * count
