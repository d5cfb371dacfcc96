"""Waiting and loss of a plan by the analytic evaluator, and the checks of the limits on them.

The analytic model assumes Poisson arrivals at the sources, except that it sees the variability of an MMPP; see
:mod:`placer.queueing.solve` for its rules and errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from placer.evaluation.checks import Check, limit_check
from placer.evaluation.deterministic import RouteBook
from placer.evaluation.queues import Labelled, queue_network
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement, moves_needed
from placer.queueing.solve import solve

NAN = float("nan")
LARGEST_BUFFER = 512


@dataclass(frozen=True)
class ServiceTimes:
    """What requests of a service meet under random arrivals; intervals are half-widths, 0 for the analytic model.

    Attributes:
        name: the service.
        offered: requests per second.
        throughput: completed requests per second.
        loss_ratio: lost / offered.
        sum_of_sojourns: Σ over stations and ways of the mean sojourn of the jobs accepted there, s.
        response_time: mean time from arrival to sink of completed jobs, s.
        p50, p95, p99: percentiles of that time, s; NaN from the analytic model.
        loss_interval, response_interval: half-widths.
    """

    name: str
    offered: float
    throughput: float
    loss_ratio: float
    sum_of_sojourns: float
    response_time: float
    p50: float = NAN
    p95: float = NAN
    p99: float = NAN
    loss_interval: float = 0.0
    response_interval: float = 0.0


@dataclass(frozen=True)
class StationTimes:
    """What a compute unit (or a link that queues) meets.

    Attributes:
        name: the station.
        utilisation: fraction of time busy.
        loss_ratio: jobs turned away / jobs that asked.
        number: mean jobs there, the one in service included.
    """

    name: str
    utilisation: float
    loss_ratio: float
    number: float


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


def waiting_checks(
    compiled: Compiled, placement: Placement, book: RouteBook, gaps: Mapping[int, float] | None = None
) -> tuple[tuple[ServiceTimes, ...], tuple[StationTimes, ...], list[Check]]:
    """Judge ``max_loss`` and ``deadline`` of every service that has arrivals, behind its rate limit if it has one.

    Returns:
        (metrics per service, metrics per station, checks); empty metrics when no service has arrivals or a tensor
        has no way.
    """
    reachable = all(
        np.isfinite(book.seconds(compiled.variants[choice], *move))
        for choice, stations in zip(placement.choice, placement.stations, strict=True)
        for move in _ways(compiled, choice, stations)
    )
    runs = all(
        np.isfinite(compiled.variants[choice].time[np.arange(len(stations)), list(stations)]).all()
        for choice, stations in zip(placement.choice, placement.stations, strict=True)
    )
    labelled = queue_network(compiled, placement, book, gaps) if reachable and runs else None
    if labelled is None:
        return (), (), []
    services, stations = analytic(labelled)
    by_name = {service.name: service for service in compiled.instance.services}
    checks = []
    for times in services:
        limits = by_name[times.name]
        if limits.max_loss is not None:
            what = f"service {times.name}: loss ratio"
            checks.append(limit_check("max_loss", times.name, what, times.loss_ratio, limits.max_loss, "1", "analytic"))
        if limits.deadline is not None:
            what = f"service {times.name}: mean response time"
            mean = times.response_time if np.isfinite(times.response_time) else float("inf")
            checks.append(limit_check("deadline", times.name, what, mean, limits.deadline, "s", "analytic"))
    return services, stations, checks


def _ways(compiled: Compiled, choice: int, stations: tuple[int, ...]) -> list[tuple[bool, int, int, int]]:
    return moves_needed(compiled, compiled.variants[choice], stations)
