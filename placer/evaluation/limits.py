"""Which limits a placement keeps: memory, order, range, pins and rates, from the compiled arrays alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from placer.evaluation.checks import Check, limit_check
from placer.evaluation.deterministic import Loads, RouteBook, ServiceMetrics, moves
from placer.evaluation.stretch import stretches_of
from placer.evaluation.traffic import arc_loads, busiest
from placer.instance.compiled import Compiled
from placer.instance.topology import Arc
from placer.instance.variant import Variant
from placer.plan.placement import Placement


def exact_checks(
    compiled: Compiled, placement: Placement, book: RouteBook, load: Loads, traffic: Mapping[Arc, float] | None = None
) -> Iterator[Check]:
    """Yield every check that needs no evaluator: where layers may run, what fits, who is in range, what is carried.

    ``traffic`` are the seconds of sending per second on each arc, counted when None.
    """
    for choice, stations in zip(placement.choice, placement.stations, strict=True):
        variant = compiled.variants[choice]
        yield from _layer_checks(compiled, variant, stations)
        yield from _range_checks(compiled, variant, stations, book)
        name = compiled.instance.services[variant.service].name
        for kind, what, actual, limit in stretches_of(compiled, variant, stations):
            yield limit_check(kind, name, f"service {name}: {what}", actual, limit, "")
    yield from _device_checks(compiled, load)
    yield from _rate_checks(compiled, load)
    yield from _traffic_checks(compiled, arc_loads(compiled, placement, book) if traffic is None else traffic)


def _layer_checks(compiled: Compiled, variant: Variant, stations: tuple[int, ...]) -> Iterator[Check]:
    service = compiled.instance.services[variant.service]
    bad_run, bad_place = [], []
    for layer, station in enumerate(stations):
        if not np.isfinite(variant.time[layer, station]):
            bad_run.append(f"{variant.layers[layer]} on {compiled.stations[station].name}")
        elif not variant.allowed[layer, station]:
            bad_place.append(f"{variant.layers[layer]} on {compiled.stations[station].name}")
    for name in bad_run:
        yield Check("runs", service.name, "violated", f"service {service.name}: no time is known for layer {name}")
    for name in bad_place:
        yield Check(
            "allowed",
            service.name,
            "violated",
            f"service {service.name}: pins, forbidden pairs or privacy rule out layer {name}",
        )
    if not bad_run:
        yield Check("runs", service.name, "ok", f"service {service.name}: every layer can run where it is placed")
    if (service.pins or service.forbid or service.privacy) and not bad_place:
        yield Check("allowed", service.name, "ok", f"service {service.name}: pins and forbidden pairs are kept")


def _range_checks(compiled: Compiled, variant: Variant, stations: tuple[int, ...], book: RouteBook) -> Iterator[Check]:
    service = compiled.instance.services[variant.service]
    names = compiled.device_names
    clean = True
    for is_result, tensor, tail, head, _ in moves(compiled, variant, stations):
        if tail == head:
            continue
        made = "the input" if tensor < 0 else f"the output of {variant.layers[tensor]}"
        made = "the result" if is_result else made
        if not np.isfinite(book.seconds(variant, is_result, tensor, tail, head)):
            clean = False
            zone = " within the privacy zone" if not is_result and variant.private[tensor] else ""
            yield Check(
                "range",
                service.name,
                "violated",
                f"service {service.name}: {made} cannot get from {names[tail]} to {names[head]}{zone}: "
                "out of range, no link",
            )
        elif not is_result and variant.private[tensor]:
            path = book.arcs(variant, is_result, tensor, tail, head)
            outside = [names[arc.head] for arc in path if arc.head not in (variant.zone or ())]
            if outside:
                clean = False
                message = f"service {service.name}: {made} is relayed by {outside[0]}, outside the privacy zone"
                yield Check("privacy", service.name, "violated", message)
    if clean:
        yield Check("range", service.name, "ok", f"service {service.name}: every tensor gets where it is needed")


def _device_checks(compiled: Compiled, load: Loads) -> Iterator[Check]:
    stores = compiled.stores
    flash, own = stores.flash(stores.capacity), stores.own(stores.capacity)
    for index, name in enumerate(compiled.device_names):
        if load.layers[index] == 0:
            continue
        if np.isfinite(flash[index]):
            yield limit_check("flash", name, f"flash of {name}", stores.flash(load.stored)[index], flash[index], "B")
        ram = stores.ram(load.stored)[index]
        yield limit_check("memory", name, f"memory of {name}", ram, compiled.memory[index], "B")
        for station, place in enumerate(compiled.stations):
            if place.device == index and np.isfinite(own[station]):
                held = stores.own(load.stored)[station]
                yield limit_check("memory", name, f"memory of {place.name}", held, own[station], "B")
        if np.isfinite(compiled.max_layers[index]):
            what = f"layers on {name}"
            yield limit_check("layers", name, what, load.layers[index], compiled.max_layers[index], "")
        if np.isfinite(compiled.max_compute[index]):
            what = f"work per inference on {name}"
            yield limit_check("compute", name, what, load.compute[index], compiled.max_compute[index], "MAC")


def _rate_checks(compiled: Compiled, load: Loads) -> Iterator[Check]:
    for index, station in enumerate(compiled.stations):
        if np.isfinite(compiled.max_work[index]) and load.work[index] > 0:
            what = f"utilisation of {station.name}"
            name = compiled.device_names[station.device]
            limit = compiled.max_work[index] / compiled.servers[index]
            yield limit_check("utilisation", name, what, load.work[index], limit, "1")


def _traffic_checks(compiled: Compiled, traffic: Mapping[Arc, float]) -> Iterator[Check]:
    """One check a channel, where it is heard most, and one a link direction."""
    if np.isfinite(compiled.max_airtime):
        for carrier, (device, share) in sorted(busiest(compiled, traffic).items()):
            name, channel = compiled.device_names[device], compiled.topology.carrier(carrier).channel
            limit = compiled.channel_limit(channel or "")
            yield limit_check("airtime", name, f"airtime of channel {channel} at {name}", share, limit, "1")
    if np.isfinite(compiled.max_link_utilisation):
        for arc in sorted((arc for arc in traffic if arc.channel is None), key=lambda arc: arc.carrier):
            name, limit = compiled.topology.carrier(arc.carrier).name, compiled.carrier_limit(arc.carrier)
            yield limit_check("link", name, f"utilisation of {name}", traffic[arc], limit, "1")


def service_checks(compiled: Compiled, placement: Placement, metrics: list[ServiceMetrics]) -> Iterator[Check]:
    """Yield the checks of what services promise, as far as no waiting is involved."""
    for choice, values in zip(placement.choice, metrics, strict=True):
        variant = compiled.variants[choice]
        service = compiled.instance.services[variant.service]
        if service.min_accuracy is not None:
            yield _accuracy_check(service.name, values.accuracy, service.min_accuracy)
        if service.deadline is not None:
            what = f"service {service.name}: latency without waiting"
            yield limit_check("deadline", service.name, what, values.latency, service.deadline, "s", "deterministic")


def _accuracy_check(name: str, actual: float, limit: float) -> Check:
    text = f"service {name}: accuracy {actual:.4g}, at least {limit:g} wanted"
    if actual >= limit - 1e-9:
        return Check("min_accuracy", name, "ok", text, actual, limit)
    return Check("min_accuracy", name, "violated", f"{text}, {limit - actual:.4g} too little", actual, limit)
