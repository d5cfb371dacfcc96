"""Limits on what a network does, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Measure(StrEnum):
    """What a limit is on."""

    LOSS = "loss ratio"
    MEAN = "mean response time"
    PERCENTILE = "percentile of the response time"


@dataclass(frozen=True)
class Limit:
    """An upper limit on a figure of one class.

    Attributes:
        measure: the figure.
        owner: class.
        value: share for a loss ratio, else s.
        share: of a percentile, 0.95 for the 95th.
    """

    measure: Measure
    owner: int
    value: float
    share: float = 0.95


class Status(StrEnum):
    """How a limit was decided."""

    KEPT = "kept"
    BROKEN = "broken"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Decided:
    """What became of one limit.

    Attributes:
        limit: the limit.
        status: kept, broken or undecided.
        estimate: of the figure; NaN where nothing was seen.
        half_width: of an interval around it that holds at all looks at once.
        method: ``simulation``, or ``splitting`` where the loss is rare.
        jobs: offered jobs of the class that went in, warm-up left out.
        looks: at its runs.
        missing: events that would decide an undecided limit if everything stayed as it is; inf when none would.
    """

    limit: Limit
    status: Status
    estimate: float
    half_width: float
    method: str
    jobs: int
    looks: int
    missing: float = 0.0


@dataclass(frozen=True)
class Decision:
    """What became of all limits.

    Attributes:
        limits: in the order in which they were given.
        events: arrivals and ends of tasks in all runs.
        seconds: wall-clock time.
        by_clock: whether ``seconds`` ended it: then the same seed may decide otherwise elsewhere.
        seed: that gives these numbers again.
    """

    limits: tuple[Decided, ...]
    events: int
    seconds: float
    by_clock: bool
    seed: int
