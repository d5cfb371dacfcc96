"""What diagrams show: devices, the fragments on them, sources and sinks, and what flows. Words, no syntax."""

from __future__ import annotations

import math
from dataclasses import dataclass

from placer.export.flows import Flow
from placer.export.parts import Parts, parts_of
from placer.instance.compiled import Compiled
from placer.instance.units import show_bytes, show_fraction, show_seconds
from placer.plan.plan import Plan


@dataclass(frozen=True)
class Node:
    """A fragment, or where a service begins or ends.

    Attributes:
        id: identifier made by placer: ``f0``, ``source0``, ``sink0``.
        lines: label.
        kind: ``fragment``, ``source`` or ``sink``.
    """

    id: str
    lines: tuple[str, ...]
    kind: str


@dataclass(frozen=True)
class Edge:
    """Something that flows from one node to another.

    Attributes:
        tail, head: identifiers of nodes.
        lines: label.
        crosses: whether it leaves the device.
    """

    tail: str
    head: str
    lines: tuple[str, ...]
    crosses: bool


@dataclass(frozen=True)
class Diagram:
    """Devices with their nodes, in the order of the inventory; devices without any are left out."""

    title: str
    devices: tuple[tuple[str, tuple[Node, ...]], ...]
    edges: tuple[Edge, ...]


def diagram_of(plan: Plan, compiled: Compiled) -> Diagram:
    """Return what a diagram of a plan shows.

    Raises:
        InputError: when the plan is not about this instance.
    """
    parts = parts_of(plan, compiled)
    nodes: dict[str, list[Node]] = {name: [] for name in compiled.device_names}
    for index, service in enumerate(compiled.instance.services):
        nodes[service.source].append(Node(f"source{index}", (f"{service.name}: input",), "source"))
    for number, part in enumerate(parts.parts):
        count = len(part.layers)
        lines = [part.service, part.layer_range + (f" ({count} layers)" if count > 2 else "")]
        known = math.isfinite(part.seconds)
        lines.append(show_seconds(part.seconds) if known else "time unknown")
        lines += [f"{show_fraction(share)} leave after {layer}" for layer, share in part.exits]
        nodes[part.device].append(Node(f"f{number}", tuple(lines), "fragment"))
    for index, service in enumerate(compiled.instance.services):
        nodes[service.result_device].append(Node(f"sink{index}", (f"{service.name}: result",), "sink"))
    title = f"{plan.instance.name}, {plan.certificate.method}"
    devices = tuple((name, tuple(found)) for name, found in nodes.items() if found)
    return Diagram(title, devices, tuple(_edges(parts, compiled)))


def _edges(parts: Parts, compiled: Compiled) -> list[Edge]:
    index = {service.name: position for position, service in enumerate(compiled.instance.services)}
    edges = []
    for flow, service in zip(parts.flows, parts.flow_services, strict=True):
        tail = f"source{index[service]}" if flow.sender is None else f"f{flow.sender}"
        head = f"sink{index[service]}" if flow.receiver is None else f"f{flow.receiver}"
        edges.append(Edge(tail, head, flow_lines(flow), flow.sender_device != flow.receiver_device))
    return edges


def flow_lines(flow: Flow) -> tuple[str, ...]:
    """Return the label of a flow: bytes, time, relays."""
    first = show_bytes(flow.size)
    if flow.after is not None and flow.share < 1:
        first = f"{show_fraction(flow.share)}: {first}"
    if flow.sender_device == flow.receiver_device:
        return (first,)
    if not flow.path:
        return (f"{first}, no route",)
    if math.isfinite(flow.seconds):
        first += f", {show_seconds(flow.seconds)}"
    return (first, f"via {', '.join(flow.relays)}") if flow.relays else (first,)
