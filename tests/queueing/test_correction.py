"""The learned correction: where it speaks, how far it may go, how near it comes to exact chains and simulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placer.queueing import correction, pair_network
from placer.queueing.flattened import compile_batch
from placer.queueing.network import UNLIMITED, Arrivals, Law, Process, QueueNetwork, chains
from placer.queueing.rules import Rules
from placer.queueing.solve import solve, solve_batch
from placer.queueing.sweep_state import arrange
from tests.queueing.oracles import tandem_loss

RULES_ONLY = Rules(correction=False)
MIXED = chains(
    np.array([6, 3, 4]),
    np.array([0.4, 0.5, 0.3]),
    [[0, 1, 2], [1, 2], [2, 0]],
    [[0.9, 0.7, 0.8], [0.6, 0.5], [0.7, 0.4]],
)


def speaks(network: QueueNetwork) -> bool:
    batch = compile_batch([network])
    return bool((correction.scope(batch, arrange(batch)).gate > 0.0).any())


def test_it_speaks_where_streams_from_stations_meet() -> None:
    assert speaks(MIXED)
    assert not np.allclose(solve(MIXED).loss_ratio, solve(MIXED, RULES_ONLY).loss_ratio, rtol=1e-3)


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(chains(np.array([4]), np.array([0.5, 0.7]), [[0], [0]], [[0.9], [0.4]]), id="poisson only"),
        pytest.param(chains(np.array([9, 2, 1]), np.array([1.0]), [[0, 1, 2]], [[0.9, 0.8, 0.9]]), id="line, falling"),
        pytest.param(chains(np.array([9, 1]), np.array([1.0]), [[0, 1]], [[0.5, 0.8]]), id="line, one place"),
        pytest.param(replace(MIXED, capacity=np.full(3, UNLIMITED)), id="unlimited"),
        pytest.param(replace(MIXED, capacity=np.full(3, correction.LAST_CAPACITY)), id="very long queues"),
        pytest.param(
            replace(MIXED, arrivals=tuple(Arrivals(Process.PERIODIC, a.rate) for a in MIXED.arrivals)), id="periodic"
        ),
        pytest.param(
            replace(MIXED, outcome_scv=np.full(7, 4.0), outcome_law=np.full(7, int(Law.HYPEREXPONENTIAL))), id="scv 4"
        ),
        pytest.param(replace(MIXED, up=np.full(3, 100.0), down=np.full(3, 1.0)), id="outages"),
    ],
)
def test_it_is_silent_where_rules_are_exact_or_it_was_not_fitted(network: QueueNetwork) -> None:
    assert not speaks(network)
    corrected, rules = solve(network), solve(network, RULES_ONLY)
    assert np.array_equal(corrected.loss_ratio, rules.loss_ratio)
    assert np.array_equal(corrected.task_waiting, rules.task_waiting)


def drawn(rng: np.random.Generator) -> QueueNetwork:
    stations, classes = int(rng.integers(2, 7)), int(rng.integers(1, 6))
    lengths = rng.integers(1, stations + 1, classes)
    return chains(
        rng.integers(1, 80, stations),
        np.exp(rng.uniform(-3.0, 2.0, classes)),
        [rng.permutation(stations)[:length].tolist() for length in lengths],
        [rng.uniform(0.001, 2.0, length).tolist() for length in lengths],
        law=[Law.DETERMINISTIC, Law.EXPONENTIAL][int(rng.integers(2))],
    )


NETWORKS = st.integers(0, 2**32 - 1).map(lambda seed: drawn(np.random.default_rng(seed)))


@settings(max_examples=60, deadline=None)
@given(NETWORKS)
def test_bounds(network: QueueNetwork) -> None:
    found = solve(network)
    assert ((found.task_acceptance >= 0.0) & (found.task_acceptance <= 1.0)).all()
    assert (found.task_waiting >= 0.0).all()
    work = np.bincount(
        network.task_station, found.task_rate * found.task_acceptance * network.outcome_mean, minlength=network.stations
    )
    assert (work <= 1.0 + 0.02).all()


@settings(max_examples=20, deadline=None)
@given(NETWORKS, st.integers(0, 2**32 - 1))
def test_numbers_of_stations_and_order_of_chains_do_not_matter(network: QueueNetwork, seed: int) -> None:
    rng = np.random.default_rng(seed)
    label = rng.permutation(network.stations)
    capacity = np.empty_like(network.capacity)
    capacity[label] = network.capacity
    other = solve(replace(network, capacity=capacity, task_station=label[network.task_station]))
    assert other.loss_ratio == pytest.approx(solve(network).loss_ratio, abs=1e-4)


def brute_force(weights: pair_network.Weights, x: np.ndarray, related: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The formula of the module, stream by stream; all in one station, from stations of their own."""
    rows = []
    for i in range(len(x)):
        met = np.zeros(len(weights.mix_bias))
        for j in range(len(x)):
            z = x[i] @ weights.receive + x[j] @ weights.send + weights.pair_bias
            z = z + (weights.same if i == j else weights.related * (related[i] == related[j]))
            met += weight[j] * np.tanh(np.tanh(z) @ weights.mix + weights.mix_bias)
        own = np.tanh(x[i] @ weights.own + met @ weights.met + weights.own_bias)
        rows.append(np.tanh(own @ weights.deep + weights.deep_bias) @ weights.out + weights.out_bias)
    return np.array(rows)


