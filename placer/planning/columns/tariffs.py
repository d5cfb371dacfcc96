"""Prices of rows, and what layers and tensors pay by them: never more than a whole placement pays."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from placer.instance.compiled import Floats
from placer.instance.topology import Routes
from placer.planning.columns.coupling import DEADLINE, MOVES, SLOWEST, STAGE, STAGE_TRAFFIC, Column, Coupling


@dataclass(eq=False)
class Prices:
    """Prices of rows, at least 0: what a unit of their limit costs.

    Attributes:
        row: by row.
        shared: by (service, number of what is shared), of what a service needs of it, per byte.
    """

    row: dict[int, float] = field(default_factory=dict)
    shared: dict[tuple[int, int], float] = field(default_factory=dict)


def sound(coupling: Coupling, prices: Prices) -> Prices:
    """Prices that bound: those of stages sum to one at most, those of what is shared to its memory's."""
    stages = sum(price for row, price in prices.row.items() if row >= SLOWEST)
    row = {r: price / max(stages, 1.0) if r >= SLOWEST else price for r, price in prices.row.items()}
    asked: dict[int, float] = {}
    for (_, shared), price in prices.shared.items():
        asked[shared] = asked.get(shared, 0.0) + price
    found = {}
    for (service, shared), price in prices.shared.items():
        store = coupling.store_of(shared)
        most = row.get(store, 0.0) / coupling.scale(store)
        found[service, shared] = price * min(1.0, most / asked[shared])
    return Prices(row, found)


def mean(new: Prices, old: Prices, share: float) -> Prices:
    """(1 - share) new + share old."""

    if share == 0:
        return new
    rows, shares = {*new.row, *old.row}, {*new.shared, *old.shared}
    return Prices(
        {row: (1 - share) * new.row.get(row, 0.0) + share * old.row.get(row, 0.0) for row in sorted(rows)},
        {key: (1 - share) * new.shared.get(key, 0.0) + share * old.shared.get(key, 0.0) for key in sorted(shares)},
    )


def paid_by(column: Column, prices: Prices) -> float:
    """What a column pays for its rows, without what services share."""
    pairs = zip(column.rows.tolist(), column.taken.tolist(), strict=True)
    return float(sum(prices.row.get(row, 0.0) * taken for row, taken in pairs))


def dear_stations(coupling: Coupling, prices: Prices) -> list[int]:
    """Stations where something has a price: memory, layers, work, utilisation, or load as a stage."""
    devices, at, stores = coupling.resources.devices, coupling.compiled.station_device, coupling.compiled.stores
    price = np.zeros(coupling.sums_end)
    stage = np.zeros(coupling.units)
    for row in (row for row, worth in prices.row.items() if worth > 0):
        if row < coupling.sums_end:
            price[row] = 1.0
        elif STAGE <= row < STAGE_TRAFFIC:
            stage[row - STAGE] = 1.0
    store, layers, work, busy = np.split(price, np.cumsum([len(stores), devices, devices]))
    total = store[stores.weights] + store[stores.working] + layers[at] + work[at] + busy + stage
    return np.flatnonzero(total).tolist()


