"""Slow and simple answers to compare the schedulers with."""

from __future__ import annotations

from itertools import combinations, combinations_with_replacement

import numpy as np

from placer.exits.profile import Profile
from placer.exits.station import CLIP, Station
from placer.queueing import mg1k
from placer.queueing.network import Floats


def made_up(mean: Floats, scv: Floats, accuracy: Floats) -> Profile:
    unknown = np.full(len(mean), np.nan)
    names = tuple(f"exit-{i + 1}" for i in range(len(mean)))
    return Profile("made-up", names, mean, scv, accuracy, unknown, unknown, unknown, unknown)


def random_profile(rng: np.random.Generator, most: int = 9) -> Profile:
    count = int(rng.integers(3, most + 1))
    accuracy = np.sort(rng.uniform(0.3, 0.98, count))
    if rng.random() < 0.3:
        accuracy = rng.permutation(accuracy)  # not monotone in depth: such networks exist
    scv = rng.uniform(0.0, 1.0, count) * rng.choice([0.0, 0.1, 1.0, 3.0])
    return made_up(np.sort(rng.uniform(0.01, 1.0, count)), scv, accuracy)


def enumerate_supports(profile: Profile, station: Station, limit: float) -> float:
    """Best accuracy of shares of one, two or three exits within the loss of the formula; -inf if there are none."""
    t, q, a = station.rate * profile.mean, station.rate**2 * profile.second_moment, profile.accuracy
    pairs = np.array(list(combinations(range(len(t)), 2)))
    triples = np.array(list(combinations(range(len(t)), 3)))

    def best_at(m: Floats) -> Floats:
        with np.errstate(invalid="ignore"):
            square = m**2 * (1.0 + mg1k.scv_max(m, limit, station.capacity, clip=CLIP))
        square = np.where(np.isnan(square), np.inf, square)[:, None]
        i, j = pairs.T
        with np.errstate(divide="ignore", invalid="ignore"):
            high = (m[:, None] - t[i]) / (t[j] - t[i])
            use = (high >= 0) & (high <= 1) & ((1 - high) * q[i] + high * q[j] <= square * (1 + 1e-12))
        two = np.where(use, (1 - high) * a[i] + high * a[j], -np.inf).max(axis=1)
        i, j, k = triples.T
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            determinant = (t[j] - t[i]) * (q[k] - q[i]) - (t[k] - t[i]) * (q[j] - q[i])
            right, above = m[:, None] - t[i], square - q[i]
            second = (right * (q[k] - q[i]) - (t[k] - t[i]) * above) / determinant
            third = ((t[j] - t[i]) * above - right * (q[j] - q[i])) / determinant
            first = 1 - second - third
            use = (first >= 0) & (second >= 0) & (third >= 0)
        three = np.where(use, first * a[i] + second * a[j] + third * a[k], -np.inf).max(axis=1)
        return np.maximum(two, three)

    grid = np.unique(np.append(np.linspace(t.min(), t.max(), 250), t))
    found = best_at(grid)
    best = found.max()
    if not np.isfinite(best):
        return float(best)
    for top in np.argsort(found)[-3:]:
        low, high = grid[max(top - 1, 0)], grid[min(top + 1, len(grid) - 1)]
        for _ in range(5):
            fine = np.linspace(low, high, 24)
            values = best_at(fine)
            at = int(np.argmax(values))
            best = max(best, values[at])
            low, high = fine[max(at - 1, 0)], fine[min(at + 1, 23)]
    return float(best)


def all_counts(worth: Floats, times: Floats, jobs: int, budget: float) -> float | None:
    """Best worth of any multiset of exits within the budget; None when none fits."""
    best = None
    for chosen in combinations_with_replacement(range(len(times)), jobs):
        if times[list(chosen)].sum() <= budget:
            value = float(worth[list(chosen)].sum())
            best = value if best is None else max(best, value)
    return best
