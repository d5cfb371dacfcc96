"""Many of a kind written once: replicas of devices, patterns for their names, services with several sources.

``replicas: 20`` of a device ``cam`` makes ``cam-1`` to ``cam-20``; wherever devices are named, ``cam-*`` is all whose
names are like that; a service with ``sources`` becomes one service for each, ``NAME-DEVICE``. What comes out has single
devices, links and services only; messages still name the entry of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any, TypeVar

from placer.instance.device import Device
from placer.instance.fields import LONGEST_LABEL
from placer.instance.network import LARGEST_LINKS, Link, Radio
from placer.instance.schema import LARGEST, InstanceFile
from placer.instance.service import Service
from placer.instance.tree import PathParts

Finding = tuple[str, PathParts]
One = TypeVar("One")


@dataclass(frozen=True)
class Expansion:
    """An instance file of single things, and where each of them is written.

    Attributes:
        file: with no replicas, patterns or several sources left, but for patterns that nothing is like.
        origins: per list of the file the index of the entry that each expanded entry comes from.
        problems: what could not be expanded.
    """

    file: InstanceFile
    origins: dict[PathParts, tuple[int, ...]]
    problems: tuple[Finding, ...]

    def where(self, path: PathParts) -> PathParts:
        """The path in the file as written of a path in the expanded one."""
        for start, origins in self.origins.items():
            index = path[len(start)] if path[: len(start)] == start and len(path) > len(start) else None
            if isinstance(index, int):
                return (*start, origins[index], *path[len(start) + 1 :])
        return path


def expand(file: InstanceFile) -> Expansion:
    """Return the file with single devices, links and services."""
    problems: list[Finding] = []
    # no more is made than may be: a short file could ask for millions
    devices = _some((index, one) for index, device in enumerate(file.devices) for one in _replicas(device))
    names = tuple(device.name for _, device in devices)
    links = _some(
        (
            (index, one)
            for index, link in enumerate(file.network.links)
            for one in _links(link, names, ("network", "links", index), problems)
        ),
        LARGEST_LINKS,
    )
    services = _some(
        (index, one)
        for index, service in enumerate(file.services)
        for one in _services(service, names, ("services", index), problems)
    )
    for what, found in (("devices", devices), ("services", services)):
        if len(found) > LARGEST:
            problems.append((f"replicas and sources make more than {LARGEST} {what}", (what,)))
        for index, one in found:
            if len(one.name) > LONGEST_LABEL:
                text = f"the name '{one.name}' that it makes is longer than {LONGEST_LABEL} characters"
                problems.append((text, (what, index, "name")))
    if len(links) > LARGEST_LINKS:
        problems.append((f"patterns make more than {LARGEST_LINKS} links", ("network", "links")))
    network = file.network.model_copy(
        update={
            "links": tuple(link for _, link in links),
            "radios": tuple(_radio(radio, names) for radio in file.network.radios),
        }
    )
    expanded = file.model_copy(
        update={
            "devices": tuple(device for _, device in devices),
            "network": network,
            "zones": {zone: _named(members, names) for zone, members in file.zones.items()},
            "services": tuple(service for _, service in services),
        }
    )
    parts: dict[PathParts, Sequence[tuple[int, Any]]] = {
        ("devices",): devices,
        ("services",): services,
        ("network", "links"): links,
    }
    origins = {start: tuple(index for index, _ in found) for start, found in parts.items()}
    return Expansion(expanded, origins, tuple(problems))


def _some(found: Iterator[tuple[int, One]], most: int = LARGEST) -> list[tuple[int, One]]:
    return list(islice(found, most + 1))


def _like(pattern: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """The devices that a name or a pattern stands for; itself where there is none, for the checks of names."""
    found = tuple(name for name in names if fnmatchcase(name, pattern)) if "*" in pattern else ()
    return found or (pattern,)


def _named(members: Iterable[str], names: tuple[str, ...]) -> tuple[str, ...]:
    """Names and patterns as names, each once. A target ``cam-*/cpu`` is a unit of each device."""
    found: dict[str, None] = {}
    for member in members:
        device, slash, unit = member.partition("/")
        found |= {name + slash + unit: None for name in _like(device, names)}
    return tuple(found)


def _replicas(device: Device) -> Iterator[Device]:
    if device.replicas is None:
        yield device
        return
    for number in range(1, device.replicas + 1):
        yield device.model_copy(update={"name": f"{device.name}-{number}", "replicas": None})


def _links(link: Link, names: tuple[str, ...], where: PathParts, problems: list[Finding]) -> Iterator[Link]:
    first, second = (_like(end, names) for end in link.between)
    if all("*" in end for end in link.between):
        problems.append(("has a pattern at both ends; one end must be a single device", (*where, "between")))
        return
    for a in first:
        yield from (link.model_copy(update={"between": (a, b)}) for b in second if a != b)


def _radio(radio: Radio, names: tuple[str, ...]) -> Radio:
    return radio if radio.devices is None else radio.model_copy(update={"devices": _named(radio.devices, names)})


def _services(service: Service, names: tuple[str, ...], where: PathParts, problems: list[Finding]) -> Iterator[Service]:
    changes: dict[str, Any] = {
        field: {layer: _named(targets, names) for layer, targets in getattr(service, field).items()}
        for field in ("pins", "forbid")
    }
    if service.privacy is not None:
        zone = _named(service.privacy.zone, names)
        changes["privacy"] = service.privacy.model_copy(update={"zone": zone})
    if not service.sources:
        yield service.model_copy(update=changes)
        return
    seen: set[str] = set()
    for number, source in enumerate(service.sources):
        for device in _like(source.device, names):
            if device in seen:
                problems.append((f"device '{device}' is a source twice", (*where, "sources", number)))
            own: dict[str, Any] = {"name": f"{service.name}-{device}", "source": device, "sources": ()}
            own |= {} if source.arrivals is None else {"arrivals": source.arrivals}
            seen.add(device)
            yield service.model_copy(update=changes | own)
