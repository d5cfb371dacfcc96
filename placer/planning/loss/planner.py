"""The loss-aware planner: bounds first, then candidates from models and search, then the simulation's choice."""

from __future__ import annotations

from dataclasses import replace
from threading import Event

import numpy as np

from placer.errors import InfeasibleError, InputError, TimeIsUpError, UnansweredError
from placer.instance.compiled import Compiled
from placer.interruption import noted
from placer.plan.plan import Bound
from placer.planning.loss.admission import choose_limits, limitable
from placer.planning.loss.bounds.fluid import LossBound
from placer.planning.loss.certificate import ENUMERATED, Evidence, answer, ending
from placer.planning.loss.enumeration import enumerate_within
from placer.planning.loss.problem import LOSS, Problem
from placer.planning.loss.relaxations import bounded, bounds, floor, fluid, guide
from placer.planning.loss.scoring import Scorer
from placer.planning.loss.search.search import Budget, Candidate, Search
from placer.planning.loss.selection import Selection, select
from placer.planning.outcome import Outcome
from placer.planning.request import Request
from placer.planning.stating import in_values
from placer.solver.countdown import Countdown
from placer.solver.progress import Listener, Progress

SHARE_OF_BOUNDS, SHARE_OF_CONFIRMATION, SHARE_OF_ADMISSION = 0.06, 0.12, 0.03
"""Of the time limit: for each bound, for the simulation, for rate limits (three times as much when they are used)."""

LONGEST_BOUND, LONGEST_CONFIRMATION = 20.0, 20.0
LEAST_CONFIRMATION = 1.5
"""Seconds for the simulation, where that is not more than a third of the time: it has to be loaded first."""

GRACE = 2.0
"""Seconds to build a placement at all where the time is over before there is one."""

NEAR = 0.02
"""Candidates whose analytic loss is within this share (or .001) of the best are left to the simulation."""


def plan_loss(
    compiled: Compiled, request: Request, listener: Listener | None = None, first: Outcome | None = None
) -> Outcome:
    """Plan for little loss, or for a deterministic objective under limits on loss.

    Args:
        compiled: the instance.
        request: objectives (one or two), limits, scenarios, admission.
        listener: told of every better placement.
        first: the optimum without waiting, whose bound and placement are used.

    Raises:
        InputError: for request that this planner does not take.
        InfeasibleError: when the fluid relaxation proves that no placement can keep the limits.
        UnansweredError: when no placement was found.
    """
    with noted() as interrupted:
        return _plan_loss(compiled, request, listener, first, interrupted)


def _plan_loss(
    compiled: Compiled, request: Request, listener: Listener | None, first: Outcome | None, interrupted: Event
) -> Outcome:
    countdown = request.limits.start()
    problem = _problem(compiled, request)
    listener = in_values(compiled, problem.objective, listener)
    seconds = request.limits.seconds
    bound = replace(request.limits, seconds=min(SHARE_OF_BOUNDS * seconds, LONGEST_BOUND))
    relaxed, guided = fluid(problem, bound), guide(problem, bound)
    starts = [placement for placement in (relaxed.placement, guided.placement) if placement is not None]
    starts += [kept for kept in (request.keep, first.placement if first else None) if kept is not None]
    least = floor(problem, relaxed, first)
    confirm = time_to_confirm(seconds) if request.confirm is not False else 0.0
    search = Search(problem, request.limits.seed, listener, least, countdown.now)
    sources = SHARE_OF_ADMISSION * seconds * (3.0 if request.admission else 1.0)
    left = countdown.until(confirm + sources).left
    rounds = 0 if interrupted.is_set() else request.rounds  # one placement is still built where there is none
    stale = None if request.rounds else Budget.stale
    found = search.run(Budget(left, rounds, stale, request.limits.gap), starts)
    if not found.elite:  # imports and bounds took the time on a busy machine: one placement is still built
        found = search.run(Budget(search.countdown.spent + GRACE, 0), starts)
    if not found.elite:
        search.countdown.check("the search before it found a placement")
        raise UnansweredError("no placement was found that keeps memory, order and range")
    elite, chosen, gain = list(found.elite), 0, None
    spacing: list[dict[int, float]] = [{}]
    selection: Selection | None = None
    try:
        if interrupted.is_set() or found.ended == "interrupted":
            raise KeyboardInterrupt
        exact = _exact(problem, found.elite)
        # the search ends a round late at times: what is kept for rate limits is theirs
        until = Countdown.of(max(countdown.until(confirm).left, min(sources, countdown.left)), countdown.now)
        spacing, gain, elite = _admission(problem, request, exact, relaxed, until)
        if listener is not None:
            listener(Progress(countdown.spent, elite[0].score.objective, least, "simulation"))
        if request.confirm is not False:
            chosen, selection = _confirm(problem, elite, spacing, countdown, request.limits.seed)
    except KeyboardInterrupt:  # the best so far, without the last word
        found = replace(found, ended="interrupted")
    evidence = Evidence(
        method="loss",
        termination=ending(problem, found, relaxed, elite[chosen]),
        floor=least,
        bounds=bounds(problem, relaxed, guided),
        countdown=countdown,
        selection=selection,
        gain=gain,
    )
    return answer(problem, request, elite[chosen], spacing[chosen], evidence)


