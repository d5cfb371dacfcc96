from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placer.queueing.flattened import arrival_scv, compile_batch
from placer.queueing.mg1k_exact import mg1k
from placer.queueing.network import DELAY, UNLIMITED, Arrivals, Law, Process, QueueNetwork, chains
from placer.queueing.rules import RULE_NAMES, Rules
from placer.queueing.solve import solve, solve_batch
from tests.queueing.oracles import tandem_loss


def line(rates: list[float], mu: list[list[float]], capacity: int) -> QueueNetwork:
    """All classes along all stations, exponential."""
    stations = len(mu)
    return chains(
        np.full(stations, capacity),
        np.array(rates),
        [list(range(stations)) for _ in rates],
        [[1.0 / mu[m][c] for m in range(stations)] for c in range(len(rates))],
        law=Law.EXPONENTIAL,
    )


def total_loss(network: QueueNetwork, rules: Rules = Rules()) -> float:  # noqa: B008 - frozen
    solution = solve(network, rules)
    return float(network.rates @ solution.loss_ratio / network.rates.sum())


@pytest.mark.parametrize(
    ("rates", "mu", "capacity", "known", "tolerance"),
    [
        # T1 and T2: Poisson thinning alone overstates by 8.7% and 8.5%, the model by 7.5% and 8.9%; its
        # departure rules see little of what losses smooth when service is exponential
        ([1.0], [[1.2], [1.1], [1.0]], 5, 0.241388, 0.08),
        ([0.5, 0.4], [[1.2, 0.9], [1.1, 1.3], [1.0, 0.8]], 3, 0.353097, 0.095),
    ],
)
def test_exponential_tandems_against_their_markov_chain(
    rates: list[float], mu: list[list[float]], capacity: int, known: float, tolerance: float
) -> None:
    oracle = tandem_loss(rates, mu, capacity)
    assert oracle == pytest.approx(known, abs=1e-6)
    network = line(rates, mu, capacity)
    assert total_loss(network) == pytest.approx(oracle, rel=tolerance)
    thinned = Rules(**dict.fromkeys(RULE_NAMES, False))
    assert total_loss(network, replace(thinned, exact_core=True)) == pytest.approx(oracle * 1.087, rel=0.01)


@pytest.mark.parametrize("rho", [0.3, 0.95, 1.0, 1.6, 4.0])
@pytest.mark.parametrize("capacity", [1, 3, 20])
def test_one_station_is_exact(rho: float, capacity: int) -> None:
    # two Poisson classes see the same station, and no rule may change that
    network = chains(np.array([capacity]), np.array([rho / 2, rho]), [[0], [0]], [[1.0], [0.5]])
    solution = solve(network)
    exact = mg1k(1.5 * rho, capacity, [1.0, 0.5], 0.0, Law.DETERMINISTIC, [1 / 3, 2 / 3])
    assert solution.loss_ratio == pytest.approx([exact.loss] * 2, abs=1e-9)
    assert solution.station_loss[0] == pytest.approx(exact.loss, abs=1e-9)
    assert solution.task_waiting == pytest.approx([exact.mean_waiting] * 2, rel=1e-2, abs=1e-9)


def test_a_fast_stage_behind_a_slow_one_neither_loses_nor_waits() -> None:
    solution = solve(chains(np.array([9, 1]), np.array([1.0]), [[0, 1]], [[0.9, 0.8]]))
    assert solution.task_acceptance[1] == 1.0
    assert solution.task_waiting[1] == 0.0


def test_periodic_stream_at_a_loss_system() -> None:
    # the first server never rests and lets out a job every second; the second takes every third
    solution = solve(chains(np.array([30, 1]), np.array([3.0]), [[0, 1]], [[1.0, 2.5]]))
    assert solution.task_acceptance[1] == pytest.approx(1 / 3, rel=0.01)


def test_jobs_that_come_with_a_gap_are_admitted() -> None:
    # after a job of the slow class leaves the first station, the second one has always made room
    network = chains(np.array([20, 20]), np.array([0.5, 1.5]), [[0, 1], [0, 1]], [[1.6, 1.1], [0.3, 1.55]])
    solution = solve(network)
    assert solution.task_acceptance[1] > 0.97
    assert solve(network, Rules(shared_upstream=False)).task_acceptance[1] < 0.97


