"""Evaluation of an answer: whole, and once. Every evaluator has the same signature and gives the same object.

``deterministic`` knows no waiting: limits on loss are skipped, deadlines are those of a request alone in the system.
``analytic`` adds waiting and loss under random arrivals (:mod:`placer.evaluation.analytic`) and is the default;
``simulation`` measures them; ``verdict`` is analytic where the measured error of that evaluator leaves no doubt about a
limit, and decides the others by as much simulation as it takes (:mod:`placer.evaluation.verdict`). Where nothing
arrives, or a layer or tensor has nowhere to go, the analytic evaluator has nothing to add, and the evaluation says that
it is deterministic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from placer.errors import InputError
from placer.evaluation.analytic import analytic, queues_of, stability_checks, waiting_checks
from placer.evaluation.checks import Check
from placer.evaluation.deterministic import DeviceMetrics, Loads, RouteBook, loads, service_metrics
from placer.evaluation.evaluation import Evaluation, ServiceTimes
from placer.evaluation.limits import exact_checks, service_checks
from placer.evaluation.objectives import OBJECTIVES, weighted_loss
from placer.evaluation.plan_checks import promises, read_book, renewed, spacing_of
from placer.evaluation.runs import Effort, Runs
from placer.evaluation.stages import bottleneck
from placer.evaluation.traffic import arc_loads, carrier_metrics
from placer.evaluation.verdict import decided
from placer.evaluation.warning import overloads, surprises
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from placer.plan.plan import Plan, as_chosen, to_placement

By = Literal["deterministic", "analytic", "simulation", "verdict"]
"""The evaluators."""


def evaluate(
    plan: Plan, compiled: Compiled, by: By = "analytic", runs: Runs | None = None, effort: Effort | None = None
) -> Evaluation:
    """Evaluate a plan, whoever made it: its own routes, its own fragments, its own promises are judged.

    Args:
        plan: the answer.
        compiled: the instance.
        by: the evaluator.
        runs: how to simulate; the defaults of :class:`Runs` when None.
        effort: how much simulation a verdict may take; the defaults of :class:`Effort` when None.

    Raises:
        InputError: when the plan is not about this instance (unknown services, layers, devices), or there is nothing
            to simulate.
    """
    plan, compiled = renewed(plan, compiled), as_chosen(compiled, plan)
    placement = to_placement(plan, compiled)
    book, said = read_book(plan, compiled, placement)
    spacing = spacing_of(plan, compiled)
    result = evaluate_placement(compiled, placement, by, book=book, spacing=spacing, runs=runs, effort=effort)
    # what a plan promises is what the analytic evaluator computes: a simulated loss is never that to the last digit
    computed = evaluate_placement(compiled, placement, book=book, spacing=spacing) if by == "simulation" else result
    return replace(result, checks=(*said, *result.checks, *promises(plan, computed)))


def evaluate_placement(
    compiled: Compiled,
    placement: Placement,
    by: By = "analytic",
    *,
    book: RouteBook | None = None,
    spacing: Mapping[int, float] | None = None,
    runs: Runs | None = None,
    effort: Effort | None = None,
) -> Evaluation:
    """Evaluate a bare placement.

    Args:
        compiled: the instance.
        placement: which station runs each layer.
        by: the evaluator.
        book: routes; those of least time when None.
        spacing: rate limits at the sources, seconds by service index, see :class:`placer.plan.plan.ServicePlan`.
        runs: how to simulate; the defaults of :class:`Runs` when None.
        effort: how much simulation a verdict may take; the defaults of :class:`Effort` when None.

    Raises:
        InputError: when there is nothing to simulate.
    """
    book = book or RouteBook(compiled)
    result = _alone(compiled, placement, book)
    if by == "deterministic":
        return result
    labelled = queues_of(compiled, placement, book, spacing)
    if by == "simulation":
        if labelled is None:
            raise InputError("nothing to simulate: no service has arrivals, or a layer or tensor has nowhere to go")
        from placer.evaluation.simulated import simulated

        seen = simulated(compiled, labelled, runs or Runs())
        waiting = replace(result, evaluator=by, times=seen.times, stations=seen.stations, simulation=seen.result)
        # that a queue grows without end is a matter of loads: no run is long enough to see it
        return _judged(compiled, waiting, (*seen.checks, *stability_checks(analytic(labelled)[1])))
    if labelled is None:
        return result
    times, stations = analytic(labelled)
    waiting = replace(result, evaluator="analytic", times=times, stations=stations)
    judged = _judged(compiled, waiting, (*waiting_checks(compiled, times), *stability_checks(stations)))
    return decided(compiled, labelled, judged, effort or Effort()) if by == "verdict" else judged


def _alone(compiled: Compiled, placement: Placement, book: RouteBook) -> Evaluation:
    """The deterministic evaluation: a request alone in the system."""
    load = loads(compiled, placement)
    metrics = [
        service_metrics(compiled, compiled.variants[choice], stations, book)
        for choice, stations in zip(placement.choice, placement.stations, strict=True)
    ]
    costs = {name: objective.cost(compiled, placement, book, metrics) for name, objective in OBJECTIVES.items()}
    traffic = arc_loads(compiled, placement, book)
    carriers = tuple(carrier_metrics(compiled, traffic))
    checks = [*exact_checks(compiled, placement, book, load, traffic), *service_checks(compiled, placement, metrics)]
    return Evaluation(
        evaluator="deterministic",
        services=tuple(metrics),
        devices=tuple(_device_metrics(compiled, load)),
        carriers=carriers,
        costs=costs,
        objectives={name: OBJECTIVES[name].turned(compiled, cost) for name, cost in costs.items()},
        slowest=bottleneck(compiled, placement, book),
        checks=(*checks, *_skipped(compiled)),
        warnings=tuple(overloads(compiled, load, carriers)),
    )


def _judged(compiled: Compiled, waiting: Evaluation, checks: Sequence[Check]) -> Evaluation:
    """An evaluation with times, judged by them: their checks replace those made or skipped without waiting."""
    judged = {(check.kind, check.subject) for check in checks}
    kept = [check for check in waiting.checks if (check.kind, check.subject) not in judged]
    loss = total_loss(compiled, waiting.times)
    costs, objectives = {**waiting.costs, "loss": loss}, {**waiting.objectives, "loss": loss}
    warnings = (*waiting.warnings, *surprises(compiled, waiting.times))
    return replace(waiting, costs=costs, objectives=objectives, checks=(*kept, *checks), warnings=warnings)


def total_loss(compiled: Compiled, times: Sequence[ServiceTimes]) -> float:
    """The objective ``loss`` of services' times, whoever measured them."""
    weight = dict(zip((service.name for service in compiled.instance.services), compiled.weight, strict=True))
    return weighted_loss(
        np.array([weight[one.name] for one in times]),
        np.array([one.offered for one in times]),
        np.array([one.loss_ratio for one in times]),
    )