def time_to_confirm(seconds: float) -> float:
    """Seconds of a time limit that are the simulation's."""
    share = max(SHARE_OF_CONFIRMATION * seconds, min(LEAST_CONFIRMATION, seconds / 3.0))
    return min(share, LONGEST_CONFIRMATION)


def plan_enumeration(compiled: Compiled, request: Request, listener: Listener | None = None) -> Outcome:
    """Look at every placement: the optimum under the analytic evaluator."""
    countdown = request.limits.start()
    problem = _problem(compiled, request)
    part = countdown.part(1.0 - SHARE_OF_BOUNDS)
    best, every = enumerate_within(problem, part)
    if best is None and every:
        raise InfeasibleError("no placement satisfies the instance (proven)", tip="placer explain says what clashes")
    if best is None:
        raise UnansweredError("the time limit ended the enumeration before it met a placement that fits")
    relaxed = fluid(problem, replace(request.limits, seconds=min(countdown.left, LONGEST_BOUND)))
    both: tuple[Bound, ...] = (
        Bound(name="fluid", value=relaxed.value, holds_for=bounded(problem.compiled), proven=True),
    )
    if every:
        both += (Bound(name="enumeration", value=best.score.total, holds_for=ENUMERATED, proven=True),)
        evidence = Evidence("enumeration", "optimal", best.score.objective, both, countdown)
    else:
        evidence = Evidence("enumeration", "time-limit", floor(problem, relaxed, None), both, countdown)
    return answer(problem, request, best, {}, evidence)


def _problem(compiled: Compiled, request: Request) -> Problem:
    objectives = request.objectives or compiled.instance.file.objective
    if len(objectives) > 2 or (len(objectives) == 2 and LOSS not in objectives):
        raise InputError("the loss-aware planner takes one objective, or loss and another one that decides ties")
    second = objectives[1] if len(objectives) == 2 else ("latency" if objectives[0] == LOSS else LOSS)
    if request.scenarios:
        return Problem(compiled, objectives[0], tuple(request.scenarios), request.worst, second=second)
    return Problem(compiled, objectives[0], second=second)


def _exact(problem: Problem, elite: tuple[Candidate, ...]) -> list[Candidate]:
    """The elite scored until the fixed point, best first."""
    placements = [candidate.placement for candidate in elite]
    scores = Scorer(problem).score(placements, exact=True)
    return sorted(map(Candidate, placements, scores), key=lambda candidate: candidate.score.key)


def _admission(
    problem: Problem, request: Request, elite: list[Candidate], relaxed: LossBound, countdown: Countdown
) -> tuple[list[dict[int, float]], float | None, list[Candidate]]:
    """Rate limits per candidate, the gain of those of the best one, and the candidates to choose from."""
    if problem.objective != LOSS or not limitable(problem) or len(problem.scenarios) > 1:
        return [{} for _ in elite], None, elite
    shares = {s: float(relaxed.admitted[s] / problem.compiled.rate[s]) for s in problem.served}
    planned = {s: share for s, share in shares.items() if np.isfinite(share)}
    some = elite[:3] if request.admission else elite[:1]
    chosen = [choose_limits(problem, candidate.placement, countdown, planned) for candidate in some]
    gain = max(elite[0].score.total - min(score.total for _, score in chosen), 0.0)
    if not request.admission:
        return [{} for _ in elite], gain, elite
    both = [*(Candidate(c.placement, score) for c, (_, score) in zip(some, chosen, strict=True)), elite[0]]
    spacing: list[dict[int, float]] = [*(one for one, _ in chosen), {}]
    order = sorted(range(len(both)), key=lambda k: both[k].score.key)
    return [spacing[k] for k in order], gain, [both[k] for k in order]


def _confirm(
    problem: Problem, elite: list[Candidate], spacing: list[dict[int, float]], countdown: Countdown, seed: int
) -> tuple[int, Selection | None]:
    """The candidate that the simulation prefers among those that are alike by the analytic evaluator.

    Where services limit their loss, it is the first one that the simulation does not see break a limit. Nothing is
    said where the time is too short to simulate.
    """
    best = elite[0].score
    alike = [
        k
        for k, candidate in enumerate(elite)
        if candidate.score.key[0] <= best.key[0] + 1e-6
        and (problem.objective != LOSS or candidate.score.total <= best.total + max(NEAR * best.total, 1e-3))
    ]
    if np.isfinite(problem.max_loss).any():
        for number, k in enumerate(alike):
            own = countdown.part(1.0 / (len(alike) + 1 - number))
            try:
                seen = select(problem, [elite[k].placement], own, seed, limits=[spacing[k]])
            except TimeIsUpError:
                break
            if not (seen.loss - seen.loss_half_width > problem.max_loss).any():
                return k, seen
    if problem.objective != LOSS:
        alike = alike[:1]
    own_limits = [spacing[k] for k in alike]
    try:
        found = select(problem, [elite[k].placement for k in alike], countdown, seed, limits=own_limits)
    except TimeIsUpError:
        return 0, None
    return alike[found.best], found
