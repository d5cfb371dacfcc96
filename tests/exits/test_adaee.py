"""AdaEE: regret on a stationary stream, and what happens after a drift."""

from __future__ import annotations

import numpy as np
import pytest

from placer.exits import adaee
from placer.exits.profile import read_profile
from placer.jit import have_numba

JOBS = 30_000 if have_numba() else 6_000


def test_rewards_by_hand() -> None:
    profile = read_profile("mnist-cnn-8")
    test = profile.split("test")
    policy = adaee.bandit(profile, edge=1, overhead=0.05)
    table = adaee.rewards(policy, test)
    for sample in range(0, 1000, 97):
        edge, last = test.confidence[sample, 1], test.confidence[sample, -1]
        for arm, threshold in enumerate(policy.arms):
            expected = 0.0 if edge >= threshold else max(last - edge, 0.0) - 0.05
            assert table[sample, arm] == pytest.approx(expected)


@pytest.mark.parametrize("name", ["mnist-cnn-8", "mnist-cnn-12", "digits-cnn-10"])
def test_pseudo_regret_is_sublinear_and_the_best_arm_is_found(name: str) -> None:
    profile = read_profile(name)
    test = profile.split("test")
    policy = adaee.bandit(profile, edge=1)
    runs = [adaee.run(profile, policy, [(test, JOBS)], seed=seed) for seed in range(8)]
    fit = adaee.fit(np.mean([run.regret for run in runs], axis=0))
    print(name, fit)
    assert fit.exponent < 0.8
    assert fit.late_share < 0.4  # a linear regret brings half of itself in the second half
    means = adaee.rewards(policy, test).mean(axis=0)
    found = [int(np.bincount(run.arms[-JOBS // 5 :]).argmax()) for run in runs]
    assert sum(arm == int(np.argmax(means)) for arm in found) >= 6
    # the oracle that sees every sample is another thing: nobody reaches it
    assert all(run.behind[-1] > run.regret[-1] for run in runs)


def test_side_observations_help() -> None:
    profile = read_profile("mnist-cnn-8")
    test = profile.split("test")
    regrets = {}
    for side in (True, False):
        runs = [adaee.run(profile, adaee.bandit(profile, edge=1, side=side), [(test, JOBS)], seed=s) for s in range(5)]
        regrets[side] = np.mean([run.regret[-1] for run in runs])
    assert regrets[True] < 0.7 * regrets[False]


@pytest.mark.parametrize("name", ["mnist-cnn-8", "mnist-cnn-12"])
def test_a_window_recovers_after_a_drift_and_an_average_does_not(name: str) -> None:
    """The deep exit loses three tenths of its confidence, or gets them back."""
    profile = read_profile(name)
    test = profile.split("test")
    faded = adaee.blurred(test, -1, 0.7)
    for phases in ([(test, JOBS), (faded, JOBS)], [(faded, JOBS), (test, JOBS)]):
        averaging, sliding = (
            adaee.run(profile, adaee.bandit(profile, edge=1, window=window), phases, seed=4) for window in (0, 1000)
        )
        assert sliding.best[0] != sliding.best[1]  # the drift moved the best arm
        after = adaee.recovery(sliding, JOBS)
        print(name, "recovered after", after, "averaging", adaee.recovery(averaging, JOBS))
        assert after is not None
        assert after <= 2000
        assert adaee.recovery(averaging, JOBS) is None
        assert sliding.regret[-1] - sliding.regret[JOBS] < 0.7 * (averaging.regret[-1] - averaging.regret[JOBS])


@pytest.mark.skipif(not have_numba(), reason="needs numba")
def test_compiled_and_plain_play_the_same_arms() -> None:
    profile = read_profile("digits-mlp-8")
    for policy in (adaee.bandit(profile, edge=1), adaee.bandit(profile, side=False, window=40, exploration=1.0)):
        runs = [
            adaee.run(profile, policy, [(profile.split("test"), 1500)], seed=1, compiled=flag) for flag in (True, False)
        ]
        np.testing.assert_array_equal(runs[0].arms, runs[1].arms)


def test_fits_tell_growth() -> None:
    t = np.arange(1, 20_001)
    assert adaee.fit(0.1 * t).exponent == pytest.approx(1.0, abs=1e-6)
    assert adaee.fit(0.1 * t).late_share == pytest.approx(0.5, abs=1e-3)
    assert adaee.fit(np.sqrt(t)).exponent == pytest.approx(0.5, abs=1e-6)
    assert adaee.fit(np.full(20_000, 3.0)).exponent == pytest.approx(0.0, abs=1e-9)
    logarithm = adaee.fit(5 * np.log(t))
    assert logarithm.slope == pytest.approx(5.0, rel=1e-3)
    assert logarithm.exponent < 0.2
