"""A lean event loop for plain chains: counts what :mod:`placer.simulation.kernel` would, several times as fast.

Poisson arrivals, one outcome a task, FIFO, tail drop. Jobs have no identity: a station holds a ring of the tasks that
wait there and when they came. In the subset of Python that numba compiles.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from placer.jit import version
from placer.queueing.network import Floats, Law, QueueNetwork


def loop(
    capacity: Any, class_tasks: Any, station: Any, gap: Any, mean: Any, shape: Any, rng: Any, warmup: int, events: int,
    arrived: Any, dropped: Any, sojourn: Any, ended: Any,
) -> None:  # fmt: skip
    """Run ``events`` events and count after the first ``warmup``.

    Args:
        capacity: shape (S,).
        class_tasks: shape (C+1,).
        station: shape (T,).
        gap: shape (C,), mean time between arrivals in s.
        mean: shape (T,), s.
        shape: shape (T,), of a gamma law of service times; 0 for a constant.
        rng: the generator.
        warmup, events: arrivals and ends of tasks.
        arrived, dropped, ended: shape (T,), int64, written.
        sojourn: shape (T,), s, sum over the jobs that ended; written.
    """
    stations, classes, tasks = len(capacity), len(gap), len(station)
    room = 1
    for s in range(stations):
        room = max(room, capacity[s])
    ring_task = np.zeros(stations * room, np.int64)
    ring_time = np.zeros(stations * room)
    head = np.zeros(stations, np.int64)
    number = np.zeros(stations, np.int64)
    last = np.zeros(tasks, np.int64)
    for c in range(classes):
        last[class_tasks[c + 1] - 1] = 1
    times = np.full(stations + classes, np.inf)
    for c in range(classes):
        times[stations + c] = gap[c] * rng.standard_exponential()
    for event in range(events):
        if event == warmup:
            arrived[:] = 0
            dropped[:] = 0
            ended[:] = 0
            sojourn[:] = 0.0
        slot = 0
        now = times[0]
        for k in range(1, stations + classes):
            if times[k] < now:
                now = times[k]
                slot = k
        task = -1
        if slot < stations:
            s = slot
            at = s * room + head[s]
            v = ring_task[at]
            ended[v] += 1
            sojourn[v] += now - ring_time[at]
            number[s] -= 1
            head[s] = head[s] + 1 if head[s] + 1 < room else 0
            if number[s] > 0:
                w = ring_task[s * room + head[s]]
                if shape[w] == 0.0:
                    times[s] = now + mean[w]
                else:
                    times[s] = now + mean[w] / shape[w] * rng.standard_gamma(shape[w])
            else:
                times[s] = np.inf
            if last[v] == 0:
                task = v + 1
        else:
            c = slot - stations
            times[slot] = now + gap[c] * rng.standard_exponential()
            task = class_tasks[c]
        if task >= 0:
            arrived[task] += 1
            s = station[task]
            if number[s] >= capacity[s]:
                dropped[task] += 1
                continue
            place = head[s] + number[s]
            if place >= room:
                place -= room
            ring_task[s * room + place] = task
            ring_time[s * room + place] = now
            number[s] += 1
            if number[s] == 1:
                if shape[task] == 0.0:
                    times[s] = now + mean[task]
                else:
                    times[s] = now + mean[task] / shape[task] * rng.standard_gamma(shape[task])


def count(
    network: QueueNetwork, rng: np.random.Generator, warmup: int, events: int, compiled: bool | None = None
) -> tuple[Floats, Floats, Floats]:
    """Arrived and dropped jobs, and mean sojourn in s, of each task of a network of plain chains; shape (T,) each."""
    tasks = len(network.task_station)
    arrived, dropped, ended = (np.zeros(tasks, dtype=np.int64) for _ in range(3))
    sojourn = np.zeros(tasks)
    constant = (network.outcome_law == Law.DETERMINISTIC) | (network.outcome_scv == 0.0)
    scv = np.where(network.outcome_law == Law.EXPONENTIAL, 1.0, np.where(constant, 1.0, network.outcome_scv))
    shape = np.where(constant, 0.0, 1.0 / scv)
    version(loop, compiled)(
        network.capacity, network.class_tasks, network.task_station, 1.0 / network.rates, network.outcome_mean, shape,
        rng, warmup, events, arrived, dropped, sojourn, ended,
    )  # fmt: skip
    return arrived.astype(np.float64), dropped.astype(np.float64), sojourn / np.maximum(ended, 1)
