"""The queueing network that a plan becomes: plain arrays that the analytic methods and the simulator share.

A *station* is one compute unit of one device (or one link that queues): FIFO, one job at a time or as many as it has
servers, and a capacity K that counts the jobs in service. A *class* is a service: a stream of jobs. A *task* is one
visit of a job of that class: a fragment served by a station as one job, or a transfer. The tasks of a class form a DAG;
a task starts to queue when all its predecessors have ended (AND-join), so a chain is the case of one predecessor each.

A task ends in one of its *outcomes*, drawn when its service starts: it goes on to its successors, or the job
leaves through an early exit (and reaches the sink after a further delay). A job that finds a station full is
lost; tasks of the same job that are already elsewhere still run, and none that follow a lost one starts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

UNLIMITED = 0
"""Capacity of a station that never drops."""

DELAY = -1
"""Station index of a task that waits for nobody: a pure delay (an uncontended transfer)."""


class Law(IntEnum):
    """Distribution family of a service time; the mean and the scv say the rest."""

    DETERMINISTIC = 0
    EXPONENTIAL = 1
    GAMMA = 2
    HYPEREXPONENTIAL = 3  # two phases, balanced means; scv > 1


class Process(IntEnum):
    """Family of an arrival process."""

    POISSON = 0
    PERIODIC = 1
    MMPP = 2
    TRACE = 3


@dataclass(frozen=True)
class Arrivals:
    """The arrival process of one class.

    Attributes:
        process: the family.
        rate: mean arrivals per second; for MMPP the stationary mean.
        rates: MMPP only: arrivals per second in each state, shape (states,).
        generator: MMPP only: infinitesimal generator of the state, 1/s, shape (states, states).
        times: TRACE only: arrival instants in s, increasing; replayed cyclically with the period
            ``times[-1] + 1/rate``.
        phase: PERIODIC only: the first arrival in s; None for one that nobody states, uniform over the period.
        spacing: POISSON only: a rate limit at the source, which turns away what comes within this time in s
            of the last admitted job; ``rate`` counts the admitted ones, ``1/(spacing + 1/offered)``.
    """

    process: Process
    rate: float
    rates: Floats = field(default_factory=lambda: np.zeros(0))
    generator: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    times: Floats = field(default_factory=lambda: np.zeros(0))
    spacing: float = 0.0
    phase: float | None = None


@dataclass(frozen=True)
class QueueNetwork:
    """A network of finite-buffer stations and the jobs that cross it. Times in s, rates in 1/s.

    S stations, C classes, T tasks (all classes, each class's tasks contiguous and in topological order), E
    edges, O outcomes. CSR pointers have one more entry than what they index.

    Attributes:
        capacity: shape (S,), jobs a station holds including the one in service; ``UNLIMITED`` never drops.
        arrivals: one entry per class, length C.
        class_tasks: shape (C+1,), tasks of class c are ``class_tasks[c]:class_tasks[c+1]``.
        task_station: shape (T,), station of a task or ``DELAY``.
        pred_ptr, preds: shape (T+1,) and (E,), predecessors of each task; a task with none starts at the
            arrival.
        outcome_ptr: shape (T+1,), outcomes of each task.
        outcome_probability: shape (O,), sums to 1 over the outcomes of a task.
        outcome_mean: shape (O,), mean service time (or delay) in s when this is the outcome.
        outcome_scv: shape (O,), squared coefficient of variation of that time.
        outcome_law: shape (O,), values of :class:`Law`.
        outcome_leaves: shape (O,), True when the job leaves through an early exit at the end of the task.
        outcome_delay: shape (O,), s from the end of the task to the sink when the job leaves or the task has
            no successor (the way of the result).
        up, down: shape (S,), mean time between and of outages of a station in s (exponential); ``up`` 0
            means that the station never fails. A failed station drops arrivals and the jobs that it holds.
        servers: shape (S,), jobs that a station serves at once, each as fast as alone; one where left empty. A
            station that serves several never fails.
    """

    capacity: Ints
    arrivals: tuple[Arrivals, ...]
    class_tasks: Ints
    task_station: Ints
    pred_ptr: Ints
    preds: Ints
    outcome_ptr: Ints
    outcome_probability: Floats
    outcome_mean: Floats
    outcome_scv: Floats
    outcome_law: Ints
    outcome_leaves: NDArray[np.bool_]
    outcome_delay: Floats
    up: Floats
    down: Floats
    servers: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def at_once(self) -> Ints:
        """Jobs that each station serves at once, shape (S,)."""
        return self.servers if len(self.servers) else np.ones(len(self.capacity), dtype=np.int64)

    @property
    def stations(self) -> int:
        """Number of stations S."""
        return len(self.capacity)

    @property
    def classes(self) -> int:
        """Number of classes C."""
        return len(self.arrivals)

    @property
    def rates(self) -> Floats:
        """Mean arrival rate per class in 1/s, shape (C,)."""
        return np.array([arrivals.rate for arrivals in self.arrivals])


def chains(
    capacity: Ints,
    rates: Floats,
    paths: list[list[int]],
    service: list[list[float]],
    scv: list[list[float]] | None = None,
    law: Law = Law.DETERMINISTIC,
) -> QueueNetwork:
    """Build a network of plain chains with Poisson arrivals: no exits, no delays, no outages.

    Args:
        capacity: shape (S,), K per station.
        rates: shape (C,), arrivals per second of each chain.
        paths: per chain the 0-based stations in the order they are visited.
        service: per chain the mean service time in s at each step.
        scv: per chain the squared coefficient of variation at each step; 0 everywhere when None (1 for an
            exponential law).
        law: family of all service times.
    """
    lengths = np.array([len(path) for path in paths], dtype=np.int64)
    class_tasks = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    tasks = int(class_tasks[-1])
    first = np.zeros(tasks, dtype=bool)
    first[class_tasks[:-1]] = True
    mean = np.array([s for chain in service for s in chain], dtype=np.float64)
    if scv is None:
        variation = np.full(tasks, 1.0 if law is Law.EXPONENTIAL else 0.0)
    else:
        variation = np.array([v for chain in scv for v in chain], dtype=np.float64)
    stations = len(capacity)
    return QueueNetwork(
        capacity=np.asarray(capacity, dtype=np.int64),
        arrivals=tuple(Arrivals(Process.POISSON, float(rate)) for rate in rates),
        class_tasks=class_tasks,
        task_station=np.array([d for path in paths for d in path], dtype=np.int64),
        pred_ptr=np.concatenate([[0], np.cumsum(~first)]).astype(np.int64),
        preds=np.flatnonzero(~first).astype(np.int64) - 1,
        outcome_ptr=np.arange(tasks + 1, dtype=np.int64),
        outcome_probability=np.ones(tasks),
        outcome_mean=mean,
        outcome_scv=variation,
        outcome_law=np.full(tasks, int(law), dtype=np.int64),
        outcome_leaves=np.zeros(tasks, dtype=bool),
        outcome_delay=np.zeros(tasks),
        up=np.zeros(stations),
        down=np.zeros(stations),
    )
