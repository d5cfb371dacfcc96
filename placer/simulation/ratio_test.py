"""Whether a ratio of means over independent runs keeps a limit.

The ratio p = E[X]/E[N] (lost of offered jobs, response time per completed job, long response times of completed jobs)
is held against a limit p0 by Student's t of X − p N over the runs. The variance of a count is taken *at the limit*,
where it is p0/p times what was seen, so that a run of luck does not pretend to be sure (a score test; Wilson's interval
is the same idea for a binomial).

A variance that is estimated from a handful of sightings is worth nothing. Where fewer than ``SURE`` runs in effect
carry the count, it is at least that of sightings that come in crowds; with nothing seen at all the upper end of the
interval is t² crowds per job: the rule of three, at this level and for crowds.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan, sqrt

import numpy as np

from placer.queueing.network import Floats

SURE = 12.0
"""Runs that in effect carry a count, (Σx)²/Σx², from which their spread is believed."""

FEWEST = 4.0
"""Degrees of freedom at least: below, the crowds say more than the spread."""

EQUAL = 1e-12
"""Relative; a constant ratio this near a limit keeps it."""


@dataclass(frozen=True)
class Crowd:
    """How sightings may come.

    Attributes:
        size: sightings at one go.
        weight: what one stands for (splitting).
    """

    size: float
    weight: float = 1.0


@dataclass(frozen=True)
class RatioTest:
    """What the runs say.

    Attributes:
        decided: whether the limit lies outside the interval.
        below: whether the estimate keeps the limit.
        estimate: of the ratio, NaN when no run counted anything to divide by.
        half_width: of its interval.
        missing: how many times as much simulation would decide it, if everything stayed as it is.
    """

    decided: bool
    below: bool
    estimate: float
    half_width: float
    missing: float


def tested(counts: Floats, per: Floats, limit: float, alpha: float, crowd: Crowd | None) -> RatioTest:
    """Test one limit.

    Args:
        counts, per: X and N of each run, shape (R,).
        limit: p0.
        alpha: probability at most of a wrong decision at this look.
        crowd: how sightings may come; None when X is no count.
    """
    runs, total = len(counts), float(per.sum())
    if total <= 0:
        return RatioTest(False, False, nan, nan, inf)
    ratio = float(counts.sum()) / total
    from scipy.special import stdtrit  # here, as most commands that import this module never simulate

    carriers = _carriers(counts)
    few = crowd is not None and carriers < SURE
    # A spread to which few runs contribute is as unsure as that of few runs.
    quantile = float(stdtrit(runs - 1 if carriers == 0 else max(min(carriers, runs) - 1, FEWEST), 1 - alpha / 2))

    def error(at: float) -> float:
        """Standard error of the ratio if it were ``at``."""
        variance = float(np.var(counts - ratio * per, ddof=1))
        if crowd is not None and ratio > 0:  # the variance of a count grows as its mean
            variance *= max(at / ratio, 1.0)
        if few and crowd is not None:
            variance = max(variance, crowd.size * crowd.weight * at * total / runs)
        return sqrt(variance / runs) / (total / runs)

    half = quantile * error(ratio)
    if few and crowd is not None:
        unit = quantile**2 * crowd.size * crowd.weight / total
        half = max(half, unit / 2 + sqrt(unit * ratio + unit**2 / 4))
    distance, spread = abs(ratio - limit), quantile * error(limit)
    constant = not few and spread <= EQUAL * limit
    decided = constant or distance > spread
    below = ratio <= limit * (1 + (EQUAL if constant else 0))
    missing = 1.0 if decided else (spread / distance) ** 2 if distance > 0 else inf
    return RatioTest(decided, below, ratio, half, missing)


def _carriers(counts: Floats) -> float:
    squares = float((counts**2).sum())
    return float(counts.sum()) ** 2 / squares if squares > 0 else 0.0
