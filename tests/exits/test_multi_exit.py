"""Thresholds: the fast search against plain evaluation, and the tuned policies on held-out samples."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from placer.errors import InfeasibleError, InputError, MissingExtraError
from placer.exits import queueing_lp, tpe
from placer.exits.profile import read_profile
from placer.exits.samples import Split
from placer.exits.station import Station
from placer.exits.thresholds import OFF, Costs, behaviour, measures
from placer.exits.tuning import LossModel, Search, tune


def small(rng: np.random.Generator, samples: int = 60, exits: int = 4) -> tuple[Split, Costs]:
    confidence = np.round(rng.uniform(0.2, 1.0, (samples, exits)), 2)  # ties
    correct = rng.random((samples, exits)) < confidence
    backbone = np.sort(rng.uniform(0.1, 1.0, exits))
    return Split(confidence, correct), Costs(backbone, rng.uniform(0.01, 0.1, exits), rng.uniform(0, 0.5, exits))


def walk(thresholds: np.ndarray, samples: Split, costs: Costs) -> tuple[float, list[float]]:
    """Accuracy and time of each sample, job by job."""
    right, spent = 0, []
    for confidence, correct in zip(samples.confidence, samples.correct, strict=True):
        classifiers = 0.0
        for e in range(len(thresholds)):
            last = e == len(thresholds) - 1
            if thresholds[e] <= 1 or last:
                classifiers += costs.classifier[e]
                if last or confidence[e] >= thresholds[e]:
                    right += bool(correct[e])
                    spent.append(costs.backbone[e] + classifiers)
                    break
    return right / len(samples), spent


@pytest.mark.parametrize("seed", range(5))
def test_evaluation_is_a_walk_through_the_exits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples, costs = small(rng)
    thresholds = np.append(np.where(rng.random(3) < 0.3, OFF, rng.uniform(0.2, 1, 3)), 0.0)
    done = behaviour(thresholds, samples, costs)
    accuracy, spent = walk(thresholds, samples, costs)
    assert done.accuracy == pytest.approx(accuracy)
    assert float(done.shares @ done.mean) == pytest.approx(np.mean(spent))
    assert float(done.shares @ done.right) == pytest.approx(accuracy)


@pytest.mark.parametrize("model", ["formula", "exact"])
@pytest.mark.parametrize("seed", range(4))
def test_a_line_search_finds_what_trying_every_value_finds(seed: int, model: LossModel) -> None:
    rng = np.random.default_rng(seed)
    samples, costs = small(rng)
    station = Station(1.2, 4)
    search = Search(samples, costs, station, 0.15, model, candidates=1000)
    thresholds = np.append(np.where(rng.random(3) < 0.3, OFF, rng.uniform(0.2, 1, 3)), 0.0)
    for e in range(3):
        key, value = search.line(thresholds, e)
        every = []
        for candidate in [OFF, 0.0, *samples.confidence[:, e]]:
            changed = thresholds.copy()
            changed[e] = candidate
            every.append(search.score(changed))
        chosen = thresholds.copy()
        chosen[e] = value
        assert search.score(chosen) == pytest.approx(key, abs=1e-12)
        assert key[:2] == pytest.approx(max(every)[:2], abs=1e-12)


def test_ascent_against_all_thresholds() -> None:
    """Three exits, few samples: every pair of thresholds is tried."""
    rng = np.random.default_rng(3)
    samples, costs = small(rng, samples=40, exits=3)
    station, limit = Station(1.5, 4), 0.2
    search = Search(samples, costs, station, limit)
    first, second = ([OFF, 0.0, *np.unique(samples.confidence[:, e])] for e in (0, 1))
    best = max(search.score(np.array([a, b, 0.0])) for a in first for b in second)
    tuned = tune(samples, costs, station, limit, restarts=30)
    assert best[0] == 0.0
    assert tuned.loss <= limit
    assert tuned.accuracy >= best[1] - 0.026  # a local search: at most one sample of forty behind


def test_infeasible_and_unfit() -> None:
    profile = read_profile("mnist-cnn-8")
    costs, samples = Costs.of(profile), profile.split("calibration")
    with pytest.raises(InfeasibleError, match="the least met is"):
        tune(samples, costs, Station(1e6, 5), 0.01, restarts=3)
    with pytest.raises(InputError, match="classifiers cost"):
        Costs.of(read_profile("resnet-50-cifar10"))
    with pytest.raises(InputError, match="no per-sample table"):
        read_profile("resnet-50-cifar10").split("test")


def test_held_out_on_mnist() -> None:
    """K = 10, arrivals at which the last exit alone loses over 10 %, limit 1 %; splits drawn anew from held-out images.

    ``placer bench exits --method multi-exit`` does the same with TPE beside it.
    """
    from placer.bench.exits.multi import trial

    rows = [trial(seed, tpe_evaluations=()) for seed in range(4)]
    gains = []
    for row in rows:
        assert row["last_exit_loss"] > 0.10
        ascent = row["ascent"]
        assert ascent["loss"] <= 0.01 or ascent["loss_interval"][0] <= 0.01 <= ascent["loss_interval"][1]
        gains.append(ascent["accuracy"] - row["queueing"]["accuracy"])
    assert np.mean(gains) > 0


@pytest.mark.skipif(find_spec("optuna") is None, reason="needs optuna")
@pytest.mark.filterwarnings("ignore")
def test_tpe_keeps_the_limit_it_is_given() -> None:
    profile = read_profile("mnist-cnn-8")
    station = Station(2.2 / float(profile.mean[-1]), 10)
    costs, samples = Costs.of(profile), profile.split("calibration")
    tuned = tpe.tune(samples, costs, station, 0.01, evaluations=60, seed=1)
    again = tpe.tune(samples, costs, station, 0.01, evaluations=60, seed=1)
    assert tuned.loss <= 0.01
    assert tuned.evaluations == 60
    np.testing.assert_array_equal(tuned.thresholds, again.thresholds)
    ascent = tune(samples, costs, station, 0.01)
    assert ascent.accuracy >= tuned.accuracy  # on what both were tuned on


def test_without_optuna(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("placer.optional.find_spec", lambda name: None)
    profile = read_profile("mnist-cnn-8")
    with pytest.raises(MissingExtraError, match="tune"):
        tpe.tune(profile.split("calibration"), Costs.of(profile), Station(5000.0, 10), 0.01)


def test_the_single_exit_program_is_a_special_case() -> None:
    """Thresholds of 0 or off are single exits: same loss as the mixture with all the weight there."""
    profile = read_profile("mnist-cnn-8")
    station, costs = Station(4000.0, 10), Costs.of(profile)
    for e in (0, 3, 7):
        only = np.where(np.arange(8) == e, 0.0, OFF)
        only[-1] = 0.0
        done = measures(only, profile.split("calibration"), costs, station)
        assert done.accuracy == pytest.approx(profile.accuracy[e])
        share = np.eye(8)[e]
        assert done.loss == pytest.approx(
            queueing_lp.evaluate_mixture(share, profile.mean, profile.scv, profile.accuracy, station).loss, rel=1e-9
        )
