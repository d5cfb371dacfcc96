"""The bare decision inside a plan: which alternative of each service, and which station runs each layer."""

from __future__ import annotations

from dataclasses import dataclass

from placer.instance.compiled import Compiled
from placer.instance.variant import Variant


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
    """Cut a variant into fragments: maximal runs that a station can serve as one job without delaying anyone.

    Per station the layers are taken in topological order. A layer joins the fragment before it on the same
    station when it reads something made there, when every tensor that it needs from elsewhere had to be there
    at the start of the fragment anyway, and when nobody elsewhere waits for what the fragment has made so
    far. On a chain these are the maximal runs of layers on one device; on a DAG they are connected and
    convex.

    Returns:
        (station, layer indices) of each fragment, ordered by first layer.
    """
    sent = _sent_away(variant, stations)
    fragments: list[tuple[int, list[int]]] = []
    open_fragment: dict[int, tuple[list[int], set[int]]] = {}
    for layer, station in enumerate(stations):
        sources = variant.predecessors[layer]
        local = {u for u in sources if u >= 0 and stations[u] == station}
        foreign = {u for u in sources if u not in local}
        current = open_fragment.get(station)
        if current is not None:
            members, received = current
            if local & set(members) and foreign <= received and not sent[members[-1]]:
                members.append(layer)
                continue
        members = [layer]
        # what an earlier fragment here received is not held for a later one: each waits for its own
        open_fragment[station] = (members, foreign)
        fragments.append((station, members))
    return fragments


def _sent_away(variant: Variant, stations: tuple[int, ...]) -> list[bool]:
    """Return, per layer, whether its tensor is awaited on another station or by the sink."""
    sent = [layer in variant.leaves for layer in range(len(variant))]
    for maker, reader in variant.edges:
        if stations[maker] != stations[reader]:
            sent[maker] = True
    return sent


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
