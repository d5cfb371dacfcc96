"""Units without a buffer limit must keep up: a queue that grows without end is no plan.

Utilisation is linear in the placement, so what planners take for it is a limit like any other: at the arrival rates,
no unit without a buffer limit is busy for more than all of its time. Only where the optimum without it is unstable is
it asked for, as it forbids more than needed: what buffers before such a unit drop never comes to it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from placer.evaluation.evaluate import evaluate
from placer.evaluation.evaluation import Evaluation
from placer.evaluation.plan_checks import promises
from placer.instance.compiled import Compiled
from placer.planning.outcome import Outcome
from placer.planning.request import Request

FULLEST = 1.0 - 1e-6
"""Share of its time that a unit without a buffer limit may be busy: strictly less than all of it is stable."""

KEEPING_UP = "plans in which every unit without a buffer limit keeps up"


def unstable(judged: Evaluation) -> bool:
    """Whether a queue grows without end."""
    return any(check.kind == "stability" for check in judged.violations)


def keeping_up(compiled: Compiled) -> Compiled:
    """The same instance, with a limit on the utilisation of every unit whose device has no buffer limit."""
    devices = compiled.instance.devices
    endless = np.array([devices[place.device].buffer is None for place in compiled.stations])
    most = np.where(endless, FULLEST * compiled.servers, np.inf)
    return replace(compiled, max_work=np.minimum(compiled.max_work, most))


def restated(compiled: Compiled, outcome: Outcome, request: Request) -> Outcome:
    """An outcome for :func:`keeping_up` as one of the instance as it is, which judges it; its bound is narrower."""
    certificate = outcome.plan.certificate
    results = tuple(
        one if one.bound is None else one.model_copy(update={"bound_of": _narrower(one.bound_of)})
        for one in certificate.objectives
    )
    plan = outcome.plan.model_copy(update={"certificate": certificate.model_copy(update={"objectives": results})})
    judged = evaluate(plan, compiled, request.by, effort=request.effort)
    return Outcome(plan, outcome.placement, replace(judged, checks=(*judged.checks, *promises(plan, judged))))


def _narrower(bound_of: str | None) -> str:
    return f"{bound_of}, and {KEEPING_UP}" if bound_of else KEEPING_UP
