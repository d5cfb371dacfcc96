"""Annealing of a latency placement with the true critical path, in the subset of Python that numba compiles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from placer.jit import have_numba, helper, version
from placer.operators.graph import Floats, Ints, OperatorGraph


class Rows(NamedTuple):
    """A graph as the kernel reads it: n nodes in U units (classes of nodes that move together).

    Attributes:
        accelerators, devices, memory: of the graph; devices counts the host, which comes last, if there is one.
        work, host, size, supported, cost: of the nodes, shape (n,).
        edge_start, edge_end: successors of each node (CSR); in_start, in_from: predecessors.
        unit_of, unit_start, unit_nodes: unit of each node, nodes of each unit (CSR).
    """

    accelerators: int
    devices: int
    memory: float
    work: Floats
    host: Floats
    size: Floats
    supported: Ints
    cost: Floats
    edge_start: Ints
    edge_end: Ints
    in_start: Ints
    in_from: Ints
    unit_of: Ints
    unit_start: Ints
    unit_nodes: Ints


class Blocks(NamedTuple):
    """Scratch. A block is what runs in one go: a call of an accelerator, with all its nodes, or a node on the host.

    Attributes:
        load, used: work and bytes of each accelerator, shape (A,).
        seen: last node whose tensor came to an accelerator, shape (A,).
        head, link: nodes of each accelerator as lists: first one, shape (A,), and next one, shape (n,); -1 ends them.
        waits, begin: blocks before each block, and when the last of them ends, shape (A + n,).
        stack: blocks that can run, shape (A + n,).
    """

    load: Floats
    used: Floats
    seen: Ints
    head: Ints
    link: Ints
    waits: Ints
    begin: Floats
    stack: Ints


def anneal_latency(rows: Rows, at: Ints, best: Ints, hot: float, cold: float, random: Floats) -> float:
    """Change ``at`` by moves of one unit; leave the best in ``best`` and return its latency.

    Args:
        rows: the graph.
        at: shape (U,), device of each unit; accelerators first, then the host, if there is one. Changed.
        best: shape (U,), receives the best assignment met; ``at`` where nothing beats it.
        hot, cold: temperatures, relative to the latency, at the first and the last step.
        random: uniform in [0, 1), shape (4·steps,): one step is one move tried.
    """
    steps, units = len(random) // 4, len(at)
    blocks = _blocks(rows)
    lowest = _latency(rows, blocks, at)
    current = _levelled(rows, blocks, lowest)
    if lowest < np.inf:
        best[:] = at
    temperature = hot
    factor = (cold / hot) ** (1.0 / max(steps, 1))
    for step in range(steps):
        temperature *= factor
        unit = int(random[4 * step] * units)
        old = at[unit]
        new = _destination(rows, at, unit, random[4 * step + 1], random[4 * step + 2])
        if old == new:
            continue
        at[unit] = new
        latency = _latency(rows, blocks, at)
        total = _levelled(rows, blocks, latency)
        if total > current and (
            total == np.inf or random[4 * step + 3] >= np.exp((current - total) / (temperature * current))
        ):
            at[unit] = old
            continue
        current = total
        if latency < lowest:
            lowest = latency
            best[:] = at
    return lowest


@helper
def _blocks(rows: Rows) -> Blocks:
    nodes, accelerators = len(rows.unit_of), rows.accelerators
    return Blocks(
        np.zeros(accelerators),
        np.zeros(accelerators),
        np.zeros(accelerators, dtype=np.int64),
        np.zeros(accelerators, dtype=np.int64),
        np.zeros(nodes, dtype=np.int64),
        np.zeros(accelerators + nodes, dtype=np.int64),
        np.zeros(accelerators + nodes),
        np.zeros(accelerators + nodes, dtype=np.int64),
    )


@helper
def _destination(rows: Rows, at: Ints, unit: int, pick: float, share: float) -> int:
    """Device that a unit moves to: the host, any device, or, most often, that of a neighbour of one of its nodes."""
    if pick < 0.15:
        return rows.devices - 1
    if pick < 0.2:
        return int(share * rows.devices)
    first = rows.unit_start[unit]
    v = rows.unit_nodes[first + int(share * (rows.unit_start[unit + 1] - first))]
    outs = rows.edge_start[v + 1] - rows.edge_start[v]
    ins = rows.in_start[v + 1] - rows.in_start[v]
    if outs + ins == 0:
        return int(at[unit])
    which = int((pick - 0.2) / 0.8 * (outs + ins))
    other = rows.edge_end[rows.edge_start[v] + which] if which < outs else rows.in_from[rows.in_start[v] + which - outs]
    return int(at[rows.unit_of[other]])


@helper
def _latency(rows: Rows, blocks: Blocks, at: Ints) -> float:
    """Length of the longest path through the blocks; inf where memory or an operator's support forbids ``at``."""
    if not _fill(rows, blocks, at):
        return np.inf
    _connect(rows, blocks, at)
    return _longest_path(rows, blocks, at)


@helper
def _block_of(rows: Rows, at: Ints, v: int) -> int:
    """Block of a node: its accelerator, or its own on the host."""
    d = at[rows.unit_of[v]]
    return d if d < rows.accelerators else rows.accelerators + v


