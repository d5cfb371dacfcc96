"""Limits on loss that the analytic evaluator is held to, so that what happens lies just within the limits asked for.

The shares of exits are optimised by the analytic evaluator, whose loss is off by a factor that changes little from one
answer to the next. So the answer is simulated, and where the evaluator says a and the simulation says m, the
evaluator's limit becomes the stated limit times a/m, and a little less: a fixed-point iteration on the ratio of the
two models, as in space mapping (J. W. Bandler et al., IEEE Trans. MTT 42(12), 1994).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from placer.instance.compiled import Floats
from placer.planning.exits.shares import Judge, Point
from placer.planning.loss.selection import Run
from placer.simulation.executors import open_executor, usable_cores
from placer.simulation.statistics import Estimate, estimate
from placer.solver.countdown import Countdown

MARGINS = (0.04, 0.1)
"""How far below a limit is aimed at, as a share of it: the half-width of the interval of the simulation, within these:
a verdict has to tell the loss from the limit."""

SAME = 0.01
"""Relative difference of corrections that makes none."""

NEAR = 0.92
"""Share of a limit from which on a simulated loss is near enough."""

SEEN = 60_000
"""Losses that a simulation is to see at a limit: its interval is then a few percent wide."""

REPLICATIONS, LEAST_REPLICATIONS = 24, 4
"""As many as are run, and below which nothing is said."""

LEAST_JOBS, MOST_JOBS = 20_000, 500_000
"""Of a replication."""

LEVEL = 0.95
"""Of the intervals: they steer, the verdict on the plan has the last word."""

LARGEST_STEP = 4.0
"""By how much a correction may change at once: a loss that was hardly seen says little."""


@dataclass(frozen=True, eq=False)
class Corrected:
    """An answer with what a simulation saw of it.

    Attributes:
        point: the answer.
        judge: by what it was found.
        loss: shape (C,), of the services, level ``LEVEL``.
        total: weighted.
        replications: how many were run.
        limits: shape (C,), what the services may lose; inf without a limit.
    """

    point: Point
    judge: Judge
    loss: Estimate
    total: Estimate
    replications: int
    limits: Floats

    @property
    def over(self) -> float:
        """By how much a limit may be exceeded at most; 0 where the intervals lie within the limits."""
        return float(np.max(self.loss.mean + self.loss.half_width - self.limits, initial=0.0))

    @property
    def used(self) -> float:
        """The largest part of a limit that is used."""
        return float(np.max(self.loss.mean / self.limits, initial=0.0))

    @property
    def key(self) -> tuple[float, float, float]:
        """What is compared: other limits, limits on loss as simulated, accuracy."""
        others = self.point.limits[int(np.isfinite(self.limits).sum()) :]
        return (round(float(np.maximum(others, 0.0).sum()), 9), self.over, self.point.value)

    def factors(self, tighten_only: bool) -> dict[int, float]:
        """What the limits on loss are to be multiplied with, by service index.

        Args:
            tighten_only: keep the limit of the analytic evaluator where that is the stricter one.
        """
        found = dict(self.judge.factors)
        for c, (s, limit) in enumerate(zip(self.judge.base.served, self.limits, strict=True)):
            if not np.isfinite(limit):
                continue
            loss, half = float(self.loss.mean[c]), float(self.loss.half_width[c])
            aim = 1.0 - float(np.clip(half / max(loss, limit), *MARGINS))
            old = found.get(s, 1.0)
            factor = aim * float(self.point.losses[c]) / loss if loss > 0.0 else old * LARGEST_STEP
            factor = float(np.clip(factor, old / LARGEST_STEP, old * LARGEST_STEP))
            found[s] = min(factor, 1.0) if tighten_only else factor
        return found

    def settled(self, factors: Mapping[int, float]) -> bool:
        """Whether limits are kept and one is nearly used up, or other factors would be the same."""
        if self.over > 0.0:
            return not np.isfinite(self.limits).any()
        old = self.judge.factors
        return self.used >= NEAR or all(abs(new / old.get(s, 1.0) - 1.0) < SAME for s, new in factors.items())


def observed(judge: Judge, point: Point, seed: int, countdown: Countdown) -> Corrected | None:
    """Simulate an answer, as long as its limits on loss ask for; None where the time is too short for that."""
    services = judge.compiled.instance.services
    limits = np.array([np.inf if (limit := services[s].max_loss) is None else limit for s in judge.base.served])
    wanted = SEEN / max(float(np.min(limits, initial=1.0)), 1e-9) / REPLICATIONS
    jobs = int(np.clip(wanted, LEAST_JOBS, MOST_JOBS))
    run = Run(judge.problem(point.shares), point.placement)
    abreast = usable_cores()
    with open_executor() as pool:
        for first in range(0, REPLICATIONS, abreast):
            if countdown.over:
                break
            numbers = range(first, min(first + abreast, REPLICATIONS))
            for done in [pool.submit(run.measure, seed, number, jobs) for number in numbers]:
                run.add(*done.result())
    if len(run.totals) < LEAST_REPLICATIONS:
        return None
    total, loss = estimate(np.array(run.totals), LEVEL), estimate(np.array(run.losses), LEVEL)
    return Corrected(point, judge, loss, total, len(run.totals), limits)
