"""What the relaxations say of a loss problem: the proven bound of all placements, and a guide to good ones."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from placer.errors import InfeasibleError
from placer.evaluation.objectives import OBJECTIVES
from placer.instance.compiled import Compiled
from placer.plan.plan import Bound
from placer.planning.loss.bounds.acceptance import acceptance_guide
from placer.planning.loss.bounds.fluid import LossBound, fluid_bound
from placer.planning.loss.problem import LOSS, Problem
from placer.planning.outcome import Outcome
from placer.solver.progress import Limits

TRUE_SYSTEM = "every placement of the true system"
STABLE = "every placement whose queues do not grow without end"
THINNED = "placements within the Poisson-thinned model only: a guide, no bound of the true system"


def fluid(problem: Problem, limits: Limits) -> LossBound:
    """The proven bound; for several scenarios the mean (or the largest) of theirs.

    Raises:
        InfeasibleError: no placement exists, or none can keep the limits on loss.
    """
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
            endless = has_endless(problem.compiled)
            stable = " with queues that do not grow without end" if endless else ""
            raise InfeasibleError(
                f"no placement can keep the limits on loss{stable} (proven by the fluid relaxation): "
                + "; ".join(_wanted(problem)),
                tip=f"{'' if endless else 'relax max_loss, '}lower the rates, or add faster devices",
            )
    if first.status == "infeasible":
        raise InfeasibleError("no placement satisfies the instance (proven)", tip="placer explain says what clashes")
    return replace(first, value=max(values) if problem.worst else mean)


def has_endless(compiled: Compiled) -> bool:
    """Whether some device has no buffer limit: what it cannot do in time waits for ever and is not lost."""
    return any(device.buffer is None for device in compiled.instance.devices)


def bounded(compiled: Compiled) -> str:
    """What the fluid bound holds for: without a buffer limit work that is never done counts as lost in it."""
    return STABLE if has_endless(compiled) else TRUE_SYSTEM


def _wanted(problem: Problem) -> list[str]:
    services = problem.compiled.instance.services
    return [
        f"service {services[s].name} loses at most {100 * limit:g} % of {problem.compiled.rate[s]:g} /s"
        for s, limit in zip(problem.served, problem.max_loss, strict=True)
        if math.isfinite(limit)
    ]


def guide(problem: Problem, limits: Limits) -> LossBound:
    """The acceptance relaxation at the scenarios' mean rates: a good placement, and no bound of the true system."""
    rates = problem.compiled.rate.copy()
    rates[list(problem.served)] = problem.mean_rates()
    return acceptance_guide(problem.compiled, limits, rates=rates)


def floor(problem: Problem, relaxed: LossBound, first: Outcome | None) -> float:
    """The proven bound of the objective: of the loss, or that of the optimum without waiting; -inf for none."""
    if problem.objective == LOSS:
        return relaxed.value
    if first is not None and (bound := first.plan.certificate.objectives[0].bound) is not None:
        return OBJECTIVES[problem.objective].turned(problem.compiled, bound)
    return -math.inf


def bounds(problem: Problem, relaxed: LossBound, guided: LossBound) -> tuple[Bound, ...]:
    """What both relaxations say, as a certificate lists it."""
    return (
        Bound(name="fluid", value=relaxed.value, holds_for=bounded(problem.compiled), proven=True),
        Bound(name="acceptance", value=guided.value, holds_for=THINNED, proven=False),
    )
