"""One station, exactly, whatever comes to it: the choice between the methods.

Markovian arrivals (Poisson, MMPP, what comes from other stations as Poisson) go to :mod:`placer.queueing.map_g1k`;
arrivals by the clock (periodic, traces) to :mod:`placer.queueing.orbit` when all services are constant, else to
:mod:`placer.queueing.clocked`, with the Markovian ones as background.

Where an answer is not exact: where kinds of jobs differ in their services and the order of arrival is not drawn anew
(:mod:`placer.queueing.ordered_g1k`), in a station too large for that or under a clock, one mixture is taken for all; a
law that is not of phase type is replaced under a clock
(:mod:`placer.queueing.phase_type`), constants under a clock with random company by Erlang laws of two sizes,
extrapolated; unstated phases are a finite set; of many modulated streams the least bursty count as
Poisson (:func:`placer.queueing.visits.most_phases`); long buffers are extrapolated geometrically (``LONGEST``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from placer.queueing import map_g1k, ordered_g1k
from placer.queueing.counting import TimeLaw
from placer.queueing.departures import departures
from placer.queueing.map_g1k import Server
from placer.queueing.markov_streams import MarkovArrivals
from placer.queueing.network import UNLIMITED, Arrivals, Floats, Process
from placer.queueing.orbit import follow
from placer.queueing.patterns import Clock, Pattern, clock_of, pattern_of
from placer.queueing.phase_type import phase_type
from placer.queueing.regimes import MOST_STATES, regime_of
from placer.queueing.visits import (
    Company,
    Visit,
    background,
    by_clock,
    groups_of,
    key_of,
    law_key,
    mixture,
    most_phases,
)

LONGEST = 256
"""Places (times phases) up to which a buffer is taken as it is."""

LONGEST_ORBIT = 512
"""Places up to which a buffer is taken as it is where nothing is random."""

ORBITS = 1024
"""Sets of unstated phases where all is constant."""

REGIMES = 16
"""Sets of unstated phases where services are random."""

ONCE, AGAIN = 3.0, 0.1
"""Rough seconds that a station may take where it is solved once, and where every sweep solves it again."""


@dataclass(frozen=True)
class Outcome:
    """What the visits of a station meet; shape (V,) each, in their order.

    Attributes:
        loss: turned away / arrived, over phases that nobody states.
        loss_low, loss_high: least and largest over such phases.
        waiting: mean wait of the admitted in s.
        survival: part of the admitted that no outage meets.
        leaving: what modulated visits look like when they leave, before exits; None for others.
    """

    loss: Floats
    loss_low: Floats
    loss_high: Floats
    waiting: Floats
    survival: Floats
    leaving: tuple[MarkovArrivals | None, ...]


def meet(capacity: int, up: float, down: float, visits: Sequence[Visit], most_seconds: float = ONCE) -> Outcome | None:
    """What the visits of a station meet in the long run; None when no method here can tell within reason.

    Args:
        capacity: K, or ``UNLIMITED``.
        up, down: of outages, s; ``up`` 0 for none.
        visits: with positive rates.
        most_seconds: that a chain under a clock may take, by a rough count of the work.
    """
    key = (capacity, up, down, most_seconds, *(key_of(visit) for visit in visits))
    return _remembered(_Question(key, capacity, up, down, tuple(visits), most_seconds))


@dataclass(frozen=True, eq=False)
class _Question:
    """A call of :func:`meet`, compared by its values."""

    key: tuple[object, ...]
    capacity: int
    up: float
    down: float
    visits: tuple[Visit, ...]
    most_seconds: float

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Question) and self.key == other.key


@lru_cache(maxsize=4096)
def _remembered(question: _Question) -> Outcome | None:
    try:
        return _long(question)
    except (OverflowError, np.linalg.LinAlgError):
        return None


def _long(question: _Question) -> Outcome | None:
    """Long buffers: what is lost beyond the fluid bound falls geometrically with K, like eta^K."""
    visits = question.visits
    work = sum(visit.rate * visit.law.average for visit in visits)
    K = question.capacity
    if _by_orbit(question) and (K != UNLIMITED or work < 1.0):
        met = _solved(replace(question, capacity=LONGEST_ORBIT if K == UNLIMITED else min(K, LONGEST_ORBIT)))
        return _lossless(met) if K == UNLIMITED and met is not None else met
    if 0 < K <= _longest(question):
        return _solved(question)
    if work >= 1.0 and K == UNLIMITED:
        return None
    size = _longest(question)
    if size < 2:
        return None
    large = _solved(replace(question, capacity=size))
    half = _solved(replace(question, capacity=size // 2))
    if large is None or half is None:
        return None
    if K == UNLIMITED:
        return _lossless(large)
    floor = max(1.0 - 1.0 / work, 0.0)

    def further(now: Floats, before: Floats) -> Floats:
        least = np.minimum(now, floor)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(before > least, (now - least) / (before - least), 0.0)
        grown = np.clip(ratio, 0.0, 1.0) ** ((K - size) / (size - size // 2))
        return np.asarray(least + (now - least) * grown)

    return replace(
        large,
        loss=further(large.loss, half.loss),
        loss_low=further(large.loss_low, half.loss_low),
        loss_high=further(large.loss_high, half.loss_high),
    )


def _lossless(met: Outcome) -> Outcome:
    """A buffer so large that what it turns away is not worth a figure."""
    nothing = np.zeros_like(met.loss)
    return replace(met, loss=nothing, loss_low=nothing, loss_high=nothing)


def _by_orbit(question: _Question) -> bool:
    constant = all(len(v.law.mean) == 1 and v.law.scv[0] == 0.0 for v in question.visits)
    return constant and question.up <= 0.0 and all(by_clock(visit) for visit in question.visits)


def _background(question: _Question) -> tuple[MarkovArrivals, list[Company]]:
    """The Markovian arrivals, with as many phases as the time allows."""
    places = question.capacity if 0 < question.capacity <= LONGEST else LONGEST
    return background(groups_of(question.visits), most_phases(question.visits, places, question.most_seconds))


def _longest(question: _Question) -> int:
    """Largest capacity that is taken as it is."""
    phases = _background(question)[0].phases
    if not any(by_clock(visit) for visit in question.visits):
        return max(LONGEST // phases, 32)
    stages = len(phase_type(mixture(question.visits)).start)
    return max(min(LONGEST, MOST_STATES // (phases * stages)), 8)


def _solved(question: _Question) -> Outcome | None:
    groups = groups_of(question.visits)
    timed = [group for group in groups if by_clock(group.first)]
    others, company = _background(question)
    server = Server(question.capacity, mixture(question.visits), question.up, question.down)
    table = np.full((5, len(question.visits)), np.nan)
    leaving: tuple[MarkovArrivals | None, ...] = (None,) * len(question.visits)
    if not timed:
        ordered = _ordered(question, company)
        several = others.phases > 1 or others.batch.max() > 1
        if several and len(ordered.laws) > 1 and ordered.words() * others.phases <= ordered_g1k.MOST_STATES:
            answer: map_g1k.Answer | ordered_g1k.OrderedAnswer = ordered_g1k.solve(others, ordered)
        else:
            answer = map_g1k.solve(others, server)
            if question.up <= 0.0:
                leaving = departures(others, company, server, answer, len(question.visits))
        for e, group in enumerate(company):
            for b, v in enumerate(group.visits):
                loss = answer.loss[e, b]
                table[:, v] = loss, loss, loss, answer.waiting[e, b], answer.survival[e, b]
        return _outcome(table, leaving)
    streams = [
        clock_of(group.first.arrivals, len(group.visits))
        for group in timed
        if isinstance(group.first.arrivals, Arrivals)
    ]
    order = [v for group in timed for v in group.visits]
    if _by_orbit(question):
        pattern = _in_batches(pattern_of(streams, ORBITS), streams)
        service = np.array([float(question.visits[v].law.mean[0]) for v in order])
        orbit = follow(pattern, service, question.capacity)
        _fill(table, order, orbit.loss, orbit.waiting, np.ones_like(orbit.loss))
    else:
        pattern = pattern_of(streams, REGIMES)
        if len(pattern.instants) > 1 and pattern.instants.size > 4 * REGIMES * len(streams):
            pattern = pattern_of(streams, REGIMES // 4)
        regime = regime_of(_in_batches(pattern, streams), server, others if company else None, question.most_seconds)
        _fill(table, order, regime.loss, regime.waiting, regime.survival)
        for e, group in enumerate(company):
            size = len(group.visits)
            fields = (regime.background_loss, regime.background_waiting, regime.background_survival)
            _fill(table, list(group.visits), *(field[:, e, :size] for field in fields))
    if pattern.phases_matter:
        _even_out(table, [question.visits[v] for v in order], order)
    return _outcome(table, leaving)


def _outcome(table: Floats, leaving: tuple[MarkovArrivals | None, ...]) -> Outcome:
    loss, low, high, waiting, survival = table
    return Outcome(loss, low, high, waiting, survival, leaving)


def _ordered(question: _Question, company: Sequence[Company]) -> ordered_g1k.OrderedServer:
    """The station with its kinds of jobs apart: visits of one service law are one kind."""
    kinds: dict[object, int] = {}
    laws: list[TimeLaw] = []
    for visit in question.visits:
        law = law_key(visit.law)
        if law not in kinds:
            kinds[law] = len(laws)
            laws.append(visit.law)
    spelled = tuple(tuple(kinds[law_key(question.visits[v].law)] for v in group.visits) for group in company)
    return ordered_g1k.OrderedServer(question.capacity, tuple(laws), spelled, question.up, question.down)


def _fill(table: Floats, order: Sequence[int], loss: Floats, waiting: Floats, survival: Floats) -> None:
    """Put what the visits ``order`` meet, shape (P, V) each, into the table."""
    for at, v in enumerate(order):
        mine, wait = loss[:, at], waiting[:, at]
        wait = wait[np.isfinite(wait)]
        meant = wait.mean() if len(wait) else np.nan
        table[:, v] = mine.mean(), mine.min(), mine.max(), meant, survival[:, at].mean()


def _even_out(table: Floats, visits: Sequence[Visit], order: Sequence[int]) -> None:
    """Streams that differ by nothing but a phase that nobody states meet the same on average."""
    alike: dict[object, list[int]] = {}
    for v, visit in zip(order, visits, strict=True):
        stream = visit.arrivals
        if (
            visit.together < 0
            and isinstance(stream, Arrivals)
            and stream.process == Process.PERIODIC
            and stream.phase is None
        ):
            alike.setdefault(key_of(visit), []).append(v)
    for same in alike.values():
        table[1, same], table[2, same] = table[1, same].min(), table[2, same].max()
        for row in (0, 3, 4):
            table[row, same] = np.nanmean(table[row, same]) if np.isfinite(table[row, same]).any() else np.nan


def _in_batches(pattern: Pattern, clocks: Sequence[Clock]) -> Pattern:
    """Number the jobs of a batch by their place in it: every place is a stream of its own."""
    first = np.cumsum([0, *(clock.batch for clock in clocks)])
    stream = np.empty_like(pattern.stream)
    for row, before in zip(stream, pattern.stream, strict=True):
        for c, clock in enumerate(clocks):
            mine = np.flatnonzero(before == c)
            row[mine] = first[c] + np.arange(len(mine)) % clock.batch
    return replace(pattern, stream=stream)
