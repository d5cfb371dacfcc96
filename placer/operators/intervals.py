"""Chains along one order of the units: the load of every interval, and the best cut into stages.

With the units in a row that respects the arcs, a stage is an interval [i, j) and a contiguous answer that
agrees with the row is a cut of it into at most k accelerator stages and q CPU stages, in any mixture. The
loads of all n²/2 intervals come from a two-dimensional prefix sum over rectangles, a few per pin, and the
best cut is a dynamic programme over (accelerators used, CPUs used, end).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from placer.operators.graph import Bools, Floats, Ints, OperatorGraph
from placer.operators.units import Units


@dataclass(frozen=True)
class IntervalLoads:
    """Loads of the intervals of one row of n units.

    Attributes:
        accelerator: shape (n+1, n+1), load of [i, j) on an accelerator; inf where it does not fit or i > j.
        cpu: shape (n+1, n+1), load on a CPU; inf where i > j.
    """

    accelerator: Floats
    cpu: Floats


def interval_loads(graph: OperatorGraph, units: Units, row: Sequence[int]) -> IntervalLoads:
    """Return the loads of all intervals of ``row`` (all units, each once)."""
    order = np.asarray(row, dtype=np.int64)
    n = len(order)
    work, host = _prefix(units.accelerator[order]), _prefix(units.cpu[order])
    bytes_before, unfit = _prefix(units.size[order]), _prefix(~units.supported[order])
    load = work[None, :] - work[:, None] + cut_costs(units, order)
    too_large = bytes_before[None, :] - bytes_before[:, None] > graph.memory * (1 + 1e-12)
    load[too_large | (unfit[None, :] > unfit[:, None])] = np.inf
    cpu = host[None, :] - host[:, None]
    backwards = np.tri(n + 1, k=-1, dtype=bool)
    load[backwards] = cpu[backwards] = np.inf
    np.fill_diagonal(load, 0.0)
    return IntervalLoads(load, cpu)


def _prefix(values: Floats | Bools) -> Floats:
    return np.concatenate([[0.0], np.cumsum(values)])


def cut_costs(units: Units, order: Ints) -> Floats:
    """Return, shape (n+1, n+1), the cost of the nets of which [i, j) holds some but not all pins.

    A net has a pin in [i, j) iff its first pin p at or after i lies before j: i in (previous pin, p], j > p.
    It lies inside iff i ≤ its first pin and j > its last.
    """
    n = len(order)
    place = np.empty(n, dtype=np.int64)
    place[order] = np.arange(n)
    corner = np.zeros((n + 2, n + 2))
    net, unit = units.pins
    if len(net):
        at = place[unit]
        sorted_pins = np.lexsort((at, net))
        at, cost = at[sorted_pins], units.cost[net]
        first = np.concatenate([[True], net[1:] != net[:-1]])
        last = np.concatenate([first[1:], [True]])
        previous = np.where(first, -1, np.concatenate([[-1], at[:-1]]))
        np.add.at(corner, (previous + 1, at + 1), cost)
        np.add.at(corner, (at + 1, at + 1), -cost)
        np.add.at(corner, (np.zeros(int(first.sum()), dtype=np.int64), at[last] + 1), -cost[last])
        np.add.at(corner, (at[first] + 1, at[last] + 1), cost[last])
    return np.asarray(corner.cumsum(axis=0).cumsum(axis=1)[: n + 1, : n + 1])


def can_beat(loads: IntervalLoads, accelerators: int, cpus: int, limit: float) -> bool:
    """Whether some cut has all loads below ``limit``."""
    fits, fits_cpu = loads.accelerator < limit, loads.cpu < limit
    n = len(fits) - 1
    start = np.zeros(n + 1, dtype=bool)
    start[0] = True
    reached: list[Bools] = []  # by CPUs used, for the accelerators so far
    for a in range(accelerators + 1):
        row: list[Bools] = []
        for c in range(cpus + 1):
            now = start.copy()
            if a:
                now |= fits[reached[c]].any(axis=0)
            if c:
                now |= fits_cpu[row[c - 1]].any(axis=0)
            row.append(now)
        reached = row
    return bool(reached[cpus][n])


@dataclass(frozen=True)
class Cut:
    """A cut of a row into stages.

    Attributes:
        value: largest load; inf when no cut fits.
        stages: (start, end, whether on a CPU) of each non-empty stage, in the order of the row.
    """

    value: float
    stages: tuple[tuple[int, int, bool], ...]


def best_cut(loads: IntervalLoads, accelerators: int, cpus: int) -> Cut:
    """Return the cut with the smallest largest load."""
    n = len(loads.cpu) - 1
    value = np.full((accelerators + 1, cpus + 1, n + 1), np.inf)
    origin = np.full((accelerators + 1, cpus + 1, n + 1), -1, dtype=np.int64)
    on_cpu = np.zeros((accelerators + 1, cpus + 1, n + 1), dtype=bool)
    value[0, 0, 0] = 0.0
    ends = np.arange(n + 1)
    for a in range(accelerators + 1):
        for c in range(cpus + 1):
            for previous, load, host in ((a - 1, loads.accelerator, False), (a, loads.cpu, True)):
                before = c - 1 if host else c
                if previous < 0 or before < 0:
                    continue
                through = np.maximum(value[previous, before][:, None], load)
                start = through.argmin(axis=0)
                found = through[start, ends]
                better = found < value[a, c]
                value[a, c][better] = found[better]
                origin[a, c][better] = start[better]
                on_cpu[a, c][better] = host
    return Cut(float(value[accelerators, cpus, n]), _walk(value, origin, on_cpu))


def _walk(value: Floats, origin: Ints, on_cpu: Bools) -> tuple[tuple[int, int, bool], ...]:
    a, c, end = (size - 1 for size in value.shape)
    stages: list[tuple[int, int, bool]] = []
    if not np.isfinite(value[a, c, end]):
        return ()
    while origin[a, c, end] >= 0:
        start, host = int(origin[a, c, end]), bool(on_cpu[a, c, end])
        if start < end:
            stages.append((start, int(end), host))
        a, c, end = (a, c - 1, start) if host else (a - 1, c, start)
    return tuple(reversed(stages))
