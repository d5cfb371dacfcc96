"""The Markov chain of a station between two instants of a clock.

The state is (number, service phase, phase of the other arrivals), or down. :mod:`placer.queueing.clock_steps` leads it
over the gaps between the instants.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.queueing.map_g1k import Server
from placer.queueing.markov_streams import MarkovArrivals
from placer.queueing.network import Floats, Ints
from placer.queueing.phase_type import PhaseType


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
