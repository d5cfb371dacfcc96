"""The routes that a plan gives, for evaluators beyond the exact one."""

from __future__ import annotations

from placer.evaluation.evaluate import read_book
from placer.evaluation.metrics import RouteBook
from placer.instance.compiled import Compiled
from placer.placement import Placement
from placer.plan import Plan


def plan_routes(plan: Plan, compiled: Compiled, placement: Placement) -> RouteBook:
    """Return the plan's own routes; those of least time where it gives none that can be used."""
    return read_book(plan, compiled, placement)[0]
