"""Annealing of a latency placement with the true critical path, in the subset of Python that numba compiles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from placer.jit import have_numba, version
from placer.operators.graph import Floats, Ints, OperatorGraph


def anneal_latency(
    at: Ints,
    best: Ints,
    hot: float,
    cold: float,
    steps: int,
    accelerators: int,
    devices: int,
    memory: float,
    work: Floats,
    host: Floats,
    size: Floats,
    supported: Ints,
    cost: Floats,
    edge_start: Ints,
    edge_end: Ints,
    in_start: Ints,
    in_from: Ints,
    unit_of: Ints,
    unit_start: Ints,
    unit_nodes: Ints,
    random: Floats,
) -> float:
    """Change ``at`` by at most ``steps`` moves of one unit; leave the best in ``best`` and return its latency.

    Args:
        at: shape (U,), device of each unit; accelerators first, then the host, if there is one. Changed.
        best: shape (U,), receives the best assignment met; ``at`` where nothing beats it.
        hot, cold: temperatures, relative to the latency, at the first and the last step.
        steps: number of moves tried.
        accelerators, devices, memory: of the graph; devices counts the host.
        work, host, size, supported, cost: of the nodes.
        edge_start, edge_end: successors of each node (CSR); in_start, in_from: predecessors.
        unit_of, unit_start, unit_nodes: unit of each node, nodes of each unit (CSR).
        random: shape (4·steps,), uniform in [0, 1).
    """
    n, units = len(unit_of), len(at)
    blocks = accelerators + n
    load, used = np.zeros(accelerators), np.zeros(accelerators)
    seen = np.full(accelerators, -1, dtype=np.int64)
    head, link = np.zeros(accelerators, dtype=np.int64), np.zeros(n, dtype=np.int64)
    waits, stack = np.zeros(blocks, dtype=np.int64), np.zeros(blocks, dtype=np.int64)
    begin = np.zeros(blocks)
    current, lowest = -1.0, np.inf
    temperature = hot
    factor = (cold / hot) ** (1.0 / max(steps, 1))
    for step in range(-1, steps):
        unit, a = 0, at[0]
        if step >= 0:
            temperature *= factor
            unit = int(random[4 * step] * units)
            a = at[unit]
            pick = random[4 * step + 1]
            b = a
            if pick < 0.15:
                b = devices - 1
            elif pick < 0.2:
                b = int(random[4 * step + 2] * devices)
            else:
                v = unit_nodes[unit_start[unit] + int(random[4 * step + 2] * (unit_start[unit + 1] - unit_start[unit]))]
                outs, ins = edge_start[v + 1] - edge_start[v], in_start[v + 1] - in_start[v]
                if outs + ins > 0:
                    which = int((pick - 0.2) / 0.8 * (outs + ins))
                    other = edge_end[edge_start[v] + which] if which < outs else in_from[in_start[v] + which - outs]
                    b = at[unit_of[other]]
            if a == b:
                continue
            at[unit] = b
        # the latency of ``at``; inf where it does not fit
        fits = True
        for d in range(accelerators):
            load[d], used[d], seen[d], head[d] = 0.0, 0.0, -1, -1
        for block in range(blocks):
            waits[block] = 0
            begin[block] = 0.0
        for v in range(n):
            d = at[unit_of[v]]
            if d < accelerators:
                load[d] += work[v]
                used[d] += size[v]
                link[v] = head[d]
                head[d] = v
                if supported[v] == 0:
                    fits = False
        for d in range(accelerators):
            if used[d] > memory:
                fits = False
        latency = np.inf
        if fits:
            for v in range(n):
                d = at[unit_of[v]]
                own = d if d < accelerators else accelerators + v
                leaves = False
                for p in range(edge_start[v], edge_start[v + 1]):
                    w = edge_end[p]
                    e = at[unit_of[w]]
                    other = e if e < accelerators else accelerators + w
                    if other != own:
                        leaves = True
                        waits[other] += 1
                        if e < accelerators and seen[e] != v:
                            seen[e] = v
                            load[e] += cost[v]
                if leaves and d < accelerators:
                    load[d] += cost[v]
            top, todo = 0, 0
            for d in range(accelerators):
                if head[d] >= 0:
                    todo += 1
                    if waits[d] == 0:
                        stack[top] = d
                        top += 1
            for v in range(n):
                if at[unit_of[v]] >= accelerators:
                    todo += 1
                    if waits[accelerators + v] == 0:
                        stack[top] = accelerators + v
                        top += 1
            end = 0.0
            while top > 0:
                top -= 1
                block = stack[top]
                todo -= 1
                call = block < accelerators
                v = head[block] if call else block - accelerators
                finish = begin[block] + (load[block] if call else host[v])
                end = max(end, finish)
                while v >= 0:
                    for p in range(edge_start[v], edge_start[v + 1]):
                        w = edge_end[p]
                        e = at[unit_of[w]]
                        other = e if e < accelerators else accelerators + w
                        if other != block:
                            begin[other] = max(begin[other], finish)
                            waits[other] -= 1
                            if waits[other] == 0:
                                stack[top] = other
                                top += 1
                    v = link[v] if call else -1
            if todo == 0:
                latency = end
        total = latency
        if latency < np.inf:
            for d in range(accelerators):
                total += 1e-4 * load[d] / max(accelerators, 1)
        if step < 0:
            current = total
        elif total > current and (
            total == np.inf or random[4 * step + 3] >= np.exp((current - total) / (temperature * current))
        ):
            at[unit] = a
            continue
        else:
            current = total
        if latency < lowest:
            lowest = latency
            for u in range(units):
                best[u] = at[u]
    return lowest


@dataclass(frozen=True)
class LatencyAnnealer:
    """The classes of one graph, ready for :func:`anneal_latency`.

    Attributes:
        graph: the graph.
        unit_of: shape (n,), class of each node.
    """

    graph: OperatorGraph
    unit_of: Ints

    @cached_property
    def _tables(self) -> tuple[Ints, ...]:
        g, n = self.graph, len(self.graph)
        source, end = (g.edges[:, 0], g.edges[:, 1]) if len(g.edges) else (np.zeros(0, int), np.zeros(0, int))
        forth, back = np.lexsort((end, source)), np.lexsort((source, end))
        units = int(self.unit_of.max()) + 1
        return (
            np.concatenate([[0], np.cumsum(np.bincount(source, minlength=n))]).astype(np.int64),
            end[forth].astype(np.int64),
            np.concatenate([[0], np.cumsum(np.bincount(end, minlength=n))]).astype(np.int64),
            source[back].astype(np.int64),
            self.unit_of.astype(np.int64),
            np.concatenate([[0], np.cumsum(np.bincount(self.unit_of, minlength=units))]).astype(np.int64),
            np.argsort(self.unit_of, kind="stable").astype(np.int64),
        )

    def run(self, at: Ints, rng: np.random.Generator, steps: int, hot: float) -> Ints:
        """Return the best assignment met from ``at`` (device of each class)."""
        g = self.graph
        best = at.copy()
        edge_start, edge_end, in_start, in_from, unit_of, unit_start, unit_nodes = self._tables
        version(anneal_latency)(
            at.copy(),
            best,
            hot,
            hot / 100.0,
            steps,
            g.accelerators,
            g.accelerators + min(g.cpus, 1),
            g.memory,
            g.accelerator,
            g.cpu,
            g.size,
            g.supported.astype(np.int64),
            g.cost,
            edge_start,
            edge_end,
            in_start,
            in_from,
            unit_of,
            unit_start,
            unit_nodes,
            rng.random(4 * steps),
        )
        return best


def latency_steps() -> int:
    """Moves of one run: about half a second, compiled or not."""
    return 60_000 if have_numba() else 1_000
