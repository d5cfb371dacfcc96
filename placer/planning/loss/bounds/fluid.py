"""A proven lower bound of the loss of every placement, in stages as far as the time allows.

A closed form, the linear relaxation, a narrow MILP for a placement, the whole MILP: each is a bound that holds, and the
next one can only improve it. The model, and why it bounds the loss: :mod:`placer.planning.loss.bounds.fluid_model`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyomo.core as pyo

from placer.errors import InfeasibleError, TimeIsUpError
from placer.instance.compiled import Compiled, Floats
from placer.plan.placement import Placement
from placer.planning.ilp.formulation import build, possible_domains
from placer.planning.loss.bounds.candidates import narrowed
from placer.planning.loss.bounds.closed_form import best_shares, loss_of
from placer.planning.loss.bounds.effort import effort_of
from placer.planning.loss.bounds.fluid_model import SLACK, FluidModel, is_known, is_large
from placer.solver.countdown import Countdown
from placer.solver.highs import Solver
from placer.solver.progress import Limits
from placer.solver.result import Result

LEAST_SECONDS = 0.5
"""Left over, below which a large model is not started."""


@dataclass(frozen=True)
class LossBound:
    """What a relaxation says about the loss of an instance.

    Attributes:
        value: lower bound of the weighted loss ratio; inf when it is proven that no placement exists.
        placement: of the incumbent, else the start; None when there is none.
        admitted: planned completed rate of each service in 1/s, NaN without arrivals, shape (S,): those of the
            incumbent, else (``estimate`` is NaN) of the relaxation.
        status: how the value was obtained: ``milp`` (optimum), ``milp-bound`` (ended early), ``lp``, ``closed-form``,
            ``none`` (nothing is proven) or ``infeasible``.
        seconds: wall time.
        estimate: the relaxation's loss at the incumbent; NaN without one.
        terms: what the value bounds, in words.
    """

    value: float
    placement: Placement | None
    admitted: Floats
    status: str
    seconds: float
    estimate: float = math.nan
    terms: str = "every placement of the true system"


def fluid_bound(
    compiled: Compiled,
    limits: Limits,
    start: Placement | None = None,
    rates: Floats | None = None,
    *,
    max_loss: bool = False,
    first_station: bool = True,
    relaxed: bool = False,
) -> LossBound:
    """Return a proven lower bound of the loss of every placement that keeps the exact limits.

    Args:
        compiled: the instance.
        limits: of the solver; ``seconds`` is for the whole call, model building included.
        start: a placement to start from.
        rates: arrivals per second instead of the instance's, NaN for none, shape (S,).
        max_loss: whether services must keep their ``max_loss``; an ``infeasible`` answer then proves that none can.
        first_station: whether the first-station theorem is used (it needs Poisson arrivals; the rest does not).
        relaxed: stop after the linear relaxation.
    """
    if rates is not None:
        compiled = replace(compiled, rate=rates)
    task = Task(compiled, limits, limits.start(), max_loss, first_station)
    return replace(_found(task, start, relaxed), seconds=task.countdown.spent)


def _found(task: Task, start: Placement | None, relaxed: bool) -> LossBound:
    """What the closed form says, and what the stages prove beyond it."""
    compiled, domains = task.compiled, possible_domains(task.compiled)
    if any(all(index not in domains for index in group) for group in compiled.service_variants):
        return _infeasible(compiled)
    effort = effort_of(compiled, task.first_station)
    shares = best_shares(compiled, effort, domains)
    if task.max_loss and _fails(compiled, shares):
        return _infeasible(compiled)
    found = LossBound(loss_of(compiled, shares), start, shares * compiled.rate, "closed-form", 0.0)
    try:
        model = FluidModel(build(compiled, countdown=task.countdown), effort, task.max_loss)
        for better in _stages(task, model, found, relaxed):
            found = better
    except InfeasibleError:
        return _infeasible(compiled)
    except TimeIsUpError:
        pass  # what was found before holds
    return replace(found, value=max(found.value - SLACK, 0.0))


@dataclass(frozen=True)
class Task:
    """What a call asks for: the instance, when to stop, what is left of that, and which constraints hold."""

    compiled: Compiled
    limits: Limits
    countdown: Countdown
    max_loss: bool
    first_station: bool

    @property
    def left(self) -> float:
        """Seconds left."""
        return self.countdown.left


def _stages(task: Task, model: FluidModel, found: LossBound, relaxed: bool) -> Iterator[LossBound]:
    """Linear relaxation, a narrow MILP for a placement, the whole MILP: as far as the size asks and the time allows.

    Yields what is known after each.

    Raises:
        InfeasibleError: no placement exists.
        TimeIsUpError: the time ended a stage.
    """
    large = is_large(model.formulation)
    if (large or relaxed) and task.left > (LEAST_SECONDS if large else 0.02):
        result = solve_relaxed(model, task)
        found = _improved(found, model, result, "lp")
        yield found
        if large and not relaxed and result.has_incumbent and task.left > LEAST_SECONDS:
            found = _narrow(task, model, result, found)
            yield found
    if relaxed or task.left < (LEAST_SECONDS if large else 0.02):
        return
    if math.isfinite(found.estimate) and found.estimate - found.value <= max(SLACK, task.limits.gap):
        yield replace(found, status="milp")
        return
    yield _improved(found, model, _solve(model, task, found.placement), "milp")


def _narrow(task: Task, model: FluidModel, relaxation: Result, found: LossBound) -> LossBound:
    """Look for a placement among few stations per layer; proves nothing."""
    try:
        few = narrowed(model.formulation, relaxation.values, [found.placement] if found.placement else [])
        half = replace(task, countdown=task.countdown.part(0.5))
        formulation = build(few, countdown=half.countdown)
        narrow = FluidModel(formulation, effort_of(few, task.first_station), task.max_loss)
        result = _solve(narrow, half, found.placement)
    except (InfeasibleError, TimeIsUpError):
        return found  # of the narrow problem only
    if not result.has_incumbent:
        return found
    placement = narrow.formulation.placement(result.values)
    return replace(found, placement=placement, admitted=narrow.rates(result.values), estimate=result.objective)


def _fails(compiled: Compiled, shares: Floats) -> bool:
    return any(
        service.max_loss is not None and shares[i] < 1.0 - service.max_loss - SLACK
        for i, service in enumerate(compiled.instance.services)
    )


def _infeasible(compiled: Compiled) -> LossBound:
    nothing = np.full(len(compiled.rate), np.nan)
    return LossBound(math.inf, None, nothing, "infeasible", 0.0)


def _improved(best: LossBound, model: FluidModel, result: Result, stage: str) -> LossBound:
    """Take over what a run proves and finds; the incumbent of the linear relaxation is no placement."""
    value = best.value
    status = best.status
    if result.bound > best.value:
        value, status = result.bound, stage
        if stage == "milp" and result.status != "optimal":
            status = "milp-bound"
    if stage == "milp" and result.status == "optimal":
        status = "milp"
    if not result.has_incumbent:
        return replace(best, value=value, status=status)
    admitted = model.rates(result.values)
    if stage == "lp":
        return replace(best, value=value, status=status, admitted=admitted)
    placement = model.formulation.placement(result.values)
    return replace(best, value=value, status=status, placement=placement, admitted=admitted, estimate=result.objective)


def solve_relaxed(model: FluidModel, task: Task) -> Result:
    """Solve the linear relaxation.

    Raises:
        InfeasibleError: it has no point, so there is no placement.
    """
    return _solve(model, task, None, relaxed=True)


def _solve(model: FluidModel, task: Task, start: Placement | None, relaxed: bool = False) -> Result:
    m = model.formulation.model
    domain = pyo.UnitInterval if relaxed else pyo.Binary
    for variable in (*m.z.values(), *m.alpha.values()):
        variable.domain = domain
    solver = Solver.of(m, task.countdown)
    if is_large(model.formulation):
        solver.use_primal_simplex()  # "nothing is executed" is feasible; the dual method takes over 10 s at 80 devices
    if start is not None and is_known(model.formulation, start):
        solver.start_from(model.formulation.start(start))
    result = solver.solve(task.limits.within(task.countdown))
    if result.status == "infeasible":
        raise InfeasibleError("no placement satisfies the instance (proven)")
    return result
