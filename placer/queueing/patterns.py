"""Arrivals by the clock: instants that repeat with a period, of one or several streams.

The streams of a :class:`Pattern` are periodic processes and traces. Where their periods have a common multiple, the
phases between them decide what is lost, for ever: a phase that nobody states is taken as uniform and independent,
which is what the simulator draws, and the answers are those of a set of such phases that fills the space evenly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np

from placer.queueing.network import Arrivals, Floats, Ints, Process

MOST_INSTANTS = 3000
"""Instants in a common period of several streams; beyond, a window of that many stands for it."""

LONGEST_TRACE = 20_000
"""The same for a stream alone."""

SAME_RATIO = 1e-9
"""Relative difference below which a ratio of periods counts as a fraction."""


@dataclass(frozen=True)
class Clock:
    """One stream.

    Attributes:
        period: s.
        instants: shape (n,), within the period, s.
        stated: whether its phase is known; otherwise it is uniform over the period.
        batch: jobs at each instant.
    """

    period: float
    instants: Floats
    stated: bool
    batch: int = 1

    @property
    def rate(self) -> float:
        """Instants per second."""
        return len(self.instants) / self.period


@dataclass(frozen=True)
class Pattern:
    """Several streams together, for P sets of phases; L instants in the period.

    Attributes:
        period: s, of the whole.
        instants: shape (P, L), increasing along a row, from 0 on, s.
        stream: shape (P, L), whose instant it is.
        repeats: whether the pattern really repeats; a window otherwise.
        phases_matter: whether the rows differ by phases that nobody stated.
    """

    period: float
    instants: Floats
    stream: Ints
    repeats: bool
    phases_matter: bool


def clock_of(arrivals: Arrivals, batch: int = 1) -> Clock:
    """The clock of a periodic process or a trace."""
    if arrivals.process == Process.TRACE:
        period = float(arrivals.times[-1]) + 1.0 / arrivals.rate
        return Clock(period, np.asarray(arrivals.times, dtype=np.float64), True, batch)
    gap = 1.0 / arrivals.rate
    if arrivals.phase is None:
        return Clock(gap, np.zeros(1), False, batch)
    return Clock(gap, np.array([float(arrivals.phase) % gap]), True, batch)


def pattern_of(clocks: Sequence[Clock], points: int) -> Pattern:
    """Superpose clocks.

    Args:
        clocks: the streams; at equal instants the first comes first.
        points: sets of phases to use where unstated phases matter.
    """
    period, repeats = _common_period(clocks)
    loose = [c for c, clock in enumerate(clocks) if not clock.stated]
    if len(loose) == len(clocks):
        loose = loose[1:]  # only phases between streams matter
    free = loose if repeats else []
    shifts = np.zeros((points if free else 1, len(clocks)))
    for d, c in enumerate(free):
        shifts[:, c] = _even(points, d, len(free)) * clocks[c].period
    if not repeats:
        for d, c in enumerate(loose):
            shifts[:, c] = _even(1, d, len(loose)) * clocks[c].period
    rows, owners = [], []
    for row in shifts:
        times, owner = [], []
        for c, clock in enumerate(clocks):
            laps = int(np.ceil(period / clock.period - 1e-9)) + 1
            all_laps = (np.arange(-1, laps)[:, None] * clock.period + clock.instants).ravel() + row[c]
            all_laps = all_laps[(all_laps > -1e-9 * period) & (all_laps < period * (1.0 - 1e-9))]
            all_laps = np.repeat(np.maximum(all_laps, 0.0), clock.batch)
            times.append(all_laps)
            owner.append(np.full(len(all_laps), c))
        together, mine = np.concatenate(times), np.concatenate(owner)
        order = np.lexsort((mine, together))
        rows.append(together[order])
        owners.append(mine[order])
    least = min(len(row) for row in rows)
    instants = np.array([row[:least] for row in rows])
    stream = np.array([owner[:least] for owner in owners], dtype=np.int64)
    return Pattern(period, instants, stream, repeats, bool(free))


def _common_period(clocks: Sequence[Clock]) -> tuple[float, bool]:
    """Smallest time after which all clocks repeat; a window and False when there is none of reasonable length."""
    base = clocks[0].period
    if len(clocks) == 1 and len(clocks[0].instants) * clocks[0].batch <= LONGEST_TRACE:
        return base, True
    multiples = []
    for clock in clocks:
        ratio = clock.period / base
        fraction = Fraction(ratio).limit_denominator(1000)
        if fraction == 0 or abs(float(fraction) - ratio) > SAME_RATIO * ratio:
            return _window(clocks), False
        multiples.append(fraction)
    bottom = lcm(*(fraction.denominator for fraction in multiples))
    whole = lcm(*(int(fraction * bottom) for fraction in multiples))
    period = base * whole / bottom
    if sum(clock.rate * clock.batch for clock in clocks) * period > MOST_INSTANTS:
        return _window(clocks), False
    return period, True


def _window(clocks: Sequence[Clock]) -> float:
    rate = sum(clock.rate * clock.batch for clock in clocks)
    if len(clocks) == 1:
        return LONGEST_TRACE / rate
    return max(MOST_INSTANTS / rate, 3.0 * max(1.0 / clock.rate for clock in clocks))


def _even(points: int, dimension: int, dimensions: int) -> Floats:
    """One coordinate of points that fill a unit cube evenly: midpoints in one dimension, else Roberts' sequence."""
    if dimensions == 1:
        return np.asarray((np.arange(points) + 0.5) / points)
    root = 2.0
    for _ in range(60):
        root = (1.0 + root) ** (1.0 / (dimensions + 1))
    return np.asarray((0.5 + (np.arange(points) + 1.0) / root ** (dimension + 1)) % 1.0)