def prices_of_layers(coupling: Coupling, choice: int, prices: Prices) -> Floats:
    """What each layer of a variant pays on each station, shape (M, N): never more than a column pays for it all.

    A runtime is paid for by the heaviest layer, working memory by the layer that needs most.
    """
    compiled, variant, stores = coupling.compiled, coupling.compiled.variants[choice], coupling.compiled.stores
    devices, at = coupling.resources.devices, coupling.compiled.station_device
    price = np.zeros(coupling.sums_end)
    stage = np.zeros(len(at))
    for row, worth in prices.row.items():
        if row < coupling.sums_end:
            price[row] = worth / coupling.scale(row)
        elif STAGE <= row < STAGE_TRAFFIC:
            stage[row - STAGE] = worth
    store, layers, work, busy = np.split(price, np.cumsum([len(stores), devices, devices]))
    total = layers[at] + variant.macs[:, None] * work[at]
    heavy, hungry = int(np.argmax(variant.weights)), np.argmax(variant.activations, axis=0)
    if compiled.sharing.alone[choice]:
        total += variant.weights[:, None] * store[stores.weights]
        total[heavy] += variant.runtime_memory * store[stores.runtime]
    times = np.where(np.isfinite(variant.time), variant.run[:, None] * np.nan_to_num(variant.time, posinf=0.0), 0.0)
    total += times * (float(np.nan_to_num(compiled.rate[variant.service])) * busy)
    total += times * (float(compiled.mix[variant.service]) * stage / compiled.servers)
    owner, runtimes = compiled.sharing.first[choice], len(compiled.variants) * devices
    for (service, shared), worth in prices.shared.items():
        rest = shared - coupling.units
        if service != variant.service:
            continue
        if rest < 0:
            most = variant.activations[hungry[shared], shared]
            total[hungry[shared], shared] += worth * stores.servers[shared] * most
        elif rest < runtimes:
            if rest // devices == owner:
                here = at == rest % devices
                total[heavy, here] += worth * variant.runtime_memory[here]
        elif (rest - runtimes) // (coupling.units * coupling.deepest) == owner:
            layer, station = divmod((rest - runtimes) % (coupling.units * coupling.deepest), coupling.units)
            total[layer, station] += worth * variant.weights[layer]
    if coupling.kept is not None and coupling.kept.choice[variant.service] == choice:
        moving = prices.row.get(MOVES, 0.0) / coupling.scale(MOVES)
        old = np.array(coupling.kept.stations[variant.service])
        total += moving * (old[:, None] != np.arange(len(at)))
    return np.asarray(total)


def fixed_price(coupling: Coupling, choice: int, prices: Prices) -> float:
    """What a column of a variant pays wherever its layers are."""
    service = coupling.compiled.variants[choice].service
    if coupling.kept is None or coupling.kept.choice[service] == choice:
        return 0.0
    return prices.row.get(MOVES, 0.0) / coupling.scale(MOVES) * len(coupling.kept.stations[service])


def prices_of_arcs(coupling: Coupling, choice: int, prices: Prices) -> Floats | None:
    """What a variant's byte pays on every arc, shape (arcs,), times its chance to be sent; None for nothing."""
    service = coupling.compiled.variants[choice].service
    rate, mix = float(np.nan_to_num(coupling.compiled.rate[service])), float(coupling.compiled.mix[service])
    first: dict[int, float] = {}
    for row, worth in prices.row.items():
        if row >= STAGE_TRAFFIC:
            first[row - STAGE_TRAFFIC] = first.get(row - STAGE_TRAFFIC, 0.0) + mix * worth
        elif coupling.sums_end <= row < DEADLINE:
            first[row - coupling.sums_end] = first.get(row - coupling.sums_end, 0.0) + rate * worth / coupling.scale(
                row
            )
    if not any(first.values()):
        return None
    return _along_arcs(coupling, first)


def _along_arcs(coupling: Coupling, worth: dict[int, float]) -> Floats:
    """Prices per byte of arcs from those of traffic rows per second of sending."""
    topology, devices = coupling.compiled.topology, coupling.resources.devices
    tails = np.array([arc.tail for arc in topology.arcs], dtype=np.int64)
    heads = np.array([arc.head for arc in topology.arcs], dtype=np.int64)
    total = np.zeros(len(tails))
    for number, channel in enumerate(coupling.channels):
        mine = np.array([arc.channel == channel for arc in topology.arcs])
        near = topology.hears[channel]
        for device in range(devices):
            price = worth.get(number * devices + device, 0.0)
            if price > 0:
                total += np.where(mine & (near[device, tails] | near[device, heads]), price, 0.0)
    first = len(coupling.channels) * devices
    for index, arc in enumerate(topology.arcs):
        if arc.channel is None:
            total[index] += worth.get(first + arc.carrier, 0.0)
    return np.asarray(total / np.array([arc.rate for arc in topology.arcs]))


def way_of(routes: Routes, arcs: Floats | None, joules: float) -> Floats | None:
    """What a tensor's way costs by price and energy, shape (D, D); None for nothing."""
    if arcs is None and joules == 0:
        return None
    total = np.zeros_like(routes.seconds) if arcs is None else routes.along(arcs * routes.size)
    if joules:
        total = total + joules * routes.joules
    return np.asarray(np.nan_to_num(total, nan=np.inf, posinf=np.inf))