def _skipped(compiled: Compiled) -> list[Check]:
    checks = []
    for service in compiled.instance.services:
        if service.max_loss is not None:
            message = f"service {service.name}: max_loss is not judged by the deterministic evaluator (no waiting)"
            checks.append(Check("max_loss", service.name, "skipped", message, None, service.max_loss, "1"))
        if service.deadline_p95 is not None:
            message = f"service {service.name}: deadline_p95 is judged by simulation only"
            checks.append(Check("deadline_p95", service.name, "skipped", message, None, service.deadline_p95, "s"))
    return checks


def _device_metrics(compiled: Compiled, load: Loads) -> list[DeviceMetrics]:
    result, stores = [], compiled.stores
    ram, flash, room = stores.ram(load.stored), stores.flash(load.stored), stores.flash(stores.capacity)
    for index, name in enumerate(compiled.device_names):
        if load.layers[index] == 0:
            continue
        result.append(
            DeviceMetrics(
                name=name,
                layers=int(load.layers[index]),
                memory=float(ram[index]),
                free_memory=float(compiled.memory[index]),
                flash=float(flash[index]) if np.isfinite(room[index]) else float("nan"),
                compute=float(load.compute[index]),
                utilisation={
                    station.unit: float(load.work[position])
                    for position, station in enumerate(compiled.stations)
                    if station.device == index
                },
            )
        )
    return result
