"""What comes to the stations of a batch in one sweep, and how long it waits there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from placer.queueing.network import Floats, Ints
from placer.queueing.sweep_state import Layout, State

LONGEST_WAIT = 1e12
"""Waits are cut here where they become features: an unlimited station in overload has an infinite one."""


def mean_waits(state: State, passed: NDArray[Any]) -> Floats:
    """Mean wait in s at each station, shape (S,), by the rules, from what passes it in 1/s; bounded."""
    return np.asarray(np.minimum(state.queue, LONGEST_WAIT) / np.maximum(passed, 1e-9))


@dataclass(frozen=True)
class Flows:
    """What comes to the stations in one sweep.

    Attributes:
        rate, share: shape (P,), arrivals in 1/s, and their part of the arrivals of the station.
        total, rho: shape (S,), arrivals in 1/s, and offered load of a server.
        service_scv: shape (S,), of the mixture of service times.
    """

    rate: Floats
    share: Floats
    total: Floats
    rho: Floats
    service_scv: Floats


def flows_of(layout: Layout, servers: Ints, rate: Floats) -> Flows:
    """The flows of one sweep from the servers of each station, (S,), and the arrivals at each task, (P,), 1/s."""
    station, stations = layout.station, len(servers)
    total = np.bincount(station, rate, minlength=stations).astype(np.float64)
    rho = np.bincount(station, rate * layout.mean, minlength=stations).astype(np.float64)
    second = np.bincount(station, rate * layout.mean**2 * (1.0 + layout.scv), minlength=stations)
    with np.errstate(divide="ignore", invalid="ignore"):
        service_scv = np.where(rho > 0.0, np.maximum(second * total / rho**2 - 1.0, 0.0), 0.0)
    return Flows(rate, rate / np.maximum(total, 1e-300)[station], total, rho / servers, service_scv)
