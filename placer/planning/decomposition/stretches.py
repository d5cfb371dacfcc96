"""A variant cut at its gates: each stretch between two gates as a small graph with costs on stations.

A *gate* is a layer on every path from the input to every output, so all that a stretch costs depends on the stations
of the gate before it, of its inner layers and of the gate after it, and what stretches cost adds up: everything listed
before a gate is done when it is, and nothing after it reads anything made before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from placer.instance.compiled import Compiled
from placer.planning.domains import Domain

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Stretch:
    """n inner layers between two gates on N stations; node 0 starts it, nodes 1..n are inside, node n + 1 ends it.

    The start is the gate before, or the input at its source (then it has one row); the end is the gate after, or the
    decision at the sink, which waits for the results of all outputs (then it has one column).

    Attributes:
        predecessors: per node 1..n+1 the nodes that it reads, in the order of the model.
        send: per node 0..n what its tensor costs from its stations to its readers': shape (rows, columns).
        cost: per node 1..n+1 what it costs itself on each station, inf where it may not run: shape (columns,).
        device, servers: shape (N,), device of each station, and jobs that it serves at once.
        serial: whether costs are seconds (branches run side by side, a server does one thing at a time) or joules,
            which add up, a tensor being sent once to each device.
        starts_at_input, ends_at_decision: whether the start, the end are those and no gates.
        price: per node 1..n what is added for it on each station whatever runs beside it, in the units of costs, at
            least 0: shape (N,); None for nothing. Only where costs are seconds: others add up anyway.
    """

    predecessors: tuple[tuple[int, ...], ...]
    send: tuple[Floats, ...]
    cost: tuple[Floats, ...]
    device: Ints
    servers: Ints
    serial: bool
    starts_at_input: bool
    ends_at_decision: bool
    price: tuple[Floats, ...] | None = None

    @property
    def inner(self) -> int:
        """How many layers lie inside."""
        return len(self.predecessors) - 1

    @cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Pairs (maker, reader) of nodes, by reader."""
        return tuple((u, v + 1) for v, sources in enumerate(self.predecessors) for u in sources)

    @cached_property
    def readers(self) -> tuple[tuple[int, ...], ...]:
        """Per node 0..n the nodes that read it."""
        found: list[list[int]] = [[] for _ in range(self.inner + 1)]
        for maker, reader in self.edges:
            found[maker].append(reader)
        return tuple(map(tuple, found))


@dataclass(frozen=True, eq=False)
class Costs:
    """Where the figures of a variant's stretches come from: seconds, or joules.

    Attributes:
        compiled: the instance.
        domain: the variant and its usable stations.
        energy: joules instead of seconds.
    """

    compiled: Compiled
    domain: Domain
    energy: bool

    @cached_property
    def own(self) -> Floats:
        """Cost of each layer on each station, shape (M, N); inf where it may not run."""
        usable, variant = self.domain.usable, self.domain.variant
        return np.where(usable, variant.joules if self.energy else variant.time, np.inf)

    def way(self, tensor: int) -> Floats:
        """Cost of a tensor between all stations, shape (N, N); of the input (-1) from its source, shape (1, N)."""
        compiled, variant, at = self.compiled, self.domain.variant, self.compiled.station_device
        size, zone = variant.tensor_size(tensor), compiled.tensor_zone(variant, tensor)
        if tensor >= 0 and not self.energy:
            return compiled.transfer(size, zone)
        routes = compiled.topology.routes(size, zone)
        rows = compiled.source[variant.service][None] if tensor < 0 else at
        matrix: Floats = (routes.joules if self.energy else routes.seconds)[np.ix_(rows, at)]
        return matrix

    def result(self, layer: int) -> Floats:
        """Cost of the result of a layer from each station to the sink, shape (N,)."""
        variant = self.domain.variant
        routes = self.compiled.topology.routes(variant.result_size(layer))
        matrix = routes.joules if self.energy else routes.seconds
        column: Floats = matrix[self.compiled.station_device, int(self.compiled.sink[variant.service])]
        return column

    def key(self, before: int, layers: range) -> tuple[object, ...]:
        """What a stretch depends on: equal keys within one instance and objective mean equal stretches."""
        variant = self.domain.variant
        tensors = [before, *layers]
        ends = layers[-1] in variant.gates
        return (
            tuple(tuple(max(u - before, 0) for u in variant.predecessors[v]) for v in layers),
            tuple(variant.tensor_size(t) for t in (tensors[:-1] if ends else tensors)),
            tuple(self.compiled.tensor_zone(variant, t) for t in tensors),
            (int(self.compiled.source[variant.service]) if before < 0 else -1),
            (-1 if ends else int(self.compiled.sink[variant.service])),
            self.own[layers[0] : layers[-1] + 1].tobytes(),
            self.energy,
        )

    def stretch(self, before: int, layers: range) -> Stretch:
        """The stretch of ``layers`` after the gate ``before`` (-1: from the input)."""
        variant, at = self.domain.variant, self.compiled.station_device
        ends = layers[-1] in variant.gates
        inside = layers[:-1] if ends else layers
        send = [self.way(before)]
        cost = [self.own[layer] for layer in inside]
        for layer in inside:
            is_output = not ends and layer in variant.leaves
            send.append(self.result(layer)[:, None] if is_output else self.way(layer))
        predecessors = [tuple(max(u - before, 0) for u in variant.predecessors[v]) for v in layers]
        if ends:
            cost.append(self.own[layers[-1]])
        else:
            cost.append(np.zeros(1))
            predecessors.append(tuple(leaf - before for leaf in variant.leaves))
        finite = tuple(np.nan_to_num(matrix, nan=np.inf, posinf=np.inf) for matrix in send)
        servers = self.compiled.servers
        return Stretch(tuple(predecessors), finite, tuple(cost), at, servers, not self.energy, before < 0, not ends)

    def extra(self, layers: range) -> Floats:
        """What results that leave at the gate that ends a stretch cost on average, by its station, shape (N,)."""
        variant, gate = self.domain.variant, layers[-1]
        share = float(variant.leave[gate])
        return share * self.result(gate) if share > 0 else np.zeros(len(self.compiled.stations))
