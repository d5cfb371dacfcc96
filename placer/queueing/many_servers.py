"""Loss and queue of stations that serve several jobs at once: M/G/c/K, and corrections for other arrivals.

For Poisson arrivals the recursion of Tijms, van Hoorn and Federgruen (Approximations for the steady-state probabilities
in the M/G/c queue, Advances in Applied Probability 13, 1981; H. C. Tijms, A First Course in Stochastic Models, 2003,
sections 9.6.2 and 9.8): while a server is free, the jobs in service have residual service times that are independent of
each other; while all c are busy, the station serves like one server that is c times as fast. With λ the arrivals per
second, F the service law of mean s, F_e its residual law and K places,

    p_j = (λs)^j / j! p_0                                       j < c
    p_j = λ a_{j-c} p_{c-1} + λ Σ_{k=c..j} b_{j-k} p_k           c ≤ j < K
    p_K = ρ p_{c-1} - (1 - ρ) Σ_{c ≤ j < K} p_j                  ρ = λs/c
    a_n = ∫ (1-F_e(t))^{c-1} (1-F(t)) e^{-λt} (λt)^n/n! dt,   b_n = ∫ (1-F(ct)) e^{-λt} (λt)^n/n! dt.

It is exact for exponential services (M/M/c/K), for one server (M/G/1/K) and where nobody waits (K = c, Erlang), and an
approximation elsewhere. For other arrivals the loss and the queue are scaled as :mod:`placer.queueing.stations` does:
by the two-moment values of the one fast server that the station is while all servers are busy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from placer.queueing import mg1k
from placer.queueing.flattened import Batch
from placer.queueing.flows import Flows
from placer.queueing.network import UNLIMITED, Floats, Ints
from placer.queueing.stations import MAX_LOSS, queue_length

LONGEST = 400
"""Places beyond which a station is taken as this long: it loses by overload alone."""

PANELS, IN_PANEL = 50, 8
"""Panels of the quadrature over service times, and points in each."""

SMALLEST_SCV = 1e-6
"""Service times that vary less are constant."""


@dataclass(frozen=True)
class Answer:
    """Of one station: loss ratio, and mean number of jobs that wait."""

    loss: float
    waiting: float


def corrected(batch: Batch, chosen: Ints, flows: Flows, arrival_scv: Floats) -> tuple[Floats, Floats]:
    """Loss and mean number waiting of the stations ``chosen`` of a batch, all classes of a station alike.

    Args:
        batch: the networks.
        chosen: numbers of the stations, shape (n,).
        flows: what comes to the stations of the batch.
        arrival_scv: shape (S,), of the times between arrivals at each station of the batch.
    """
    loss, waiting = np.zeros(len(chosen)), np.zeros(len(chosen))
    for k, s in enumerate(chosen.tolist()):
        rate, servers = float(flows.total[s]), int(batch.servers[s])
        mean = float(flows.rho[s]) * servers / rate if rate > 0.0 else 0.0
        scv, given = float(flows.service_scv[s]), max(float(arrival_scv[s]), 0.0)
        answer = station(int(batch.capacity[s]), servers, rate, mean, scv, given)
        loss[k], waiting[k] = answer.loss, answer.waiting
    return loss, waiting


def station(capacity: int, servers: int, rate: float, mean: float, scv: float, arrival_scv: float = 1.0) -> Answer:
    """Loss and queue of one station.

    Args:
        capacity: K, jobs in the station including those in service; ``UNLIMITED`` loses nothing.
        servers: c, jobs that it serves at once; no more than it has places.
        rate: λ, arrivals per second.
        mean, scv: s, of the service times, and their squared coefficient of variation (a gamma law).
        arrival_scv: squared coefficient of variation of the times between arrivals.
    """
    if rate <= 0.0 or mean <= 0.0:
        return Answer(0.0, 0.0)
    if capacity == UNLIMITED:
        return Answer(0.0, _endless(servers, rate * mean, scv, arrival_scv))
    places = min(capacity, LONGEST)
    servers = min(servers, places)
    poisson = _poisson(places, servers, rate, mean, 0.0 if scv < SMALLEST_SCV else scv)
    if arrival_scv == 1.0:
        return poisson
    rho = np.array([rate * mean / servers])
    service, given, size = np.array([scv]), np.array([arrival_scv]), np.array([places - servers + 1])
    plain = mg1k.loss(rho, service, size, clip=True)
    other = mg1k.loss(rho, service, size, given, clip=True)
    before = float(queue_length(rho, service, size, np.ones(1), plain)[0])
    after = float(queue_length(rho, service, size, given, other)[0])
    loss = poisson.loss * float(other[0] / plain[0]) if plain[0] > 1e-300 else poisson.loss
    waiting = poisson.waiting * after / before if before > 1e-300 else poisson.waiting
    loss = min(max(loss, 1.0 - 1.0 / float(rho[0]), 0.0), MAX_LOSS)
    return Answer(loss, min(waiting, float(places - servers)))


def _poisson(places: int, servers: int, rate: float, mean: float, scv: float) -> Answer:
    """The recursion of the module's head; probabilities relative to p_{c-1}."""
    load = rate * mean
    fewer = np.arange(servers - 1, 0, -1)
    below = np.append([1.0], np.cumprod(fewer / load))  # p_{c-1}, p_{c-2}, … p_0
    room = places - servers
    a, b = _weights(room, servers, rate, mean, scv)
    busy = np.zeros(room)
    for j in range(room):
        come = a[j] + float(b[1 : j + 1][::-1] @ busy[:j])
        busy[j] = come / (1.0 - b[0])
    rho = load / servers
    full = max(rho - (1.0 - rho) * float(busy.sum()), 0.0)
    if room and rho < 1.0:  # the difference of nearly equal numbers: no less than the tail goes on to fall
        full = max(full, 1e-12 * float(busy[-1]))
    total = float(below.sum() + busy.sum() + full)
    waiting = float(np.arange(room) @ busy + room * full) / total
    return Answer(min(full / total, MAX_LOSS), waiting)


