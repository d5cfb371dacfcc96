"""To which nodes a Deployment is bound: its own, or its own before all others where it may run."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from placer.evaluation.deterministic import RouteBook, latency
from placer.export.accelerators import unit_of
from placer.export.part import Part
from placer.export.parts import Parts
from placer.instance.compiled import Compiled
from placer.instance.units import show_seconds

Affinity = Literal["required", "preferred"]
AFFINITIES: tuple[Affinity, ...] = ("required", "preferred")
HOSTNAME = "kubernetes.io/hostname"

_MOST_MOVES = 200_000
"""Layers × moves up to which the cost of moving is computed: a few seconds."""


def node_affinity(compiled: Compiled, part: Part, allowed: list[str] | None) -> dict[str, Any]:
    """Return the nodeAffinity of a part: bound to its device, or preferring it among those ``allowed``."""
    nodes = {device.name: device.node for device in compiled.instance.devices}

    def term(devices: list[str]) -> dict[str, Any]:
        values = [nodes[device] for device in devices]
        return {"matchExpressions": [{"key": HOSTNAME, "operator": "In", "values": values}]}

    required = {"nodeSelectorTerms": [term(allowed or [part.device])]}
    rules: dict[str, Any] = {"requiredDuringSchedulingIgnoredDuringExecution": required}
    if allowed:
        preferred = {"weight": 100, "preference": term([part.device])}
        rules["preferredDuringSchedulingIgnoredDuringExecution"] = [preferred]
    return {"nodeAffinity": rules}


def movable_to(compiled: Compiled, parts: Parts, part: Part, book: RouteBook) -> dict[str, float]:
    """Return the devices where a part may run, others staying, with the latency of its service there in s.

    The planned device is always among them. Routes are those of least time: a plan has none for a move.
    """
    variant = compiled.variants[parts.placement.choice[part.service_index]]
    stations = parts.placement.stations[part.service_index]
    layers = list(part.layer_indices)
    result = {part.device: latency(compiled, variant, stations, book)}
    for station, place in enumerate(compiled.stations):
        device = compiled.instance.devices[place.device]
        runs = np.isfinite(variant.time[layers, station]).all() and variant.allowed[layers, station].all()
        if device.name == part.device or not runs or not compiled.instance.device_type(device).kubelet:
            continue
        if unit_of(compiled, station).accelerator is not None:
            continue  # a container that asks for no accelerator gets none
        moved = list(stations)
        for layer in layers:
            moved[layer] = station
        seconds = latency(compiled, variant, tuple(moved), book)
        if np.isfinite(seconds):
            result[device.name] = min(seconds, result.get(device.name, np.inf))
    return result


def move_note(latencies: dict[str, float], part: Part) -> str | None:
    """Say what moving a part may cost; None when it can move nowhere."""
    here = latencies[part.device]
    others = {device: seconds for device, seconds in latencies.items() if device != part.device}
    if not others or not np.isfinite(here):
        return None
    worst = max(others, key=lambda device: others[device])
    change = others[worst] - here
    if change <= 0:
        return "on no other node is a request slower (without waiting)"
    return (
        f"up to {show_seconds(change)} more per request on node {worst}, without waiting "
        f"({show_seconds(here)} on {part.device})"
    )


def affordable(compiled: Compiled, parts: Parts) -> bool:
    """Return whether the cost of all single moves is computed quickly."""
    layers = [len(stations) for stations in parts.placement.stations]
    work = sum(layers[part.service_index] for part in parts.parts) * len(compiled.stations)
    return work <= _MOST_MOVES
