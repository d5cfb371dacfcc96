"""The graph as the throughput solvers see it: units that share a device, and nets between them.

The load of an accelerator (see :mod:`~placer.operators.checker`) has a symmetric form: with one
*net* per node whose output is taken elsewhere, its pins the units of the node and of its takers, an
accelerator pays a net's cost when it holds some but not all of the pins. So nets with equal pins are one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import networkx as nx
import numpy as np

from placer.operators.graph import Bools, Floats, Ints, OperatorGraph


@dataclass(frozen=True)
class Units:
    """U units and H nets.

    Attributes:
        of_node: shape (n,), unit of each node.
        accelerator, cpu, size: shape (U,), sums over the unit's nodes.
        supported: shape (U,), whether an accelerator can run all of them.
        nets: sorted pins (two or more) of each net.
        cost: shape (H,).
        arcs: shape (A, 2), pairs of units of which the first stands no later in a contiguous chain.
    """

    of_node: Ints
    accelerator: Floats
    cpu: Floats
    size: Floats
    supported: Bools
    nets: tuple[tuple[int, ...], ...]
    cost: Floats
    arcs: Ints

    def __len__(self) -> int:
        return len(self.size)

    @cached_property
    def pins(self) -> tuple[Ints, Ints]:
        """Net and unit of each pin, net by net."""
        count = [len(net) for net in self.nets]
        flat = [unit for net in self.nets for unit in net]
        return np.repeat(np.arange(len(count)), count), np.array(flat, dtype=np.int64)

    @cached_property
    def nets_of(self) -> tuple[tuple[int, ...], ...]:
        """Nets of each unit."""
        result: list[list[int]] = [[] for _ in range(len(self))]
        for number, net in enumerate(self.nets):
            for unit in net:
                result[unit].append(number)
        return tuple(tuple(numbers) for numbers in result)

    @cached_property
    def before(self) -> tuple[tuple[int, ...], ...]:
        """Units that stand no later than each unit (direct arcs)."""
        result: list[list[int]] = [[] for _ in range(len(self))]
        for first, second in self.arcs:
            result[second].append(int(first))
        return tuple(tuple(units) for units in result)

    @cached_property
    def after(self) -> tuple[tuple[int, ...], ...]:
        """Units that stand no earlier than each unit (direct arcs)."""
        result: list[list[int]] = [[] for _ in range(len(self))]
        for first, second in self.arcs:
            result[first].append(int(second))
        return tuple(tuple(units) for units in result)

    def spread(self, of_unit: Ints) -> Ints:
        """Return the device of each node, from the device of each unit."""
        return np.asarray(of_unit, dtype=np.int64)[self.of_node]


def make_units(graph: OperatorGraph, contiguous: bool, parts: Ints | None = None) -> Units:
    """Return the units of a graph.

    Args:
        graph: the graph.
        contiguous: whether the units go into a chain of ideals; then those that forward edges tie in a
            circle are one.
        parts: shape (n,), nodes that share a unit; the colour classes when None.
    """
    part = graph.colour if parts is None else parts
    edges = chain_edges(graph) if contiguous else []
    if contiguous:
        part = _without_circles(part, edges)
    part = np.unique(part, return_inverse=True)[1].astype(np.int64)
    count = int(part.max()) + 1
    arcs = sorted({(int(part[u]), int(part[v])) for u, v in edges if part[u] != part[v]})
    nets = _nets(graph, part)
    return Units(
        of_node=part,
        accelerator=np.bincount(part, graph.accelerator, count).astype(np.float64),
        cpu=np.bincount(part, graph.cpu, count).astype(np.float64),
        size=np.bincount(part, graph.size, count).astype(np.float64),
        supported=np.bincount(part, ~graph.supported, count) == 0,
        nets=tuple(nets),
        cost=np.array(list(nets.values()), dtype=np.float64),
        arcs=np.array(arcs, dtype=np.int64).reshape(-1, 2),
    )


def _nets(graph: OperatorGraph, part: Ints) -> dict[tuple[int, ...], float]:
    pins: dict[int, set[int]] = {}
    for u, v in graph.edges:
        pins.setdefault(int(u), {int(part[u])}).add(int(part[v]))
    cost: dict[tuple[int, ...], float] = {}
    for u, units in pins.items():
        if len(units) > 1 and graph.cost[u] > 0.0:
            net = tuple(sorted(units))
            cost[net] = cost.get(net, 0.0) + float(graph.cost[u])
    return cost


def chain_edges(graph: OperatorGraph) -> list[tuple[int, int]]:
    """Return pairs of nodes of which the first stands no later in a contiguous chain.

    These are the forward edges and, where a class has no forward node, the backward edges mirrored.
    """
    has_forward = np.zeros(int(graph.colour.max()) + 1, dtype=bool)
    has_forward[graph.colour[~graph.backward]] = True
    orphan = ~has_forward[graph.colour]
    result = []
    for u, v in graph.edges:
        if not graph.backward[u] and not graph.backward[v]:
            result.append((int(u), int(v)))
        elif graph.backward[u] and graph.backward[v] and (orphan[u] or orphan[v]):
            result.append((int(v), int(u)))
    return result


def _without_circles(part: Ints, edges: list[tuple[int, int]]) -> Ints:
    """Return coarser parts: those on a circle of edges become one."""
    quotient = nx.DiGraph()
    quotient.add_nodes_from(int(p) for p in np.unique(part))
    quotient.add_edges_from((int(part[u]), int(part[v])) for u, v in edges if part[u] != part[v])
    number = {
        member: index for index, found in enumerate(nx.strongly_connected_components(quotient)) for member in found
    }
    return np.array([number[int(p)] for p in part], dtype=np.int64)


def tied(graph: OperatorGraph, units: Units, contiguous: bool, limit: float) -> Units:
    """Join the units that no answer with a load below ``limit`` separates, or that it need not separate.

    - With one CPU at most, a net that is cut is paid by an accelerator at least; so one that costs ``limit``
      or more is never cut.
    - A unit without work that touches one net of two pins costs nothing beside its neighbour, if memory for
      all of them is there on every accelerator.
    """
    ties = nx.Graph()
    ties.add_nodes_from(range(len(units)))
    if graph.cpus <= 1:
        for net, cost in zip(units.nets, units.cost, strict=True):
            if cost >= limit:
                ties.add_edges_from((net[0], other) for other in net[1:])
    ample = float(units.size.sum()) <= graph.memory
    for unit, numbers in enumerate(units.nets_of):
        idle = units.accelerator[unit] == 0.0 == units.cpu[unit] and units.supported[unit]
        if not idle or len(numbers) != 1 or not (ample or units.size[unit] == 0.0):
            continue
        net = units.nets[numbers[0]]
        if len(net) == 2 and {*units.before[unit], *units.after[unit]} <= set(net):
            ties.add_edge(*net)
    number = {member: index for index, found in enumerate(nx.connected_components(ties)) for member in found}
    if len(set(number.values())) == len(units):
        return units
    part = np.array([number[int(unit)] for unit in units.of_node], dtype=np.int64)
    return tied(graph, make_units(graph, contiguous, part), contiguous, limit)
