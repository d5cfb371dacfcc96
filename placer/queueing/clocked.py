"""Stations that a clock drives, with random services: exact for phase-type service, with a Markovian background.

Between two instants of the clock the station is a finite Markov chain, (number, service phase, phase of the other
arrivals), and down if it fails; at an instant a job is added. The stationary regime is the vector that a whole period
of the pattern leaves as it is (a linear system, or the iteration of the period), and what every stream meets is read
at its instants; what the background meets is an integral over the gaps (uniformisation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from placer.queueing.clock_chain import ClockChain, clock_chain, constant_counts, transitions
from placer.queueing.map_g1k import Server
from placer.queueing.markov_streams import MarkovArrivals, stationary
from placer.queueing.network import Floats, Ints
from placer.queueing.patterns import Pattern
from placer.queueing.phase_type import PhaseType

SOLVED = 400
"""States up to which the regime is found by a linear system."""

LAPS = 400
"""Periods iterated at most."""


@dataclass(frozen=True)
class Regime:
    """What the streams of a station meet; C clocked streams, E background events, P sets of phases.

    Attributes:
        loss, waiting, survival: shape (P, C), lost / arrived; mean wait of the admitted in s; the part of them
            that no outage meets.
        background_loss, background_waiting, background_survival: shape (P, E, B), by place in the batch.
    """

    loss: Floats
    waiting: Floats
    survival: Floats
    background_loss: Floats
    background_waiting: Floats
    background_survival: Floats


def solve(pattern: Pattern, server: Server, service: PhaseType, background: MarkovArrivals | None = None) -> Regime:
    """The stationary regime of a station.

    Args:
        pattern: the clocked arrivals.
        server: capacity and outages; its law is represented by ``service``.
        service: phases of the service time.
        background: other arrivals, Markovian.
    """
    chain = clock_chain(server, service, background)
    count = int(pattern.stream.max()) + 1
    rows = []
    for times, owner in zip(pattern.instants, pattern.stream, strict=True):
        gaps = np.diff(times, append=times[0] + pattern.period)
        # instants computed in different ways differ by rounding: one matrix for all of them
        known = np.round(np.maximum(gaps, 0.0), 12 - int(np.ceil(np.log10(max(pattern.period, 1e-300)))))
        values, which = np.unique(known, return_inverse=True)
        steps = transitions(chain, values, server, service, background)
        x = _regime(chain, steps, which, pattern.repeats)
        rows.append(_read(chain, steps, which, values, owner, count, x, background))
    return Regime(*(np.array(column) for column in zip(*rows, strict=True)))


def _regime(chain: ClockChain, steps: Sequence[Floats], which: Ints, repeats: bool) -> Floats:
    """State just before the first instant of a period, shape (N,)."""
    size = len(chain.generator)
    x = np.zeros((1, size))
    x[0, 0] = 1.0
    if not repeats:
        return np.asarray(x[0])
    if size <= SOLVED and len(which) * size**3 < 4e9:
        whole = np.eye(size)
        for k in which:
            whole = chain.arrive(whole)[0] @ steps[k]
        system = np.eye(size) - whole.T
        system[-1] = 1.0
        goal = np.zeros(size)
        goal[-1] = 1.0
        solved = np.maximum(np.linalg.solve(system, goal), 0.0)
        return np.asarray(solved / solved.sum())
    for _ in range(LAPS):
        before = x
        for k in which:
            x = chain.arrive(x)[0] @ steps[k]
        if np.abs(x - before).sum() < 1e-13:
            break
    return np.asarray(x[0])


def _read(
    chain: ClockChain,
    steps: Sequence[Floats],
    which: Ints,
    gaps: Floats,
    owner: Ints,
    streams: int,
    x: Floats,
    background: MarkovArrivals | None,
) -> tuple[Floats, ...]:
    """The fields of :class:`Regime` over one period that starts in state x."""
    m, K = chain.phases, chain.capacity
    room = np.ones(len(x), dtype=bool)
    room[m + (K - 1) * m * chain.service :] = False
    lost, seen, waited, spared = np.zeros(streams), np.zeros(streams), np.zeros(streams), np.zeros(streams)
    time_in = np.zeros(len(x))
    row = x[None]
    for k, who in zip(which, owner, strict=True):
        seen[who] += 1.0
        waited[who] += row[0, room] @ chain.ahead[room]
        spared[who] += row[0, room] @ chain.spared[room]
        row, full = chain.arrive(row)
        lost[who] += full[0]
        if background is not None:
            time_in += _time(chain.generator, row[0], float(gaps[k]))
        row = row @ steps[k]
    taken = seen - lost
    loss = np.divide(lost, seen, out=np.zeros(streams), where=seen > 0)
    waiting = np.divide(waited, taken, out=np.full(streams, np.nan), where=taken > 0)
    survival = np.divide(spared, taken, out=np.ones(streams), where=taken > 0)
    if background is None:
        return loss, waiting, survival, np.zeros((0, 1)), np.zeros((0, 1)), np.zeros((0, 1))
    return loss, waiting, survival, *_background(chain, time_in / time_in.sum(), background)


def _time(generator: Floats, x: Floats, gap: float) -> Floats:
    """Integral of the state over a gap: seconds spent in each state."""
    if gap <= 0.0:
        return np.zeros(len(x))
    rate = float(-np.diag(generator).min())
    mass = constant_counts(rate, gap)
    beyond = np.append(np.cumsum(mass[::-1])[::-1][1:], 0.0)
    total, now = np.zeros(len(x)), x
    for weight in beyond:
        total += weight * now
        now = now + now @ generator / rate
    return total / rate


def _background(chain: ClockChain, share: Floats, background: MarkovArrivals) -> tuple[Floats, Floats, Floats]:
    """Loss, wait and survival of the background by event and place in its batch."""
    m, K = chain.phases, chain.capacity
    widest = int(background.batch.max(initial=1))
    shape = (len(background.batch), widest)
    loss, waiting, survival = np.full(shape, np.nan), np.full(shape, np.nan), np.ones(shape)
    again = float(chain.spared[0])
    alive = np.arange(len(share)) < m + K * m * chain.service
    rates = background.events.sum(axis=2) @ stationary(background.modulation)
    for e, event in enumerate(background.events):
        come = share * np.tile(event.sum(axis=1), len(share) // m)
        for b in range(int(background.batch[e])):
            good = alive & (chain.number < K - b)
            taken = float(come[good].sum())
            loss[e, b] = float(come[~good].sum()) / rates[e] if rates[e] > 0.0 else 0.0
            if taken > 0.0:
                waiting[e, b] = float(come[good] @ chain.ahead[good]) / taken + b * chain.service_time
                survival[e, b] = float(come[good] @ chain.spared[good]) / taken * again**b
    return loss, waiting, survival
