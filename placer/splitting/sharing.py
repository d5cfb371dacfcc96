"""Many users share one server: partition points and shares of its cores together (Tang et al., IEEE IoT J. 2021).

User i with f units of the server needs T_i(f) = min over cuts of device + upload + server / speed(f). All users wait
for the slowest: minimise max_i T_i(f_i) with Σ f_i ≤ β. More units never hurt (the measured speeds are made
monotone), so T_i does not increase, and the smallest share that keeps a threshold is all that a user needs: binary
search over the thresholds is exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Shares:
    """Who gets what.

    Attributes:
        units: shape (N,), units of each user.
        latency: shape (N,), seconds of each user with them.
        moves: units moved by the alternating method; 0 for the others.
    """

    units: Ints
    latency: Floats
    moves: int = 0

    @property
    def worst(self) -> float:
        """Latency of the slowest user in s."""
        return float(self.latency.max())


def speeds(speedup: Mapping[int, float], cores: int, units: int) -> Floats:
    """Speed of the server by units given, relative to one core: shape (units + 1,), 0 for none.

    Linear between the cores measured, and below one core (a core is shared by time). Measured speeds that fall with
    more cores are made monotone: whoever gets n cores may leave some idle. Beyond the largest count measured the speed
    stays.

    Args:
        speedup: measured speed on n cores over that on one, by n.
        cores: cores of the server.
        units: equal parts that they are dealt in.
    """
    table = {0: 0.0, 1: 1.0} | {int(n): float(value) for n, value in speedup.items()}
    counts = np.array(sorted(table), dtype=float)
    measured = np.maximum.accumulate([table[int(n)] for n in counts])
    speed: Floats = np.interp(np.arange(units + 1) * (cores / units), counts, measured)
    return speed


def exact(table: Floats, kinds: Ints | None = None) -> Shares:
    """Return the shares with the smallest largest latency; what is left helps the slowest users first.

    Args:
        table: shape (U, β + 1), T_u(f) in s, not increasing in f; inf where a user cannot run with f units.
        kinds: shape (N,), row of each user; a row a user when None. Users that are alike share one.

    Raises:
        ValueError: when β units do not suffice to run everybody.
    """
    kinds = _kinds(table, kinds)
    values = np.unique(table[np.isfinite(table)])
    low, high = 0, len(values) - 1
    if high < 0 or _need(table, values[high])[kinds].sum() > table.shape[1] - 1:
        raise ValueError("the server has too few units for everybody to run")
    while low < high:
        middle = (low + high) // 2
        if _need(table, values[middle])[kinds].sum() <= table.shape[1] - 1:
            high = middle
        else:
            low = middle + 1
    return _shares(table, kinds, _hand_out(table, kinds, _need(table, values[high])[kinds]))


def _kinds(table: Floats, kinds: Ints | None) -> Ints:
    return np.arange(len(table)) if kinds is None else kinds


def _hand_out(table: Floats, kinds: Ints, units: Ints) -> Ints:
    """Give what is left to the slowest users whom it helps, each the fewest units that do."""
    units, left = units.copy(), table.shape[1] - 1 - int(units.sum())
    rising = -table
    for user in np.argsort(-table[kinds, units], kind="stable"):
        row = rising[kinds[user]]
        # with all that is left the user gets this quick: the fewest units that do it
        best = int(np.searchsorted(row, row[units[user] + left]))
        left -= max(best - int(units[user]), 0)
        units[user] = max(best, int(units[user]))
    return units


def _need(table: Floats, threshold: float) -> Ints:
    """Smallest share of each kind of user that keeps a threshold, shape (U,); more than β where none does."""
    need: Ints = (table > threshold).sum(axis=1)
    # who cannot keep it asks for β + 1, more than there is
    return need


def by_dynamic_programme(table: Floats) -> float:
    """Return the smallest largest latency by a recursion over users, in O(N β²): an independent check of ``exact``."""
    best = np.full(table.shape[1], -np.inf)
    for row in table:
        best = np.array([np.maximum(best[: b + 1], row[b::-1]).min() for b in range(len(best))])
    return float(best[-1])


def equal(table: Floats, kinds: Ints | None = None) -> Shares:
    """Return equal shares; units that do not divide go to the first users, one each. Arguments as of ``exact``."""
    kinds = _kinds(table, kinds)
    users, units = len(kinds), table.shape[1] - 1
    shares = np.full(users, units // users, dtype=np.int64)
    shares[: units % users] += 1
    return _shares(table, kinds, shares)


def alternating(table: Floats, step: int | None = None, halve: bool = True, kinds: Ints | None = None) -> Shares:
    """Return the shares of the published iteration, with the best cut for every share on the way.

    From equal shares on: the user who would be quickest after losing ``step`` units gives them to the slowest one, as
    long as the largest latency drops. With ``halve`` the step is halved down to one unit when it does not.

    Args:
        table: shape (U, β + 1), T_u(f) in s.
        step: units moved at once (τ); an equal share when None.
        halve: the variant that halves τ.
        kinds: shape (N,), row of each user; a row a user when None.
    """
    kinds = _kinds(table, kinds)
    start = equal(table, kinds)
    step = step or max((table.shape[1] - 1) // len(kinds), 1)
    units, latency = start.units.copy(), start.latency.copy()
    moves = 0
    while True:
        slowest = int(latency.argmax())
        after = np.where(units >= step, table[kinds, np.maximum(units - step, 0)], np.inf)
        after[slowest] = np.inf
        donor = int(after.argmin())
        trial = latency.copy()
        if np.isfinite(after[donor]) and donor != slowest:
            trial[donor] = after[donor]
            trial[slowest] = table[kinds[slowest], units[slowest] + step]
        if trial.max() < latency.max():
            units[donor] -= step
            units[slowest] += step
            latency, moves = trial, moves + step
        elif halve and step > 1:
            step //= 2
        else:
            return Shares(units, latency, moves)


def _shares(table: Floats, kinds: Ints, units: Ints) -> Shares:
    return Shares(units, table[kinds, units])
