"""The recipe of the learned correction: its gradient, its event loop, its networks, and that it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from placer.jit import have_numba
from placer.queueing import correction, pair_network
from placer.queueing.network import Law, chains
from placer.recipes import loss_correction, loss_training
from placer.recipes.loss_kernel import count
from placer.recipes.loss_labels import Label, Streams, joined, label, streams
from placer.recipes.loss_networks import general, meeting, telling
from placer.simulation.quick import is_plain

needs_numba = pytest.mark.skipif(not have_numba(), reason="labels need numba")


def few(events: int = 3000) -> Streams:
    networks = [meeting(index) for index in range(12)]
    labels = [Label(*count(one, np.random.default_rng(k), 300, events, False)) for k, one in enumerate(networks)]
    return streams(networks, labels)


def test_a_network_is_that_of_its_index() -> None:
    for draw in (general, meeting):
        first, again = draw(5), draw(5)
        assert np.array_equal(first.outcome_mean, again.outcome_mean)
        assert np.array_equal(first.capacity, again.capacity)
    kept = [index for index, _ in telling(meeting, 0, 40)]
    assert kept == sorted(set(kept))
    assert 5 < len(kept) < 40


@needs_numba
@pytest.mark.parametrize("law", [Law.DETERMINISTIC, Law.EXPONENTIAL])
def test_the_lean_loop_counts_what_the_simulator_counts(law: Law) -> None:
    network = chains(
        np.array([3, 2, 5]), np.array([0.9, 0.6]), [[0, 1, 2], [2, 1]], [[0.8, 0.7, 0.6], [0.5, 0.9]], law=law
    )
    seed = np.random.SeedSequence([1, 2])
    lean = count(network, np.random.Generator(np.random.PCG64(seed)), 30_000, 60_000)
    whole = label(network, [1, 2], 60_000)
    # the same draws in the same order: the same numbers
    assert np.array_equal(lean[0], whole.arrived)
    assert np.array_equal(lean[1], whole.dropped)
    assert lean[2] == pytest.approx(whole.sojourn, rel=1e-9)


def test_the_lean_loop_is_plain_python_too() -> None:
    network = chains(np.array([3, 2]), np.array([0.9]), [[0, 1]], [[0.8, 0.7]])
    plain = count(network, np.random.default_rng(1), 100, 2000, False)
    assert plain[0][0] > 0
    if have_numba():
        compiled = count(network, np.random.default_rng(1), 100, 2000, True)
        assert np.array_equal(plain[1], compiled[1])


def test_the_gradient_is_that_of_the_cost() -> None:
    data = few()
    rng = np.random.default_rng(0)
    weights = loss_training.start_weights(correction.FEATURES, loss_training.Plan(5, 6), rng)
    weights = {
        name: (value + 0.05 * rng.standard_normal(value.shape)).astype(np.float64) for name, value in weights.items()
    }
    _, gradient = loss_training.gradient(weights, data)
    for name, value in weights.items():
        direction = rng.standard_normal(value.shape)
        step = 1e-4
        costs = [
            loss_training.gradient({**weights, name: value + sign * step * direction}, data)[0] for sign in (1.0, -1.0)
        ]
        numeric = (costs[0] - costs[1]) / (2.0 * step) / len(data.odds)
        assert float((gradient[name] * direction).sum()) == pytest.approx(numeric, rel=2e-3, abs=1e-4), name


def test_it_learns() -> None:
    told: list[float] = []
    loss_training.train(few(), loss_training.Plan(8, 8, epochs=400), lambda _, cost: told.append(cost))
    assert told[-1] < 0.6 * told[0]


def test_tables_keep_their_labels_apart() -> None:
    one = few()
    both = joined([one, one])
    count = len(one.odds)
    for name in ("station", "group", "widest_at"):
        values = getattr(both, name)
        assert not set(values[:count]) & set(values[count:]), name
    assert len(np.unique(both.station)) == 2 * len(np.unique(one.station))


@needs_numba
def test_the_recipe_writes_weights(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    sizes = ["--share", "0.002", "--events", "40000", "--epochs", "1"]
    assert loss_correction.main(["-o", str(path), *sizes]) == 0
    made, shipped = np.load(path), pair_network.shipped()
    for name in pair_network.WEIGHT_NAMES:
        assert made[name].shape == getattr(shipped, name).shape, name


def test_exits_are_among_the_general_networks() -> None:
    assert 0 < sum(not is_plain(general(index)) for index in range(120)) < 30
