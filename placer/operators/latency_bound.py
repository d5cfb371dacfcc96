"""A lower bound on the latency: calls along one path.

Follow a path of the graph. An accelerator's nodes are convex, so it meets the path in one run [i, j] at most,
and holds the *hull* of the run: all nodes between its first and its last. Its call starts after the node
before the run is done, and lasts at least the time of the hull, plus the cost of every node up to the node
before the run (none of them is inside, by convexity) whose output the hull takes, plus that of every node of
the hull whose output is taken at or behind the node after the run. A run whose hull exceeds the memory does
not exist. Between the runs the nodes of the path take their time on the host, one after the other. So the
least sum over all divisions of the path into runs of at most k accelerators and host nodes is a bound.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

from placer.operators.graph import Bools, Floats, OperatorGraph


def path_bound(graph: OperatorGraph, rng: np.random.Generator, seconds: float) -> float:
    """Return the best bound of several paths: the longest by time, bytes, transfers, and mixtures."""
    begin = time.monotonic()
    below = descendants(graph)
    takes = _takes(graph)
    scales = [_scaled(values) for values in (graph.cpu, graph.accelerator, graph.size, graph.cost)]
    weights: list[Floats] = [*scales, np.ones(len(graph)), sum(scales, np.zeros(len(graph)))]
    best, seen = 0.0, set()
    for attempt in range(200):
        if time.monotonic() - begin > seconds and attempt:
            break
        weight = weights[attempt] if attempt < len(weights) else _mixture(scales, rng)
        path = longest_path(graph, weight)
        if path not in seen:
            seen.add(path)
            best = max(best, bound_of_path(graph, below, takes, path))
    return best


def _scaled(values: Floats) -> Floats:
    return np.asarray(values / max(float(values.sum()), 1e-300))


def _mixture(scales: Sequence[Floats], rng: np.random.Generator) -> Floats:
    weight = np.zeros(len(scales[0]))
    for values in scales:
        weight += rng.exponential() * values
    return np.asarray(weight * rng.uniform(0.3, 1.7, len(weight)))


def descendants(graph: OperatorGraph) -> Bools:
    """Return, shape (n, n), whether the second node is the first or can be reached from it."""
    n = len(graph)
    below = np.eye(n, dtype=bool)
    after: list[list[int]] = [[] for _ in range(n)]
    for u, v in graph.edges:
        after[u].append(int(v))
    for u in graph.order[::-1]:
        for v in after[u]:
            below[u] |= below[v]
    return below


def _takes(graph: OperatorGraph) -> csr_array:
    """Return, shape (n, n), 1 where the first node takes the output of the second."""
    n = len(graph)
    ones = np.ones(len(graph.edges))
    return csr_array((ones, (graph.edges[:, 1], graph.edges[:, 0])), shape=(n, n))


def longest_path(graph: OperatorGraph, weight: Floats) -> tuple[int, ...]:
    """Return the nodes of the heaviest path."""
    before: list[list[int]] = [[] for _ in range(len(graph))]
    for u, v in graph.edges:
        before[v].append(int(u))
    total, origin = weight.astype(np.float64).copy(), np.full(len(graph), -1)
    for v in graph.order:
        if before[v]:
            u = max(before[v], key=lambda u: total[u])
            total[v] += total[u]
            origin[v] = u
    path = [int(np.argmax(total))]
    while origin[path[-1]] >= 0:
        path.append(int(origin[path[-1]]))
    return tuple(reversed(path))


def bound_of_path(graph: OperatorGraph, below: Bools, takes: csr_array, path: Sequence[int]) -> float:
    """Return the least time of a path, as the module says."""
    length = len(path)
    nodes = np.asarray(path)
    run = np.full((length + 1, length + 1), np.inf)
    behind = np.zeros((length, len(graph)), dtype=bool)  # nodes whose output is taken at or behind the next node
    for j in range(length - 1):
        behind[j] = below[nodes[j + 1]].astype(np.float64) @ takes > 0
    for i in range(length):
        hull = below[nodes[i]][None, :] & below[:, nodes[i:]].T
        time_of = hull @ graph.accelerator + (hull & behind[i:]) @ graph.cost
        if i:
            given = below[:, nodes[i - 1]] * graph.cost
            time_of += ((hull.astype(np.float64) @ takes) > 0) @ given
        fits = (hull @ graph.size <= graph.memory * (1 + 1e-9)) & (hull @ (~graph.supported) == 0)
        run[i, i + 1 :] = np.where(fits, time_of, np.inf)
    host = graph.cpu[nodes] if graph.cpus else np.full(length, np.inf)
    value = np.concatenate([[0.0], np.cumsum(host)])
    for _ in range(graph.accelerators):
        better = np.minimum(value, (value[:, None] + run).min(axis=0))
        for j in range(length):
            better[j + 1] = min(better[j + 1], better[j] + host[j])
        if np.array_equal(better, value):
            break
        value = better
    return float(value[length])