NETWORKS = st.integers(0, 2**32 - 1).map(lambda seed: random_network(np.random.default_rng(seed)))


def random_network(rng: np.random.Generator) -> QueueNetwork:
    stations, classes = int(rng.integers(2, 9)), int(rng.integers(1, 5))
    lengths = rng.integers(1, stations + 1, classes)
    return chains(
        rng.integers(1, 30, stations),
        1.0 / rng.uniform(0.1, 10.0, classes),
        [rng.permutation(stations)[:length].tolist() for length in lengths],
        [rng.uniform(0.01, 2.0, length).tolist() for length in lengths],
        law=[Law.DETERMINISTIC, Law.EXPONENTIAL][int(rng.integers(2))],
    )


@settings(max_examples=60, deadline=None)
@given(NETWORKS)
def test_probabilities_flows_and_bounds(network: QueueNetwork) -> None:
    s = solve(network)
    assert ((s.task_acceptance >= 0.0) & (s.task_acceptance <= 1.0)).all()
    assert ((s.loss_ratio >= -1e-12) & (s.loss_ratio <= 1.0)).all()
    assert (s.station_utilisation <= 1.0).all()
    assert (s.task_waiting >= 0.0).all()
    assert np.isfinite(s.sum_of_sojourns).all()
    assert (s.station_number <= network.capacity + 1.0 + 1e-9).all()
    for c in range(network.classes):
        tasks = slice(network.class_tasks[c], network.class_tasks[c + 1])
        assert s.throughput_ratio[c] == pytest.approx(np.prod(s.task_acceptance[tasks]), rel=1e-9)
        assert s.sum_of_sojourns[c] == pytest.approx(s.task_sojourn[tasks].sum())
        assert s.end_to_end[c] == pytest.approx(s.sum_of_sojourns[c])
        # what a station passes is what comes to the next one, up to the last step of the fixed point
        out = (s.task_rate * s.task_acceptance)[tasks][:-1]
        assert out == pytest.approx(s.task_rate[tasks][1:], abs=max(1e-4, s.residual) * network.rates[c])
    # no station works more than all the time, so no flow exceeds what it can serve
    work = np.bincount(network.task_station, s.task_rate * s.task_acceptance * compile_batch([network]).mean)
    assert (work <= 1.0 + 0.02).all()


@settings(max_examples=10, deadline=None)
@given(st.lists(NETWORKS, min_size=2, max_size=4))
def test_a_batch_is_its_networks(networks: list[QueueNetwork]) -> None:
    together = solve_batch(networks)
    for k, network in enumerate(networks):
        apart = solve(network)
        here = slice(together.class_ptr[k], together.class_ptr[k + 1])
        # a batch makes as many sweeps as its slowest network
        assert together.throughput_ratio[here] == pytest.approx(apart.throughput_ratio, abs=5e-3)
        assert together.class_ptr[k + 1] - together.class_ptr[k] == network.classes


@pytest.mark.parametrize("name", RULE_NAMES)
def test_every_rule_can_be_switched_off(name: str) -> None:
    network = chains(
        np.array([8, 1, 5]), np.array([1.5, 0.9]), [[0, 1, 2], [1, 0, 2]], [[0.8, 0.7, 1.5], [0.3, 0.6, 0.9]]
    )
    assert (solve(network, Rules(**{name: False})).loss_ratio < 1.0).all()


def task_graph(preds: list[list[int]], station: list[int], capacity: list[int], mean: list[float]) -> QueueNetwork:
    """One class of rate 1 over a DAG of exponential tasks."""
    tasks = len(preds)
    return QueueNetwork(
        capacity=np.array(capacity), arrivals=(Arrivals(Process.POISSON, 1.0),), class_tasks=np.array([0,
        tasks]), task_station=np.array(station), pred_ptr=np.cumsum([0, *map(len, preds)]),
        preds=np.array([p for one in preds for p in one], dtype=np.int64), outcome_ptr=np.arange(tasks + 1),
        outcome_probability=np.ones(tasks), outcome_mean=np.array(mean), outcome_scv=np.ones(tasks),
        outcome_law=np.full(tasks, int(Law.EXPONENTIAL)), outcome_leaves=np.zeros(tasks, dtype=bool),
        outcome_delay=np.zeros(tasks), up=np.zeros(len(capacity)), down=np.zeros(len(capacity)),
    )  # fmt: skip


