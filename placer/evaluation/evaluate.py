"""Evaluation of a plan: metrics and checks, by an evaluator that the output names.

Feasible is defined here and nowhere else: a plan is feasible, under an evaluator, when no check is violated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from placer.errors import InputError
from placer.evaluation.analytic import ServiceTimes, StationTimes, waiting_checks
from placer.evaluation.checks import RELATIVE_TOLERANCE, Check
from placer.evaluation.deterministic import (
    DeviceMetrics,
    Loads,
    RouteBook,
    RouteKey,
    ServiceMetrics,
    loads,
    service_metrics,
)
from placer.evaluation.limits import exact_checks, service_checks
from placer.evaluation.objectives import OBJECTIVES, loss_objective
from placer.instance.compiled import Compiled
from placer.instance.model import MODEL_INPUT
from placer.instance.topology import Arc
from placer.plan.placement import Placement, fragments_of, moves_needed
from placer.plan.plan import RESULT, Plan, ServicePlan, Transfer, as_chosen, to_placement


@dataclass(frozen=True)
class Evaluation:
    """What a plan does.

    Attributes:
        evaluator: who judged limits that involve time: ``deterministic`` knows no waiting.
        services: metrics per service.
        devices: metrics per device that runs something.
        objectives: value of every objective by name; NaN where a figure is unknown.
        checks: every limit, judged.
        times: loss and response times per service with arrivals; empty from the deterministic evaluator.
        stations: utilisation and loss per compute unit; empty from the deterministic evaluator.
    """

    evaluator: str
    services: tuple[ServiceMetrics, ...]
    devices: tuple[DeviceMetrics, ...]
    objectives: dict[str, float]
    checks: tuple[Check, ...]
    times: tuple[ServiceTimes, ...] = ()
    stations: tuple[StationTimes, ...] = ()

    @property
    def violations(self) -> list[Check]:
        """The checks that are violated."""
        return [check for check in self.checks if check.status == "violated"]

    @property
    def skipped(self) -> list[Check]:
        """The checks that this evaluator cannot make."""
        return [check for check in self.checks if check.status == "skipped"]

    @property
    def feasible(self) -> bool:
        """Whether no check is violated."""
        return not self.violations


def evaluate_placement(
    compiled: Compiled, placement: Placement, book: RouteBook | None = None, extra: list[Check] | None = None
) -> Evaluation:
    """Evaluate a placement without waiting and loss.

    Args:
        compiled: the instance.
        placement: which station runs each layer.
        book: routes; those of least time when None.
        extra: checks already made on the plan's text.
    """
    book = book or RouteBook(compiled)
    load = loads(compiled, placement)
    metrics = [
        service_metrics(compiled, compiled.variants[choice], stations, book)
        for choice, stations in zip(placement.choice, placement.stations, strict=True)
    ]
    checks = list(extra or [])
    checks += exact_checks(compiled, placement, book, load)
    checks += service_checks(compiled, placement, metrics)
    checks += _skipped(compiled)
    return Evaluation(
        evaluator="deterministic",
        services=tuple(metrics),
        devices=tuple(_device_metrics(compiled, load)),
        objectives={
            name: objective.value(compiled, placement, book, metrics) for name, objective in OBJECTIVES.items()
        },
        checks=tuple(checks),
    )


def evaluate(plan: Plan, compiled: Compiled) -> Evaluation:
    """Evaluate a plan, whoever made it: its own routes, its own fragments, its own promises are judged.

    Raises:
        InputError: when the plan is not about this instance (unknown services, layers, devices).
    """
    compiled = as_chosen(compiled, plan)
    placement = to_placement(plan, compiled)
    book, extra = read_book(plan, compiled, placement)
    result = evaluate_placement(compiled, placement, book, extra)
    result = with_waiting(compiled, placement, book, result, gaps_of(plan, compiled))
    return replace(result, checks=(*result.checks, *_promises(plan, result.objectives)))


def with_waiting(
    compiled: Compiled,
    placement: Placement,
    book: RouteBook | None,
    evaluation: Evaluation,
    gaps: Mapping[int, float] | None = None,
) -> Evaluation:
    """Return the evaluation with waiting and loss judged by the analytic evaluator, where services have arrivals.

    ``gaps`` are the rate limits at the sources: seconds by service index, see :class:`placer.plan.plan.ServicePlan`.
    """
    times, stations, checks = waiting_checks(compiled, placement, book or RouteBook(compiled), gaps)
    if not times:
        return evaluation
    judged = {(check.kind, check.subject) for check in checks}
    kept = [check for check in evaluation.checks if (check.kind, check.subject) not in judged]
    objectives = {**evaluation.objectives, "loss": total_loss(compiled, times)}
    return replace(
        evaluation,
        evaluator="analytic",
        times=times,
        stations=stations,
        checks=(*kept, *checks),
        objectives=objectives,
    )


def total_loss(compiled: Compiled, times: Sequence[ServiceTimes]) -> float:
    """The objective ``loss`` of services' times, whoever measured them."""
    weight = dict(zip((service.name for service in compiled.instance.services), compiled.weight, strict=True))
    return loss_objective(
        np.array([weight[one.name] for one in times]),
        np.array([one.offered for one in times]),
        np.array([one.loss_ratio for one in times]),
    )


