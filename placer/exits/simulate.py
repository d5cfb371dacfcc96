"""Simulate a policy at a device: replications of the compiled loop, with intervals.

The stream of a run is a sequence of phases, each with its arrivals and the samples that jobs are drawn from,
so that drift of either is one more phase. Without a table every job is one sample whose answers are right
with the profile's accuracies; with one, jobs are drawn from a split with replacement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from placer.exits import kernel
from placer.exits.kernel import (
    ARRIVAL,
    BUSY,
    COMPLETED,
    GAP,
    LOST,
    NOW,
    OFFERED,
    RESPONSE,
    RIGHT,
)
from placer.exits.policy import AnyPolicy
from placer.exits.profile import Profile
from placer.exits.samples import Split
from placer.exits.station import Station
from placer.exits.tables import as_given, initial, lay_out
from placer.jit import version
from placer.queueing.network import Floats
from placer.simulation.statistics import Estimate, estimate


@dataclass(frozen=True)
class Phase:
    """Part of a stream.

    Attributes:
        jobs: offered jobs.
        rate: Poisson arrivals, 1/s.
        samples: what jobs are drawn from; None: the profile's accuracies.
    """

    jobs: int
    rate: float
    samples: Split | None = None


@dataclass(frozen=True)
class Adapt:
    """How a policy is refreshed from what a device sees.

    Attributes:
        every: offered jobs between two refreshes.
        policy: makes the policy from the running mean confidence of each exit (L,).
    """

    every: int
    policy: Callable[[Floats], AnyPolicy]


@dataclass(frozen=True)
class Simulated:
    """What replications of one phase measured, each with its interval.

    Attributes:
        accuracy: right answers per completed job.
        accuracy_offered: right answers per offered job.
        loss: lost / offered.
        latency: mean time in the system of a completed job, s.
        utilisation: share of time busy.
        shares: completed jobs by exit, (L,), over all replications.
        jobs: offered jobs counted, over all replications.
    """

    accuracy: Estimate
    accuracy_offered: Estimate
    loss: Estimate
    latency: Estimate
    utilisation: Estimate
    shares: Floats
    jobs: int


@dataclass
class Log:
    """What happened in a run, for whom replays it: services (n,) and the gaps between arrivals (m,), s."""

    jobs: Floats
    arrivals: Floats
    sample: Floats
    exit: Floats
    draw: Floats
    gap: Floats


def simulate(
    profile: Profile,
    station: Station,
    policy: AnyPolicy,
    phases: Sequence[Phase],
    *,
    replications: int = 10,
    warmup: float = 0.1,
    seed: int = 0,
    level: float = 0.99,
    adapt: Adapt | None = None,
    compiled: bool | None = None,
) -> list[Simulated]:
    """Run a policy through the phases of a stream.

    Args:
        profile: times and accuracies.
        station: its room; the arrivals are those of the phases.
        policy: what the device executes.
        phases: the stream; state carries over from one to the next.
        replications: independent runs; the intervals need two.
        warmup: share of each phase's jobs that is left out of its figures.
        seed: replication i draws from stream i of it.
        level: of the intervals.
        adapt: refresh the policy while it runs.
        compiled: True, False, or None for what is there.

    Returns:
        One result per phase.
    """
    rows: list[list[list[float]]] = [[] for _ in phases]
    left = np.zeros((len(phases), len(profile)))
    for index in range(replications):
        run = _Run(profile, station, policy, np.random.SeedSequence(seed, spawn_key=(index,)), compiled)
        for number, phase in enumerate(phases):
            run.enter(phase)
            run.go(int(phase.jobs * warmup), adapt)
            before = run.reading()
            run.go(phase.jobs - int(phase.jobs * warmup), adapt)
            difference = run.reading() - before
            rows[number].append(_figures(difference))
            left[number] += difference[_SCALARS:]
    return [
        _summary(np.array(rows[number]), left[number], level, int(replications * phase.jobs * (1.0 - warmup)))
        for number, phase in enumerate(phases)
    ]


def record(
    profile: Profile, station: Station, policy: AnyPolicy, phase: Phase, *, seed: int = 0, compiled: bool | None = None
) -> Log:
    """Run one phase and return every decision of it."""
    run = _Run(profile, station, policy, np.random.SeedSequence(seed), compiled, phase.jobs)
    run.enter(phase)
    run.go(phase.jobs, None)
    st = run.state
    starts, offered = int(st.counts[kernel.STARTS]), int(st.counts[OFFERED])

    def row(values: Any, count: int) -> Floats:
        return np.asarray(values[:count], dtype=np.float64)

    return Log(
        jobs=row(st.log_jobs, starts),
        arrivals=row(st.log_arrivals, starts),
        sample=row(st.log_sample, starts),
        exit=row(st.log_exit, starts),
        draw=row(st.log_draw, starts),
        gap=row(st.log_gap, offered),
    )


_SCALARS = 7


class _Run:
    """One replication: the tables of the phase, the state, the generator."""

    def __init__(
        self,
        profile: Profile,
        station: Station,
        policy: AnyPolicy,
        seed: np.random.SeedSequence,
        compiled: bool | None,
        log: int = 0,
    ) -> None:
        self.profile, self.station, self.policy, self.log = profile, station, policy, log
        self.step = version(kernel.run_exits, compiled)
        self.lists = self.step is kernel.run_exits
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self.state = as_given(initial(profile, station, policy, log), self.lists)
        self.phase: Phase | None = None

    def enter(self, phase: Phase) -> None:
        """Begin a phase; the next arrival is drawn anew, which Poisson arrivals allow."""
        self.phase = phase
        self.state.clock[ARRIVAL] = self.state.clock[NOW] + self.rng.standard_exponential() / phase.rate
        if self.state.counts[OFFERED] == 0:
            self.state.clock[GAP] = getattr(self.policy, "start", 1.0 / phase.rate)
        self._lay_out()

    def _lay_out(self) -> None:
        assert self.phase is not None
        tables = lay_out(self.profile, self.station, self.policy, self.phase.samples, self.phase.rate, self.log)
        self.tables = as_given(tables, self.lists)

    def go(self, jobs: int, adapt: Adapt | None) -> None:
        """Offer so many more jobs."""
        end = int(self.state.counts[OFFERED]) + jobs
        while self.state.counts[OFFERED] < end:
            goal = end if adapt is None else min(end, int(self.state.counts[OFFERED]) + adapt.every)
            self.step(self.tables, self.state, self.rng, goal)
            if adapt is not None:
                self.policy = adapt.policy(np.array(self.state.trust))
                self._lay_out()

    def reading(self) -> Floats:
        """The cumulative counts: offered, lost, completed, response, busy, right, time; then jobs by exit."""
        counts, clock = self.state.counts, self.state.clock
        scalars = [counts[i] for i in (OFFERED, LOST, COMPLETED)] + [clock[i] for i in (RESPONSE, BUSY, RIGHT, NOW)]
        return np.array([*scalars, *self.state.left], dtype=np.float64)


def _figures(difference: Floats) -> list[float]:
    offered, lost, completed, response, busy, right, span = (float(value) for value in difference[:_SCALARS])
    done = max(completed, 1.0)
    return [right / done, right / offered, lost / offered, response / done, busy / span]


def _summary(rows: Floats, left: Floats, level: float, jobs: int) -> Simulated:
    figures = estimate(rows, level)
    accuracy, offered, loss, latency, utilisation = (figures.at(index) for index in range(5))
    return Simulated(accuracy, offered, loss, latency, utilisation, left / max(left.sum(), 1.0), jobs)
