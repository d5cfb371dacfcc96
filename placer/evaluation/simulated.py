"""The simulation as an evaluator: the same figures and checks, with confidence intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from placer.evaluation.checks import Check
from placer.evaluation.evaluation import ServiceTimes, StationTimes
from placer.evaluation.queues import Labelled
from placer.evaluation.runs import Runs
from placer.instance.compiled import Compiled
from placer.instance.units import show_estimate, show_fraction, show_seconds
from placer.queueing.network import DELAY
from placer.simulation.results import SimulationResult
from placer.simulation.runner import simulate
from placer.simulation.statistics import Estimate, judge


@dataclass(frozen=True)
class Seen:
    """What a simulation shows of an answer.

    Attributes:
        times, stations: per service and per station.
        checks: limits on loss and response time, judged.
        result: the figures behind it.
    """

    times: tuple[ServiceTimes, ...]
    stations: tuple[StationTimes, ...]
    checks: tuple[Check, ...]
    result: SimulationResult


def simulated(compiled: Compiled, labelled: Labelled, runs: Runs) -> Seen:
    """Simulate the queueing network of an answer and judge its limits."""
    options: dict[str, Any] = {"relative_half_width": runs.relative_half_width} if runs.relative_half_width else {}
    result = simulate(
        labelled.network,
        jobs=runs.jobs,
        replications=runs.replications,
        seed=runs.seed,
        level=runs.level,
        executor=runs.executor,
        progress=runs.progress,
        keep_finished=runs.keep_finished,
        **options,
    )
    times, stations = tuple(_times(labelled, result)), tuple(_stations(labelled, result))
    return Seen(times, stations, tuple(_checks(compiled, labelled, result)), result)


def _times(labelled: Labelled, result: SimulationResult) -> list[ServiceTimes]:
    c, loss = result.classes, offered_loss(labelled, result)
    return [
        ServiceTimes(
            name,
            float(labelled.offered[i]),
            float(c.throughput.mean[i]),
            float(loss.mean[i]),
            _stays(labelled, result, i),
            float(c.end_to_end.mean[i]),
            float(c.p50.mean[i]),
            float(c.p95.mean[i]),
            float(c.p99.mean[i]),
            _known(loss.half_width[i]),
            _known(c.end_to_end.half_width[i]),
        )
        for i, name in enumerate(labelled.services)
    ]


def offered_loss(labelled: Labelled, result: SimulationResult) -> Estimate:
    """Loss ratio per class of what is offered, what a rate limit at the source turns away included; shape (C,)."""
    part = labelled.network.rates / labelled.offered
    loss = result.classes.loss_ratio
    mean = 1.0 - (1.0 - loss.mean) * part
    return Estimate(mean, loss.half_width * part, loss.deviation * part, loss.count, loss.level)


def _stays(labelled: Labelled, result: SimulationResult, index: int) -> float:
    """Σ of the mean sojourns at stations of the tasks of a class, s; ways that nobody queues for are not stations."""
    network = labelled.network
    tasks = slice(int(network.class_tasks[index]), int(network.class_tasks[index + 1]))
    at_station = network.task_station[tasks] != DELAY
    return float(np.nansum(result.tasks.sojourn.mean[tasks][at_station]))


def _known(value: float) -> float:
    return float(np.nan_to_num(value))


def _stations(labelled: Labelled, result: SimulationResult) -> list[StationTimes]:
    s = result.stations
    return [
        StationTimes(
            name, float(s.utilisation.mean[i]), float(np.nan_to_num(s.loss_ratio.mean[i])), float(s.number.mean[i])
        )
        for i, name in enumerate(labelled.stations)
        if s.arrivals.mean[i] > 0
    ]


def _checks(compiled: Compiled, labelled: Labelled, result: SimulationResult) -> list[Check]:
    by_name = {service.name: service for service in compiled.instance.services}
    c, loss = result.classes, offered_loss(labelled, result)
    checks = []
    for i, name in enumerate(labelled.services):
        service = by_name[name]
        for kind, what, limit, figure, unit in (
            ("max_loss", "loss ratio", service.max_loss, loss, "1"),
            ("deadline", "mean response time", service.deadline, c.end_to_end, "s"),
            ("deadline_p95", "95th percentile of the response time", service.deadline_p95, c.p95, "s"),
        ):
            if limit is not None:
                checks.append(_check(kind, name, what, figure.at(i), limit, unit))
    return checks


def _check(kind: Any, name: str, what: str, figure: Estimate, limit: float, unit: str) -> Check:
    show = show_fraction if unit == "1" else show_seconds
    verdict = judge(figure, limit)
    mean = float(figure.mean)
    half = _known(float(figure.half_width))
    found = show_estimate(mean, half) if unit == "1" else f"{show(mean)} ± {show(half)}"
    text = f"service {name}: {what}: {found}, limit {show(limit)}"
    if verdict.kept is None:
        more = (
            ""
            if verdict.missing is None
            else f", {verdict.missing} more replication{'s' * (verdict.missing != 1)} would decide it"
        )
        return Check(kind, name, "undecided", f"{text}: undecided{more}", mean, limit, unit, "simulation")
    status: Any = "ok" if verdict.kept else "violated"
    excess = "" if verdict.kept else f", {show(mean - limit)} too much"
    return Check(kind, name, status, text + excess, mean, limit, unit, "simulation")
