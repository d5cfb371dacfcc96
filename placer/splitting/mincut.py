"""The cheapest cut of a DAG between device and server, as a minimum cut (DADS: Hu et al., INFOCOM 2019).

The device's side is the source's. A layer v has an arc of capacity server(v) from the source (cut when v is on the
server) and one of capacity device(v) to the sink. A tensor with several readers has a node of its own behind an arc
of capacity crossing(v), with infinite arcs to its readers: it is sent once. Infinite arcs from each reader back to
the maker forbid that anything returns from the server. The input is made at the source.

Capacities are integers: with floats a public implementation returned a partition that is none. scipy's maximum flow
counts in 32 bits, so the flow is found in rounds: first the leading bits of all capacities, then what is left over in
the residual graph, whose maximum flow is small because the first round's cut is nearly full. The result is the
maximum flow of the 44-bit capacities, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from placer.errors import InfeasibleError
from placer.splitting.costs import Cut, SplitCosts, with_ways

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_BITS = 44
"""Bits of the sum of all finite capacities: costs count to 2**-44 of it."""
_ROUND_BITS = 30
"""Bits that one round of scipy's flow may count to."""


@dataclass(frozen=True, eq=False)
class _Network:
    tails: Ints
    heads: Ints
    capacity: Floats
    nodes: int


def cheapest_cut(costs: SplitCosts, x: float, load: float) -> Cut:
    """Return the cheapest of all valid cuts at inverse rate x (s/byte) and server load ``load``.

    Raises:
        InfeasibleError: when no cut puts every layer where it can run.
    """
    crossing, chosen = costs.crossing(x, load)
    remote = min_cut(costs.predecessors, costs.on_device(), costs.on_server(x, load), crossing)
    return with_ways(costs, remote, chosen)


def min_cut(
    predecessors: Sequence[Sequence[int]], on_device: Floats, on_server: Floats, crossing: Floats
) -> list[bool]:
    """Return, per layer, whether it is on the server in a cut of least cost.

    Args:
        predecessors: per layer the layers that it reads; -1 is the input.
        on_device: shape (M,), cost of a layer on the device; inf pins it to the server.
        on_server: shape (M,), cost of a layer on the server; inf pins it to the device.
        crossing: shape (M + 1,), cost of sending each tensor; the last entry is the input, inf forbids it.

    Raises:
        InfeasibleError: when no cut has finite cost.
    """
    _expect_possible(predecessors, on_device, on_server, crossing)
    side = _source_side(_network(predecessors, on_device, on_server, crossing))
    return [not side[layer + 2] for layer in range(len(predecessors))]


def _expect_possible(
    predecessors: Sequence[Sequence[int]], on_device: Floats, on_server: Floats, crossing: Floats
) -> None:
    """Raise InfeasibleError unless the least set that must be on the server may be there."""
    remote = ~np.isfinite(on_device)
    changed = True
    while changed:
        changed = False
        for layer, sources in enumerate(predecessors):
            if not remote[layer] and any(source >= 0 and remote[source] for source in sources):
                remote[layer] = changed = True
            for source in sources if remote[layer] else ():
                # a tensor that may not cross is made where it is read
                if source >= 0 and not remote[source] and not np.isfinite(crossing[source]):
                    remote[source] = changed = True
    homeless = not np.isfinite(on_server[remote]).all()
    entry = any(remote[layer] and -1 in sources for layer, sources in enumerate(predecessors))
    if homeless or (entry and not np.isfinite(crossing[-1])):
        raise InfeasibleError("no cut puts every layer where it can run")


def _network(predecessors: Sequence[Sequence[int]], on_device: Floats, on_server: Floats, crossing: Floats) -> _Network:
    """Nodes: 0 the source, 1 the sink, 2 + v the layers, then one per tensor with several readers."""
    count = len(predecessors)
    readers: list[list[int]] = [[] for _ in range(count + 1)]
    for layer, sources in enumerate(predecessors):
        for source in sources:
            readers[source].append(layer)
    tails, heads, capacity = [], [], []

    def arc(tail: int, head: int, cost: float) -> None:
        tails.append(tail)
        heads.append(head)
        capacity.append(cost)

    nodes = count + 2
    for layer in range(count):
        arc(0, layer + 2, float(on_server[layer]))
        arc(layer + 2, 1, float(on_device[layer]))
    for tensor, consumers in enumerate(readers):
        maker = tensor + 2 if tensor < count else 0
        if len(consumers) > 1:
            arc(maker, nodes, float(crossing[tensor]))
            for consumer in consumers:
                arc(nodes, consumer + 2, np.inf)
            nodes += 1
        elif consumers:
            arc(maker, consumers[0] + 2, float(crossing[tensor]))
        if maker:
            for consumer in consumers:
                arc(consumer + 2, maker, np.inf)
    return _Network(np.array(tails), np.array(heads), np.array(capacity), nodes)


def _source_side(network: _Network) -> NDArray[np.bool_]:
    """Return which nodes lie on the source's side of a minimum cut: those that the residual graph still reaches."""
    residual = _after_maximum_flow(network)
    open_arcs = residual.copy()
    open_arcs.data = (residual.data > 0).astype(np.int8)
    open_arcs.eliminate_zeros()
    reached = breadth_first_order(open_arcs, 0, directed=True, return_predecessors=False)
    side = np.zeros(network.nodes, dtype=bool)
    side[reached] = True
    return side


def _after_maximum_flow(network: _Network) -> csr_array:
    finite = np.isfinite(network.capacity)
    total = float(network.capacity[finite].sum())
    scale = 2.0**_BITS / total if total > 0 else 1.0
    whole = np.rint(np.where(finite, network.capacity, 0.0) * scale).astype(np.int64)
    most = int(whole.sum())
    whole[~finite] = most + 1  # more than any finite cut, and no more than needed
    shape = (network.nodes, network.nodes)
    # both directions of every arc, so that the pattern never changes; parallel arcs (source to a reader) add up
    rows, columns = np.concatenate([network.tails, network.heads]), np.concatenate([network.heads, network.tails])
    residual = csr_array((np.concatenate([whole, np.zeros_like(whole)]), (rows, columns)), shape=shape)
    residual.sum_duplicates()
    arcs, largest = len(residual.data), most + 1
    while True:
        shift = max(0, largest.bit_length() - _ROUND_BITS)
        clipped = np.minimum(residual.data, largest) >> shift
        coarse = csr_array((clipped.astype(np.int32), residual.indices, residual.indptr), shape=shape)
        flow = maximum_flow(coarse, 0, 1).flow
        residual = (residual - flow.astype(np.int64) * (1 << shift)).tocsr()
        if shift == 0:
            return residual
        # a cut of the residual graph has less than 2**shift left on each of its arcs
        largest = (arcs << shift) + 1


__all__ = ["cheapest_cut", "min_cut"]
