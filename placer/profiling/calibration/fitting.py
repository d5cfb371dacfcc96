"""Least squares for what a compute unit does: speed, bandwidth of reading weights, and a fixed time a layer.

A layer takes max(macs / speed, weights / bandwidth) + overhead (the roofline, Williams et al., CACM 52(4), 2009). Which
layers read and which compute is decided by their intensity, macs over weights: those below speed / bandwidth read. So
the layers that read are the first of some number in the order of intensity, every number is tried, and for each the
rest is linear; the best of those that agree with their own ridge is the optimum. Residuals are relative to the times:
a layer of 0.1 ms counts as much as one of a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.stats import t as student

Floats = NDArray[np.float64]
_LEVEL = 0.95
_LEAST_READERS = 3
"""Fewer layers than this say nothing of a bandwidth: one or two are slow for many reasons."""
_WORTH = 0.5
"""A bandwidth must leave at most this share of the squared residuals that remain without it."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; the interval is NaN where nothing is left over to estimate it from.

    Attributes:
        value: in SI units.
        low, high: ends of the interval; ``high`` may be infinite for a rate.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Fit:
    """What n layers say of a unit.

    Attributes:
        count: n.
        speed: multiply-accumulates per second; None where nothing says it.
        bandwidth: bytes of weights per second; None likewise.
        overhead: seconds a layer; None where it was not fitted.
        error: root of the mean squared relative residual.
    """

    count: int
    speed: Estimate | None
    bandwidth: Estimate | None
    overhead: Estimate | None
    error: float

    def seconds(self, macs: float, weights: float) -> float:
        """What the fit says of a layer."""
        work = macs / self.speed.value if self.speed else 0.0
        reading = weights / self.bandwidth.value if self.bandwidth else 0.0
        return max(work, reading) + (self.overhead.value if self.overhead else 0.0)


def fit(macs: Sequence[float], weights: Sequence[float], seconds: Sequence[float]) -> Fit | None:
    """Fit a unit to layers; None where no layer has work.

    Args:
        macs, weights, seconds: by layer, shape (n,); weights of 0 are unknown or none.
    """
    work, read, time = (np.asarray(figures, dtype=np.float64) for figures in (macs, weights, seconds))
    if not (work > 0).any():
        return None
    plain = _linear(work, np.zeros_like(work), time)
    best, readers = plain, np.zeros(len(time), dtype=bool)
    with np.errstate(divide="ignore", invalid="ignore"):
        intensity = np.where(read > 0, work / read, np.inf)
    order = np.argsort(intensity, kind="stable")
    for count in range(_LEAST_READERS, int(np.isfinite(intensity).sum()) + 1):
        first = np.zeros(len(time), dtype=bool)
        first[order[:count]] = True
        if count == len(time):
            break  # nothing would be left to say the speed
        found = _linear(np.where(first, 0.0, work), np.where(first, read, 0.0), time)
        if found is None or best is None or min(found.coefficients[:2]) <= 0:
            continue
        ridge = found.coefficients[1] / found.coefficients[0]
        agrees = intensity[order[count - 1]] <= ridge <= intensity[order[count]]
        if agrees and found.squares < best.squares and found.squares <= _WORTH * (plain.squares if plain else np.inf):
            best, readers = found, first
    return None if best is None else best.report(bool(readers.any()))


def fit_reading(weights: Sequence[float], seconds: Sequence[float]) -> Fit:
    """Fit a bandwidth, and from three sizes on a fixed time, to layers that are known to read.

    Args:
        weights, seconds: by layer, shape (n,).
    """
    read, time = np.asarray(weights, dtype=np.float64), np.asarray(seconds, dtype=np.float64)
    found = _linear(np.zeros_like(read), read, time)
    assert found is not None
    return found.report(True)


@dataclass(frozen=True, eq=False)
class _Linear:
    """Seconds = a · macs + b · weights + c with relative residuals.

    Attributes:
        coefficients: (a, b, c), shape (3,); 0 for what was left out.
        spread: their standard errors, shape (3,); NaN where unknown.
        kept: which were fitted, shape (3,).
        squares: sum of squared relative residuals.
        count: number of layers.
    """

    coefficients: Floats
    spread: Floats
    kept: NDArray[np.bool_]
    squares: float
    count: int

    def report(self, reading: bool) -> Fit:
        """As rates with their intervals."""
        reach = student.ppf(0.5 + _LEVEL / 2, max(self.count - int(self.kept.sum()), 1))
        low, high = self.coefficients - reach * self.spread, self.coefficients + reach * self.spread

        def rate(index: int) -> Estimate | None:
            pace = float(self.coefficients[index])
            if not self.kept[index] or pace <= 0:
                return None
            return Estimate(
                1 / pace, 1 / float(high[index]), 1 / float(low[index]) if low[index] > 0 else _top(low[index])
            )

        fixed = Estimate(float(self.coefficients[2]), max(float(low[2]), 0.0), float(high[2])) if self.kept[2] else None
        return Fit(self.count, rate(0), rate(1) if reading else None, fixed, float(np.sqrt(self.squares / self.count)))


def _top(low: float) -> float:
    """The upper end of a rate whose pace may be 0, or is unknown."""
    return float("nan") if np.isnan(low) else float("inf")


def _linear(work: Floats, read: Floats, time: Floats) -> _Linear | None:
    """Fit with a fixed time where there are three different amounts of work, else without; nothing below zero."""
    base = np.array([(work > 0).any(), (read > 0).any(), False])
    different = len(np.unique(np.column_stack([work, read]), axis=0))
    with_fixed = base | np.array([False, False, different >= int(base.sum()) + 2])
    for kept in (with_fixed, base):
        if different < int(kept.sum()):
            continue
        features = np.column_stack([work, read, np.ones_like(time)])[:, kept] / time[:, None]
        scale = np.linalg.norm(features, axis=0)
        found, _ = nnls(features / scale, np.ones_like(time))
        if (found <= 0).any() and kept is with_fixed and kept[2]:
            continue  # a figure at its bound has no interval: the others without a fixed time
        if (found <= 0).any():
            return None
        residuals = features / scale @ found - 1.0
        free = len(time) - int(kept.sum())
        covariance = np.linalg.pinv((features / scale).T @ (features / scale))
        errors = (
            np.sqrt(np.diag(covariance) * (residuals @ residuals) / free) if free > 0 else np.full(len(found), np.nan)
        )
        coefficients, spread = np.zeros(3), np.full(3, np.nan)
        coefficients[kept], spread[kept] = found / scale, errors / scale
        return _Linear(coefficients, spread, kept, float(residuals @ residuals), len(time))
    return None
