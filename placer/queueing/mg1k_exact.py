"""Exact M/G/1/K by the chain embedded at departures, for many stations at once.

With a_j the probability of j Poisson arrivals in one service and A_j the probability of more than j, the
stationary vector of the departure chain satisfies the balance of level crossings
``pi_{j+1} a_0 = pi_0 A_j + sum_{i=1..j} pi_i A_{j-i+1}``, j = 0..K-2, in which every term is positive:
unlike the usual recursion nothing cancels, so it holds for hundreds of places at any load; columns are
rescaled as they grow. Then ``loss = 1 - 1/(pi_0 + rho)`` and the number in the system at an arbitrary time
is ``pi_j/(pi_0 + rho)`` for j < K (Gross et al., *Fundamentals of Queueing Theory*, section 5.1.8; Takagi,
*Queueing Analysis* vol. 2, 1993).

All laws are mixtures of gamma laws: deterministic is the limit scv = 0, exponential is scv = 1,
hyperexponential is two exponentials. Arrivals in a gamma time are negative binomial, with the term ratio
``a_{n+1}/a_n = (y + n t)/((n + 1)(1 + t))``, y = lambda E[S], t = y scv, which is Poisson at t = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from placer.queueing.network import Floats, Ints, Law

RESCALE_ABOVE = 1e60

LONG = 512
"""Places that are computed one by one. The vector does not depend on the capacity but for its end and its norm, and
far out it is geometric, so a longer one is continued with its last ratio."""

LARGE_LOAD = 500.0
"""Above this load per component exp(-y) nears underflow; the fluid values are exact to double precision
there."""


@dataclass(frozen=True)
class Exact:
    """The stationary values of M/G/1/K stations.

    Attributes:
        loss: loss ratio.
        number: mean number in the system, the one in service included.
        waiting_number: mean number waiting.
    """

    loss: Floats
    number: Floats
    waiting_number: Floats


@dataclass(frozen=True)
class Components:
    """Service times as gamma components, flattened over the items that they belong to.

    Attributes:
        item: shape (G,), index of the item (a task, a station) of each component, non-decreasing.
        weight: shape (G,), probability of the component; sums to 1 over an item.
        mean: shape (G,), s.
        scv: shape (G,), squared coefficient of variation of the gamma law.
    """

    item: Ints
    weight: Floats
    mean: Floats
    scv: Floats


def gamma_components(item: Ints, weight: Floats, mean: Floats, scv: Floats, law: Ints) -> Components:
    """Write service laws as gamma components.

    A hyperexponential law of two phases with balanced means becomes two exponentials: probabilities
    ``(1 ± sqrt((scv-1)/(scv+1)))/2`` and means ``E[S]/(2p)``. Its scv must exceed 1; at or below it is
    exponential.

    Args:
        item: shape (O,), non-decreasing item index of each outcome.
        weight: shape (O,), probability of each outcome.
        mean: shape (O,), s.
        scv: shape (O,).
        law: shape (O,), values of :class:`Law`.
    """
    variation = np.where(law == Law.DETERMINISTIC, 0.0, np.where(law == Law.GAMMA, scv, 1.0))
    two = (law == Law.HYPEREXPONENTIAL) & (scv > 1.0)
    if not two.any():
        return Components(item, weight, mean, variation)
    split = np.flatnonzero(two)
    p = 0.5 * (1.0 + np.sqrt((scv[split] - 1.0) / (scv[split] + 1.0)))
    weights, means = weight.copy(), mean.copy()
    weights[split] = weight[split] * p
    means[split] = mean[split] / (2.0 * p)
    items = np.concatenate([item, item[split]])
    order = np.argsort(items, kind="stable")
    return Components(
        items[order],
        np.concatenate([weights, weight[split] * (1.0 - p)])[order],
        np.concatenate([means, mean[split] / (2.0 * (1.0 - p))])[order],
        np.concatenate([variation, np.ones(len(split))])[order],
    )


def embedded(capacity: Ints, station: Ints, weight: Floats, load: Floats, scv: Floats) -> Exact:
    """Solve many M/G/1/K stations, each with a mixture of gamma service laws.

    Args:
        capacity: shape (S,), K >= 1 including the one in service.
        station: shape (G,), station of each component.
        weight: shape (G,), probability of the component among the arrivals of its station.
        load: shape (G,), arrivals at the station during one service of this component, Lambda E[S].
        scv: shape (G,).

    Returns:
        Values of shape (S,); a station without arrivals has no loss and nobody waits.
    """
    stations = len(capacity)
    order = np.argsort(-capacity, kind="stable")
    rank = np.empty(stations, dtype=np.int64)
    rank[order] = np.arange(stations)
    places = capacity[order]
    if stations == 0:
        return Exact(np.zeros(0), np.zeros(0), np.zeros(0))
    where = rank[station]
    sort = np.argsort(where, kind="stable")
    where, p, y, theta = where[sort], weight[sort], load[sort], (load * scv)[sort]
    rho = np.bincount(where, p * y, minlength=stations)
    y = np.minimum(y, LARGE_LOAD)
    variation = scv[sort]
    with np.errstate(divide="ignore", invalid="ignore"):
        log_zero = np.where(variation > 1e-12, -np.log1p(y * variation) / variation, -y)
    theta = y * variation
    term, tail = p * np.exp(log_zero), -p * np.expm1(log_zero)
    listed = np.minimum(places, LONG)
    most = int(listed[0])
    counts = np.searchsorted(-listed, -np.arange(most + 2), side="right")
    ends = np.searchsorted(where, np.arange(stations + 1))
    none = np.bincount(where, term, minlength=stations)
    exceed = np.zeros((most + 1, stations))
    exceed[0] = np.bincount(where, tail, minlength=stations)
    for n in range(1, most):
        m = int(counts[n + 1])
        g = int(ends[m])
        factor = y[:g] if n == 1 else y[:g] + (n - 1) * theta[:g]
        term = term[:g] * (factor / (n * (1.0 + theta[:g])))
        tail = np.maximum(tail[:g] - term, 0.0)
        exceed[n, :m] = np.bincount(where[:g], tail, minlength=m)
    pi = np.zeros((most, stations))
    pi[0] = 1.0
    for j in range(most - 1):
        m = int(counts[j + 2])
        flow = pi[0, :m] * exceed[j, :m]
        if j:
            flow += np.einsum("ij,ij->j", pi[1 : j + 1, :m], exceed[j:0:-1, :m])
        pi[j + 1, :m] = flow / np.maximum(none[:m], 1e-250)
        if flow.max() > 0.0 and pi[j + 1, :m].max() > RESCALE_ABOVE:
            large = np.flatnonzero(pi[j + 1, :m] > RESCALE_ABOVE)
            pi[: j + 2, large] /= pi[j + 1, large]
    total = pi.sum(axis=0)
    idle, mean = pi[0] / total, np.arange(most) @ pi / total
    if places[0] > LONG:
        beyond, further = _continued(places, pi)
        idle, mean = idle * (1.0 - beyond), mean * (1.0 - beyond) + further * beyond
    lost = np.maximum(1.0 - 1.0 / (idle + rho), 0.0)
    lost = np.where(rho <= 0.0, 0.0, lost)
    number = mean * (1.0 - lost) + places * lost
    waiting = np.maximum(number - rho * (1.0 - lost), 0.0)
    return Exact(lost[rank], number[rank], waiting[rank])


def _continued(places: Ints, pi: Floats) -> tuple[Floats, Floats]:
    """What lies beyond the ``LONG`` numbers that were computed, the ratio of the last two going on.

    Returns:
        (its part of the whole, the mean number there), shape (S,); 0 for shorter stations.
    """
    more = np.maximum(places - LONG, 0).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        x = np.log(pi[LONG - 1] / pi[LONG - 2])
        sum_of_powers = np.where(np.abs(x) * more < 1e-9, more, np.expm1(more * x) / -np.expm1(-x))
        mean = np.where(
            np.abs(x) * more < 1e-3,
            (more - 1.0) / 2.0 + (more**2 - 1.0) * x / 12.0,
            1.0 / np.expm1(-x) - more / np.expm1(-more * x),
        )
        tail = pi[LONG - 1] * sum_of_powers
        part = np.where(np.isinf(tail), 1.0, tail / (tail + pi.sum(axis=0)))
    far = (more > 0.0) & (pi[LONG - 1] > 0.0) & np.isfinite(x)
    return np.where(far, part, 0.0), np.where(far, LONG + mean, 0.0)


@dataclass(frozen=True)
class Station:
    """One exact M/G/1/K station.

    Attributes:
        loss: loss ratio.
        mean_number: mean number in the system.
        mean_waiting: mean time in s that an accepted job waits.
    """

    loss: float
    mean_number: float
    mean_waiting: float


def mg1k(
    rate: float,
    capacity: int,
    means: ArrayLike,
    scvs: ArrayLike = 0.0,
    laws: Law | Sequence[Law] = Law.DETERMINISTIC,
    probabilities: ArrayLike = 1.0,
) -> Station:
    """Exact values of one M/G/1/K station whose service time is a mixture of laws (early exits, classes).

    Args:
        rate: Poisson arrivals per second.
        capacity: K >= 1, jobs including the one in service.
        means: mean service time in s of each outcome, scalar or shape (O,).
        scvs: squared coefficient of variation of each outcome.
        laws: law of each outcome, or one for all.
        probabilities: probability of each outcome; sums to 1.
    """
    mean = np.atleast_1d(np.asarray(means, dtype=np.float64))
    count = len(mean)
    law = np.full(count, int(laws)) if isinstance(laws, Law) else np.array([int(one) for one in laws])
    scv = np.broadcast_to(np.asarray(scvs, dtype=np.float64), (count,))
    probability = np.broadcast_to(np.asarray(probabilities, dtype=np.float64), (count,))
    parts = gamma_components(np.zeros(count, dtype=np.int64), probability, mean, scv, law.astype(np.int64))
    answer = embedded(np.array([capacity], dtype=np.int64), parts.item, parts.weight, rate * parts.mean, parts.scv)
    loss, number, waiting = float(answer.loss[0]), float(answer.number[0]), float(answer.waiting_number[0])
    accepted = rate * (1.0 - loss)
    return Station(loss, number, waiting / accepted if accepted > 0.0 else 0.0)