@helper
def _fill(rows: Rows, blocks: Blocks, at: Ints) -> bool:
    """Empty the blocks and put every node into its own; say whether all fit."""
    fits = True
    for d in range(rows.accelerators):
        blocks.load[d], blocks.used[d], blocks.seen[d], blocks.head[d] = 0.0, 0.0, -1, -1
    for block in range(len(blocks.waits)):
        blocks.waits[block] = 0
        blocks.begin[block] = 0.0
    for v in range(len(rows.unit_of)):
        d = at[rows.unit_of[v]]
        if d < rows.accelerators:
            blocks.load[d] += rows.work[v]
            blocks.used[d] += rows.size[v]
            blocks.link[v] = blocks.head[d]
            blocks.head[d] = v
            if rows.supported[v] == 0:
                fits = False
    for d in range(rows.accelerators):
        if blocks.used[d] > rows.memory:
            fits = False
    return fits


@helper
def _connect(rows: Rows, blocks: Blocks, at: Ints) -> None:
    """Count what each block waits for, and charge accelerators for the tensors that they send and receive."""
    for v in range(len(rows.unit_of)):
        own = _block_of(rows, at, v)
        leaves = False
        for p in range(rows.edge_start[v], rows.edge_start[v + 1]):
            other = _block_of(rows, at, rows.edge_end[p])
            if other != own:
                leaves = True
                blocks.waits[other] += 1
                if other < rows.accelerators and blocks.seen[other] != v:
                    blocks.seen[other] = v
                    blocks.load[other] += rows.cost[v]
        if leaves and own < rows.accelerators:
            blocks.load[own] += rows.cost[v]


@helper
def _ready(rows: Rows, blocks: Blocks, at: Ints) -> tuple[int, int]:
    """Put the blocks that wait for nothing on the stack; return how many those are, and how many there are in all."""
    top, todo = 0, 0
    for d in range(rows.accelerators):
        if blocks.head[d] >= 0:
            todo += 1
            if blocks.waits[d] == 0:
                blocks.stack[top] = d
                top += 1
    for v in range(len(rows.unit_of)):
        if at[rows.unit_of[v]] >= rows.accelerators:
            todo += 1
            if blocks.waits[rows.accelerators + v] == 0:
                blocks.stack[top] = rows.accelerators + v
                top += 1
    return top, todo


@helper
def _longest_path(rows: Rows, blocks: Blocks, at: Ints) -> float:
    """When the last block ends; inf where blocks wait for each other."""
    top, todo = _ready(rows, blocks, at)
    end = 0.0
    while top > 0:
        top -= 1
        block = blocks.stack[top]
        todo -= 1
        call = block < rows.accelerators
        v = blocks.head[block] if call else block - rows.accelerators
        finish = blocks.begin[block] + (blocks.load[block] if call else rows.host[v])
        end = max(end, finish)
        while v >= 0:
            for p in range(rows.edge_start[v], rows.edge_start[v + 1]):
                other = _block_of(rows, at, rows.edge_end[p])
                if other != block:
                    blocks.begin[other] = max(blocks.begin[other], finish)
                    blocks.waits[other] -= 1
                    if blocks.waits[other] == 0:
                        blocks.stack[top] = other
                        top += 1
            v = blocks.link[v] if call else -1
    return end if todo == 0 else np.inf


@helper
def _levelled(rows: Rows, blocks: Blocks, latency: float) -> float:
    """The latency and a little of every load: of placements with one latency, the lighter one is preferred."""
    if latency < np.inf:
        for d in range(rows.accelerators):
            latency += 1e-4 * blocks.load[d] / max(rows.accelerators, 1)
    return latency


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
    def _rows(self) -> Rows:
        g, n = self.graph, len(self.graph)
        source, end = (g.edges[:, 0], g.edges[:, 1]) if len(g.edges) else (np.zeros(0, int), np.zeros(0, int))
        forth, back = np.lexsort((end, source)), np.lexsort((source, end))
        units = int(self.unit_of.max()) + 1
        return Rows(
            accelerators=g.accelerators,
            devices=g.accelerators + min(g.cpus, 1),
            memory=float(g.memory),
            work=g.accelerator,
            host=g.cpu,
            size=g.size,
            supported=g.supported.astype(np.int64),
            cost=g.cost,
            edge_start=np.concatenate([[0], np.cumsum(np.bincount(source, minlength=n))]).astype(np.int64),
            edge_end=end[forth].astype(np.int64),
            in_start=np.concatenate([[0], np.cumsum(np.bincount(end, minlength=n))]).astype(np.int64),
            in_from=source[back].astype(np.int64),
            unit_of=self.unit_of.astype(np.int64),
            unit_start=np.concatenate([[0], np.cumsum(np.bincount(self.unit_of, minlength=units))]).astype(np.int64),
            unit_nodes=np.argsort(self.unit_of, kind="stable").astype(np.int64),
        )

    def run(self, at: Ints, rng: np.random.Generator, steps: int, hot: float) -> Ints:
        """Return the best assignment met from ``at`` (device of each class)."""
        best = at.copy()
        version(anneal_latency)(self._rows, at.copy(), best, hot, hot / 100.0, rng.random(4 * steps))
        return best


def latency_steps() -> int:
    """Moves of one run: about half a second, compiled or not."""
    return 60_000 if have_numba() else 1_000
