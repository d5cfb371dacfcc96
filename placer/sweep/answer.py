"""One point of a sweep: an instance planned and judged, in whatever process this runs."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from placer.errors import InfeasibleError, InputError, PlacerError, UnansweredError
from placer.evaluation.evaluate import evaluate, evaluate_placement
from placer.evaluation.evaluation import Evaluation
from placer.evaluation.runs import Runs
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.library import Library
from placer.instance.reading import Document, validate
from placer.instance.resolving import resolve
from placer.instance.schema import InstanceFile
from placer.plan.placement import Placement
from placer.plan.plan import Fragment, ObjectiveResult, Plan
from placer.planning.explain import explain
from placer.planning.registry import plan
from placer.planning.request import Request

NAN = float("nan")
INTERRUPTED = "interrupted"
TIE = 1e-7
"""Relative difference below which two values of an objective are the same."""


@dataclass(frozen=True)
class Work:
    """All that a worker needs for a point; plain data and models, so that it can be sent anywhere.

    Attributes:
        number: position in the order of the sweep.
        data: plain data of the instance.
        library: what it refers to, already read.
        path: the instance file, for its name; it is not read.
        options: how to plan.
        simulation: how to simulate the plan; None not to.
    """

    number: int
    data: Any
    library: Library
    path: Path
    options: Request
    simulation: Runs | None = None


@dataclass(frozen=True)
class ServiceRow:
    """What one service gets at a point.

    Attributes:
        name: the service.
        alternative: the alternative chosen.
        fragments: what runs where.
        offered: requests per second; NaN without arrivals.
        loss_ratio, response_time: by the judging evaluator, 1 and s; NaN without arrivals.
        latency: of a request alone in the system, s.
        accuracy: per completed job; NaN when unknown.
    """

    name: str
    alternative: str
    fragments: tuple[Fragment, ...]
    offered: float
    loss_ratio: float
    response_time: float
    latency: float
    accuracy: float


@dataclass(frozen=True)
class Totals:
    """Figures over all services by one evaluator.

    Attributes:
        loss_ratio: requests lost / requests offered, over the services with arrivals; NaN without any.
        response_time: mean from arrival to sink over all completed requests, s; NaN without arrivals.
        loss_interval: half-width of the loss ratio; 0 from the analytic evaluator.
    """

    loss_ratio: float = NAN
    response_time: float = NAN
    loss_interval: float = 0.0


@dataclass(frozen=True)
class Answer:
    """What is found at a point.

    Attributes:
        number: position in the order of the sweep.
        status: how the planner ended (``optimal``, ``time-limit``, …), or ``infeasible``, ``unanswered``, ``refused``.
        message: the clash or the refusal in words; empty with a plan, unless something was left out.
        seconds: wall time of the planner, and of the search for the clash.
        objectives: values, bounds and gaps.
        services: per service; empty without a plan, and so is all that follows.
        evaluator: who judged: ``deterministic``, ``analytic`` or ``simulation``.
        analytic, simulated: totals; None where that evaluator did not judge.
        latency: weighted sum over services of the latency of a request alone, s (the objective ``latency``).
        accuracy: mean over completed requests (over services without arrivals anywhere); NaN when one is unknown.
        violations: limits that the judge finds violated.
        undecided: limits inside the interval of the simulation.
    """

    number: int
    status: str
    message: str = ""
    seconds: float = 0.0
    objectives: tuple[ObjectiveResult, ...] = ()
    services: tuple[ServiceRow, ...] = ()
    evaluator: str = ""
    analytic: Totals | None = None
    simulated: Totals | None = None
    latency: float = NAN
    accuracy: float = NAN
    violations: tuple[str, ...] = ()
    undecided: tuple[str, ...] = field(default=())

    @property
    def planned(self) -> bool:
        """Whether there is a plan."""
        return bool(self.services)

    @property
    def totals(self) -> Totals:
        """Totals of the judging evaluator."""
        return self.simulated or self.analytic or Totals()


def answer(work: Work) -> Answer:
    """Plan and judge a point. Infeasible, unanswered and refused points are answers too, in words."""
    begin = time.monotonic()
    try:
        compiled = _compile(work)
    except InputError as error:
        return Answer(work.number, "refused", error.message, time.monotonic() - begin)
    begin = time.monotonic()
    try:
        outcome = plan(compiled, work.options)
    except InfeasibleError as error:
        message = _clash(compiled, work.options, error)
        return Answer(work.number, "infeasible", message, time.monotonic() - begin)
    except PlacerError as error:
        return Answer(work.number, _status(error), error.message, time.monotonic() - begin)
    return _judged(work, compiled, outcome.plan, time.monotonic() - begin)


def is_tie(work: Work, before: tuple[ServiceRow, ...], found: Answer) -> bool:
    """Whether the plan of another point is feasible at this one and as good as what was found here.

    Then the plan changes only because several are equally good. Judged without waiting, as the planner's limits are.
    """
    compiled = _compile(work)
    placement = _placement(compiled, before)
    if placement is None or not found.objectives:
        return False
    kept = evaluate_placement(compiled, placement, "deterministic")
    return kept.feasible and all(as_good(result, kept.objectives[result.name]) for result in found.objectives)


def as_good(result: ObjectiveResult, value: float) -> bool:
    """Whether a value is as good as what is stated, but for rounding."""
    slack = TIE * abs(result.value)
    return value <= result.value + slack if result.sense == "min" else value >= result.value - slack


def _placement(compiled: Compiled, services: tuple[ServiceRow, ...]) -> Placement | None:
    """The placement of another point's rows here; None when this instance has other services, layers or units."""
    rows = {row.name: row for row in services}
    choice, stations = [], []
    for position, service in enumerate(compiled.instance.services):
        row = rows.get(service.name)
        variants = {compiled.variants[index].name: index for index in compiled.service_variants[position]}
        if row is None or row.alternative not in variants:
            return None
        index = variants[row.alternative]
        places = {
            layer: compiled.station_index.get((part.device, part.unit))
            for part in row.fragments
            for layer in part.layers
        }
        here = [places.get(layer) for layer in compiled.variants[index].layers]
        if len(here) != len(places) or any(station is None for station in here):
            return None
        choice.append(index)
        stations.append(tuple(station for station in here if station is not None))
    return Placement(tuple(choice), tuple(stations))


