"""The stretch programme at prices: the cheapest placement of one service for what its rows cost at the moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from placer.instance.compiled import Compiled, Floats, Ints
from placer.planning.columns.coupling import Coupling
from placer.planning.columns.tariffs import Prices, prices_of_arcs, prices_of_layers, way_of
from placer.planning.decomposition.programme import Programme, Stage, Tables, stages_of
from placer.planning.decomposition.stretches import Costs, Stretch
from placer.planning.decomposition.table import Table
from placer.planning.domains import Domain


@dataclass(frozen=True)
class Priced:
    """The best placement of a variant at some prices.

    Attributes:
        bound: no placement on the stations looked at costs less.
        value: what ``stations`` cost at most, as far as the programme sees it; inf for none.
        stations: station of each layer, as numbered in the instance.
    """

    bound: float
    value: float
    stations: tuple[int, ...]


@dataclass(eq=False)
class Site:
    """A variant on some of the stations.

    Attributes:
        coupling: the rows.
        choice: the variant.
        subset: shape (K,), the stations looked at, in order.
        costs: the variant's seconds on them.
        base: the stretches without prices: what is known of them stays known.
    """

    coupling: Coupling
    choice: int
    subset: Ints
    costs: Costs
    base: Tables = field(default_factory=dict)

    @cached_property
    def unpriced(self) -> list[Stage]:
        """The stretches without prices."""
        return stages_of(self.costs, self.base)

    @classmethod
    def of(cls, coupling: Coupling, domain: Domain, choice: int, subset: Ints, base: Tables) -> Site:
        """The site of a variant on a subset; ``base`` may be shared by those of one subset."""
        variant = domain.variant
        usable = domain.usable[:, subset]
        narrow = replace(variant, time=variant.time[:, subset], joules=variant.joules[:, subset])
        costs = Costs(on_stations(coupling.compiled, subset), Domain(narrow, usable), energy=False)
        return cls(coupling, choice, subset, costs, base)

    def stages(self, factor: float, prices: Prices) -> list[Stage]:
        """The stretches at prices, with a second at the price ``factor``."""
        coupling, variant = self.coupling, self.costs.domain.variant
        price = prices_of_layers(coupling, self.choice, prices)[:, self.subset]
        arcs = prices_of_arcs(coupling, self.choice, prices)
        joules = 0.0
        if coupling.objective == "energy":
            joules = float(coupling.compiled.weight[variant.service])
            own = np.where(self.costs.domain.usable, variant.joules, 0.0)
            price = price + joules * variant.run[:, None] * own
        found = []
        for (before, layers), stage in zip(variant.stretches, self.unpriced, strict=True):
            gate = not stage.table.stretch.ends_at_decision
            inside = price[layers[0] : layers[-1] + (0 if gate else 1)]
            extra = scaled(factor, stage.extra)
            if gate:
                extra = extra + price[layers[-1]]
                share = float(variant.leave[layers[-1]])
                if share > 0 and (way := self._result(layers[-1], arcs, joules)) is not None:
                    extra = extra + share * way
            table = stage.table
            plain = arcs is None and joules == 0
            if not plain or (table.stretch.inner and inside.any()):
                table = Table(self._stretch(table.stretch, before, layers, factor * stage.run, inside, arcs, joules))
                found.append(Stage(table, 1.0, extra))
            else:
                found.append(Stage(table, factor * stage.run, extra))
        return found

    def _stretch(
        self,
        base: Stretch,
        before: int,
        layers: range,
        factor: float,
        inside: Floats,
        arcs: Floats | None,
        joules: float,
    ) -> Stretch:
        """One stretch at prices; ``factor`` is what a second costs on average.

        Where seconds count and layers run side by side, what tensors pay inside is left out: never more than what is
        paid.
        """
        send, cost = [scaled(factor, one) for one in base.send], [scaled(factor, one) for one in base.cost]
        if base.inner and factor > 0:
            return replace(base, send=tuple(send), cost=tuple(cost), price=tuple(inside))
        run, at = float(self.costs.domain.variant.run[layers[0]]), self.costs.compiled.station_device
        service = self.costs.domain.variant.service
        for node in range(base.inner + 1):
            maker = before if node == 0 else layers[node - 1]
            if base.ends_at_decision and node > 0 and maker in self.costs.domain.variant.leaves:
                column = self._result(maker, arcs, joules)
                way = None if column is None else column[:, None]
            else:
                rows = self.coupling.compiled.source[service][None] if maker < 0 else at
                matrix = self._way(maker, arcs, joules)
                way = None if matrix is None else matrix[np.ix_(rows, at)]
            if way is not None:
                send[node] = send[node] + run * way
        for node, paid in enumerate(inside):
            cost[node] = cost[node] + paid
        return replace(base, send=tuple(send), cost=tuple(cost), serial=base.inner == 0)

    def _way(self, tensor: int, arcs: Floats | None, joules: float) -> Floats | None:
        compiled, variant = self.costs.compiled, self.costs.domain.variant
        zone = compiled.tensor_zone(variant, tensor)
        return way_of(compiled.topology.routes(variant.tensor_size(tensor), zone), arcs, joules)

    def _result(self, layer: int, arcs: Floats | None, joules: float) -> Floats | None:
        """What the result of a layer pays from each station to the sink, shape (K,); None for nothing."""
        compiled, variant = self.costs.compiled, self.costs.domain.variant
        matrix = way_of(compiled.topology.routes(variant.result_size(layer)), arcs, joules)
        sink = int(compiled.sink[variant.service])
        return None if matrix is None else np.asarray(matrix[compiled.station_device, sink])

    def solve(self, stages: list[Stage], gap: float, go_on: Callable[[], bool], fixed: float = 0.0) -> Priced:
        """The best placement, tightened until within a relative gap or told to stop; ``fixed`` is added."""
        programme = Programme(stages)
        programme.tighten(gap, np.inf, go_on)
        stations: tuple[int, ...] = ()
        if np.isfinite(programme.value):
            stations = tuple(int(self.subset[station]) for station in programme.stations())
        return Priced(programme.bound + fixed, programme.value + fixed, stations)


def scaled(factor: float, figures: Floats) -> Floats:
    """A factor times figures; what is not possible stays so, at a factor of 0 too."""
    return np.where(np.isfinite(figures), factor * np.where(np.isfinite(figures), figures, 0.0), np.inf)


def on_stations(compiled: Compiled, subset: Ints) -> Compiled:
    """The instance with some of its stations, as far as costs of placements need it."""
    return replace(
        compiled,
        stations=tuple(compiled.stations[station] for station in subset.tolist()),
        station_device=compiled.station_device[subset],
        servers=compiled.servers[subset],
    )
