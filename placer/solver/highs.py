"""The one place where Pyomo meets HiGHS.

Pyomo models are compiled to standard form and handed to highspy as arrays in one call, which is several times faster
than Pyomo's own interfaces and gives what they hide: start solutions, callbacks, bounds. Termination, incumbent and
bound are read from HiGHS separately; a status that is not in the table is ``unknown``, never a success.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import highspy
import numpy as np
from pyomo.common.collections import ComponentMap

from placer.errors import UnansweredError
from placer.files import Output
from placer.solver.countdown import Countdown
from placer.solver.model_file import write_model_file
from placer.solver.progress import Limits, Listener
from placer.solver.result import Result, Status, Values
from placer.solver.running import Calls, Run, race
from placer.solver.standard_form import StandardForm

# https://ergo-code.github.io/HiGHS/dev/structures/enums/#HighsModelStatus
_STATUS: dict[Any, Status] = {
    highspy.HighsModelStatus.kOptimal: "optimal",
    highspy.HighsModelStatus.kModelEmpty: "optimal",
    highspy.HighsModelStatus.kInfeasible: "infeasible",
    highspy.HighsModelStatus.kUnbounded: "unbounded",
    highspy.HighsModelStatus.kTimeLimit: "time-limit",
    highspy.HighsModelStatus.kIterationLimit: "iteration-limit",
    highspy.HighsModelStatus.kSolutionLimit: "iteration-limit",
    highspy.HighsModelStatus.kInterrupt: "interrupted",
    highspy.HighsModelStatus.kMemoryLimit: "memory-limit",
}

_CALLS = Calls(
    highspy._core.cb.HighsCallbackType.kCallbackMipInterrupt,
    highspy._core.cb.HighsCallbackType.kCallbackSimplexInterrupt,
    highspy._core.cb.HighsCallbackType.kCallbackMipImprovingSolution,
)


@dataclass
class Solver:
    """A Pyomo model inside HiGHS.

    Attributes:
        model: the Pyomo model (linear, one objective to minimise).
        form: the model as HiGHS has it.
        highs: the ``highspy.Highs`` that holds it.
        options: of HiGHS, besides those of every run.
        start: columns and their values in the start solution.
    """

    model: Any
    form: StandardForm
    highs: Any
    options: dict[str, Any] = field(default_factory=dict)
    start: tuple[Any, Any] | None = None

    @classmethod
    def of(cls, model: Any, countdown: Countdown | None = None) -> Solver:
        """Compile ``model`` and hand it to a new HiGHS.

        Raises:
            InfeasibleError: when a constraint without variables does not hold.
            TimeIsUpError: the countdown ended before the model was compiled.
        """
        form = StandardForm.of(model, countdown)
        return cls(model, form, _holding(form))

    def start_from(self, values: Values) -> None:
        """Give HiGHS a start solution: values of some variables; it completes the rest."""
        known = [(position, values[column]) for position, column in enumerate(self.form.columns) if column in values]
        indices = np.array([position for position, _ in known], dtype=np.int32)
        self.start = indices, np.array([value for _, value in known], dtype=np.float64)

    def use_primal_simplex(self) -> None:
        """Solve linear relaxations by the primal simplex method: far faster where a feasible point is at hand."""
        self.options["simplex_strategy"] = 4

    def solve(self, limits: Limits, listener: Listener | None = None, scale: float = 1.0) -> Result:
        """Run HiGHS; the time limit holds even where HiGHS does not keep it, see :mod:`placer.solver.running`.

        Args:
            limits: when to stop.
            listener: told of every new incumbent and bound.
            scale: what the model's objective is multiplied with for the listener.
        """
        countdown = limits.start()

        def rival(seconds: float) -> Any:
            return self._ready(_holding(self.form), limits, seconds, {"presolve": "off"})

        first = self._ready(self.highs, limits, limits.seconds)
        ended = race(first, rival, _CALLS, countdown, listener, scale)
        seconds = countdown.spent
        run = ended.run
        if run.error is not None:
            raise run.error
        if not run.over:
            self.highs = _holding(self.form)  # the other one is not to be touched: it is still at work
            return self._left(run, "interrupted" if ended.interrupted else "time-limit", seconds)
        self.highs = run.highs
        if run.status == highspy.HighsStatus.kError:
            raise UnansweredError("HiGHS failed on this model (status error)")
        return self._result(seconds)

    def _ready(self, highs: Any, limits: Limits, seconds: float, more: Mapping[str, Any] | None = None) -> Any:
        """Give HiGHS its options and the start solution."""
        options: dict[str, Any] = {
            "time_limit": max(seconds, 0.01),
            "mip_rel_gap": limits.gap,
            "mip_abs_gap": 1e-9,
            "threads": limits.threads,
            "random_seed": limits.seed,
            "mip_feasibility_tolerance": 1e-9,
            "primal_feasibility_tolerance": 1e-9,
            **self.options,
            **(more or {}),
        }
        if limits.nodes is not None:
            options["mip_max_nodes"] = limits.nodes
        for name, value in options.items():
            _expect_ok(highs.setOptionValue(name, value), f"HiGHS refused the option {name}")
        if self.start is not None:
            highs.setSolution(len(self.start[0]), *self.start)
        return highs

    def _left(self, run: Run, status: Status, seconds: float) -> Result:
        """What is known of a run that has not come to its end."""
        values = ComponentMap()
        if run.values is not None:
            values = ComponentMap(zip(self.form.columns, run.values, strict=True))
        objective = run.objective if run.values is not None else math.nan
        bound = run.bound if self._is_mip() and abs(run.bound) < 1e30 else -math.inf
        return Result(status, run.values is not None, objective, bound, seconds, values, 0)

    def _result(self, seconds: float) -> Result:
        info = self.highs.getInfo()
        status = _STATUS.get(self.highs.getModelStatus(), "unknown")
        if self.highs.getModelStatus() == highspy.HighsModelStatus.kUnboundedOrInfeasible:
            status = "infeasible" if _is_bounded(self.model) else "unknown"
        feasible = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        has_incumbent = feasible and status not in ("infeasible", "unbounded")
        values = ComponentMap()
        objective = math.nan
        if has_incumbent:
            objective = float(info.objective_function_value)
            solution = self.highs.getSolution().col_value
            values = ComponentMap(zip(self.form.columns, solution, strict=True))
        bound = float(info.mip_dual_bound) if self._is_mip() else (objective if status == "optimal" else -math.inf)
        if not math.isfinite(bound) or abs(bound) >= 1e30:
            bound = -math.inf
        if status == "optimal" and has_incumbent and self._is_mip() and bound == -math.inf:
            bound = objective
        nodes = max(int(info.mip_node_count), 0)
        return Result(status, has_incumbent, objective, bound, seconds, values, nodes)

    def _is_mip(self) -> bool:
        return any(self.form.integer)

    def write(self, output: Output) -> None:
        """Write the model as MPS or LP (by the suffix) with the names of the Pyomo components.

        Raises:
            InputError: for another suffix, or a model that cannot be written.
        """
        for position, name in enumerate(self.form.column_names()):
            self.highs.passColName(position, name)
        for position, name in enumerate(self.form.row_names()):
            self.highs.passRowName(position, name)
        write_model_file(output, lambda draft: self.highs.writeModel(draft) != highspy.HighsStatus.kError)


class LinearProgram:
    """A small linear program from arrays that is solved again and again, each time from the last basis.

    Minimises ``cost x`` with ``low <= matrix x <= high`` per row and ``least <= x <= most`` per column.
    """

    def __init__(self, cost: Any, matrix: Any, low: Any, high: Any, least: Any = 0.0, most: Any = np.inf) -> None:
        rows, columns = np.shape(matrix)
        lp, filled = highspy.HighsLp(), np.asarray(matrix, dtype=float) != 0.0
        lp.num_col_, lp.num_row_ = columns, rows
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.num_col_, lp.a_matrix_.num_row_ = columns, rows
        lp.a_matrix_.start_ = np.append(0, np.cumsum(filled.sum(axis=1))).astype(np.int32)
        lp.a_matrix_.index_ = np.nonzero(filled)[1].astype(np.int32)
        lp.a_matrix_.value_ = np.asarray(matrix, dtype=float)[filled]
        lp.col_cost_ = np.asarray(cost, dtype=float)
        lp.row_lower_, lp.row_upper_ = (np.broadcast_to(np.asarray(x, dtype=float), rows) for x in (low, high))
        lp.col_lower_, lp.col_upper_ = (np.broadcast_to(np.asarray(x, dtype=float), columns) for x in (least, most))
        self.highs = highspy.Highs()
        options: dict[str, float] = {"output_flag": False, "log_to_console": False, "threads": 1, "random_seed": 0}
        options |= {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
        for name, value in options.items():
            _expect_ok(self.highs.setOptionValue(name, value), f"HiGHS refused the option {name}")
        _expect_ok(self.highs.passModel(lp), "HiGHS refused the linear program")

    def set_row(self, row: int, low: float, high: float, entries: Mapping[int, float] | None = None) -> None:
        """Change the limits of a row, and some of its entries by column."""
        self.highs.changeRowBounds(row, low, high)
        for column, value in (entries or {}).items():
            self.highs.changeCoeff(row, column, value)

    def set_column(self, column: int, least: float, most: float) -> None:
        """Change the limits of a column."""
        self.highs.changeColBounds(column, least, most)

    def set_cost(self, column: int, cost: float) -> None:
        """Change the cost of a column."""
        self.highs.changeColCost(column, cost)

    def solve(self) -> tuple[Status, float, Any]:
        """Return the status, the objective (NaN unless optimal) and the values of the columns (empty unless so)."""
        if self.highs.run() == highspy.HighsStatus.kError:
            raise UnansweredError("HiGHS failed on a linear program (status error)")
        model_status = self.highs.getModelStatus()
        status = _STATUS.get(model_status, "unknown")
        if model_status == highspy.HighsModelStatus.kUnboundedOrInfeasible:
            status = "infeasible" if np.isfinite(self.highs.getLp().col_upper_).all() else "unknown"
        if status != "optimal":
            return status, math.nan, np.zeros(0)
        return status, float(self.highs.getObjectiveValue()), np.array(self.highs.getSolution().col_value)

    def add_row(self, low: float, high: float, entries: Mapping[int, float]) -> int:
        """Append a row over the columns there are; returns its number."""
        columns = np.fromiter(entries, dtype=np.int32, count=len(entries))
        values = np.fromiter(entries.values(), dtype=float, count=len(entries))
        self.highs.addRow(low, high, len(columns), columns, values)
        return int(self.highs.getNumRow()) - 1

    def add_column(self, cost: float, most: float, entries: Mapping[int, float]) -> int:
        """Append a column between 0 and ``most`` with its entries by row; returns its number."""
        rows = np.fromiter(entries, dtype=np.int32, count=len(entries))
        values = np.fromiter(entries.values(), dtype=float, count=len(entries))
        self.highs.addCol(cost, 0.0, most, len(rows), rows, values)
        return int(self.highs.getNumCol()) - 1

    def duals(self) -> Any:
        """What the last solution's objective changes by with each row's limits, per unit; shape (rows,)."""
        return np.array(self.highs.getSolution().row_dual)

    def solve_integer(self, columns: Any, limits: Limits) -> tuple[float, Any]:
        """Make ``columns`` integer and search: the bound, and the values of the best solution (empty for none)."""
        kinds = np.full(len(columns), highspy.HighsVarType.kInteger)
        self.highs.changeColsIntegrality(len(columns), np.asarray(columns, dtype=np.int32), kinds)
        options = {"time_limit": max(limits.seconds, 0.01), "mip_rel_gap": limits.gap, "mip_abs_gap": 1e-10}
        for name, value in {**options, "mip_feasibility_tolerance": 1e-9}.items():
            _expect_ok(self.highs.setOptionValue(name, value), f"HiGHS refused the option {name}")
        status, info = self.highs.run(), self.highs.getInfo()
        if self.highs.getModelStatus() == highspy.HighsModelStatus.kInfeasible:
            return math.inf, np.zeros(0)
        known = status != highspy.HighsStatus.kError and info.primal_solution_status == 2
        values = np.array(self.highs.getSolution().col_value) if known else np.zeros(0)
        return float(info.mip_dual_bound), values


def _holding(form: StandardForm) -> Any:
    """A new HiGHS with the model in it."""
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("log_to_console", False)
    _expect_ok(highs.passModel(_program(form)), "HiGHS refused the model")
    return highs


def _program(form: StandardForm) -> Any:
    rows, columns = len(form.constraints), len(form.columns)
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = columns, rows
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.num_col_, lp.a_matrix_.num_row_ = columns, rows
    lp.a_matrix_.start_ = form.matrix.start
    lp.a_matrix_.index_ = form.matrix.index
    lp.a_matrix_.value_ = form.matrix.value
    lp.col_cost_, lp.offset_ = form.cost, form.offset
    lp.col_lower_, lp.col_upper_ = form.least, form.most
    lp.row_lower_, lp.row_upper_ = form.low, form.high
    integer, continuous = highspy.HighsVarType.kInteger, highspy.HighsVarType.kContinuous
    lp.integrality_ = [integer if flag else continuous for flag in form.integer]
    return lp


def _is_bounded(model: Any) -> bool:
    """All placement objectives are sums of nonnegative terms; an unbounded answer would be an error of ours."""
    return bool(getattr(model, "objective_is_bounded", False))


def _expect_ok(status: Any, message: str) -> None:
    if status == highspy.HighsStatus.kError:
        raise UnansweredError(message)
