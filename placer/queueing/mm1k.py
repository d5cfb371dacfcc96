"""M/M/1/K: one exponential server and K places, the one in service included.

Closed forms in the offered load ``rho``, vectorised over numpy arrays and stable at ``rho`` = 1 and for any
real capacity (the two-moment formula of :mod:`placer.queueing.mg1k` is the same function at a real capacity).
Source: Gross, Shortle, Thompson, Harris, *Fundamentals of Queueing Theory*, 4th ed., section 2.5.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from placer.queueing.network import Floats

NEAR_ONE = 1e-9
"""Below this |ln rho| (K + 1) the value at rho = 1 is exact to double precision."""


def loss(rho: ArrayLike, capacity: ArrayLike) -> Floats:
    """Probability that an arrival finds the queue full, ``rho^K (1 - rho) / (1 - rho^(K+1))``.

    Args:
        rho: offered load, any broadcastable shape, >= 0.
        capacity: K, jobs in the system including the one in service; real values >= 0 are allowed.

    Returns:
        Loss ratio in [0, 1), of the broadcast shape.
    """
    load = np.asarray(rho, dtype=np.float64)
    places = np.asarray(capacity, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        x = np.log(load)
        below = np.exp(places * x) * np.expm1(x) / np.expm1((places + 1.0) * x)
        above = np.expm1(-x) / np.expm1(-(places + 1.0) * x)
        value = np.where(x < 0.0, below, above)
    value = np.where(np.abs(x) * (places + 1.0) < NEAR_ONE, 1.0 / (places + 1.0), value)
    return np.asarray(np.where(load <= 0.0, np.where(places > 0.0, 0.0, 1.0), value), dtype=np.float64)


def mean_number(rho: ArrayLike, capacity: ArrayLike) -> Floats:
    """Mean number of jobs in the system.

    ``sum_k k rho^k / sum_k rho^k``, k = 0..K, in the form ``rho/(1-rho) - (K+1) rho^(K+1)/(1-rho^(K+1))``; a
    series in ln rho near rho = 1, where that form cancels.

    Args:
        rho: offered load, any broadcastable shape, >= 0.
        capacity: K >= 1.
    """
    load = np.asarray(rho, dtype=np.float64)
    size = np.asarray(capacity, dtype=np.float64) + 1.0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        x = np.log(load)
        # 1/expm1(-x) is rho/(1-rho), in the same way for the second term; large x reverses the queue
        value = 1.0 / np.expm1(-x) - size / np.expm1(-size * x)
    series = (size - 1.0) / 2.0 + (size**2 - 1.0) * x / 12.0
    value = np.where(np.abs(x) * size < 1e-3, series, value)
    return np.asarray(np.where(load <= 0.0, 0.0, value), dtype=np.float64)


def mean_waiting(rate: ArrayLike, service: ArrayLike, capacity: ArrayLike) -> Floats:
    """Mean time in s that an accepted job waits before its service starts (Little's law).

    Args:
        rate: arrivals per second, > 0.
        service: mean service time in s.
        capacity: K >= 1.
    """
    load = np.asarray(rate, dtype=np.float64) * np.asarray(service, dtype=np.float64)
    accepted = np.asarray(rate, dtype=np.float64) * (1.0 - loss(load, capacity))
    waiting = mean_number(load, capacity) / accepted - np.asarray(service, dtype=np.float64)
    return np.asarray(np.maximum(waiting, 0.0), dtype=np.float64)
