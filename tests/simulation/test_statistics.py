"""Intervals, stopping, warm-up, verdicts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from placer.errors import InputError
from placer.queueing.network import Law, QueueNetwork, chains
from placer.simulation import judge, simulate
from placer.simulation.statistics import estimate, mser5, replications_for, replications_missing, student, widened


def test_estimate_is_students_interval() -> None:
    values = np.array([[1.0, 5.0], [2.0, np.nan], [4.0, 7.0]])
    result = estimate(values, 0.95)
    low, high = stats.t.interval(0.95, 2, loc=values[:, 0].mean(), scale=stats.sem(values[:, 0]))
    assert result.low[0] == pytest.approx(low)
    assert result.high[0] == pytest.approx(high)
    assert result.mean[1] == 6.0
    assert result.count.tolist() == [3, 2]


def test_one_value_has_no_interval() -> None:
    result = estimate(np.array([[3.0], [np.nan]]), 0.99)
    assert result.mean[0] == 3.0
    assert np.isnan(result.half_width[0])


def test_judge() -> None:
    figure = estimate(np.array([0.09, 0.1, 0.11, 0.1]), 0.95)
    assert judge(figure, 0.2).kept is True
    assert judge(figure, 0.05).kept is False
    verdict = judge(figure, 0.101)
    assert verdict.kept is None
    assert verdict.missing is not None
    needed = verdict.missing + 4
    deviation = float(figure.deviation)
    assert student(0.95, needed) * deviation / np.sqrt(needed) <= 0.001
    assert student(0.95, needed - 1) * deviation / np.sqrt(needed - 1) > 0.001
    assert judge(figure, float(figure.mean)).kept is None
    assert judge(figure, float(figure.mean)).missing is None
    assert judge(estimate(np.array([0.1]), 0.95), 0.2).kept is None


def test_replications_for_nothing_to_spread() -> None:
    assert replications_for(0.0, 0.1, 0.99) == 2
    assert replications_for(1.0, 0.0, 0.99) is None


def test_missing_respects_the_floor() -> None:
    figure = estimate(np.array([1e-7, 3e-7, 2e-7]), 0.99)
    assert replications_missing(figure, 0.01, 1e-3) == 0
    assert replications_missing(figure, 0.01, 0.0) > 100


def test_mser_cuts_a_transient() -> None:
    rng = np.random.default_rng(1)
    series = rng.normal(0, 1, 1000)
    series[:100] += np.linspace(20, 3, 100)
    assert 80 <= mser5(series) <= 150
    assert mser5(series) % 5 == 0
    assert mser5(np.ones(7)) == 0


def test_stopping_reaches_the_precision(t1: QueueNetwork) -> None:
    result = simulate(t1, jobs=3000, replications=3, seed=1, relative_half_width=0.05, level=0.95)
    assert result.precise is True
    assert result.missing == 0
    assert result.replications > 3
    for figure in (result.classes.loss_ratio, result.classes.end_to_end):
        assert (figure.half_width <= 0.05 * figure.mean).all()


def test_stopping_gives_up_at_the_limit_and_says_what_is_missing(t1: QueueNetwork) -> None:
    result = simulate(t1, jobs=1000, replications=3, seed=1, relative_half_width=0.001, max_replications=5)
    assert result.precise is False
    assert result.replications == 5
    assert result.missing > 100


def test_rare_losses_stop_at_the_floor() -> None:
    net = chains(np.array([30]), np.array([0.5]), [[0]], [[1.0]], law=Law.EXPONENTIAL)
    result = simulate(net, jobs=2000, replications=3, seed=2, relative_half_width=0.1, watch=["loss_ratio"])
    assert result.precise is True
    assert result.replications == 3
    assert float(result.total_loss_ratio.mean) == 0


def test_warmup_is_cut() -> None:
    # Overloaded and large: the queue takes 100 s to fill, so the full run from empty underrates the loss.
    net = chains(np.array([100]), np.array([2.0]), [[0]], [[1.0]])
    whole, fixed, mser = (
        simulate(net, horizon=1000.0, replications=4, seed=3, warmup=warmup) for warmup in (0.0, 0.2, "mser")
    )
    assert float(fixed.total_loss_ratio.mean) == pytest.approx(0.5, abs=0.02)
    assert float(mser.total_loss_ratio.mean) == pytest.approx(0.5, abs=0.02)
    assert float(whole.total_loss_ratio.mean) < 0.48
    assert fixed.warmup == pytest.approx(200)
    assert 60 <= mser.warmup <= 500


def test_progress_counts_up(t1: QueueNetwork) -> None:
    seen: list[tuple[int, int]] = []
    simulate(t1, jobs=200, replications=4, seed=1, progress=lambda done, planned: seen.append((done, planned)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(
    "options",
    [
        {"jobs": 10, "horizon": 10.0},
        {"jobs": 0},
        {"horizon": float("inf")},
        {"warmup": 1.0},
        {"warmup": "long"},
        {"replications": 0},
        {"level": 1.0},
        {"relative_half_width": 0.0},
        {"relative_half_width": 0.1, "watch": ["lost_ratio"], "jobs": 100},
    ],
)
def test_bad_arguments(t1: QueueNetwork, options: dict[str, object]) -> None:
    with pytest.raises(InputError):
        simulate(t1, **options)  # type: ignore[arg-type]


def test_percentiles_of_thinned_samples_stay_close(t1: QueueNetwork) -> None:
    from placer.simulation.core import replicate
    from placer.simulation.tables import tabulate

    net, seed = tabulate(t1), np.random.SeedSequence(1)
    full, thin = (replicate(net, seed, 30_000.0, 0.1, sample_cap=cap) for cap in (1 << 20, 4096))
    for name in ("p50", "p95", "p99"):
        assert thin.measures[name][0] == pytest.approx(full.measures[name][0], rel=0.1)
    assert thin.measures["end_to_end"][0] == full.measures["end_to_end"][0]


def test_nothing_counted_is_not_sure_to_be_nothing() -> None:
    lost, offered = np.zeros((10, 2)), np.full((10, 2), 1000.0)
    lost[:, 1] = 40.0 + np.arange(10)
    plain = estimate(lost / offered, 0.95)
    figure = widened(plain, lost, offered)
    assert float(plain.half_width[0]) == 0
    assert float(figure.half_width[0]) == pytest.approx(1.96**2 / 10_000, rel=1e-3)
    # Where much was counted, the interval is Student's but for half a count in the last places.
    assert float(plain.half_width[1]) < float(figure.half_width[1]) < 1.1 * float(plain.half_width[1])
