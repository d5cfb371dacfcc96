"""Which limits on loss and on response times under random arrivals clash, where all other limits can be kept.

A small instance is looked at whole: every placement by the analytic evaluator. Of a larger one a plan is sought; where
none is found, either the fluid relaxation proves that none keeps the limits on loss, or it is left open.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from placer.errors import InfeasibleError, UnansweredError
from placer.evaluation.checks import excess_of
from placer.instance.compiled import Compiled, Floats
from placer.instance.units import show_fraction, show_seconds
from placer.instance.variant import Truths
from placer.planning.clashes.families import Group
from placer.planning.loss.bounds.fluid import fluid_bound
from placer.planning.loss.enumeration import CHUNK, count, placements
from placer.planning.loss.problem import Problem
from placer.planning.loss.scoring import Scorer
from placer.planning.quickxplain import quick_explain
from placer.planning.registry import plan
from placer.planning.request import Request
from placer.solver.countdown import Countdown
from placer.solver.progress import Limits

MOST_PLACEMENTS = 5_000
"""Placements of an instance that is looked at whole."""

ROOM = 1e-3
"""A repair is printed so much larger than what is just enough: rounding must not undo it."""


@dataclass(frozen=True)
class WaitingClash:
    """Limits that cannot hold together under random arrivals, in the shape of an explanation."""

    clash: tuple[Group, ...]
    sentences: tuple[str, ...]
    repairs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Table:
    """What every placement does: P placements, L limits; ``values`` has the shape (P, L), ``limits`` (L,)."""

    groups: list[Group]
    limits: Floats
    values: Floats

    def kept(self, held: Sequence[Group]) -> Floats:
        """The rows that keep the limits in ``held``."""
        columns = [self.groups.index(group) for group in held]
        rows: Truths = (excess_of(self.values[:, columns], self.limits[columns]) == 0.0).all(axis=1)
        return np.asarray(self.values[rows])


def waiting_clash(compiled: Compiled, limits: Limits, countdown: Countdown) -> WaitingClash | None:
    """Return an irreducible clash of limits under random arrivals; None when a plan keeps them, or there are none.

    Args:
        compiled: an instance of which some placement keeps every other limit.
        limits: for the search of a plan.
        countdown: of all of it.

    Raises:
        UnansweredError: neither a plan was found nor a proof that there is none.
    """
    services = [s for s in compiled.instance.services if s.arrivals is not None]
    if all(s.max_loss is None and s.deadline is None for s in services):
        return None
    try:
        problem = Problem(compiled)
    except InfeasibleError:
        return None
    if count(problem) <= MOST_PLACEMENTS:
        return _whole(problem, countdown)
    try:
        found = plan(compiled, Request(("latency",), limits=limits.within(countdown)))
    except InfeasibleError:
        return _of_fluid(compiled, limits, countdown)
    if found.evaluation.feasible:
        return None
    broken = "; ".join(check.message for check in [*found.evaluation.violations, *found.evaluation.undecided])
    raise UnansweredError(f"no plan was found that keeps all limits, and no proof that there is none: {broken}")


def _whole(problem: Problem, countdown: Countdown) -> WaitingClash | None:
    """Look at every placement.

    Raises:
        UnansweredError: the time is over.
    """
    table = _table(problem, countdown)
    if len(table.kept(table.groups)):
        return None
    if not len(table.values):
        return None
    clash = quick_explain(table.groups, lambda held: bool(len(table.kept(held))))
    repairs = []
    for group in clash:
        others = table.kept([one for one in table.groups if one != group])
        if len(others) and np.isfinite(least := float(others[:, table.groups.index(group)].min())):
            repairs.append(f"allow service {group[1]} {_shown(group, least * (1.0 + ROOM))} (now {_now(table, group)})")
    sentences = []
    for group in clash:
        least = float(table.values[:, table.groups.index(group)].min())
        what = "lose at most" if group[0] == "max_loss" else "answer on average within"
        best = "no placement does it alone" if np.isinf(least) else f"the best placement: {_shown(group, least)}"
        sentences.append(f"service {group[1]} must {what} {_now(table, group)} ({best}, by the analytic evaluator)")
    return WaitingClash(tuple(clash), tuple(sentences), tuple(repairs))


def _table(problem: Problem, countdown: Countdown) -> _Table:
    services = [problem.compiled.instance.services[s] for s in problem.served]
    lossy, timed = np.isfinite(problem.max_loss), np.isfinite(problem.deadline)
    groups: list[Group] = [("max_loss", s.name) for s, one in zip(services, lossy, strict=True) if one]
    groups += [("deadline", s.name) for s, one in zip(services, timed, strict=True) if one]
    scorer, every, rows = Scorer(problem), placements(problem), []
    while chunk := list(itertools.islice(every, CHUNK)):
        if countdown.over:
            raise UnansweredError("not every placement was looked at within the time limit")
        rows += [[*score.loss[lossy], *score.response[timed]] for score in scorer.score(chunk, exact=True)]
    limits = np.concatenate([problem.max_loss[lossy], problem.deadline[timed]])
    return _Table(groups, limits, np.array(rows).reshape(-1, len(groups)))


def _now(table: _Table, group: Group) -> str:
    return _shown(group, float(table.limits[table.groups.index(group)]))


def _shown(group: Group, value: float) -> str:
    return show_fraction(value) if group[0] == "max_loss" else show_seconds(value)


def _of_fluid(compiled: Compiled, limits: Limits, countdown: Countdown) -> WaitingClash:
    """The limits on loss that the fluid relaxation proves to clash."""
    names = [s.name for s in compiled.instance.services if s.max_loss is not None and s.arrivals is not None]

    def possible(held: Sequence[str]) -> bool:
        services = tuple(
            s if s.name in held else s.model_copy(update={"max_loss": None}) for s in compiled.instance.file.services
        )
        file = compiled.instance.file.model_copy(update={"services": services})
        world = replace(compiled, instance=replace(compiled.instance, file=file))
        found = fluid_bound(world, limits.within(countdown), max_loss=True, first_station=Problem(world).all_poisson)
        return found.status != "infeasible"

    if possible(names):
        raise UnansweredError("no placement keeps all limits, and which of them clash was not found in time")
    clash = quick_explain(names, possible)
    allowed = {s.name: show_fraction(s.max_loss or 0.0) for s in compiled.instance.services}
    sentences = tuple(f"service {name} must lose at most {allowed[name]}" for name in clash)
    return WaitingClash(tuple(("max_loss", name) for name in clash), sentences, ())
