"""The single-exit scheduler with a queueing model: which share of the jobs goes to which exit.

Casale and Roveri, *Scheduling Inputs in Early Exit Neural Networks*, IEEE Trans. Computers 2023. With p_l the
probability of exit l, ``E[S] = t p`` and ``E[S²] = q p`` are linear. At a fixed mean m the loss limit of the
two-moment formula is exactly ``E[S²] <= m² (1 + scv_max(lambda m))``, a linear program. Over m the optimum is
certified by interval branch and bound: on [lo, hi] ``m² <= (lo + hi) m - lo hi``, and scv_max does not rise
with m, so with ``k = 1 + scv_max(lambda lo)`` the program ``lo <= t p <= hi, q p - k (lo + hi) t p <= -k lo hi``
bounds every point of the interval from above. Everything is in units of 1/lambda.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np

from placer.errors import InfeasibleError, UnansweredError
from placer.exits.profile import Profile
from placer.exits.station import CLIP, Station, evaluate_mixture, formula_loss
from placer.instance.units import show_fraction
from placer.queueing import mg1k
from placer.queueing.network import Floats
from placer.solver.highs import LinearProgram

GAP = 1e-5
GRID = 33
GOLDEN = 0.6180339887498949
KEPT = 1e-10
"""A loss this much above the limit is rounding."""


@dataclass(frozen=True)
class Shares:
    """An answer of the scheduler.

    Attributes:
        probabilities: shape (L,), of each exit; at most three are positive.
        accuracy: right answers per completed job.
        bound: no shares within the limit have more.
        loss: by the formula that the limit was put to.
        programs: linear programs solved.
        limit: the limit that the program was given (it differs from the user's after a correction).
    """

    probabilities: Floats
    accuracy: float
    bound: float
    loss: float
    programs: int
    limit: float

    @property
    def gap(self) -> float:
        """``bound - accuracy``."""
        return max(self.bound - self.accuracy, 0.0)


@dataclass
class _Search:
    """The program of one profile, its incumbent, and how to look for a better one."""

    profile: Profile
    station: Station
    limit: float
    best: Floats | None = None
    accuracy: float = -np.inf
    programs: int = 0
    load: Floats = field(init=False)
    square: Floats = field(init=False)
    program: LinearProgram = field(init=False)

    def __post_init__(self) -> None:
        self.load = self.station.rate * self.profile.mean
        self.square = self.station.rate**2 * self.profile.second_moment
        count = len(self.profile)
        # columns: the shares, then M = t p and Q = q p, so that a change of the interval touches one entry
        rows = np.zeros((4, count + 2))
        rows[0, :count] = 1.0
        rows[1, :count], rows[1, count] = self.load, -1.0
        rows[2, :count], rows[2, count + 1] = self.square, -1.0
        rows[3, count], rows[3, count + 1] = -1.0, 1.0
        cost = np.append(-self.profile.accuracy, (0.0, 0.0))
        self.program = LinearProgram(cost, rows, [1.0, 0.0, 0.0, -np.inf], [1.0, 0.0, 0.0, np.inf])

    def allowed(self, m: float) -> float:
        """Largest ``E[S²]/m²`` within the limit at mean load m."""
        return 1.0 + float(mg1k.scv_max(m, self.limit, self.station.capacity, clip=CLIP))

    def _solve(self, lo: float, hi: float, slope: float, right: float) -> tuple[float, Floats] | None:
        """Best accuracy and shares with ``lo <= M <= hi`` and ``Q - slope M <= right``; None when there are none."""
        count = len(self.profile)
        self.program.set_column(count, lo, hi)
        self.program.set_row(3, -np.inf, right, {count: -slope})
        self.programs += 1
        status, objective, values = self.program.solve()
        return (-objective, values[:count]) if status == "optimal" else None

    def bound(self, lo: float, hi: float) -> tuple[float, float] | None:
        """Upper bound over an interval of mean loads, and the mean load that it is found at."""
        k = self.allowed(lo)
        if k < 1.0:  # E[S²] >= E[S]² for any law
            return None
        free = not np.isfinite(k)
        found = self._solve(lo, hi, 0.0, np.inf) if free else self._solve(lo, hi, k * (lo + hi), -k * lo * hi)
        if found is None:
            return None
        self.offer(found[1])
        return found[0], float(np.clip(found[1] @ self.load, lo, hi))

    def at(self, m: float) -> float:
        """Best accuracy at exactly this mean load, -inf when the limit cannot be kept there."""
        k = self.allowed(m)
        if k < 1.0:
            return -np.inf
        for slack in (0.0, 1e-9, 1e-7):
            found = self._solve(m, m, 0.0, k * m * m * (1.0 - slack))
            if found is None:
                return -np.inf
            if self.offer(found[1]):
                return found[0]
        return -np.inf

    def offer(self, shares: Floats) -> bool:
        """Take shares as the incumbent if they keep the limit and are better; whether they keep it."""
        p = np.maximum(shares, 0.0)
        p /= p.sum()
        if formula_loss(p, self.profile.mean, self.profile.scv, self.station) > self.limit + KEPT:
            return False
        accuracy = float(p @ self.profile.accuracy)
        if accuracy > self.accuracy:
            self.best, self.accuracy = p, accuracy
        return True

    def first(self, lo: float, hi: float) -> None:
        """Find a good incumbent: single exits, a grid of mean loads, golden section around its best point."""
        for exit_ in np.eye(len(self.profile)):
            self.offer(exit_)
        grid = np.linspace(lo, hi, GRID)
        values = [self.at(float(m)) for m in grid]
        top = int(np.argmax(values))
        if not np.isfinite(values[top]):
            return
        a, b = float(grid[max(top - 1, 0)]), float(grid[min(top + 1, GRID - 1)])
        c, d = b - GOLDEN * (b - a), a + GOLDEN * (b - a)
        at_c, at_d = self.at(c), self.at(d)
        while b - a > 1e-6 * (hi - lo) and b > a:
            if at_c >= at_d:
                b, d, at_d = d, c, at_c
                c = b - GOLDEN * (b - a)
                at_c = self.at(c)
            else:
                a, c, at_c = c, d, at_d
                d = a + GOLDEN * (b - a)
                at_d = self.at(d)


def solve(profile: Profile, station: Station, max_loss: float, *, gap: float = GAP, programs: int = 20_000) -> Shares:
    """Find the shares of the exits with the best accuracy within a loss limit of the two-moment formula.

    Args:
        profile: its ``accuracy`` is maximised (put confidences there for the variant without labels).
        station: arrivals and room.
        max_loss: Lmax.
        gap: stop when bound and accuracy are this close.
        programs: stop after this many linear programs; the gap is then open and says so.

    Raises:
        InfeasibleError: no shares keep the limit (proven).
    """
    search = _Search(profile, station, max_loss)
    lo, hi = float(search.load.min()), float(search.load.max())
    search.first(lo, hi)
    heap: list[tuple[float, float, float]] = []

    def push(a: float, b: float) -> None:
        found = search.bound(a, b)
        if found is not None and found[0] > search.accuracy + gap:
            search.at(found[1])
            if found[0] > search.accuracy + gap:
                heapq.heappush(heap, (-found[0], a, b))

    push(lo, hi)
    while heap and search.programs < programs:
        top, a, b = heap[0]
        if -top <= search.accuracy + gap or b - a <= 1e-13 * hi:
            break
        heapq.heappop(heap)
        middle = 0.5 * (a + b)
        push(a, middle)
        push(middle, b)
    if search.best is None and heap and search.programs >= programs:
        raise UnansweredError(f"no shares within the limit were found by {programs} linear programs, and none excluded")
    if search.best is None:
        raise InfeasibleError(
            f"no shares of the exits keep the loss of the two-moment formula at {show_fraction(max_loss)}",
            tip="a larger buffer, fewer arrivals, a faster device; or --method semi-markov, which looks at the queue",
        )
    within = search.accuracy + gap  # what was dropped on the way had no more than this
    bound = max(min(max(-heap[0][0], within) if heap else within, float(profile.accuracy.max())), search.accuracy)
    loss = formula_loss(search.best, profile.mean, profile.scv, station)
    return Shares(search.best, search.accuracy, bound, loss, search.programs, max_loss)


def solve_exact(profile: Profile, station: Station, max_loss: float, *, steps: int = 16) -> Shares:
    """Find shares whose *exact* loss meets the limit, by searching the limit that the formula is given.

    The formula is conservative for scv < 1 and optimistic for scv > 1 at low load, so the corrected limit may
    lie on either side. Interpolation in logarithms, bracketed; the exact loss need not be monotone in the
    limit, so the best shares met on the way that keep the exact limit are returned. ``bound`` is that of their
    program, not one for the exact problem.

    Raises:
        InfeasibleError: no limit that was tried gives shares within the exact one.
    """
    best: Shares | None = None
    programs = 0
    below: tuple[float, float] | None = None
    above: tuple[float, float] | None = None
    x, target = float(np.log(max(max_loss, 1e-12))), max(max_loss, 1e-12)
    for _ in range(steps):
        x = min(x, -1e-3)
        try:
            found = solve(profile, station, float(np.exp(x)), gap=1e-6)
            p = found.probabilities
            loss = evaluate_mixture(p, profile.mean, profile.scv, profile.accuracy, station).loss
            excess = float(np.log(max(loss, 1e-15) / target))
            programs += found.programs
            if loss <= max_loss + KEPT and (best is None or found.accuracy > best.accuracy):
                best = found
        except InfeasibleError:
            excess = -0.5  # the formula needs a looser limit
        if excess <= 0.0:
            below = (x, excess)
        else:
            above = (x, excess)
        if -1e-7 <= excess <= 0.0 or (below is not None and below[0] >= -1e-3):
            break
        if below is None or above is None:
            x -= 1.2 * excess + (0.01 if excess > 0.0 else -0.01)
            continue
        if above[0] - below[0] < 1e-9:
            break
        weight = np.clip(-below[1] / (above[1] - below[1]), 0.1, 0.9)
        x = below[0] + float(weight) * (above[0] - below[0])
    if best is None:
        raise InfeasibleError(f"no shares of the exits were found with an exact loss of {show_fraction(max_loss)}")
    return Shares(best.probabilities, best.accuracy, best.bound, best.loss, programs, best.limit)
