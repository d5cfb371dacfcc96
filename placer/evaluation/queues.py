"""The queueing network of a placement: fragments as jobs at stations, transfers as delays or stations of their own.

Each compute unit is a station with its servers and the buffer of its device; a fragment is served there as one job,
admitted once. So are link directions and channels (:class:`placer.instance.carriers.Carrier`): a tensor waits for those
before it, and is lost where the queue is full. Exits inside a fragment are endings of its service: the job leaves with
the work done up to the gate; its result takes its time to the sink and waits for nobody. Services without arrivals are
not part of the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from placer.evaluation.blocks import Block, block_of, tasks_of
from placer.evaluation.deterministic import RouteBook, loads
from placer.instance.compiled import Compiled
from placer.instance.service import Service
from placer.plan.placement import Placement, fragments_of
from placer.queueing.network import UNLIMITED, Arrivals, Floats, Ints, Process, QueueNetwork

GONE = 1e9
"""Mean outage in s of the station that stands for devices that are down."""

MOST_BLOCKS = 20_000
"""Assignments that a builder remembers before it starts anew."""


@dataclass(frozen=True)
class Labelled:
    """A queueing network with the names of what it is made of.

    Attributes:
        network: the arrays.
        services: name of each class.
        stations: name of each station.
        devices: device of each station; empty for a link or a channel.
        offered: shape (C,), requests per second before any rate limit at the source.
    """

    network: QueueNetwork
    services: tuple[str, ...]
    stations: tuple[str, ...]
    devices: tuple[str, ...]
    offered: Floats


class NetworkBuilder:
    """Builds the queueing networks of placements; what services have in common is built once.

    Blocks number stations alike, whoever builds them: the compute units, then the carriers of the instance. A network
    holds the compute units and, in that order, the carriers that its placement uses, see :func:`used_carriers`.

    Attributes:
        compiled: the instance.
        book: the routes.
        served: services that have arrivals, in order: the classes of every network.
    """

    def __init__(self, compiled: Compiled, book: RouteBook | None = None) -> None:
        self.compiled = compiled
        self.book = book or RouteBook(compiled)
        self.served = tuple(s for s, service in enumerate(compiled.instance.services) if service.arrivals is not None)
        self.arrivals = {s: arrivals_of(compiled.instance.services[s]) for s in self.served}
        self._blocks: dict[tuple[int, tuple[int, ...]], Block] = {}
        buffers = [compiled.instance.devices[place.device].buffer for place in compiled.stations]
        numbers = [UNLIMITED if buffer is None else buffer for buffer in buffers if buffer != "memory"]
        self._fixed_capacity = numbers if len(numbers) == len(buffers) else None

    def block(self, choice: int, stations: tuple[int, ...]) -> Block:
        """The tasks of one variant under one assignment."""
        key = (choice, stations)
        found = self._blocks.get(key)
        if found is None:
            if len(self._blocks) > MOST_BLOCKS:
                self._blocks.clear()
            found = self._blocks[key] = block_of(
                tasks_of(self.compiled, self.book, self.compiled.variants[choice], stations)
            )
        return found

    def blocks(self, placement: Placement) -> list[Block]:
        """The blocks of all served services."""
        return [self.block(placement.choice[s], placement.stations[s]) for s in self.served]

    def network(
        self,
        placement: Placement,
        arrivals: Sequence[Arrivals] | None = None,
        down: frozenset[int] = frozenset(),
    ) -> QueueNetwork:
        """The network of a placement.

        Args:
            placement: which station runs each layer.
            arrivals: arrival process of each served service; those of the instance when None.
            down: devices that are not there. They neither compute, send, relay nor receive: tasks that need one go to a
                station of their own, the last one, that turns everything away; requests of a source that is down are
                offered all the same, and lost.
        """
        blocks = self.blocks(placement)
        streams = tuple(self.arrivals[s] for s in self.served) if arrivals is None else tuple(arrivals)
        carriers = used_carriers(self.compiled, blocks)
        places = [*self.capacity(placement), *(self.compiled.topology.carrier(int(c)).queue for c in carriers)]
        up, down_times = _outages(self.compiled, len(carriers))
        if down:
            places, up, down_times = [*places, 1], [*up, 1.0 / GONE], [*down_times, GONE]
        network = _joined(blocks, np.array(places, dtype=np.int64), streams, up, down_times)
        servers = np.ones(len(places), dtype=np.int64)
        servers[: len(self.compiled.servers)] = self.compiled.servers
        station = renumbered(self.compiled, network.task_station, carriers)
        if down:
            fails = np.array([bool(needs & down) for block in blocks for needs in block.needs], dtype=bool)
            station = np.where(fails, len(places) - 1, station)
        return replace(network, task_station=station, servers=servers)

    def capacity(self, placement: Placement) -> Ints:
        """K of every compute unit, shape (N,)."""
        fixed = self._fixed_capacity
        return np.array(_capacities(self.compiled, placement) if fixed is None else fixed, dtype=np.int64)

    def labelled(self, placement: Placement, spacing: Mapping[int, float] | None = None) -> Labelled:
        """The network of a placement with the names of what it is made of.

        Args:
            placement: which station runs each layer.
            spacing: rate limits at the sources, seconds by service index.
        """
        streams = [behind_limit(self.arrivals[s], (spacing or {}).get(s, 0.0)) for s in self.served]
        network = self.network(placement, streams)
        compiled = self.compiled
        carriers = [compiled.topology.carrier(int(c)) for c in used_carriers(compiled, self.blocks(placement))]
        labels = [*(station.name for station in compiled.stations), *(carrier.name for carrier in carriers)]
        devices = [compiled.device_names[station.device] for station in compiled.stations]
        names = tuple(compiled.instance.services[s].name for s in self.served)
        offered = np.array([self.arrivals[s].rate for s in self.served])
        return Labelled(network, names, tuple(labels), (*devices, *("" for _ in carriers)), offered)


class HasStations(Protocol):
    """Whatever visits stations, numbered as blocks number them."""

    @property
    def station(self) -> Ints:
        """The stations, shape (n,)."""


def used_carriers(compiled: Compiled, blocks: Sequence[HasStations]) -> Ints:
    """The carriers that some blocks use, by their number in the instance, increasing."""
    units = len(compiled.stations)
    station = np.concatenate([block.station for block in blocks]) if blocks else np.zeros(0, dtype=np.int64)
    return np.unique(station[station >= units]) - units


def renumbered(compiled: Compiled, station: Ints, carriers: Ints) -> Ints:
    """Stations as blocks number them, numbered as in a network that holds ``carriers``."""
    units = len(compiled.stations)
    return np.where(station >= units, units + np.searchsorted(carriers, station - units), station)


def queue_network(
    compiled: Compiled, placement: Placement, book: RouteBook, spacing: Mapping[int, float] | None = None
) -> Labelled | None:
    """Return the queueing network of a placement; None when no service has arrivals.

    ``spacing`` are the rate limits at the sources: seconds by service index.
    """
    builder = NetworkBuilder(compiled, book)
    return builder.labelled(placement, spacing) if builder.served else None


def behind_limit(stream: Arrivals, spacing: float) -> Arrivals:
    """A Poisson process behind a token bucket that holds one token, refilled ``spacing`` seconds after it was taken.

    The admitted ones are a renewal process of times ``spacing + Exp(lambda)``: rate ``1/(spacing + 1/lambda)``.
    """
    if spacing <= 0.0:
        return stream
    return replace(stream, rate=1.0 / (spacing + 1.0 / stream.rate), spacing=spacing)


def _capacities(compiled: Compiled, placement: Placement) -> list[int]:
    """K of every station: as given, or what the memory left free holds of the largest waiting input."""
    free = np.maximum(compiled.memory - compiled.stores.ram(loads(compiled, placement).stored), 0.0)
    largest = np.zeros(len(compiled.stations))
    for choice, stations in zip(placement.choice, placement.stations, strict=True):
        variant = compiled.variants[choice]
        for station, layers in fragments_of(variant, stations):
            outside = {u for layer in layers for u in variant.predecessors[layer] if u not in layers}
            size = sum(variant.tensor_size(tensor) for tensor in outside)
            largest[station] = max(largest[station], size)
    result = []
    for station, place in enumerate(compiled.stations):
        buffer = compiled.instance.devices[place.device].buffer
        if buffer != "memory":
            result.append(UNLIMITED if buffer is None else buffer)
            continue
        if largest[station] > 0:
            result.append(int(compiled.servers[station] + min(free[place.device] // largest[station], 10**6)))
        else:
            result.append(UNLIMITED)
    return result


def _outages(compiled: Compiled, carriers: int) -> tuple[list[float], list[float]]:
    up, down = [], []
    for place in compiled.stations:
        outages = compiled.instance.devices[place.device].outages
        up.append(0.0 if outages is None else outages.up)
        down.append(0.0 if outages is None else outages.down)
    return up + [0.0] * carriers, down + [0.0] * carriers


def arrivals_of(service: Service) -> Arrivals:
    """The arrival process of a service that has one."""
    spec = service.arrivals
    assert spec is not None
    if spec.process == "mmpp":
        count = len(spec.states)
        generator = np.zeros((count, count))
        for state, entry in enumerate(spec.states):
            generator[state, state] -= 1.0 / entry.mean
            generator[state, (state + 1) % count] += 1.0 / entry.mean
        rates = np.array([state.rate for state in spec.states])
        return Arrivals(Process.MMPP, spec.mean_rate, rates=rates, generator=generator)
    if spec.process == "trace":
        # an origin far back (seconds since 1970) is no time without arrivals
        return Arrivals(Process.TRACE, spec.mean_rate, times=np.array(spec.times) - spec.times[0])
    if spec.process == "periodic":
        return Arrivals(Process.PERIODIC, spec.mean_rate, phase=spec.phase)
    return Arrivals(Process.POISSON, spec.mean_rate)


def _joined(
    blocks: list[Block], capacity: Ints, arrivals: tuple[Arrivals, ...], up: list[float], down: list[float]
) -> QueueNetwork:
    starts = np.cumsum([0, *(block.tasks for block in blocks)])

    def pointers(parts: list[Ints]) -> Ints:
        ends = np.cumsum([0, *(int(part[-1]) for part in parts)])
        joined = [part[:-1] + end for part, end in zip(parts, ends, strict=False)]
        return np.append(np.concatenate(joined), ends[-1]).astype(np.int64)

    columns = {name: np.concatenate([block.outcomes[name] for block in blocks]) for name in blocks[0].outcomes}
    return QueueNetwork(
        capacity=capacity,
        arrivals=arrivals,
        class_tasks=starts.astype(np.int64),
        task_station=np.concatenate([block.station for block in blocks]),
        pred_ptr=pointers([block.pred_ptr for block in blocks]),
        preds=np.concatenate([block.preds + start for block, start in zip(blocks, starts, strict=False)]),
        outcome_ptr=pointers([block.outcome_ptr for block in blocks]),
        up=np.array(up),
        down=np.array(down),
        **columns,
    )
