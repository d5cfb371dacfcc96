"""The stretches of one service as a walk over its placements needs them: at prices, with what can follow at least."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from placer.instance.compiled import Floats
from placer.planning.columns.pricing import Site, scaled
from placer.planning.decomposition.graphs import Graph, graph_of
from placer.planning.decomposition.programme import Stage, backward


@dataclass(frozen=True, eq=False)
class Leg:
    """One stretch for the walk: K stations.

    Attributes:
        layers: of the variant.
        send: per node 0..n, shape (K or 1, K or 1); of the stretch's own units.
        cost: per node 1..n + 1, shape (K or 1,); the end's with what is paid there.
        price: per node 1..n, shape (K,); 0 where costs add up.
        ahead: per edge the least that can follow it, by its maker's station, shape (K or 1,).
        after: the least that can follow the stretch, by its end's station, shape (K or 1,).
    """

    stage: Stage
    layers: range
    send: list[Floats]
    cost: list[Floats]
    price: list[Floats]
    ahead: dict[tuple[int, int], Floats]
    after: Floats

    @cached_property
    def graph(self) -> Graph:
        """The stretch for loops, at the walk's costs."""
        stretch = replace(self.stage.table.stretch, send=tuple(self.send), cost=tuple(self.cost))
        return graph_of(stretch, swaps=False)

    def follow(self, node: int) -> Floats:
        """The least that can follow an inner node over all its readers, by its station: shape (K,)."""
        readers = self.stage.table.stretch.readers[node]
        return np.asarray(np.maximum.reduce([self.ahead[node, reader] for reader in readers]))


def legs_of(site: Site, stages: list[Stage]) -> list[Leg]:
    """The stretches of a variant with what can follow at least."""
    rest = backward([stage.costs(stage.table.lower) for stage in stages])
    variant = site.costs.domain.variant
    found = []
    for (_, layers), stage, after in zip(variant.stretches, stages, rest, strict=True):
        stretch = stage.table.stretch
        send, cost = [scaled(stage.run, one) for one in stretch.send], [scaled(stage.run, one) for one in stretch.cost]
        cost[-1] = cost[-1] + stage.extra
        price = list(stretch.price or [np.zeros(1)] * stretch.inner)
        found.append(Leg(stage, layers, send, cost, price, to_go(stage, send, cost, price, after), after))
    return found


def to_go(
    stage: Stage, send: list[Floats], cost: list[Floats], price: list[Floats], after: Floats
) -> dict[tuple[int, int], Floats]:
    """The least that can follow each edge, every edge by itself; costs that add up are shared among edges."""
    stretch = stage.table.stretch
    end = stretch.inner + 1
    found: dict[tuple[int, int], Floats] = {}
    for maker in reversed(range(end)):
        for reader in stretch.readers[maker]:
            share = 1.0 if stretch.serial else 1.0 / len(stretch.predecessors[reader - 1])
            if reader == end:
                rest = cost[-1] + after
            else:
                parts = [found[reader, other] for other in stretch.readers[reader]]
                follow = np.maximum.reduce(parts) if stretch.serial else np.add.reduce(parts)
                rest = cost[reader - 1] + price[reader - 1] + follow
            split = 1.0 if stretch.serial else 1.0 / len(stretch.readers[maker])
            found[maker, reader] = (split * send[maker] + share * rest[None, :]).min(axis=1)
    return found
