"""What a plan says itself, judged: its fragments, shares of exits, routes, rate limits and promises."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from placer.errors import InputError
from placer.evaluation.checks import RELATIVE_TOLERANCE, Check
from placer.evaluation.deterministic import RouteBook, RouteKey
from placer.evaluation.evaluation import Evaluation
from placer.evaluation.objectives import OBJECTIVES, result_of
from placer.instance.compiled import Compiled
from placer.instance.model import MODEL_INPUT
from placer.instance.topology import Arc
from placer.plan.placement import Placement, fragments_of, moves_needed
from placer.plan.plan import RESULT, Plan, ServicePlan, Transfer


def renewed(plan: Plan, compiled: Compiled) -> Plan:
    """A plan of an older format with its throughput in requests per second; see :mod:`placer.plan.files`."""
    objective = OBJECTIVES["throughput"]
    results = tuple(
        result_of(compiled, one.name, one.value, -math.inf if one.bound is None else one.bound) or one
        if (one.name, one.unit) == (objective.name, "s/s")
        else one
        for one in plan.certificate.objectives
    )
    if results == plan.certificate.objectives:
        return plan
    return plan.model_copy(update={"certificate": plan.certificate.model_copy(update={"objectives": results})})


def spacing_of(plan: Plan, compiled: Compiled) -> dict[int, float]:
    """The rate limits that a plan sets at the sources: seconds by service index.

    Raises:
        InputError: for a limit on arrivals that are not Poisson.
    """
    by_name = {entry.service: entry.min_gap for entry in plan.services}
    spacing: dict[int, float] = {}
    for index, service in enumerate(compiled.instance.services):
        least = by_name.get(service.name)
        if least is None:
            continue
        if service.arrivals is None or service.arrivals.process != "poisson":
            raise InputError(f"the plan limits the rate of service '{service.name}', whose arrivals are not Poisson")
        spacing[index] = least
    return spacing


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


def promises(plan: Plan, computed: Evaluation) -> Iterator[Check]:
    """Yield the checks of the objective values that the plan states: they must be the ones that it has.

    Raises:
        InputError: for a value of an unknown objective.
    """
    for stated in plan.certificate.objectives:
        actual = computed.objectives.get(stated.name)
        if actual is None:
            raise InputError(f"the plan states a value of the unknown objective '{stated.name}'")
        reason = None if stated.value_of is None else f"it is that of {stated.value_of}"
        if stated.name == "loss" and not computed.times:
            reason = "the deterministic evaluator knows no waiting"
        if reason is not None:
            message = f"objective {stated.name}: the stated value is not judged: {reason}"
            yield Check("placement", stated.name, "skipped", message, None, stated.value)
            continue
        same = math.isclose(actual, stated.value, rel_tol=RELATIVE_TOLERANCE, abs_tol=1e-19)
        message = f"objective {stated.name}: stated {stated.value:.9g} {stated.unit}, computed {actual:.9g}"
        yield Check("placement", stated.name, "ok" if same else "violated", message, actual, stated.value)


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
