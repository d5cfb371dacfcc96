"""Reader of operator graphs in the JSON of Tarnawski et al. (NeurIPS 2020).

*Efficient Algorithms for Device Placement of DNN Graph Operators.*
A graph says how many accelerators (``maxFPGAs``, each with ``maxSizePerFPGA`` bytes) and CPUs there are, per
node its time on either kind of device, its bytes, its colour class (equal classes share a device) and whether
it belongs to the backward pass, and per edge what moving the output of its source between an accelerator and
the host costs. Times may have any unit, the same throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, StrictInt

from placer.errors import InputError
from placer.instance.reading import Document, Strict, problems_of, read_document, read_json

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

COST_TOLERANCE = 1e-6
MOST_PROBLEMS = 50

Amount = Annotated[float, Field(ge=0.0, le=1e18)]
Number = Annotated[StrictInt, Field(ge=-(2**53), le=2**53)]


class _Open(Strict):
    """The published files carry debugging fields (names, layer numbers): other keys are let through."""

    model_config = ConfigDict(extra="ignore")


class Node(_Open):
    """One operator or layer."""

    id: Number
    """Unique number."""
    supportedOnFpga: bool  # noqa: N815 - the keys of the published format
    """Whether an accelerator can run it."""
    cpuLatency: Amount  # noqa: N815
    """Time on a CPU."""
    fpgaLatency: Amount  # noqa: N815
    """Time on an accelerator."""
    isBackwardNode: bool = False  # noqa: N815
    """Whether it belongs to the backward pass."""
    colorClass: Number | None = None  # noqa: N815
    """Nodes of one class share a device; None: a class of its own."""
    size: Amount = 0.0
    """Bytes that it takes on an accelerator."""


class Edge(_Open):
    """The output of one node as input of another."""

    sourceId: Number  # noqa: N815
    """The node that makes it."""
    destId: Number  # noqa: N815
    """The node that takes it."""
    cost: Amount
    """Time to move it between an accelerator and the host; the same on all edges of a source."""


class GraphFile(_Open):
    """The file."""

    maxSizePerFPGA: Amount  # noqa: N815
    """Bytes of one accelerator."""
    maxFPGAs: Annotated[StrictInt, Field(ge=0, le=1000)]  # noqa: N815
    """Accelerators."""
    maxCPUs: Annotated[StrictInt, Field(ge=0, le=1000)]  # noqa: N815
    """CPUs."""
    nodes: Annotated[tuple[Node, ...], Field(min_length=1, max_length=20000)]
    """The operators."""
    edges: Annotated[tuple[Edge, ...], Field(max_length=200000)]
    """The data between them."""


@dataclass(frozen=True)
class OperatorGraph:
    """A graph as arrays over n nodes and E edges (no duplicates).

    Attributes:
        name: of the file, without suffix.
        accelerators: number of accelerators.
        cpus: number of CPUs.
        memory: bytes of one accelerator.
        ids: number of each node in the file.
        cpu, accelerator: shape (n,), time of each node on either kind of device.
        size: shape (n,), bytes on an accelerator.
        supported: shape (n,), whether an accelerator can run it.
        backward: shape (n,).
        colour: shape (n,), dense number of the colour class.
        edges: shape (E, 2), positions of source and destination.
        cost: shape (n,), time to move the node's output; 0 where nobody takes it.
        order: shape (n,), positions in a topological order.
    """

    name: str
    accelerators: int
    cpus: int
    memory: float
    ids: tuple[int, ...]
    cpu: Floats
    accelerator: Floats
    size: Floats
    supported: Bools
    backward: Bools
    colour: Ints
    edges: Ints
    cost: Floats
    order: Ints

    def __len__(self) -> int:
        return len(self.ids)


def read_graph(path: Path) -> OperatorGraph:
    """Read one graph.

    Raises:
        InputError: every problem of the file, each with line and path.
    """
    shown = str(path)
    return parse_graph(read_json(path, shown), path.stem, lambda: read_document(path, shown))


def parse_graph(data: Any, name: str, document: Any = None) -> OperatorGraph:
    """Return plain data as a graph.

    Args:
        data: what the file says.
        name: of the graph.
        document: function that returns the data with line numbers, called only to say what is wrong.

    Raises:
        InputError: every problem found.
    """
    located = document or (lambda: Document(data, {}, name))
    if not isinstance(data, dict):
        raise InputError([located().problem("expected a mapping with maxFPGAs, maxCPUs, nodes and edges")])
    file = _validated(GraphFile, data, located)
    problems = [*_node_problems(file), *_edge_problems(file)]
    if not problems:
        problems = _cycle(file)
    if problems:
        at = located()
        shown = [at.problem(message, path) for message, path in problems[:MOST_PROBLEMS]]
        if len(problems) > MOST_PROBLEMS:
            shown.append(at.problem("and more problems"))
        raise InputError(shown)
    return _arrays(file, name)


def _validated(model: type[GraphFile], data: Any, located: Any) -> GraphFile:
    from pydantic import ValidationError

    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise InputError(problems_of(error, model, located())) from error


_Found = list[tuple[str, tuple[str | int, ...]]]


def _node_problems(file: GraphFile) -> _Found:
    problems: _Found = []
    seen: dict[int, int] = {}
    if file.maxFPGAs + file.maxCPUs == 0:
        problems.append(("maxFPGAs and maxCPUs are both 0: there is no device", ("maxFPGAs",)))
    for position, node in enumerate(file.nodes):
        if node.id in seen:
            problems.append((f"node id {node.id} is taken by nodes[{seen[node.id]}]", ("nodes", position, "id")))
        seen.setdefault(node.id, position)
        if not node.supportedOnFpga and file.maxCPUs == 0:
            problems.append((f"node {node.id} needs a CPU and maxCPUs is 0", ("nodes", position, "supportedOnFpga")))
    return problems


def _edge_problems(file: GraphFile) -> _Found:
    problems: _Found = []
    known = {node.id for node in file.nodes}
    cost: dict[int, tuple[float, int]] = {}
    for position, edge in enumerate(file.edges):
        if len(problems) > MOST_PROBLEMS:
            break  # the nearest id of each of very many would take long to find
        for key, end in (("sourceId", edge.sourceId), ("destId", edge.destId)):
            if end not in known:
                nearest = min((abs(other - end), other) for other in known)[1]
                problems.append((f"no node has id {end}; the nearest is {nearest}", ("edges", position, key)))
        if edge.sourceId == edge.destId:
            problems.append((f"node {edge.sourceId} feeds itself", ("edges", position, "destId")))
        first, where = cost.setdefault(edge.sourceId, (edge.cost, position))
        if abs(first - edge.cost) > COST_TOLERANCE:
            problems.append(
                (
                    f"the output of node {edge.sourceId} costs {edge.cost:g} here and {first:g} at edges[{where}];"
                    " all edges of a source cost the same",
                    ("edges", position, "cost"),
                )
            )
    return problems


def _cycle(file: GraphFile) -> _Found:
    graph = nx.DiGraph()
    graph.add_nodes_from(node.id for node in file.nodes)
    graph.add_edges_from((edge.sourceId, edge.destId) for edge in file.edges)
    if nx.is_directed_acyclic_graph(graph):
        return []
    cycle = [str(start) for start, _ in nx.find_cycle(graph)]
    shown = " → ".join(cycle[:12]) + (" → …" if len(cycle) > 12 else f" → {cycle[0]}")
    return [(f"the edges run in a circle: {shown}", ("edges",))]


def _arrays(file: GraphFile, name: str) -> OperatorGraph:
    position = {node.id: index for index, node in enumerate(file.nodes)}
    classes: dict[tuple[str, int], int] = {}
    colour = [
        classes.setdefault(("node", node.id) if node.colorClass is None else ("class", node.colorClass), len(classes))
        for node in file.nodes
    ]
    pairs = dict.fromkeys((position[edge.sourceId], position[edge.destId]) for edge in file.edges)
    cost = np.zeros(len(file.nodes))
    for edge in reversed(file.edges):
        cost[position[edge.sourceId]] = edge.cost
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(file.nodes)))
    graph.add_edges_from(pairs)
    return OperatorGraph(
        name=name,
        accelerators=file.maxFPGAs,
        cpus=file.maxCPUs,
        memory=file.maxSizePerFPGA,
        ids=tuple(node.id for node in file.nodes),
        cpu=np.array([node.cpuLatency for node in file.nodes]),
        accelerator=np.array([node.fpgaLatency for node in file.nodes]),
        size=np.array([node.size for node in file.nodes]),
        supported=np.array([node.supportedOnFpga for node in file.nodes]),
        backward=np.array([node.isBackwardNode for node in file.nodes]),
        colour=np.array(colour, dtype=np.int64),
        edges=np.array(list(pairs), dtype=np.int64).reshape(-1, 2),
        cost=cost,
        order=np.array(list(nx.lexicographical_topological_sort(graph)), dtype=np.int64),
    )
