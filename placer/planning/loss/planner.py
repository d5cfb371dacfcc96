"""The loss-aware planner: bounds first, then candidates from models and search, then the simulation's choice."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np

from placer.errors import InfeasibleError, InputError, UnansweredError
from placer.evaluation.evaluate import evaluate_placement, with_waiting
from placer.evaluation.objectives import OBJECTIVES
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from placer.plan.plan import Bound, Certificate, Confirmation, ObjectiveResult, Termination, make_plan
from placer.planning.ilp.planner import plan as plan_ilp
from placer.planning.loss.admission import choose_limits, limitable
from placer.planning.loss.bounds.acceptance import acceptance_guide
from placer.planning.loss.bounds.fluid import LossBound, fluid_bound
from placer.planning.loss.enumeration import enumerate_all
from placer.planning.loss.problem import LOSS, Problem
from placer.planning.loss.scoring import Scorer
from placer.planning.loss.search.search import Budget, Candidate, Found, Search
from placer.planning.loss.selection import LEVEL, Selection, select
from placer.planning.outcome import Outcome
from placer.planning.request import Request
from placer.solver.progress import Limits, Listener, Progress, relative_gap

SHARE_OF_BOUNDS, SHARE_OF_CONFIRMATION, SHARE_OF_ADMISSION = 0.06, 0.12, 0.03
"""Of the time limit: for each bound, for the simulation, for rate limits (three times as much when they are used)."""

LONGEST_BOUND, LONGEST_CONFIRMATION = 20.0, 20.0
NEAR = 0.02
"""Candidates whose analytic loss is within this share (or .001) of the best are left to the simulation."""

TRUE_SYSTEM = "every placement of the true system"
THINNED = "placements within the Poisson-thinned model only: a guide, no bound of the true system"
ENUMERATED = "every placement under the analytic evaluator"


def auto(compiled: Compiled, request: Request, listener: Listener | None = None) -> Outcome:
    """The ILP, unless loss is the objective or its optimum breaks a limit on loss or on the mean response time.

    Where the ILP's optimum keeps the limits under the analytic evaluator it is optimal with them too: they only
    exclude placements.
    """
    objectives = request.objectives or tuple(compiled.instance.file.objective)
    served = [service for service in compiled.instance.services if service.arrivals is not None]
    limited = any(service.max_loss is not None or service.deadline is not None for service in served)
    if not limited or request.max_moves is not None:
        return plan_ilp(compiled, request, listener)
    share = replace(request.limits, seconds=request.limits.seconds / 2)
    first = plan_ilp(compiled, replace(request, limits=share), listener)
    judged = with_waiting(compiled, first.placement, None, first.evaluation)
    if judged.feasible or len(objectives) > 1:
        return first
    left = replace(request.limits, seconds=request.limits.seconds - first.plan.certificate.seconds, nodes=None)
    return plan_loss(compiled, replace(request, limits=left), listener, first)


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
    begin = time.monotonic()
    problem = _problem(compiled, request)
    seconds = request.limits.seconds
    relaxed = _fluid(problem, replace(request.limits, seconds=min(SHARE_OF_BOUNDS * seconds, LONGEST_BOUND)))
    guide = _guide(problem, replace(request.limits, seconds=min(SHARE_OF_BOUNDS * seconds, LONGEST_BOUND)))
    starts = [placement for placement in (relaxed.placement, guide.placement) if placement is not None]
    starts += [kept for kept in (request.keep, first.placement if first else None) if kept is not None]
    floor = _floor(problem, relaxed, first)
    confirm = min(SHARE_OF_CONFIRMATION * seconds, LONGEST_CONFIRMATION) if request.confirm is not False else 0.0
    search = Search(problem, request.limits.seed, listener, floor)
    sources = SHARE_OF_ADMISSION * seconds * (3.0 if request.admission else 1.0)
    left = max(seconds - (time.monotonic() - begin) - confirm - sources, 0.1)
    found = search.run(Budget(left, request.rounds, None if request.rounds else Budget.stale), starts)
    if not found.elite:
        raise UnansweredError("no placement was found that keeps memory, order and range")
    elite = _exact(problem, found.elite)
    # the search ends a round late at times: what is kept for rate limits is theirs
    until = max(begin + seconds - confirm, time.monotonic() + sources)
    gaps, gain, elite = _admission(problem, request, elite, relaxed, until)
    if listener is not None:
        listener(Progress(time.monotonic() - begin, elite[0].score.objective, floor, "simulation"))
    chosen, selection = _confirm(problem, elite, gaps, confirm, request.limits.seed)
    bounds = _bounds(relaxed, guide)
    termination = _termination(found, relaxed, elite[chosen], problem)
    return _outcome(problem, request, elite[chosen], gaps[chosen], bounds, selection, termination, gain, floor, begin)


def plan_enumeration(compiled: Compiled, request: Request, listener: Listener | None = None) -> Outcome:
    """Look at every placement: the optimum under the analytic evaluator."""
    begin = time.monotonic()
    problem = _problem(compiled, request)
    best = enumerate_all(problem)
    if best is None:
        raise InfeasibleError("no placement satisfies the instance (proven)", tip="placer explain says what clashes")
    relaxed = _fluid(problem, replace(request.limits, seconds=min(request.limits.seconds, LONGEST_BOUND)))
    bounds = [
        Bound(name="fluid", value=relaxed.value, holds_for=TRUE_SYSTEM, proven=True),
        Bound(name="enumeration", value=best.score.total, holds_for=ENUMERATED, proven=True),
    ]
    floor = best.score.objective
    return _outcome(problem, request, best, {}, bounds, None, "optimal", None, floor, begin, "enumeration")


def _problem(compiled: Compiled, request: Request) -> Problem:
    objectives = request.objectives or compiled.instance.file.objective
    if len(objectives) > 2 or (len(objectives) == 2 and LOSS not in objectives):
        raise InputError("the loss-aware planner takes one objective, or loss and another one that decides ties")
    second = objectives[1] if len(objectives) == 2 else ("latency" if objectives[0] == LOSS else LOSS)
    if request.scenarios:
        return Problem(compiled, objectives[0], tuple(request.scenarios), request.worst, second=second)
    return Problem(compiled, objectives[0], second=second)


def _fluid(problem: Problem, limits: Limits) -> LossBound:
    """The proven bound; for several scenarios the mean (or the largest) of theirs."""
    values = []
    each = replace(limits, seconds=limits.seconds / len(problem.scenarios))
    first: LossBound | None = None
    for scenario in problem.scenarios:
        rates = problem.compiled.rate.copy()
        rates[list(problem.served)] = problem.offered(scenario)
        # a device that is down only makes it worse: the bound without that stays one
        bound = fluid_bound(problem.compiled, each, rates=rates, first_station=problem.all_poisson)
        first = first or bound
        values.append(bound.value)
    assert first is not None
    shares = np.array([scenario.weight for scenario in problem.scenarios])
    mean = float(shares @ np.array(values) / shares.sum())
    keep = np.isfinite(problem.max_loss).any() and len(problem.scenarios) == 1
    if keep:
        limited = fluid_bound(problem.compiled, each, max_loss=True, first_station=problem.all_poisson)
        if limited.status == "infeasible":
            raise InfeasibleError(
                "no placement can keep the limits on loss (proven by the fluid relaxation): "
                + "; ".join(_wanted(problem)),
                tip="relax max_loss, lower the rates, or add faster devices",
            )
    if first.status == "infeasible":
        raise InfeasibleError("no placement satisfies the instance (proven)", tip="placer explain says what clashes")
    return replace(first, value=max(values) if problem.worst else mean)


def _wanted(problem: Problem) -> list[str]:
    services = problem.compiled.instance.services
    return [
        f"service {services[s].name} loses at most {100 * limit:g} % of {problem.compiled.rate[s]:g} /s"
        for s, limit in zip(problem.served, problem.max_loss, strict=True)
        if math.isfinite(limit)
    ]


def _guide(problem: Problem, limits: Limits) -> LossBound:
    rates = problem.compiled.rate.copy()
    rates[list(problem.served)] = problem.mean_rates()
    return acceptance_guide(problem.compiled, limits, rates=rates)


def _floor(problem: Problem, relaxed: LossBound, first: Outcome | None) -> float:
    """The proven bound of the objective."""
    if problem.objective == LOSS:
        return relaxed.value
    if first is not None and first.plan.certificate.objectives[0].bound is not None:
        return first.plan.certificate.objectives[0].bound
    return -math.inf


def _exact(problem: Problem, elite: tuple[Candidate, ...]) -> list[Candidate]:
    """The elite scored until the fixed point, best first."""
    placements = [candidate.placement for candidate in elite]
    scores = Scorer(problem).score(placements, exact=True)
    return sorted(map(Candidate, placements, scores), key=lambda candidate: candidate.score.key)


def _admission(
    problem: Problem, request: Request, elite: list[Candidate], relaxed: LossBound, deadline: float
) -> tuple[list[dict[int, float]], float | None, list[Candidate]]:
    """Rate limits per candidate, the gain of those of the best one, and the candidates to choose from."""
    if problem.objective != LOSS or not limitable(problem) or len(problem.scenarios) > 1:
        return [{} for _ in elite], None, elite
    planned = {s: float(relaxed.admitted[s] / problem.compiled.rate[s]) for s in problem.served}
    some = elite[:3] if request.admission else elite[:1]
    chosen = [choose_limits(problem, candidate.placement, deadline, planned) for candidate in some]
    gain = max(elite[0].score.total - min(score.total for _, score in chosen), 0.0)
    if not request.admission:
        return [{} for _ in elite], gain, elite
    both = [*(Candidate(c.placement, score) for c, (_, score) in zip(some, chosen, strict=True)), elite[0]]
    limits: list[dict[int, float]] = [*(gaps for gaps, _ in chosen), {}]
    order = sorted(range(len(both)), key=lambda k: both[k].score.key)
    return [limits[k] for k in order], gain, [both[k] for k in order]


def _confirm(
    problem: Problem, elite: list[Candidate], gaps: list[dict[int, float]], seconds: float, seed: int
) -> tuple[int, Selection | None]:
    """The candidate that the simulation prefers among those that are alike by the analytic evaluator.

    Where services limit their loss, it is the first one that the simulation does not see break a limit.
    """
    if seconds <= 0.0:
        return 0, None
    begin = time.monotonic()
    best = elite[0].score
    alike = [
        k
        for k, candidate in enumerate(elite)
        if candidate.score.key[0] <= best.key[0] + 1e-6
        and (problem.objective != LOSS or candidate.score.total <= best.total + max(NEAR * best.total, 1e-3))
    ]
    if np.isfinite(problem.max_loss).any():
        for k in alike:
            seen = select(problem, [elite[k].placement], seconds, seed, limits=[gaps[k]])
            if not (seen.loss - seen.loss_half_width > problem.max_loss).any():
                return k, seen
            if time.monotonic() - begin > seconds:
                break
    if problem.objective != LOSS:
        alike = alike[:1]
    left = max(seconds - (time.monotonic() - begin), 0.0)
    found = select(problem, [elite[k].placement for k in alike], left, seed, limits=[gaps[k] for k in alike])
    return alike[found.best], found


def _bounds(relaxed: LossBound, guide: LossBound) -> list[Bound]:
    return [
        Bound(name="fluid", value=relaxed.value, holds_for=TRUE_SYSTEM, proven=True),
        Bound(name="acceptance", value=guide.value, holds_for=THINNED, proven=False),
    ]


def _termination(found: Found, relaxed: LossBound, best: Candidate, problem: Problem) -> Termination:
    if problem.objective == LOSS and best.score.total <= relaxed.value + 1e-6:
        return "optimal"
    if found.ended == "rounds":
        return "iteration-limit"
    endings: dict[str, Termination] = {"time": "time-limit", "interrupted": "interrupted"}
    return endings.get(found.ended, "heuristic")


def _outcome(
    problem: Problem,
    request: Request,
    best: Candidate,
    gaps: dict[int, float],
    bounds: list[Bound],
    selection: Selection | None,
    termination: Termination,
    gain: float | None,
    floor: float,
    begin: float,
    method: str = "loss",
) -> Outcome:
    compiled = problem.compiled
    judged = with_waiting(compiled, best.placement, None, evaluate_placement(compiled, best.placement), gaps)
    value = judged.objectives[problem.objective] if len(problem.scenarios) == 1 else best.score.objective
    unit = OBJECTIVES[problem.objective].unit
    lower = min(floor, value) if math.isfinite(floor) else None
    result = ObjectiveResult(
        name=problem.objective,
        value=value,
        bound=lower,
        bound_of=None if problem.objective != LOSS else (ENUMERATED if method == "enumeration" else TRUE_SYSTEM),
        gap=None if lower is None else relative_gap(value, lower),
        unit=unit,
    )
    confirmed = None
    if selection is not None:
        confirmed = Confirmation(
            value=selection.value,
            half_width=float(np.nan_to_num(selection.half_width)),
            level=LEVEL,
            replications=selection.replications,
            candidates=selection.candidates,
            selected=selection.decided,
        )
    certificate = Certificate(
        method=method,
        termination=termination,
        objectives=(result,),
        seconds=time.monotonic() - begin,
        seed=request.limits.seed,
        options={"time_limit": request.limits.seconds, "rounds": request.rounds},
        bounds=tuple(bounds),
        confirmed=confirmed,
        admission_gain=gain,
    )
    made = make_plan(compiled, best.placement, certificate, request.path, gaps)
    return Outcome(made, best.placement, judged)


__all__ = ["Placement", "auto", "plan_enumeration", "plan_loss"]