def _weights(count: int, servers: int, rate: float, mean: float, scv: float) -> tuple[Floats, Floats]:
    """λ a_n and λ b_n for n = 0 … count - 1."""
    if count == 0:
        return np.zeros(0), np.zeros(0)
    root, weight = _unit_quadrature()
    # a square brings the nodes close to 0, where densities of variable laws are steep
    relative: Floats = np.square(root)
    if scv == 0.0:
        long, stays, residual = mean, np.ones_like(root), 1.0 - relative
    else:
        from scipy.special import gammainc, gammaincc, gammainccinv

        shape = 1.0 / scv
        long = float(gammainccinv(shape, 1e-16)) * mean / shape
        at = relative * long / mean
        stays = np.asarray(gammaincc(shape, shape * at))
        residual = np.asarray(1.0 - (at * stays + gammainc(shape + 1.0, shape * at)))
    time, width = long * relative, 2.0 * long * root * weight
    first = _counted(rate * time, count) @ (rate * width * np.maximum(residual, 0.0) ** (servers - 1) * stays)
    # the fast server: the same law on a c-th of the time
    second = _counted(rate * time / servers, count) @ (rate * width / servers * stays)
    return first, second


@cache
def _unit_quadrature() -> tuple[Floats, Floats]:
    """Nodes and weights on [0, 1]: Gauss and Legendre's in panels."""
    nodes, weights = np.polynomial.legendre.leggauss(IN_PANEL)
    starts = np.arange(PANELS)[:, None]
    where = (starts + 0.5 * (nodes[None, :] + 1.0)) / PANELS
    return np.asarray(where.ravel()), np.tile(np.asarray(0.5 * weights / PANELS), PANELS)


def _counted(means: Floats, count: int) -> Floats:
    """Poisson probabilities of 0 … count - 1 at each mean, shape (count, means)."""
    steps = np.log(np.arange(1, count, dtype=np.float64))
    factorials = np.append(0.0, np.cumsum(steps))[:, None]
    with np.errstate(divide="ignore"):
        return np.asarray(np.exp(np.arange(count)[:, None] * np.log(np.maximum(means, 1e-300)) - means - factorials))


def _endless(servers: int, load: float, scv: float, arrival_scv: float) -> float:
    """Mean number waiting where every job finds room: Erlang's for exponential services, scaled (Lee and Longton)."""
    if load >= servers:
        return np.inf
    blocked = 1.0
    for c in range(1, servers + 1):
        blocked = load * blocked / (c + load * blocked)
    rho = load / servers
    waits = blocked / (1.0 - rho * (1.0 - blocked))
    return waits * rho / (1.0 - rho) * 0.5 * (scv + max(arrival_scv, 0.0))
