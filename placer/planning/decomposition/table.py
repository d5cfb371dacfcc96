"""What is known of the costs of one stretch, for all stations of its start and its end."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from placer import jit
from placer.planning.decomposition.branching import search
from placer.planning.decomposition.graphs import Found, Graph, Pairs, graph_of
from placer.planning.decomposition.matrices import heads, least, rests, station_together, together
from placer.planning.decomposition.stretches import Floats, Ints, Stretch

COLUMNS = 64
"""Stations of the end that are looked at together: bounds the memory that they take."""
BUDGET = 20_000
"""Nodes between two looks at the clock."""
SMALLEST_COMPILED = 300
"""Pairs times inner layers from which on it is worth a compiled search."""


class Table:
    """Bounds of a stretch, tightened where it matters.

    Attributes:
        stretch: the stretch.
        lower: shape (rows, columns), no cost is less.
        upper: shape (rows, columns), a cost that is attained or more than one that is; equal to ``lower`` where the
            cost is known.
    """

    def __init__(self, stretch: Stretch) -> None:
        self.stretch = stretch
        self.lower = least(stretch)
        self.upper = together(stretch) if stretch.inner else self.lower
        self._placed: dict[tuple[int, int], tuple[int, ...]] = {}
        self._graph: Graph | None = None

    def stations(self, start: int, end: int) -> tuple[int, ...]:
        """Stations of the inner layers at the cost ``upper``."""
        if not self.stretch.inner:
            return ()
        if (start, end) not in self._placed:
            return (station_together(self.stretch, start, end),) * self.stretch.inner
        return self._placed[start, end]

    def tighten(self, starts: Ints, ends: Ints, cutoff: Floats, nodes: int, go_on: Callable[[], bool]) -> None:
        """Find the costs of pairs of stations as far as they are below ``cutoff``.

        Args:
            starts, ends, cutoff: shape (P,).
            nodes: of a search on one pair.
            go_on: asked from time to time; what is known by then stays known.
        """
        if self._graph is None:
            self._graph = graph_of(self.stretch)
        compiled = None if len(starts) * self.stretch.inner >= SMALLEST_COMPILED else False
        order = np.argsort(ends, kind="stable")
        limits = np.minimum(cutoff, self.upper[starts, ends])
        while len(order) and go_on():
            columns = np.unique(ends[order])[:COLUMNS]
            block = order[np.isin(ends[order], columns)]
            order = order[len(block) :]
            self._block(self._graph, starts[block], ends[block], limits[block], (nodes, go_on, compiled))

    def _block(
        self,
        graph: Graph,
        starts: Ints,
        ends: Ints,
        limits: Floats,
        how: tuple[int, Callable[[], bool], bool | None],
    ) -> None:
        nodes, go_on, compiled = how
        rows, row = np.unique(starts, return_inverse=True)
        columns, column = np.unique(ends, return_inverse=True)
        head = heads(self.stretch, rows) if graph.serial else np.zeros((len(graph.send), len(rows), 0))
        rest = np.zeros((len(self.stretch.edges), len(graph.device), len(columns)))
        for edge, matrix in enumerate(rests(self.stretch, columns)):
            rest[edge, : len(matrix)] = matrix
        pairs = Pairs(starts, ends, row, column, limits, head, rest)
        while len(pairs.start) and go_on():
            count = len(pairs.start)
            found = Found(np.zeros(count), np.zeros(count), np.zeros((count, len(graph.send)), dtype=np.int64))
            done = int(_search(compiled)(graph, pairs, found, nodes, BUDGET))
            self._note(pairs, found, done)
            pairs = Pairs(
                pairs.start[done:],
                pairs.end[done:],
                pairs.row[done:],
                pairs.column[done:],
                pairs.cutoff[done:],
                head,
                rest,
            )

    def _note(self, pairs: Pairs, found: Found, done: int) -> None:
        at = pairs.start[:done], pairs.end[:done]
        self.lower[at] = np.maximum(self.lower[at], found.lower[:done])
        for pair in np.flatnonzero(found.value[:done] < self.upper[at]):
            key = int(pairs.start[pair]), int(pairs.end[pair])
            self._placed[key] = tuple(found.stations[pair, 1:].tolist())
            self.upper[key] = found.value[pair]
        self.lower[at] = np.minimum(self.lower[at], self.upper[at])  # they differ by rounding where they meet


@cache
def _search(compiled: bool | None) -> Any:
    return jit.version(search, compiled)
