"""Counts of Markovian arrivals in constant times, by squaring and by the plain sum over the steps of the chain."""

from __future__ import annotations

import numpy as np
import pytest

from placer.queueing import counting
from placer.queueing.counting import count_matrices, counts_within


def process(seed: int, phases: int, kinds: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """A random Markovian arrival process with batches: hidden (m, m), events (E, m, m), batch (E,)."""
    rng = np.random.default_rng(seed)
    hidden = rng.exponential(1.0, (phases, phases)) * (rng.random((phases, phases)) < 0.6)
    events = rng.exponential(1.0, (kinds, phases, phases)) * (rng.random((kinds, phases, phases)) < 0.6)
    np.fill_diagonal(hidden, 0.0)
    np.fill_diagonal(hidden, -hidden.sum(axis=1) - events.sum(axis=(0, 2)) - 0.1)
    hidden += 0.1 * np.eye(phases)
    return hidden, events, rng.integers(1, 4, kinds)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("most", [1, 2, 7])
def test_squaring_is_the_plain_sum(seed: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden, events, batch = process(seed, 1 + seed % 4, 1 + seed % 2)
    rate = float(-np.diag(hidden).min())
    times = np.array([0.0, 0.3, 5.0, 400.0]) / rate
    plain = count_matrices(hidden, events, batch, rate, most, counting._poisson_rows(rate, times))
    squared: list[int] = []
    twice = counting._twice
    monkeypatch.setattr(counting, "_twice", lambda counts: (squared.append(1), twice(counts))[1])
    found = counts_within(hidden, events, batch, times, most)
    assert found == pytest.approx(plain, rel=1e-9, abs=1e-300)
    assert found.sum(axis=(2, 3)) == pytest.approx(1.0, abs=1e-11)
    long = counts_within(hidden, events, batch, times[3:], most)
    assert squared
    assert long[0] == pytest.approx(plain[3], rel=1e-9, abs=1e-300)


def test_many_times_share_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_twice", lambda counts: pytest.fail("squared"))
    hidden, events, batch = process(1, 3, 1)
    found = counts_within(hidden, events, batch, np.linspace(1.0, 3.0, 50), 4)
    assert found.sum(axis=(2, 3)) == pytest.approx(1.0, abs=1e-11)
