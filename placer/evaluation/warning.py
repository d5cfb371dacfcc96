"""What a reader must know although no limit is broken: overload, and losses that nobody limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from placer.evaluation.deterministic import Loads
from placer.evaluation.evaluation import ServiceTimes
from placer.evaluation.traffic import CarrierMetrics
from placer.instance.compiled import Compiled
from placer.instance.units import show_fraction

FULL = 1.0 + 1e-9
"""Utilisation above which more work arrives than can be done."""

MUCH = 0.01
"""Loss ratio above which a service that states no ``max_loss`` is told."""


def overloads(compiled: Compiled, load: Loads, carriers: Sequence[CarrierMetrics]) -> Iterator[str]:
    """Yield a line for every compute unit, link direction and channel to which more comes than it can do."""
    for station, work in zip(compiled.stations, load.work, strict=True):
        if work > FULL:
            yield f"{station.name} is overloaded: utilisation {show_fraction(float(work))} at the arrival rates"
    for carrier in carriers:
        if carrier.utilisation > FULL:
            yield f"{carrier.name} is overloaded: utilisation {show_fraction(carrier.utilisation)} at the arrival rates"


def losses(compiled: Compiled, times: Sequence[ServiceTimes]) -> Iterator[str]:
    """Yield a line for every service that loses more than a hundredth of its requests, and limits no loss."""
    limited = {service.name for service in compiled.instance.services if service.max_loss is not None}
    for one in times:
        if one.loss_ratio > MUCH and one.name not in limited:
            yield f"service {one.name} loses {show_fraction(one.loss_ratio)} of its requests (it states no max_loss)"
