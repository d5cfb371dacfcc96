"""The bare decision inside a plan: which alternative of each service, and which station runs each layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.instance.compiled import Compiled
from placer.instance.variant import Variant
from placer.plan.readiness import number_fragments


@dataclass(frozen=True)
class Placement:
    """Assignment of layers to stations.

    Attributes:
        choice: per service the index of its variant.
        stations: per service the station of each layer of that variant, in topological order.
    """

    choice: tuple[int, ...]
    stations: tuple[tuple[int, ...], ...]


def fragments_of(variant: Variant, stations: tuple[int, ...]) -> list[tuple[int, list[int]]]:
    """Cut a variant into fragments, see :func:`placer.plan.readiness.number_fragments`.

    Returns:
        (station, layer indices) of each fragment, ordered by first layer.
    """
    first_source, sources = variant.reads
    sent, number = np.zeros(len(stations), dtype=bool), np.zeros(len(stations), dtype=np.int64)
    sent[list(variant.leaves)] = True
    count = number_fragments(first_source, sources, np.array(stations, dtype=np.int64), sent, number)
    members: list[list[int]] = [[] for _ in range(count)]
    for layer, fragment in enumerate(number.tolist()):
        members[fragment].append(layer)
    return [(stations[layers[0]], layers) for layers in members]


def transfers_of(compiled: Compiled, variant: Variant, stations: tuple[int, ...]) -> list[tuple[int, int, int, float]]:
    """Return every tensor that crosses devices, once per receiving device.

    Returns:
        (tensor, from device, to device, probability) with tensor -1 for the input; results are not included.
    """
    at = compiled.station_device
    seen: dict[tuple[int, int], tuple[int, int, int, float]] = {}
    for layer, station in enumerate(stations):
        head = int(at[station])
        for source in variant.predecessors[layer]:
            tail = int(compiled.source[variant.service]) if source < 0 else int(at[stations[source]])
            if tail != head and (source, head) not in seen:
                seen[source, head] = (source, tail, head, float(variant.run[layer]))
    return list(seen.values())


def results_of(compiled: Compiled, variant: Variant, stations: tuple[int, ...]) -> list[tuple[int, int, int, float]]:
    """Return the result of every leaf and exit: (layer, from device, to device, probability).

    ``stations`` may be those of the first layers only.
    """
    sink = int(compiled.sink[variant.service])
    return [
        (layer, int(compiled.station_device[stations[layer]]), sink, float(variant.leave[layer]))
        for layer in range(len(stations))
        if variant.leave[layer] > 0 or layer in variant.leaves
    ]


def moves_needed(compiled: Compiled, variant: Variant, stations: tuple[int, ...]) -> list[tuple[bool, int, int, int]]:
    """Return every transfer between different devices: (is a result, tensor, from device, to device)."""
    moves = [(False, *move[:3]) for move in transfers_of(compiled, variant, stations)]
    moves += [(True, *move[:3]) for move in results_of(compiled, variant, stations) if move[1] != move[2]]
    return moves
