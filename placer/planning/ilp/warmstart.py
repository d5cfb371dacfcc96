"""Start solutions: a beam search under the devices' capacities, services re-planned in turns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from placer.errors import TimeIsUpError
from placer.evaluation.evaluate import evaluate_placement
from placer.instance.compiled import Compiled
from placer.instance.variant import Variant
from placer.plan.placement import Placement
from placer.planning.domains import Domain, accurate_enough, domain_of
from placer.planning.ilp.paths import Costs, additive_costs, shortest_path, stretch_to_go
from placer.solver.countdown import Countdown

Floats = NDArray[np.float64]
_Plan = dict[int, tuple[int, tuple[int, ...]]]
"""Variant and stations of each service."""

_BEAM = 96
_ROUNDS = 6


@dataclass(eq=False)
class _Room:
    """Capacity left on devices and stations, for the beam search; what the variant has to load there."""

    stores: Floats
    weights: Floats
    runtime: Floats
    layers: Floats
    compute: Floats
    busy: Floats


def _room(compiled: Compiled, others: Placement, new: int) -> _Room:
    """What placed services leave to the variant ``new``."""
    at, stores, sharing = compiled.station_device, compiled.stores, compiled.sharing
    room = _Room(
        stores.capacity - sharing.kept(others.choice, others.stations),
        *sharing.to_load(new, others.choice, others.stations),
        compiled.max_layers.copy(),
        compiled.max_compute.copy(),
        compiled.max_work.copy(),
    )
    for index, placed in zip(others.choice, others.stations, strict=True):
        variant, stations = compiled.variants[index], np.array(placed, dtype=np.int64)
        rate = np.nan_to_num(compiled.rate[variant.service])
        working = stores.servers[stations] * variant.activations[np.arange(len(stations)), stations]
        np.subtract.at(room.stores, stores.working[stations], working)
        np.subtract.at(room.layers, at[stations], 1.0)
        np.subtract.at(room.compute, at[stations], variant.macs)
        busy = rate * variant.run * variant.time[np.arange(len(stations)), stations]
        np.subtract.at(room.busy, stations, busy)
    return room


def beam(
    compiled: Compiled, domain: Domain, costs: Costs, room: _Room, countdown: Countdown | None = None
) -> tuple[int, ...] | None:
    """Stations of one variant within the room left, or None when the beam runs dry.

    Parallel stretches of a DAG are kept whole when that fits: a layer-by-layer search does not see what the
    join will cost.
    """
    if not domain.variant.is_chain:
        to_go, first = stretch_to_go(domain.variant, costs)
        whole = _beam(compiled, domain, costs, room, to_go, first, countdown)
        return whole or _beam(compiled, domain, costs, room, to_go, list(range(len(domain.variant))), countdown)
    return _beam(compiled, domain, costs, room, shortest_path(costs)[2], list(range(len(domain.variant))), countdown)


def _beam(
    compiled: Compiled,
    domain: Domain,
    costs: Costs,
    room: _Room,
    to_go: Floats,
    first: list[int],
    countdown: Countdown | None,
) -> tuple[int, ...] | None:
    """Beam search; a layer shares the station of the layer ``first[layer]``.

    Working memory is counted as if all layers of a device needed it at once: safe, and good enough for a start.
    """
    variant, at = domain.variant, compiled.station_device
    rate = np.nan_to_num(compiled.rate[variant.service])
    paths: list[tuple[int, ...]] = [()]
    values = np.zeros(1)
    for layer in range(len(variant)):
        if countdown is not None:
            countdown.check("the heuristic")
        score = np.repeat(values[:, None], len(at), axis=1) + costs.unary[layer][None, :]
        for source in variant.predecessors[layer]:
            if source >= 0:
                score += costs.pair[source, layer][[path[source] for path in paths]]
        for row, path in enumerate(paths):
            usable = _fitting(compiled, variant, path, layer, room, rate)
            if first[layer] < layer:
                usable &= np.arange(len(at)) == path[first[layer]]
            score[row, ~usable] = np.inf
        guide = score + to_go[layer][None, :]
        order = np.argsort(guide, axis=None, kind="stable")[:_BEAM]
        order = order[np.isfinite(guide.ravel()[order])]
        if not len(order):
            return None
        rows, columns = np.unravel_index(order, guide.shape)
        values = score[rows, columns]
        paths = [(*paths[row], int(column)) for row, column in zip(rows, columns, strict=True)]
    return paths[int(np.argmin(values))]


def _fitting(
    compiled: Compiled, variant: Variant, path: tuple[int, ...], layer: int, room: _Room, rate: float
) -> NDArray[np.bool_]:
    """Stations with room for ``layer`` after the layers of ``path``, shape (N,)."""
    at, devices, stores = compiled.station_device, len(compiled.device_names), compiled.stores
    rows = np.arange(layer + 1)
    free = room.stores
    count, work = np.zeros(devices), np.zeros(devices)
    busy = np.zeros(len(at))
    if path:
        here = np.array(path, dtype=np.int64)
        free = free - np.bincount(stores.weights[here], room.weights[rows[:-1], here], minlength=len(stores))
        working = stores.servers[here] * variant.activations[rows[:-1], here]
        free -= np.bincount(stores.working[here], working, minlength=len(stores))
        np.add.at(count, at[here], 1.0)
        np.add.at(work, at[here], variant.macs[:layer])
        np.add.at(busy, here, rate * variant.run[:layer] * variant.time[rows[:-1], here])
    ok = stores.fitting(free, room.weights[layer], variant.activations[layer], room.runtime)
    ok &= (count[at] + 1 <= room.layers[at]) & (work[at] + variant.macs[layer] <= room.compute[at])
    with np.errstate(invalid="ignore"):
        fits: NDArray[np.bool_] = ok & (busy + rate * variant.run[layer] * variant.time[layer] <= room.busy)
    return fits


def warm_start(compiled: Compiled, objective: str, countdown: Countdown | None = None) -> Placement | None:
    """A good feasible placement, or None when none is found: services in turn, then re-planned until none improves.

    Args:
        compiled: the instance.
        objective: what is good.
        countdown: when to stop with what there is.
    """
    options: list[list[tuple[int, Domain, Costs]]] = []
    guide = "energy" if objective == "energy" else "latency"
    for group in compiled.service_variants:
        found = []
        for index in group:
            domain = domain_of(compiled, compiled.variants[index])
            if domain.possible and accurate_enough(compiled, domain.variant):
                found.append((index, domain, additive_costs(compiled, domain, guide)))
        if not found:
            return None
        options.append(found)
    sizes = [sum(float(domain.variant.weights.sum()) for _, domain, _ in group) for group in options]
    plan: _Plan = {}
    try:
        for service in sorted(range(len(options)), key=lambda s: -sizes[s]):
            chosen = _replan(compiled, options[service], service, plan, countdown)
            if chosen is None:
                return None
            plan[service] = chosen
    except TimeIsUpError:
        return None
    return _replanned(compiled, objective, options, plan, countdown)


def _replanned(
    compiled: Compiled,
    objective: str,
    options: list[list[tuple[int, Domain, Costs]]],
    plan: _Plan,
    countdown: Countdown | None,
) -> Placement | None:
    """Services re-planned in turn around the others, until none improves or the time is over."""
    best = _as_placement(plan)
    evaluation = evaluate_placement(compiled, best, "deterministic")
    try:
        for _ in range(_ROUNDS):
            improved = False
            for service in range(len(options)):
                chosen = _replan(compiled, options[service], service, plan, countdown)
                if chosen is None or chosen == plan[service]:
                    continue
                candidate = _as_placement({**plan, service: chosen})
                trial = evaluate_placement(compiled, candidate, "deterministic")
                better = trial.costs[objective] < evaluation.costs[objective] - 1e-12
                if (-trial.excess, better) > (-evaluation.excess, False):
                    plan, best, evaluation, improved = {**plan, service: chosen}, candidate, trial, True
            if not improved:
                break
    except TimeIsUpError:
        pass
    return best if evaluation.feasible else None


def _replan(
    compiled: Compiled,
    options: list[tuple[int, Domain, Costs]],
    service: int,
    plan: _Plan,
    countdown: Countdown | None,
) -> tuple[int, tuple[int, ...]] | None:
    others = _as_placement({other: entry for other, entry in plan.items() if other != service})
    best: tuple[float, int, tuple[int, ...]] | None = None
    for index, domain, costs in options:
        stations = beam(compiled, domain, costs, _room(compiled, others, index), countdown)
        if stations is None:
            continue
        total = float(costs.unary[np.arange(len(stations)), list(stations)].sum())
        total += sum(float(m[stations[u], stations[v]]) for (u, v), m in costs.pair.items())
        if best is None or total < best[0]:
            best = (total, index, stations)
    return None if best is None else best[1:]


def _as_placement(plan: _Plan) -> Placement:
    keys = sorted(plan)
    return Placement(tuple(plan[key][0] for key in keys), tuple(plan[key][1] for key in keys))