def test_the_network_is_its_formula() -> None:
    rng = np.random.default_rng(3)
    x = rng.uniform(-1.0, 1.0, (4, correction.FEATURES)).astype(np.float32)
    weight, related = rng.uniform(0.0, 2.0, 4), np.array([5, 6, 5, 7])
    weights = pair_network.shipped()
    pairs = pair_network.pair_up(np.zeros(4, dtype=np.int64), np.arange(4), related)
    assert pair_network.evaluate(weights, x, pairs, weight) == pytest.approx(
        brute_force(weights, x, related, weight), abs=1e-4
    )
    # a second station in the same call changes nothing
    twice = pair_network.pair_up(np.repeat([0, 1], 4), np.arange(8), np.tile(related, 2))
    both = pair_network.evaluate(weights, np.vstack([x, x]), twice, np.tile(weight, 2))
    assert both[4:] == pytest.approx(both[:4], abs=1e-6)


@pytest.mark.parametrize(
    ("rates", "mu", "capacity"),
    [
        ([1.0], [[1.2], [1.1], [1.0]], 5),
        ([0.5, 0.4], [[1.2, 0.9], [1.1, 1.3], [1.0, 0.8]], 3),
        ([0.6], [[1.0], [1.0], [1.0]], 4),
        ([0.3, 0.2], [[1.0, 1.0], [0.8, 1.2]], 3),
        ([0.8], [[2.0], [1.0], [1.5]], 6),
    ],
)
def test_nearer_to_exact_exponential_tandems(rates: list[float], mu: list[list[float]], capacity: int) -> None:
    stations = len(mu)
    network = chains(
        np.full(stations, capacity),
        np.array(rates),
        [list(range(stations)) for _ in rates],
        [[1.0 / mu[m][c] for m in range(stations)] for c in range(len(rates))],
        law=Law.EXPONENTIAL,
    )
    oracle = tandem_loss(rates, mu, capacity)

    def error(rules: Rules) -> float:
        return abs(float(network.rates @ solve(network, rules).loss_ratio / network.rates.sum()) / oracle - 1.0)

    assert error(Rules()) < 0.05
    assert error(Rules()) < error(RULES_ONLY)


def test_a_search_may_carry_it_over() -> None:
    whole = solve_batch([MIXED])
    again = solve_batch([MIXED], memory=whole.memory)
    assert again.sweeps < whole.sweeps
    assert again.loss_ratio == pytest.approx(whole.loss_ratio, abs=1e-5)
    assert again.task_waiting == pytest.approx(whole.task_waiting, rel=1e-4)
