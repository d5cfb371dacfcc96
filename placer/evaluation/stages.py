"""Stages: compute units, ways and channels, with the work that a placement gives them; the slowest sets the rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from placer.evaluation.deterministic import RouteBook, loads
from placer.evaluation.traffic import airtime, arc_loads
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement


@dataclass(frozen=True)
class Stage:
    """What does one piece of work after the other.

    Attributes:
        name: the compute unit, the way or the channel.
        load: seconds of work per second; services without arrivals count with one request per second.
        busy: seconds of work per request, over all requests in the mix in which they come.
    """

    name: str
    load: float
    busy: float


def bottleneck(compiled: Compiled, placement: Placement, book: RouteBook) -> Stage:
    """The stage with the largest load: 1/load is the factor by which all rates can grow until it is always busy."""
    name, load = max(_stages(compiled, placement, book), key=lambda stage: stage[1])
    return Stage(name, load, load / float(compiled.mix.sum()))


def _stages(compiled: Compiled, placement: Placement, book: RouteBook) -> Iterator[tuple[str, float]]:
    """Yield every stage with its load; the compute units first, then what carries anything."""
    for station, load in zip(compiled.stations, loads(compiled, placement).unit_work, strict=True):
        yield station.name, float(load)
    arcs = arc_loads(compiled, placement, book, rate_if_none=1.0)
    for arc, load in arcs.items():
        if arc.channel is None:
            yield compiled.topology.carrier(arc.carrier).name, load
    for (channel, device), load in airtime(compiled, arcs).items():
        yield f"channel {channel} at {compiled.device_names[device]}", load
