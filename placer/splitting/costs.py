"""What a cut costs, as arrays: every objective is affine in the uplink's inverse rate and in the server's load.

Layers run on the *device* or on the *server*; a tensor made on the device and read on the server crosses the
uplink once, whoever reads it; nothing is sent back but the result. At x = 1/rate (s/byte) and load k a cut costs
c + cx * x + ck * k: a *plane*. Latency and device energy both have this form, so break points over rate and
load are where planes meet.

A tensor may cross in several *ways* (as it is, or compressed); the cheapest way at (x, k) is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]


class Plane(NamedTuple):
    """Cost c + cx * x + ck * k at inverse rate x (s/byte) and server load k."""

    c: float
    cx: float
    ck: float

    def at(self, x: float, load: float) -> float:
        """Value at a point; a term without a coefficient counts nothing, also where x is infinite."""
        return self.c + (self.cx * x if self.cx else 0.0) + (self.ck * load if self.ck else 0.0)


class Way(NamedTuple):
    """One way for a tensor to cross: its plane, and what it keeps busy.

    Attributes:
        plane: cost in the objective.
        device: seconds on the device (encoder).
        bytes: expected bytes on the uplink.
        server: seconds on the unloaded server (decoder).
        option: name of the compression; empty when the tensor crosses as it is.
    """

    plane: Plane
    device: float
    bytes: float
    server: float
    option: str


@dataclass(frozen=True, eq=False)
class SplitCosts:
    """Costs of M layers of a DAG in topological order.

    Attributes:
        names: layer names, length M.
        predecessors: per layer the layers that it reads; -1 is the input.
        device: shape (M,), cost of a layer on the device; inf where it cannot run.
        server: shape (M,), coefficient of the load of a layer on the server; inf where it cannot run.
        home: shape (M,), cost beside it of a layer on the device (its result on the way to another sink).
        back: per layer the plane of its result's way back from the server; load-free.
        ways: per tensor its ways to cross; the last entry is the input.
        device_seconds, server_seconds: shape (M,), expected busy times, whatever the objective.
        unit: unit of the objective, ``s`` or ``J``.
    """

    names: tuple[str, ...]
    predecessors: tuple[tuple[int, ...], ...]
    device: Floats
    server: Floats
    home: Floats
    back: tuple[Plane, ...]
    ways: tuple[tuple[Way, ...], ...]
    device_seconds: Floats
    server_seconds: Floats
    unit: str = "s"

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def readers(self) -> tuple[tuple[int, ...], ...]:
        """Per tensor the layers that read it; the last entry is the input."""
        found: list[list[int]] = [[] for _ in range(len(self) + 1)]
        for layer, sources in enumerate(self.predecessors):
            for source in sources:
                found[source].append(layer)
        return tuple(tuple(layers) for layers in found)

    def crossing(self, x: float, load: float) -> tuple[Floats, list[Way | None]]:
        """Cheapest way of each tensor at a point: (cost, way), length M + 1; a tensor nobody reads has none."""
        cost, chosen = np.zeros(len(self) + 1), list[Way | None]()
        for tensor, ways in enumerate(self.ways):
            best = min(ways, key=lambda way: way.plane.at(x, load)) if self.readers[tensor] else None
            chosen.append(best)
            if best is not None:
                cost[tensor] = best.plane.at(x, load)
        return cost, chosen

    def on_device(self) -> Floats:
        """Cost of each layer on the device, shape (M,)."""
        return self.device + self.home

    def on_server(self, x: float, load: float) -> Floats:
        """Cost of each layer on the server at a point, shape (M,)."""
        cost: Floats = load * self.server + np.array([plane.at(x, load) for plane in self.back])
        return cost


@dataclass(frozen=True)
class Cut:
    """Which layers run on the server, and how the tensors between cross.

    Attributes:
        on_server: per layer.
        crossing: (tensor, way) of each tensor that crosses; -1 is the input.
        plane: its cost.
    """

    on_server: tuple[bool, ...]
    crossing: tuple[tuple[int, Way], ...]
    plane: Plane

    def value(self, x: float, load: float) -> float:
        """Cost at a point."""
        return self.plane.at(x, load)

    @property
    def bytes(self) -> float:
        """Expected bytes on the uplink."""
        return sum(way.bytes for _, way in self.crossing)


class Stages(NamedTuple):
    """Seconds that one request keeps each of the three stages of the pipeline busy."""

    device: float
    uplink: float
    server: float

    @property
    def largest(self) -> float:
        """The bottleneck: one over the largest rate of requests that fits."""
        return max(self)


def crossing_tensors(costs: SplitCosts, on_server: Sequence[bool]) -> list[int]:
    """Return the tensors made on the device (or the input, -1) that the server reads."""
    last = len(costs)
    return [
        tensor if tensor < last else -1
        for tensor, readers in enumerate(costs.readers)
        if not (tensor < last and on_server[tensor]) and any(on_server[reader] for reader in readers)
    ]


def make_cut(costs: SplitCosts, on_server: Sequence[bool], x: float, load: float) -> Cut:
    """Return a cut with the ways that are cheapest at (x, load).

    Args:
        costs: the costs.
        on_server: per layer; a layer that reads from the server must be on the server.
        x: inverse rate in s/byte.
        load: factor on the server's times.
    """
    _, chosen = costs.crossing(x, load)
    return with_ways(costs, on_server, chosen)


def with_ways(costs: SplitCosts, on_server: Sequence[bool], chosen: Sequence[Way | None]) -> Cut:
    """Return a cut whose crossing tensors take the ways ``chosen`` (length M + 1)."""
    crossing = []
    for tensor in crossing_tensors(costs, on_server):
        way = chosen[tensor]
        assert way is not None
        crossing.append((tensor, way))
    remote = np.array(on_server, dtype=bool)
    c = float(costs.on_device()[~remote].sum()) + sum(costs.back[v].c for v in np.flatnonzero(remote))
    cx = float(sum(costs.back[v].cx for v in np.flatnonzero(remote)))
    ck = float(costs.server[remote].sum())
    for _, way in crossing:
        c, cx, ck = c + way.plane.c, cx + way.plane.cx, ck + way.plane.ck
    return Cut(tuple(bool(flag) for flag in remote), tuple(crossing), Plane(c, cx, ck))


def stages(costs: SplitCosts, cut: Cut, x: float, load: float) -> Stages:
    """Return how long one request keeps device, uplink and server busy; the result's way back is no stage."""
    remote = np.array(cut.on_server, dtype=bool)
    device = float(costs.device_seconds[~remote].sum()) + sum(way.device for _, way in cut.crossing)
    server = float(costs.server_seconds[remote].sum()) + sum(way.server for _, way in cut.crossing)
    return Stages(device, cut.bytes * x if cut.bytes else 0.0, load * server)
