"""What comes to one station: visits, those that come together, and what they are as Markovian arrivals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from placer.queueing.counting import TimeLaw
from placer.queueing.markov_streams import MarkovArrivals, modulated, poisson, stationary, superpose
from placer.queueing.network import Arrivals, Process

MOST_PHASES = 16
"""Phases of all MMPPs of a station together."""


@dataclass(frozen=True, eq=False)
class Visit:
    """Jobs of one kind that come to a station.

    Attributes:
        arrivals: the process; None for a stream from another station, which is taken as Poisson.
        rate: jobs per second.
        law: service time.
        together: visits with the same number (not negative) come at the same instants, in the order given.
    """

    arrivals: Arrivals | None
    rate: float
    law: TimeLaw
    together: int = -1


@dataclass(frozen=True)
class Group:
    """Visits that come together: one event of a process."""

    visits: tuple[int, ...]
    first: Visit


def key_of(visit: Visit) -> tuple[object, ...]:
    """All that a visit is, to compare it by."""
    law = visit.law
    own: tuple[object, ...] = (visit.rate, law.weight.tobytes(), law.mean.tobytes(), law.scv.tobytes(), visit.together)
    stream = visit.arrivals
    if stream is None:
        return own
    process = (stream.rates.tobytes(), stream.generator.tobytes(), stream.times.tobytes())
    return (*own, int(stream.process), stream.rate, stream.phase, *process)


def by_clock(visit: Visit) -> bool:
    """Whether the jobs come at fixed instants."""
    return visit.arrivals is not None and visit.arrivals.process in (Process.PERIODIC, Process.TRACE)


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


def background(groups: Sequence[Group]) -> tuple[MarkovArrivals, list[Group]]:
    """The Markovian arrivals of a station together, and their groups in the order of the events."""
    mine = [group for group in groups if not by_clock(group.first)]
    bursts = {}
    for g, group in enumerate(mine):
        stream = group.first.arrivals
        if stream is not None and stream.process == Process.MMPP:
            bursts[g] = _excess(stream)
    kept: set[int] = set()
    phases = 1
    for g in sorted(bursts, key=lambda one: -bursts[one]):
        stream = mine[g].first.arrivals
        assert stream is not None
        if phases * len(stream.rates) <= MOST_PHASES:
            phases *= len(stream.rates)
            kept.add(g)
    parts = []
    for g, group in enumerate(mine):
        stream = group.first.arrivals
        if g in kept and stream is not None:
            parts.append(modulated(stream.rates, stream.generator, len(group.visits)))
        else:
            parts.append(poisson(group.first.rate, len(group.visits)))
    return (superpose(parts) if parts else poisson(0.0)), mine


def _excess(stream: Arrivals) -> float:
    """Variance of the rate over its phases: how much there is to lose by calling it Poisson."""
    share = stationary(stream.generator)
    return float(share @ stream.rates**2 - (share @ stream.rates) ** 2)
