"""When a search stops, and what it tells while it runs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from placer.solver.countdown import Countdown, Now


@dataclass(frozen=True)
class Limits:
    """When to stop.

    Attributes:
        seconds: wall time.
        gap: relative gap at which the answer is good enough; 0 asks for the proven optimum.
        threads: threads of the solver; 1 is often fastest.
        seed: seed of the solver.
        nodes: largest number of branch-and-bound nodes, for runs that must be repeatable; None for no limit.
        now: the clock that ``seconds`` are counted by.
    """

    seconds: float = 60.0
    gap: float = 0.0
    threads: int = 1
    seed: int = 0
    nodes: int | None = None
    now: Now = field(default=time.monotonic, compare=False, repr=False)

    def start(self) -> Countdown:
        """The time limit, starting now."""
        return Countdown.of(self.seconds, self.now)

    def within(self, countdown: Countdown) -> Limits:
        """The same limits, with the time that is left."""
        return replace(self, seconds=countdown.left)


@dataclass(frozen=True)
class Progress:
    """A glimpse of a running search.

    Attributes:
        seconds: since the search began.
        incumbent, bound: in the units of the objective; infinite where there is none.
        stage: what runs.
        sense: whether less or more is better.
    """

    seconds: float
    incumbent: float
    bound: float
    stage: str = ""
    sense: Literal["min", "max"] = "min"

    @property
    def gap(self) -> float:
        """Relative gap; inf without an incumbent."""
        sign = 1.0 if self.sense == "min" else -1.0
        return relative_gap(sign * self.incumbent, sign * self.bound)


Listener = Callable[[Progress], None]


def relative_gap(value: float, bound: float) -> float:
    """(value - bound)/|value| for minimisation; 0 when they meet, inf when one of them is missing."""
    if not math.isfinite(value) or not math.isfinite(bound):
        return math.inf
    difference = max(value - bound, 0.0)
    return 0.0 if difference <= 1e-9 * max(abs(value), 1e-9) else difference / max(abs(value), 1e-12)
