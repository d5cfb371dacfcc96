"""Models as arrays, against Pyomo's own compiler."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler
from scipy.sparse import csr_array

from placer.errors import InfeasibleError
from placer.instance.compiled import compile_instance
from placer.instance.resolving import read_instance
from placer.planning.ilp.formulation import build, linear
from placer.planning.ilp.goals import add_goal_limits, add_objective
from placer.solver.standard_form import StandardForm


def compare(model: Any) -> StandardForm:
    """Hold our arrays against the library's: the same columns, rows, coefficients, in the same order."""
    ours = StandardForm.of(model)
    theirs = LinearStandardFormCompiler().write(model, mixed_form=True, set_sense=None)
    assert [column.name for column in ours.columns] == [column.name for column in theirs.columns]
    assert [row.name for row in ours.constraints] == [row.constraint.name for row in theirs.rows]
    shape = (len(ours.constraints), len(ours.columns))
    matrix = csr_array((ours.matrix.value, ours.matrix.index, ours.matrix.start), shape=shape)
    np.testing.assert_array_equal(matrix.toarray(), theirs.A.toarray())
    if theirs.c.shape[0]:
        np.testing.assert_array_equal(ours.cost, theirs.c.toarray()[0])
        assert ours.offset == theirs.c_offset[0]
    for row, low, high, rhs in zip(theirs.rows, ours.low, ours.high, theirs.rhs, strict=True):
        assert low == (rhs if row.bound_type <= 0 else -np.inf)
        assert high == (rhs if row.bound_type >= 0 else np.inf)
    for column, least, most, integer in zip(ours.columns, ours.least, ours.most, ours.integer, strict=True):
        assert (least, most) == (
            -np.inf if column.lb is None else column.lb,
            np.inf if column.ub is None else column.ub,
        )
        assert integer == column.is_integer()
    return ours


Terms = st.lists(st.tuples(st.sampled_from([-2.0, 0.5, 1.0, 3.0]), st.integers(0, 7)), min_size=1, max_size=6)


@given(
    objective=Terms,
    rows=st.lists(st.tuples(Terms, st.sampled_from(["<=", "==", ">="]), Terms, st.booleans()), max_size=5),
    fixed=st.sets(st.integers(0, 7), max_size=2),
)
def test_random_models(objective: Any, rows: Any, fixed: set[int]) -> None:
    """Variables on both sides, given twice, fixed, unused; rows that are switched off."""
    model = pyo.ConcreteModel()
    model.x = pyo.Var(range(4), domain=pyo.Binary)
    model.y = pyo.Var(range(4), domain=pyo.NonNegativeReals, bounds=(None, 9.0))
    variables = [*model.x.values(), *model.y.values()]
    model.free = pyo.Var()  # in no row
    for number in fixed:
        variables[number].fix(1.0)
    model.row = pyo.Constraint(pyo.Any)
    for number, (left, sense, right, active) in enumerate(rows):
        one = linear(((c, variables[v]) for c, v in left), 1.5)
        other = linear((c, variables[v]) for c, v in right)
        model.row[number] = {"<=": one <= other, "==": one == other, ">=": one >= other}[sense]
        if not active:
            model.row[number].deactivate()
    model.objective = pyo.Objective(expr=linear(((c, variables[v]) for c, v in objective), 2.0))
    try:
        compare(model)
    except InfeasibleError:
        with pytest.raises(Exception, match="trivially infeasible"):
            LinearStandardFormCompiler().write(model, mixed_form=True, set_sense=None)


@pytest.mark.parametrize("name", ["smart-parking", "five-board"])
def test_the_placement_ilp(name: str) -> None:
    formulation = build(compile_instance(read_instance(name)))
    add_goal_limits(formulation)
    add_objective(formulation, "latency")
    form = compare(formulation.model)
    assert len(form.columns) > 50
    assert len(form.constraints) > 50


def test_a_range_is_one_row() -> None:
    model = pyo.ConcreteModel()
    model.x = pyo.Var([0, 1])
    model.row = pyo.Constraint(expr=(1.0, model.x[0] + 2 * model.x[1] + 3.0, 8.0))
    form = StandardForm.of(model)
    assert (list(form.low), list(form.high), list(form.matrix.value)) == ([-2.0], [5.0], [1.0, 2.0])


def test_what_is_not_linear_or_not_minimised_is_refused() -> None:
    model = pyo.ConcreteModel()
    model.x = pyo.Var()
    model.objective = pyo.Objective(expr=model.x, sense=pyo.maximize)
    with pytest.raises(ValueError, match="objective is not minimised"):
        StandardForm.of(model)
    model.objective.deactivate()
    model.row = pyo.Constraint(expr=model.x**2 <= 1.0)
    with pytest.raises(ValueError, match="not linear"):
        StandardForm.of(model)


def test_a_row_without_variables_that_does_not_hold_is_infeasible() -> None:
    model = pyo.ConcreteModel()
    model.x = pyo.Var()
    model.x.fix(2.0)
    model.row = pyo.Constraint(expr=model.x <= 1.0)
    with pytest.raises(InfeasibleError):
        StandardForm.of(model)
