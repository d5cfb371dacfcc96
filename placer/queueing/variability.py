"""Streams between stations: their variability, and the gaps between the jobs of a stream.

A stream is described by its rate, its squared coefficient of variation (scv) and its *spacing*: two jobs of a
stream cannot leave one server closer together than the service time of the later one. The gap between two
jobs is then ``d + B X`` with the spacing d, X exponential and B = 1 with probability b: exact for the
departures of M/D/1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.queueing.network import Floats, Ints

TINY = 1e-9


def runs(labels: Ints) -> tuple[Ints, Ints]:
    """Starts of the runs of equal labels, and for each element the index of its run."""
    new = np.ones(len(labels), dtype=bool)
    new[1:] = labels[1:] != labels[:-1]
    return np.flatnonzero(new).astype(np.int64), np.cumsum(new) - 1


@dataclass(frozen=True)
class Gaps:
    """Gap laws ``d + B X``, one a stream.

    Attributes:
        rate: 1/s.
        spacing: d in s.
        loose: b, probability that the gap exceeds d.
        excess: mean of the gap above d in s, b/decay.
        decay: rate of X in 1/s.
    """

    rate: Floats
    spacing: Floats
    loose: Floats
    excess: Floats
    decay: Floats


def fit_gaps(rate: Floats, scv: Floats, spacing: Floats) -> Gaps:
    """Fit ``d + B X`` to a rate, an scv and a known spacing.

    Mean: ``b/decay = 1/rate - d``; second moment: ``b = 2 m^2/(c^2/rate^2 + m^2)`` with m that excess. An
        scv below
    ``(1 - rate d)^2``, the least that b <= 1 allows, is met by a larger d (periodic at scv 0).

    Args:
        rate: shape (T,), 1/s.
        scv: shape (T,), clipped to [0, 1].
        spacing: shape (T,), s.
    """
    flow = np.maximum(rate, TINY)
    root = np.sqrt(np.clip(scv, 1e-8, 1.0))
    d = np.where(1.0 - flow * spacing > root, (1.0 - root) / flow, spacing)
    d = np.minimum(d, (1.0 - 1e-4) / flow)
    excess = 1.0 / flow - d
    loose = np.clip(2.0 * excess**2 / ((root / flow) ** 2 + excess**2), 1e-6, 1.0)
    return Gaps(flow, d, loose, excess, loose / excess)


def merged_scv(share: Floats, scv: Floats, station: Ints, stations: int) -> Floats:
    """scv of a superposition: the mean of those of its streams, weighted with their shares.

    Whitt, *The queueing network analyzer*, Bell Syst. Tech. J. 62 (1983), with weight w = 1 (asymptotic
    method).
    """
    return np.bincount(station, share * scv, minlength=stations).astype(np.float64)


def work_scv(share: Floats, mean: Floats, scv: Floats, station: Ints, stations: int) -> Floats:
    """What to use as arrival scv of a station whose classes differ in service time *and* regularity.

    What a queue feels is the variance of the work that arrives, ``sum lambda_i s_i^2 (c_i^2 + c_si^2)``.
    Two-moment formulas see it as ``Lambda s^2 (c_a^2 + c_s^2)`` with the scv c_s^2 of the mixture, which
    counts the change from class to class as random although a regular class comes regularly. Equating both
    gives ``c_a^2 = 1 - sum q_i (s_i/s)^2 (1 - c_i^2)``: 1 for Poisson streams, and negative where the mixture
    overstates.

    Args:
        share: shape (P,), part of the arrivals of the station.
        mean: shape (P,), mean service time in s.
        scv: shape (P,), of the streams.
        station: shape (P,).
        stations: S.
    """
    average = np.bincount(station, share * mean, minlength=stations)
    ratio = mean / np.where(average > 0.0, average, 1.0)[station]  # a station that nothing reaches has no share
    return np.asarray(1.0 - np.bincount(station, share * ratio**2 * (1.0 - scv), minlength=stations))


def long_run_weights(load: Floats, places: Floats) -> tuple[Floats, Floats]:
    """Weights of the arrival and of the service variability in the long-run variance of the jobs that pass a
    station.

    For a diffusion between two reflecting barriers with density ``e^(theta y)`` on [0, 1]: the passing jobs
    follow the arrivals with weight E[(1-g)^2] and the services with weight E[g^2], ``g = (1 - e^(-theta
    y))/(1 - e^-theta)`` (the martingale of the barrier at which jobs are lost). Both are 1/3 at load 1, the
    BRAVO effect (Nazarathy & Weiss 2008, *The asymptotic variance rate of the output process of finite
    capacity birth-death queues*); (1, 0) far below and (0, 1) far above.

    Args:
        load: shape (S,), offered load.
        places: shape (S,), effective capacity, so that ``theta = places ln load``.
    """
    theta = np.clip(places * np.log(np.maximum(load, TINY)), -200.0, 200.0)
    return _squared(-theta), _squared(theta)


def _squared(theta: Floats) -> Floats:
    """E[g^2] of :func:`long_run_weights`, stable for both signs and near 0."""
    size = np.maximum(np.abs(theta), 1e-2)
    e = np.exp(-size)
    above = 1.0 - e**2 - 2.0 * size * e
    below = e * (1.0 - e**2 - 2.0 * size * e)
    exact = np.where(theta > 0.0, above, below) / (1.0 - e) ** 3
    return np.asarray(np.where(np.abs(theta) < 1e-2, 1.0 / 3.0 + theta / 6.0, exact))


def timescale_weight(upstream_load: Floats, load: Floats, capacity: Floats, scale: float) -> Floats:
    """How far a queue feels the long-run variability of a stream, and not the one from gap to gap.

    A server regulates its output over times short against its own relaxation, ``1/(1-u)^2``, and passes slow
    fluctuations on (the heavy-traffic bottleneck phenomenon, Suresh & Whitt 1990). A queue averages over its
    own relaxation time ``1/((1-rho)^2 + 1/K^2)``, the barrier included. With x the ratio of the two the
    weight is ``x/(1+x)``; Whitt & You, *A robust queueing network analyzer based on indices of dispersion*
    (2022), for the form.

    Args:
        upstream_load: largest utilisation on the way of the stream.
        load: offered load of the queue.
        capacity: K.
        scale: factor of x.
    """
    x = scale * (1.0 - upstream_load) ** 2 / ((1.0 - load) ** 2 + 1.0 / capacity**2)
    return np.asarray(x / (1.0 + x))


def departure_scv(utilisation: Floats, service_scv: Floats, merged: Floats) -> Floats:
    """scv of the departures of a station, ``u^2 c_s^2 + (1 - u^2) c_a^2`` (Marshall 1968; Whitt 1983)."""
    square = np.minimum(utilisation, 1.0) ** 2
    return np.asarray(square * service_scv + (1.0 - square) * merged)


def split_scv(share: Floats, departures: Floats, own: Floats, accepted: Floats) -> Floats:
    """scv of one class in the departures of a station.

    ``q c_d^2 + (1 - q) (a c_i^2 + 1 - a)``: alone (q = 1) it is the station's; a small class keeps the
    variability with which it came, thinned by its losses. Whitt, *Towards better multi-class
    parametric-decomposition approximations*, Ann. Oper. Res. 48 (1994), for the form.
    """
    return np.asarray(share * departures + (1.0 - share) * (accepted * own + 1.0 - accepted))


def crowding(share: Floats, spacing: Floats, service: Floats, rho: Floats, station: Ints) -> Floats:
    """Factor on the wait of a station because jobs of one stream do not meet each other.

    A stream whose jobs come at least d apart does not wait for itself when d >= s: the part q^2 of the pairs
    of jobs is of one stream, and the effect vanishes in saturation, where the buffer is full whatever comes.
    ``1 - sum q^2 min(1, d/s) (1 - min(1, rho))``.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(service > 0.0, np.minimum(1.0, spacing / service), 0.0)
    return np.asarray(1.0 - np.bincount(station, share**2 * part, minlength=len(rho)) * (1.0 - np.minimum(rho, 1.0)))
