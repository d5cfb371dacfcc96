"""What comes to one station: visits, those that come together, and what they are as Markovian arrivals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from placer.queueing.counting import TimeLaw
from placer.queueing.markov_streams import MarkovArrivals, modulated, poisson, stationary, superpose
from placer.queueing.network import Arrivals, Process

MOST_PHASES = 40
"""Phases of all modulated streams of a station together."""

FEWER_PHASES = (32, 20, 16, 8, 4)

PER_STEP, PER_FLOP = 3e-5, 2e-10
"""Seconds, roughly: a step of uniformisation, and a floating-point operation in it."""


@dataclass(frozen=True, eq=False)
class Visit:
    """Jobs of one kind that come to a station.

    Attributes:
        arrivals: the process, or that of a modulated stream from another station; None for any other stream from
            there, which is taken as Poisson.
        rate: jobs per second.
        law: service time.
        together: visits with the same number (not negative) come at the same instants, in the order given.
    """

    arrivals: Arrivals | MarkovArrivals | None
    rate: float
    law: TimeLaw
    together: int = -1


@dataclass(frozen=True)
class Group:
    """Visits that come together: one event of a process."""

    visits: tuple[int, ...]
    first: Visit


@dataclass(frozen=True)
class Company:
    """Visits of one event, and the process that brings it to the station."""

    visits: tuple[int, ...]
    process: MarkovArrivals


def law_key(law: TimeLaw) -> tuple[object, ...]:
    """All that a service law is, to compare it by."""
    return (law.weight.tobytes(), law.mean.tobytes(), law.scv.tobytes())


def key_of(visit: Visit) -> tuple[object, ...]:
    """All that a visit is, to compare it by."""
    law = visit.law
    own: tuple[object, ...] = (visit.rate, *law_key(law), visit.together)
    stream = visit.arrivals
    if stream is None:
        return own
    if isinstance(stream, MarkovArrivals):
        return (*own, stream.hidden.tobytes(), stream.events.tobytes())
    process = (stream.rates.tobytes(), stream.generator.tobytes(), stream.times.tobytes())
    return (*own, int(stream.process), stream.rate, stream.phase, *process)


def by_clock(visit: Visit) -> bool:
    """Whether the jobs come at fixed instants."""
    stream = visit.arrivals
    return isinstance(stream, Arrivals) and stream.process in (Process.PERIODIC, Process.TRACE)


def groups_of(visits: Sequence[Visit]) -> list[Group]:
    """The visits by the event that brings them, in the order of their first ones."""
    groups: dict[object, list[int]] = {}
    for index, visit in enumerate(visits):
        groups.setdefault(visit.together if visit.together >= 0 else ("alone", index), []).append(index)
    return [Group(tuple(members), visits[members[0]]) for members in groups.values()]


def mixture(visits: Sequence[Visit]) -> TimeLaw:
    """The service law of a job drawn among all that come; equal components are one."""
    total = sum(visit.rate for visit in visits)
    parts: dict[tuple[float, float], float] = {}
    for visit in visits:
        for weight, mean, scv in zip(visit.law.weight, visit.law.mean, visit.law.scv, strict=True):
            place = (float(mean), float(scv))
            parts[place] = parts.get(place, 0.0) + float(weight) * visit.rate / total
    weights = np.array(list(parts.values()))
    return TimeLaw(weights / weights.sum(), np.array([m for m, _ in parts]), np.array([c for _, c in parts]))


def background(groups: Sequence[Group], most: int = MOST_PHASES) -> tuple[MarkovArrivals, list[Company]]:
    """The Markovian arrivals of a station together, and who they are, in the order of the events.

    Args:
        groups: what comes; those by the clock are left out.
        most: phases of the whole at most; beyond, streams are coarser, and the least bursty ones Poisson.
    """
    mine = [group for group in groups if not by_clock(group.first)]
    processes = [_markovian(group) for group in mine]
    while np.prod([process.phases for process in processes]) > most:
        coarser = [process.coarser for process in processes]
        if all(one is None for one in coarser):
            break
        processes = [old if new is None else new for old, new in zip(processes, coarser, strict=True)]
    parts = [poisson(group.first.rate, len(group.visits)) for group in mine]
    phases = 1
    for g in sorted(range(len(mine)), key=lambda one: -_excess(processes[one])):
        if phases * processes[g].phases <= most:
            phases *= processes[g].phases
            parts[g] = processes[g]
    company = [Company(group.visits, part) for group, part in zip(mine, parts, strict=True)]
    return (superpose(parts) if parts else poisson(0.0)), company


def most_phases(visits: Sequence[Visit], places: int, seconds: float) -> int:
    """Phases of the Markovian arrivals of a station that a time allows, by a rough count of the work.

    A step of uniformisation multiplies a matrix of K m rows with one of m; the steps are about as many as events in
    a long service (:func:`placer.queueing.counting.poisson_counts`).

    Args:
        visits: what comes.
        places: K.
        seconds: for one solution.
    """
    streams = [visit.arrivals for visit in visits if visit.arrivals is not None and not by_clock(visit)]
    if len(streams) < 2:
        return MOST_PHASES
    law = mixture(visits)
    y = sum(_fastest(stream) for stream in streams) * float(law.mean.max())
    t = y * float(law.scv.max())
    steps = max(y + 12.0 * math.sqrt(y + y * t) + 42.0 * (1.0 + t), 100.0)
    for phases in (MOST_PHASES, *FEWER_PHASES):
        if steps * (PER_STEP + PER_FLOP * 4.0 * phases**3 * places) <= seconds:
            return phases
    return 2


def _fastest(stream: Arrivals | MarkovArrivals) -> float:
    """Events per second in the fastest phase."""
    if isinstance(stream, MarkovArrivals):
        return float(-np.diag(stream.hidden).min())
    return float((stream.rates - np.diag(stream.generator)).max()) if len(stream.rates) else stream.rate


def _markovian(group: Group) -> MarkovArrivals:
    stream, size = group.first.arrivals, len(group.visits)
    if isinstance(stream, MarkovArrivals):
        if size == 1:
            return stream
        together = np.array([size], dtype=np.int64)
        coarser = None if stream.coarser is None else replace(stream.coarser, batch=together, coarser=None)
        return replace(stream, batch=together, coarser=coarser)
    if stream is not None and stream.process == Process.MMPP:
        return modulated(stream.rates, stream.generator, size)
    return poisson(group.first.rate, size)


def _excess(stream: MarkovArrivals) -> float:
    """Variance of the rate over the phases: how much there is to lose by calling it Poisson."""
    rates = stream.events.sum(axis=(0, 2))
    share = stationary(stream.modulation)
    return float(share @ rates**2 - (share @ rates) ** 2)
