"""Exits inside the placement: which station runs each layer and which share of the jobs leaves at each exit, together.

Sequential planning, the baseline, decides one after the other, in both orders: the placement of least loss at the
model's shares and then the best shares there; or the best shares at a placement made without looking at loss, and
then the placement of least loss for them. The joint planner starts from these answers, so it is never worse under the
same evaluator, and alternates: the best shares at a placement (:mod:`placer.planning.exits.shares`), the placement of
least loss
at these shares, at shares that are more accurate than the limits allow so far, and neighbours by single moves.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from placer.errors import InputError, UnansweredError
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from placer.plan.plan import Certificate, Confirmation, with_chosen
from placer.planning.exits.correction import Corrected, observed
from placer.planning.exits.shares import Judge, Point, Shares
from placer.planning.loss.enumeration import placements
from placer.planning.loss.search.neighbours import as_assigned, as_placement, random_move
from placer.planning.loss.search.search import Budget, Search
from placer.planning.outcome import Outcome
from placer.planning.request import Request
from placer.planning.stating import Claim, in_values, stated
from placer.solver.countdown import Countdown
from placer.solver.progress import Listener, Progress

ROUNDS = 4
"""Rounds of one loss search."""

ASPIRATIONS = (0.0, 0.1, 0.3, 0.6, 1.0)
"""How far towards the most accurate shares a placement is looked for."""

STALE = 6
"""Joint rounds without a better answer before it stops."""

MOST_EVENTS = 400_000_000
"""Of the verdict on a plan."""

CORRECTIONS = 4
"""Corrections of the limits on loss by a simulation, at most."""

SHARE_OF_FIRST, SHARE_OF_NEXT, SHARE_OF_SIMULATION = 0.4, 0.08, 0.3
"""Of the time limit, for the first search and for each after a correction; of what is left, for a simulation."""

PASSES = 40


def plan_joint(compiled: Compiled, request: Request, listener: Listener | None = None) -> Outcome:
    """Choose placement and shares together: most accurate within the limits.

    Raises:
        InputError: no service may choose, or request of other planners.
        InfeasibleError: a service has no alternative with a place for all its layers.
        UnansweredError: no placement was found.
    """
    return _planned(compiled, request, listener, "joint-exits")


def plan_sequential(compiled: Compiled, request: Request, listener: Listener | None = None) -> Outcome:
    """Choose placement and shares one after the other, in both orders, until the time is over; see the module."""
    return _planned(compiled, request, listener, "sequential-exits")


def sequential(judge: Judge, seed: int, end: float, evaluations: float = np.inf, passes: int = PASSES) -> Point | None:
    """The best sequential answer of several passes; None when no placement was found.

    Args:
        judge: says what is best.
        seed: of the first pass.
        end: time.monotonic() at which it stops; the first pass is always made.
        evaluations: networks to be solved at most, likewise.
        passes: at most.
    """
    best: Point | None = None
    for number in range(passes):
        if number and (time.monotonic() > end or judge.evaluations > evaluations):
            break
        for point in _orders(judge, seed + 1000 * number, end):
            best = point if best is None or point.key < best.key else best
    return best


def _orders(judge: Judge, seed: int, end: float) -> Iterator[Point]:
    first = _places(judge, judge.default, seed, end, [])
    if first:
        yield judge.best_at(first[0], [judge.default])
    built = Search(judge.problem(judge.default), seed).construct(noise=0.5 if seed >= 1000 else 0.0)
    if built is not None:
        chosen = judge.best_at(as_placement(built), [judge.default])
        found = _places(judge, chosen.shares, seed, end, [chosen.placement])
        yield min([chosen, *judge.judge([(p, chosen.shares) for p in found[:1]])], key=lambda one: one.key)


def _places(judge: Judge, shares: Shares, seed: int, end: float, starts: Sequence[Placement]) -> list[Placement]:
    """Placements of least excess and loss at these shares, best first."""
    search = Search(judge.problem(shares), seed)
    found = search.run(Budget(max(end - time.monotonic(), 0.2), ROUNDS, None), list(starts))
    judge.evaluations += found.evaluations
    return [candidate.placement for candidate in found.elite]


def joint(
    judge: Judge, seed: int, end: float, evaluations: float = np.inf, listener: Listener | None = None
) -> Point | None:
    """The best placement with shares; arguments as of :func:`sequential`."""
    begin = time.monotonic()
    best = sequential(judge, seed, end, evaluations, passes=1)
    if best is None:
        return None
    rng = np.random.default_rng(seed)
    dream = _most_accurate(judge)
    tried: set[tuple[Placement, int]] = set()
    stale = number = 0
    while stale < STALE and time.monotonic() < end and judge.evaluations < evaluations:
        part = ASPIRATIONS[number % len(ASPIRATIONS)]
        hoped = {i: _between(best.shares[i], dream[i], part) for i in judge.free}
        found = _places(judge, hoped, seed + number, end, [best.placement])
        found += _around(judge, best, rng)
        fresh = [p for p in dict.fromkeys(found) if (p, number % 5) not in tried]
        tried.update((p, number % 5) for p in fresh)
        before = best.key
        for point in judge.judge([(p, s) for p in fresh for s in ((best.shares,) if part == 0 else (hoped,))]):
            if time.monotonic() > end or judge.evaluations > evaluations:
                break
            better = judge.improve(point)
            best = better if better.key < best.key else best
        if best.key < before and listener is not None:
            listener(Progress(time.monotonic() - begin, best.value, 0.0, "joint"))
        stale = 0 if best.key < before else stale + 1
        number += 1
    return best


def _around(judge: Judge, best: Point, rng: np.random.Generator, count: int = 12) -> list[Placement]:
    """Some placements one move away that keep the exact limits."""
    problem = judge.problem(best.shares)
    trials = [random_move(problem, as_assigned(problem, best.placement), rng) for _ in range(count)]
    found = [as_placement(trial) for trial in trials if trial is not None]
    return [placement for placement in found if problem.resources.overdrawn(placement) == 0.0]


def _most_accurate(judge: Judge) -> Shares:
    """Every job at the most accurate exit."""
    result: Shares = {}
    for index in judge.free:
        variant = judge.compiled.variants[index]
        known = [accuracy for _, _, accuracy in variant.exits]
        top = int(np.argmax([*known, variant.final_accuracy]))
        result[index] = tuple(1.0 if k == top else 0.0 for k in range(len(known)))
    return result


def _between(one: tuple[float, ...], other: tuple[float, ...], part: float) -> tuple[float, ...]:
    return tuple((1.0 - part) * a + part * b for a, b in zip(one, other, strict=True))


def enumerate_joint(judge: Judge) -> Point | None:
    """The best shares at every placement of a small instance; exact as far as the local searches are."""
    best: Point | None = None
    for placement in placements(judge.problem(judge.default)):
        point = judge.best_at(placement, [judge.default])
        best = point if best is None or point.key < best.key else best
    return best


def _planned(compiled: Compiled, request: Request, listener: Listener | None, method: str) -> Outcome:
    _check(compiled)
    listener = in_values(compiled, "accuracy", listener)
    countdown = request.limits.start()
    most = np.inf if request.evaluations is None else float(request.evaluations)
    best: Corrected | None = None
    point: Point | None = None
    factors: dict[int, float] = {}
    for attempt in range(1 + CORRECTIONS):
        share = SHARE_OF_FIRST if attempt == 0 else SHARE_OF_NEXT
        end = time.monotonic() + (share * request.limits.seconds if request.confirm is not False else countdown.left)
        judge = Judge(compiled, factors, end)
        if point is not None:  # the placement at hand, with shares for the other limit
            found: Point | None = judge.best_at(point.placement, [point.shares])
        elif method == "joint-exits":
            found = joint(judge, request.limits.seed, end, most, listener)
        else:
            found = sequential(judge, request.limits.seed, end, most)
        if found is None:
            raise UnansweredError("no placement was found that keeps memory, order and range")
        point = found
        if request.confirm is False:
            break
        seen = observed(judge, point, request.limits.seed, countdown.part(SHARE_OF_SIMULATION))
        if seen is None:
            break
        best = seen if best is None or seen.key < best.key else best
        factors = seen.factors(tighten_only=request.by == "analytic")
        if seen.settled(factors) or countdown.left < SHARE_OF_NEXT * request.limits.seconds:
            break
    assert point is not None
    return _outcome(compiled, best or point, request, method, countdown)


def _check(compiled: Compiled) -> None:
    if not any(service.choose_exits for service in compiled.instance.services):
        raise InputError("no service lets its exits be chosen", tip="give a service 'choose_exits: true'")


def _outcome(
    compiled: Compiled, found: Corrected | Point, request: Request, method: str, countdown: Countdown
) -> Outcome:
    confirmed = None
    factors: dict[str, float] = {}
    point = found
    if isinstance(found, Corrected):
        point, total = found.point, found.total
        services = compiled.instance.services
        factors = {f"loss_limit_factor {services[s].name}": value for s, value in found.judge.factors.items()}
        confirmed = Confirmation(
            value=float(total.mean),
            half_width=float(np.nan_to_num(total.half_width)),
            level=total.level,
            replications=found.replications,
            candidates=1,
            selected=True,
        )
    assert isinstance(point, Point)
    certificate = Certificate(
        method=method,
        termination="heuristic",
        objectives=(),
        seconds=countdown.spent,
        seed=request.limits.seed,
        options={"time_limit": request.limits.seconds, **factors},
        confirmed=confirmed,
    )
    usual = request.effort  # a loss just below its limit takes long to tell from it: what is left is for that
    effort = replace(usual, seconds=(usual.seconds or 0.0) + countdown.left, events=MOST_EVENTS)
    chosen = with_chosen(compiled, point.shares)
    return stated(chosen, point.placement, certificate, [Claim("accuracy")], request, effort=effort)
