"""The planner: instance in, plan out, with what is proven about it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from placer.errors import InfeasibleError, TimeIsUpError, UnansweredError
from placer.evaluation.evaluate import evaluate_placement
from placer.evaluation.evaluation import Evaluation
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from placer.plan.plan import Certificate, Termination
from placer.planning.decomposition.relaxation import OBJECTIVES, Relaxation, method_of, relax, termination_of
from placer.planning.ilp.warmstart import warm_start
from placer.planning.outcome import Outcome
from placer.planning.request import Request
from placer.planning.stating import Claim, in_values, stated
from placer.planning.tidying import tidied
from placer.planning.ways import ways_of
from placer.solver.countdown import Countdown
from placer.solver.progress import Listener, Progress, relative_gap
from placer.solver.result import Result

if TYPE_CHECKING:
    from placer.planning.ilp.formulation import Formulation


SHARE_OF_RELAXATION = 0.5
"""Of the time limit, for every service by itself, before the ILP weighs them against each other."""
LARGEST_MODEL = 1_000_000
"""Products of an edge's stations from which on the ILP is not built where something is already known."""


@dataclass(frozen=True)
class _Stage:
    """What one objective's run found. Value and bound in SI units."""

    placement: Placement
    bound: float
    termination: Termination
    method: str


def plan(
    compiled: Compiled,
    request: Request | None = None,
    listener: Listener | None = None,
    known: tuple[Placement | None, float] | None = None,
) -> Outcome:
    """Return the best placement found within the limits; under the method ``warm-start`` what starts the ILP, alone.

    ``known``: a start (None for none) and a bound of the one objective, found by column generation.

    Raises:
        InfeasibleError: when no placement satisfies the instance (proven).
        UnansweredError: when the limits ended the search before any placement was found.
    """
    request = request or Request()
    objectives, limits = request.objectives or tuple(compiled.instance.file.objective), request.limits
    countdown = limits.start()
    if known is None:
        stage = _lexicographic(compiled, request, objectives, listener, countdown)
    else:
        listener = in_values(compiled, objectives[0], listener)
        task = _Task(compiled, request, objectives, [], *known)
        stage = [_solve_from(task, listener, countdown, "column-generation")]
    placement = stage[-1].placement
    if request.keep is None:  # what is deployed stays where it is
        placement = tidied(compiled, placement, objectives, countdown)
    alone = _alone(compiled, placement)
    if not alone.feasible:
        raise UnansweredError(
            "internal error: the solver's placement fails the evaluator: " + alone.violations[0].message
        )
    certificate = Certificate(
        method="+".join(dict.fromkeys(s.method for s in stage)),
        termination=_overall([s.termination for s in stage]),
        objectives=(),
        seconds=countdown.spent,
        seed=limits.seed,
        options={"time_limit": limits.seconds, "gap": limits.gap, "threads": limits.threads},
    )
    claims = [
        Claim(name, one.bound, ways_of(compiled, name, limited=one.method != "shortest-path"))
        for name, one in zip(objectives, stage, strict=True)
    ]
    return stated(compiled, placement, certificate, claims, request)


def _alone(compiled: Compiled, placement: Placement) -> Evaluation:
    """No waiting, no loss."""
    return evaluate_placement(compiled, placement, "deterministic")


_WORST_FIRST: tuple[Termination, ...] = (
    *("interrupted", "time-limit", "iteration-limit", "heuristic", "gap-reached", "optimal"),
)


def _overall(terminations: list[Termination]) -> Termination:
    return min(terminations, key=_WORST_FIRST.index)


def _lexicographic(
    compiled: Compiled, request: Request, objectives: Sequence[str], listener: Listener | None, countdown: Countdown
) -> list[_Stage]:
    stages: list[_Stage] = []
    for position in range(len(objectives)):
        if stages and countdown.over:
            stages += [replace(stages[-1], bound=-math.inf, termination="time-limit") for _ in objectives[position:]]
            break
        stage = _solve_stage(compiled, request, objectives[: position + 1], stages, listener, countdown)
        stages.append(stage)
        if stage.termination == "interrupted":
            stages += [replace(stage, bound=-math.inf) for _ in objectives[position + 1 :]]
            break
    return stages


