"""The Instance: an instance file with every reference resolved and every name checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from placer.instance.device import Device, DeviceType
from placer.instance.meaning import meaning_hash
from placer.instance.model import Alternative, Graph, Model
from placer.instance.network import Link
from placer.instance.runtime import Runtime, runtime_named
from placer.instance.schema import InstanceFile
from placer.instance.service import Service


@dataclass(frozen=True)
class RadioLink:
    """A radio of the instance with its technology's figures filled in; SI units.

    ``rate`` is the goodput in bytes/s, what is sent again because of the ``loss`` of packets taken off. ``channel`` is
    whose airtime it shares, None without contention; ``queue`` as written, None where it is not.
    """

    name: str
    rate: float
    loss: float
    range: float
    latency: float
    transmit_energy: float | None
    devices: tuple[str, ...]
    channel: str | None
    queue: int | None
    assumed: tuple[str, ...]


@dataclass(frozen=True)
class Instance:
    """What is asked, complete and checked. Immutable; SI units.

    Attributes:
        name: name of the instance.
        file: the instance as written.
        models: the model of each service, by its reference.
        types: the type of each device, by its reference.
        radios: the radios, figures filled in.
        runtimes: the inference runtimes, by their reference.
        path: the file that it was read from, or None.
    """

    name: str
    file: InstanceFile
    models: dict[str, Model]
    types: dict[str, DeviceType]
    radios: tuple[RadioLink, ...]
    runtimes: dict[str, Runtime] = field(default_factory=dict)
    path: Path | None = None

    def __repr__(self) -> str:
        return f"<Instance {self.name}: {len(self.devices)} devices, {len(self.services)} services>"

    @property
    def devices(self) -> tuple[Device, ...]:
        """The inventory."""
        return self.file.devices

    @property
    def services(self) -> tuple[Service, ...]:
        """The services."""
        return self.file.services

    @property
    def links(self) -> tuple[Link, ...]:
        """The explicit links."""
        return self.file.network.links

    def device_type(self, device: Device) -> DeviceType:
        """Return the type of a device."""
        return self.types[device.type]

    def model(self, service: Service) -> Model:
        """Return the model of a service."""
        return self.models[service.model]

    def alternatives(self, service: Service) -> list[Alternative]:
        """Return the alternatives that a service may choose from."""
        every = self.model(service).alternatives
        return [a for a in every if service.alternatives is None or a.name in service.alternatives]

    def runtime(self, service: Service, graph: Graph, device: Device) -> Runtime | None:
        """Return the inference runtime that serves an alternative on a device; None where nothing names one."""
        name = runtime_named(service, graph, device, self.device_type(device))
        return None if name is None else self.runtimes[name]

    def zone(self, names: tuple[str, ...]) -> frozenset[str]:
        """Return the devices that a list of zones and devices stands for."""
        members: set[str] = set()
        for name in names:
            members.update(self.file.zones.get(name, (name,)))
        return frozenset(members)

    @cached_property
    def meaning_hash(self) -> str:
        """Hash of what the instance means: comments, order of keys, titles and sources do not matter."""
        return meaning_hash(self.file, self.types, self.models, self.radios, self.runtimes)