def test_an_and_join_lies_between_its_bounds_and_takes_the_longer_branch() -> None:
    network = task_graph([[], [0], [0], [1, 2]], [DELAY, 0, 1, DELAY], [2, 2], [0.5, 1.0, 0.8, 0.25])
    s = solve(network)
    branches = s.task_acceptance[1:3]
    assert branches.prod() < s.throughput_ratio[0] < branches.min()
    assert s.end_to_end[0] == pytest.approx(0.5 + s.task_sojourn[1:3].max() + 0.25)
    assert s.sum_of_sojourns[0] == pytest.approx(s.task_sojourn[1:3].sum())


def test_ends_of_parallel_branches_join_at_the_sink() -> None:
    s = solve(task_graph([[], [0], [0]], [DELAY, 0, 1], [2, 3], [0.1, 1.0, 0.8]))
    branches = s.task_acceptance[1:]
    assert branches.prod() < s.throughput_ratio[0] < branches.min()


def test_early_exits_complete_and_lighten_what_follows() -> None:
    plain = chains(np.array([10, 10]), np.array([0.9]), [[0, 1]], [[0.5, 1.2]])
    exits = replace(
        plain,
        outcome_ptr=np.array([0, 2, 3]), outcome_probability=np.array([0.4, 0.6, 1.0]),
        outcome_mean=np.array([0.2, 0.7, 1.2]), outcome_scv=np.zeros(3), outcome_law=np.zeros(3,
        dtype=np.int64), outcome_leaves=np.array([True, False, False]), outcome_delay=np.array([3.0, 0.0,
        0.1]),
    )  # fmt: skip
    s = solve(exits)
    assert s.task_rate[1] == pytest.approx(0.6 * s.task_rate[0] * s.task_acceptance[0])
    through = 0.6 * s.task_acceptance[1]
    assert s.throughput_ratio[0] == pytest.approx(s.task_acceptance[0] * (0.4 + through))
    early = s.task_waiting[0] + 0.2 + 3.0
    late = s.task_waiting[0] + 0.7 + s.task_sojourn[1] + 0.1
    assert s.end_to_end[0] == pytest.approx((0.4 * early + through * late) / (0.4 + through))


def test_unlimited_stations() -> None:
    s = solve(chains(np.array([UNLIMITED]), np.array([0.5]), [[0]], [[1.0]], law=Law.EXPONENTIAL))
    assert s.loss_ratio[0] == pytest.approx(0.0)
    assert s.task_waiting[0] == pytest.approx(1.0)
    s = solve(chains(np.array([UNLIMITED]), np.array([2.0]), [[0]], [[1.0]]))
    assert s.throughput[0] == pytest.approx(1.0)
    assert np.isinf(s.sum_of_sojourns[0])


def test_outages_cost_jobs() -> None:
    network = chains(np.array([10]), np.array([0.2]), [[0]], [[1.0]])
    s = solve(replace(network, up=np.array([99.0]), down=np.array([1.0])))
    assert 0.97 < s.throughput_ratio[0] < 0.99


def test_arrival_scv() -> None:
    assert arrival_scv(Arrivals(Process.PERIODIC, 2.0)) == 0.0
    same = Arrivals(Process.MMPP, 2.0, np.array([2.0, 2.0]), np.array([[-1.0, 1.0], [3.0, -3.0]]))
    assert arrival_scv(same) == pytest.approx(1.0)
    # two states with rates a, b and switching r both ways: 1 + (a - b)^2 / (2 r (a + b))
    bursty = Arrivals(Process.MMPP, 2.0, np.array([3.0, 1.0]), np.array([[-0.5, 0.5], [0.5, -0.5]]))
    assert arrival_scv(bursty) == pytest.approx(1.0 + 4.0 / (2 * 0.5 * 4.0))
    assert arrival_scv(Arrivals(Process.TRACE, 1.0, times=np.arange(5.0))) == pytest.approx(0.0)


def test_periodic_arrivals_lose_less() -> None:
    network = chains(np.array([4]), np.array([0.9]), [[0]], [[1.0]], law=Law.EXPONENTIAL)
    periodic = replace(network, arrivals=(Arrivals(Process.PERIODIC, 0.9),))
    assert solve(periodic).loss_ratio[0] < solve(network).loss_ratio[0]
