"""Deterministic metrics of a placement: latency without waiting, work, bytes, energy, memory.

Latency is the expected data-to-decision latency of Disabato et al. (IEEE TC 70(8), 2021): one request alone
in the system. A tensor that one unit of a device hands to another takes the time of the switch. On a DAG branches on
different devices run in parallel and a station serves the fragments of a request one at a time, in the order in which
they get ready (:mod:`placer.plan.readiness`); on a chain this is the paper's sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from placer import jit
from placer.instance.compiled import Compiled
from placer.instance.topology import Arc
from placer.instance.variant import Variant
from placer.plan.placement import Placement, results_of, transfers_of
from placer.plan.readiness import run_by_readiness

Floats = NDArray[np.float64]
MANY = 200
"""Layers between two gates from which on their ends are worth a compiled loop."""

RouteKey = tuple[int, bool, int, int, int]
"""(service, is a result, tensor or layer, from device, to device)."""


@dataclass(frozen=True)
class ServiceMetrics:
    """What one service gets.

    Attributes:
        name: the service.
        alternative: the alternative chosen.
        latency: expected data-to-decision latency of a request alone in the system, s; inf when out of range.
        processing: expected processing time of a request, s.
        transfer: expected time on the air and on links, summed over transfers, s.
        energy: expected energy of a request above idle, J; NaN when a figure is unknown.
        accuracy: expected accuracy per completed job; NaN when unknown.
        rate: offered requests per second; NaN without arrivals.
        devices: how many devices run layers of it.
        missing: figures without which its energy or its accuracy is unknown, in words.
    """

    name: str
    alternative: str
    latency: float
    processing: float
    transfer: float
    energy: float
    accuracy: float
    rate: float
    devices: int
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeviceMetrics:
    """What one device bears.

    Attributes:
        name: the device.
        layers: layers placed on it.
        memory: bytes of RAM used by layers; ``free_memory`` of them are there.
        flash: bytes of the separate store for weights; NaN where there is none.
        compute: multiply-accumulates per inference of all layers here.
        utilisation: of each of its compute units by name, from the arrival rates.
    """

    name: str
    layers: int
    memory: float
    free_memory: float
    flash: float
    compute: float
    utilisation: dict[str, float]


@dataclass(frozen=True)
class Loads:
    """What a placement asks of the devices, as arrays: D devices, N stations.

    Attributes:
        layers: shape (D,).
        stored: shape (2 D + N,), bytes in every memory, see :class:`placer.instance.stores.Stores`.
        compute: shape (D,), multiply-accumulates per inference.
        work: shape (N,), seconds of work per second and server at the arrival rates (services without arrivals count
            nothing).
        unit_work: shape (N,), the same with a rate of 1/s for services without arrivals.
    """

    layers: Floats
    stored: Floats
    compute: Floats
    work: Floats
    unit_work: Floats


@dataclass
class RouteBook:
    """Where transfers go: routes of least time, unless a plan says otherwise.

    Attributes:
        compiled: the instance.
        given: arcs of the transfers that a plan routes itself.
    """

    compiled: Compiled
    given: Mapping[RouteKey, list[Arc]] = field(default_factory=dict)

    def seconds(self, variant: Variant, is_result: bool, tensor: int, tail: int, head: int) -> float:
        """Time of one transfer between devices in s; inf when there is no way."""
        if tail == head:
            return 0.0
        size = variant.result_size(tensor) if is_result else variant.tensor_size(tensor)
        arcs = self.given.get((variant.service, is_result, tensor, tail, head))
        if arcs is not None:
            return float(sum(arc.seconds(size) for arc in arcs))
        zone = None if is_result else self.compiled.tensor_zone(variant, tensor)
        return float(self.compiled.topology.routes(size, zone).seconds[tail, head])

    def arcs(self, variant: Variant, is_result: bool, tensor: int, tail: int, head: int) -> list[Arc]:
        """Arcs of one transfer; empty when there is no way or none is needed."""
        given = self.given.get((variant.service, is_result, tensor, tail, head))
        if given is not None:
            return given
        size = variant.result_size(tensor) if is_result else variant.tensor_size(tensor)
        zone = None if is_result else self.compiled.tensor_zone(variant, tensor)
        routes = self.compiled.topology.routes(size, zone)
        if tail == head or not np.isfinite(routes.seconds[tail, head]):
            return []
        return [routes.arcs[index] for index in routes.arcs_of(tail, head)]


def latency(compiled: Compiled, variant: Variant, stations: tuple[int, ...], book: RouteBook) -> float:
    """Expected latency in s of a request alone in the system; inf when something is out of reach."""
    at = compiled.station_device
    sink = int(compiled.sink[variant.service])
    finish = finish_times(compiled, variant, stations, book)
    decision = [
        finish[layer] + book.seconds(variant, True, layer, int(at[stations[layer]]), sink)
        for layer in range(len(variant))
    ]
    total = float(variant.run[-1]) * max(decision[leaf] for leaf in variant.leaves) if variant.run[-1] > 0 else 0.0
    return float(total + sum(share * decision[layer] for layer, share, _ in variant.exits if share > 0))


def finish_times(compiled: Compiled, variant: Variant, stations: tuple[int, ...], book: RouteBook) -> list[float]:
    """When each layer of a request alone in the system ends, s: gate by gate, between gates by readiness."""
    finish: list[float] = []
    for before, layers in variant.stretches:
        start = finish[before] if before >= 0 else 0.0
        layer = layers[0]
        if len(layers) == 1 and variant.predecessors[layer] == (before,):
            way = _way(compiled, variant, stations, book, before, stations[layer])
            finish.append(start + way + float(variant.time[layer, stations[layer]]))
            continue
        first, sources, ways = [0, 0], list[int](), list[float]()
        for reader in layers:
            for maker in variant.predecessors[reader]:
                sources.append(maker - before)  # of the gate or the input: 0
                ways.append(_way(compiled, variant, stations, book, maker, stations[reader]))
            first.append(len(sources))
        here: Any = [stations[before] if before >= 0 else -1, *stations[layers[0] : layers[-1] + 1]]
        servers: Any = [int(compiled.servers[station]) if station >= 0 else 1 for station in here]
        sent: Any = [False, *(layer in variant.leaves for layer in layers)]
        seconds: Any = [0.0, *(float(variant.time[layer, stations[layer]]) for layer in layers)]
        done: Any = [0.0] * len(here)
        graph: tuple[Any, ...] = (first, sources, here, servers, sent, seconds, ways, done)
        if len(here) > MANY:
            graph = tuple(np.array(one) for one in graph)
        # what is not compiled is quicker with lists
        jit.version(run_by_readiness, None if len(here) > MANY else False)(*graph)
        finish += [start + float(one) for one in graph[-1][1:]]
    return finish


def _way(
    compiled: Compiled, variant: Variant, stations: tuple[int, ...], book: RouteBook, maker: int, head: int
) -> float:
    """Seconds from the end of a layer (-1: the input) until its tensor is on a station."""
    at = compiled.station_device
    tail = int(compiled.source[variant.service]) if maker < 0 else int(at[stations[maker]])
    if maker >= 0 and tail == at[head]:
        return 0.0 if stations[maker] == head else float(compiled.switch(tail, variant.tensor_size(maker)))
    return book.seconds(variant, False, maker, tail, int(at[head]))


def service_metrics(compiled: Compiled, variant: Variant, stations: tuple[int, ...], book: RouteBook) -> ServiceMetrics:
    """Metrics of one service under a placement."""
    rows = np.arange(len(variant))
    times = variant.time[rows, list(stations)]
    with np.errstate(invalid="ignore"):
        busy = np.where(variant.run > 0, variant.run * times, 0.0)
    joules = variant.joules[rows, list(stations)]
    energy = float(np.sum(np.where(variant.run > 0, variant.run * joules, 0.0)))
    moving = 0.0
    for is_result, tensor, tail, head, probability in moves(compiled, variant, stations):
        if tail == head or probability == 0:
            continue
        moving += probability * book.seconds(variant, is_result, tensor, tail, head)
        size = variant.result_size(tensor) if is_result else variant.tensor_size(tensor)
        energy += probability * sum(size * arc.energy for arc in book.arcs(variant, is_result, tensor, tail, head))
    return ServiceMetrics(
        name=compiled.instance.services[variant.service].name,
        alternative=variant.name,
        latency=latency(compiled, variant, stations, book),
        processing=float(busy.sum()),
        transfer=moving,
        energy=energy,
        accuracy=variant.accuracy,
        rate=float(compiled.rate[variant.service]),
        devices=len({int(compiled.station_device[station]) for station in stations}),
        missing=tuple(_missing(compiled, variant, stations, book)) if np.isnan(energy + variant.accuracy) else (),
    )


def _missing(compiled: Compiled, variant: Variant, stations: tuple[int, ...], book: RouteBook) -> dict[str, None]:
    """The figures without which energy or accuracy is unknown, each once, in order."""
    instance, found = compiled.instance, dict[str, None]()
    dark = np.isnan(variant.joules[np.arange(len(variant)), list(stations)]) & (variant.run > 0)
    for station in dict.fromkeys(np.array(stations)[dark].tolist()):
        if np.isnan(compiled.power[station]):
            device = instance.devices[int(compiled.station_device[station])]
            found[f"power of device type {instance.device_type(device).name}"] = None
    for is_result, tensor, tail, head, _ in moves(compiled, variant, stations):
        for arc in book.arcs(variant, is_result, tensor, tail, head):
            if np.isnan(arc.energy):
                over = compiled.topology.carrier(arc.carrier).name if arc.technology == "link" else ""
                found[f"transmit_energy of {over or f'radio {arc.technology}'}"] = None
    model = instance.model(instance.services[variant.service]).name
    if np.isnan(variant.final_accuracy):
        found[f"accuracy of model {model}"] = None
    for layer, _, accuracy in variant.exits:
        if np.isnan(accuracy):
            found[f"accuracy of the exit after {variant.layers[layer]} of model {model}"] = None
    return found


def moves(compiled: Compiled, variant: Variant, stations: tuple[int, ...]) -> list[tuple[bool, int, int, int, float]]:
    """All transfers of a request: (is a result, tensor, from device, to device, probability)."""
    return [(False, *move) for move in transfers_of(compiled, variant, stations)] + [
        (True, *move) for move in results_of(compiled, variant, stations)
    ]


def loads(compiled: Compiled, placement: Placement) -> Loads:
    """What a placement asks of every device and station."""
    devices, units, stores = len(compiled.device_names), len(compiled.stations), compiled.stores
    layers, compute = np.zeros(devices), np.zeros(devices)
    work, unit_work, peak = np.zeros(units), np.zeros(units), np.zeros(units)
    for choice, assignment in zip(placement.choice, placement.stations, strict=True):
        variant = compiled.variants[choice]
        stations = np.array(assignment, dtype=np.int64)
        here = compiled.station_device[stations]
        np.add.at(layers, here, 1.0)
        np.add.at(compute, here, variant.macs)
        np.maximum.at(peak, stations, variant.activations[np.arange(len(variant)), stations])
        with np.errstate(invalid="ignore"):
            busy = np.where(variant.run > 0, variant.run * variant.time[np.arange(len(variant)), stations], 0.0)
        rate = compiled.rate[variant.service]
        if not np.isnan(rate):
            np.add.at(work, stations, busy * rate)
        np.add.at(unit_work, stations, busy * (1.0 if np.isnan(rate) else rate))
    stored = compiled.sharing.kept(placement.choice, placement.stations) + stores.shared(peak)
    return Loads(layers, stored, compute, work / compiled.servers, unit_work / compiled.servers)
