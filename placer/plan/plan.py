"""The Plan: made of a placement, and read back as one. What it holds is in :mod:`placer.plan.schema`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from placer.errors import InputError, Problem
from placer.instance.compiled import Compiled
from placer.instance.model import MODEL_INPUT
from placer.instance.reading import unknown
from placer.instance.variant import Variant, with_shares
from placer.plan.files import dump_plan, read_plan
from placer.plan.placement import Placement, fragments_of, results_of, transfers_of
from placer.plan.schema import (
    PLAN_FORMAT,
    RESULT,
    Bound,
    Certificate,
    Confirmation,
    Fragment,
    ObjectiveResult,
    Origin,
    Plan,
    Sense,
    ServicePlan,
    Termination,
    Transfer,
)

__all__ = [
    "PLAN_FORMAT",
    "RESULT",
    "Bound",
    "Certificate",
    "Confirmation",
    "Fragment",
    "ObjectiveResult",
    "Origin",
    "Plan",
    "Sense",
    "ServicePlan",
    "Termination",
    "Transfer",
    "as_chosen",
    "dump_plan",
    "make_plan",
    "read_plan",
    "to_placement",
    "with_chosen",
]
_MOST_PROBLEMS = 50


def make_plan(
    compiled: Compiled,
    placement: Placement,
    certificate: Certificate,
    path: str | None = None,
    spacing: Mapping[int, float] | None = None,
) -> Plan:
    """Return the plan of a placement: fragments, and routes of least transfer time.

    ``spacing`` are rate limits at the sources: seconds by service index.
    """
    return Plan(
        instance=Origin(name=compiled.instance.name, path=path, hash=compiled.instance.meaning_hash),
        certificate=certificate,
        services=tuple(
            _service_plan(compiled, compiled.variants[choice], stations, spacing or {})
            for choice, stations in zip(placement.choice, placement.stations, strict=True)
        ),
    )


def as_chosen(compiled: Compiled, plan: Plan) -> Compiled:
    """The instance with the shares of exits that the plan chose, where its services let it choose.

    Shares that are none (unknown exits, below 0, more than 1 together) are left for the evaluator to report.
    """
    chosen = {entry.service: entry for entry in plan.services}
    shares: dict[int, list[float]] = {}
    for index, variant in enumerate(compiled.variants):
        service = compiled.instance.services[variant.service]
        entry = chosen.get(service.name)
        if not service.choose_exits or entry is None or entry.alternative != variant.name:
            continue
        gates = [variant.layers[layer] for layer, _, _ in variant.exits]
        values = list(entry.exits.values())
        if entry.exits.keys() == set(gates) and min(values, default=0.0) >= 0.0 and sum(values) <= 1.0 + 1e-9:
            shares[index] = [entry.exits[gate] for gate in gates]
    return with_chosen(compiled, shares)


def with_chosen(compiled: Compiled, shares: Mapping[int, Sequence[float]]) -> Compiled:
    """The instance with other shares of exits, by index of the variant."""
    if not shares:
        return compiled
    variants = [with_shares(v, shares[i]) if i in shares else v for i, v in enumerate(compiled.variants)]
    return replace(compiled, variants=tuple(variants))


def _service_plan(
    compiled: Compiled, variant: Variant, stations: tuple[int, ...], spacing: Mapping[int, float]
) -> ServicePlan:
    names = compiled.device_names
    fragments = tuple(
        Fragment(
            device=names[compiled.stations[station].device],
            unit=compiled.stations[station].unit,
            layers=tuple(variant.layers[layer] for layer in layers),
        )
        for station, layers in fragments_of(variant, stations)
    )
    return ServicePlan(
        service=compiled.instance.services[variant.service].name,
        alternative=variant.name,
        fragments=fragments,
        transfers=tuple(_transfers(compiled, variant, stations)),
        exits={variant.layers[layer]: share for layer, share, _ in variant.exits},
        min_gap=spacing.get(variant.service),
    )


def _transfers(compiled: Compiled, variant: Variant, stations: tuple[int, ...]) -> Iterator[Transfer]:
    names, topology = compiled.device_names, compiled.topology
    moves = [(False, *move) for move in transfers_of(compiled, variant, stations)]
    moves += [(True, *move) for move in results_of(compiled, variant, stations) if move[1] != move[2]]
    for is_result, tensor, tail, head, _ in moves:
        size = variant.result_size(tensor) if is_result else variant.tensor_size(tensor)
        zone = None if is_result else compiled.tensor_zone(variant, tensor)
        routes = topology.routes(size, zone)
        if not routes.seconds[tail, head] < float("inf"):
            continue  # the evaluator reports it as out of range
        made_by = MODEL_INPUT if tensor < 0 else variant.layers[tensor]
        yield Transfer(
            tensor=RESULT if is_result else made_by,
            after=made_by if is_result else None,
            size=size,
            path=tuple(names[device] for device in routes.path(tail, head)),
            technologies=tuple(topology.arcs[arc].technology for arc in routes.arcs_of(tail, head)),
        )


def to_placement(plan: Plan, compiled: Compiled) -> Placement:
    """Return the placement that a plan describes.

    Raises:
        InputError: when its services, alternatives, layers or devices are not those of the instance.
    """
    services = compiled.instance.services
    by_name = {service_plan.service: position for position, service_plan in enumerate(plan.services)}
    problems: list[Problem] = []
    names = [service.name for service in services]
    known = set(names)
    if len(by_name) < len(plan.services):
        problems.append(Problem("a service is planned twice", "$.services"))
    problems += [
        Problem(unknown("service", name, names), f"$.services[{position}].service")
        for name, position in islice(((n, p) for n, p in by_name.items() if n not in known), _MOST_PROBLEMS)
    ]
    choice, stations = [], []
    for index, service in enumerate(services):
        if len(problems) >= _MOST_PROBLEMS:
            break
        position = by_name.get(service.name)
        if position is None:
            problems.append(Problem(f"the plan says nothing of service '{service.name}'", "$.services"))
            continue
        found = _find_variant(plan.services[position], compiled, index, position, problems)
        if found is not None:
            choice.append(found[0])
            stations.append(found[1])
    if problems:
        raise InputError(problems)
    return Placement(tuple(choice), tuple(stations))


def _find_variant(
    service_plan: ServicePlan, compiled: Compiled, service: int, position: int, problems: list[Problem]
) -> tuple[int, tuple[int, ...]] | None:
    where = f"$.services[{position}]"
    options = {compiled.variants[index].name: index for index in compiled.service_variants[service]}
    index = options.get(service_plan.alternative)
    if index is None:
        problems.append(
            Problem(unknown("alternative", service_plan.alternative, list(options)), f"{where}.alternative")
        )
        return None
    variant = compiled.variants[index]
    layer_index = {name: layer for layer, name in enumerate(variant.layers)}
    assigned: dict[int, int] = {}
    before = len(problems)
    for number, fragment in enumerate(service_plan.fragments):
        if len(problems) >= _MOST_PROBLEMS:
            break
        place = f"{where}.fragments[{number}]"
        station = compiled.station_index.get((fragment.device, fragment.unit))
        if station is None:
            known = [f"{device}/{unit}" for device, unit in compiled.station_index]
            target = f"{fragment.device}/{fragment.unit}"
            problems.append(Problem(unknown("compute unit", target, known), f"{place}.device"))
            continue
        for name in fragment.layers:
            layer = layer_index.get(name)
            if layer is None:
                problems.append(Problem(unknown("layer", name, variant.layers), f"{place}.layers"))
            elif layer in assigned:
                problems.append(Problem(f"layer '{name}' is placed twice", f"{place}.layers"))
            else:
                assigned[layer] = station
    missing = [name for name, layer in layer_index.items() if layer not in assigned]
    if missing and len(problems) == before:
        problems.append(Problem(f"layers not placed: {', '.join(missing[:20])}", f"{where}.fragments"))
    if len(problems) > before:
        return None
    return index, tuple(assigned[layer] for layer in range(len(variant)))
