"""Schedulers' figures as text and as data."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from placer.cli.output.plan import console
from placer.cli.output.table import table
from placer.exits.report import Report
from placer.exits.schedulers import Task
from placer.exits.sweep import Axis, Point, Skipped
from placer.instance.units import show_fraction, show_seconds

_VERDICT = {True: "kept", False: "missed", None: "undecided"}


def exit_code(reports: Sequence[Report]) -> int:
    """0 when some policy keeps the limit, 3 when none does but one is undecided, else 1."""
    verdicts = {report.keeps for report in reports}
    return 0 if True in verdicts else 3 if None in verdicts else 1


@contextmanager
def telling(show: bool) -> Iterator[Callable[[str], None] | None]:
    """Show which scheduler runs; nothing where no terminal listens."""
    if not show or not sys.stdout.isatty() or not sys.stderr.isatty():
        yield None
        return
    out = console(err=True)
    with out.status("scheduling") as status:
        yield status.update


def _number(value: float, digits: int = 4) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.4g}"


def _simulated(report: Report) -> str:
    if math.isnan(report.loss_simulated):
        return "–"
    return f"{100 * report.loss_simulated:.3g} ± {100 * report.loss_half_width:.2g}"


def print_reports(task: Task, reports: Sequence[Report], skipped: Sequence[Skipped], output: Path | None) -> None:
    """Print a line per scheduler, the bound, what was skipped and what is assumed."""
    out = console()
    station = task.station
    title = (
        f"{task.profile.name}: {station.rate:.6g} /s, buffer {station.capacity}, loss at most "
        f"{show_fraction(task.max_loss)}"
    )
    rows = [
        (
            report.method,
            _number(report.accuracy),
            _number(report.bound),
            _percent(report.loss_formula),
            _percent(report.loss_exact),
            _simulated(report),
            show_seconds(report.latency),
            f"{100 * report.utilisation:.1f} %",
            _VERDICT[report.keeps],
        )
        for report in reports
    ]
    figures = ("accuracy", "bound", "loss %: formula", "exact", "simulated", "latency", "busy", "limit")
    out.print(table(title, ("method", *figures), rows, whole=("method",)))
    if task.profile.table is not None:
        out.print("planned on the calibration split, reported on the test split")
    out.print("bound: best accuracy of any single-exit policy by queue length within the limit (semi-Markov optimum);")
    out.print("policies that look at a sample's confidence may exceed it")
    for report in reports:
        if len(reports) == 1:
            here = _number(report.bound_here)
            out.print(f"bound at this policy's own loss: {here}", markup=False)
        if len(reports) == 1 and report.notes:
            out.print(", ".join(f"{name} {value:.6g}" for name, value in report.notes.items()), markup=False)
        if len(reports) == 1:
            names = zip(task.profile.exits, report.shares, strict=True)
            shares = ", ".join(f"{name} {show_fraction(share)}" for name, share in names if share > 5e-5)
            out.print(f"jobs leave at: {shares}", markup=False)
    for skip in skipped:
        out.print(f"{skip.method}: {skip.reason}", markup=False)
    if task.profile.assumed:
        out.print(f"Assumed: {'; '.join(task.profile.assumed)}", markup=False)
    if output is not None:
        out.print(f"written to {output}", markup=False)


def _task_data(task: Task) -> dict[str, Any]:
    return {
        "profile": task.profile.name,
        "arrivals": task.station.rate,
        "buffer": task.station.capacity,
        "max_loss": task.max_loss,
        "seed": task.seed,
        "assumed": task.profile.assumed,
        "synthetic": task.profile.synthetic,
        "exits": task.profile.exits,
    }


def _report_data(report: Report, policy: bool = True) -> dict[str, Any]:
    own = {name: value for name, value in vars(report).items() if name != "policy"}
    return own | ({"policy": report.policy.model_dump(mode="json")} if policy else {})


def as_data(task: Task, reports: Sequence[Report], skipped: Sequence[Skipped], code: int) -> dict[str, Any]:
    """The same as plain data."""
    return {
        **_task_data(task),
        "reports": [_report_data(report) for report in reports],
        "skipped": [asdict(skip) for skip in skipped],
        "exit_code": code,
    }


def sweep_data(task: Task, axis: Axis, points: Sequence[Point]) -> dict[str, Any]:
    """A sweep as plain data."""
    rows = [
        {
            "value": point.value,
            "reports": [_report_data(report, policy=False) for report in point.reports],
            "skipped": [asdict(skip) for skip in point.skipped],
        }
        for point in points
    ]
    return {**_task_data(task), "axis": axis, "points": rows}


def _accuracy_and_loss(report: Report | None) -> str:
    return "–" if report is None else f"{report.accuracy:.4f} ({100 * report.loss:.3g} %)"


def print_sweep(task: Task, axis: Axis, points: Sequence[Point], picture: Path | None) -> None:
    """Print accuracy and loss of every method at every value."""
    out = console()
    names = list(dict.fromkeys(report.method for point in points for report in point.reports))
    rows = []
    for point in points:
        by_name = {report.method: report for report in point.reports}
        cells = [
            f"{by_name[name].accuracy:.4f} ({100 * by_name[name].loss:.3g} %)" if name in by_name else "–"
            for name in names
        ]
        value = f"{point.value:.6g} /s" if axis == "arrivals" else show_fraction(point.value)
        rows.append((value, _number(point.reports[0].bound) if point.reports else "–", *cells))
    out.print(table(f"{task.profile.name}: accuracy (loss)", (axis, "bound", *names), rows))
    for skip in {(s.method, s.reason) for point in points for s in point.skipped if not s.infeasible}:
        out.print(f"{skip[0]}: {skip[1]}", markup=False)
    if task.profile.assumed:
        out.print(f"Assumed: {'; '.join(task.profile.assumed)}", markup=False)
    if picture is not None:
        out.print(f"written to {picture}", markup=False)
