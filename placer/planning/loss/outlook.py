"""What one plan does in each scenario: loss and response time of every service, and which limits hold there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from placer.evaluation.analytic import NOISE
from placer.evaluation.checks import limit_check
from placer.evaluation.evaluate import evaluate_placement
from placer.evaluation.objectives import weighted_loss
from placer.evaluation.plan_checks import read_book, spacing_of
from placer.evaluation.queues import NetworkBuilder, behind_limit
from placer.instance.compiled import Compiled
from placer.plan.plan import as_chosen
from placer.planning.loss.problem import scaled
from placer.planning.outcome import Outcome
from placer.planning.request import Scenario
from placer.queueing.solve import solve

RATES = ("utilisation", "airtime", "link")
"""Limits that depend on arrival rates and on nothing else that a scenario changes."""


@dataclass(frozen=True)
class ServiceOutlook:
    """One service in one scenario; times in s, by the analytic evaluator.

    Attributes:
        name: the service.
        offered: requests per second.
        loss_ratio: lost / offered.
        response_time: mean of those that complete; NaN when none does.
    """

    name: str
    offered: float
    loss_ratio: float
    response_time: float


@dataclass(frozen=True)
class Outlook:
    """What a plan does in one scenario.

    Attributes:
        name, weight: of the scenario.
        down: devices that are not there.
        loss: weighted loss ratio over the services.
        services: one entry per service with arrivals.
        violations: limits that are broken there, a sentence each.
    """

    name: str
    weight: float
    down: tuple[str, ...]
    loss: float
    services: tuple[ServiceOutlook, ...]
    violations: tuple[str, ...]

    @property
    def feasible(self) -> bool:
        """Whether every limit on loss, response time and rates holds in this scenario."""
        return not self.violations


def outlooks(compiled: Compiled, outcome: Outcome, scenarios: Sequence[Scenario]) -> list[Outlook]:
    """Evaluate a plan in each scenario, by its own routes and rate limits."""
    plan, placement = outcome.plan, outcome.placement
    compiled = as_chosen(compiled, plan)
    book, _ = read_book(plan, compiled, placement)
    builder, spacing = NetworkBuilder(compiled, book), spacing_of(plan, compiled)
    result = []
    for scenario in scenarios:
        factors = np.array([scenario.factors.get(s, 1.0) for s in range(len(compiled.rate))])
        offered = (compiled.rate * factors)[list(builder.served)]
        streams = [
            behind_limit(scaled(builder.arrivals[s], float(factors[s])), spacing.get(s, 0.0)) for s in builder.served
        ]
        found = solve(builder.network(placement, streams, scenario.down))
        loss = np.clip(1.0 - found.throughput / offered, 0.0, 1.0)
        loss = np.where(loss < NOISE, 0.0, loss)
        services = tuple(
            ServiceOutlook(
                compiled.instance.services[s].name,
                float(offered[c]),
                float(loss[c]),
                float(found.end_to_end[c]) if loss[c] < 1.0 - 1e-6 else float("nan"),
            )
            for c, s in enumerate(builder.served)
        )
        busier = replace(compiled, rate=compiled.rate * factors)
        checks = evaluate_placement(busier, placement, "deterministic", book=replace(book, compiled=busier)).checks
        violations = [check.message for check in checks if check.kind in RATES and check.status == "violated"]
        violations += _broken(compiled, services)
        total = weighted_loss(compiled.weight[list(builder.served)], offered, loss)
        down = tuple(compiled.device_names[device] for device in sorted(scenario.down))
        result.append(Outlook(scenario.name, scenario.weight, down, total, services, tuple(violations)))
    return result


def _broken(compiled: Compiled, services: Sequence[ServiceOutlook]) -> list[str]:
    """The limits on loss and mean response time that do not hold, in words; of nothing no time is known."""
    limits = {service.name: service for service in compiled.instance.services}
    checks = []
    for one in services:
        spec = limits[one.name]
        if spec.max_loss is not None:
            what = f"service {one.name}: loss ratio"
            checks.append(limit_check("max_loss", one.name, what, one.loss_ratio, spec.max_loss, "1"))
        if spec.deadline is not None and np.isfinite(one.response_time):
            what = f"service {one.name}: mean response time"
            checks.append(limit_check("deadline", one.name, what, one.response_time, spec.deadline, "s"))
    return [check.message for check in checks if check.status == "violated"]
