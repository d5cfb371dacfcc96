"""The short simulations of chains, against long ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from placer.errors import InputError
from placer.jit import have_numba
from placer.queueing.network import Law, QueueNetwork, chains
from placer.simulation import simulate
from placer.simulation.quick import ChainEstimates, evaluate_chains
from placer.simulation.quick_kernel import two_moments

from .networks import everything

needs_numba = pytest.mark.skipif(not have_numba(), reason="too long without numba")


def random_chains(seed: int, law: Law = Law.DETERMINISTIC) -> QueueNetwork:
    """Drawn like the public ChainNet samples: 2 to 5 stations, 1 to 3 chains."""
    rng = np.random.default_rng(seed)
    stations, count = int(rng.integers(2, 6)), int(rng.integers(1, 4))
    paths = [rng.permutation(stations)[: int(rng.integers(2, stations + 1))].tolist() for _ in range(count)]
    service = [rng.uniform(0.05, 2, len(path)).tolist() for path in paths]
    scv = [[2.0] * len(path) for path in paths] if law == Law.GAMMA else None
    return chains(rng.integers(1, 51, stations), 1 / rng.uniform(0.1, 10, count), paths, service, scv, law)


@pytest.mark.parametrize(("rho", "capacity"), [(0.3, 4), (0.999999, 7), (1.0, 7), (1.8, 5), (0.7, 1)])
def test_two_moments_of_m_m_1_k_are_exact(rho: float, capacity: int) -> None:
    p = rho ** np.arange(capacity + 1)
    p /= p.sum()
    loss, waiting = two_moments(rho, 1.0, capacity)
    assert loss == pytest.approx(p[-1])
    assert waiting == pytest.approx(p[1:] @ np.arange(capacity))


@pytest.mark.parametrize("rho", [0.0, 1e-300, 1e-6, 3.0, 50.0, 1e6])
@pytest.mark.parametrize("capacity", [1, 50, 2**62])
def test_two_moments_stay_in_range(rho: float, capacity: int) -> None:
    for scv in (0.0, 0.5, 4.0):
        loss, waiting = two_moments(rho, scv, capacity)
        assert 0 <= loss <= 1
        assert 0 <= waiting <= capacity


@needs_numba
@pytest.mark.parametrize("law", [Law.DETERMINISTIC, Law.EXPONENTIAL, Law.GAMMA])
def test_a_large_budget_converges_to_the_simulation(law: Law) -> None:
    nets = [random_chains(seed, law) for seed in range(3)]
    for net, quick in zip(nets, evaluate_chains(nets, events=1_000_000, seed=1), strict=True):
        long = simulate(net, jobs=100_000, replications=5, seed=2, level=0.9999).classes
        slack = 0.01
        gap = np.abs(quick.throughput_ratio - (1 - long.loss_ratio.mean))
        assert (gap <= long.loss_ratio.half_width + slack * quick.throughput_ratio).all()
        gap = np.abs(quick.response_time - long.sum_of_sojourns.mean)
        assert (gap <= long.sum_of_sojourns.half_width + 2 * slack * quick.response_time).all()


@needs_numba
def test_a_small_budget_is_close_on_average() -> None:
    nets = [random_chains(seed) for seed in range(60)]
    small = evaluate_chains(nets, events=10_000, seed=1)
    large = evaluate_chains(nets, events=1_000_000, seed=2)
    errors = [
        (
            np.abs(a.throughput_ratio / b.throughput_ratio - 1).mean(),
            np.abs(a.response_time / b.response_time - 1).mean(),
        )
        for a, b in zip(small, large, strict=True)
    ]
    ratio, response = np.mean(errors, axis=0)
    assert ratio < 0.015
    assert response < 0.031


@needs_numba
def test_the_control_has_no_bias_to_speak_of() -> None:
    """Many short runs of a loaded tandem average to the long-run figures."""
    net = chains(np.array([8, 8]), np.array([1.0]), [[0, 1]], [[0.9, 0.95]])
    long = simulate(net, jobs=200_000, replications=10, seed=1).classes
    rows = list(evaluate_chains([net] * 400, events=5000, seed=3))
    for name, value in (
        ("throughput_ratio", 1 - long.loss_ratio.mean[0]),
        ("response_time", long.sum_of_sojourns.mean[0]),
    ):
        shorts = np.array([getattr(row, name)[0] for row in rows])
        assert shorts.mean() == pytest.approx(value, abs=4 * stats.sem(shorts) + 0.01 * value)


@needs_numba
def test_plain_python_agrees() -> None:
    nets = [random_chains(seed) for seed in range(4)]
    fast, plain = (list(evaluate_chains(nets, events=1500, compiled=flag)) for flag in (True, False))
    for a, b in zip(fast, plain, strict=True):
        np.testing.assert_allclose(a.throughput_ratio, b.throughput_ratio, rtol=1e-9)
        np.testing.assert_allclose(a.response_time, b.response_time, rtol=1e-9)


def test_plain_python_runs(compiled: bool) -> None:
    (row,) = evaluate_chains([random_chains(3)], events=3000, compiled=compiled)
    assert isinstance(row, ChainEstimates)
    assert ((row.throughput_ratio > 0) & (row.throughput_ratio <= 1)).all()


def test_only_chains() -> None:
    with pytest.raises(InputError, match="plain chains"):
        list(evaluate_chains([everything()]))
