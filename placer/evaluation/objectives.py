"""The objectives, each a number to minimise, computed from a placement alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from placer.evaluation.metrics import RouteBook, ServiceMetrics, bottleneck, service_metrics
from placer.instance.compiled import Compiled
from placer.placement import Placement


@dataclass(frozen=True)
class Objective:
    """A named objective.

    Attributes:
        name: as in an instance file.
        unit: unit of its value.
        title: what it is, for reports.
        value: its value, to be minimised.
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


OBJECTIVES: dict[str, Objective] = {
    objective.name: objective
    for objective in (
        Objective("latency", "s", "latency, weighted sum over services", _latency),
        Objective("latency-worst", "s", "latency of the slowest service", _worst),
        Objective("throughput", "s/s", "utilisation of the bottleneck (its inverse is the headroom)", _bottleneck),
        Objective("energy", "J", "energy per request, weighted sum over services", _energy),
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
