"""The objectives, each a number to minimise, computed from a placement; loss by an evaluator that knows waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from placer.evaluation.deterministic import RouteBook, ServiceMetrics, bottleneck, service_metrics
from placer.instance.compiled import Compiled, Floats
from placer.instance.reading import unknown
from placer.plan.placement import Placement

Sense = Literal["min", "max"]
MOST_NAMED = 12
"""Names of what has no figure that a refusal lists."""


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


def refusal(compiled: Compiled, name: str) -> str | None:
    """Why an instance cannot be asked for an objective: unknown, or which figures it lacks; None when it can."""
    if name not in OBJECTIVES:
        return unknown("objective", name, list(OBJECTIVES))
    reason = {"energy": _without_power, "accuracy": _without_accuracy, "loss": _without_arrivals}.get(name)
    return None if reason is None else reason(compiled)


def _without_power(compiled: Compiled) -> str | None:
    """Energy needs the power of every device that may compute, and what every way spends on a byte."""
    names = compiled.device_names
    dark = [f"device {names[s.device]}" for s, p in zip(compiled.stations, compiled.power, strict=True) if np.isnan(p)]
    arcs = [arc for arc in compiled.topology.arcs if np.isnan(arc.energy)]
    radios = [f"radio {arc.technology}" for arc in arcs if arc.technology != "link"]
    ends = [sorted((names[arc.tail], names[arc.head])) for arc in arcs if arc.technology == "link"]
    links = [f"link between {' and '.join(pair)}" for pair in ends]
    missing = ", ".join(_listed(names) for names in (radios, dark, links) if names)
    if not missing:
        return None
    fields = "'power' of devices, 'transmit_energy' of radios and links"
    return f"objective energy needs power figures ({fields}); missing for: {missing}"


def _without_accuracy(compiled: Compiled) -> str | None:
    """Accuracy needs the figures of a service; of all its alternatives, or choosing one would hide the service."""
    missing: list[str] = []
    known = 0
    for service, group in zip(compiled.instance.services, compiled.service_variants, strict=True):
        unknown_ones = [compiled.variants[index].name for index in group if np.isnan(compiled.variants[index].accuracy)]
        known += len(unknown_ones) < len(group)
        if len(unknown_ones) == len(group):
            missing.append(f"service {service.name}")
        elif unknown_ones:
            return (
                f"objective accuracy needs the accuracy of every alternative of a service that has one; missing for: "
                f"service {service.name}, alternative {_listed(unknown_ones)}"
            )
    if known:
        return None  # a service without figures has no say
    return f"objective accuracy needs accuracy figures of models and exits; missing for: {_listed(missing)}"


def _without_arrivals(compiled: Compiled) -> str | None:
    """Only what arrives can be lost."""
    if not np.isnan(compiled.rate).all():
        return None
    names = [f"service {service.name}" for service in compiled.instance.services]
    return f"objective loss needs 'arrivals' of a service; missing for: {_listed(names)}"


def _listed(names: Iterable[str]) -> str:
    every = list(dict.fromkeys(names))
    more = f" and {len(every) - MOST_NAMED} more" if len(every) > MOST_NAMED else ""
    return ", ".join(every[:MOST_NAMED]) + more


def objective_value(name: str, compiled: Compiled, placement: Placement, book: RouteBook | None = None) -> float:
    """Value of an objective for a placement; smaller is better, inf or NaN when it has none."""
    book = book or RouteBook(compiled)
    metrics = [
        service_metrics(compiled, compiled.variants[choice], stations, book)
        for choice, stations in zip(placement.choice, placement.stations, strict=True)
    ]
    return OBJECTIVES[name].value(compiled, placement, book, metrics)
