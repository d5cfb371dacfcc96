"""The method ``auto``: what proves most by the size of the instance, and the loss-aware search where that is needed.

Every service by itself where that keeps all limits; else column generation, which starts from what quick methods find,
and on small instances the ILP for what that leaves open. The certificate's method says which it was. Where the optimum
without waiting breaks a limit under random arrivals, the loss-aware search takes over.
"""

from __future__ import annotations

from dataclasses import replace

from placer.errors import InfeasibleError, UnansweredError
from placer.instance.compiled import Compiled
from placer.planning.columns.planner import SHARE, answer, found_by
from placer.planning.decomposition.relaxation import CLOSED
from placer.planning.ilp.planner import plan as plan_ilp
from placer.planning.ilp.planner import products_of
from placer.planning.outcome import Outcome
from placer.planning.request import Request
from placer.planning.stability import keeping_up, restated, unstable
from placer.solver.countdown import Countdown
from placer.solver.progress import Listener

LARGEST_SMALL = 300_000
"""Products of an edge's stations up to which the ILP is worth building for what column generation leaves open."""
SHARE_OF_SMALL = 0.4, 3.0
"""Of the time limit, for column generation before it, and seconds at most."""


def auto(compiled: Compiled, request: Request, listener: Listener | None = None) -> Outcome:
    """The optimum without waiting, and by the loss-aware search if that breaks a limit on loss or response time.

    Where that optimum keeps the limits under the analytic evaluator it is optimal with them too: they only
    exclude placements.
    """
    objectives = request.objectives or tuple(compiled.instance.file.objective)
    served = [service for service in compiled.instance.services if service.arrivals is not None]
    limited = any(service.max_loss is not None or service.deadline is not None for service in served)
    countdown = request.limits.start()
    if not limited or request.max_moves is not None:
        return _stable(compiled, request, listener, countdown)
    share = request.limits.within(countdown.part(0.5))
    first = _stable(compiled, replace(request, limits=share), listener, countdown.part(0.5))
    interrupted = first.plan.certificate.termination == "interrupted"
    if not first.evaluation.violations or interrupted or len(objectives) > 1:
        return first
    left = replace(request.limits.within(countdown), nodes=None)
    from placer.planning.loss.planner import plan_loss  # the ILP's answer is often enough: its imports are dear

    return plan_loss(compiled, replace(request, limits=left), listener, first)


def _stable(compiled: Compiled, request: Request, listener: Listener | None, countdown: Countdown) -> Outcome:
    """The best placement without waiting whose queues do not grow without end, if there is one; else the best.

    The best is looked for without that limit first: only where it is unstable is there a second search.

    Raises:
        InfeasibleError: when there is no placement (proven).
        UnansweredError: when the limits ended the search before any placement was found.
    """
    first = without_waiting(compiled, request, listener)
    if not unstable(first.evaluation) or first.plan.certificate.termination == "interrupted":
        return first
    again = replace(request, limits=request.limits.within(countdown), write_model=None)
    try:
        return restated(compiled, without_waiting(keeping_up(compiled), again, listener), request)
    except (InfeasibleError, UnansweredError):
        return first  # its evaluation says which unit is given too much


def without_waiting(compiled: Compiled, request: Request, listener: Listener | None) -> Outcome:
    """The best placement for a request alone in the system, by what proves most in the time.

    Raises:
        InfeasibleError: when there is no placement (proven).
        UnansweredError: when the limits ended the search before any placement was found.
    """
    objectives = request.objectives or tuple(compiled.instance.file.objective)
    request = replace(request, objectives=objectives)
    of_ilp = request.write_model is not None or not request.shortcut or request.limits.nodes is not None
    if len(objectives) > 1 or of_ilp:
        return plan_ilp(compiled, request, listener)
    countdown = request.limits.start()
    small = products_of(compiled) <= LARGEST_SMALL
    found = found_by(
        compiled, request, listener, countdown.part(*SHARE_OF_SMALL) if small else countdown.part(SHARE), on=not small
    )
    if not small or found.gap <= max(request.limits.gap, CLOSED) or found.termination == "interrupted":
        return answer(compiled, request, found, countdown)
    left = replace(request, limits=request.limits.within(countdown))
    return plan_ilp(found.narrowed or compiled, left, listener, (found.placement, found.bound))
