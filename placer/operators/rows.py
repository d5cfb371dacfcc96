"""Rows of the units that respect the arcs."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np

from placer.operators.graph import Floats
from placer.operators.units import Units


def row_by(before: Sequence[Sequence[int]], after: Sequence[Sequence[int]], key: Sequence[float] | Floats) -> list[int]:
    """Return a topological order that takes the smallest key among the free ones."""
    waits = [len(found) for found in before]
    free = [(key[item], item) for item, count in enumerate(waits) if count == 0]
    heapq.heapify(free)
    row: list[int] = []
    while free:
        item = heapq.heappop(free)[1]
        row.append(item)
        for follower in after[item]:
            waits[follower] -= 1
            if waits[follower] == 0:
                heapq.heappush(free, (key[follower], follower))
    return row


def depth_first(
    before: Sequence[Sequence[int]], after: Sequence[Sequence[int]], rank: Sequence[float] | Floats
) -> list[int]:
    """Return a topological order that follows branches to their end, small ranks first."""
    waits = [len(found) for found in before]
    free = sorted((item for item, count in enumerate(waits) if count == 0), key=lambda item: -rank[item])
    row: list[int] = []
    while free:
        item = free.pop()
        row.append(item)
        opened = []
        for follower in after[item]:
            waits[follower] -= 1
            if waits[follower] == 0:
                opened.append(follower)
        free.extend(sorted(opened, key=lambda item: -rank[item]))
    return row


def levels(before: Sequence[Sequence[int]], after: Sequence[Sequence[int]], weight: Floats) -> Floats:
    """Return the heaviest weight of a way that ends before each item."""
    level = np.zeros(len(before))
    for item in row_by(before, after, np.zeros(len(before))):
        for earlier in before[item]:
            level[item] = max(level[item], level[earlier] + weight[earlier])
    return level


def first_rows(units: Units, rng: np.random.Generator, count: int = 6) -> list[list[int]]:
    """Return different rows to start from: by level, reversed, late as possible, branch by branch."""
    before, after = units.before, units.after
    weight = units.accelerator + 1e-9
    early, late = levels(before, after, weight), levels(after, before, weight)
    rows = [
        row_by(before, after, early),
        row_by(before, after, -late),
        row_by(before, after, early - late),
        depth_first(before, after, early),
        depth_first(before, after, -late),
        list(reversed(depth_first(after, before, late))),
    ]
    rows += [depth_first(before, after, rng.random(len(units))) for _ in range(count)]
    return rows


def shaken(units: Units, row: Sequence[int], rng: np.random.Generator, width: float) -> list[int]:
    """Return a row near ``row``: places move by about ``width``."""
    key = np.empty(len(row))
    key[np.asarray(row)] = np.arange(len(row)) + rng.normal(0.0, width, len(row))
    return row_by(units.before, units.after, key)
