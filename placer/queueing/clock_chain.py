"""The Markov chain of a station between two instants of a clock, and its transition matrices.

The state is (number, service phase, phase of the other arrivals), or down. Where only completions happen the matrices
are those of counting the renewals of the services; otherwise exponentials by uniformisation and squaring.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from placer.queueing.counting import TimeLaw, count_matrices, poisson_counts
from placer.queueing.map_g1k import Server
from placer.queueing.markov_streams import MarkovArrivals
from placer.queueing.network import Floats, Ints
from placer.queueing.phase_type import PhaseType

MOST_KEPT = 10_000_000
"""Numbers of transition matrices that are kept."""


@dataclass(frozen=True)
class ClockChain:
    """The chain between instants: N states, ordered idle, then number by service phase by arrival phase, then down."""

    generator: Floats
    number: Ints
    ahead: Floats  # mean time until what is there now is served, s
    spared: Floats  # probability that no outage comes until a job that arrives now is served
    phases: int
    service: int
    capacity: int
    start: Floats
    service_time: float
    outages: bool

    def arrive(self, x: Floats) -> tuple[Floats, Floats]:
        """Add a job to each row of states: (states after, what finds the station full or failed)."""
        m, block, K = self.phases, self.phases * self.service, self.capacity
        after = np.zeros_like(x)
        top = m + (K - 1) * block
        after[:, m : m + block] = (self.start[None, :, None] * x[:, None, :m]).reshape(len(x), block)
        after[:, m + block : top + block] += x[:, m:top]
        after[:, top : top + block] += x[:, top : top + block]
        after[:, top + block :] = x[:, top + block :]
        return after, x[:, top:].sum(axis=1)


def states(server: Server, service: PhaseType, background: MarkovArrivals | None) -> int:
    """Number of states that the chain of a station would have."""
    m = 1 if background is None else background.phases
    return m * (1 + server.capacity * len(service.start) + (1 if server.up > 0.0 else 0))


def clock_chain(server: Server, service: PhaseType, background: MarkovArrivals | None) -> ClockChain:
    """Build the chain of a station."""
    K, p = server.capacity, len(service.start)
    hidden = np.zeros((1, 1)) if background is None else background.hidden
    m = len(hidden)
    block = m * p
    outages = server.up > 0.0
    size = m + K * block + (m if outages else 0)
    q = np.zeros((size, size))
    at = m + block * np.arange(K + 1)  # at[n-1] is the first state with n jobs
    inside = np.kron(np.eye(p), hidden) + np.kron(service.moves, np.eye(m))
    done = np.kron(np.outer(service.ends, service.start), np.eye(m))
    q[:m, :m] = hidden
    for n in range(1, K + 1):
        here = slice(at[n - 1], at[n])
        q[here, here] += inside
        if n > 1:
            q[here, at[n - 2] : at[n - 1]] += done
        else:
            q[here, :m] += np.kron(service.ends[:, None], np.eye(m))
    if background is not None:
        for event, many in zip(background.events, background.batch, strict=True):
            to = min(int(many), K)
            q[:m, at[to - 1] : at[to]] += np.kron(service.start[None, :], event)
            for n in range(1, K + 1):
                to = min(n + int(many), K)
                q[at[n - 1] : at[n], at[to - 1] : at[to]] += np.kron(np.eye(p), event)
    if outages:
        fail, repair = 1.0 / server.up, 1.0 / server.down
        dead = slice(at[K], size)
        q[: at[K], : at[K]] -= fail * np.eye(at[K])
        q[: at[K], dead] += fail * np.tile(np.eye(m), (at[K] // m, 1))
        q[dead, dead] = (np.zeros((1, 1)) if background is None else background.modulation) - repair * np.eye(m)
        q[dead, :m] += repair * np.eye(m)
    average = float(service.start @ service.remaining)
    number = np.concatenate([np.zeros(m), np.repeat(np.arange(1, K + 1), block), np.zeros(m if outages else 0)])
    ahead = np.zeros(size)
    residual = np.repeat(service.remaining, m)
    ahead[m : at[K]] = (np.arange(K)[:, None] * average + residual).ravel()
    spared = np.ones(size)
    if outages:
        ends = np.linalg.solve(np.eye(p) / server.up - service.moves, service.ends)
        own = float(service.start @ ends)
        spared[:m] = own
        spared[m : at[K]] = (own ** np.arange(1, K + 1)[:, None] * np.repeat(ends, m)).ravel()
    return ClockChain(q, number.astype(np.int64), ahead, spared, m, p, K, service.start, average, outages)


def transitions(
    chain: ClockChain, gaps: Floats, server: Server, service: PhaseType, background: MarkovArrivals | None
) -> Sequence[Floats]:
    """Transition matrices over gaps, s."""
    if background is None and not chain.outages:
        return _by_completions(chain, gaps, server, service)
    return [_exponential(chain.generator, float(gap)) for gap in gaps]


def _by_completions(chain: ClockChain, gaps: Floats, server: Server, service: PhaseType) -> Sequence[Floats]:
    """Without background only completions happen: counting matrices of the renewal process of the services."""
    K = server.capacity
    rate = float(-np.diag(service.moves).min())
    laws = [constant_counts(rate, float(gap)) for gap in gaps]
    weights = np.zeros((len(gaps), max(len(law) for law in laws)))
    for row, law in zip(weights, laws, strict=True):
        row[: len(law)] = law
    renewals = np.outer(service.ends, service.start)[None]
    one = np.ones(1, dtype=np.int64)
    blocks = count_matrices(service.moves, renewals, one, rate, K, weights)
    place = np.arange(1, K + 1)[:, None] - np.arange(1, K + 1)[None, :]
    place = np.where(place < 0, K, place)  # nobody arrives: the number does not grow
    blocks[:, :, K, :] = 0.0
    return _Completions(blocks, place, len(chain.generator))


class _Completions(Sequence[Floats]):
    """Transition matrices made when they are asked for: those of a long trace would not fit into memory."""

    def __init__(self, blocks: Floats, place: Ints, size: int) -> None:
        self._blocks, self._place, self._size = blocks, place, size
        self._made: dict[int, Floats] = {}

    def __len__(self) -> int:
        return len(self._blocks)

    def __getitem__(self, k: Any) -> Any:
        found = self._made.get(k)
        if found is None:
            inner = self._size - 1
            found = np.zeros((self._size, self._size))
            found[0, 0] = 1.0
            found[1:, 1:] = self._blocks[k][:, self._place, :].transpose(1, 0, 2, 3).reshape(inner, inner)
            found[1:, 0] = np.maximum(1.0 - found[1:, 1:].sum(axis=1), 0.0)
            if len(self._made) * self._size**2 < MOST_KEPT:
                self._made[k] = found
        return found


def constant_counts(rate: float, time: float) -> Floats:
    """Law of the number of Poisson events in a constant time."""
    if rate * time <= 0.0:
        return np.ones(1)
    return poisson_counts(rate, TimeLaw(np.ones(1), np.array([time]), np.zeros(1)))[0]


def _exponential(generator: Floats, time: float) -> Floats:
    """exp(generator time) by uniformisation of a short time and squaring."""
    rate = float(-np.diag(generator).min())
    y = rate * time
    squarings = max(0, int(np.ceil(np.log2(max(y, 1e-300) / 2.0))))
    y /= 2.0**squarings
    weights = constant_counts(1.0, y)
    step = np.eye(len(generator)) + generator / rate
    result = weights[-1] * np.eye(len(generator))
    for weight in weights[-2::-1]:
        result = result @ step
        result[np.diag_indices_from(result)] += weight
    for _ in range(squarings):
        result = result @ result
    return np.asarray(result / result.sum(axis=1, keepdims=True))
