"""What a planner returns, and what is shown beside it."""

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


@dataclass(frozen=True)
class Baseline:
    """A placement that people would try first, judged like the plan.

    Attributes:
        key: for machine output.
        title: for people.
        outcome: the placement; None where there is none.
        reason: why there is none; empty with one.
    """

    key: str
    title: str
    outcome: Outcome | None
    reason: str = ""