def gaps_of(plan: Plan, compiled: Compiled) -> dict[int, float]:
    """The rate limits that a plan sets at the sources: seconds by service index.

    Raises:
        InputError: for a limit on arrivals that are not Poisson.
    """
    by_name = {entry.service: entry.min_gap for entry in plan.services}
    gaps: dict[int, float] = {}
    for index, service in enumerate(compiled.instance.services):
        gap = by_name.get(service.name)
        if gap is None:
            continue
        if service.arrivals is None or service.arrivals.process != "poisson":
            raise InputError(f"the plan limits the rate of service '{service.name}', whose arrivals are not Poisson")
        gaps[index] = gap
    return gaps


def read_book(plan: Plan, compiled: Compiled, placement: Placement) -> tuple[RouteBook, list[Check]]:
    """Return the routes that a plan gives, and the checks of its fragments, exits and routes."""
    by_name = {entry.service: entry for entry in plan.services}
    book = RouteBook(compiled, {})
    given: dict[RouteKey, list[Arc]] = {}
    extra: list[Check] = []
    for choice, stations in zip(placement.choice, placement.stations, strict=True):
        variant = compiled.variants[choice]
        entry = by_name[compiled.instance.services[variant.service].name]
        extra.append(_fragment_check(compiled, entry, choice, stations))
        extra += _exit_check(compiled, entry, choice)
        extra += _read_routes(compiled, entry, choice, stations, given)
    book.given = given
    return book, extra


def _fragment_check(compiled: Compiled, entry: ServicePlan, choice: int, stations: tuple[int, ...]) -> Check:
    variant = compiled.variants[choice]
    expected = [
        (
            compiled.device_names[compiled.stations[station].device],
            compiled.stations[station].unit,
            tuple(variant.layers[layer] for layer in layers),
        )
        for station, layers in fragments_of(variant, stations)
    ]
    actual = [(fragment.device, fragment.unit, fragment.layers) for fragment in entry.fragments]
    if actual == expected:
        message = f"service {entry.service}: fragments are maximal runs in the order of the model"
        return Check("fragments", entry.service, "ok", message)
    wanted = "; ".join(f"{device}: {layers[0]}…{layers[-1]}" for device, _, layers in expected[:8])
    return Check(
        "fragments",
        entry.service,
        "violated",
        f"service {entry.service}: fragments are not the maximal runs of this placement in the model's order "
        f"(expected {wanted})",
    )


def _exit_check(compiled: Compiled, entry: ServicePlan, choice: int) -> list[Check]:
    """The shares that the plan states must be those of the instance, which are the plan's where it may choose."""
    variant = compiled.variants[choice]
    expected = {variant.layers[layer]: share for layer, share, _ in variant.exits}
    same = entry.exits.keys() == expected.keys() and all(
        math.isclose(share, expected[gate], rel_tol=RELATIVE_TOLERANCE, abs_tol=1e-12)
        for gate, share in entry.exits.items()
    )
    if same:
        return []
    message = f"service {entry.service}: the plan's shares of exits are not those of the instance ({expected})"
    return [Check("placement", entry.service, "violated", message)]


