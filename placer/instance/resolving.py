"""From instance files to instances: every reference resolved, every name checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from placer.errors import InputError, Problem
from placer.instance.device import DeviceType
from placer.instance.expanding import Expansion, expand
from placer.instance.fields import LONGEST_LABEL
from placer.instance.instance import Instance, RadioLink
from placer.instance.library import Library, locate
from placer.instance.model import Model
from placer.instance.network import LinkType, Radio
from placer.instance.reading import Document, read_document, unknown, validate
from placer.instance.schema import InstanceFile
from placer.instance.service_checks import service_problems
from placer.instance.tree import PathParts

_MOST_PROBLEMS = 50


def read_instance(argument: str | Path) -> Instance:
    """Read an instance from a path or by its shipped name.

    Raises:
        InputError: every problem of the file, with its line.
    """
    path = locate(str(argument), "instance")
    document = read_document(path, str(argument) if Path(argument) == path else str(path))
    return resolve(validate(InstanceFile, document), Library(path.parent), document, path)


def resolve(
    file: InstanceFile, library: Library, document: Document | None = None, path: Path | None = None
) -> Instance:
    """Return the instance of a file: references resolved, names checked.

    Args:
        file: the validated file.
        library: where references are looked up.
        document: the file's plain data, for the lines of messages; None for an instance made by code.
        path: the file.

    Raises:
        InputError: all problems found.
    """
    expansion = expand(file)
    file, origin = (
        expansion.file,
        _Origin(document or Document({}, {}, str(path or file.name or "instance")), expansion),
    )
    problems = [origin.as_written(text, where) for text, where in expansion.problems[:_MOST_PROBLEMS]]
    if problems:
        raise InputError(problems)

    def lookup(find: Callable[[str], Any], reference: str, where: PathParts) -> Any:
        try:
            return find(reference)
        except InputError as error:
            for problem in error.problems:
                problems.append(origin.problem(problem.message, where) if problem.file is None else problem)
            return None

    types, models = {}, {}
    for position, device in enumerate(file.devices):
        if device.type not in types:
            types[device.type] = lookup(library.device_type, device.type, ("devices", position, "type"))
    for position, service in enumerate(file.services):
        if service.model not in models:
            models[service.model] = lookup(library.model, service.model, ("services", position, "model"))
    runtimes = {}
    for reference, where in _runtimes(file, types, models):
        if reference not in runtimes:
            runtimes[reference] = lookup(library.runtime, reference, where)
    problems += _first(_name_problems(file), origin)
    file = _links(file, library, lookup)
    radios = tuple(_radios(file, library, lookup))
    problems += _first(_queue_problems(radios), origin)
    if problems:
        raise InputError(problems)
    instance = Instance(file.name or _name_of(path), file, models, types, radios, runtimes, path)
    problems = _first(service_problems(instance), origin) + _first(_override_problems(instance), origin)
    if problems:
        raise InputError(problems)
    return instance


def _runtimes(
    file: InstanceFile, types: Mapping[str, DeviceType | None], models: Mapping[str, Model | None]
) -> Iterator[tuple[str, PathParts]]:
    """Yield every runtime that is named, by whom: of types and models, who names them."""
    for position, device in enumerate(file.devices):
        kind, at = types[device.type], ("devices", position)
        if device.runtime is not None:
            yield device.runtime, (*at, "runtime")
        if kind is not None and kind.runtime is not None:
            yield kind.runtime, (*at, "type")
    for position, service in enumerate(file.services):
        model, place = models[service.model], ("services", position)
        if service.runtime is not None:
            yield service.runtime, (*place, "runtime")
        for graph in model.alternatives if model is not None else ():
            if graph.runtime is not None:
                yield graph.runtime, (*place, "model")


@dataclass(frozen=True)
class _Origin:
    """Addresses problems of the expanded file in the file as written."""

    document: Document
    expansion: Expansion

    def problem(self, text: str, where: PathParts) -> Problem:
        return self.as_written(text, self.expansion.where(where))

    def as_written(self, text: str, where: PathParts) -> Problem:
        return self.document.problem(text, where)


def _first(found: Iterable[tuple[str, PathParts]], origin: _Origin) -> list[Problem]:
    """Address the first problems; a file with more is not read to its end (finding near names takes time)."""
    return [origin.problem(text, where) for text, where in islice(found, _MOST_PROBLEMS)]


def _name_of(path: Path | None) -> str:
    """Return the name of a file as a label."""
    text = re.sub("[^a-z0-9]+", "-", path.stem.lower()) if path is not None else ""
    return text[:LONGEST_LABEL].strip("-") or "instance"


def _override_problems(instance: Instance) -> Iterator[tuple[str, PathParts]]:
    for position, device in enumerate(instance.devices):
        kind = instance.device_type(device)
        where: PathParts = ("devices", position)
        memory = device.memory if device.memory is not None else kind.memory
        reserve = device.reserve or kind.reserve
        if reserve.memory > memory:
            yield (
                f"the memory reserve ({reserve.memory:g} B) is larger than the memory ({memory:g} B)",
                (*where, "reserve" if device.reserve else "memory"),
            )
        if reserve.processor >= 1 and device.compute and kind.units:
            yield "the processor reserve leaves nothing for layers; set 'compute: false' instead", where
        for field in ("cores", "servers"):
            if getattr(device, field) is not None and not kind.units:
                yield f"type '{kind.name}' has no compute unit whose {field} could be set", (*where, field)
        if device.slices is not None and not any(unit.accelerator for unit in kind.units):
            yield f"type '{kind.name}' has no accelerator that could have slices", (*where, "slices")
        if device.container is not None and not kind.has_containers:
            yield f"type '{kind.name}' is a microcontroller and has no containers", (*where, "container")
        several = device.servers is None and any(unit.servers > 1 for unit in kind.units)
        if device.outages is not None and (several or (device.servers or 1) > 1):
            yield (
                "a compute unit that serves several jobs at once cannot have outages: no evaluator knows that",
                (
                    *where,
                    "outages",
                ),
            )


def _name_problems(file: InstanceFile) -> Iterator[tuple[str, PathParts]]:
    """Yield every device, zone or link name that is used twice or not known."""
    names = dict.fromkeys(device.name for device in file.devices)
    placed = {device.name for device in file.devices if device.position is not None}
    service_names = [service.name for service in file.services]
    for kind, given in (("device", [device.name for device in file.devices]), ("service", service_names)):
        seen: set[str] = set()
        for position, name in enumerate(given):
            if name in seen:
                yield f"the {kind} name '{name}' is used twice", (f"{kind}s", position, "name")
            seen.add(name)
    nodes: dict[str, str] = {}
    for position, device in enumerate(file.devices):
        other = nodes.setdefault(device.node, device.name)
        if other != device.name:
            yield f"'{device.name}' and '{other}' are the same node '{device.node}'", ("devices", position, "hostname")
    for position, link in enumerate(file.network.links):
        for end, name in enumerate(link.between):
            if name not in names:
                yield unknown("device", name, list(names)), ("network", "links", position, "between", end)
    yield from _links_twice(file)
    for position, radio in enumerate(file.network.radios):
        for index, name in enumerate(radio.devices or ()):
            where: PathParts = ("network", "radios", position, "devices", index)
            if name not in names:
                yield unknown("device", name, list(names)), where
            elif name not in placed:
                yield f"device '{name}' has no position, so no radio can reach it", where
    for zone, members in file.zones.items():
        if zone in names:
            yield f"the zone '{zone}' has the name of a device", ("zones", zone)
        for index, name in enumerate(members):
            if name not in names:
                yield unknown("device", name, list(names)), ("zones", zone, index)


def _links_twice(file: InstanceFile) -> Iterator[tuple[str, PathParts]]:
    """Yield every link between two devices that have one already: is it a second cable, or the way back?"""
    first: dict[frozenset[str], int] = {}
    for position, link in enumerate(file.network.links):
        known = first.setdefault(frozenset(link.between), position)
        if known != position:
            yield (
                f"'{link.between[0]}' and '{link.between[1]}' have a link already (links[{known}]); "
                "where the directions differ write one link with 'rate: {up: …, down: …}'",
                ("network", "links", position, "between"),
            )


def _queue_problems(radios: tuple[RadioLink, ...]) -> Iterator[tuple[str, PathParts]]:
    """Yield every radio whose queue is not that of the others on its channel: they wait in one."""
    stated: dict[str, int] = {}
    for position, radio in enumerate(radios):
        if radio.queue is None:
            continue
        name = radio.channel or radio.name
        known = stated.setdefault(name, radio.queue)
        if radio.queue != known:
            message = f"channel '{name}' has a queue of {known} already, not of {radio.queue}"
            yield message, ("network", "radios", position, "queue")


def _links(file: InstanceFile, library: Library, lookup: Callable[..., Any]) -> InstanceFile:
    """The file whose links have the figures of their technologies."""
    kinds: dict[str, LinkType | None] = {}
    for position, link in enumerate(file.network.links):
        if link.technology is not None and link.technology not in kinds:
            where: PathParts = ("network", "links", position, "technology")
            kinds[link.technology] = lookup(library.link, link.technology, where)
    if not kinds:
        return file
    bases = [None if link.technology is None else kinds[link.technology] for link in file.network.links]
    links = [link if base is None else link.like(base) for link, base in zip(file.network.links, bases, strict=True)]
    return file.model_copy(update={"network": file.network.model_copy(update={"links": tuple(links)})})


def _radios(file: InstanceFile, library: Library, lookup: Callable[..., Any]) -> Iterator[RadioLink]:
    for position, radio in enumerate(file.network.radios):
        base = None
        if radio.technology is not None:
            where: PathParts = ("network", "radios", position, "technology")
            base = lookup(library.radio, radio.technology, where)
            if base is None:
                continue
        yield _radio(file, position, radio, base)


def _radio(file: InstanceFile, position: int, radio: Radio, base: Any) -> RadioLink:
    def value(field: str, default: Any) -> Any:
        own = getattr(radio, field)
        if own is not None:
            return own
        return getattr(base, field) if base is not None else default

    inherited = [name for name in (base.assumed if base is not None else ()) if getattr(radio, name, None) is None]
    placed = tuple(device.name for device in file.devices if device.position is not None)
    name = base.name if base is not None else f"radio-{position + 1}"
    loss = value("loss", 0.0)
    return RadioLink(
        name=name,
        rate=value("rate", None) * value("goodput", 1.0) * (1.0 - loss),
        loss=loss,
        range=value("range", None),
        latency=value("latency", 0.0),
        transmit_energy=value("transmit_energy", None),
        devices=radio.devices if radio.devices is not None else placed,
        channel=(radio.channel or name) if radio.contention else None,
        queue=radio.queue,
        assumed=(*radio.assumed, *inherited),
    )
