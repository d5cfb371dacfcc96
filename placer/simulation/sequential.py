"""Simulate until limits are decided: a sequential test whose error holds over all its looks.

Independent runs are extended by half from look to look, and each open limit is tested at each look
(:mod:`placer.simulation.ratio_test`). The error is divided evenly among the looks that the budget allows: Bonferroni,
which for tests as correlated as these asks for intervals 3% wider than the exact boundary would. Loss that is rare is
tested on runs with splitting (:mod:`placer.simulation.restart`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from math import ceil, inf, log

import numpy as np

from placer.errors import InputError
from placer.jit import version
from placer.queueing.network import UNLIMITED, QueueNetwork
from placer.simulation import kernel
from placer.simulation.decision import Decided, Decision, Limit, Measure, Status
from placer.simulation.executors import SerialExecutor
from placer.simulation.features import features_of
from placer.simulation.long_run import MARKS, LongRun, Threshold, since
from placer.simulation.ratio_test import Crowd, RatioTest, tested
from placer.simulation.restart import Regions, corrected, regions, tail
from placer.simulation.scales import crowd_of, slowest, stations_of
from placer.simulation.tables import Tables, tabulate

RUNS = 40
"""Independent runs: enough for Student's t to cost little and for a mean over them to be nearly normal."""

FIRST_JOBS = 4000
"""Jobs per run at the first look."""

GROWTH = 1.5
WARMUP = 0.1
"""Least share of each run that is cut off."""

SIGHTINGS = 50
"""Times per run and look at which the numbers at the stations are seen before splitting: what its regions rest on."""

SPLIT_LOOK = 2
SPLIT_LOSSES = 100
"""Losses of a class by look ``SPLIT_LOOK`` below which it is rare: some 4 in 10,000."""

SPLIT_SHORTER = 4
"""Runs with splitting begin this much shorter: most of what they simulate is in the upper regions."""

SPLIT_EVENTS = 300_000
"""Events of each of the short runs that correct the regions."""

CYCLES = 20
"""Of the slowest thing that a network does, to be seen before anything is decided."""

EVENTS = 100_000_000
TOLERANCE = 1e-9
"""Relative; response times within this of a limit keep it."""


@dataclass
class _Course:
    """Runs of one method and the limits that they are to decide."""

    method: str
    runs: list[LongRun]
    first: float
    limits: list[int]
    weight: float = 1.0
    looks: int = 0
    spent: int = 0


