"""How long and how many: what a simulation must span before it says anything."""

from __future__ import annotations

import numpy as np

from placer.queueing.network import Process, QueueNetwork


def stations_of(network: QueueNetwork, owner: int) -> list[int]:
    """Stations that the jobs of a class visit."""
    tasks = network.task_station[int(network.class_tasks[owner]) : int(network.class_tasks[owner + 1])]
    return sorted({int(s) for s in tasks if s >= 0})


def crowd_of(network: QueueNetwork, owner: int) -> float:
    """Jobs that may be lost at one go: a full station, or what comes in one state of an MMPP."""
    crowd = float(max([1, *(int(network.capacity[s]) for s in stations_of(network, owner))]))
    for arrivals in network.arrivals:
        if arrivals.process == Process.MMPP:
            leaving = -np.diag(arrivals.generator)
            crowd = max(crowd, float((arrivals.rates / np.maximum(leaving, 1e-300)).max()))
    return min(crowd, 1e4)


def slowest(network: QueueNetwork) -> float:
    """The slowest thing that a network does by itself, s: an outage, a lap of a trace, a state of an MMPP."""
    most = float((network.up + network.down).max(initial=0.0))
    for arrivals in network.arrivals:
        if arrivals.process == Process.TRACE:
            most = max(most, float(arrivals.times[-1]) + 1 / arrivals.rate)
        if arrivals.process == Process.MMPP:
            leaving = -np.diag(arrivals.generator)
            most = max(most, float((1 / leaving[leaving > 0]).max(initial=0.0)))
    return most
