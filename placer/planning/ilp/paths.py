"""Costs that add up along a chain of layers, and the cheapest path: what guides start solutions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from placer.instance.compiled import Compiled
from placer.instance.variant import Variant
from placer.planning.domains import Domain

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Costs:
    """An additive cost of a variant: M layers on N stations, in SI units of the objective.

    Attributes:
        unary: shape (M, N), cost of a layer on a station, inf where it may not run.
        pair: per edge (maker, reader) shape (N, N).
    """

    unary: Floats
    pair: dict[tuple[int, int], Floats]


def additive_costs(compiled: Compiled, domain: Domain, objective: str) -> Costs:
    """Return the costs whose sum is the objective on chains (and a guide elsewhere)."""
    variant = domain.variant
    energy = objective == "energy"
    own = variant.joules if energy else variant.time
    unary = np.where(domain.usable, variant.run[:, None] * np.where(domain.usable, own, 0.0), np.inf)
    for root in variant.roots:
        unary[root] += _way(compiled, variant, -1, energy)
    for layer in range(len(variant)):
        if variant.leave[layer] > 0:
            routes = compiled.topology.routes(variant.result_size(layer))
            matrix = routes.joules if energy else routes.seconds
            unary[layer] += variant.leave[layer] * matrix[compiled.station_device, int(compiled.sink[variant.service])]
    pair = {
        (maker, reader): variant.run[reader] * _way(compiled, variant, maker, energy) for maker, reader in variant.edges
    }
    return Costs(
        np.nan_to_num(unary, nan=0.0, posinf=np.inf),
        {e: np.nan_to_num(m, posinf=np.inf) for e, m in pair.items()},
    )


def _way(compiled: Compiled, variant: Variant, tensor: int, energy: bool) -> Floats:
    """Cost from every station to every station, shape (N, N); of the input (-1) from its source, shape (N,)."""
    at = compiled.station_device
    if tensor < 0 and not energy:
        return compiled.fetch(variant)
    size, zone = variant.tensor_size(tensor), compiled.tensor_zone(variant, tensor)
    if not energy:
        return compiled.transfer(size, zone)
    joules = compiled.topology.routes(size, zone).joules
    matrix: Floats = joules[compiled.source[variant.service], at] if tensor < 0 else joules[np.ix_(at, at)]
    return matrix


def shortest_path(costs: Costs) -> tuple[float, tuple[int, ...], Floats]:
    """Best stations of a chain without limits that couple layers: (cost, stations, cost to go of shape (M, N))."""
    layers = len(costs.unary)
    to_go = np.zeros_like(costs.unary)
    for layer in range(layers - 2, -1, -1):
        to_go[layer] = (costs.pair[layer, layer + 1] + (costs.unary + to_go)[layer + 1][None, :]).min(axis=1)
    station = int(np.argmin(costs.unary[0] + to_go[0]))
    path, total = [station], float((costs.unary[0] + to_go[0])[station])
    for layer in range(1, layers):
        station = int(np.argmin(costs.pair[layer - 1, layer][station] + costs.unary[layer] + to_go[layer]))
        path.append(station)
    return total, tuple(path), to_go


def stretch_to_go(variant: Variant, costs: Costs) -> tuple[Floats, list[int]]:
    """Cost to go when every stretch between two gates stays on one station: a chain of stretches.

    Returns:
        (cost to go after each layer on each station, shape (M, N); first layer of each layer's stretch).
    """
    to_go = np.zeros_like(costs.unary)
    first = list(range(len(variant)))
    after = np.zeros(costs.unary.shape[1])
    for before, layers in reversed(variant.stretches):
        rest = after.copy()
        for layer in reversed(layers):
            first[layer] = layers[0]
            to_go[layer] = rest
            rest = rest + costs.unary[layer]
        if before >= 0:
            reader = next(layer for layer in layers if before in variant.predecessors[layer])
            after = (costs.pair[before, reader] + rest[None, :]).min(axis=1)
    return to_go, first
