"""Stations that a clock drives, with random services: exact for phase-type service, with a Markovian background.

Between two instants of the clock the station is a finite Markov chain, (number, service phase, phase of the other
arrivals), and down if it fails; at an instant a job is added. The stationary regime is the vector that a whole period
of the pattern leaves as it is (a linear system, or the iteration of the period), and what every stream meets is read
at its instants; what the background meets is an integral over the gaps (uniformisation).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.queueing.clock_chain import ClockChain, clock_chain
from placer.queueing.clock_steps import PER_PRODUCT, Steps, steps_over
from placer.queueing.map_g1k import Server
from placer.queueing.markov_streams import MarkovArrivals, stationary
from placer.queueing.network import Floats, Ints
from placer.queueing.patterns import Pattern
from placer.queueing.phase_type import PhaseType

SOLVED = 400
"""States up to which the regime is found by a linear system."""

LAPS = 400
"""Periods iterated at most."""

FEW_LAPS = 20
"""Periods that an iteration takes, roughly."""


class TooLargeError(OverflowError):
    """A station that would take too long."""


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


def solve(
    pattern: Pattern,
    server: Server,
    service: PhaseType,
    background: MarkovArrivals | None = None,
    most_seconds: float = np.inf,
) -> Regime:
    """The stationary regime of a station.

    Args:
        pattern: the clocked arrivals.
        server: capacity and outages; its law is represented by ``service``.
        service: phases of the service time.
        background: other arrivals, Markovian.
        most_seconds: that this may take, by a rough count of the work (not by the clock).

    Raises:
        TooLargeError: it would take longer.
    """
    chain = clock_chain(server, service, background)
    count = int(pattern.stream.max()) + 1
    rows = []
    for times, owner in zip(pattern.instants, pattern.stream, strict=True):
        gaps = np.diff(times, append=times[0] + pattern.period)
        # instants computed in different ways differ by rounding: one matrix for all of them
        known = np.round(np.maximum(gaps, 0.0), 12 - int(np.ceil(np.log10(max(pattern.period, 1e-300)))))
        values, which = np.unique(known, return_inverse=True)
        laps = 1 if not pattern.repeats else FEW_LAPS
        steps = steps_over(chain, values, laps * len(which), server, service, background)
        solved = pattern.repeats and _by_system(chain, which)
        if len(pattern.instants) * _seconds(steps, which, solved) > most_seconds:
            raise TooLargeError
        x = _regime(chain, steps, which, solved, pattern.repeats)
        rows.append(_read(chain, steps, which, owner, count, x, background))
    return Regime(*(np.array(column) for column in zip(*rows, strict=True)))


def _by_system(chain: ClockChain, which: Ints) -> bool:
    """Whether the regime is found by a linear system rather than by iteration."""
    size = len(chain.generator)
    return size <= SOLVED and len(which) * size**3 < 4e9


def _seconds(steps: Steps, which: Ints, solved: bool) -> float:
    """Rough seconds of a row."""
    if solved:
        return steps.matrix_seconds + PER_PRODUCT * len(which) * float(len(steps.chain.generator)) ** 3
    return min(steps.series_seconds, steps.matrix_seconds)


def _regime(chain: ClockChain, steps: Steps, which: Ints, solved: bool, repeats: bool) -> Floats:
    """State just before the first instant of a period, shape (N,)."""
    size = len(chain.generator)
    x = np.zeros((1, size))
    x[0, 0] = 1.0
    if not repeats:
        return np.asarray(x[0])
    if solved:
        whole = np.eye(size)
        for k in which:
            whole = chain.arrive(whole)[0] @ steps.matrix(k)
        system = np.eye(size) - whole.T
        system[-1] = 1.0
        goal = np.zeros(size)
        goal[-1] = 1.0
        share = np.maximum(np.linalg.solve(system, goal), 0.0)
        return np.asarray(share / share.sum())
    for _ in range(LAPS):
        before = x
        for k in which:
            x = steps.lead(chain.arrive(x)[0][0], k)[None]
        if np.abs(x - before).sum() < 1e-13:
            break
    return np.asarray(x[0])


def _read(
    chain: ClockChain,
    steps: Steps,
    which: Ints,
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
        if background is None:
            row = steps.lead(row[0], k)[None]
        else:
            after, time = steps.lead_and_count(row[0], k)
            time_in += time
            row = after[None]
    taken = seen - lost
    loss = np.divide(lost, seen, out=np.zeros(streams), where=seen > 0)
    waiting = np.divide(waited, taken, out=np.full(streams, np.nan), where=taken > 0)
    survival = np.divide(spared, taken, out=np.ones(streams), where=taken > 0)
    if background is None:
        return loss, waiting, survival, np.zeros((0, 1)), np.zeros((0, 1)), np.zeros((0, 1))
    return loss, waiting, survival, *_background(chain, time_in / time_in.sum(), background)


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
