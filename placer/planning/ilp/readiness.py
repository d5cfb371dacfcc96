"""The ILP with the order in which stations really run layers: cuts until its point takes what the evaluator finds.

In a stretch whose branches share a node, the ILP takes the best order of the layers there; a node takes them as they
get ready (:mod:`placer.plan.readiness`), which may take longer. Where a solution's does, a combinatorial Benders cut
(Hooker and Ottosson, Math. Programming 96, 2003) says what this stretch takes with its layers on these nodes, and the
solver goes on: finish ≥ T (1 - Σ (1 - alpha)). Every bound stays one, as each cut holds for every placement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyomo.core as pyo

from placer.errors import UnansweredError
from placer.evaluation.deterministic import RouteBook, finish_times
from placer.evaluation.evaluation import Evaluation
from placer.instance.variant import Variant
from placer.plan.placement import Placement
from placer.planning.ilp.formulation import MS, Formulation, linear
from placer.solver.countdown import Countdown
from placer.solver.highs import Solver
from placer.solver.progress import Limits, Listener
from placer.solver.result import Result, Values

ROUNDS = 50
"""Solutions looked at; few are needed, as an order that is not the best is rare."""

TOLERANCE = 5e-7
"""Relative: what solvers and rounding leave; less than what is allowed between the ILP's value and the evaluator's."""


@dataclass(frozen=True)
class Solved:
    """What a solver says of the ILP.

    Attributes:
        result: of its last run.
        placement: of its point; None without one.
        exact: whether the point takes what the evaluator finds.
    """

    result: Result
    placement: Placement | None
    exact: bool


def solve(
    f: Formulation, limits: Limits, countdown: Countdown, listener: Listener | None = None, solver: Solver | None = None
) -> Solved:
    """Solve the ILP, and go on with cuts until a solution takes as long as its stretches do.

    Args:
        f: the ILP with its objective; cuts are added to it.
        limits: of the first run.
        countdown: when all ends.
        listener: told of progress.
        solver: made of the model as it is, with a start perhaps; None makes one.
    """
    solver = solver or Solver.of(f.model, countdown)
    for _ in range(ROUNDS):
        result = solver.solve(limits.within(countdown), listener, 1.0 / f.scale)
        if not result.has_incumbent:
            return Solved(result, None, True)
        placement = f.placement(result.values)
        if not add_cuts(f, placement, result.values):
            return Solved(result, placement, True)
        if result.status != "optimal" or countdown.over:
            break
        solver = Solver.of(f.model, countdown)
        solver.start_from(f.start(placement))
    return Solved(result, placement, False)


def add_cuts(f: Formulation, placement: Placement, values: Values) -> int:
    """Add a cut for every stretch that takes longer than a solution says; returns how many."""
    if not hasattr(f.model, "finish"):
        return 0
    if not hasattr(f.model, "by_readiness"):
        f.model.by_readiness = pyo.Constraint(pyo.Any)
    book, before = RouteBook(f.compiled), len(f.model.by_readiness)
    for index, stations in zip(placement.choice, placement.stations, strict=True):
        variant = f.compiled.variants[index]
        if variant.is_chain:
            continue
        finish = finish_times(f.compiled, variant, stations, book)
        for gate, layers in variant.stretches:
            ends = layers[-1] in variant.gates
            if ends and all(variant.predecessors[v] == (v - 1,) for v in layers):
                continue
            end = finish[layers[-1]] if ends else _decision(f, variant, stations, finish, book)
            taken = MS * (end - (finish[gate] if gate >= 0 else 0.0))
            variable = f.model.finish[f.network(index), variant.layers[layers[-1]] if ends else "decision"]
            key = (f.network(index), layers[-1], *stations[max(gate, 0) : layers[-1] + 1])
            late = taken > values.get(variable, 0.0) + TOLERANCE * taken and np.isfinite(taken)
            if not late or key in f.model.by_readiness:  # what a cut leaves is rounding
                continue
            members = [layer for layer in (gate, *layers) if layer >= 0]
            row = [(1.0, variable), *((-taken, f.alpha(index, layer, stations[layer])) for layer in members)]
            f.model.by_readiness[key] = linear(row) >= taken * (1.0 - len(members))
    return len(f.model.by_readiness) - before


def _decision(
    f: Formulation, variant: Variant, stations: tuple[int, ...], finish: list[float], book: RouteBook
) -> float:
    """When the results of all outputs are at the sink."""
    sink = int(f.compiled.sink[variant.service])
    return max(
        finish[leaf] + book.seconds(variant, True, leaf, int(f.compiled.station_device[stations[leaf]]), sink)
        for leaf in variant.leaves
    )


def agree(judged: Evaluation, name: str, stated: float) -> None:
    """The evaluator must find the objective that the solver states for its point, or one of them is wrong.

    Raises:
        UnansweredError: it finds a larger one.
    """
    value = judged.costs[name]
    if not value <= stated + 1e-6 * max(abs(stated), 1e-9):
        raise UnansweredError(
            f"internal error: the solver states {name} = {stated:.9g}, its placement has {value:.9g}",
            tip="this is a defect of the solver's version or of placer; please report it with the instance",
        )
