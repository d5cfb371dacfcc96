"""Exact MAP/G/1/K, with batches and outages, by the chain embedded at departures.

Between two departures the phase of the arrivals and their number follow counting matrices
(:mod:`placer.queueing.counting`); the chain (number left behind, phase) then is of M/G/1 type and finite. Times spent
with each number follow from integrals of the same matrices over the rest of a service (Ramaswami, *The N/G/1 queue
and its detailed analysis*, Adv. Appl. Prob. 12, 1980; Blondia, *The N/G/1 finite capacity queue*, Stochastic Models 5,
1989). An outage kills at a constant rate: the same matrices with that rate on the diagonal, and one more level, the
repair, from which the station starts empty. A batch is admitted job by job while there is room.

Jobs of all kinds have the same service law. Capacity K counts the job in service.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.queueing.counting import TimeLaw, count_matrices, poisson_counts
from placer.queueing.markov_streams import MarkovArrivals
from placer.queueing.network import Floats

DENSE = 320
"""Size of the embedded chain up to which one dense solution is faster than the reduction level by level."""


@dataclass(frozen=True)
class Server:
    """A station that serves one job at a time.

    Attributes:
        capacity: K >= 1, jobs in the station, the one in service included.
        law: service time.
        up, down: mean times between and of outages in s, exponential; ``up`` 0 for none. A failed station drops
            arrivals and the jobs that it holds.
    """

    capacity: int
    law: TimeLaw
    up: float = 0.0
    down: float = 0.0


@dataclass(frozen=True)
class Answer:
    """Stationary values of one station; E kinds of arrivals, B the largest batch, m phases.

    Attributes:
        loss: shape (E, B), probability that the b-th job of a batch is turned away; NaN beyond a batch.
        survival: shape (E, B), probability that an admitted job is served to its end (no outage meets it).
        waiting: shape (E, B), mean time in s that an admitted job waits (of those that no outage meets, about).
        number, busy: mean number in the station and probability that it serves.
        present: shape (K+1, m), probability of each number and phase, the station not failed.
        leaving: shape (K, m), departures per second by what they leave behind and the phase.
    """

    loss: Floats
    survival: Floats
    waiting: Floats
    number: float
    busy: float
    present: Floats
    leaving: Floats


def solve(arrivals: MarkovArrivals, server: Server) -> Answer:
    """Stationary values of a station.

    Args:
        arrivals: what comes.
        server: the station.

    Raises:
        OverflowError: the arrivals are so much faster than the service that uniformisation needs too many steps.
    """
    K, law = server.capacity, server.law
    kill = 1.0 / server.up if server.up > 0.0 else 0.0
    m = arrivals.phases
    hidden = arrivals.hidden - kill * np.eye(m)
    rate = max(float(-np.diag(hidden).min()), 1e-300)
    mass, beyond = poisson_counts(rate, law)
    later = np.append(np.cumsum(beyond[::-1])[::-1][1:], 0.0)
    weights = np.vstack([mass, beyond / rate, later / rate**2])
    ends, times, rests = count_matrices(hidden, arrivals.events, arrivals.batch, rate, K, weights)
    idle_time = np.linalg.inv(-hidden)
    enter = np.zeros((K + 1, m, m))  # from idle, by the number in the station after the first event
    for event, size in zip(arrivals.events, arrivals.batch, strict=True):
        enter[min(int(size), K)] += idle_time @ event
    repaired = _repairs(arrivals, kill, server.down)
    spent = times.sum(axis=1)
    levels, restarts = _embedded(K, ends, enter, kill * (spent @ repaired), kill * (idle_time @ repaired))
    idle = (levels[0] + restarts) @ idle_time
    begin = levels.copy()
    begin[0] = 0.0
    begin = np.vstack([begin, np.zeros((1, m))]) + (levels[0] + restarts) @ enter
    present, residual = _spread(begin, times), _spread(begin, rests)
    present[0] = idle
    failed = kill * present.sum(axis=0) @ repaired * server.down if kill else np.zeros(m)
    total = float(present.sum() + failed.sum())
    present, residual = present / total, residual / total
    failed = failed / total
    loss, waiting, survival = _admission(arrivals, server, present, residual, failed, float(levels.sum()) / total)
    return Answer(
        loss=loss,
        survival=survival,
        waiting=waiting,
        number=float(np.arange(K + 1) @ present.sum(axis=1)),
        busy=float(present[1:].sum()),
        present=present,
        leaving=levels / total,
    )


def _repairs(arrivals: MarkovArrivals, kill: float, down: float) -> Floats:
    """Phase at the repair, given that at the failure; shape (m, m)."""
    m = arrivals.phases
    if kill == 0.0:
        return np.zeros((m, m))
    return np.asarray(np.linalg.inv(np.eye(m) - down * arrivals.modulation))


def _embedded(K: int, ends: Floats, enter: Floats, killed: Floats, killed_idle: Floats) -> tuple[Floats, Floats]:
    """Visits to the embedded states: (left behind 0..K-1, shape (K, m); repairs, shape (m,)), up to a factor.

    Args:
        K: capacity.
        ends: shape (m, K+1, m), arrivals in a service, the last block K and more.
        enter: shape (K+1, m, m), from idle to the number at the start of a busy period.
        killed, killed_idle: shape (m, m), to a repair before the service ends, before the next event.
    """
    m = ends.shape[0]
    blocks = ends.transpose(1, 0, 2)
    at_least = np.cumsum(blocks[::-1], axis=0)[::-1]
    outages = bool(killed.any())
    size = K + 1 if outages else K
    if size * m > DENSE and not outages:
        return _by_levels(K, blocks, at_least, enter), np.zeros(m)
    chain = np.zeros((size, m, size, m))
    for n in range(1, K + 1):
        # the row of a service that starts with n jobs; n = K is only entered from idle
        row = np.zeros((K, m, m))
        row[n - 1 : K - 1] = blocks[: K - n]
        row[K - 1] = at_least[K - n]
        if n < K:
            chain[n, :, :K] = row.transpose(1, 0, 2)
            if outages:
                chain[n, :, K] = killed
        if enter[n].any():
            chain[0, :, :K] += np.tensordot(enter[n], row.transpose(1, 0, 2), axes=1)
            if outages:
                chain[0, :, K] += enter[n] @ killed
    if outages:
        chain[0, :, K] += killed_idle
        chain[K] = chain[0]
    square = chain.reshape(size * m, size * m)
    system = np.eye(size * m) - square.T
    system[-1] = 1.0
    goal = np.zeros(size * m)
    goal[-1] = 1.0
    visits = np.maximum(np.linalg.solve(system, goal), 0.0).reshape(size, m)
    return visits[:K], visits[K] if outages else np.zeros(m)


def _by_levels(K: int, blocks: Floats, at_least: Floats, enter: Floats) -> Floats:
    """The same without outages for long queues: levels are censored from the top, nothing is subtracted but I - U."""
    m = blocks.shape[1]
    down = blocks[0]
    # column K-1 of the chain, one block per row level; levels step down by one only
    column = np.empty((K, m, m))
    column[1:] = at_least[K - np.arange(1, K)]
    starts = np.flatnonzero(enter.reshape(K + 1, -1).any(axis=1))
    column[0] = sum(enter[n] @ at_least[K - n] for n in starts)
    ratios: list[Floats] = []
    for level in range(K - 1, 0, -1):
        left = np.linalg.inv(np.eye(m) - column[level])
        ratio = column[:level] @ left
        ratios.append(ratio)
        column = ratio @ down
        rows = np.arange(1, level)
        column[rows] += blocks[level - rows]
        column[0] += sum((enter[n] @ blocks[level - n] for n in starts if level - n >= 0), start=np.zeros((m, m)))
    visits = np.zeros((K, m))
    from_above = np.eye(m) - column[0].T
    from_above[-1] = 1.0
    visits[0] = np.maximum(np.linalg.solve(from_above, np.append(np.zeros(m - 1), 1.0)), 0.0)
    for level in range(1, K):
        visits[level] = np.einsum("ip,ipq->q", visits[:level], ratios[K - 1 - level])
    return visits


def _spread(begin: Floats, weights: Floats) -> Floats:
    """Sum over the services that start with each number: shape (K+1, m), by the number present."""
    K = len(begin) - 1
    result = np.zeros_like(begin)
    at_least = np.cumsum(weights[:, ::-1], axis=1)[:, ::-1]
    for n in range(1, K + 1):
        result[n:K] += np.tensordot(begin[n], weights[:, : K - n], axes=1)
        result[K] += begin[n] @ at_least[:, K - n]
    return result


def _admission(
    arrivals: MarkovArrivals, server: Server, present: Floats, residual: Floats, failed: Floats, served: float
) -> tuple[Floats, Floats, Floats]:
    """Loss, wait and survival by event and place in the batch; ``served`` jobs leave per second."""
    K, law = server.capacity, server.law
    widest = int(arrivals.batch.max(initial=1))
    shape = (len(arrivals.batch), widest)
    loss, waiting, flow = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape)
    rates = arrivals.event_rates()
    work = np.maximum(np.arange(K + 1) - 1.0, 0.0) * law.average
    for e, size in enumerate(arrivals.batch):
        seen = present @ arrivals.events[e].sum(axis=1)
        ahead = residual @ arrivals.events[e].sum(axis=1)
        for b in range(int(size)):
            room = max(K - b, 0)
            flow[e, b] = seen[:room].sum()
            away = seen[room:].sum() + failed @ arrivals.events[e].sum(axis=1)
            loss[e, b] = min(away / rates[e], 1.0) if rates[e] > 0.0 else 0.0
            if flow[e, b] > 0.0:
                wait = work[:room] @ seen[:room] + ahead[:room].sum() + b * law.average * flow[e, b]
                waiting[e, b] = max(wait / flow[e, b], 0.0)
    if server.up <= 0.0:
        return loss, waiting, np.where(np.isnan(loss), np.nan, 1.0)
    # by kind: shaped by how long it stays, scaled to what the station serves in all
    held = server.up / (server.up + np.nan_to_num(waiting) + law.average)
    total = float((flow * held).sum())
    scale = served / total if total > 0.0 else 1.0
    return loss, waiting, np.where(np.isnan(loss), np.nan, np.minimum(held * scale, 1.0))
