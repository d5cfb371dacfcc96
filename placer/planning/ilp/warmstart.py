"""Start solutions: a beam search under the devices' capacities, services re-planned in turns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from placer.evaluation.evaluate import evaluate_placement
from placer.instance.compiled import Compiled
from placer.instance.variant import Variant
from placer.plan.placement import Placement
from placer.planning.domains import Domain, accurate_enough, domain_of
from placer.planning.ilp.paths import Costs, additive_costs, shortest_path, stretch_to_go

Floats = NDArray[np.float64]
_BEAM = 96
_ROUNDS = 6


@dataclass(eq=False)
class _Room:
    """Capacity left on devices and stations, for the beam search."""

    memory: Floats
    flash: Floats
    layers: Floats
    compute: Floats
    busy: Floats


def _room(compiled: Compiled, others: Placement, skip: int) -> _Room:
    room = _Room(
        compiled.memory.copy(),
        compiled.flash.copy(),
        compiled.max_layers.copy(),
        compiled.max_compute.copy(),
        compiled.max_utilisation.copy(),
    )
    at = compiled.station_device
    for index, stations in zip(others.choice, others.stations, strict=True):
        variant = compiled.variants[index]
        if variant.service == skip:
            continue
        rate = np.nan_to_num(compiled.rate[variant.service])
        for layer, station in enumerate(stations):
            device = at[station]
            weight = 0.0 if not np.isnan(compiled.unit_memory[station]) else variant.weights[layer]
            if np.isnan(room.flash[device]):
                room.memory[device] -= weight + variant.activations[layer]
            else:
                room.flash[device] -= weight
                room.memory[device] -= variant.activations[layer]
            room.layers[device] -= 1
            room.compute[device] -= variant.macs[layer]
            room.busy[station] -= rate * variant.run[layer] * variant.time[layer, station]
        room.memory[np.unique(at[list(stations)])] -= variant.runtime_memory
    return room


def beam(compiled: Compiled, domain: Domain, costs: Costs, room: _Room) -> tuple[int, ...] | None:
    """Stations of one variant within the room left, or None when the beam runs dry.

    Parallel stretches of a DAG are kept whole when that fits: a layer-by-layer search does not see what the
    join will cost.
    """
    if not domain.variant.is_chain:
        to_go, first = stretch_to_go(domain.variant, costs)
        whole = _beam(compiled, domain, costs, room, to_go, first)
        return whole or _beam(compiled, domain, costs, room, to_go, list(range(len(domain.variant))))
    return _beam(compiled, domain, costs, room, shortest_path(costs)[2], list(range(len(domain.variant))))


def _beam(
    compiled: Compiled, domain: Domain, costs: Costs, room: _Room, to_go: Floats, first: list[int]
) -> tuple[int, ...] | None:
    """Beam search; a layer shares the station of the layer ``first[layer]``.

    Working memory is counted as if all layers of a device needed it at once: safe, and good enough for a start.
    """
    variant, at = domain.variant, compiled.station_device
    rate = np.nan_to_num(compiled.rate[variant.service])
    paths: list[tuple[int, ...]] = [()]
    values = np.zeros(1)
    for layer in range(len(variant)):
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
    at, devices = compiled.station_device, len(compiled.device_names)
    rows = np.arange(layer + 1)
    ram_need = variant.activations[: layer + 1]
    used, stored, count, work = (np.zeros(devices) for _ in range(4))
    busy = np.zeros(len(at))
    if path:
        here = np.array(path, dtype=np.int64)
        np.add.at(used, at[here], ram_need[:-1])
        np.add.at(stored, at[here], variant.weights[:layer])
        np.add.at(count, at[here], 1.0)
        np.add.at(work, at[here], variant.macs[:layer])
        np.add.at(busy, here, rate * variant.run[:layer] * variant.time[rows[:-1], here])
    own = ~np.isnan(compiled.unit_memory)
    in_flash = ~np.isnan(room.flash)[at]
    need = np.where(own, 0.0, stored[at] + variant.weights[layer])
    ram = used[at] + ram_need[-1] + variant.runtime_memory + np.where(in_flash, 0.0, need)
    ok = (ram <= room.memory[at]) & (~in_flash | (need <= np.nan_to_num(room.flash[at], nan=np.inf)))
    ok &= (count[at] + 1 <= room.layers[at]) & (work[at] + variant.macs[layer] <= room.compute[at])
    with np.errstate(invalid="ignore"):
        fits: NDArray[np.bool_] = ok & (busy + rate * variant.run[layer] * variant.time[layer] <= room.busy)
    return fits


def warm_start(compiled: Compiled, objective: str) -> Placement | None:
    """A good feasible placement, or None when none is found: services in turn, then re-planned until none improves."""
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
    plan: dict[int, tuple[int, tuple[int, ...]]] = {}
    for service in sorted(range(len(options)), key=lambda s: -sizes[s]):
        chosen = _replan(compiled, options[service], service, plan)
        if chosen is None:
            return None
        plan[service] = chosen
    best = _as_placement(plan)
    evaluation = evaluate_placement(compiled, best)
    for _ in range(_ROUNDS):
        improved = False
        for service in range(len(options)):
            chosen = _replan(compiled, options[service], service, plan)
            if chosen is None or chosen == plan[service]:
                continue
            candidate = _as_placement({**plan, service: chosen})
            trial = evaluate_placement(compiled, candidate)
            better = trial.objectives[objective] < evaluation.objectives[objective] - 1e-12
            if (trial.feasible, better) > (evaluation.feasible, False):
                plan, best, evaluation, improved = {**plan, service: chosen}, candidate, trial, True
        if not improved:
            break
    return best if evaluation.feasible else None


def _replan(
    compiled: Compiled,
    options: list[tuple[int, Domain, Costs]],
    service: int,
    plan: dict[int, tuple[int, tuple[int, ...]]],
) -> tuple[int, tuple[int, ...]] | None:
    room = _room(compiled, _as_placement(plan), service)
    best: tuple[float, int, tuple[int, ...]] | None = None
    for index, domain, costs in options:
        stations = beam(compiled, domain, costs, room)
        if stations is None:
            continue
        total = float(costs.unary[np.arange(len(stations)), list(stations)].sum())
        total += sum(float(m[stations[u], stations[v]]) for (u, v), m in costs.pair.items())
        if best is None or total < best[0]:
            best = (total, index, stations)
    return None if best is None else best[1:]


def _as_placement(plan: dict[int, tuple[int, tuple[int, ...]]]) -> Placement:
    keys = sorted(plan)
    return Placement(tuple(plan[key][0] for key in keys), tuple(plan[key][1] for key in keys))
