"""Waiting and loss of a plan by the analytic evaluator, and the checks of the limits on them.

Arrival processes of every kind, outages and forks are exact at the station where they enter, and approximated beyond;
see :mod:`placer.queueing.solve` for its rules and errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from placer.evaluation.checks import Check, limit_check
from placer.evaluation.deterministic import RouteBook
from placer.evaluation.evaluation import ServiceTimes, StationTimes
from placer.evaluation.queues import Labelled, queue_network
from placer.instance.compiled import Compiled
from placer.instance.units import show_fraction
from placer.plan.placement import Placement, moves_needed
from placer.queueing.network import Floats
from placer.queueing.solve import solve

NOISE = 1e-13
"""Rounding error of a loss ratio."""


def analytic(labelled: Labelled) -> tuple[tuple[ServiceTimes, ...], tuple[StationTimes, ...]]:
    """Evaluate a queueing network analytically."""
    found = solve(labelled.network)
    # what a rate limit at the source turns away is lost too
    admitted = labelled.network.rates / labelled.offered
    loss, low, high = (
        _rounded(1.0 - admitted * (1.0 - values)) for values in (found.loss_ratio, found.loss_low, found.loss_high)
    )
    services = tuple(
        ServiceTimes(
            name,
            float(labelled.offered[c]),
            float(found.throughput[c]),
            float(loss[c]),
            float(found.sum_of_sojourns[c]),
            float(found.end_to_end[c]),
            loss_range=(float(low[c]), float(high[c])),
        )
        for c, name in enumerate(labelled.services)
    )
    stations = tuple(
        StationTimes(
            name,
            float(found.station_utilisation[s]),
            float(found.station_loss[s]),
            float(found.station_number[s]),
            float(found.station_load[s]),
            bool(found.station_unstable[s]),
        )
        for s, name in enumerate(labelled.stations)
        if found.station_rate[s] > 0
    )
    return services, stations


def _rounded(loss: Floats) -> Floats:
    """A loss without what rounding leaves of none."""
    return np.where(loss < NOISE, 0.0, np.minimum(loss, 1.0))


def waiting_checks(compiled: Compiled, times: Sequence[ServiceTimes]) -> Iterator[Check]:
    """Yield the checks of ``max_loss`` and ``deadline`` of services that have arrivals, by their mean figures."""
    by_name = {service.name: service for service in compiled.instance.services}
    for one in times:
        limits = by_name[one.name]
        if limits.max_loss is not None:
            what = f"service {one.name}: loss ratio"
            yield limit_check("max_loss", one.name, what, one.loss_ratio, limits.max_loss, "1", "analytic")
        if limits.deadline is not None:
            what = f"service {one.name}: mean response time"
            mean = one.response_time if np.isfinite(one.response_time) else float("inf")
            yield limit_check("deadline", one.name, what, mean, limits.deadline, "s", "analytic")


def stability_checks(stations: Sequence[StationTimes]) -> Iterator[Check]:
    """Yield a violated check for every station without a buffer limit that more work comes to than it can do."""
    for one in stations:
        if one.unstable:
            load = show_fraction(one.load)
            message = f"{one.name}: {load} of what it can do arrives, without a buffer limit: unstable, the queue grows"
            yield Check("stability", one.name, "violated", message, one.load, 1.0, "1", "analytic")


def queues_of(
    compiled: Compiled, placement: Placement, book: RouteBook, spacing: Mapping[int, float] | None = None
) -> Labelled | None:
    """The queueing network of a placement; None when nothing arrives, or a layer or tensor has nowhere to go.

    ``spacing`` are the rate limits at the sources: seconds by service index.
    """
    for choice, stations in zip(placement.choice, placement.stations, strict=True):
        variant = compiled.variants[choice]
        if not np.isfinite(variant.time[np.arange(len(stations)), list(stations)]).all():
            return None
        moves = moves_needed(compiled, variant, stations)
        if not all(np.isfinite(book.seconds(variant, *move)) for move in moves):
            return None
    return queue_network(compiled, placement, book, spacing)
