"""An instance compiled once into dense arrays: what every algorithm starts from.

A *station* is one compute unit of one device: where layers are placed. A *variant* is one alternative of one
service: its layers in topological order. All units SI.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from placer.errors import InputError, Problem
from placer.instance.device import Device, DeviceType, Reserve, Unit
from placer.instance.instance import Instance
from placer.instance.model import Alternative
from placer.instance.runtime import process_memory
from placer.instance.service import Service
from placer.instance.sharing import Sharing, sharing_of
from placer.instance.stores import Stores, stores_of
from placer.instance.timing import active_power, figures_of
from placer.instance.topology import Topology, Zone, build_topology
from placer.instance.variant import Memory, Variant, compile_variant
from placer.instance.working import working_memory

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


LARGEST_TABLE = 5_000_000
"""More pairs of layer and compute unit than this are refused."""


@dataclass(frozen=True)
class Station:
    """One compute unit of one device.

    Attributes:
        name: the device's name, or ``device/unit`` when the device has several units.
        device: index of the device.
        unit: the unit's name.
    """

    name: str
    device: int
    unit: str


@dataclass(frozen=True, eq=False)
class Compiled:
    """Dense arrays of an instance: D devices, N stations, S services.

    Attributes:
        instance: what was compiled.
        topology: arcs and routes between devices.
        stations: the N compute units.
        station_device: shape (N,), device of each station.
        memory: shape (D,), bytes of RAM free for layers.
        flash: shape (D,), bytes for weights apart from RAM; NaN where weights live in RAM.
        unit_memory: shape (N,), bytes of the unit's own memory; NaN where it shares the device's.
        max_layers: shape (D,), inf when there is no limit.
        max_compute: shape (D,), multiply-accumulates per inference; inf when there is no limit.
        servers: shape (N,), jobs that a unit serves at once.
        max_work: shape (N,), seconds of work per second: the largest utilisation times the servers; inf when there is
            no limit.
        switch_time, switch_pace: shape (D,), s and s/byte of handing a tensor from one unit of a device to another.
        power: shape (N,), load minus idle power in W; NaN when unknown.
        source, sink: shape (S,), devices.
        rate: shape (S,), mean arrivals per second; NaN when the service has none.
        weight: shape (S,), weight in sums over services.
        variants: all alternatives of all services.
        service_variants: per service the indices of its variants.
        unlimited: channels and carriers, by name, that may carry any load: explanations lift limits one by one.
    """

    instance: Instance
    topology: Topology
    stations: tuple[Station, ...]
    station_device: Ints
    memory: Floats
    flash: Floats
    unit_memory: Floats
    max_layers: Floats
    max_compute: Floats
    servers: Ints
    max_work: Floats
    switch_time: Floats
    switch_pace: Floats
    power: Floats
    source: Ints
    sink: Ints
    rate: Floats
    weight: Floats
    variants: tuple[Variant, ...]
    service_variants: tuple[tuple[int, ...], ...]
    unlimited: frozenset[str] = frozenset()

    @property
    def device_names(self) -> tuple[str, ...]:
        """Names of the devices."""
        return self.topology.names

    @property
    def mix(self) -> Floats:
        """Requests per second of each service, 1/s for those without arrivals, shape (S,): how they stand together."""
        return np.where(np.isnan(self.rate), 1.0, self.rate)

    def by_energy(self) -> Compiled:
        """The same instance, whose tensors take the ways on which senders spend least."""
        return replace(self, topology=self.topology.by_energy())

    @property
    def max_airtime(self) -> float:
        """Largest share of a channel's airtime; inf without a limit."""
        limit = self.instance.file.limits.airtime
        return np.inf if limit is None else limit

    def channel_limit(self, channel: str) -> float:
        """Largest share of the airtime of one channel; inf without a limit."""
        return np.inf if channel in self.unlimited else self.max_airtime

    @property
    def max_link_utilisation(self) -> float:
        """Largest utilisation of a link direction; inf without a limit."""
        limit = self.instance.file.limits.links
        return np.inf if limit is None else limit

    def carrier_limit(self, number: int) -> float:
        """Largest utilisation of one carrier that is no channel; inf without a limit."""
        if self.unlimited and self.topology.carrier(number).name in self.unlimited:
            return np.inf
        return self.max_link_utilisation

    @cached_property
    def stores(self) -> Stores:
        """The memories of devices and units, and which of them holds what: the rule is there."""
        return stores_of(self.memory, self.flash, self.unit_memory, self.servers, self.station_device)

    @cached_property
    def sharing(self) -> Sharing:
        """Which services have loaded weights in common."""
        return sharing_of(self.stores, self.instance.services, self.variants)

    @cached_property
    def station_index(self) -> dict[tuple[str, str], int]:
        """Index of each station by (device name, unit name)."""
        names = self.device_names
        return {(names[s.device], s.unit): index for index, s in enumerate(self.stations)}

    def transfer(self, size: float, zone: Zone | None = None) -> Floats:
        """Return the seconds to move ``size`` bytes between stations, shape (N, N)."""
        at = self.station_device
        seconds: Floats = self.topology.routes(size, zone).seconds[np.ix_(at, at)]
        if len(np.unique(at)) < len(at):  # some device has several units
            between = (at[:, None] == at[None, :]) & ~np.eye(len(at), dtype=bool)
            seconds = np.where(between, self.switch(at, size)[:, None], seconds)
        return seconds

    def switch(self, device: Ints | int, size: float) -> Floats:
        """Return the seconds to hand ``size`` bytes from one unit of a device to another, of the devices' shape."""
        return np.asarray(self.switch_time[device] + size * self.switch_pace[device])

    def tensor_zone(self, variant: Variant, tensor: int) -> Zone | None:
        """Return the devices that a tensor may touch (None: all); ``tensor`` -1 is the input."""
        return variant.zone if variant.private[tensor] else None

    def fetch(self, variant: Variant) -> Floats:
        """Return the seconds to bring the input of a variant from its source to each station, shape (N,)."""
        routes = self.topology.routes(variant.input, self.tensor_zone(variant, -1))
        seconds: Floats = routes.seconds[self.source[variant.service], self.station_device]
        return seconds

    def deliver(self, variant: Variant, layer: int) -> Floats:
        """Return the seconds to bring the result of ``layer`` from each station to the sink, shape (N,)."""
        size = variant.result_size(layer)
        seconds: Floats = self.topology.routes(size).seconds[self.station_device, self.sink[variant.service]]
        return seconds


