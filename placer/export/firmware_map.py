"""Devices that run no containers: one JSON map each, from which their firmware is built."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from placer.evaluation.deterministic import loads
from placer.export.fragment_file import DEFAULT_PORT, MODEL_PARTS, fragment_facts, map_path, rounded
from placer.export.part import Part
from placer.export.parts import Parts, parts_of
from placer.export.text import json_text
from placer.instance.compiled import Compiled
from placer.plan.plan import Plan

MAP_FORMAT = "placer/mcu/1"


def write(plan: Plan, compiled: Compiled, *, port: int = DEFAULT_PORT) -> dict[str, str]:
    """Return the maps of all devices without a kubelet on which something is placed, by path."""
    return maps(plan, compiled, parts_of(plan, compiled), no_kubelet(compiled), port)


def maps(plan: Plan, compiled: Compiled, parts: Parts, mapped: Callable[[str], bool], port: int) -> dict[str, str]:
    """Return the maps of the devices that ``mapped`` names, by path."""
    stores, stored = compiled.stores, loads(compiled, parts.placement).stored
    ram, flash, room = stores.ram(stored), stores.flash(stored), stores.flash(stores.capacity)
    result = {}
    for index, name in enumerate(compiled.device_names):
        here = [number for number, part in enumerate(parts.parts) if part.device == name]
        if not here or not mapped(name):
            continue
        facts: dict[str, Any] = {
            "format": MAP_FORMAT,
            "device": name,
            "type": compiled.instance.devices[index].type,
            "model_parts": MODEL_PARTS.replace("image", "firmware").replace("fragment.json", "this map"),
            "memory": {"ram": rounded(float(ram[index])), "free": rounded(float(compiled.memory[index]))},
            "fragments": [],
        }
        if math.isfinite(room[index]):
            facts["memory"] |= {"flash": rounded(float(flash[index])), "flash_free": rounded(float(room[index]))}
        for number in here:
            address = host_address(compiled, port)
            own = fragment_facts(plan, parts, number, address, mapped, port + parts.parts[number].ordinal)
            for key in ("format", "device"):
                own.pop(key)
            facts["fragments"].append(own)
        result[map_path(name)] = json_text(facts)
    return result


def no_kubelet(compiled: Compiled) -> Callable[[str], bool]:
    """Return whether a device, by name, cannot run containers under Kubernetes."""
    instance = compiled.instance
    outside = {device.name for device in instance.devices if not instance.device_type(device).kubelet}
    return outside.__contains__


def host_address(compiled: Compiled, port: int) -> Callable[[Part], str]:
    """Return how a part is reached from outside the cluster: its device and a port of its own there."""
    hosts = {device.name: device.host for device in compiled.instance.devices}
    return lambda part: f"{hosts[part.device]}:{port + part.ordinal}"
