"""Checks of a service against the models and devices that it names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from placer.instance.reading import unknown
from placer.instance.service import ANY_LAYER, Service, layers_named
from placer.instance.tree import PathParts

if TYPE_CHECKING:
    from placer.instance.instance import Instance

Finding = tuple[str, PathParts]


def service_problems(instance: Instance) -> Iterator[Finding]:
    """Yield every problem of every service, with its path in the file."""
    names = [device.name for device in instance.devices]
    for position, service in enumerate(instance.services):
        where: PathParts = ("services", position)
        for field in ("source", "sink"):
            name = getattr(service, field)
            if name is not None and name not in names:
                yield unknown("device", name, names), (*where, field)
        yield from _alternative_problems(instance, service, where)
        yield from _layer_problems(instance, service, where)
        yield from _accuracy_problems(instance, service, where)
        yield from _runtime_problems(instance, service, where)
        if isinstance(service.decode, dict):
            kinds = list(instance.types.values())
            known = [kind.name for kind in kinds] + [
                f"{kind.name}/{unit.name}" for kind in kinds for unit in kind.units
            ]
            for name in service.decode:
                if name not in known:
                    yield unknown("device type", name, known), (*where, "decode", name)
        if service.max_fragments is not None:
            for graph in instance.alternatives(service):
                if any(sources != [index - 1] for index, sources in enumerate(graph.predecessors())):
                    text = "counts fragments of layers in a row only, and model '{}', alternative '{}', has branches"
                    tip = "; 'contiguous' and 'max_devices' limit those"
                    yield text.format(service.model, graph.name) + tip, (*where, "max_fragments")


def _runtime_problems(instance: Instance, service: Service, where: PathParts) -> Iterator[Finding]:
    for graph in instance.alternatives(service) if service.runtime is not None else ():
        if graph.runtime_memory is not None:
            yield (
                f"model '{service.model}', alternative '{graph.name}', states its 'runtime_memory', which a runtime "
                "named here would say again; give one of the two",
                (*where, "runtime"),
            )


def _alternative_problems(instance: Instance, service: Service, where: PathParts) -> Iterator[Finding]:
    allowed = [alternative.name for alternative in instance.model(service).alternatives]
    for index, name in enumerate(service.alternatives or ()):
        if name not in allowed:
            yield unknown("alternative", name, allowed), (*where, "alternatives", index)
    if service.alternatives is not None and not service.alternatives:
        yield "lists no alternative; leave it out to allow all", (*where, "alternatives")


def _layer_problems(instance: Instance, service: Service, where: PathParts) -> Iterator[Finding]:
    graphs = instance.alternatives(service)
    layers = sorted({layer.name for graph in graphs for layer in graph.layers})
    targets = _targets(instance)
    for field in ("pins", "forbid"):
        for layer, devices in getattr(service, field).items():
            if not any(layers_named(layer, [one.name for one in graph.layers]) for graph in graphs):
                yield _no_layer(layer, layers), (*where, field, layer)
            for name in devices:
                if name not in targets:
                    yield unknown("device", name, targets), (*where, field, layer)
    if service.privacy is not None:
        privacy: PathParts = (*where, "privacy")
        if service.privacy.until not in layers:
            yield unknown("layer", service.privacy.until, layers), (*privacy, "until")
        zones = [*instance.file.zones, *(device.name for device in instance.devices)]
        for name in service.privacy.zone:
            if name not in zones:
                yield unknown("zone or device", name, zones), (*privacy, "zone")
    gates = sorted({exit_.after for graph in graphs for exit_ in graph.exits})
    for gate in service.exits:
        if gate not in gates:
            yield unknown("exit", gate, gates), (*where, "exits", gate)
    for graph in graphs:
        total = sum(service.exits.get(exit_.after, exit_.share) for exit_ in graph.exits)
        if total > 1 + 1e-9:
            yield f"the shares of the exits sum to {total:g}; at most 1 is possible", (*where, "exits")


def _no_layer(key: str, layers: list[str]) -> str:
    """Say that a key of pins or forbid is no layer; of a range, which end is none."""
    first, dots, last = key.partition("..")
    for end in (first, last) if dots else ():
        if end not in layers:
            return unknown("layer", end, layers)
    return (
        f"'{key}' is no range: '{last}' comes before '{first}'" if dots else unknown("layer", key, [*layers, ANY_LAYER])
    )


def _targets(instance: Instance) -> list[str]:
    names = []
    for device in instance.devices:
        names.append(device.name)
        names += [f"{device.name}/{unit.name}" for unit in instance.device_type(device).units]
    return names


def _accuracy_problems(instance: Instance, service: Service, where: PathParts) -> Iterator[Finding]:
    asking = "min_accuracy" if service.min_accuracy is not None else "choose_exits" if service.choose_exits else None
    if asking is None:
        return
    if service.choose_exits and not any(graph.exits for graph in instance.alternatives(service)):
        yield f"model '{service.model}' has no exit to choose", (*where, "choose_exits")
    for graph in instance.alternatives(service):
        missing = graph.accuracy is None or any(exit_.accuracy is None for exit_ in graph.exits)
        if missing:
            yield (
                f"needs the accuracy of model '{service.model}', alternative '{graph.name}', and of its "
                "exits: the model file gives none",
                (*where, asking),
            )
