"""Laws that hold for every queue, and closed forms for single ones."""

from __future__ import annotations

import numpy as np
import pytest

from placer.jit import have_numba
from placer.queueing.network import DELAY, UNLIMITED, Arrivals, Law, Process, QueueNetwork, chains
from placer.simulation import simulate

from .networks import everything, network, poisson, served

LEVEL = 0.9999
"""High, so that fixed seeds leave room: the figures below are some forty."""


def jobs(fast: int) -> int:
    return fast if have_numba() else max(2000, fast // 20)


def single(capacity: int, rho: float, law: Law) -> QueueNetwork:
    return chains(np.array([capacity]), np.array([rho]), [[0]], [[1.0]], law=law)


def deterministic_loss(rho: float, capacity: int) -> float:
    """Exact M/D/1/K by the chain embedded at departures (jobs left behind: 0 .. K-1)."""
    a = np.exp(-rho) * np.cumprod(np.concatenate([[1.0], rho / np.arange(1, capacity + 1)]))
    p = np.zeros((capacity, capacity))
    for i in range(capacity):
        start = max(i - 1, 0)
        for j in range(capacity - start):
            p[i, start + j] = a[j]
        p[i, capacity - 1] += 1 - p[i].sum()
    system = np.vstack([p.T - np.eye(capacity), np.ones(capacity)])
    pi = np.linalg.lstsq(system, np.append(np.zeros(capacity), 1.0), rcond=None)[0]
    return float(1 - 1 / (pi[0] + rho))


@pytest.mark.parametrize("rho", [0.5, 0.9, 1.0, 1.4])
@pytest.mark.parametrize("capacity", [1, 5])
def test_m_m_1_k(rho: float, capacity: int) -> None:
    result = simulate(single(capacity, rho, Law.EXPONENTIAL), jobs=jobs(60_000), seed=1, level=LEVEL)
    p = rho ** np.arange(capacity + 1)
    p /= p.sum()
    loss, mean = result.classes.loss_ratio.at(0), float(p @ np.arange(capacity + 1))
    assert abs(loss.mean - p[-1]) <= loss.half_width
    number = result.stations.number.at(0)
    assert abs(number.mean - mean) <= number.half_width
    sojourn = result.classes.end_to_end.at(0)
    assert abs(sojourn.mean - mean / (rho * (1 - p[-1]))) <= sojourn.half_width
    if capacity == 1:  # the response is the service: its percentiles are known
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
            figure = getattr(result.classes, name).at(0)
            assert abs(figure.mean + np.log(1 - share)) <= figure.half_width


@pytest.mark.parametrize(("rho", "capacity"), [(0.7, 5), (1.0, 10), (1.3, 4), (0.8, 1)])
def test_m_d_1_k(rho: float, capacity: int) -> None:
    result = simulate(single(capacity, rho, Law.DETERMINISTIC), jobs=jobs(60_000), seed=2, level=LEVEL)
    loss = result.classes.loss_ratio.at(0)
    assert abs(loss.mean - deterministic_loss(rho, capacity)) <= loss.half_width


@pytest.mark.parametrize("seed", range(3))
def test_little_pasta_and_conservation(seed: int, t2: QueueNetwork) -> None:
    result = simulate(t2, jobs=jobs(100_000), replications=5, seed=seed, warmup=0.05)
    v = result.values
    # Exactly: what was offered is completed, lost, or was or is under way.
    np.testing.assert_array_equal(v["offered"] + v["in_system_start"], v["completed"] + v["lost"] + v["in_system_end"])
    np.testing.assert_array_equal(v["lost"].sum(axis=1), v["dropped"].sum(axis=1))
    span = 0.95 * result.horizon
    # Little per station: number = accepted rate × mean sojourn, up to the ends of the run.
    for s in range(3):
        mine = t2_tasks(t2, s)
        work = (v["task_sojourn"][:, mine] * v["ended"][:, mine]).sum(axis=1) / span
        np.testing.assert_allclose(v["number"][:, s], work, rtol=30 / (span * 0.5))
    # Poisson arrivals see time averages at the first station, where they enter.
    entry = result.stations.loss_ratio.at(0)
    full = result.stations.full.at(0)
    assert abs(entry.mean - full.mean) <= entry.half_width + full.half_width
    # A server is busy for as long as it serves.
    busy = (v["ended"] * (t2.outcome_mean)).reshape(5, 2, 3).sum(axis=1) / span
    np.testing.assert_allclose(v["utilisation"], busy, rtol=0.05 if have_numba() else 0.2)


def t2_tasks(net: QueueNetwork, station: int) -> np.ndarray:
    return np.flatnonzero(net.task_station == station)


def test_conservation_with_everything() -> None:
    v = simulate(everything(), jobs=6000, replications=3, seed=4, warmup=0.2).values
    np.testing.assert_array_equal(v["offered"] + v["in_system_start"], v["completed"] + v["lost"] + v["in_system_end"])


def test_an_unlimited_station_never_drops(compiled: bool) -> None:
    net = chains(np.array([UNLIMITED]), np.array([0.8]), [[0]], [[1.0]], law=Law.DETERMINISTIC)
    result = simulate(net, jobs=4000, replications=8, seed=3, level=LEVEL, compiled=compiled)
    assert result.classes.lost[0] == 0
    number = result.stations.number.at(0)  # Pollaczek-Khinchine: rho + rho²/(2(1-rho))
    assert abs(number.mean - (0.8 + 0.64 / 0.4)) <= number.half_width


def test_an_unlimited_station_may_grow_without_end(compiled: bool) -> None:
    net = chains(np.array([UNLIMITED]), np.array([2.0]), [[0]], [[1.0]])
    result = simulate(net, jobs=3000, replications=2, seed=3, compiled=compiled, warmup=0.0)
    assert result.classes.lost[0] == 0
    assert result.classes.in_system_end[0] > 2000
    assert float(result.classes.throughput.mean[0]) == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize(
    ("law", "scv"), [(Law.GAMMA, 0.5), (Law.GAMMA, 3.0), (Law.HYPEREXPONENTIAL, 4.0), (Law.EXPONENTIAL, 1.0)]
)
def test_laws_have_their_two_moments(law: Law, scv: float) -> None:
    net = chains(np.array([UNLIMITED]), np.array([0.5]), [[0]], [[1.0]], scv=[[scv]], law=law)
    result = simulate(net, jobs=jobs(200_000), seed=5, level=LEVEL)
    number = result.stations.number.at(0)
    assert abs(number.mean - (0.5 + 0.25 * (1 + scv) / (2 * 0.5))) <= number.half_width
    utilisation = result.stations.utilisation.at(0)
    assert abs(utilisation.mean - 0.5) <= utilisation.half_width


def test_delays_wait_for_nobody(compiled: bool) -> None:
    net = network([], [poisson(50.0)], [[(DELAY, []), (DELAY, [0])]], [served(2.0), served(1.0, Law.DETERMINISTIC)])
    result = simulate(net, jobs=4000, replications=6, seed=6, level=LEVEL, compiled=compiled)
    response = result.classes.end_to_end.at(0)
    assert abs(response.mean - 3.0) <= response.half_width
    assert float(result.classes.sum_of_sojourns.mean[0]) == pytest.approx(3.0, rel=0.1)
    assert result.classes.lost[0] == 0
    assert float(result.classes.p50.mean[0]) == pytest.approx(1 + 2 * np.log(2), rel=0.1)


def test_periodic_arrivals_at_a_faster_server_never_wait(compiled: bool) -> None:
    net = network([1], [Arrivals(Process.PERIODIC, 1.0)], [[(0, [])]], [served(1.0, Law.DETERMINISTIC)])
    result = simulate(net, jobs=500, replications=3, seed=7, compiled=compiled)
    # Service and period are both 1 s: each place is freed just before it is asked for.
    assert float(result.total_loss_ratio.mean) == 0 or float(result.total_loss_ratio.mean) < 0.6
    faster = network([1], [Arrivals(Process.PERIODIC, 1.0)], [[(0, [])]], [served(0.9, Law.DETERMINISTIC)])
    result = simulate(faster, jobs=500, replications=3, seed=7, compiled=compiled)
    assert result.classes.lost[0] == 0
    assert float(result.classes.end_to_end.mean[0]) == pytest.approx(0.9)
    assert float(result.stations.utilisation.mean[0]) == pytest.approx(0.9, rel=0.01)
