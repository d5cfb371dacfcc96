"""Which accelerators a container asks for, and whether as many containers as planned can have them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from placer.errors import InputError
from placer.export.parts import Parts
from placer.export.programs import Program
from placer.instance.accelerator import RESOURCES
from placer.instance.compiled import Compiled
from placer.instance.device import Unit

_SHARED_BY_DOCKER = ("nvidia", "amd", "intel")
"""Accelerators that Docker gives to as many containers as ask."""


@dataclass(frozen=True)
class Claim:
    """What a container asks for to get one accelerator.

    Attributes:
        unit: name of the compute unit.
        accelerator: its kind.
        resource: extended resource of Kubernetes; None where none is known.
        files: device files.
        slices: containers that may ask for it at once.
    """

    unit: str
    accelerator: str
    resource: str | None
    files: tuple[str, ...]
    slices: int


def unit_of(compiled: Compiled, station: int) -> Unit:
    """Return the compute unit of a station."""
    place = compiled.stations[station]
    kind = compiled.instance.device_type(compiled.instance.devices[place.device])
    return next(unit for unit in kind.units if unit.name == place.unit)


def claims_of(compiled: Compiled, parts: Parts, program: Program) -> list[Claim]:
    """Return what a program asks for, one claim an accelerator that it runs on."""
    found = []
    for station in dict.fromkeys(parts.parts[number].station for number in program.parts):
        unit, device = unit_of(compiled, station), compiled.instance.devices[int(compiled.station_device[station])]
        if unit.accelerator is not None:
            wanted = unit.resource or RESOURCES[unit.accelerator]
            names = [one for one in wanted if not one.startswith("/")]
            files = tuple(one for one in wanted if one.startswith("/"))
            slices = device.slices or unit.slices
            found.append(Claim(unit.name, unit.accelerator, names[0] if names else None, files, slices))
    return found


def check_claims(compiled: Compiled, parts: Parts, programs: Iterable[Program], *, docker: bool) -> None:
    """Make sure that every accelerator is asked for by no more containers than can have it.

    Args:
        compiled: the instance.
        parts: all parts.
        programs: all containers.
        docker: whether Docker runs them, which shares graphics processors and knows device files only.

    Raises:
        InputError: naming every accelerator that is asked for too often, or that no container can get.
    """
    asking: dict[tuple[str, str], list[str]] = {}
    problems, claims = [], {}
    for program in programs:
        for claim in claims_of(compiled, parts, program):
            key = (program.device, claim.unit)
            asking.setdefault(key, []).append(program.name)
            claims[key] = claim
    for (device, unit), names in asking.items():
        claim = claims[device, unit]
        if docker and not claim.files and claim.accelerator != "nvidia":
            problems.append(f"no device file of unit '{unit}' of device '{device}' is known, which Docker needs")
        elif len(names) > claim.slices and not (docker and claim.accelerator in _SHARED_BY_DOCKER):
            problems.append(
                f"{len(names)} containers ask for unit '{unit}' of device '{device}' ({', '.join(names)}), "
                f"and {claim.slices} can have it"
            )
    if problems:
        tip = (
            "let services of one model share a process, place one elsewhere, or write 'slices: N' on the device "
            "where its device plugin offers as many (time slicing); 'resource: /dev/…' names a device file"
        )
        raise InputError("\n".join(problems), tip=tip)


def note_of(claim: Claim) -> str:
    """Say what is asked for, for people."""
    what = claim.resource or ", ".join(claim.files)
    if claim.resource is None:
        text = f"unit {claim.unit}: {what}, mounted into a privileged container; a device plugin would do without"
    elif claim.slices > 1:
        text = f"unit {claim.unit}: one of {claim.slices} slices of {what} (time slicing), which share its memory"
    else:
        text = f"unit {claim.unit}: {what}, for itself alone"
    return text
