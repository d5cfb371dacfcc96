"""The objectives, each a number to minimise, computed from a placement; loss by an evaluator that knows waiting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from placer.evaluation.deterministic import RouteBook, ServiceMetrics, bottleneck, service_metrics
from placer.instance.compiled import Compiled, Floats
from placer.plan.placement import Placement


@dataclass(frozen=True)
class Objective:
    """A named objective.

    Attributes:
        name: as in an instance file.
        unit: unit of its value.
        title: what it is, for reports.
        value: its value, to be minimised; NaN for ``loss``, which :func:`placer.evaluation.evaluate.with_waiting` adds.
    """

    name: str
    unit: str
    title: str
    value: Callable[[Compiled, Placement, RouteBook, list[ServiceMetrics]], float]


def _latency(compiled: Compiled, placement: Placement, book: RouteBook, services: list[ServiceMetrics]) -> float:
    return float(sum(w * m.latency for w, m in zip(compiled.weight, services, strict=True)))


def _worst(compiled: Compiled, placement: Placement, book: RouteBook, services: list[ServiceMetrics]) -> float:
    return max(metrics.latency for metrics in services)


def _energy(compiled: Compiled, placement: Placement, book: RouteBook, services: list[ServiceMetrics]) -> float:
    return float(sum(w * m.energy for w, m in zip(compiled.weight, services, strict=True)))


def _bottleneck(compiled: Compiled, placement: Placement, book: RouteBook, services: list[ServiceMetrics]) -> float:
    return bottleneck(compiled, placement, book)


def _unknown(compiled: Compiled, placement: Placement, book: RouteBook, services: list[ServiceMetrics]) -> float:
    return float("nan")


def _inaccuracy(compiled: Compiled, placement: Placement, book: RouteBook, services: list[ServiceMetrics]) -> float:
    return inaccuracy(compiled, np.array([metrics.accuracy for metrics in services]))


def inaccuracy(compiled: Compiled, accuracy: Floats) -> float:
    """1 - Σ w λ a / Σ w λ over services whose accuracy is known; λ = 1/s without arrivals, NaN when none is known.

    ``accuracy`` is that of a completed job per service, shape (S,); NaN for unknown.
    """
    mass = np.where(np.isnan(accuracy), 0.0, compiled.weight * np.where(np.isnan(compiled.rate), 1.0, compiled.rate))
    return float(1.0 - mass @ np.nan_to_num(accuracy) / mass.sum()) if mass.sum() > 0 else float("nan")


def loss_objective(weights: Floats, offered: Floats, loss: Floats) -> float:
    """Weighted loss ratio, Σ w λ L / Σ w λ over services with arrivals; shape (services,) each, rates in 1/s."""
    share = weights * offered
    return float(share @ loss / share.sum()) if share.sum() > 0 else 0.0


OBJECTIVES: dict[str, Objective] = {
    objective.name: objective
    for objective in (
        Objective("latency", "s", "latency, weighted sum over services", _latency),
        Objective("latency-worst", "s", "latency of the slowest service", _worst),
        Objective("throughput", "s/s", "utilisation of the bottleneck (its inverse is the headroom)", _bottleneck),
        Objective("energy", "J", "energy per request, weighted sum over services", _energy),
        Objective("loss", "1", "requests lost over requests offered, weighted", _unknown),
        Objective("accuracy", "1", "wrong answers per completed job, weighted over services", _inaccuracy),
    )
}


def objective_value(name: str, compiled: Compiled, placement: Placement, book: RouteBook | None = None) -> float:
    """Value of an objective for a placement; smaller is better, inf or NaN when it has none."""
    book = book or RouteBook(compiled)
    metrics = [
        service_metrics(compiled, compiled.variants[choice], stations, book)
        for choice, stations in zip(placement.choice, placement.stations, strict=True)
    ]
    return OBJECTIVES[name].value(compiled, placement, book, metrics)
