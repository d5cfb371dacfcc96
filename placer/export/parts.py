"""A plan as its deployable parts: what every format starts from.

A *part* is one fragment with everything that a program serving it must know: what it receives, what it hands
on and to whom, what leaves early, how much memory and processor it takes. Parts are read from the plan as it
is written; whether the plan is any good is judged elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from placer.export import names
from placer.instance.compiled import Compiled
from placer.instance.model import MODEL_INPUT
from placer.instance.service import Service
from placer.instance.variant import Variant
from placer.plan.placement import Placement
from placer.plan.plan import RESULT, Plan, ServicePlan, Transfer, as_chosen, to_placement

DEFAULT_TIMEOUT = 30.0
"""Seconds that a program waits for a reply of a service without a deadline."""

MEAN_TO_LATE = 3.0
"""``deadline`` limits the mean, so waiting no longer than it would give up on many good requests: one
is given up after this many times the deadline. Of exponential response times 5 % exceed 3 times the mean."""


@dataclass(frozen=True)
class Flow:
    """A tensor or result on its way between parts.

    Attributes:
        tensor: the layer that made it, ``input``, or ``result``.
        after: for a result the layer after which the job leaves; None otherwise.
        size: bytes.
        sender: index of the sending part; None for the source of the service.
        receiver: index of the receiving part; None for the sink of the service.
        sender_device, receiver_device: their devices.
        path: devices from sender to receiver; one when both are the same, empty when the plan has no route.
        technologies: radio or ``link`` of each hop.
        seconds: time on the way; NaN without a route.
        share: probability that a job sends it.
    """

    tensor: str
    after: str | None
    size: float
    sender: int | None
    receiver: int | None
    sender_device: str
    receiver_device: str
    path: tuple[str, ...]
    technologies: tuple[str, ...]
    seconds: float
    share: float

    @property
    def relays(self) -> tuple[str, ...]:
        """Devices that only pass it on."""
        return self.path[1:-1]


@dataclass(frozen=True)
class Part:
    """One fragment to deploy.

    Attributes:
        name: unique name, a DNS label that starts with a letter: service and position, not the device, so
            that a new plan moves what runs instead of leaving it behind.
        service: the service.
        service_index: its index in the instance.
        index: position among the fragments of its service.
        model, alternative: what is run.
        device, unit: where.
        station: index of the compute unit.
        layers: names, in the order in which they run.
        layer_indices: the same as indices of the variant.
        seconds: expected processing time of a job that arrives here (early exits inside it counted).
        utilisation: share of the unit's time at the arrival rates; NaN without arrivals.
        weights, activations, runtime: bytes of RAM, activations for every job that the unit serves at once; 0 for what
            lies in flash or in a unit's own memory.
        exits: (layer, share of all jobs) of the early exits inside.
        timeout: seconds to wait for a reply.
        timeout_from: ``deadline_p95``, ``deadline`` or ``default``.
        ordinal: position among the parts of its device.
        min_gap: for a part that reads the input: the rate limit at the source, least seconds between two requests
            that are let in; None lets all in.
    """

    name: str
    service: str
    service_index: int
    index: int
    model: str
    alternative: str
    device: str
    unit: str
    station: int
    layers: tuple[str, ...]
    layer_indices: tuple[int, ...]
    seconds: float
    utilisation: float
    weights: float
    activations: float
    runtime: float
    exits: tuple[tuple[str, float], ...]
    timeout: float
    timeout_from: str
    ordinal: int
    min_gap: float | None = None

    @property
    def memory(self) -> float:
        """Bytes of RAM that the part needs when it runs as a process of its own."""
        return self.weights + self.activations + self.runtime

    @property
    def layer_range(self) -> str:
        """Its layers for people: ``conv1 … fc8``."""
        first, last = self.layers[0], self.layers[-1]
        return first if first == last else f"{first} … {last}"


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
        found = list(_flows(compiled, entries[service.name], service, variant, parts[first:], first))
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
    index = {name: layer for layer, name in enumerate(variant.layers)}
    shares = {layer: share for layer, share, _ in variant.exits}
    rate = float(compiled.rate[variant.service])
    timeout, timeout_from = timeout_of(service)
    for number, fragment in enumerate(entry.fragments):
        layers = [index[name] for name in fragment.layers]
        station = compiled.station_index[fragment.device, fragment.unit]
        device = int(compiled.station_device[station])
        times, reached = variant.time[layers, station], variant.run[layers]
        with np.errstate(invalid="ignore"):
            busy = float(np.sum(np.where(reached > 0, reached * times, 0.0)))
        in_ram = [bool(held[station] == device) for held in (compiled.stores.weights, compiled.stores.working)]
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
            activations=float(compiled.servers[station] * variant.activations[layers].max()) if in_ram[1] else 0.0,
            runtime=variant.runtime_memory,
            exits=tuple((variant.layers[layer], shares[layer]) for layer in layers if layer in shares),
            timeout=timeout,
            timeout_from=timeout_from,
            ordinal=ordinal,
            min_gap=entry.min_gap if any(-1 in variant.predecessors[layer] for layer in layers) else None,
        )


def timeout_of(service: Service) -> tuple[float, str]:
    """Return the seconds after which a request is given up, and the field of the service that says so."""
    if service.deadline_p95:
        return service.deadline_p95, "deadline_p95"
    if service.deadline:
        return MEAN_TO_LATE * service.deadline, "deadline"
    return DEFAULT_TIMEOUT, "default"


def _flows(
    compiled: Compiled,
    entry: ServicePlan,
    service: Service,
    variant: Variant,
    parts: Sequence[Part],
    first: int,
) -> Iterator[Flow]:
    """Yield what flows between parts (once per receiving part), then what goes to the sink."""
    routes = {(t.tensor, t.after, t.path[0], t.path[-1]): t for t in entry.transfers}
    part_of = {layer: number for number, part in enumerate(parts) for layer in part.layer_indices}

    def flow(layer: int, after: bool, sender: int | None, receiver: int | None, share: float) -> Flow:
        tail = service.source if sender is None else parts[sender].device
        head = service.result_device if receiver is None else parts[receiver].device
        made_by = MODEL_INPUT if layer < 0 else variant.layers[layer]
        size = variant.result_size(layer) if after else variant.tensor_size(layer)
        tensor, left_at = (RESULT, made_by) if after else (made_by, None)
        path, technologies, seconds = _route(compiled, routes.get((tensor, left_at, tail, head)), tail, head, size)
        return Flow(
            tensor,
            left_at,
            size,
            None if sender is None else first + sender,
            None if receiver is None else first + receiver,
            tail,
            head,
            path,
            technologies,
            seconds,
            share,
        )

    seen: set[tuple[int, int]] = set()
    for receiver, part in enumerate(parts):
        for layer in part.layer_indices:
            for maker in variant.predecessors[layer]:
                sender = None if maker < 0 else part_of[maker]
                if sender != receiver and (maker, receiver) not in seen:
                    seen.add((maker, receiver))
                    yield flow(maker, False, sender, receiver, float(variant.run[layer]))
    for layer in range(len(variant)):
        if variant.leave[layer] > 0 or layer in variant.leaves:
            yield flow(layer, True, part_of[layer], None, float(variant.leave[layer]))


def _route(
    compiled: Compiled, transfer: Transfer | None, tail: str, head: str, size: float
) -> tuple[tuple[str, ...], tuple[str, ...], float]:
    if tail == head:
        return (tail,), (), 0.0
    if transfer is None:
        return (), (), math.nan
    index = {name: position for position, name in enumerate(compiled.device_names)}
    seconds = 0.0
    hops = zip(transfer.path, transfer.path[1:], transfer.technologies, strict=False)
    for a, b, technology in hops:
        arcs = compiled.topology.arcs_between(index[a], index[b]) if a in index and b in index else []
        times = [arc.seconds(size) for arc in arcs if arc.technology == technology]
        seconds += min(times, default=math.nan)
    return transfer.path, transfer.technologies, seconds
