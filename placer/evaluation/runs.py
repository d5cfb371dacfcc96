"""How much to simulate of an answer."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Runs:
    """Replications of a simulation.

    Attributes:
        jobs: jobs per replication.
        replications: how many.
        seed: of the first stream.
        level: confidence of the intervals.
        relative_half_width: go on until the intervals are this narrow; None for a fixed number of replications.
        executor: where replications run; here when None.
        progress: told how many replications are done, and of how many.
        keep_finished: on an interruption judge by the replications that are done, if there are two.
    """

    jobs: int = 100_000
    replications: int = 10
    seed: int = 0
    level: float = 0.99
    relative_half_width: float | None = None
    executor: Executor | None = field(default=None, compare=False)
    progress: Callable[[int, int], None] | None = field(default=None, compare=False)
    keep_finished: bool = False


@dataclass(frozen=True)
class Effort:
    """How much simulation a verdict may take.

    Attributes:
        events: arrivals and ends of tasks in all, after which what is open stays undecided (repeatable).
        seconds: wall time after which the same; None for no such limit.
        error: probability at most that a simulated verdict is wrong.
        seed: of every run.
    """

    events: int = 100_000_000
    seconds: float | None = None
    error: float = 0.005
    seed: int = 0
