"""A placement of every service as columns: what it costs together, and whether it keeps every limit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from placer.plan.placement import Placement
from placer.planning.columns.coupling import DEADLINE, EASED, MOVES, STAGE, Column, Coupling

Columns = Sequence[Column]


def placement_of(columns: Columns) -> Placement:
    """The placement that columns make, in the order of their services."""
    return Placement(tuple(c.choice for c in columns), tuple(c.stations for c in columns))


def worth(coupling: Coupling, columns: Columns) -> float:
    """The objective of some or all services together, as far as they are placed."""
    if coupling.objective == "latency-worst":
        return max((column.value for column in columns), default=0.0)
    if coupling.objective == "throughput":
        total: dict[int, float] = {}
        for column in columns:
            first = int(np.searchsorted(column.rows, STAGE))
            for row, taken in zip(column.rows[first:].tolist(), column.taken[first:].tolist(), strict=True):
                total[row] = total.get(row, 0.0) + taken
        return max(total.values(), default=0.0)
    return float(sum(column.cost for column in columns))


def keeps(coupling: Coupling, columns: Columns) -> bool:
    """Whether some or all services together break no limit."""
    moved = 0.0
    for column in columns:
        first = int(np.searchsorted(column.rows, DEADLINE))
        for row, taken in zip(column.rows[first:].tolist(), column.taken[first:].tolist(), strict=True):
            if row == MOVES:
                moved += taken
            elif row < MOVES and taken > EASED:
                return False
    if coupling.kept is not None and moved > coupling.right(MOVES):
        return False
    return coupling.resources.overdrawn(placement_of(columns)) == 0.0
