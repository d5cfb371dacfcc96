"""What the program of a fragment must know, as plain data: the content of ``fragment.json``."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from placer.export.flows import Flow
from placer.export.part import Part
from placer.export.parts import Parts
from placer.plan.plan import Plan

FRAGMENT_FORMAT = "placer/fragment/1"
CONFIG_FOLDER = "/etc/placer"
CONFIG_NAME = "fragment.json"
MODEL_PARTS = f"not included: the image must contain or fetch the layers named in {CONFIG_NAME}"
DEFAULT_PORT = 8080

Address = Callable[[Part], str]
"""Where one part reaches another, as ``host:port``."""


def fragment_facts(
    plan: Plan, parts: Parts, number: int, address: Address, mapped: Callable[[str], bool], port: int
) -> dict[str, Any]:
    """Return the facts of one part.

    Args:
        plan: the plan that it belongs to.
        parts: all parts of the plan.
        number: index of the part.
        address: where the part reaches another one.
        mapped: whether a device has no container but a map, ``mcu/<device>.json``.
        port: port on which the program listens.
    """
    part = parts.parts[number]
    return {
        "format": FRAGMENT_FORMAT,
        "plan": {
            "instance": plan.instance.name,
            "hash": plan.instance.hash,
            "method": plan.certificate.method,
            "version": plan.version,
        },
        "fragment": part.name,
        "service": part.service,
        "model": part.model,
        "alternative": part.alternative,
        "device": part.device,
        "unit": part.unit,
        **({} if part.runtime_name is None else {"runtime": part.runtime_name}),
        "layers": list(part.layers),
        "seconds": number_or_none(part.seconds),
        "listen": {"port": port},
        "timeout": {"seconds": rounded(part.timeout), "from": part.timeout_from},
        "receives": [_received(flow, parts) for flow in parts.received(number)],
        "sends": [_sent(flow, parts, address, mapped) for flow in parts.sent(number)],
        "exits": [{"after": layer, "share": share} for layer, share in part.exits],
        **({} if part.min_gap is None else {"admission": {"min_gap_seconds": rounded(part.min_gap)}}),
    }


def _received(flow: Flow, parts: Parts) -> dict[str, Any]:
    sender: dict[str, Any] = {"source": flow.sender_device}
    if flow.sender is not None:
        sender = {"fragment": parts.parts[flow.sender].name, "device": flow.sender_device}
    return {"tensor": flow.tensor, "bytes": rounded(flow.size), "from": sender}


def _sent(flow: Flow, parts: Parts, address: Address, mapped: Callable[[str], bool]) -> dict[str, Any]:
    receiver: dict[str, Any] = {"sink": flow.receiver_device}
    if flow.receiver is not None:
        target = parts.parts[flow.receiver]
        receiver = {"fragment": target.name, "device": target.device, "address": address(target)}
        if mapped(target.device):
            receiver["map"] = map_path(target.device)
    facts: dict[str, Any] = {"tensor": flow.tensor, "bytes": rounded(flow.size)}
    if flow.after is not None:
        facts |= {"after": flow.after, "share": flow.share}
    facts["to"] = receiver
    if len(flow.path) != 1:
        facts["route"] = route_facts(flow)
    return facts


def route_facts(flow: Flow) -> dict[str, Any] | None:
    """Return the way of a flow between devices; None when the plan has none."""
    if not flow.path:
        return None
    return {
        "devices": list(flow.path),
        "relays": list(flow.relays),
        "technologies": list(flow.technologies),
        "seconds": number_or_none(flow.seconds),
    }


def map_path(device: str) -> str:
    """Return the path of the map of a device without containers, relative to the export."""
    return f"mcu/{device}.json"


def rounded(value: float) -> float | int:
    """Return a whole number as an int, for the eye; others with the digits that mean something."""
    return int(value) if value == int(value) else float(f"{value:.9g}")


def number_or_none(value: float) -> float | int | None:
    """Return a finite number rounded; JSON has no word for the others."""
    return rounded(value) if math.isfinite(value) else None
