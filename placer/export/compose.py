"""Docker Compose: one file a node, one service per fragment (or per set of fragments that share loaded weights)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from placer.export import firmware_map
from placer.export.accelerators import Claim, check_claims, claims_of
from placer.export.containers import check_memory, image_of, mebibytes, millicores
from placer.export.fragment_file import CONFIG_FOLDER, CONFIG_NAME, DEFAULT_PORT, MODEL_PARTS, fragment_facts
from placer.export.names import label
from placer.export.part import Part
from placer.export.parts import Parts, parts_of
from placer.export.pods import STARTS_WITHIN
from placer.export.programs import Program, programs_of
from placer.export.text import json_text, yaml_text
from placer.instance.compiled import Compiled
from placer.instance.deployment import PullPolicy
from placer.plan.plan import Plan

FOLDER = "compose"
_LEAST_MEMORY = 6
"""MiB: Docker refuses a smaller limit."""
_PULL: dict[PullPolicy, str] = {"Always": "always", "IfNotPresent": "missing", "Never": "never"}


def write(
    plan: Plan,
    compiled: Compiled,
    *,
    image: str | None = None,
    port: int = DEFAULT_PORT,
    pull_policy: PullPolicy | None = None,
) -> dict[str, str]:
    """Return the Compose files of a plan by path, one per device; microcontrollers get maps.

    Args:
        plan: the plan.
        compiled: its instance.
        image: container image of the node program; the instance's ``deployment.image`` when None.
        port: port of the first fragment of each device; the others follow.
        pull_policy: when nodes pull the image; the instance's ``deployment.pull_policy`` when None.

    Raises:
        InputError: without an image, or when the containers of a device do not fit or ask for more accelerators than
            there are.
    """
    parts = parts_of(plan, compiled)
    mapped = _microcontroller(compiled)
    programs = programs_of(compiled, parts, [n for n, part in enumerate(parts.parts) if not mapped(part.device)])
    chosen = image_of(compiled, image) if programs else ""
    check_memory(compiled, programs, _LEAST_MEMORY)
    check_claims(compiled, parts, programs, docker=True)
    policy = pull_policy or compiled.instance.file.deployment.pull_policy
    # inside a container the parts of a program listen one port apart
    listens = {number: port + place for program in programs for place, number in enumerate(program.parts)}
    files = {}
    for device in dict.fromkeys(program.device for program in programs):
        body: dict[str, Any] = {
            "name": label(f"placer-{compiled.instance.name}"),
            "services": {},
            "configs": {},
        }
        for program in [one for one in programs if one.device == device]:
            body["services"][program.name] = _service(compiled, parts, program, chosen, listens, port)
            if policy is not None:
                body["services"][program.name]["pull_policy"] = _PULL[policy]
            for number in program.parts:
                content = _config(plan, compiled, parts, number, mapped, listens, port)
                body["configs"][parts.parts[number].name] = {"content": content}
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


def _config(
    plan: Plan,
    compiled: Compiled,
    parts: Parts,
    number: int,
    mapped: Callable[[str], bool],
    listens: Mapping[int, int],
    port: int,
) -> str:
    own = parts.parts[number]
    outside = firmware_map.host_address(compiled, port)
    inside = {parts.parts[one].name: listens[one] for one in listens}

    def address(part: Part) -> str:
        # containers of one file find each other by service name, whatever the device's own name resolves to
        return f"{part.name}:{inside[part.name]}" if part.device == own.device else outside(part)

    # Compose replaces $NAME in all text
    return json_text(fragment_facts(plan, parts, number, address, mapped, listens[number])).replace("$", "$$")


def _service(
    compiled: Compiled,
    parts: Parts,
    program: Program,
    image: str,
    listens: Mapping[int, int],
    port: int,
) -> dict[str, Any]:
    members = [parts.parts[number] for number in program.parts]
    shared = len(members) > 1
    memory = f"{mebibytes(program, _LEAST_MEMORY)}m"
    service: dict[str, Any] = {
        "image": image,
        "hostname": program.name,
        "restart": "unless-stopped",
        "mem_limit": memory,
        "mem_reservation": memory,
    }
    if shared:
        service["networks"] = {"default": {"aliases": [part.name for part in members]}}
    known = [cpu for cpu in (millicores(compiled, part) for part in members) if cpu is not None]
    if known:
        # a share of the processor when others want it too, 1024 a core; no limit while it is idle
        service["cpu_shares"] = max(2, round(sum(known) * 1.024))
    service |= _accelerators(claims_of(compiled, parts, program), memory)
    health = compiled.instance.file.deployment.health
    if health is not None and health.command:
        service["healthcheck"] = {
            "test": ["CMD", *(word.replace("$", "$$") for word in health.command)],
            "interval": "10s",
            "retries": 3,
            "start_period": f"{STARTS_WITHIN}s",
        }
    files = [f"{CONFIG_FOLDER}/{f'{part.name}.json' if shared else CONFIG_NAME}" for part in members]
    ways = [f"{port + part.ordinal}:{listens[n]}" for n, part in zip(program.parts, members, strict=True)]
    return service | {
        "ports": ways,
        "environment": {"PLACER_FRAGMENT": ":".join(files)},
        "configs": [{"source": part.name, "target": file} for part, file in zip(members, files, strict=True)],
        "labels": {
            "dev.placer.service": ", ".join(part.service for part in members),
            "dev.placer.fragment": ", ".join(str(part.index + 1) for part in members),
            "dev.placer.layers": ", ".join(part.layer_range for part in members),
            "dev.placer.memory": (
                f"reservation and limit {memory}: {program.memory_note}, rounded up; at least {_LEAST_MEMORY} MiB"
            ),
            "dev.placer.model-parts": MODEL_PARTS,
        },
    }


def _accelerators(claims: list[Claim], memory: str) -> dict[str, Any]:
    """How Docker gives accelerators to a container: NVIDIA's by their driver, others by device files.

    Where ``deploy`` reserves anything, Compose wants the memory there to be that of ``mem_reservation``.
    """
    found: dict[str, Any] = {}
    graphics = sum(claim.accelerator == "nvidia" for claim in claims)
    if graphics:
        ask = {"driver": "nvidia", "count": graphics, "capabilities": ["gpu"]}
        found["deploy"] = {"resources": {"reservations": {"memory": memory, "devices": [ask]}}}
    files = dict.fromkeys(path for claim in claims if claim.accelerator != "nvidia" for path in claim.files)
    if files:
        found["devices"] = [f"{path}:{path}" for path in files]
    return found
