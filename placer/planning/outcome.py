"""What a planner returns."""

from __future__ import annotations

from dataclasses import dataclass

from placer.evaluation.evaluation import Evaluation
from placer.plan.placement import Placement
from placer.plan.plan import Plan


@dataclass(frozen=True)
class Outcome:
    """A plan with its placement and evaluation."""

    plan: Plan
    placement: Placement
    evaluation: Evaluation
