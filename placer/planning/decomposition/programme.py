"""The programme over the gates of a variant: stretches in (min, +), tightened until its bound meets its placement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from placer.planning.decomposition.stretches import Costs, Floats
from placer.planning.decomposition.table import Table

FIRST_NODES, MORE = 2_000, 8
"""Nodes of a search on a pair of stations at first, and the factor when that was not enough."""
PATHS = 24
"""Cheapest ways tightened before all that could be cheaper are."""
CLOSE = 1e-10
"""Relative difference within which a bound and a value are the same: rounding."""

Tables = dict[object, Table]


@dataclass(frozen=True, eq=False)
class Stage:
    """One stretch of a variant.

    Attributes:
        table: what is known of its costs.
        run: probability that a request reaches it.
        extra: what results that leave at its end cost, by its station, shape (columns,).
    """

    table: Table
    run: float
    extra: Floats

    def costs(self, of: Floats) -> Floats:
        """Expected costs from costs of the table."""
        scaled = np.where(np.isfinite(of), self.run * np.where(np.isfinite(of), of, 0.0), np.inf)
        total: Floats = scaled + self.extra[None, :]
        return total


def stages_of(costs: Costs, tables: Tables) -> list[Stage]:
    """The stretches of a variant; those known of before are taken from ``tables``, and the others noted there."""
    variant, stages = costs.domain.variant, []
    for before, layers in variant.stretches:
        key = costs.key(before, layers)
        if key not in tables:
            tables[key] = Table(costs.stretch(before, layers))
        table = tables[key]
        extra = np.zeros(1) if table.stretch.ends_at_decision else costs.extra(layers)
        stages.append(Stage(table, float(variant.run[layers[0]]), extra))
    return stages


class Programme:
    """The least expected cost of a variant without limits that couple its layers, bounded from both sides.

    Attributes:
        bound: no placement costs less; inf when there is none.
        value: what ``stations()`` cost; inf when no placement is known.
    """

    def __init__(self, stages: list[Stage]) -> None:
        self.stages = stages
        self.bound, self.value = -np.inf, np.inf
        self._ends: tuple[int, ...] = ()
        self._update()

    def stations(self) -> tuple[int, ...]:
        """Station of each layer."""
        result: list[int] = []
        start = 0
        for stage, end in zip(self.stages, self._ends, strict=True):
            result += stage.table.stations(start, end)
            if not stage.table.stretch.ends_at_decision:
                result.append(end)
            start = end
        return tuple(result)

    def tighten(self, gap: float, cutoff: float, go_on: Callable[[], bool]) -> None:
        """Work until bound and value are within a relative gap, or nothing below ``cutoff`` is left."""
        nodes = FIRST_NODES
        for _ in range(PATHS):
            if self._done(gap, cutoff) or not go_on() or not self._along_the_cheapest(nodes, go_on):
                break
            self._update()
        while not self._done(gap, cutoff) and go_on():
            self._everywhere(gap, cutoff, nodes, go_on)
            nodes *= MORE

    def _done(self, gap: float, cutoff: float) -> bool:
        return self.bound >= self._goal(gap, cutoff)

    def _goal(self, gap: float, cutoff: float) -> float:
        """What a bound has to reach."""
        least = min(self.value, cutoff)
        return least - max(gap, CLOSE) * abs(least) if np.isfinite(least) else least

    def _update(self) -> None:
        """Bound and value from the tables."""
        lower = [stage.costs(stage.table.lower) for stage in self.stages]
        self.bound = max(self.bound, float(forward(lower)[-1].min()))
        upper = [stage.costs(stage.table.upper) for stage in self.stages]
        value = float(forward(upper)[-1].min())
        if value < self.value:
            self.value, self._ends = value, _cheapest(upper)

    def _along_the_cheapest(self, nodes: int, go_on: Callable[[], bool]) -> bool:
        """Tighten what is open on the cheapest way by the lower bounds; False when nothing is."""
        ends = _cheapest([stage.costs(stage.table.lower) for stage in self.stages])
        start, some = 0, False
        for stage, end in zip(self.stages, ends, strict=True):
            table = stage.table
            if table.lower[start, end] < table.upper[start, end]:
                some = True
                table.tighten(np.array([start]), np.array([end]), np.array([np.inf]), nodes, go_on)
            start = end
        return some

    def _everywhere(self, gap: float, cutoff: float, nodes: int, go_on: Callable[[], bool]) -> None:
        """Tighten every stretch wherever a way through it could still cost less than the goal."""
        for index, stage in enumerate(self.stages):
            if self._done(gap, cutoff) or not go_on():
                return
            table = stage.table
            if stage.run == 0 or not table.stretch.inner:
                continue
            lower = [each.costs(each.table.lower) for each in self.stages]
            before = forward(lower)[index - 1] if index else np.zeros(1)
            rest = backward(lower)[index]
            outside = before[:, None] + (rest + stage.extra)[None, :]
            goal = self._goal(gap, cutoff)
            open_pairs = (table.lower < table.upper) & (outside + stage.run * table.lower < goal)
            starts, ends = np.nonzero(open_pairs)
            if len(starts):
                limit = (goal - outside[starts, ends]) / stage.run
                table.tighten(starts, ends, limit, nodes, go_on)
                self._update()


def forward(costs: list[Floats]) -> list[Floats]:
    """Least cost up to the end of each stretch, by its station."""
    result, reached = [], np.zeros(1)
    for matrix in costs:
        reached = (reached[:, None] + matrix).min(axis=0)
        result.append(reached)
    return result


def backward(costs: list[Floats]) -> list[Floats]:
    """Least cost from the end of each stretch to the end of all, by its station."""
    result = [np.zeros(costs[-1].shape[1])]
    for matrix in reversed(costs[1:]):
        result.append((matrix + result[-1][None, :]).min(axis=1))
    return result[::-1]


def _cheapest(costs: list[Floats]) -> tuple[int, ...]:
    """Ends of the stretches on the cheapest way."""
    rest, start, ends = backward(costs), 0, []
    for matrix, after in zip(costs, rest, strict=True):
        start = int(np.argmin(matrix[start] + after))
        ends.append(start)
    return tuple(ends)
