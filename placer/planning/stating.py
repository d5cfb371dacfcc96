"""From what a planner decided to what it hands back: the plan, its certificate, and the evaluation of that plan."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from placer.evaluation.evaluate import evaluate
from placer.evaluation.evaluation import Evaluation
from placer.evaluation.objectives import LARGEST_RATE, OBJECTIVES, result_of
from placer.evaluation.plan_checks import promises
from placer.evaluation.runs import Effort
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from placer.plan.plan import Certificate, ObjectiveResult, make_plan
from placer.planning.outcome import Outcome
from placer.planning.request import Request
from placer.solver.progress import Listener, Progress


@dataclass(frozen=True)
class Claim:
    """What a planner says of one objective.

    Attributes:
        name: the objective.
        floor: no answer costs less, proven; -inf when nothing is.
        bound_of: for a value that an evaluator gives: what just the bound bounds.
        cost: what the answer costs where no evaluator of the instance as it is can say so; None where one can.
        value_of: then, what it is the cost of.
    """

    name: str
    floor: float = -math.inf
    bound_of: str | None = None
    cost: float | None = None
    value_of: str | None = None

    def result(self, compiled: Compiled, judged: Evaluation) -> ObjectiveResult | None:
        """What the certificate says; None for a value that is not known."""
        cost = judged.costs[self.name] if self.cost is None else self.cost
        return result_of(compiled, self.name, cost, self.floor, self.bound_of, self.value_of)


def in_values(compiled: Compiled, name: str, listener: Listener | None) -> Listener | None:
    """A listener that is told costs and tells values as people know them, see :mod:`placer.evaluation.objectives`."""
    objective = OBJECTIVES[name]
    if listener is None or objective.turn is None:
        return listener

    def value(cost: float) -> float:
        turned = objective.turned(compiled, cost) if math.isfinite(cost) else -cost
        return math.inf if turned >= LARGEST_RATE else turned

    def tell(progress: Progress) -> None:
        incumbent, bound = value(progress.incumbent), value(progress.bound)
        listener(replace(progress, incumbent=incumbent, bound=bound, sense=objective.sense))

    return tell


def stated(
    compiled: Compiled,
    placement: Placement,
    certificate: Certificate,
    claims: Iterable[Claim],
    request: Request | None = None,
    spacing: Mapping[int, float] | None = None,
    effort: Effort | None = None,
) -> Outcome:
    """Make the plan of a placement and evaluate it: whole, and once.

    Args:
        compiled: the instance, with the shares of exits that were chosen.
        placement: what was decided.
        certificate: how; its objectives are filled in from the claims, those without a finite value left out.
        claims: what is said of the objectives, in order.
        request: who judges, and how the plan names the instance file.
        spacing: rate limits at the sources, seconds by service index.
        effort: how much simulation a verdict may take; that of the request when None.
    """
    request = request or Request()
    made = make_plan(compiled, placement, certificate, request.path, spacing)
    judged = evaluate(made, compiled, request.by, effort=effort or request.effort)
    results = tuple(result for claim in claims if (result := claim.result(compiled, judged)) is not None)
    made = made.model_copy(update={"certificate": certificate.model_copy(update={"objectives": results})})
    return Outcome(made, placement, replace(judged, checks=(*judged.checks, *promises(made, judged))))
