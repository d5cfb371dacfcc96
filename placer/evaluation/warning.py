"""What a reader must know although no limit is broken: overload, losses that nobody limits, deadlines of means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from placer.evaluation.deterministic import Loads
from placer.evaluation.evaluation import ServiceTimes
from placer.evaluation.traffic import CarrierMetrics
from placer.instance.compiled import Compiled
from placer.instance.units import show_fraction, show_seconds

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


def surprises(compiled: Compiled, times: Sequence[ServiceTimes]) -> Iterator[str]:
    """Yield a line for every service that loses more than a hundredth of its requests, and limits no loss.

    And one for every service whose mean response time keeps the deadline while its 95th percentile, where it is known,
    does not; and one for services whose loss depends on phases of periodic arrivals that nobody states.
    """
    ranges: dict[tuple[float, float], list[str]] = {}
    for one in times:
        if one.phases_matter:
            ranges.setdefault(one.loss_range, []).append(one.name)
    for (low, high), names in ranges.items():
        yield (
            f"{', '.join(names)}: loss {show_fraction(low)} to {show_fraction(high)}, according to phases of periodic "
            "arrivals that nobody states (arrivals: phase): all are taken as equally likely, and each stays for ever"
        )
    deadlines = {service.name: service.deadline for service in compiled.instance.services}
    limited = {service.name for service in compiled.instance.services if service.max_loss is not None}
    for one in times:
        deadline = deadlines.get(one.name)
        if deadline is not None and one.response_time <= deadline < one.p95:
            mean, tail = show_seconds(one.response_time), show_seconds(one.p95)
            limit = f"deadline {show_seconds(deadline)} limits the mean, which is {mean}"
            yield f"service {one.name}: {limit}; the 95th percentile is {tail} (deadline_p95 limits it)"
        if one.loss_ratio > MUCH and one.name not in limited:
            yield f"service {one.name} loses {show_fraction(one.loss_ratio)} of its requests (it states no max_loss)"
