"""The method ``auto``: the ILP, and the loss-aware search where the optimum without waiting breaks a limit."""

from __future__ import annotations

from dataclasses import replace

from placer.instance.compiled import Compiled
from placer.planning.ilp.planner import plan as plan_ilp
from placer.planning.outcome import Outcome
from placer.planning.request import Request
from placer.solver.progress import Listener


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
    countdown = request.limits.start()
    share = request.limits.within(countdown.part(0.5))
    first = plan_ilp(compiled, replace(request, limits=share), listener)
    interrupted = first.plan.certificate.termination == "interrupted"
    if not first.evaluation.violations or interrupted or len(objectives) > 1:
        return first
    left = replace(request.limits.within(countdown), nodes=None)
    from placer.planning.loss.planner import plan_loss  # the ILP's answer is often enough: its imports are dear

    return plan_loss(compiled, replace(request, limits=left), listener, first)
