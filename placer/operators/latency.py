"""Latency: one call per accelerator. Rows cut by a serial dynamic programme, then annealing of the true time.

Along a row of the units (an order that respects the edges) the serial programme puts intervals on at most k
accelerators, within the memory, and the units between them on the host, and minimises the sum of all times;
branches that run in parallel make the true latency smaller, so the checker's value counts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from placer.operators.answer import Answer, Record, check_room
from placer.operators.graph import Ints, OperatorGraph
from placer.operators.intervals import interval_loads
from placer.operators.latency_bound import path_bound
from placer.operators.latency_kernel import LatencyAnnealer, latency_steps
from placer.operators.rows import first_rows, shaken
from placer.operators.units import Units, make_units

SEARCH_SHARE, PATIENCE, BOUND_SHARE = 0.8, 30.0, 0.1
"""Of the time limit; seconds without a better answer; of the time limit."""


def solve_latency(graph: OperatorGraph, seconds: float = 240.0, seed: int = 0) -> Answer:
    """Return the placement with the smallest latency found within the time.

    Raises:
        InfeasibleError: when no assignment fits (proven).
        UnansweredError: when none was found.
    """
    check_room(graph)
    record, rng = Record(graph, "latency", seconds), np.random.default_rng(seed)
    for device in {0, graph.accelerators} - {graph.accelerators + graph.cpus}:
        record.offer(np.full(len(graph), device, dtype=np.int64), "one device")
    bound = path_bound(graph, rng, min(BOUND_SHARE * seconds, 20.0))
    record.raise_bound(min(bound, record.value), "calls along a path")
    units = make_units(graph, True)
    search = LatencySearch(record, units, rng)
    search.start()
    search.improve(SEARCH_SHARE * seconds, PATIENCE)
    return record.answer()


def serial_cut(graph: OperatorGraph, units: Units, row: Sequence[int]) -> tuple[float, tuple[tuple[int, int], ...]]:
    """Return the least sum of times along a row, and the intervals that go on accelerators."""
    loads = interval_loads(graph, units, row).accelerator
    n = len(row)
    order = np.asarray(row)
    host = units.cpu[order] if graph.cpus else np.full(n, np.inf)
    host_before = np.concatenate([[0.0], np.cumsum(host)]) if graph.cpus else np.zeros(n + 1)
    value = np.full((graph.accelerators + 1, n + 1), np.inf)
    came = np.full((graph.accelerators + 1, n + 1), -2, dtype=np.int64)  # -1: the unit before is on the host
    value[0, 0] = 0.0
    if graph.cpus:
        value[0], came[0, 1:] = host_before, -1
    for a in range(1, graph.accelerators + 1):
        through = value[a - 1][:, None] + loads
        start = through.argmin(axis=0)
        call = through[start, np.arange(n + 1)]
        value[a], came[a] = call, start
        if graph.cpus:
            # value[a][j] = min over i ≤ j of call[i] plus the host's time for [i, j)
            relative = call - host_before
            least = np.minimum.accumulate(relative)
            host_wins = least < relative
            value[a] = least + host_before
            came[a][host_wins] = -1
    intervals: list[tuple[int, int]] = []
    a, end = graph.accelerators, n
    total = float(value[a, end])
    while np.isfinite(total) and end > 0:
        if came[a, end] == -1:
            end -= 1
            continue
        start_at = int(came[a, end])
        if start_at < end:
            intervals.append((start_at, end))
        a, end = a - 1, start_at
    return total, tuple(reversed(intervals))


class LatencySearch:
    """Local search; all answers go through the record."""

    def __init__(self, record: Record, units: Units, rng: np.random.Generator) -> None:
        self.record, self.units, self.rng = record, units, rng
        self.graph = record.graph
        self.classes = np.unique(self.graph.colour, return_inverse=True)[1].astype(np.int64)
        self.annealer = LatencyAnnealer(self.graph, self.classes)
        self.crowd: list[tuple[float, list[int]]] = []

    def try_row(self, row: list[int]) -> bool:
        """Cut a row, keep it if it is among the best, and offer it."""
        serial, intervals = serial_cut(self.graph, self.units, row)
        if not np.isfinite(serial):
            return False
        at = np.full(len(row), self.graph.accelerators, dtype=np.int64)
        for number, (start, end) in enumerate(intervals):
            at[np.asarray(row[start:end])] = number
        self.crowd = sorted([*self.crowd, (serial, row)], key=lambda found: found[0])[:6]
        return self.record.offer(self.units.spread(at), "serial programme")

    def start(self) -> None:
        """Cut the first rows."""
        for row in first_rows(self.units, self.rng, 12):
            if self.record.left > 0.0:
                self.try_row(row)

    def shake(self, tries: int) -> bool:
        """Cut rows near the best ones."""
        found = False
        for _ in range(tries):
            if not self.crowd or self.record.left <= 0.0:
                break
            row = self.crowd[int(self.rng.integers(len(self.crowd)))][1]
            width = float(np.exp(self.rng.uniform(np.log(0.7), np.log(max(len(row) / 4, 2.0)))))
            found |= self.try_row(shaken(self.units, row, self.rng, width))
        return found

    def anneal(self, home: Ints) -> tuple[Ints, bool]:
        """Anneal from an assignment of the nodes, and offer what comes out."""
        at = np.zeros(int(self.classes.max()) + 1, dtype=np.int64)
        at[self.classes] = home
        hot = 10 ** self.rng.uniform(-4.5, -1.3)
        nodes = self.annealer.run(at, self.rng, latency_steps(), hot)[self.classes]
        return nodes, self.record.offer(nodes, "annealing")

    def improve(self, seconds: float, patience: float) -> None:
        """Alternate between rows and annealing until the time or the patience is over."""
        begin = last = self.record.spent
        while self.record.spent - begin < seconds and self.record.spent - last < patience:
            if self.record.proven or self.record.nodes is None:
                return
            found = self.shake(10)
            found |= self.anneal(self.record.nodes)[1]
            if found:
                last = self.record.spent
