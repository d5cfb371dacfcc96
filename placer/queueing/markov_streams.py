"""Markovian arrival processes: Poisson, MMPP, their superpositions, thinned.

A process is a Markov chain of *phases*; ``hidden`` moves it without an arrival, each *event* has a matrix that
moves it with one (Neuts 1979; Lucantoni, Meier-Hellstern, Neuts, *A single-server queue with server vacations and a
class of non-renewal arrival processes*, Adv. Appl. Prob. 22, 1990). Superposing independent processes adds their
matrices as Kronecker sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from placer.queueing.network import Floats, Ints


@dataclass(frozen=True)
class MarkovArrivals:
    """What comes to a station: m phases, E kinds of events. Rates in 1/s.

    Attributes:
        hidden: shape (m, m), transitions without an arrival off the diagonal; rows of ``hidden + sum(events)`` sum
            to 0.
        events: shape (E, m, m), transitions with one arrival of the kind.
        batch: shape (E,), jobs that arrive together at such an event, >= 1.
        beat: shape (b, b), generator of what modulates the process from outside, which no station changes; the phases
            are ordered (rest, beat). Empty when there is nothing of that kind.
        coarser: the same process described by fewer phases, None when there is no such description.
    """

    hidden: Floats
    events: Floats
    batch: Ints
    beat: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    coarser: MarkovArrivals | None = None

    @property
    def phases(self) -> int:
        """Number of phases m."""
        return len(self.hidden)

    @property
    def modulation(self) -> Floats:
        """Generator of the phases, shape (m, m)."""
        return np.asarray(self.hidden + self.events.sum(axis=0))

    def event_rates(self) -> Floats:
        """Mean events per second of each kind, shape (E,)."""
        return np.asarray(self.events.sum(axis=2) @ stationary(self.modulation))


def stationary(generator: Floats) -> Floats:
    """Stationary distribution of a finite Markov chain, shape (m,), from its generator in 1/s.

    By state reduction (Grassmann, Taksar, Heyman 1985), which subtracts nothing. A chain that ends up in one class
    of states is there; with several such classes the one that holds the last state counts.
    """
    if len(generator) == 1:
        return np.ones(1)
    chain = np.array(generator, dtype=np.float64)
    np.fill_diagonal(chain, 0.0)
    size = len(chain)
    for k in range(size - 1, 0, -1):
        out = chain[k, :k].sum()
        if out > 0.0:
            chain[:k, k] /= out
            chain[:k, :k] += np.outer(chain[:k, k], chain[k, :k])
        else:  # nothing leads back: the states below are transient
            share = np.zeros(size)
            share[k:] = stationary(generator[k:, k:]) if k < size - 1 else 1.0
            return share
    share = np.zeros(size)
    share[0] = 1.0
    for k in range(1, size):
        share[k] = share[:k] @ chain[:k, k]
    return np.asarray(share / share.sum())


def poisson(rate: float, batch: int = 1) -> MarkovArrivals:
    """A Poisson process of events, each of ``batch`` jobs."""
    return MarkovArrivals(np.array([[-rate]]), np.array([[[rate]]]), np.array([batch], dtype=np.int64))


def modulated(rates: Floats, generator: Floats, batch: int = 1) -> MarkovArrivals:
    """A Markov-modulated Poisson process.

    Args:
        rates: shape (m,), events per second in each phase.
        generator: shape (m, m), 1/s.
        batch: jobs an event.
    """
    marks = np.diag(rates)
    return MarkovArrivals(generator - marks, marks[None], np.array([batch], dtype=np.int64), generator)


def superpose(parts: Sequence[MarkovArrivals]) -> MarkovArrivals:
    """Independent processes together; the events keep their order. Poisson parts add no phase."""
    hidden, events = np.zeros((1, 1)), np.zeros((0, 1, 1))
    for part in parts:
        one, other = np.eye(len(hidden)), np.eye(part.phases)
        hidden = np.kron(hidden, other) + np.kron(one, part.hidden)
        kept = [np.kron(event, other) for event in events]
        events = np.array(kept + [np.kron(one, event) for event in part.events])
    return MarkovArrivals(hidden, events, np.concatenate([part.batch for part in parts]))


def scaled(arrivals: MarkovArrivals, rate: float) -> MarkovArrivals:
    """The process with its events made rarer (each kept independently) or more frequent, to ``rate`` in all.

    Args:
        arrivals: with one kind of event.
        rate: events per second.
    """
    now = float(arrivals.event_rates().sum())
    if now <= 0.0:
        return arrivals
    if arrivals.coarser is not None:
        arrivals = replace(arrivals, coarser=scaled(arrivals.coarser, rate))
    events = arrivals.events * (rate / now)
    hidden = arrivals.hidden + arrivals.events.sum(axis=0)
    return (
        replace(arrivals, hidden=hidden - events.sum(axis=0), events=events)
        if rate <= now
        else _faster(arrivals, rate / now)
    )


def _faster(arrivals: MarkovArrivals, factor: float) -> MarkovArrivals:
    """Events more frequent in every phase; those that move the phase keep their rate, so the modulation stays."""
    more = np.diag((factor - 1.0) * arrivals.events.sum(axis=(0, 2)))
    return replace(arrivals, hidden=arrivals.hidden - more, events=arrivals.events + more[None])


def coarse(stream: MarkovArrivals) -> MarkovArrivals | None:
    """Only what modulates the process from outside, Poisson in each of its phases; None when it is no coarser."""
    b = len(stream.beat)
    if b in (0, stream.phases):
        return None
    share = stationary(stream.modulation).reshape(-1, b)
    flow = (share * stream.events.sum(axis=(0, 2)).reshape(-1, b)).sum(axis=0)
    return modulated(flow / np.maximum(share.sum(axis=0), 1e-300), stream.beat, int(stream.batch[0]))
