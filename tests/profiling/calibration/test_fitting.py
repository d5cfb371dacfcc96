"""Least squares for a compute unit: against every assignment of layers, exact where exact, intervals that hold."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from placer.profiling.calibration.fitting import fit, fit_reading

RATES = st.floats(1e6, 1e13)


def roofline(macs: np.ndarray, weights: np.ndarray, speed: float, bandwidth: float, overhead: float) -> np.ndarray:
    return np.maximum(macs / speed, weights / bandwidth) + overhead


@settings(max_examples=60, deadline=None)
@given(RATES, st.floats(1e-7, 1e-2), st.integers(3, 12), st.integers(0, 10**6))
def test_what_was_made_from_a_line_comes_back(speed: float, overhead: float, count: int, seed: int) -> None:
    macs = np.random.default_rng(seed).uniform(0.1, 2.0, count) * speed * 1e-2
    found = fit(macs, np.zeros(count), macs / speed + overhead)
    assert found is not None
    assert found.speed is not None
    assert found.overhead is not None
    assert found.speed.value == pytest.approx(speed, rel=1e-5)
    assert found.overhead.value == pytest.approx(overhead, rel=1e-3, abs=1e-9)
    assert found.bandwidth is None
    assert found.error < 1e-6
    assert found.seconds(5 * speed, 0.0) == pytest.approx(5 + overhead, rel=1e-4)


@pytest.mark.parametrize("seed", range(20))
def test_the_roofline_against_every_assignment(seed: int) -> None:
    """The squares that remain are the least over all ways to say which layers read, of those that agree with it."""
    rng = np.random.default_rng(seed)
    count = 8
    macs = rng.uniform(1e6, 3e8, count)
    weights = np.where(
        np.arange(count) < 4, macs * 10 ** rng.uniform(-4, -2, count), macs * 10 ** rng.uniform(0, 1, count)
    )
    time = roofline(macs, weights, 8e9, 3e9, 2e-4) * np.exp(rng.normal(0, 0.03, count))
    found = fit(macs, weights, time)
    assert found is not None
    assert found.speed is not None
    assert found.bandwidth is not None
    best = math.inf
    for reads in itertools.product((False, True), repeat=count):
        mask = np.array(reads)
        if not 3 <= mask.sum() < count:
            continue
        features = (
            np.column_stack([np.where(mask, 0, macs), np.where(mask, weights, 0), np.ones(count)]) / time[:, None]
        )
        scale = np.linalg.norm(features, axis=0)
        pace, residual = nnls(features / scale, np.ones(count))
        pace = pace / scale
        if min(pace[:2]) > 0 and all(
            (w * pace[1] >= m * pace[0]) == r for m, w, r in zip(macs, weights, mask, strict=True)
        ):
            best = min(best, residual**2)
    assert found.error**2 * count == pytest.approx(best, rel=1e-6, abs=1e-12)
    assert found.speed.value == pytest.approx(8e9, rel=0.2)
    assert found.bandwidth.value == pytest.approx(3e9, rel=0.2)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng, held, fixed, both = np.random.default_rng(7), 0, 0, 0
    for _ in range(400):
        macs = rng.uniform(1e6, 3e8, 12)
        found = fit(macs, np.zeros(12), (macs / 8e9 + 5e-3) * (1 + rng.normal(0, 0.05, 12)))
        assert found is not None
        assert found.speed is not None
        held += found.speed.low <= 8e9 <= found.speed.high
        if found.overhead is not None:
            both += 1
            fixed += found.overhead.low <= 5e-3 <= found.overhead.high
    assert both == 400
    assert 0.92 < held / 400 < 0.98
    assert 0.92 < fixed / 400 < 0.98


def test_little_says_little() -> None:
    one = fit([1e8], [0.0], [0.01])
    assert one is not None
    assert one.speed is not None
    assert one.speed.value == 1e10
    assert math.isnan(one.speed.low)
    assert math.isnan(one.speed.high)
    assert one.overhead is None
    two = fit([1e8, 2e8], [0.0, 0.0], [0.01, 0.021])
    assert two is not None
    assert two.overhead is None
    assert fit([0.0, 0.0], [1.0, 2.0], [0.1, 0.2]) is None


def test_a_fixed_time_below_zero_is_none() -> None:
    found = fit([1e8, 2e8, 3e8], [0.0] * 3, [0.008, 0.02, 0.04])
    assert found is not None
    assert found.overhead is None
    assert found.speed is not None
    assert found.speed.low < found.speed.value < found.speed.high


def test_an_interval_that_reaches_zero_has_no_upper_end() -> None:
    found = fit([1e8, 1.1e8, 1.2e8, 1.3e8], [0.0] * 4, [0.05, 0.02, 0.06, 0.05])
    assert found is not None
    assert found.speed is not None
    assert found.speed.high >= found.speed.value > found.speed.low > 0


def test_reading() -> None:
    found = fit_reading([2e9, 9e9, 42e9], [size / 1e11 + 2e-3 for size in (2e9, 9e9, 42e9)])
    assert found.bandwidth is not None
    assert found.overhead is not None
    assert found.bandwidth.value == pytest.approx(1e11)
    assert found.overhead.value == pytest.approx(2e-3)
    assert found.speed is None
    single = fit_reading([4e9], [0.5])
    assert single.bandwidth is not None
    assert single.bandwidth.value == pytest.approx(8e9)
