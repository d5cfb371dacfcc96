"""The method ``decomposition``: every service by itself, where that keeps all limits together."""

from __future__ import annotations

from dataclasses import replace

from placer.errors import UnansweredError
from placer.evaluation.evaluate import evaluate_placement
from placer.instance.compiled import Compiled
from placer.plan.plan import Certificate, Termination
from placer.planning.decomposition.relaxation import Relaxation, relax
from placer.planning.outcome import Outcome
from placer.planning.request import Request
from placer.planning.stating import Claim, stated
from placer.solver.progress import Listener

SHARE = 0.9
"""Of the time limit, for tightening; the rest is for the evaluation."""


def plan(compiled: Compiled, request: Request, listener: Listener | None = None) -> Outcome:
    """Return the best placement of every service by itself, with the bound that it comes with.

    Raises:
        InfeasibleError: when a service has nowhere to go, even by itself.
        UnansweredError: when the services together break a limit: this method does not weigh them against each other.
    """
    (objective,) = request.objectives or tuple(compiled.instance.file.objective)[:1]
    countdown = request.limits.start()
    share = replace(request.limits, seconds=SHARE * countdown.left)
    found = relax(compiled, objective, share, listener, countdown)
    judged = evaluate_placement(compiled, found.placement, "deterministic")
    if not judged.feasible:
        raise UnansweredError(
            f"services planned one by one break a limit: {judged.violations[0].message}",
            tip=f"no plan costs less than {found.bound:.6g} in {objective}; --method ilp weighs services together",
        )
    certificate = Certificate(
        method=method_of(compiled),
        termination=termination_of(found),
        objectives=(),
        seconds=countdown.spent,
        seed=request.limits.seed,
        options={"time_limit": request.limits.seconds, "gap": request.limits.gap},
    )
    return stated(compiled, found.placement, certificate, [Claim(objective, found.bound)], request.path)


def method_of(compiled: Compiled) -> str:
    """What the programme is called: on chains alone it is a shortest path."""
    return "shortest-path" if all(variant.is_chain for variant in compiled.variants) else "decomposition"


def termination_of(found: Relaxation) -> Termination:
    """Why no more is known."""
    if found.gap == 0:
        return "optimal"
    return "gap-reached" if found.ended == "done" else found.ended
