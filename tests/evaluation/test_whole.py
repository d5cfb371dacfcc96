"""One evaluation of an answer: every evaluator gives the same object; one measure of how badly limits are broken."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from placer.errors import InputError
from placer.evaluation.checks import Check, excess_of, limit_check
from placer.evaluation.comparison import simulate_plan
from placer.evaluation.evaluate import By, evaluate, evaluate_placement
from placer.evaluation.runs import Runs
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from placer.plan.plan import make_plan
from tests.instance.build import compiled_from
from tests.plan.test_plan import GIVEN

RUNS = Runs(jobs=2000, replications=4, seed=3)


def busy(**service: Any) -> tuple[Compiled, Placement]:
    """One service that keeps one device with two places busy: 1 s of work per request, half of the time."""
    one = {"name": "s", "model": "net", "source": "a", "arrivals": {"rate": 0.5}, **service}
    return compiled_from([{"name": "a", "type": "board", "buffer": 2}], [one]), Placement((0,), ((0, 0, 0, 0),))


@pytest.mark.parametrize("by", ["deterministic", "analytic", "simulation"])
def test_every_evaluator_judges_every_limit_once(by: By) -> None:
    compiled, placement = busy(max_loss=0.01, deadline=0.5)
    found = evaluate(make_plan(compiled, placement, GIVEN), compiled, by, RUNS)
    assert found.evaluator == by
    limits = [(check.kind, check.subject) for check in found.checks]
    assert len(limits) == len(set(limits))
    assert {"max_loss", "deadline", "memory", "runs", "range", "fragments"} <= {kind for kind, _ in limits}
    judge = {check.kind: check.evaluator for check in found.checks}["max_loss"]
    assert judge == ("exact" if by == "deterministic" else by)
    assert [check.kind for check in found.skipped] == (["max_loss"] if by == "deterministic" else [])


def test_waiting_is_part_of_the_evaluation_unless_one_says_otherwise() -> None:
    compiled, placement = busy(max_loss=0.01)
    whole = evaluate_placement(compiled, placement)
    assert whole.evaluator == "analytic"
    assert not whole.feasible
    assert whole.objectives["loss"] == whole.costs["loss"] > 0.05
    alone = evaluate_placement(compiled, placement, "deterministic")
    assert alone.feasible
    assert math.isnan(alone.objectives["loss"])
    assert whole.times
    assert not alone.times


def test_without_arrivals_the_analytic_evaluator_has_nothing_to_add() -> None:
    compiled, placement = busy(arrivals=None)
    # by what they print, where one NaN is like the other
    alone = evaluate_placement(compiled, placement, "deterministic")
    assert repr(evaluate_placement(compiled, placement)) == repr(alone)
    with pytest.raises(InputError, match="nothing to simulate"):
        evaluate_placement(compiled, placement, "simulation")


def test_the_comparison_holds_both_evaluations() -> None:
    compiled, placement = busy(max_loss=0.01)
    plan = make_plan(compiled, placement, GIVEN)
    found = simulate_plan(plan, compiled, RUNS)
    assert repr(found.analytic) == repr(evaluate(plan, compiled))
    again = evaluate(plan, compiled, "simulation", RUNS)
    assert found.simulation.times == again.times
    assert found.simulation.checks == again.checks
    assert found.simulation.simulation is not None
    assert found.simulation.simulation.replications == 4


def test_the_excess_is_the_sum_of_what_is_broken_relative_to_each_limit() -> None:
    compiled, placement = busy(max_loss=0.02, deadline=0.5)
    found = evaluate_placement(compiled, placement)
    (times,) = found.times
    assert found.excess == pytest.approx(times.loss_ratio / 0.02 - 1 + times.response_time / 0.5 - 1)
    assert found.exit_code == 1
    kept = evaluate_placement(*busy(max_loss=0.5))
    assert (kept.excess, kept.exit_code, kept.feasible) == (0.0, 0, True)


def test_what_has_no_size_counts_as_one_and_a_lower_limit_is_turned() -> None:
    assert Check("runs", "s", "violated", "").relative_excess == 1.0
    assert Check("runs", "s", "ok", "").relative_excess == 0.0
    assert Check("min_accuracy", "s", "violated", "", 0.6, 0.8).relative_excess == pytest.approx(0.25)
    assert Check("placement", "latency", "violated", "", 5.0, 1.0).relative_excess == 1.0


@given(st.floats(0, 1e15), st.floats(1e-6, 1e15))
def test_the_excess_is_zero_just_where_the_check_is_kept(actual: float, limit: float) -> None:
    check = limit_check("memory", "a", "memory of a", actual, limit, "B")
    over = float(excess_of(actual, limit))
    assert (check.status == "ok") == (over == 0.0)
    assert check.relative_excess == over >= 0.0


def test_the_excess_of_arrays() -> None:
    actual = np.array([1.0, 2.0, 3.0, np.inf, np.nan, 5.0, -0.5])
    limit = np.array([2.0, 2.0, 2.0, 2.0, 2.0, np.inf, -0.8])
    assert excess_of(actual, limit).tolist() == pytest.approx([0.0, 0.0, 0.5, 1e12, 1e12, 0.0, 0.375])
    assert float(excess_of(0.1, 0.0)) == pytest.approx(1e5)  # a loss where none is allowed still has a slope
    assert float(excess_of(0.2, 0.0)) == pytest.approx(2e5)