def _compile(work: Work) -> Compiled:
    document = Document(work.data, {}, str(work.path))
    return compile_instance(resolve(validate(InstanceFile, document), work.library, document, work.path))


def _status(error: PlacerError) -> str:
    if isinstance(error, InputError):
        return "refused"
    # a solver that a person stops before it has a plan says so in its status
    return INTERRUPTED if f"({INTERRUPTED})" in error.message else "unanswered"


def _clash(compiled: Compiled, options: Request, error: InfeasibleError) -> str:
    """What cannot hold together; the planner's own words where the placement limits alone do not clash."""
    try:
        found = explain(compiled, options.limits, repairing=False)
    except InfeasibleError as untimed:
        return untimed.message
    except UnansweredError:
        return f"{error.message}; what clashes was not found within the time limit"
    return "; ".join(found.sentences) or error.message


def _judged(work: Work, compiled: Compiled, made: Plan, seconds: float) -> Answer:
    analytic = evaluate(made, compiled)
    message, simulated = "", None
    if work.simulation is not None:
        if analytic.times:
            simulated = evaluate(made, compiled, "simulation", work.simulation)
        else:
            message = "not simulated: no service has arrivals"
    judge = simulated if simulated is not None else analytic
    return Answer(
        number=work.number,
        status=made.certificate.termination,
        message=message,
        seconds=seconds,
        objectives=made.certificate.objectives,
        services=tuple(_service_rows(made, judge)),
        evaluator=judge.evaluator,
        analytic=_totals(analytic) if analytic.times else None,
        simulated=_simulated_totals(simulated) if simulated is not None else None,
        latency=analytic.objectives["latency"],
        accuracy=_accuracy(judge),
        violations=tuple(check.message for check in judge.violations),
        undecided=tuple(check.message for check in judge.undecided),
    )


def _service_rows(made: Plan, judge: Evaluation) -> Iterable[ServiceRow]:
    times = {entry.name: entry for entry in judge.times}
    planned = {entry.service: entry for entry in made.services}
    for metrics in judge.services:
        entry, waiting = planned[metrics.name], times.get(metrics.name)
        yield ServiceRow(
            name=metrics.name,
            alternative=metrics.alternative,
            fragments=entry.fragments,
            offered=metrics.rate,
            loss_ratio=waiting.loss_ratio if waiting is not None else NAN,
            response_time=waiting.response_time if waiting is not None else NAN,
            latency=metrics.latency,
            accuracy=metrics.accuracy,
        )


def _totals(judge: Evaluation) -> Totals:
    offered = sum(times.offered for times in judge.times)
    lost = sum(times.offered * times.loss_ratio for times in judge.times)
    done = [times for times in judge.times if times.throughput > 0]
    completed = sum(times.throughput for times in done)
    waited = sum(times.throughput * times.response_time for times in done)
    return Totals(lost / offered if offered > 0 else NAN, waited / completed if completed > 0 else NAN)


def _simulated_totals(simulated: Evaluation) -> Totals:
    assert simulated.simulation is not None
    total = simulated.simulation.total_loss_ratio
    half = float(total.half_width)
    return Totals(float(total.mean), _totals(simulated).response_time, half if math.isfinite(half) else 0.0)


def _accuracy(judge: Evaluation) -> float:
    accuracy = {metrics.name: metrics.accuracy for metrics in judge.services}
    if not judge.times:
        return sum(accuracy.values()) / len(accuracy)
    completed = sum(times.throughput for times in judge.times)
    if completed <= 0:
        return NAN
    return sum(times.throughput * accuracy[times.name] for times in judge.times) / completed
