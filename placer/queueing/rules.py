"""The rules of the analytic chain model that can be switched off, and what a solution holds."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from placer.queueing.network import Floats, Ints
from placer.queueing.sweep_state import Memory


@dataclass(frozen=True)
class Rules:
    """Which rules the solver uses; each may be switched off to see what it is worth.

    Attributes:
        exact_core: exact M/G/1/K under Poisson arrivals; off: the two-moment formula.
        variability: arrival scv per stream, by merging, departure and splitting; off: every stream Poisson.
        long_run: queues see the long-run variability of a stream on their own time scale; off: gap to gap
            only.
        work_weights: streams count by the work that they bring; off: by their number of jobs.
        class_loss: class-dependent loss in overload by the token rule; off: all classes of a station lose
            alike.
        shared_upstream: streams from one upstream server form a group in the token rule; off: independent.
        loss_system: own treatment of stations with K = 1; off: as any other.
        spacing: an unshared stage no slower than the ones before neither loses nor waits.
        virtual_tandem: the wait at a slower unshared stage is the difference of two Poisson stations
            (Friedman 1965).
        crowding: jobs of one spaced stream do not meet each other.
        special: stations with other than Poisson arrivals, with outages, or with forks that meet there are solved
            exactly; off: by two moments.
        correction: a learned correction of what the other rules leave (:mod:`placer.queueing.correction`); it was
            fitted with all of them on, and is off where ``exact_core`` or ``variability`` is.
    """

    exact_core: bool = True
    variability: bool = True
    long_run: bool = True
    work_weights: bool = True
    class_loss: bool = True
    shared_upstream: bool = True
    loss_system: bool = True
    spacing: bool = True
    virtual_tandem: bool = True
    crowding: bool = True
    special: bool = True
    correction: bool = True

    @property
    def corrects(self) -> bool:
        """Whether the learned correction has what it builds on."""
        return self.correction and self.exact_core and self.variability


RULE_NAMES = tuple(field.name for field in fields(Rules))


@dataclass(frozen=True)
class Solution:
    """What the analytic model says of one network, or of a batch of networks flattened.

    N networks, S stations, C classes, T tasks; times in s, rates in 1/s. An unlimited station with load >= 1 is
    *unstable*: nothing is lost there, the queue grows without end, the waiting time is infinite, and jobs pass at
    the service rate, which is what the throughput counts.

    Attributes:
        station_ptr, class_ptr, task_ptr: shape (N+1,), what belongs to each network.
        task_rate: shape (T,), jobs that arrive at the task.
        task_acceptance: shape (T,), probability that such a job is admitted (1 for a pure delay).
        task_waiting: shape (T,), mean wait of an admitted job.
        task_sojourn: shape (T,), wait and service, or the delay.
        station_rate: shape (S,), arrivals.
        station_utilisation: shape (S,), fraction of time that a server is busy.
        station_loss: shape (S,), lost / arrived.
        station_load: shape (S,), work that arrives per second and server, thinned by losses before.
        station_unstable: shape (S,), whether the queue grows without end.
        station_number: shape (S,), mean number of jobs, those in service included.
        throughput: shape (C,), completed jobs per second.
        throughput_ratio: shape (C,), completed / offered.
        loss_ratio: shape (C,), lost / offered; 1 - throughput_ratio where all stations are stable.
        loss_low, loss_high: shape (C,), the loss under the best and the worst phases of periodic arrivals that
            nobody states; equal where these do not matter.
        sum_of_sojourns: shape (C,), sum over the stations visited of the mean sojourn of the jobs accepted
            there.
        end_to_end: shape (C,), mean time from arrival to sink of completed jobs, over the exits; in a DAG
            along the path of largest mean (a lower bound of the AND-join, exact in chains). NaN when nothing
            completes.
        sweeps: fixed-point sweeps made.
        memory: where the sweeps ended.
        residual: largest change of an acceptance in the last sweep.
    """

    station_ptr: Ints
    class_ptr: Ints
    task_ptr: Ints
    task_rate: Floats
    task_acceptance: Floats
    task_waiting: Floats
    task_sojourn: Floats
    station_rate: Floats
    station_utilisation: Floats
    station_loss: Floats
    station_load: Floats
    station_unstable: NDArray[np.bool_]
    station_number: Floats
    throughput: Floats
    throughput_ratio: Floats
    loss_ratio: Floats
    loss_low: Floats
    loss_high: Floats
    sum_of_sojourns: Floats
    end_to_end: Floats
    sweeps: int
    residual: float
    memory: Memory
