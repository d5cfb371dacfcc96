"""Stations where both arrivals and services go by the clock: the orbit is followed until it repeats.

Nothing is random, so the loss is a count over one period of the orbit. Many sets of phases are followed at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.queueing.network import Floats
from placer.queueing.patterns import Pattern

MOST_STEPS = 24_000
"""Arrivals followed at most; an orbit that has not repeated by then is averaged over its second half."""

SAME = 1e-9
"""Part of the period within which two states are the same."""


@dataclass(frozen=True)
class Orbit:
    """Long-run counts of a station, C streams, P sets of phases.

    Attributes:
        loss: shape (P, C), lost / arrived.
        waiting: shape (P, C), mean wait of the admitted jobs in s.
    """

    loss: Floats
    waiting: Floats


def follow(pattern: Pattern, service: Floats, capacity: int) -> Orbit:
    """Follow the orbit of a station with constant service times.

    Args:
        pattern: the arrivals.
        service: shape (C,), s, of each stream.
        capacity: K >= 1.
    """
    rows, length = pattern.instants.shape
    streams = len(service)
    laps = max(MOST_STEPS // length // (1 if rows == 1 else 8), 12) if pattern.repeats else 1
    # departures of the last K admitted jobs, oldest first: the station is full while the oldest is still there
    ends = np.full((rows, capacity), -1.0)
    counts = np.zeros((laps + 1, 3, rows, streams))  # arrived, admitted, waited
    index = np.arange(rows)
    mark, mark_lap, next_mark = ends.copy(), 0, 1
    first, last = 0, laps
    idle = np.zeros((laps + 1, rows))
    at, owner = pattern.instants.T.copy(), pattern.stream.T.copy()
    for lap in range(laps):
        now = counts[lap].copy()
        waste = idle[lap].copy()
        before = np.zeros(rows)
        for time, who in zip(at, owner, strict=True):
            clear = ends[:, -1]
            waste += np.maximum(time - np.maximum(clear, before), 0.0)
            before = time
            room = ends[:, 0] <= time + SAME * 1e-3 * pattern.period
            start = np.maximum(time, clear)
            now[0, index, who] += 1.0
            now[1, index, who] += room
            now[2, index, who] += np.where(room, start - time, 0.0)
            moved = np.concatenate([ends[:, 1:], (start + service[who])[:, None]], axis=1)
            ends = np.where(room[:, None], moved, ends)
        waste += np.maximum(pattern.period - np.maximum(ends[:, -1], before), 0.0)
        counts[lap + 1], idle[lap + 1] = now, waste
        ends = np.maximum(ends - pattern.period, -1e-3 * pattern.period)
        if np.abs(ends - mark).max() < SAME * pattern.period:
            first, last = mark_lap, lap + 1
            break
        if lap + 1 == next_mark:
            mark, mark_lap, next_mark = ends.copy(), lap + 1, 2 * next_mark
    else:
        first = laps // 2
    arrived, admitted, waited = counts[last] - counts[first]
    arrived = np.maximum(arrived, 1e-300)
    accepted = admitted / arrived
    if last - first == laps - laps // 2:
        accepted = _saturated(pattern, service, accepted, arrived, idle[last] - idle[first], last - first)
    waiting = np.divide(waited, admitted, out=np.full_like(waited, np.nan), where=admitted > 0)
    return Orbit(1.0 - np.minimum(accepted, 1.0), waiting)


def _saturated(pattern: Pattern, service: Floats, accepted: Floats, arrived: Floats, idle: Floats, laps: int) -> Floats:
    """A server that never idles does exactly its time of work: the counts of a window are off by a job or so."""
    span = laps * pattern.period
    work = (accepted * arrived) @ service
    return np.where((idle < SAME * span)[:, None], accepted * (span / np.maximum(work, 1e-300))[:, None], accepted)
