"""Waiting and loss of a plan by the analytic evaluator, and the checks of the limits on them.

The analytic model assumes Poisson arrivals at the sources, except that it sees the variability of an MMPP; see
:mod:`placer.queueing.solve` for its rules and errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from placer.evaluation.checks import Check, limit_check
from placer.evaluation.deterministic import RouteBook
from placer.evaluation.evaluation import ServiceTimes, StationTimes
from placer.evaluation.queues import Labelled, queue_network
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement, moves_needed
from placer.queueing.solve import solve

LARGEST_BUFFER = 512


def analytic(labelled: Labelled) -> tuple[tuple[ServiceTimes, ...], tuple[StationTimes, ...]]:
    """Evaluate a queueing network analytically.

    Buffers beyond ``LARGEST_BUFFER`` jobs are taken as that large: the exact chain costs O(K^2), and the loss of a
    station then changes by less than 1/K at a load of 1 and by nothing that is visible elsewhere.
    """
    network = labelled.network
    found = solve(replace(network, capacity=np.minimum(network.capacity, LARGEST_BUFFER)))
    services = tuple(
        ServiceTimes(
            name,
            float(labelled.offered[c]),
            float(found.throughput[c]),
            float(max(1.0 - found.throughput[c] / labelled.offered[c], 0.0)),
            float(found.sum_of_sojourns[c]),
            float(found.end_to_end[c]),
        )
        for c, name in enumerate(labelled.services)
    )
    stations = tuple(
        StationTimes(
            name, float(found.station_utilisation[s]), float(found.station_loss[s]), float(found.station_number[s])
        )
        for s, name in enumerate(labelled.stations)
        if found.station_rate[s] > 0
    )
    return services, stations


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


def queues_of(
    compiled: Compiled, placement: Placement, book: RouteBook, gaps: Mapping[int, float] | None = None
) -> Labelled | None:
    """The queueing network of a placement; None when nothing arrives, or a layer or tensor has nowhere to go.

    ``gaps`` are the rate limits at the sources: seconds by service index.
    """
    for choice, stations in zip(placement.choice, placement.stations, strict=True):
        variant = compiled.variants[choice]
        if not np.isfinite(variant.time[np.arange(len(stations)), list(stations)]).all():
            return None
        moves = moves_needed(compiled, variant, stations)
        if not all(np.isfinite(book.seconds(variant, *move)) for move in moves):
            return None
    return queue_network(compiled, placement, book, gaps)