def compile_instance(instance: Instance) -> Compiled:
    """Compile an instance. Figures that a device overrides win over those of its type.

    Raises:
        InputError: when it is too large.
    """
    _check_size(instance)
    topology = build_topology(instance)
    index = {name: position for position, name in enumerate(topology.names)}
    stations: list[Station] = []
    units: list[tuple[Device, DeviceType, Unit]] = []
    for position, device in enumerate(instance.devices):
        kind = instance.device_type(device)
        for unit in kind.units if device.compute else ():
            name = device.name if len(kind.units) == 1 else f"{device.name}/{unit.name}"
            stations.append(Station(name, position, unit.name))
            units.append((device, kind, unit))
    variants, service_variants = _variants(instance, index, stations, units)
    limits = instance.file.limits
    switches = [device.switch or instance.device_type(device).switch for device in instance.devices]
    servers = np.array([_servers(*unit) for unit in units], dtype=np.int64)
    return Compiled(
        instance=instance,
        topology=topology,
        stations=tuple(stations),
        station_device=np.array([station.device for station in stations], dtype=np.int64),
        memory=np.array([_free_memory(device, instance.device_type(device)) for device in instance.devices]),
        flash=np.array([_flash(device, instance.device_type(device)) for device in instance.devices]),
        unit_memory=np.array([np.nan if unit.memory is None else unit.memory for _, _, unit in units], dtype=float),
        max_layers=_limit([device.layers for device in instance.devices], limits.layers),
        max_compute=_limit(
            [
                device.max_compute if device.max_compute is not None else instance.device_type(device).max_compute
                for device in instance.devices
            ],
            None,
        ),
        servers=servers,
        max_work=servers * _limit([device.utilisation for device, _, _ in units], limits.utilisation),
        switch_time=np.array([switch.time for switch in switches]),
        switch_pace=np.array([1.0 / switch.rate for switch in switches]),
        power=np.array([active_power(*unit) for unit in units], dtype=float),
        source=np.array([index[service.source] for service in instance.services], dtype=np.int64),
        sink=np.array([index[service.result_device] for service in instance.services], dtype=np.int64),
        rate=np.array([_rate(service) for service in instance.services]),
        weight=np.array([service.weight for service in instance.services]),
        variants=tuple(variants),
        service_variants=tuple(tuple(group) for group in service_variants),
    )


def _check_size(instance: Instance) -> None:
    layers = sum(len(graph.layers) for service in instance.services for graph in instance.alternatives(service))
    units = sum(len(instance.device_type(device).units) for device in instance.devices if device.compute)
    if layers * units > LARGEST_TABLE:
        message = f"{layers} layers on {units} compute units make more than {LARGEST_TABLE} pairs: too many"
        raise InputError([Problem(message, "$", str(instance.path or instance.name))])


def _variants(
    instance: Instance,
    index: dict[str, int],
    stations: list[Station],
    units: list[tuple[Device, DeviceType, Unit]],
) -> tuple[list[Variant], list[list[int]]]:
    variants: list[Variant] = []
    service_variants: list[list[int]] = []
    for position, service in enumerate(instance.services):
        model = instance.model(service)
        zone = None
        if service.privacy is not None:
            zone = frozenset(index[name] for name in instance.zone(service.privacy.zone))
        group = []
        for graph in instance.alternatives(service):
            figures = figures_of(graph, model, service, units)
            memory = _memory(instance, service, graph, units)
            placement = [(place.device, instance.devices[place.device].name, place.unit) for place in stations]
            group.append(len(variants))
            variants.append(compile_variant(position, service, graph, figures, placement, zone, memory))
        service_variants.append(group)
    return variants, service_variants


def _memory(
    instance: Instance, service: Service, graph: Alternative, units: list[tuple[Device, DeviceType, Unit]]
) -> Memory:
    runtimes = [instance.runtime(service, graph, device) for device, _, _ in units]
    processes = [
        process_memory(graph, device, kind, runtime) for (device, kind, _), runtime in zip(units, runtimes, strict=True)
    ]
    return Memory(working_memory(graph, runtimes), np.array(processes, dtype=float))


def _free_memory(device: Device, kind: DeviceType) -> float:
    reserve = device.reserve or kind.reserve
    return (device.memory if device.memory is not None else kind.memory) - reserve.memory


def _servers(device: Device, kind: DeviceType, unit: Unit) -> int:
    return device.servers if device.servers is not None and unit is kind.units[0] else unit.servers


def _flash(device: Device, kind: DeviceType) -> float:
    flash = device.flash if device.flash is not None else kind.flash
    return np.nan if flash is None else flash


def _limit(own: list[float | None] | list[int | None], common: float | None) -> Floats:
    fallback = np.inf if common is None else common
    return np.array([fallback if value is None else value for value in own], dtype=float)


def _rate(service: Service) -> float:
    return np.nan if service.arrivals is None else service.arrivals.mean_rate


__all__ = ["Compiled", "Reserve", "Station", "compile_instance"]
