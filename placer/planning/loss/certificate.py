"""What the loss-aware planner hands back: the plan with its certificate, and why it ended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.plan.plan import Bound, Certificate, Confirmation, Termination
from placer.planning.loss.bounds.fluid import LossBound
from placer.planning.loss.problem import LOSS, Problem
from placer.planning.loss.relaxations import bounded
from placer.planning.loss.search.search import Candidate, SearchResult
from placer.planning.loss.selection import LEVEL, Selection
from placer.planning.outcome import Outcome
from placer.planning.request import Request
from placer.planning.stating import Claim, stated
from placer.solver.countdown import Countdown

ENUMERATED = "every placement under the analytic evaluator"


@dataclass(frozen=True)
class Evidence:
    """How sure an answer is.

    Attributes:
        method: that found it.
        termination: why the method stopped.
        floor: proven lower bound of the objective; -inf for none.
        bounds: what the relaxations say.
        countdown: of the planning.
        selection: what the simulation saw of the candidates; None when it was not asked.
        gain: loss that rate limits would save; None when they were not tried.
    """

    method: str
    termination: Termination
    floor: float
    bounds: tuple[Bound, ...]
    countdown: Countdown
    selection: Selection | None = None
    gain: float | None = None


def ending(problem: Problem, found: SearchResult, relaxed: LossBound, best: Candidate) -> Termination:
    """Why a search stopped, in the words of a certificate: a loss at its bound is optimal however it was found."""
    if problem.objective == LOSS and best.score.total <= relaxed.value + 1e-6:
        return "optimal"
    if found.ended == "rounds":
        return "iteration-limit"
    endings: dict[str, Termination] = {"time": "time-limit", "interrupted": "interrupted", "gap": "gap-reached"}
    return endings.get(found.ended, "heuristic")


def answer(
    problem: Problem, request: Request, best: Candidate, spacing: dict[int, float], evidence: Evidence
) -> Outcome:
    """The chosen candidate as a plan with its certificate, judged with its waiting.

    Args:
        problem: what was asked.
        request: how it was asked.
        best: the candidate.
        spacing: least time between two requests of a service at its source, s, by service; nothing without limit.
        evidence: how sure it is.
    """
    certificate = Certificate(
        method=evidence.method,
        termination=evidence.termination,
        objectives=(),
        seconds=evidence.countdown.spent,
        seed=request.limits.seed,
        options={"time_limit": request.limits.seconds, "rounds": request.rounds},
        bounds=evidence.bounds,
        confirmed=_confirmation(evidence.selection),
        admission_gain=evidence.gain,
    )
    several = len(problem.scenarios) > 1
    claim = Claim(
        name=problem.objective,
        floor=evidence.floor,
        bound_of=_bounded(problem, evidence.method) if problem.objective == LOSS else None,
        cost=best.score.objective if several else None,
        value_of=_worlds(problem) if several else None,
    )
    return stated(problem.compiled, best.placement, certificate, [claim], request, spacing)


def _worlds(problem: Problem) -> str:
    which = "the worst" if problem.worst else "the weighted mean"
    return f"{which} of {len(problem.scenarios)} scenarios"


def _bounded(problem: Problem, method: str) -> str:
    return ENUMERATED if method == "enumeration" else bounded(problem.compiled)


def _confirmation(selection: Selection | None) -> Confirmation | None:
    if selection is None:
        return None
    return Confirmation(
        value=selection.value,
        half_width=float(np.nan_to_num(selection.half_width)),
        level=LEVEL,
        replications=selection.replications,
        candidates=selection.candidates,
        selected=selection.decided,
    )
