"""Throughput: a bound by counting layers, and contiguous stages found by a search over the slowest stage.

A stage that is busy for no more than T a request holds so many layers at most; where that is fewer than there are, no
placement is as fast. Among the times of the first k cheapest layers of every station, the time of as many of them as
there are layers is therefore a bound: it is what makes 42 equal layers on 16 equal stations take three layers' time,
where shares of layers would take 2.625. The same holds for the larger layers alone, as in the bounds of bin packing
(Martello and Toth, Discrete Applied Mathematics 28, 1990).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from placer.evaluation.evaluate import evaluate_placement
from placer.instance.compiled import Compiled, Floats
from placer.instance.variant import Variant
from placer.plan.placement import Placement
from placer.planning.domains import Choices
from placer.planning.tidying import tidied
from placer.solver.countdown import Countdown

Loads = dict[int, Floats]

SIZES = 64
"""Sizes of layers from which on the larger ones are counted alone."""
STEPS = 14
"""Slowest stages tried between the bound and what is known."""


@dataclass(frozen=True)
class Stages:
    """The best contiguous stages found.

    Attributes:
        placement: feasible; None when none was found.
        cost: its slowest stage, as the objective counts it.
        bound: no placement has a faster one.
    """

    placement: Placement | None
    cost: float
    bound: float


def best_stages(compiled: Compiled, choices: Choices, countdown: Countdown) -> Stages:
    """Bound the slowest stage, and look for contiguous stages between the bound and the first that fit."""
    loads = loads_of(compiled, choices)
    bound = counting_bound(compiled, choices, loads)
    best: tuple[float, Placement | None] = (np.inf, None)
    low, high = bound, _everything(choices, loads)
    limit = low
    for step in range(STEPS):
        if countdown.over or (step and high <= low * (1 + 1e-9)):
            break
        found = _contiguous(compiled, choices, loads, limit * (1 + 1e-9))
        if found is not None:
            judged = evaluate_placement(compiled, found, "deterministic")
            cost = judged.costs["throughput"]
            if judged.feasible and cost < best[0]:
                best = cost, found
            if judged.feasible and cost <= bound * (1 + 1e-9):
                break
        if found is None:
            low = limit
        else:
            high = min(limit, high)
        limit = float(np.sqrt(max(low, 1e-15) * high))
    cost, placement = best
    if placement is not None:
        placement = tidied(compiled, placement, ("throughput",), countdown.part(0.2, 1.0))
    return Stages(placement, cost, bound)


def counting_bound(compiled: Compiled, choices: Choices, loads: Loads) -> float:
    """Load of the slowest stage of any placement, at least: see above. Services with alternatives are left out."""
    times, weights = [], []
    for group in choices.groups:
        if len(group) == 1:
            times.append(loads[group[0]])
            weights.append(compiled.variants[group[0]].weights)
    if not times:
        return 0.0
    load, weight = np.concatenate(times), np.concatenate(weights)
    least = load.min(axis=1)
    sizes = np.unique(least)
    if len(sizes) > SIZES:
        sizes = sizes[np.linspace(0, len(sizes) - 1, SIZES).astype(int)]
    return max((_counted(compiled, load[least >= size], weight[least >= size]) for size in sizes), default=0.0)


def _counted(compiled: Compiled, load: Floats, weight: Floats) -> float:
    """The least time in which all stations together can hold as many layers as there are; shapes (M, N) and (M,)."""
    sums = np.cumsum(np.sort(load, axis=0), axis=0)
    room = compiled.stores.capacity[compiled.stores.weights]
    alone = all(compiled.sharing.alone)
    if alone:  # what is shared may weigh nothing
        sums[np.cumsum(np.sort(weight))[:, None] > room[None, :] * (1 + 1e-7)] = np.inf
    return float(np.partition(sums.ravel(), len(load) - 1)[len(load) - 1])


def loads_of(compiled: Compiled, choices: Choices) -> Loads:
    """What each layer of each variant adds to the load of each station, shape (M, N); inf where it may not run."""
    found = {}
    for index, domain in choices.domains.items():
        variant, usable = domain.variant, domain.usable
        share = float(compiled.mix[variant.service]) * variant.run[:, None] / compiled.servers[None, :]
        found[index] = np.where(usable, share * np.where(usable, variant.time, 0.0), np.inf)
    return found


def _everything(choices: Choices, loads: Loads) -> float:
    """A load that some placement has at most: each service whole on its slowest station."""
    total = 0.0
    for group in choices.groups:
        load = loads[group[0]]
        total += float(np.where(np.isfinite(load), load, 0.0).max(axis=1).sum())
    return total


@dataclass(eq=False)
class _Room:
    """What stations have left: load shape (N,), bytes in every memory."""

    load: Floats
    stores: Floats


def _contiguous(compiled: Compiled, choices: Choices, loads: Loads, limit: float) -> Placement | None:
    """Stages of no more load than ``limit``, service by service: the station that takes the longest run comes next."""
    room = _Room(np.full(len(compiled.stations), limit), compiled.stores.capacity.copy())
    work = {index: float(load.min(axis=1).sum()) for index, load in loads.items()}
    picked = [min(group, key=lambda index: work[index]) for group in choices.groups]
    chosen: dict[int, tuple[int, ...]] = {}
    for index in sorted(picked, key=lambda index: -work[index]):
        stations = _staged(compiled, compiled.variants[index], loads[index], room)
        if stations is None:
            return None
        chosen[compiled.variants[index].service] = stations
    return Placement(tuple(picked), tuple(chosen[service] for service in range(len(picked))))


def _staged(compiled: Compiled, variant: Variant, load: Floats, room: _Room) -> tuple[int, ...] | None:
    stations: list[int] = []
    before = int(compiled.source[variant.service])
    while len(stations) < len(variant):
        layer = len(stations)
        reach = np.array([_reach(compiled, variant, load, room, layer, station) for station in range(load.shape[1])])
        if reach.max() == 0:
            return None
        zone = compiled.tensor_zone(variant, layer - 1)
        way = compiled.topology.routes(variant.tensor_size(layer - 1), zone).seconds[before, compiled.station_device]
        station = min(np.flatnonzero(reach == reach.max()).tolist(), key=lambda one: (way[one], -room.load[one]))
        if not np.isfinite(way[station]):
            return None
        end = layer + int(reach[station])
        room.load[station] -= load[layer:end, station].sum()
        for store, size in _needs(compiled, variant, station, layer, end):
            room.stores[store] -= size
        stations += [int(station)] * (end - layer)
        before = int(compiled.station_device[station])
    return tuple(stations)


def _reach(compiled: Compiled, variant: Variant, load: Floats, room: _Room, layer: int, station: int) -> int:
    """How many layers from ``layer`` on fit a station."""
    count = int(np.searchsorted(np.cumsum(load[layer:, station]), room.load[station], side="right"))
    while count and any(
        size > room.stores[store] for store, size in _needs(compiled, variant, station, layer, layer + count)
    ):
        count -= 1
    return count


def _needs(compiled: Compiled, variant: Variant, station: int, layer: int, end: int) -> Iterator[tuple[int, float]]:
    """Bytes in each memory that a run of layers takes: weights, working memory of all servers, the runtime."""
    stores = compiled.stores
    peak = float(variant.activations[layer:end, station].max(initial=0.0))
    found: dict[int, float] = {}
    for store, size in (
        (int(stores.weights[station]), float(variant.weights[layer:end].sum())),
        (int(stores.working[station]), float(stores.servers[station]) * peak),
        (int(stores.runtime[station]), float(variant.runtime_memory[station])),
    ):
        found[store] = found.get(store, 0.0) + size
    yield from found.items()
