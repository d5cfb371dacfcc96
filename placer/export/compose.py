"""Docker Compose: one file a node, one service per fragment, its configuration inline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from placer.export import firmware_map
from placer.export.containers import check_memory, image_of, mebibytes, millicores
from placer.export.fragment_file import CONFIG_FOLDER, CONFIG_NAME, DEFAULT_PORT, MODEL_PARTS, fragment_facts
from placer.export.names import label
from placer.export.parts import Part, Parts, parts_of
from placer.export.text import json_text, yaml_text
from placer.instance.compiled import Compiled
from placer.plan.plan import Plan

FOLDER = "compose"
_LEAST_MEMORY = 6
"""MiB: Docker refuses a smaller limit."""


def write(
    plan: Plan,
    compiled: Compiled,
    *,
    image: str | None = None,
    container_memory: float = 0.0,
    port: int = DEFAULT_PORT,
) -> dict[str, str]:
    """Return the Compose files of a plan by path, one per device; microcontrollers get maps.

    Args:
        plan: the plan.
        compiled: its instance.
        image: container image of the node program; the instance's ``deployment.image`` when None.
        container_memory: bytes that each container takes beside weights, activations and the model's runtime.
        port: port of the first fragment of each device; the others follow.

    Raises:
        InputError: without an image, or when the containers of a device do not fit.
    """
    parts = parts_of(plan, compiled)
    mapped = _microcontroller(compiled)
    hosted = [part for part in parts.parts if not mapped(part.device)]
    chosen = image_of(compiled, image) if hosted else ""
    check_memory(compiled, hosted, container_memory, _LEAST_MEMORY)
    files = {}
    for device in dict.fromkeys(part.device for part in hosted):
        here = [number for number, part in enumerate(parts.parts) if part.device == device]
        body: dict[str, Any] = {
            "name": label(f"placer-{compiled.instance.name}"),
            "services": {},
            "configs": {},
        }
        for number in here:
            part = parts.parts[number]
            body["services"][part.name] = _service(compiled, part, chosen, port, container_memory)
            body["configs"][part.name] = {"content": _config(plan, compiled, parts, number, mapped, port)}
        files[f"{FOLDER}/{device}.yaml"] = yaml_text(
            [body],
            f"Device {device}, plan of {plan.instance.name} by placer {plan.version}: "
            f"docker compose -f {device}.yaml up -d\n"
            "Needs Compose 2.23.1 or later (inline configs), and addresses of devices that resolve on this network.\n"
            f"Models are {MODEL_PARTS}.",
        )
    return files | firmware_map.maps(plan, compiled, parts, mapped, port)


def _microcontroller(compiled: Compiled) -> Callable[[str], bool]:
    """Small boards without a kubelet run Docker all the same; microcontrollers run neither."""
    instance = compiled.instance
    return {
        device.name for device in instance.devices if instance.device_type(device).architecture == "mcu"
    }.__contains__


def _config(plan: Plan, compiled: Compiled, parts: Parts, number: int, mapped: Callable[[str], bool], port: int) -> str:
    own = parts.parts[number]
    outside = firmware_map.host_address(compiled, port)

    def address(part: Part) -> str:
        # containers of one file find each other by service name, whatever the device's own name resolves to
        return f"{part.name}:{port}" if part.device == own.device else outside(part)

    # Compose replaces $NAME in all text
    return json_text(fragment_facts(plan, parts, number, address, mapped, port)).replace("$", "$$")


def _service(compiled: Compiled, part: Part, image: str, port: int, container_memory: float) -> dict[str, Any]:
    memory = f"{mebibytes(part, container_memory, _LEAST_MEMORY)}m"
    service: dict[str, Any] = {
        "image": image,
        "hostname": part.name,
        "restart": "unless-stopped",
        "mem_limit": memory,
        "mem_reservation": memory,
    }
    cpu = millicores(compiled, part)
    if cpu is not None:
        # a share of the processor when others want it too, 1024 a core; no limit while it is idle
        service["cpu_shares"] = max(2, round(cpu * 1.024))
    return service | {
        "ports": [f"{port + part.ordinal}:{port}"],
        "environment": {"PLACER_FRAGMENT": f"{CONFIG_FOLDER}/{CONFIG_NAME}"},
        "configs": [{"source": part.name, "target": f"{CONFIG_FOLDER}/{CONFIG_NAME}"}],
        "labels": {
            "dev.placer.service": part.service,
            "dev.placer.fragment": str(part.index + 1),
            "dev.placer.layers": part.layer_range,
            "dev.placer.model-parts": MODEL_PARTS,
        },
    }
