"""The last word: candidates simulated with common random numbers until one is best with a stated confidence.

The rule is the fully sequential procedure of S.-H. Kim and B. L. Nelson, *A fully sequential procedure for
indifference-zone selection in simulation*, ACM TOMACS 11(3), 2001, with c = 1: after n0 replications each, a candidate
falls out as soon as its running difference to another one leaves a shrinking triangle; what is left is the best one
with probability ``1 - alpha`` whenever the best is better than the others by the indifference zone. Replication r of
all candidates starts from the same seed: with services that draw nothing they see the very same arrivals, otherwise
they share them in part, which only costs replications.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from placer.errors import TimeIsUpError
from placer.evaluation.objectives import weighted_loss
from placer.instance.compiled import Floats
from placer.plan.placement import Placement
from placer.planning.loss.problem import Problem
from placer.planning.request import Scenario
from placer.simulation.core import replicate
from placer.simulation.statistics import estimate
from placer.simulation.tables import Tables, tabulate
from placer.solver.countdown import Countdown

FIRST = 8
"""n0: replications before anything is compared; enough for a variance."""

JOBS = (20_000, 60_000)
"""Jobs of a replication when time is short, and else: long queues near saturation take long to settle."""

SHORT = 5.0
"""Seconds below which time is short."""

PILOT, LEAST_JOBS = 1_000, 5_000
"""Jobs by which the speed is told, and jobs below which a replication means nothing."""

WARMUP = 0.2
ALPHA = 0.05
ZONE = (0.0005, 0.005)
"""Indifference zone: absolute, and as a share of the smallest loss; the larger counts."""

LEVEL = 0.99


@dataclass(frozen=True, eq=False)
class Selection:
    """What the simulation says.

    Attributes:
        best: index of the candidate chosen.
        value, half_width: its weighted loss ratio over the scenarios, with the interval of level ``LEVEL``.
        loss, loss_half_width: shape (C,), of its services.
        replications: of the candidate chosen.
        candidates: how many were compared.
        decided: whether the rule came to its end within the time.
    """

    best: int
    value: float
    half_width: float
    loss: Floats
    loss_half_width: Floats
    replications: int
    candidates: int
    decided: bool


def select(
    problem: Problem,
    candidates: list[Placement],
    countdown: Countdown | None,
    seed: int,
    most: int = 200,
    limits: list[dict[int, float]] | None = None,
    jobs: int | None = None,
) -> Selection:
    """Choose among candidates by their simulated loss.

    Args:
        problem: says what loss is.
        candidates: at least one; the first is taken when time is too short to compare.
        countdown: when to stop. Where ``FIRST`` replications of the usual length do not fit, they are shorter, and
            where they would mean nothing, none is made. None makes ``FIRST`` of each, however long that takes.
        seed: of the common random numbers.
        most: replications of a candidate at most.
        limits: rate limits of each candidate; those of the problem when None.
        jobs: of a replication; by the time given when None.

    Raises:
        TimeIsUpError: there is no time to simulate.
    """
    length = jobs or JOBS[countdown is not None and countdown.left >= SHORT]
    asked = [problem if limits is None else problem.with_limits(own) for own in limits or [{}] * len(candidates)]
    runs = [Run(own, placement) for own, placement in zip(asked, candidates, strict=True)]
    if countdown is not None:
        length = min(length, _affordable(runs[0], countdown, seed))
        if length < LEAST_JOBS:
            raise TimeIsUpError("the time limit ended the simulation")
    alive: list[int] = []
    for k, run in enumerate(runs):
        if alive and countdown is not None and countdown.over:
            break
        alive.append(k)
        for r in range(FIRST):
            run.replicate(seed, r, length)
            if countdown is not None and countdown.over and len(run.totals) > 1:
                break
    # one that the clock cut short is no match for the others
    alive = [k for k in alive if len(runs[k].totals) == len(runs[0].totals)]
    compared = len(alive) == len(runs)
    while len(runs[0].totals) >= FIRST:
        n = len(runs[alive[0]].totals)
        alive = _survivors(runs, alive, n)
        if len(alive) == 1 or n >= most or countdown is None or countdown.over:
            break
        for k in alive:
            runs[k].replicate(seed, n, length)
    best = min(alive, key=lambda k: float(np.mean(runs[k].totals)))
    total = estimate(np.array(runs[best].totals), LEVEL)
    loss = estimate(np.array(runs[best].losses), LEVEL)
    return Selection(
        best=best,
        value=float(total.mean),
        half_width=float(total.half_width),
        loss=np.asarray(loss.mean),
        loss_half_width=np.asarray(loss.half_width),
        replications=len(runs[best].totals),
        candidates=len(runs),
        decided=compared and len(alive) == 1,
    )


def _affordable(run: Run, countdown: Countdown, seed: int) -> int:
    """Jobs of a replication so that ``FIRST`` of them take three quarters of the time, by how long a few jobs take."""
    seconds = math.inf
    for _ in range(2):  # the first time something may be loaded or compiled
        if countdown.over:
            return 0
        begin = countdown.now()
        run.measure(seed, FIRST, PILOT)
        seconds = min(seconds, countdown.now() - begin)
    return int(0.75 * countdown.left / FIRST / max(seconds, 1e-9) * PILOT)


def _survivors(runs: list[Run], alive: list[int], n: int) -> list[int]:
    """Drop what is worse than another one beyond doubt after ``n`` replications each."""
    if len(alive) == 1:
        return alive
    eta = 0.5 * ((2.0 * ALPHA / (len(runs) - 1)) ** (-2.0 / (FIRST - 1)) - 1.0)
    square = 2.0 * eta * (FIRST - 1)
    smallest = min(float(np.mean(runs[k].totals)) for k in alive)
    zone = max(ZONE[0], ZONE[1] * smallest)
    kept = []
    for i in alive:
        mine = np.array(runs[i].totals[:n])
        worse = False
        for j in alive:
            if i == j:
                continue
            difference = mine - np.array(runs[j].totals[:n])
            spread = float(np.var(difference[:FIRST], ddof=1))
            slack = max(0.0, (square * spread / zone - zone * n) / 2.0)
            # ties of identical candidates are broken by their order
            if difference.sum() > slack or (slack == 0.0 and difference.sum() == 0.0 and j < i):
                worse = True
                break
        if not worse:
            kept.append(i)
    return kept or alive[:1]


class Run:
    """One candidate: its networks in all scenarios, and what its replications gave."""

    def __init__(self, problem: Problem, placement: Placement) -> None:
        self.problem = problem
        self.nets: list[tuple[Scenario, Tables, Floats]] = []
        for scenario in problem.scenarios:
            streams = problem.arrivals(scenario)
            network = problem.builder.network(placement, streams, scenario.down)
            self.nets.append((scenario, tabulate(network), np.array([stream.rate for stream in streams])))
        self.totals: list[float] = []
        self.losses: list[Floats] = []

    def measure(self, seed: int, number: int, jobs: int) -> tuple[list[float], list[Floats]]:
        """Weighted loss of each scenario, and loss by service, in a replication of so many jobs."""
        totals, losses = [], []
        for index, (scenario, tables, admitted) in enumerate(self.nets):
            stream = np.random.SeedSequence(seed, spawn_key=(number, index))
            horizon = jobs / max(float(admitted.sum()), 1e-300)
            ratio = replicate(tables, stream, horizon, WARMUP, sample_cap=0).measures["loss_ratio"]
            offered = self.problem.offered(scenario)
            loss = 1.0 - (1.0 - np.nan_to_num(ratio, nan=0.0)) * admitted / np.maximum(offered, 1e-300)
            losses.append(np.clip(loss, 0.0, 1.0))
            totals.append(weighted_loss(self.problem.weights, offered, losses[-1]))
        return totals, losses

    def replicate(self, seed: int, number: int, jobs: int) -> None:
        """One more replication of every scenario."""
        self.add(*self.measure(seed, number, jobs))

    def add(self, totals: list[float], losses: list[Floats]) -> None:
        """Count what :meth:`measure` gave as one more replication."""
        if self.problem.worst:
            at = int(np.argmax(totals))
            self.totals.append(totals[at])
            self.losses.append(losses[at])
            return
        shares = np.array([scenario.weight for scenario, _, _ in self.nets])
        shares = shares / shares.sum()
        self.totals.append(float(shares @ np.array(totals)))
        self.losses.append(np.asarray(shares @ np.array(losses)))
