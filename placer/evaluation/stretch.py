"""How far a service may be stretched over devices: limits on its devices and fragments, and on coming back to one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Literal, NamedTuple

from placer.instance.compiled import Compiled
from placer.instance.variant import Variant


class Stretch(NamedTuple):
    """One such limit of a service.

    Attributes:
        kind: ``max_devices``, ``max_fragments`` or ``contiguous``.
        what: what is counted, for messages.
        actual, limit: how many there are, and may be.
    """

    kind: Literal["max_devices", "max_fragments", "contiguous"]
    what: str
    actual: int
    limit: int


def stretches_of(compiled: Compiled, variant: Variant, stations: Sequence[int]) -> Iterator[Stretch]:
    """Yield the limits of a service with what a placement of its layers, or of its first layers, comes to."""
    service = compiled.instance.services[variant.service]
    devices = [int(compiled.station_device[station]) for station in stations]
    if service.max_devices is not None:
        yield Stretch("max_devices", "devices", len(set(devices)), service.max_devices)
    if service.max_fragments is not None:
        yield Stretch("max_fragments", "fragments", _runs(stations), service.max_fragments)
    if service.contiguous:
        yield Stretch("contiguous", "runs of layers on its devices", _runs(devices), len(set(devices)))


def _runs(places: Sequence[int]) -> int:
    """Number of runs of the same place."""
    return sum(1 for _ in groupby(places))
