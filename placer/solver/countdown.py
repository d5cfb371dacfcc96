"""What is left of a time limit: one object made where a command begins, handed down to whatever works for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from placer.errors import TimeIsUpError

Now = Callable[[], float]
"""A clock in seconds; tests hand in their own."""


@dataclass(frozen=True)
class Countdown:
    """A limited time that runs.

    Attributes:
        begin, end: by the clock.
        now: the clock.
    """

    begin: float
    end: float
    now: Now = time.monotonic

    @classmethod
    def of(cls, seconds: float, now: Now = time.monotonic) -> Countdown:
        """Start now."""
        begin = now()
        return cls(begin, begin + seconds, now)

    @property
    def left(self) -> float:
        """Seconds left; 0 when the time is over."""
        return max(self.end - self.now(), 0.0)

    @property
    def over(self) -> bool:
        """Whether nothing is left."""
        return self.now() >= self.end

    @property
    def spent(self) -> float:
        """Seconds since it began."""
        return self.now() - self.begin

    def part(self, share: float, longest: float = float("inf")) -> Countdown:
        """A share of what is left, starting now."""
        return Countdown.of(min(share * self.left, longest), self.now)

    def until(self, reserve: float) -> Countdown:
        """What is left, starting now, but for ``reserve`` seconds at its end."""
        return Countdown.of(max(self.left - reserve, 0.0), self.now)

    def check(self, what: str = "the work", needed: float = 0.0) -> None:
        """Go on only where ``needed`` seconds are left.

        Raises:
            TimeIsUpError: there are not.
        """
        if self.now() + needed >= self.end:
            raise TimeIsUpError(f"the time limit ended {what}")