def _read_routes(
    compiled: Compiled,
    entry: ServicePlan,
    choice: int,
    stations: tuple[int, ...],
    given: dict[RouteKey, list[Arc]],
) -> list[Check]:
    """Take the plan's routes into ``given``, or say what is wrong with them."""
    variant = compiled.variants[choice]
    names = compiled.device_names
    index = {name: position for position, name in enumerate(names)}
    layer_index = {name: layer for layer, name in enumerate(variant.layers)} | {MODEL_INPUT: -1}
    wanted = {
        (is_result, tensor, tail, head) for is_result, tensor, tail, head in moves_needed(compiled, variant, stations)
    }
    checks: list[Check] = []

    def violated(message: str) -> None:
        checks.append(Check("range", entry.service, "violated", f"service {entry.service}: {message}"))

    for transfer in entry.transfers:
        is_result = transfer.tensor == RESULT and transfer.after is not None
        tensor = layer_index.get((transfer.after or "") if is_result else transfer.tensor)
        shown = f"transfer of {transfer.tensor} along {' → '.join(transfer.path)}"
        if tensor is None or any(name not in index for name in transfer.path):
            violated(f"{shown} names something unknown")
            continue
        key = (is_result, tensor, index[transfer.path[0]], index[transfer.path[-1]])
        if key not in wanted:
            violated(f"{shown} is not needed by this placement")
            continue
        wanted.discard(key)
        size = variant.result_size(tensor) if is_result else variant.tensor_size(tensor)
        if not math.isclose(size, transfer.size, rel_tol=RELATIVE_TOLERANCE, abs_tol=1e-12):
            violated(f"{shown} states {transfer.size:g} B, the model says {size:g} B")
        arcs = _arcs_along(compiled, transfer, index, size)
        if isinstance(arcs, str):
            violated(f"{shown}: {arcs}")
        else:
            given[(variant.service, *key)] = arcs
    for is_result, tensor, tail, head in sorted(wanted):
        size = variant.result_size(tensor) if is_result else variant.tensor_size(tensor)
        zone = None if is_result else compiled.tensor_zone(variant, tensor)
        if np.isfinite(compiled.topology.routes(size, zone).seconds[tail, head]):
            what = "the result" if is_result else ("the input" if tensor < 0 else variant.layers[tensor])
            violated(f"no route is given for {what} from {names[tail]} to {names[head]}")
    return checks


def _arcs_along(compiled: Compiled, transfer: Transfer, index: dict[str, int], size: float) -> list[Arc] | str:
    if len(transfer.technologies) != len(transfer.path) - 1:
        return "one technology per hop is needed"
    arcs = []
    hops = zip(transfer.path, transfer.path[1:], transfer.technologies, strict=False)
    for tail, head, technology in hops:
        found = [
            arc for arc in compiled.topology.arcs_between(index[tail], index[head]) if arc.technology == technology
        ]
        if not found:
            return f"{tail} does not reach {head} by {technology}"
        arcs.append(min(found, key=lambda arc: arc.seconds(size)))
    return arcs


def _promises(plan: Plan, objectives: dict[str, float]) -> list[Check]:
    """The objective values that the plan states must be the ones that it has."""
    checks = []
    for stated in plan.certificate.objectives:
        actual = objectives.get(stated.name)
        if actual is None:
            raise InputError(f"the plan states a value of the unknown objective '{stated.name}'")
        same = math.isclose(actual, stated.value, rel_tol=RELATIVE_TOLERANCE, abs_tol=1e-19)
        message = f"objective {stated.name}: stated {stated.value:.9g} {stated.unit}, computed {actual:.9g}"
        checks.append(Check("placement", stated.name, "ok" if same else "violated", message, actual, stated.value))
    return checks


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
    result = []
    for index, name in enumerate(compiled.device_names):
        if load.layers[index] == 0:
            continue
        has_flash = not np.isnan(compiled.flash[index])
        in_ram = load.runtime[index] + load.activations[index] + (0.0 if has_flash else load.weights[index])
        result.append(
            DeviceMetrics(
                name=name,
                layers=int(load.layers[index]),
                memory=float(in_ram),
                free_memory=float(compiled.memory[index]),
                flash=float(load.weights[index]) if has_flash else float("nan"),
                compute=float(load.compute[index]),
                utilisation={
                    station.unit: float(load.work[position])
                    for position, station in enumerate(compiled.stations)
                    if station.device == index
                },
            )
        )
    return result
