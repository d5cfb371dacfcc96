"""A linear Pyomo model as arrays: what a solver is handed, and the names it is written with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyomo.common.errors import InfeasibleConstraintException
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler

from placer.errors import InfeasibleError

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StandardForm:
    """Minimise ``cost x + offset`` with ``low <= matrix x <= high`` per row and ``least <= x <= most`` per column.

    Attributes:
        columns: the Pyomo variables in the order of the columns.
        constraints: the Pyomo constraints in the order of the rows.
        matrix: scipy CSC array of shape (rows, columns).
        integer: whether a column is integer.
    """

    columns: list[Any]
    constraints: list[Any]
    matrix: Any
    cost: Floats
    offset: float
    low: Floats
    high: Floats
    least: Floats
    most: Floats
    integer: list[bool]

    @classmethod
    def of(cls, model: Any) -> StandardForm:
        """Compile a model.

        Raises:
            InfeasibleError: when a constraint without variables does not hold.
        """
        try:
            form = LinearStandardFormCompiler().write(model, mixed_form=True, set_sense=None)
        except InfeasibleConstraintException as error:
            # a constraint without variables that does not hold: Pyomo stops before the solver is asked
            raise InfeasibleError(
                "no placement satisfies the instance (proven)", tip="placer explain says what clashes"
            ) from error
        objective = form.c.shape[0] > 0
        sense = np.array([row.bound_type for row in form.rows])
        rhs = np.asarray(form.rhs, dtype=float)
        bounds = [column.bounds for column in form.columns]
        return cls(
            columns=list(form.columns),
            constraints=[row.constraint for row in form.rows],
            matrix=form.A,
            cost=form.c.toarray()[0] if objective else np.zeros(len(form.columns)),
            offset=float(form.c_offset[0]) if objective else 0.0,
            low=np.where(sense <= 0, rhs, -np.inf),
            high=np.where(sense >= 0, rhs, np.inf),
            least=np.array([-np.inf if low is None else low for low, _ in bounds], dtype=float),
            most=np.array([np.inf if high is None else high for _, high in bounds], dtype=float),
            integer=[column.is_integer() for column in form.columns],
        )

    def column_names(self) -> list[str]:
        """Names of the columns, fit for LP and MPS files."""
        return plain_names([column.name for column in self.columns])

    def row_names(self) -> list[str]:
        """Names of the rows, fit for LP and MPS files."""
        return plain_names([constraint.name for constraint in self.constraints])


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
