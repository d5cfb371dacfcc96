"""The answer of ``placer split``: one network between one device and one server, best by one objective."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from placer.errors import InfeasibleError, InputError
from placer.evaluation.assumptions import assumptions
from placer.evaluation.evaluate import evaluate_placement
from placer.instance.reading import unknown
from placer.instance.variant import Variant
from placer.plan.placement import Placement
from placer.solver.progress import Limits
from placer.splitting.bottleneck import best_bottleneck, grid_bottleneck
from placer.splitting.costs import Cut, SplitCosts, Stages, make_cut, stages
from placer.splitting.dads import decide
from placer.splitting.neurosurgeon import best_split, best_throughput_split
from placer.splitting.pricing import Compression, energy_costs, latency_costs
from placer.splitting.two_machines import Case

METHODS = ("neurosurgeon", "dads", "dads-grid")
OBJECTIVES = ("latency", "energy", "throughput")
Objective = Literal["latency", "energy", "throughput"]
Proof = Literal["best of all cuts", "best of all single splits", "none"]


@dataclass(frozen=True)
class Question:
    """What is asked of a case.

    Attributes:
        objective: ``latency``, ``energy`` (of the device) or ``throughput``.
        method: one of ``METHODS``.
        load: factor on the server's times.
        rate: requests per second that the split should sustain, or None.
        compressions: how tensors may be shrunk at the cut.
        limits: when the MILP stops.
    """

    objective: str = "latency"
    method: str = "neurosurgeon"
    load: float = 1.0
    rate: float | None = None
    compressions: tuple[Compression, ...] = ()
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Answer:
    """Where to cut.

    Attributes:
        alternative: the model's alternative.
        variant: its arrays.
        costs: its costs in the objective (latency's for throughput).
        cut: the cut.
        value: its objective; for throughput the bottleneck stage in s.
        unit: unit of the value.
        stages: how long a request keeps device, uplink and server busy.
        mode: ``light`` or ``heavy`` load.
        proof: what the value is proven to be best of.
        sustained: whether the rate asked for fits.
        all_device, all_server: the objective of not splitting; inf where that is not possible.
        violations: limits that the evaluator finds broken (memory, range…).
        assumed: figures that the answer rests on and nobody measured.
        seconds: wall time of the method.
    """

    alternative: str
    variant: Variant
    costs: SplitCosts
    cut: Cut
    value: float
    unit: str
    stages: Stages
    mode: str
    proof: Proof
    sustained: bool
    all_device: float
    all_server: float
    violations: tuple[str, ...]
    assumed: tuple[str, ...]
    seconds: float

    @property
    def largest_rate(self) -> float:
        """Requests per second that the cut sustains."""
        return 1.0 / self.stages.largest if self.stages.largest > 0 else math.inf


def costs_of(case: Case, variant: Variant, objective: str, compressions: Sequence[Compression]) -> SplitCosts:
    """Return the costs of a variant in an objective; throughput has those of latency.

    Raises:
        InputError: when the objective is energy and a power figure is missing.
    """
    if objective == "energy":
        case.expect_power(any(option.encode > 0 for option in compressions))
        return energy_costs(variant, case.device, case.server, case.link, compressions)
    return latency_costs(variant, case.device, case.server, case.link, compressions)


def answer(case: Case, question: Question) -> Answer:
    """Return the best cut over the model's alternatives.

    Raises:
        InputError: for an unknown method or objective, or figures that are missing.
        InfeasibleError: when no cut puts every layer where it can run.
        UnansweredError: when the limits ended the search before any cut was found.
    """
    if question.method not in METHODS:
        raise InputError(unknown("method", question.method, METHODS))
    if question.objective not in OBJECTIVES:
        raise InputError(unknown("objective", question.objective, OBJECTIVES))
    found: list[Answer] = []
    refused: InfeasibleError | None = None
    for choice, variant in enumerate(case.compiled.variants):
        try:
            found.append(_answer(case, question, choice, variant))
        except InfeasibleError as error:
            refused = error
    if not found:
        assert refused is not None
        raise refused
    return min(found, key=lambda one: (bool(one.violations), not one.sustained, one.value))


def _answer(case: Case, question: Question, choice: int, variant: Variant) -> Answer:
    begin = time.monotonic()
    costs = costs_of(case, variant, question.objective, question.compressions)
    cut, mode, proof = _cut(costs, question, case.x)
    seconds = time.monotonic() - begin
    times = stages(costs, cut, case.x, question.load)
    placement = Placement((choice,), (tuple(case.server if remote else case.device for remote in cut.on_server),))
    evaluation = evaluate_placement(case.compiled, placement, "deterministic")
    assumed = assumptions(case.compiled, placement)
    assumed += [f"compression {name}" for name in dict.fromkeys(w.option for _, w in cut.crossing) if name]
    return Answer(
        alternative=variant.name,
        variant=variant,
        costs=costs,
        cut=cut,
        value=_value(costs, cut, question, case.x),
        unit=costs.unit,
        stages=times,
        mode=mode,
        proof=proof,
        sustained=question.rate is None or times.largest * question.rate <= 1.0,
        all_device=_whole(costs, question, case.x, remote=False),
        all_server=_whole(costs, question, case.x, remote=True),
        violations=tuple(check.message for check in evaluation.violations),
        assumed=tuple(assumed),
        seconds=seconds,
    )


def _cut(costs: SplitCosts, question: Question, x: float) -> tuple[Cut, str, Proof]:
    load = question.load
    chain = all(sources == (layer - 1,) for layer, sources in enumerate(costs.predecessors))
    if question.method == "neurosurgeon":
        proof: Proof = "best of all cuts" if chain else "best of all single splits"
        if question.objective == "throughput":
            return best_throughput_split(costs, x, load)[0], "heavy", proof
        return best_split(costs, x, load), "light", proof
    exact = question.method == "dads"
    if question.objective == "throughput":
        found = best_bottleneck(costs, x, load, question.limits) if exact else grid_bottleneck(costs, x, load)
        return found.cut, "heavy", "best of all cuts" if found.proven else "none"
    decision = decide(costs, x, load, question.rate, exact=exact, limits=question.limits)
    proven = decision.mode == "light" or decision.stages.largest <= decision.bound * (1 + 1e-6)
    return decision.cut, decision.mode, "best of all cuts" if proven else "none"


def _value(costs: SplitCosts, cut: Cut, question: Question, x: float) -> float:
    if question.objective == "throughput":
        return stages(costs, cut, x, question.load).largest
    return cut.value(x, question.load)


def _whole(costs: SplitCosts, question: Question, x: float, remote: bool) -> float:
    if not (costs.server_seconds if remote else costs.device_seconds).max() < math.inf:
        return math.inf
    return _value(costs, make_cut(costs, [remote] * len(costs), x, question.load), question, x)
