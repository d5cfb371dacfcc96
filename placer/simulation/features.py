"""What a network needs of the event loop: the loop is compiled without the rest."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from placer.queueing.network import Process
from placer.simulation.tables import DRAW_EXPONENTIAL, Tables


class Features(NamedTuple):
    """Which parts of the event loop are there.

    Attributes:
        joins: tasks that wait for several others.
        outages: stations that fail.
        delays: tasks that wait for nobody.
        processes: arrivals other than Poisson.
        laws: service times or delays that are neither constant nor exponential.
        branches: tasks with several outcomes, or with one that lets the job leave.
        servers: stations that serve several jobs at once; they need the delays.
        levels: stop where the level of the network leaves a band (splitting); no integrals over time then.
    """

    joins: bool = False
    outages: bool = False
    delays: bool = False
    processes: bool = False
    laws: bool = False
    branches: bool = False
    servers: bool = False
    levels: bool = False


def features_of(net: Tables, *, levels: bool = False) -> Features:
    """The fewest features with which ``net`` can be simulated."""
    _, _, tasks, outcomes, width, _, delay_slot, outage_slot, _ = (int(size) for size in net.dims)
    return Features(
        joins=width > 0,
        outages=outage_slot >= 0,
        delays=delay_slot >= 0,
        processes=bool((np.asarray(net.arrivals.kind) != int(Process.POISSON)).any()),
        laws=bool((np.asarray(net.laws.draw) > DRAW_EXPONENTIAL).any()),
        branches=outcomes > tasks or bool(np.asarray(net.outcome_leaves).any()),
        servers=bool((np.asarray(net.servers) > 1).any()),
        levels=levels,
    )
