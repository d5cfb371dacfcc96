"""What transfers put on links and channels: seconds of sending per second, against what they can carry.

A tensor of b bytes occupies an arc of rate r for b / r seconds; its latency occupies nothing, and an empty tensor
nothing at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from placer.evaluation.deterministic import RouteBook, moves
from placer.instance.compiled import Compiled
from placer.instance.topology import Arc
from placer.instance.variant import Variant
from placer.plan.placement import Placement


@dataclass(frozen=True)
class CarrierMetrics:
    """What one link direction or channel bears.

    Attributes:
        name: for reports.
        utilisation: seconds of sending per second at the arrival rates: above 1 it cannot keep up.
        queue: tensors that find room, the one being sent included.
        assumed: whether nobody states that figure.
    """

    name: str
    utilisation: float
    queue: int
    assumed: bool


def arc_loads(compiled: Compiled, placement: Placement, book: RouteBook, rate_if_none: float = 0.0) -> dict[Arc, float]:
    """Seconds of sending per second on each arc that carries anything; latency occupies no link."""
    result: dict[Arc, float] = {}
    for choice, stations in zip(placement.choice, placement.stations, strict=True):
        rate = float(compiled.rate[compiled.variants[choice].service])
        rate = rate_if_none if np.isnan(rate) else rate
        for arc, seconds in arc_seconds(compiled, compiled.variants[choice], stations, book).items():
            result[arc] = result.get(arc, 0.0) + rate * seconds
    return result


def arc_seconds(compiled: Compiled, variant: Variant, stations: tuple[int, ...], book: RouteBook) -> dict[Arc, float]:
    """Expected seconds of sending per request of one service; ``stations`` may be those of its first layers only."""
    result: dict[Arc, float] = {}
    for is_result, tensor, tail, head, probability in moves(compiled, variant, stations):
        size = variant.result_size(tensor) if is_result else variant.tensor_size(tensor)
        for arc in book.arcs(variant, is_result, tensor, tail, head):
            result[arc] = result.get(arc, 0.0) + probability * size / arc.rate
    return result


def airtime(compiled: Compiled, load: Mapping[Arc, float]) -> dict[tuple[str, int], float]:
    """Share of each shared channel's airtime that each device hears as taken, by (channel, device).

    A device hears every transmission whose sender or receiver is in its range (or is the device itself).
    """
    result: dict[tuple[str, int], float] = {}
    for arc, share in load.items():
        if arc.channel is None:
            continue
        near = compiled.topology.hears[arc.channel]
        for device in np.flatnonzero(near[arc.tail] | near[arc.head]):
            key = (arc.channel, int(device))
            result[key] = result.get(key, 0.0) + share
    return result


def busiest(compiled: Compiled, load: Mapping[Arc, float]) -> dict[int, tuple[int, float]]:
    """Per channel carrier that sends anything the device that hears most of its airtime taken, and that share."""
    cells: dict[tuple[str, int], int] = {}
    for arc in load:
        if arc.channel is not None:
            near = compiled.topology.hears[arc.channel]
            cells |= {(arc.channel, int(device)): arc.carrier for device in np.flatnonzero(near[arc.tail])}
            cells |= {(arc.channel, int(device)): arc.carrier for device in np.flatnonzero(near[arc.head])}
    found: dict[int, tuple[int, float]] = {}
    for key, share in airtime(compiled, load).items():
        if share > found.get(cells[key], (-1, -1.0))[1]:
            found[cells[key]] = (key[1], share)
    return found


def carrier_metrics(compiled: Compiled, load: Mapping[Arc, float]) -> list[CarrierMetrics]:
    """What every link direction and channel bears that carries anything, in the order of their numbers."""
    total: dict[int, float] = {}
    for arc, share in load.items():
        total[arc.carrier] = total.get(arc.carrier, 0.0) + share
    found = []
    for number in sorted(total):
        if total[number] > 0:
            carrier = compiled.topology.carrier(number)
            found.append(CarrierMetrics(carrier.name, total[number], carrier.queue, not carrier.stated))
    return found


def can_bind(compiled: Compiled) -> bool:
    """Whether any placement could exceed a limit on links or airtime: a coarse bound, to spare the work of counting.

    No tensor crosses an arc more than once for each of its readers' devices, and nobody hears it more often than its
    way has hops.
    """
    arcs = compiled.topology.arcs
    most = min(compiled.max_airtime if compiled.topology.hears else np.inf, compiled.max_link_utilisation)
    if not arcs or not np.isfinite(most) or np.isnan(compiled.rate).all():
        return False
    slowest, hops = min(arc.rate for arc in arcs), len(compiled.device_names) - 1
    load = 0.0
    for service, group in enumerate(compiled.service_variants):
        rate = float(np.nan_to_num(compiled.rate[service]))
        load += rate * max(_most_bytes(compiled, index) for index in group) / slowest
    return load * hops > most


def _most_bytes(compiled: Compiled, index: int) -> float:
    """Bytes that a request of a variant sends over one hop at most: each tensor to each reader, each result."""
    variant = compiled.variants[index]
    reads = sum(float(variant.run[v]) * variant.tensor_size(u) for v, us in enumerate(variant.predecessors) for u in us)
    return reads + sum(float(g) * variant.result_size(layer) for layer, g in enumerate(variant.leave) if g > 0)
