"""What a simulation says. S stations, C classes, T tasks, O outcomes; times in s, rates in 1/s.

Every :class:`Estimate` has the shape that is written beside it and carries its own interval. Counts are
totals over the measured intervals of all replications; a job that is under way at the start or the end of an
interval is counted as offered in one and as completed or lost in another, so ``offered + in_system_start =
completed + lost + in_system_end``.
"""

from __future__ import annotations

from dataclasses import dataclass

from placer.queueing.network import Floats
from placer.simulation.statistics import Estimate


@dataclass(frozen=True)
class ClassResults:
    """Per class, shape (C,) each.

    Attributes:
        offered, completed, lost: jobs.
        in_system_start, in_system_end: jobs neither completed nor lost at the ends of the measured intervals.
        loss_ratio: lost / offered.
        throughput: completed jobs per s.
        sum_of_sojourns: Σ over the tasks of the mean sojourn of the jobs *accepted there*, lost later or not.
        end_to_end: from arrival to sink, over completed jobs.
        p50, p95, p99: percentiles of the same.
    """

    offered: Floats
    completed: Floats
    lost: Floats
    in_system_start: Floats
    in_system_end: Floats
    loss_ratio: Estimate
    throughput: Estimate
    sum_of_sojourns: Estimate
    end_to_end: Estimate
    p50: Estimate
    p95: Estimate
    p99: Estimate


@dataclass(frozen=True)
class StationResults:
    """Per station, shape (S,) each.

    Attributes:
        utilisation: share of time that a server of it is busy.
        number: mean jobs present, those in service included.
        full: share of time with K jobs present.
        availability: share of time not failed.
        arrivals: jobs per s that ask to enter, turned away or not.
        loss_ratio: turned away or killed by an outage / asked to enter.
        lost: jobs turned away or killed.
    """

    utilisation: Estimate
    number: Estimate
    full: Estimate
    availability: Estimate
    arrivals: Estimate
    loss_ratio: Estimate
    lost: Floats


@dataclass(frozen=True)
class TaskResults:
    """Per task, shape (T,) each.

    Attributes:
        arrived: tasks that asked to enter their station (or began a delay).
        dropped: found it full or failed.
        killed: were there when it failed.
        ended: ran to their end.
        sojourn: mean time there of those that ended.
    """

    arrived: Floats
    dropped: Floats
    killed: Floats
    ended: Floats
    sojourn: Estimate


@dataclass(frozen=True)
class SimulationResult:
    """Estimates of a network in steady state.

    Attributes:
        classes, stations, tasks: the parts.
        outcomes: shape (O,), tasks ended by outcome: the exits that were taken.
        total_loss_ratio: shape (), lost / offered over all classes.
        level: confidence of every interval.
        replications: how many were run; with one, the intervals come from batch means.
        planned: how many were to be run; more than ``replications`` where somebody interrupted them.
        precise: whether the wanted relative half-width was reached; None when none was asked for.
        missing: replications that would still be needed to reach it, 0 when reached or none was asked for.
        events: arrivals and ends of tasks, warm-ups included.
        horizon, warmup: mean per replication, s; the warm-up is part of the horizon.
        seed: that gives these numbers again.
        compiled: whether the compiled loop was asked for and there.
        seconds: wall-clock time.
        values: what each replication measured, by name, first axis the replications (or the batches of a
            single run); names and shapes in :func:`placer.simulation.core.measure`.
    """

    classes: ClassResults
    stations: StationResults
    tasks: TaskResults
    outcomes: Floats
    total_loss_ratio: Estimate
    level: float
    replications: int
    planned: int
    precise: bool | None
    missing: int
    events: int
    horizon: float
    warmup: float
    seed: int
    compiled: bool
    seconds: float
    values: dict[str, Floats]

    @property
    def partial(self) -> bool:
        """Whether somebody interrupted it before all planned replications were done."""
        return self.replications < self.planned
