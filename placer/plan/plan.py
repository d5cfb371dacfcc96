"""The Plan: what is answered, how sure, and from what; and its JSON. Knows nothing of how it was found."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from placer._version import __version__
from placer.errors import InputError, Problem
from placer.instance.compiled import Compiled
from placer.instance.model import MODEL_INPUT
from placer.instance.reading import Strict, read_document, unknown, validate
from placer.instance.variant import Variant, with_shares
from placer.plan.placement import Placement, fragments_of, results_of, transfers_of

PLAN_FORMAT = "placer/plan/1"
RESULT = "result"
_MOST_PROBLEMS = 50
_NO_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")

Name = Annotated[str, Field(max_length=200)]
Termination = Literal["optimal", "gap-reached", "time-limit", "iteration-limit", "interrupted", "heuristic", "given"]


class Fragment(Strict):
    """A run of layers that one compute unit serves as one job."""

    device: Name
    """The device."""
    unit: Name
    """Its compute unit."""
    layers: Annotated[tuple[Name, ...], Field(min_length=1)]
    """The layers, in the order in which they run."""


class Transfer(Strict):
    """A tensor on its way between two devices."""

    tensor: Name
    """The layer that made it, ``input``, or ``result`` for what goes to the sink."""
    after: Name | None = None
    """For a result: the layer after which the job leaves."""
    size: float
    """Bytes."""
    path: Annotated[tuple[Name, ...], Field(min_length=2, max_length=1000)]
    """Devices from sender to receiver, relays included."""
    technologies: tuple[Name, ...]
    """Radio or ``link`` of each hop."""


class ServicePlan(Strict):
    """What is planned for one service."""

    service: Name
    """Name of the service."""
    alternative: Name
    """The alternative of its model."""
    fragments: Annotated[tuple[Fragment, ...], Field(min_length=1)]
    """The fragments in topological order."""
    transfers: tuple[Transfer, ...]
    """The routes of tensors and results that leave a device."""
    exits: dict[Name, float] = Field(default_factory=dict)
    """Share of all jobs that leave at each early exit."""
    min_gap: Annotated[float, Field(gt=0)] | None = None
    """Rate limit at the source: a request that comes within this time in s of the last one let in is turned away."""


class ObjectiveResult(Strict):
    """One objective with what is proven about it."""

    name: Name
    """Name of the objective."""
    value: float
    """Value of the plan."""
    bound: float | None
    """No plan of the instance has a smaller value; None when nothing is proven."""
    bound_of: Annotated[str, Field(max_length=300)] | None = None
    """For a value that an evaluator gives: what just the bound bounds."""
    gap: float | None
    """(value - bound) / |value|; None without a bound."""
    unit: Name
    """Unit of value and bound."""


class Bound(Strict):
    """One lower bound of the loss ratio, and what it is a bound of."""

    name: Name
    """fluid, acceptance or enumeration."""
    value: float
    """The bound."""
    holds_for: Annotated[str, Field(max_length=300)]
    """The system or model in which no placement loses less."""
    proven: bool
    """Whether it is proven for the true system, or by enumeration for the evaluator that it names."""


class Confirmation(Strict):
    """What the simulation says of the plan's loss ratio."""

    value: float
    """Mean weighted loss ratio."""
    half_width: float
    """Half-width of its confidence interval."""
    level: float
    """Confidence of the interval."""
    replications: int
    """Replications with common random numbers."""
    candidates: int
    """Placements that were compared."""
    selected: bool
    """Whether the ranking-and-selection rule came to its end: the choice is then right with the stated confidence."""


class Certificate(Strict):
    """How the plan was found and how sure it is."""

    method: Name
    """The planner."""
    termination: Termination
    """Why it stopped."""
    objectives: tuple[ObjectiveResult, ...]
    """In lexicographic order."""
    seconds: float
    """Wall time of the planner."""
    seed: int
    """Seed of the planner."""
    options: dict[str, float | int | str | None] = Field(default_factory=dict)
    """Limits that the planner was given."""
    bounds: tuple[Bound, ...] = ()
    """Bounds of the loss ratio, each with what it bounds."""
    confirmed: Confirmation | None = None
    """The simulation of the plan's loss."""
    admission_gain: float | None = None
    """How much less would be lost, by the analytic evaluator, with rate limits at the sources."""


class Origin(Strict):
    """What the plan was computed from."""

    name: Name
    """Name of the instance."""
    path: Annotated[str, Field(max_length=1000)] | None
    """Instance file relative to the plan's folder, or the shipped name; None for an instance made by code."""
    hash: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    """Hash of the instance's meaning."""


class Plan(Strict):
    """A complete answer."""

    format: Literal["placer/plan/1"] = "placer/plan/1"
    """Version of this format."""
    version: Name = __version__
    """Version of placer that made it."""
    instance: Origin
    """What it was computed from."""
    certificate: Certificate
    """How sure it is."""
    services: Annotated[tuple[ServicePlan, ...], Field(min_length=1)]
    """One entry per service."""


def make_plan(
    compiled: Compiled,
    placement: Placement,
    certificate: Certificate,
    path: str | None = None,
    gaps: Mapping[int, float] | None = None,
) -> Plan:
    """Return the plan of a placement: fragments, and routes of least transfer time.

    ``gaps`` are rate limits at the sources: seconds by service index.
    """
    return Plan(
        instance=Origin(name=compiled.instance.name, path=path, hash=compiled.instance.meaning_hash),
        certificate=certificate,
        services=tuple(
            _service_plan(compiled, compiled.variants[choice], stations, gaps or {})
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
    compiled: Compiled, variant: Variant, stations: tuple[int, ...], gaps: Mapping[int, float]
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
        min_gap=gaps.get(variant.service),
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


def dump_plan(plan: Plan) -> str:
    """Return the plan as JSON text, which is YAML too (so without escapes in pairs beyond 16 bits)."""
    text = json.dumps(plan.model_dump(mode="json"), indent=2, allow_nan=False, ensure_ascii=False)
    return _NO_YAML.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"


def read_plan(path: Path) -> Plan:
    """Read a plan from its JSON file.

    Raises:
        InputError: every problem of the file.
    """
    return validate(Plan, read_document(path))
