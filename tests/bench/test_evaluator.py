"""The suite ``evaluator``: its networks, its figures, and its rows."""

from __future__ import annotations

import json
from itertools import islice

import numpy as np
import pytest

from placer.bench.evaluator import instances as drawn
from placer.bench.evaluator import suite
from placer.bench.evaluator.errors import decade, figures, rows
from placer.jit import have_numba
from placer.queueing.mg1k_exact import mg1k
from placer.queueing.network import Law, Process, chains
from placer.queueing.validation import problems_of

LAWS = {0.0: Law.DETERMINISTIC, 0.25: Law.GAMMA, 0.5: Law.GAMMA, 1.0: Law.EXPONENTIAL, 4.0: Law.HYPEREXPONENTIAL}
PROCESSES = {drawn.POISSON: Process.POISSON, drawn.PERIODIC: Process.PERIODIC, drawn.MMPP: Process.MMPP}


def test_networks_are_of_their_regime() -> None:
    for regime, network in drawn.instances(drawn.regimes(), 3, 60):
        assert problems_of(network) == []
        least, most = regime.places
        assert ((network.capacity >= least) & (network.capacity <= most)).all()
        assert set(network.outcome_law) == {LAWS[regime.scv]}
        assert all(arrivals.process == PROCESSES[regime.process] for arrivals in network.arrivals)
        owner = np.repeat(np.arange(network.classes), np.diff(network.class_tasks))
        load = np.bincount(network.task_station, network.rates[owner] * network.outcome_mean)
        assert load.max() == pytest.approx(regime.load)
        if regime.topology == drawn.SINGLE:
            assert network.stations == 1
        for arrivals in network.arrivals:
            if arrivals.process == Process.MMPP:
                share = drawn.BURST_SHARE
                assert (1 - share) * arrivals.rates[0] + share * arrivals.rates[1] == pytest.approx(arrivals.rate)
                assert np.array([1 - share, share]) @ arrivals.generator == pytest.approx([0.0, 0.0])


def test_a_smaller_count_draws_the_same_networks() -> None:
    some = list(drawn.instances(drawn.regimes(), 3, 5))
    more = list(islice(drawn.instances(drawn.regimes(), 3, 9), 5))
    for (one, first), (two, second) in zip(some, more, strict=True):
        assert one == two
        assert np.array_equal(first.outcome_mean, second.outcome_mean)


def test_figures() -> None:
    found = figures(np.array([0.01, 0.02, 0.04]), np.array([0.02, 0.02, 0.02]))
    assert found["chains"] == 3
    assert found["relative_error"] == {"mean": pytest.approx(0.5), "p50": pytest.approx(0.5)}
    assert found["ratio_p95"] == pytest.approx(2.0)
    assert found["too_low"] == pytest.approx(1 / 3)
    assert decade(0.005) == (1e-3, 1e-2)
    assert decade(1.0) == (1e-1, 1.0)
    assert decade(1e-5) is None


@pytest.mark.skipif(not have_numba(), reason="the simulation needs numba to be quick")
def test_rows_say_what_is_true() -> None:
    regime = drawn.Regime(drawn.POISSON, 0.0, 0.9, drawn.SINGLE, (3, 6))
    network = chains(np.array([5]), np.array([0.9]), [[0]], [[1.0]])
    (row,) = rows([(regime, network)], jobs=200_000, seed=1)
    exact = mg1k(0.9, 5, 1.0)
    assert row.true == pytest.approx(exact.loss, abs=2 * row.half_width)
    assert row.predicted == pytest.approx(exact.loss, rel=1e-6)
    assert row.predicted_response == pytest.approx(exact.mean_waiting + 1.0, rel=1e-2)
    assert row.true_response == pytest.approx(exact.mean_waiting + 1.0, rel=0.02)


@pytest.mark.skipif(not have_numba(), reason="the simulation needs numba to be quick")
def test_the_suite_prints_rows_by_regime_and_a_summary() -> None:
    *body, last = suite.run(limit=12, jobs=5000)
    assert body
    for row in body:
        json.dumps(row)
        assert (row["suite"], row["method"], row["status"]) == ("evaluator", "analytic", "ok")
        assert {"process", "scv", "load", "topology", "places", "decade", "relative_error", "ratio_p95"} <= set(row)
    assert last["summary"]["networks"] == 12
    total = sum(row["chains"] for row in body)
    by_decade = [v for k, v in last["summary"].items() if isinstance(v, dict) and "scv" not in k]
    assert sum(cell["chains"] for cell in by_decade) == total
