"""Splitting under heavy load: make the largest of the three stages device, uplink, server as small as may be.

One request after another passes device, uplink and server; the slowest of the three limits the rate (DADS: Hu et al.,
INFOCOM 2019, and Liang et al., IEEE TCC 2023, where this is shown to be NP-hard). Exactly by a MILP; on a chain, where
there are but M + 1 cuts, by looking at all of them. The published approximation searches minimum cuts of weighted
stages on a grid of weights, here a geometric one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyomo.core as pyo
from pyomo.common.collections import ComponentMap

from placer.errors import InfeasibleError, UnansweredError
from placer.solver.highs import Solver
from placer.solver.progress import Limits
from placer.solver.result import Values
from placer.splitting.costs import Cut, Plane, SplitCosts, Stages, Way, stages, with_ways
from placer.splitting.mincut import cheapest_cut
from placer.splitting.neurosurgeon import best_throughput_split

_GRID = 9
_ROUNDS = 5
_SPAN = 2.0**12


@dataclass(frozen=True)
class Bottleneck:
    """A cut for throughput.

    Attributes:
        cut: the cut.
        stages: its stages in s.
        bound: no cut has a smaller largest stage (s); -inf when nothing is proven.
        method: how it was found.
    """

    cut: Cut
    stages: Stages
    bound: float
    method: str

    @property
    def proven(self) -> bool:
        """Whether no cut is better by more than the solver's tolerance."""
        return self.stages.largest <= self.bound * (1 + 1e-6) + 1e-15


def best_bottleneck(costs: SplitCosts, x: float, load: float, limits: Limits | None = None) -> Bottleneck:
    """Return the cut with the smallest bottleneck stage, with a proven bound.

    Args:
        costs: the costs (of any objective: only busy times and bytes count).
        x: inverse rate in s/byte.
        load: factor on the server's times.
        limits: when the solver stops.

    Raises:
        InfeasibleError: when no cut puts every layer where it can run.
        UnansweredError: when the limits ended the search before any cut was found.
    """
    chain = all(sources == (layer - 1,) for layer, sources in enumerate(costs.predecessors))
    if chain:
        cut, times = best_throughput_split(costs, x, load)
        return Bottleneck(cut, times, times.largest, "all splits")
    start = grid_bottleneck(costs, x, load, rounds=1)
    if start.stages.largest <= 0:
        return Bottleneck(start.cut, start.stages, 0.0, "grid")
    scale = 1.0 / start.stages.largest
    model = _model(costs, x, load, scale)
    solver = Solver.of(model)
    solver.start_from(_start(model, costs, start.cut))
    result = solver.solve(limits or Limits())
    if result.status == "infeasible":
        raise InfeasibleError("no cut puts every layer where it can run")
    found = start
    if result.has_incumbent:
        remote = [result.values[model.x[layer]] > 0.5 for layer in range(len(costs))]
        cut = with_ways(costs, remote, _chosen(model, costs, result.values))
        times = stages(costs, cut, x, load)
        if not times.largest * scale <= result.objective * (1 + 1e-6) + 1e-9:
            raise UnansweredError(
                f"internal error: the solver states a bottleneck of {result.objective / scale:.9g} s, "
                f"its cut has {times.largest:.9g} s"
            )
        if times.largest < start.stages.largest:
            found = Bottleneck(cut, times, -np.inf, "milp")
    return replace(found, bound=min(result.bound / scale, found.stages.largest), method="milp")


