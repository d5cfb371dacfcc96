"""A plan as its deployable parts: what every format starts from.

A *part* is one fragment with everything that a program serving it must know: what it receives, what it hands
on and to whom, what leaves early, how much memory and processor it takes. Parts are read from the plan as it
is written; whether the plan is any good is judged elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from placer.export import names
from placer.export.flows import Flow, flows_of
from placer.export.part import Part
from placer.instance.compiled import Compiled
from placer.instance.instance import Instance
from placer.instance.model import Alternative
from placer.instance.runtime import container_memory
from placer.instance.service import Service
from placer.instance.variant import Variant
from placer.plan.placement import Placement
from placer.plan.plan import Plan, ServicePlan, as_chosen, to_placement

DEFAULT_TIMEOUT = 30.0
"""Seconds that a program waits for a reply of a service without a deadline."""

MEAN_TO_LATE = 3.0
"""``deadline`` limits the mean, so waiting no longer than it would give up on many good requests: one
is given up after this many times the deadline. Of exponential response times 5 % exceed 3 times the mean."""


@dataclass(frozen=True)
class Parts:
    """All parts of a plan and what flows between them, sources and sinks.

    Attributes:
        placement: the placement that the plan describes.
        parts: in the order of services and fragments.
        flows: tensors, then results, of each service.
        flow_services: per flow the service's name.
    """

    placement: Placement
    parts: tuple[Part, ...]
    flows: tuple[Flow, ...]
    flow_services: tuple[str, ...]

    def received(self, part: int) -> list[Flow]:
        """What comes in at a part."""
        return [flow for flow in self.flows if flow.receiver == part]

    def sent(self, part: int) -> list[Flow]:
        """What a part hands on, results included."""
        return [flow for flow in self.flows if flow.sender == part]

    def on(self, device: str) -> list[Part]:
        """The parts of a device."""
        return [part for part in self.parts if part.device == device]


def parts_of(plan: Plan, compiled: Compiled) -> Parts:
    """Return the parts of a plan.

    Raises:
        InputError: when the plan is not about this instance.
    """
    compiled = as_chosen(compiled, plan)
    placement = to_placement(plan, compiled)
    entries = {entry.service: entry for entry in plan.services}
    keys = [f"{entry.service}-{number + 1}" for entry in plan.services for number in range(len(entry.fragments))]
    unique = names.labels(keys, first_letter=True)
    parts: list[Part] = []
    flows: list[Flow] = []
    owners: list[str] = []
    ordinals: dict[str, int] = {}
    for choice in placement.choice:
        variant = compiled.variants[choice]
        service = compiled.instance.services[variant.service]
        first = len(parts)
        parts += _service_parts(compiled, entries[service.name], service, variant, unique, ordinals)
        found = list(flows_of(compiled, entries[service.name], service, variant, parts[first:], first))
        flows += found
        owners += [service.name] * len(found)
    return Parts(placement, tuple(parts), tuple(flows), tuple(owners))


def _service_parts(
    compiled: Compiled,
    entry: ServicePlan,
    service: Service,
    variant: Variant,
    unique: dict[str, str],
    ordinals: dict[str, int],
) -> Iterator[Part]:
    instance, index = compiled.instance, {name: layer for layer, name in enumerate(variant.layers)}
    shares = {layer: share for layer, share, _ in variant.exits}
    rate = float(compiled.rate[variant.service])
    timeout, timeout_from = timeout_of(service)
    for number, fragment in enumerate(entry.fragments):
        layers = [index[name] for name in fragment.layers]
        station = compiled.station_index[fragment.device, fragment.unit]
        device = int(compiled.station_device[station])
        spec, graph = instance.devices[device], _graph(instance, service, variant)
        runtime = instance.runtime(service, graph, spec)
        container = container_memory(spec, instance.device_type(spec), runtime)
        times, reached = variant.time[layers, station], variant.run[layers]
        with np.errstate(invalid="ignore"):
            busy = float(np.sum(np.where(reached > 0, reached * times, 0.0)))
        in_ram = [bool(held[station] == device) for held in (compiled.stores.weights, compiled.stores.working)]
        peak = float(variant.activations[layers, station].max())
        ordinal = ordinals.get(fragment.device, 0)
        ordinals[fragment.device] = ordinal + 1
        yield Part(
            name=unique[f"{entry.service}-{number + 1}"],
            service=entry.service,
            service_index=variant.service,
            index=number,
            model=service.model,
            alternative=variant.name,
            device=fragment.device,
            unit=fragment.unit,
            station=station,
            layers=fragment.layers,
            layer_indices=tuple(layers),
            seconds=busy / float(reached[0]) if reached[0] > 0 else float(times.sum()),
            utilisation=rate * busy / float(compiled.servers[station]),
            weights=float(variant.weights[layers].sum()) if in_ram[0] else 0.0,
            activations=float(compiled.servers[station]) * peak if in_ram[1] else 0.0,
            runtime=float(variant.runtime_memory[station]) - container,
            container=container,
            runtime_name=runtime.name if runtime is not None else None,
            runtime_known=runtime is not None or graph.runtime_memory is not None,
            exits=tuple((variant.layers[layer], shares[layer]) for layer in layers if layer in shares),
            timeout=timeout,
            timeout_from=timeout_from,
            ordinal=ordinal,
            min_gap=entry.min_gap if any(-1 in variant.predecessors[layer] for layer in layers) else None,
        )


def _graph(instance: Instance, service: Service, variant: Variant) -> Alternative:
    return next(graph for graph in instance.alternatives(service) if graph.name == variant.name)


def timeout_of(service: Service) -> tuple[float, str]:
    """Return the seconds after which a request is given up, and the field of the service that says so."""
    if service.deadline_p95:
        return service.deadline_p95, "deadline_p95"
    if service.deadline:
        return MEAN_TO_LATE * service.deadline, "deadline"
    return DEFAULT_TIMEOUT, "default"
