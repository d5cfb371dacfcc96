"""Memory and processor of containers: rounded, and checked against what each device has."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from placer.errors import InputError, Problem
from placer.export.accelerators import unit_of
from placer.export.part import Part
from placer.export.programs import Program
from placer.instance.compiled import Compiled
from placer.instance.units import show_bytes

MEBI = 2**20
LEAST_MEMORY = 16
"""MiB: with less no pod starts."""
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,299}")


def mebibytes(program: Program, least: int) -> int:
    """Return the memory of a program in whole MiB, rounded up; at least what a container starts with."""
    return max(least, math.ceil(program.memory / MEBI))


def check_memory(compiled: Compiled, programs: Iterable[Program], least: int) -> None:
    """Make sure that the containers of each device fit into what is free there.

    A plan counts working memory once per compute unit, as one job runs there at a time; containers do not share it, and
    are rounded up to whole MiB. So a feasible plan may not fit.

    Raises:
        InputError: naming every device that is too small.
    """
    wanted: dict[str, int] = {}
    for one in programs:
        wanted[one.device] = wanted.get(one.device, 0) + mebibytes(one, least) * MEBI
    problems = []
    for device, free in zip(compiled.device_names, compiled.memory, strict=True):
        if wanted.get(device, 0) > free:
            asked = wanted[device]
            problems.append(
                Problem(
                    f"the containers on device '{device}' ask for {asked // MEBI} MiB ({show_bytes(asked)}), "
                    f"and {show_bytes(float(free))} are free: {show_bytes(asked - float(free))} too much. "
                    f"Containers do not share working memory, and are whole MiB, at least {least}"
                )
            )
    if problems:
        raise InputError(
            "\n".join(problem.message for problem in problems),
            tip="plan again with a larger 'reserve: {memory: …}' on that device",
        )


def millicores(compiled: Compiled, part: Part) -> int | None:
    """Return the processor that a part takes at the arrival rates, in thousandths of a core: utilisation × cores.

    None without arrivals, and on units that are no CPU: their work is not the processor's. A unit that is
    asked for more than it has gets all of it, since more could never be scheduled.
    """
    device = compiled.instance.devices[int(compiled.station_device[part.station])]
    kind, unit = compiled.instance.device_type(device), unit_of(compiled, part.station)
    if not math.isfinite(part.utilisation) or unit.accelerator is not None or not part.unit.startswith("cpu"):
        return None
    cores = device.cores if device.cores is not None and unit is kind.units[0] else unit.cores
    reserve = (device.reserve or kind.reserve).processor
    # rounded down where it is whole but for the noise of floating point
    wanted = min(1.0, part.utilisation) * (1.0 - reserve) * cores * 1000
    return max(1, math.ceil(wanted - 1e-6))


def image_of(compiled: Compiled, image: str | None) -> str:
    """Return the container image: the argument, else the instance's. None is ever invented.

    Raises:
        InputError: when there is none, or it cannot be the name of an image.
    """
    chosen = image if image is not None else compiled.instance.file.deployment.image
    if chosen is None:
        raise InputError(
            "no container image is known: the instance has no 'deployment.image' and none was given",
            tip="give --image, or write 'deployment: {image: registry.example/node:1.0}' in the instance",
        )
    if not _IMAGE.fullmatch(chosen):
        raise InputError(f"'{chosen[:80]}' cannot be the name of a container image")
    return chosen