def _solve_stage(
    compiled: Compiled,
    request: Request,
    objectives: Sequence[str],
    earlier: list[_Stage],
    listener: Listener | None,
    countdown: Countdown,
) -> _Stage:
    name = objectives[-1]
    listener = in_values(compiled, name, listener)
    coupled = request.keep is not None or bool(earlier) or request.write_model is not None
    relaxed = None if coupled else _relaxed(compiled, request, name, listener, countdown)
    uncoupled = relaxed is not None and _alone(compiled, relaxed.placement).feasible
    if relaxed is not None and uncoupled and request.shortcut and _settles(compiled, request, relaxed):
        return _Stage(relaxed.placement, relaxed.bound, termination_of(relaxed), method_of(compiled))
    start = earlier[-1].placement if earlier else _start(compiled, request, name, countdown)
    if relaxed is not None and uncoupled and request.shortcut:
        start = relaxed.placement if start is None else _better(compiled, name, start, relaxed.placement)
    floor = relaxed.bound if relaxed is not None else -math.inf
    if request.method == "warm-start":
        if start is None:
            countdown.check("the heuristic before it found a placement")
            raise UnansweredError("the heuristic found no feasible placement; --method ilp decides whether one exists")
        return _Stage(start, floor, "heuristic", "warm-start")
    return _solve_from(_Task(compiled, request, objectives, earlier, start, floor), listener, countdown)


@dataclass(frozen=True)
class _Task:
    """One stage of the ILP: the earlier objectives, then its own; a placement to start from, a proven bound."""

    compiled: Compiled
    request: Request
    objectives: Sequence[str]
    earlier: Sequence[_Stage]
    start: Placement | None
    floor: float


def _solve_from(task: _Task, listener: Listener | None, countdown: Countdown, by: str = "warm-start") -> _Stage:
    """The ILP from a start; where it is stopped while its model is made, the start is the answer."""
    start, floor = task.start, task.floor
    try:
        if listener is not None and start is not None:
            value = _alone(task.compiled, start).costs[task.objectives[-1]]
            listener(Progress(0.0, value, floor, "warm start"))
        return _solve_ilp(task, listener, countdown)
    except TimeIsUpError:
        if start is None or task.request.write_model is not None:
            raise
        return _Stage(start, floor, "time-limit", by)
    except KeyboardInterrupt:  # while the model was built: the solver itself holds it back
        if start is None:
            raise
        return _Stage(start, floor, "interrupted", by)


def _relaxed(
    compiled: Compiled, request: Request, name: str, listener: Listener | None, countdown: Countdown
) -> Relaxation | None:
    """Every service by itself, within a share of the time; None where that tells nothing in it."""
    if name not in OBJECTIVES:
        return None
    share = replace(request.limits, seconds=SHARE_OF_RELAXATION * countdown.left)
    try:
        return relax(compiled, name, share, listener, countdown)
    except (InfeasibleError, UnansweredError):
        return None  # the ILP says so in its own words, with what the other limits add


def _settles(compiled: Compiled, request: Request, relaxed: Relaxation) -> bool:
    """Whether a relaxation that keeps all limits is the answer: good enough, stopped, or larger than any model."""
    if relaxed.gap <= request.limits.gap or relaxed.ended == "interrupted":
        return True
    return products_of(compiled) > LARGEST_MODEL


def products_of(compiled: Compiled) -> int:
    """Products of an edge's stations that the model of an instance would have: its size."""
    return sum(len(variant.edges) * len(compiled.stations) ** 2 for variant in compiled.variants)


