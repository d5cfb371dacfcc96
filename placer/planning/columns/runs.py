"""Chains at prices, run by run: layers that follow each other on one station together keep its limits.

The stretch programme counts limits by their prices alone, so that a mixture of placements which each overload another
station looks as good as none. Here a maximal run of layers on a station must fit it when it is empty, which is all
that is true of every placement that keeps the limits; a station that is left and entered again counts anew.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from placer.instance.compiled import Ints
from placer.planning.columns.coupling import Coupling
from placer.planning.columns.pricing import Priced, Site, scaled
from placer.planning.decomposition.programme import Stage

Truths = NDArray[np.bool_]
EASED = 1.0 + 1e-7
"""The evaluator's rounding."""


def runs_that_fit(site: Site) -> Truths | None:
    """Which runs from layer a to layer b fit a station, shape (M, M, K); None where all do, or it is no chain."""
    variant, coupling = site.costs.domain.variant, site.coupling
    if not variant.is_chain:
        return None
    layers, stations = len(variant), site.subset
    fits = np.zeros((layers, layers, len(stations)), dtype=bool)
    usable = site.costs.domain.usable
    for a in range(layers):
        fits[a, a:] = np.logical_and.accumulate(usable[a:]) & _fits_alone(coupling, site, a)
    possible = np.logical_and.accumulate(usable[::-1])[::-1]
    if np.array_equal(fits[0, -1], possible[0]) and usable.all():
        return None  # what fits whole fits in part
    return fits


def _fits_alone(coupling: Coupling, site: Site, a: int) -> Truths:
    """Whether layers a, a + 1, … fit each station together, shape (M - a, K)."""
    compiled, variant, stations = coupling.compiled, site.costs.domain.variant, site.subset
    stores, devices = compiled.stores, compiled.station_device[stations]
    weights = np.cumsum(variant.weights[a:])[:, None]
    working = np.maximum.accumulate(variant.activations[a:], axis=0)
    fits = stores.fitting(
        stores.capacity * EASED,
        np.broadcast_to(weights, (len(weights), len(stores.runtime))),
        working,
        variant.runtime_memory,
    )[:, stations]
    count = np.arange(1, len(weights) + 1)[:, None]
    fits &= count <= compiled.max_layers[devices]
    fits &= np.cumsum(variant.macs[a:])[:, None] <= compiled.max_compute[devices] * EASED
    rate = float(np.nan_to_num(compiled.rate[variant.service]))
    times = np.where(site.costs.domain.usable[a:], variant.time[a:], 0.0)
    busy = np.cumsum(rate * variant.run[a:, None] * times, axis=0)
    fits &= busy <= compiled.max_work[stations] * EASED
    return np.asarray(fits)


def cheapest(site: Site, stages: list[Stage], fits: Truths, fixed: float) -> Priced:
    """The cheapest placement whose runs fit; ``stages`` are those of a chain, one a layer."""
    count = len(site.subset)
    own, ways = [], []
    for stage in stages:
        stretch = stage.table.stretch
        cost = scaled(stage.run, stretch.cost[-1]) + stage.extra
        own.append(np.where(np.isfinite(cost), cost, 0.0))
        ways.append(scaled(stage.run, stretch.send[0]))
    before = np.vstack([np.zeros(count), np.cumsum(own, axis=0)])  # cost of the layers before each
    enter, ended = np.empty((len(stages), count)), np.empty((len(stages), count))
    came, began = np.zeros((len(stages), count), np.int64), np.zeros((len(stages), count), np.int64)
    for layer in range(len(stages)):
        if layer == 0:
            enter[0] = ways[0][0]
        else:
            reached = ended[layer - 1][:, None] + ways[layer]
            np.fill_diagonal(reached, np.inf)
            came[layer] = reached.argmin(axis=0)
            enter[layer] = reached[came[layer], np.arange(count)]
        starts = np.where(fits[: layer + 1, layer], enter[: layer + 1] - before[: layer + 1], np.inf)
        began[layer] = starts.argmin(axis=0)
        ended[layer] = starts[began[layer], np.arange(count)] + before[layer + 1]
    station = int(ended[-1].argmin())
    least = float(ended[-1][station])
    return Priced(
        least + fixed, least + fixed, _traced(site.subset, came, began, station) if np.isfinite(least) else ()
    )


def _traced(subset: Ints, came: Ints, began: Ints, station: int) -> tuple[int, ...]:
    """Stations of the cheapest placement, from its last."""
    layer, found = len(came) - 1, list[int]()
    while layer >= 0:
        first = int(began[layer][station])
        found += [int(subset[station])] * (layer - first + 1)
        layer, station = first - 1, int(came[first][station])
    return tuple(reversed(found))
