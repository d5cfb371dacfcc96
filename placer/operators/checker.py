"""What an assignment of nodes to devices is worth, from the graph alone.

Every answer of every solver here is judged by these functions and by nothing else. They share no code with
the solvers: plain loops over nodes and edges.

The cost model (Tarnawski et al., NeurIPS 2020):

- *Load* of an accelerator: the time of its nodes, plus the cost of each node outside whose output is taken
  inside (once, however many take it), plus the cost of each node inside whose output is taken outside (once).
  A CPU pays for no transfer. Throughput is limited by the largest load.
- *Latency*: a node on a CPU starts when its inputs are there (there are CPUs enough). An accelerator runs its
  nodes as one call: it starts when all outputs that it takes from outside are there, and all its results are
  there after its load. Latency is the time of the last result.
- Nodes of one colour class share a device; an accelerator holds at most ``memory`` bytes.
- *Contiguous*: the forward nodes of the devices are a chain of ideals: the devices can be put in a row such
  that no forward edge points back. A colour class without forward nodes stands in the row as the mirror
  image of its backward edges, as in the authors' dynamic programme.

Devices are numbered 0 … k-1 (accelerators) and k … (CPUs); for latency k means "on the host".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from placer.operators.graph import OperatorGraph

Method = Literal["contiguous", "free", "latency"]
METHODS: tuple[Method, ...] = ("contiguous", "free", "latency")

MEMORY_TOLERANCE = 1e-9
"""Relative; sums of sizes in another order differ in the last bits."""


@dataclass(frozen=True)
class Judgement:
    """What an assignment is worth.

    Attributes:
        objective: largest load, or latency; in the graph's unit of time. inf where a circle of devices leaves
            the latency undefined.
        loads: load of each device.
        violations: what is wrong with it, a sentence each.
    """

    objective: float
    loads: tuple[float, ...]
    violations: tuple[str, ...]

    @property
    def feasible(self) -> bool:
        """Whether nothing is wrong."""
        return not self.violations


def judge(graph: OperatorGraph, assignment: Sequence[int], method: Method) -> Judgement:
    """Judge an assignment.

    Args:
        graph: the graph.
        assignment: device of each node, length n.
        method: which rules apply, and which objective.

    Raises:
        ValueError: for a wrong length, device or method.
    """
    device = [int(d) for d in assignment]
    devices = graph.accelerators + (min(graph.cpus, 1) if method == "latency" else graph.cpus)
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}")
    if len(device) != len(graph) or not all(0 <= d < devices for d in device):
        raise ValueError(f"expected {len(graph)} devices in 0 … {devices - 1}")
    violations = [*_colocation(graph, device), *_accelerator_limits(graph, device)]
    loads = tuple(_load(graph, device, d) for d in range(devices))
    if method == "latency":
        latency, found = _latency(graph, device, loads)
        return Judgement(latency, loads, (*violations, *found))
    if method == "contiguous" and not _is_chain(graph, device):
        violations.append("the devices are no chain: forward edges run in a circle between them")
    return Judgement(max(loads), loads, tuple(violations))


def _colocation(graph: OperatorGraph, device: Sequence[int]) -> list[str]:
    first: dict[int, int] = {}
    violations = []
    for node, colour in enumerate(graph.colour):
        other = first.setdefault(int(colour), node)
        if device[other] != device[node]:
            violations.append(f"nodes {graph.ids[other]} and {graph.ids[node]} share a class, not a device")
    return violations


def _accelerator_limits(graph: OperatorGraph, device: Sequence[int]) -> list[str]:
    violations = []
    used = [0.0] * graph.accelerators
    for node, d in enumerate(device):
        if d < graph.accelerators:
            used[d] += float(graph.size[node])
            if not graph.supported[node]:
                violations.append(f"node {graph.ids[node]} cannot run on an accelerator")
    for d, total in enumerate(used):
        if total > graph.memory * (1 + MEMORY_TOLERANCE):
            violations.append(f"accelerator {d} holds {total:.0f} B of {graph.memory:.0f} B")
    return violations


def _load(graph: OperatorGraph, device: Sequence[int], d: int) -> float:
    """Load of device ``d``; without transfers for a CPU."""
    if d >= graph.accelerators:
        return float(sum(graph.cpu[node] for node, at in enumerate(device) if at == d))
    load = float(sum(graph.accelerator[node] for node, at in enumerate(device) if at == d))
    moved = {int(u) for u, v in graph.edges if (device[u] == d) != (device[v] == d)}
    return load + float(sum(graph.cost[u] for u in sorted(moved)))


def _latency(graph: OperatorGraph, device: Sequence[int], loads: Sequence[float]) -> tuple[float, list[str]]:
    """Time of the last result; inf and what is wrong where the calls wait for each other."""
    block = [("call", d) if d < graph.accelerators else ("node", node) for node, d in enumerate(device)]
    after: dict[tuple[str, int], set[tuple[str, int]]] = defaultdict(set)
    waits: dict[tuple[str, int], int] = dict.fromkeys(block, 0)
    for u, v in graph.edges:
        if block[u] != block[v] and block[v] not in after[block[u]]:
            after[block[u]].add(block[v])
            waits[block[v]] += 1
    ready = [item for item, count in waits.items() if count == 0]
    start = dict.fromkeys(waits, 0.0)
    end = 0.0
    done = 0
    while ready:
        item = ready.pop()
        done += 1
        kind, number = item
        finish = start[item] + (loads[number] if kind == "call" else float(graph.cpu[number]))
        end = max(end, finish)
        for follower in after[item]:
            start[follower] = max(start[follower], finish)
            waits[follower] -= 1
            if waits[follower] == 0:
                ready.append(follower)
    if done < len(waits):
        return float("inf"), ["accelerators wait for each other's results: a subgraph is not contiguous"]
    return end, []


def _is_chain(graph: OperatorGraph, device: Sequence[int]) -> bool:
    """Whether the devices, linked by the edges of the forward pass, have no circle."""
    after: dict[int, set[int]] = defaultdict(set)
    for u, v in _forward_edges(graph):
        if device[u] != device[v]:
            after[device[u]].add(device[v])
    left = set(device)
    while left:
        targets = {follower for d in left for follower in after[d] if follower in left}
        free = left - targets
        if not free:
            return False
        left -= free
    return True


def _forward_edges(graph: OperatorGraph) -> list[tuple[int, int]]:
    """Edges between forward nodes, and the mirror images for classes that have none."""
    has_forward = {int(graph.colour[node]) for node in range(len(graph)) if not graph.backward[node]}
    result = []
    for u, v in graph.edges:
        if not graph.backward[u] and not graph.backward[v]:
            result.append((int(u), int(v)))
        elif graph.backward[u] and graph.backward[v]:
            orphan = any(int(graph.colour[node]) not in has_forward for node in (u, v))
            if orphan:
                result.append((int(v), int(u)))
    return result
