"""The objectives: what planners minimise, and the value that people know, with its sense, its unit and its title.

A planner sees a *cost*, a number to minimise. A report, a plan and a check show the *value*: accuracy and requests per
second, of which more is better, are their own measure there. Both say the same; :meth:`Objective.turned` leads from
either to the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from placer.evaluation.deterministic import RouteBook, ServiceMetrics
from placer.evaluation.stages import bottleneck
from placer.instance.compiled import Compiled, Floats
from placer.instance.reading import unknown
from placer.plan.placement import Placement
from placer.plan.plan import ObjectiveResult, Sense
from placer.solver.progress import relative_gap

Cost = Callable[[Compiled, Placement, RouteBook, list[ServiceMetrics]], float]

MOST_NAMED = 12
"""Names of what has no figure that a refusal lists, of a kind."""

LARGEST_RATE = 1e15
"""Requests per second of an instance whose requests are no work for anybody."""


@dataclass(frozen=True)
class Objective:
    """A named objective.

    Attributes:
        name: as in an instance file.
        sense: whether less or more of its value is better.
        unit: unit of its value.
        title: what its value is, for reports.
        cost: what planners minimise; NaN for ``loss``, which only an evaluator that knows waiting can tell.
        turn: from cost to value, and from value to cost; None where both are the same number.
    """

    name: str
    sense: Sense
    unit: str
    title: str
    cost: Cost
    turn: Callable[[Compiled, float], float] | None = None

    def turned(self, compiled: Compiled, number: float) -> float:
        """The value of a cost, or the cost of a value; NaN stays NaN."""
        return number if self.turn is None or math.isnan(number) else self.turn(compiled, number)


def _latency(compiled: Compiled, placement: Placement, book: RouteBook, services: list[ServiceMetrics]) -> float:
    return float(sum(w * m.latency for w, m in zip(compiled.weight, services, strict=True)))


def _worst(compiled: Compiled, placement: Placement, book: RouteBook, services: list[ServiceMetrics]) -> float:
    return max(metrics.latency for metrics in services)


def _energy(compiled: Compiled, placement: Placement, book: RouteBook, services: list[ServiceMetrics]) -> float:
    return float(sum(w * m.energy for w, m in zip(compiled.weight, services, strict=True)))


def _bottleneck(compiled: Compiled, placement: Placement, book: RouteBook, services: list[ServiceMetrics]) -> float:
    return bottleneck(compiled, placement, book).load


def _requests(compiled: Compiled, load: float) -> float:
    """Requests per second, of all services in the mix in which they come, that a stage of this load lets through.

    A load is in seconds of work per second at the arrival rates, 1/s for services without arrivals: at Σ rate / load
    requests per second the stage is always busy. The same division leads back.
    """
    offered = float(compiled.mix.sum())
    return min(offered / load, LARGEST_RATE) if load > 0 else LARGEST_RATE


def _unknown(compiled: Compiled, placement: Placement, book: RouteBook, services: list[ServiceMetrics]) -> float:
    return math.nan


def _inaccuracy(compiled: Compiled, placement: Placement, book: RouteBook, services: list[ServiceMetrics]) -> float:
    return inaccuracy(compiled, np.array([metrics.accuracy for metrics in services]))


def inaccuracy(compiled: Compiled, accuracy: Floats) -> float:
    """1 - Σ w λ a / Σ w λ over services whose accuracy is known; λ = 1/s without arrivals, NaN when none is known.

    ``accuracy`` is that of a completed job per service, shape (S,); NaN for unknown.
    """
    mass = np.where(np.isnan(accuracy), 0.0, compiled.weight * compiled.mix)
    return float(1.0 - mass @ np.nan_to_num(accuracy) / mass.sum()) if mass.sum() > 0 else math.nan


def _complement(compiled: Compiled, share: float) -> float:
    return 1.0 - share


def weighted_loss(weights: Floats, offered: Floats, loss: Floats) -> float:
    """The objective ``loss``: Σ w λ L / Σ w λ over services with arrivals, 0 where nothing is offered.

    Weights, rates in 1/s and loss ratios have the shape (services,).
    """
    share = weights * offered
    return float(share @ loss / share.sum()) if share.sum() > 0 else 0.0


OBJECTIVES: dict[str, Objective] = {
    objective.name: objective
    for objective in (
        Objective("latency", "min", "s", "latency, weighted sum over services", _latency),
        Objective("latency-worst", "min", "s", "latency of the slowest service", _worst),
        Objective(
            "throughput", "max", "requests/s", "requests that the slowest stage lets through", _bottleneck, _requests
        ),
        Objective("energy", "min", "J", "energy per request, weighted sum over services", _energy),
        Objective("loss", "min", "1", "requests lost over requests offered, weighted", _unknown),
        Objective(
            "accuracy", "max", "1", "right answers per completed job, weighted over services", _inaccuracy, _complement
        ),
    )
}


def result_of(
    compiled: Compiled,
    name: str,
    cost: float,
    floor: float = -math.inf,
    bound_of: str | None = None,
    value_of: str | None = None,
) -> ObjectiveResult | None:
    """What a plan states of an objective, from the planner's cost and the proven floor under it; None without a value.

    Args:
        compiled: the instance.
        name: the objective.
        cost: what the plan costs.
        floor: no plan costs less; -inf when nothing is proven. A floor that turns into no number bounds nothing.
        bound_of: for a value that an evaluator gives: what just the bound bounds.
        value_of: for a value that the instance alone does not give: what it is the value of.
    """
    objective = OBJECTIVES[name]
    value = objective.turned(compiled, cost)
    if not math.isfinite(value):
        return None
    proven = math.isfinite(floor) and (name != "throughput" or floor > 0)
    bound = objective.turned(compiled, min(floor, cost)) if proven else None
    sign = 1.0 if objective.sense == "min" else -1.0
    return ObjectiveResult(
        name=name,
        sense=objective.sense,
        value=value,
        value_of=value_of,
        bound=bound,
        bound_of=None if bound is None else bound_of,
        gap=None if bound is None else relative_gap(sign * value, sign * bound),
        unit=objective.unit,
    )


def refusal(compiled: Compiled, name: str) -> str | None:
    """Why an instance cannot be asked for an objective: unknown, or which figures it lacks; None when it can."""
    if name not in OBJECTIVES:
        return unknown("objective", name, list(OBJECTIVES))
    reason = {"energy": _without_power, "accuracy": _without_accuracy, "loss": _without_arrivals}.get(name)
    return None if reason is None else reason(compiled)


def _without_power(compiled: Compiled) -> str | None:
    """Energy needs what every layer takes wherever it may run, and what every way spends on a byte."""
    names = compiled.device_names
    unlit = np.zeros(len(compiled.stations), dtype=bool)
    for variant in compiled.variants:
        may_run = variant.allowed & np.isfinite(variant.time) & (variant.run > 0)[:, None]
        unlit |= (may_run & np.isnan(variant.joules)).any(axis=0)
    dark = [f"device {names[station.device]}" for station, it in zip(compiled.stations, unlit, strict=True) if it]
    arcs = [arc for arc in compiled.topology.arcs if np.isnan(arc.energy)]
    radios = [f"radio {arc.technology}" for arc in arcs if arc.technology != "link"]
    ends = [sorted((names[arc.tail], names[arc.head])) for arc in arcs if arc.technology == "link"]
    links = [f"link between {' and '.join(pair)}" for pair in ends]
    missing = ", ".join(_listed(names) for names in (radios, dark, links) if names)
    if not missing:
        return None
    fields = "'power' of devices or 'energy' of layers, 'transmit_energy' of radios and links"
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
