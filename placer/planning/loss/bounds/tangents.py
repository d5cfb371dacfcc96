"""Lines that lie above the accepted work φ(ρ) = ρ (1 − L(ρ)) of an M/D/1/K station.

A line is found as a tangent and then lifted until it is proven to lie above φ everywhere, so that nothing rests on φ
being concave (it is, on every grid that was looked at). Two facts do that: L is non-decreasing in ρ (shorter
service times admit at least as many of the same arrivals), hence on [a, b] φ(ρ) ≤ ρ (1 − L(a)), a straight line that is
compared at both ends; and φ ≤ 1, which covers what lies beyond the grid.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from placer.queueing.mg1k_exact import embedded
from placer.queueing.network import UNLIMITED, Floats, Ints

LARGEST = 512
"""Buffers beyond are treated as unlimited: never less accepted work, so a bound stays one."""

ERROR = 1e-3
"""Lines are added until the smallest of them is within this of φ on the grid."""

MOST_LINES = 16
FINE, BEND, COARSE, LAST = 2e-3, 2.0, 1.002, 64.0
"""Step of the grid up to ``BEND``; ratio of neighbours from there to ``LAST``."""


def accepted_share(capacity: Ints, load: Floats) -> Floats:
    """Share of Poisson arrivals that M/D/1/K stations accept, 1 − L.

    Args:
        capacity: shape (n,), K including the one in service; ``UNLIMITED`` accepts what it can serve.
        load: shape (n,), offered work ρ.
    """
    share = np.minimum(1.0, 1.0 / np.maximum(load, 1e-300))
    finite = np.flatnonzero((capacity != UNLIMITED) & (capacity <= LARGEST) & np.isfinite(load))
    if len(finite):
        stations = np.arange(len(finite))
        ones, zeros = np.ones(len(finite)), np.zeros(len(finite))
        share[finite] = 1.0 - embedded(capacity[finite], stations, ones, load[finite], zeros).loss
    return share


@lru_cache(maxsize=1024)
def lines(capacity: int) -> tuple[tuple[float, float], ...]:
    """Return (slope, intercept) pairs with φ(ρ) ≤ slope ρ + intercept for every ρ ≥ 0.

    The lines φ ≤ ρ and φ ≤ 1 hold anyway and are not among them; a station of unlimited capacity has no others.
    """
    if capacity == UNLIMITED or capacity > LARGEST:
        return ()
    grid = _grid()
    share = accepted_share(np.full(len(grid), capacity), grid)
    work = grid * share
    slope = np.gradient(work, grid)
    intercept = work - slope * grid
    # the two ends of the straight line above φ on each interval; see the module's docstring
    left, right = work[:-1], grid[1:] * share[:-1]
    envelope = np.minimum(grid, 1.0)
    found: list[tuple[float, float]] = []
    hopeless = np.zeros(len(grid), dtype=bool)
    while len(found) < MOST_LINES:
        gap = np.where(hopeless, 0.0, envelope - work)
        worst = int(np.argmax(gap))
        if gap[worst] < ERROR:
            break
        a, b = float(np.clip(slope[worst], 0.0, 1.0)), float(intercept[worst])
        b += max(
            float((left - a * grid[:-1] - b).max()),
            float((right - a * grid[1:] - b).max()),
            1.0 - a * float(grid[-1]) - b,
            0.0,
        )
        line = a * grid + b
        if line[worst] >= envelope[worst] - ERROR / 4:
            hopeless[worst] = True  # lifting ate the gain
            continue
        found.append((a, b))
        envelope = np.minimum(envelope, line)
    return tuple(found)


@lru_cache(maxsize=1)
def _grid() -> Floats:
    fine = np.arange(0.0, BEND, FINE)
    fine[0] = 1e-9
    steps = int(np.ceil(np.log(LAST / BEND) / np.log(COARSE)))
    return np.concatenate([fine, BEND * COARSE ** np.arange(steps + 1)])