def decide(
    network: QueueNetwork,
    limits: Sequence[Limit],
    *,
    error: float = 0.01,
    events: int = EVENTS,
    seconds: float | None = None,
    seed: int = 0,
    executor: Executor | None = None,
    compiled: bool | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Decision:
    """Decide whether a network keeps limits, by as much simulation as it takes.

    Args:
        network: what to simulate.
        limits: what is to be decided.
        error: probability at most that the verdict on a limit is wrong.
        events: arrivals and ends of tasks in all runs, after which what is open stays undecided.
        seconds: wall-clock time after which the same; None for no such limit.
        seed: of every run; the same verdicts and numbers for the same seed, unless the clock ends it.
        executor: where the runs are extended; None is here, one after the other.
        compiled: True needs numba, False runs plain Python, None takes what is there; the numbers are the same.
        progress: called after each look with the limits decided and the limits in all.

    Raises:
        InputError: the network cannot be simulated, or a limit is on no class of it.
    """
    started = time.perf_counter()
    net = tabulate(network)
    _check(network, limits, error)
    work = _Work(network, net, tuple(limits), error, events, seed, compiled, executor or SerialExecutor())
    by_clock = False
    while work.open:
        if seconds is not None and work.looks and _too_late(started, work, seconds):
            by_clock = True
            break
        if not work.look():
            break
        if progress is not None:
            progress(len(limits) - len(work.open), len(limits))
    found = tuple(work.result[index] for index in range(len(limits)))
    return Decision(found, work.events, time.perf_counter() - started, by_clock, seed)


def _too_late(started: float, work: _Work, seconds: float) -> bool:
    """Whether the next look would end after the time limit; it takes half as long as all before it together."""
    return (time.perf_counter() - started) * (1 + (GROWTH - 1) / 2) > seconds


def _check(network: QueueNetwork, limits: Sequence[Limit], error: float) -> None:
    if not 0 < error < 1:
        raise InputError(f"error {error} must lie between 0 and 1")
    for limit in limits:
        if not 0 <= limit.owner < network.classes or network.rates[limit.owner] <= 0:
            raise InputError(f"a limit is on class {limit.owner}, which has no arrivals")
        if not limit.value >= 0 or not 0 < limit.share < 1:
            raise InputError(f"limit {limit.value} on the {limit.measure}: must not be negative, its share below 1")


class _Work:
    """The state of a decision between two looks."""

    def __init__(
        self,
        network: QueueNetwork,
        net: Tables,
        limits: tuple[Limit, ...],
        error: float,
        budget: int,
        seed: int,
        compiled: bool | None,
        pool: Executor,
    ) -> None:
        self.network, self.net, self.limits, self.budget = network, net, limits, budget
        self.seed, self.compiled, self.pool = seed, compiled, pool
        self.open = list(range(len(limits)))
        self.result: dict[int, Decided] = {
            index: Decided(limit, Status.UNDECIDED, float("nan"), float("nan"), "simulation", 0, 0, inf)
            for index, limit in enumerate(limits)
        }
        self.events = self.looks = 0
        total = float(network.rates.sum())
        steps = 1 + max(float(np.diff(network.class_tasks).max()), 1.0)
        self.slow = slowest(network)
        length = max(FIRST_JOBS / total, self.slow)
        length = min(length, max(budget / 4 / RUNS / steps, 100.0) / total)
        most = 2 + max(0, ceil(log(max(budget / (RUNS * length * total), 1.0)) / log(GROWTH)))
        self.alpha = error / most
        self.thresholds = tuple(
            Threshold(limit.owner, limit.value * (1 + TOLERANCE))
            for limit in limits
            if limit.measure is Measure.PERCENTILE
        )
        runs = [LongRun(net, self._stream(0, index), self.thresholds, compiled) for index in range(RUNS)]
        self.courses = [_Course("simulation", runs, length, list(self.open))]

    def _stream(self, kind: int, index: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(kind, index)))

    def look(self) -> bool:
        """Extend the runs of every course with open limits and test those; False when the budget is spent."""
        self.looks += 1
        for course in list(self.courses):
            course.limits = [index for index in course.limits if index in self.open]
            if not course.limits:
                continue
            if not self._extend(course):
                return False
            for index in course.limits:
                self.result[index] = self._judged(course, index)
            self.open = [index for index in self.open if self.result[index].status is Status.UNDECIDED]
            if course.method == "simulation" and course.looks == SPLIT_LOOK:
                self._split(course)
        return True

    def _extend(self, course: _Course) -> bool:
        until = course.first * GROWTH**course.looks
        share = (self.budget - self.events) // RUNS
        marks = SIGHTINGS if course.method == "simulation" and course.looks < SPLIT_LOOK else MARKS
        futures = [self.pool.submit(_extended, run, until, run.events + share, marks) for run in course.runs]
        found = [future.result() for future in futures]
        course.runs = [run for run, _ in found]
        course.looks += 1
        spent = sum(run.events for run in course.runs)
        self.events += spent - course.spent
        course.spent = spent
        return all(reached for _, reached in found)

    def _judged(self, course: _Course, index: int) -> Decided:
        limit = self.limits[index]
        classes = self.network.classes
        rows = since(course.runs, WARMUP)
        offered, lost, completed, response = (rows[:, k * classes + limit.owner] for k in range(4))
        if limit.measure is Measure.LOSS:
            counts, per, value = lost, offered, limit.value
        elif limit.measure is Measure.MEAN:
            counts, per, value = response, completed, limit.value * (1 + TOLERANCE)
        else:
            column = [t for t, each in enumerate(self.limits) if each.measure is Measure.PERCENTILE].index(index)
            counts, per, value = rows[:, 4 * classes + column], completed, 1 - limit.share
        crowd = None if limit.measure is Measure.MEAN else Crowd(crowd_of(self.network, limit.owner), weight_of(course))
        test = tested(counts, per, value, self.alpha, crowd)
        seen = len(course.runs) * (course.runs[0].times[-1]) >= CYCLES * self.slow
        status = Status.UNDECIDED
        if seen and test.decided:
            status = Status.KEPT if test.below else Status.BROKEN
        figure = replace(test)
        if limit.measure is Measure.PERCENTILE:
            figure = _percentile(course, self.limits, index, test)
        missing = 0.0 if status is not Status.UNDECIDED else test.missing * course.spent
        return Decided(
            limit,
            status,
            figure.estimate,
            figure.half_width,
            course.method,
            int(offered.sum()),
            course.looks,
            missing,
        )

    def _split(self, plain: _Course) -> None:
        """Begin runs with splitting for the losses that were hardly seen."""
        rows = since(plain.runs, 0.0)
        classes = self.network.classes
        rare = [
            index
            for index in self.open
            if self.limits[index].measure is Measure.LOSS
            and rows[:, classes + self.limits[index].owner].sum() < SPLIT_LOSSES
        ]
        if not rare:
            return
        numbers = np.array([row for run in plain.runs for row in run.numbers[SIGHTINGS // 5 :]])
        capacity = np.asarray(self.net.capacity)
        tails = [
            tail(numbers[:, s], int(k)) if self.network.capacity[s] != UNLIMITED else np.ones(1)
            for s, k in enumerate(capacity)
        ]
        owners = {self.limits[index].owner for index in rare}
        stations = sorted({s for c in owners for s in stations_of(self.network, c)})
        cut = regions(self.net, tails, stations)
        if len(cut.factor) == 1:
            return
        run = version(kernel.loop(features_of(self.net, levels=True)), self.compiled)
        seed = np.random.SeedSequence(self.seed, spawn_key=(1,))
        cut = corrected(run, cut, seed, 10 * plain.first, SPLIT_EVENTS)
        runs = [LongRun(cut.net, self._stream(2, index), (), self.compiled, cut) for index in range(RUNS)]
        plain.limits = [index for index in plain.limits if index not in rare]
        self.courses.append(_Course("splitting", runs, plain.first / SPLIT_SHORTER, rare))


def _extended(run: LongRun, until: float, budget: int, marks: int) -> tuple[LongRun, bool]:
    return run, run.extend(until, budget, marks)


def weight_of(course: _Course) -> float:
    """What one count stands for in the highest region that any run reached; 1 without splitting."""
    cut: Regions | None = course.runs[0].regions
    if cut is None:
        return 1.0
    tally = sum(run.state.split.tally.reshape(len(cut.factor), -1).sum(axis=1) for run in course.runs if run.state)
    return float(cut.weight[int(np.flatnonzero(tally)[-1])])


def _percentile(course: _Course, limits: Sequence[Limit], index: int, test: RatioTest) -> RatioTest:
    """The percentile itself with its interval, from that of the share of longer response times."""
    column = [t for t, each in enumerate(limits) if each.measure is Measure.PERCENTILE].index(index)
    seen = np.concatenate([run.responses[column] for run in course.runs])
    if not len(seen) or np.isnan(test.half_width):
        return replace(test, estimate=float("nan"), half_width=float("nan"))
    share = limits[index].share
    middle, low, high = np.quantile(seen, np.clip([share, share - test.half_width, share + test.half_width], 0, 1))
    return replace(test, estimate=float(middle), half_width=float(max(high - middle, middle - low)))