def _start(compiled: Compiled, request: Request, name: str, countdown: Countdown) -> Placement | None:
    kept = request.keep
    if kept is not None and not _alone(compiled, kept).feasible:
        kept = None
    if request.keep is not None and request.max_moves is not None:
        return kept
    start = warm_start(compiled, name, countdown)
    if kept is None or start is None:
        return start or kept
    return _better(compiled, name, kept, start)


def formulate(
    compiled: Compiled,
    request: Request,
    objectives: Sequence[str],
    settled: Sequence[float],
    countdown: Countdown | None = None,
) -> Formulation:
    """Return the ILP of the last objective, the earlier ones held at the values in ``settled`` (SI units).

    Raises:
        TimeIsUpError: the countdown ended before the model was made.
    """
    # here, as Pyomo is not loaded where a shortest path answers
    from placer.planning.ilp.formulation import build, limit_moves
    from placer.planning.ilp.goals import add_goal_limits, add_objective, settle

    formulation = build(compiled, countdown=countdown)
    add_goal_limits(formulation)
    if request.keep is not None and request.max_moves is not None:
        limit_moves(formulation, request.keep, request.max_moves)
    for position, (name, value) in enumerate(zip(objectives, settled, strict=False)):
        expression = add_objective(formulation, name)
        settle(formulation, position, expression, value * formulation.scale)
    add_objective(formulation, objectives[-1])
    return formulation


def _solve_ilp(task: _Task, listener: Listener | None, countdown: Countdown) -> _Stage:
    from placer.planning.ilp.readiness import agree, solve
    from placer.solver.highs import Solver

    compiled, request, objectives, start, floor = task.compiled, task.request, task.objectives, task.start, task.floor
    settled = [_alone(compiled, task.earlier[-1].placement).costs[name] for name in objectives[:-1]]
    formulation = formulate(compiled, request, objectives, settled, countdown)
    solver = Solver.of(formulation.model, countdown)
    if request.write_model is not None:
        solver.write(request.write_model)
    if start is not None:
        solver.start_from(formulation.start(start))
    limits, gap = request.limits, request.limits.gap
    if objectives[-1] == "throughput":  # within a gap g of the requests per second is within g / (1 + g) of the load
        limits = replace(limits, gap=gap / (1.0 + gap))
    found = solve(formulation, limits, countdown, listener, solver)
    result = found.result
    if result.status == "infeasible" and start is None:
        ways = " for tensors that take the ways of least time" if ways_of(compiled, "latency") else ""
        message = f"no placement satisfies the instance (proven{ways})"
        raise InfeasibleError(message, tip="placer explain says what clashes")
    placement = found.placement or start
    if placement is None:
        raise UnansweredError(f"no placement was found within the limits ({result.status})")
    if result.has_incumbent and found.exact:
        agree(_alone(compiled, placement), objectives[-1], result.objective / formulation.scale)
    if start is not None:
        placement = _better(compiled, objectives[-1], placement, start)
    if not found.exact and not _alone(compiled, placement).feasible:
        raise UnansweredError("the time ended before a placement was found that keeps its deadlines")
    ended = _termination(result) if found.exact else "time-limit"
    return _Stage(placement, max(result.bound / formulation.scale, floor), ended, "ilp")


def _better(compiled: Compiled, name: str, found: Placement, start: Placement) -> Placement:
    """Keep the start solution where the solver was stopped before it had anything as good."""
    one, other = _alone(compiled, found), _alone(compiled, start)
    if other.feasible and (not one.feasible or other.costs[name] < one.costs[name]):
        return start
    return found


def _termination(result: Result) -> Termination:
    if result.status == "optimal":
        return "optimal" if relative_gap(result.objective, result.bound) <= 1e-9 else "gap-reached"
    if result.status in ("time-limit", "iteration-limit", "interrupted"):
        return result.status
    raise UnansweredError(f"HiGHS stopped with status '{result.status}'")
