"""The simulation as an evaluator of plans: the same checks, judged with confidence intervals."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from placer.errors import InputError
from placer.evaluation.analytic import ServiceTimes, StationTimes
from placer.evaluation.checks import Check
from placer.evaluation.evaluate import Evaluation, evaluate, gaps_of, read_book, total_loss
from placer.evaluation.queues import Labelled, queue_network
from placer.instance.compiled import Compiled
from placer.instance.units import show_fraction, show_seconds
from placer.plan.plan import Plan, as_chosen, to_placement
from placer.queueing.network import DELAY
from placer.simulation.results import SimulationResult
from placer.simulation.runner import simulate
from placer.simulation.statistics import Estimate, judge


@dataclass(frozen=True)
class SimulationSettings:
    """How to simulate.

    Attributes:
        jobs: jobs per replication.
        replications: how many.
        seed: of the first stream.
        level: confidence of the intervals.
        relative_half_width: go on until the intervals are this narrow; None for a fixed number of replications.
    """

    jobs: int = 100_000
    replications: int = 10
    seed: int = 0
    level: float = 0.99
    relative_half_width: float | None = None


@dataclass(frozen=True)
class Simulated:
    """A simulated plan beside the analytic evaluation of it.

    Attributes:
        evaluation: judged by the simulation.
        analytic: judged by the analytic evaluator.
        disagreements: figures of the analytic model outside the simulation's interval, in words.
        result: the raw simulation.
    """

    evaluation: Evaluation
    analytic: Evaluation
    disagreements: tuple[str, ...]
    result: SimulationResult


def simulate_plan(
    plan: Plan,
    compiled: Compiled,
    request: SimulationSettings,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Simulated:
    """Simulate a plan and judge its limits.

    Raises:
        InputError: when no service has arrivals, or a tensor has no way to go.
    """
    compiled = as_chosen(compiled, plan)
    base = evaluate(plan, compiled)
    if not base.times:
        raise InputError("nothing to simulate: no service has arrivals, or a layer or tensor has nowhere to go")
    placement = to_placement(plan, compiled)
    book = read_book(plan, compiled, placement)[0]
    labelled = queue_network(compiled, placement, book, gaps_of(plan, compiled))
    assert labelled is not None
    options: dict[str, Any] = (
        {"relative_half_width": request.relative_half_width} if request.relative_half_width else {}
    )
    result = simulate(
        labelled.network,
        jobs=request.jobs,
        replications=request.replications,
        seed=request.seed,
        level=request.level,
        executor=executor,
        progress=progress,
        **options,
    )
    checks = _checks(compiled, labelled, result)
    judged = {(check.kind, check.subject) for check in checks}
    kept = tuple(check for check in base.checks if (check.kind, check.subject) not in judged)
    times = tuple(_times(labelled, result))
    evaluation = replace(
        base,
        evaluator="simulation",
        objectives={**base.objectives, "loss": total_loss(compiled, times)},
        times=times,
        stations=tuple(_stations(labelled, result)),
        checks=(*kept, *checks),
    )
    return Simulated(evaluation, base, tuple(_disagreements(base, evaluation)), result)


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
    text = f"service {name}: {what}: {show(mean)} ± {show(_known(float(figure.half_width)))}, limit {show(limit)}"
    if verdict.kept is None:
        more = "" if verdict.missing is None else f", {verdict.missing} more replications would decide it"
        return Check(kind, name, "undecided", f"{text}: undecided{more}", mean, limit, unit, "simulation")
    status: Any = "ok" if verdict.kept else "violated"
    excess = "" if verdict.kept else f", {show(mean - limit)} too much"
    return Check(kind, name, status, text + excess, mean, limit, unit, "simulation")


def _disagreements(analytic: Evaluation, simulated: Evaluation) -> list[str]:
    lines = []
    for model, measured in zip(analytic.times, simulated.times, strict=True):
        for what, value, mean, half, show in (
            ("loss ratio", model.loss_ratio, measured.loss_ratio, measured.loss_interval, show_fraction),
            (
                "response time",
                model.response_time,
                measured.response_time,
                measured.response_interval,
                show_seconds,
            ),
        ):
            if abs(value - mean) > half + 1e-9:
                lines.append(
                    f"service {model.name}: {what}: analytic {show(value)}, simulated {show(mean)} ± {show(half)}"
                )
    return lines