def _model(costs: SplitCosts, x: float, load: float, scale: float) -> pyo.ConcreteModel:
    """Minimise T with x[v] = 1 for a layer on the server and y[t, w] = 1 where tensor t crosses in way w."""
    count = len(costs)
    model = pyo.ConcreteModel()
    model.objective_is_bounded = True
    model.x = pyo.Var(range(count), domain=pyo.Binary)
    pairs = [(t, w) for t in range(count + 1) if costs.readers[t] for w in range(len(costs.ways[t]))]
    several = {t for t, w in pairs if w}
    model.y = pyo.Var(pairs, bounds=(0, 1), domain=lambda _, t, w: pyo.Binary if t in several else pyo.NonNegativeReals)
    model.T = pyo.Var(domain=pyo.NonNegativeReals)
    model.bottleneck = pyo.Objective(expr=model.T)
    model.one_way = pyo.ConstraintList()
    model.nothing_returns = pyo.ConstraintList()
    for tensor, readers in enumerate(costs.readers):
        crossed = sum(model.y[tensor, w] for w in range(len(costs.ways[tensor]))) if readers else 0
        for reader in readers:
            if tensor < count:
                model.nothing_returns.add(model.x[tensor] <= model.x[reader])
                model.one_way.add(crossed >= model.x[reader] - model.x[tensor])
            else:
                model.one_way.add(crossed >= model.x[reader])
    for layer in range(count):
        if not np.isfinite(costs.device_seconds[layer]):
            model.x[layer].setlb(1)
        elif not np.isfinite(costs.server_seconds[layer]):
            model.x[layer].setub(0)
    device = sum(
        scale * float(costs.device_seconds[v]) * (1 - model.x[v])
        for v in range(count)
        if np.isfinite(costs.device_seconds[v])
    )
    server = sum(
        scale * load * float(costs.server_seconds[v]) * model.x[v]
        for v in range(count)
        if np.isfinite(costs.server_seconds[v])
    )
    # a tensor that may not cross (privacy, range) has infinite figures: held at zero, and out of the sums
    ways = {(t, w): costs.ways[t][w] for t, w in pairs if np.isfinite(costs.ways[t][w].bytes)}
    for key in pairs:
        if key not in ways:
            model.y[key].setub(0)
    device += sum(scale * way.device * model.y[key] for key, way in ways.items())
    server += sum(scale * load * way.server * model.y[key] for key, way in ways.items())
    uplink = sum(scale * x * way.bytes * model.y[key] for key, way in ways.items() if way.bytes)
    model.device_stage = pyo.Constraint(expr=device <= model.T)
    model.uplink_stage = pyo.Constraint(expr=uplink <= model.T)
    model.server_stage = pyo.Constraint(expr=server <= model.T)
    return model


def _start(model: pyo.ConcreteModel, costs: SplitCosts, cut: Cut) -> Values:
    values: Values = ComponentMap((model.x[layer], float(flag)) for layer, flag in enumerate(cut.on_server))
    crossing = {tensor if tensor >= 0 else len(costs): way for tensor, way in cut.crossing}
    for tensor, w in model.y:
        values[model.y[tensor, w]] = float(crossing.get(tensor) is costs.ways[tensor][w])
    return values


def _chosen(model: pyo.ConcreteModel, costs: SplitCosts, values: Values) -> list[Way | None]:
    chosen: list[Way | None] = []
    for tensor, ways in enumerate(costs.ways):
        if not costs.readers[tensor]:
            chosen.append(None)
            continue
        chosen.append(max(ways, key=lambda way: values.get(model.y[tensor, ways.index(way)], 0.0)))
    return chosen


def grid_bottleneck(costs: SplitCosts, x: float, load: float, rounds: int = _ROUNDS) -> Bottleneck:
    """The published approximation: minimum cuts of alpha * device + uplink + gamma * server over a grid of weights.

    The grid is geometric (the published unit steps would need up to 10**13 points) and shrinks around its best point.

    Raises:
        InfeasibleError: when no cut puts every layer where it can run.
    """
    best: tuple[float, Cut] | None = None
    alpha = gamma = 1.0
    span = _SPAN
    for _ in range(rounds):
        at: tuple[float, float] | None = None
        for a, g in _points(alpha, gamma, span):
            cut = _weighted(costs, x, load, a, g)
            value = stages(costs, cut, x, load).largest
            if best is None or value < best[0]:
                best, at = (value, cut), (a, g)
        if at is not None:
            alpha, gamma = at
        span = span ** (2.0 / (_GRID - 1))
    assert best is not None
    return Bottleneck(best[1], stages(costs, best[1], x, load), -np.inf, "grid")


def _points(alpha: float, gamma: float, span: float) -> Iterator[tuple[float, float]]:
    steps = span ** np.linspace(-1.0, 1.0, _GRID)
    yield from ((alpha * a, gamma * g) for a in steps for g in steps)


def _weighted(costs: SplitCosts, x: float, load: float, alpha: float, gamma: float) -> Cut:
    none = Plane(0.0, 0.0, 0.0)
    weighted = replace(
        costs,
        device=alpha * costs.device_seconds,
        server=gamma * costs.server_seconds,
        home=np.zeros(len(costs)),
        back=(none,) * len(costs),
        ways=tuple(
            tuple(way._replace(plane=Plane(alpha * way.device, way.bytes, gamma * way.server)) for way in ways)
            for ways in costs.ways
        ),
    )
    found = cheapest_cut(weighted, x, load)
    # the same ways under the real costs
    chosen: list[Way | None] = [None] * (len(costs) + 1)
    for tensor, way in found.crossing:
        chosen[tensor] = costs.ways[tensor][weighted.ways[tensor].index(way)]
    return with_ways(costs, found.on_server, chosen)
