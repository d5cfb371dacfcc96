"""A linear Pyomo model as arrays: what a solver is handed, and the names it is written with.

The arrays are those of Pyomo's ``LinearStandardFormCompiler``, made without it: it loads scipy.stats, which takes
longer than most plans.
"""

from __future__ import annotations

import logging
import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyomo.core as pyo
from numpy.typing import NDArray
from pyomo.repn.standard_repn import generate_standard_repn

from placer.errors import InfeasibleError
from placer.solver.countdown import Countdown

_ORDER = pyo.SortComponents.ORDERED_INDICES
"""Components as they were declared; entries of those over no ordered set by their indices, so that runs are alike."""

Floats = NDArray[np.float64]

CHECKED = 200
"""Rows between two looks at the clock."""

# Pyomo prints its warnings on standard output, which is for data: without its handlers they go to standard error.
for _handler in list(logging.getLogger("pyomo").handlers):
    logging.getLogger("pyomo").removeHandler(_handler)
Indices = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Matrix:
    """A sparse matrix by rows: row r holds ``value[start[r]:start[r + 1]]`` in the columns ``index`` of that slice."""

    start: Indices
    index: Indices
    value: Floats


@dataclass(frozen=True, eq=False)
class StandardForm:
    """Minimise ``cost x + offset`` with ``low <= matrix x <= high`` per row and ``least <= x <= most`` per column.

    Attributes:
        columns: the Pyomo variables in the order of the columns: those that appear and are not fixed.
        constraints: the Pyomo constraints in the order of the rows.
        integer: whether a column is integer.
    """

    columns: list[Any]
    constraints: list[Any]
    matrix: Matrix
    cost: Floats
    offset: float
    low: Floats
    high: Floats
    least: Floats
    most: Floats
    integer: list[bool]

    @classmethod
    def of(cls, model: Any, countdown: Countdown | None = None) -> StandardForm:
        """Compile a model of linear constraints and one objective to minimise; what is not active is left out.

        Raises:
            InfeasibleError: when a constraint without variables does not hold.
            TimeIsUpError: the countdown ended on the way.
            ValueError: for a model that is not linear, or that maximises.
        """
        columns, offset = _Columns(), 0.0
        costs: tuple[list[int], Iterable[float]] = [], ()
        for objective in model.component_data_objects(pyo.Objective, active=True):
            if objective.sense != pyo.minimize:
                raise ValueError(f"objective {objective.name} is not minimised")
            part = _linear(objective.expr)
            costs, offset = (columns.numbers(part.linear_vars), part.linear_coefs), float(part.constant)
        constraints: list[Any] = []
        low, high = array("d"), array("d")
        start, index, value = array("i", [0]), array("i"), array("d")
        for constraint in model.component_data_objects(pyo.Constraint, active=True, sort=_ORDER):
            below, above = _bounds(constraint)
            if below == -np.inf and above == np.inf:
                continue
            if countdown is not None and len(constraints) % CHECKED == 0:
                countdown.check("the making of the model")
            part = _linear(constraint.body)
            if not part.linear_vars:
                _expect_kept(below, float(part.constant), above)
                continue
            constraints.append(constraint)
            low.append(below - part.constant)
            high.append(above - part.constant)
            index.extend(columns.numbers(part.linear_vars))
            value.extend(part.linear_coefs)
            start.append(len(index))
        used = np.unique(np.concatenate([np.array(costs[0], dtype=np.int32), np.array(index)]))
        cost = np.zeros(len(columns.found))
        cost[costs[0]] = list(costs[1])
        variables = [columns.found[number] for number in used]
        bounds = [variable.bounds for variable in variables]
        return cls(
            columns=variables,
            constraints=constraints,
            matrix=Matrix(np.array(start), np.searchsorted(used, np.array(index)).astype(np.int32), np.array(value)),
            cost=cost[used],
            offset=offset,
            low=np.array(low),
            high=np.array(high),
            least=np.array([-np.inf if least is None else least for least, _ in bounds], dtype=float),
            most=np.array([np.inf if most is None else most for _, most in bounds], dtype=float),
            integer=[variable.is_integer() for variable in variables],
        )

    def column_names(self) -> list[str]:
        """Names of the columns, fit for LP and MPS files."""
        return plain_names([column.name for column in self.columns])

    def row_names(self) -> list[str]:
        """Names of the rows, fit for LP and MPS files."""
        return plain_names([constraint.name for constraint in self.constraints])


class _Columns:
    """Numbers of variables, given as they are met, to each with all others of its component."""

    def __init__(self) -> None:
        self.found: list[Any] = []
        self._number: dict[int, int] = {}  # by id, which stays a variable's own as ``found`` holds it

    def numbers(self, variables: Iterable[Any]) -> list[int]:
        try:
            return [self._number[id(variable)] for variable in variables]
        except KeyError:
            for variable in variables:
                if id(variable) not in self._number:
                    self._add(variable.parent_component().values(_ORDER))
            return [self._number[id(variable)] for variable in variables]

    def _add(self, variables: Iterable[Any]) -> None:
        # a component may have got new variables since its others were met
        for variable in variables:
            if id(variable) not in self._number:
                self._number[id(variable)] = len(self.found)
                self.found.append(variable)


def _linear(expression: Any) -> Any:
    """Coefficients, variables and constant of an expression; those of fixed variables are in the constant."""
    part = generate_standard_repn(expression, compute_values=True, quadratic=False)
    if part.nonlinear_expr is not None:
        raise ValueError(f"not linear: {expression}")
    return part


def _bounds(constraint: Any) -> tuple[float, float]:
    low, high = constraint.lb, constraint.ub
    return -np.inf if low is None else float(low), np.inf if high is None else float(high)


def _expect_kept(low: float, value: float, high: float) -> None:
    if not low <= value <= high:
        raise InfeasibleError("no placement satisfies the instance (proven)", tip="placer explain says what clashes")


def plain_names(names: list[str]) -> list[str]:
    """Make names unique and fit for LP and MPS files: ``alpha[plates,cam-1]`` → ``alpha(plates,cam_1)``."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_.(),]", "_", name.replace("[", "(").replace("]", ")"))[:200]
        count = seen.get(plain, 0)
        seen[plain] = count + 1
        result.append(plain if count == 0 else f"{plain}_{count + 1}")
    return result
