"""A sweep as text for people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


from placer.cli.output.plan import shown
from placer.cli.output.table import table
from placer.instance.units import show_fraction, show_seconds
from placer.sweep.run import Row, Sweep

_MOST_SERVICES = 6
"""Beyond these the figures per service are left to the files."""


def print_sweep(sweep: Sweep, out: Console) -> None:
    """Print a line per point, loss and response time per service, and what is missing."""
    _print_points(sweep, out)
    _print_services(sweep, out)
    _print_changes(sweep, out)
    _print_messages(sweep, out)
    planned = [row for row in sweep.rows if row.answer.planned]
    changed = sum(bool(row.changes) for row in planned)
    broken = sum(bool(row.answer.violations) for row in planned)
    ties = sum(bool(row.tie) for row in planned)
    line = f"{len(planned)} of {len(sweep.grid.points)} points planned, {_counted(changed, 'change')} of plan"
    line += f" ({ties} by a tie)" if ties else ""
    out.print(f"{line}, {_counted(broken, 'plan')} violating a limit", markup=False)
    for row in sweep.rows:
        for message in row.answer.violations:
            out.print(f"VIOLATED at {_where(sweep, row)}: {message}", markup=False)
        for message in row.answer.undecided:
            out.print(f"UNDECIDED at {_where(sweep, row)}: {message}", markup=False)
    if sweep.stopped is not None:
        out.print(f"partial: {len(sweep.rows)} of {len(sweep.grid.points)} points; {sweep.stopped}", markup=False)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _where(sweep: Sweep, row: Row) -> str:
    return ", ".join(f"{axis.path} = {axis.label(i)}" for axis, i in zip(sweep.grid.axes, row.point.index, strict=True))


def _print_points(sweep: Sweep, out: Console) -> None:
    answers = [row.answer for row in sweep.rows]
    objective = next((a.objectives[0].name for a in answers if a.objectives), None)
    shows_accuracy = any(math.isfinite(answer.accuracy) for answer in answers)
    judges = sorted({answer.evaluator for answer in answers if answer.evaluator})
    title = f"Sweep of {sweep.grid.name} ({sweep.options.method}" + (
        f"; {', '.join(judges)} evaluator" if judges else ""
    )
    axes = [axis.path for axis in sweep.grid.axes]
    figures = [objective] if objective is not None else []
    # a mean over services changes with their mix: where there are several, each has a column of its own below
    alone = len({service.name for a in answers for service in a.services if math.isfinite(service.loss_ratio)}) < 2
    tail = ["gap", "loss", *(["mean response"] if alone else []), *(["accuracy"] if shows_accuracy else []), "s"]
    rows = []
    for row in sweep.rows:
        cells = [axis.label(i) for axis, i in zip(sweep.grid.axes, row.point.index, strict=True)]
        cells += [_status(row), *([_value(row)] if objective is not None else []), _gap(row), _loss(row)]
        cells += [_seconds(row.answer.totals.response_time)] if alone else []
        cells += [_number(row.answer.accuracy)] if shows_accuracy else []
        rows.append([*cells, f"{row.answer.seconds:.2f}", _plan(row)])
    columns = (*axes, "status", *figures, *tail, "plan")
    out.print(table(title + ")", columns, rows, right=(*axes, *figures, *tail)))
    if shows_accuracy and any(row[-3] == "unknown" for row in rows):
        dark = dict.fromkeys(s.name for answer in answers for s in answer.services if math.isnan(s.accuracy))
        out.print(f"unknown for want of: accuracy of the model of {', '.join(dark)}", markup=False)


def _status(row: Row) -> str:
    broken = len(row.answer.violations)
    return row.answer.status + (f", violates {broken}" if broken else "")


def _value(row: Row) -> str:
    if not row.answer.objectives:
        return "–"
    first = row.answer.objectives[0]
    return shown(first.name, first.value, first.unit)


def _gap(row: Row) -> str:
    if not row.answer.objectives:
        return "–"
    gap = row.answer.objectives[0].gap
    return "no bound" if gap is None else show_fraction(gap)


def _loss(row: Row) -> str:
    totals = row.answer.totals
    if not math.isfinite(totals.loss_ratio):
        return "–"
    return show_fraction(totals.loss_ratio) + (
        f" ± {show_fraction(totals.loss_interval)}" if row.answer.simulated is not None else ""
    )


def _seconds(value: float) -> str:
    return show_seconds(value) if math.isfinite(value) else "–"


def _number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "unknown"


def _plan(row: Row) -> str:
    if not row.answer.planned:
        return "–"
    if row.tie:
        return "ties"
    return "" if row.changes is None else "changes" if row.changes else "same"


def _print_changes(sweep: Sweep, out: Console) -> None:
    for row in sweep.rows:
        if row.changes:
            why = " (a tie: the plan before is as good here)" if row.tie else ""
            out.print(f"changes at {_where(sweep, row)}{why}:", markup=False)
            for sentence in row.changes:
                out.print(f"  {sentence}", markup=False)


def _print_messages(sweep: Sweep, out: Console) -> None:
    """Print why points have no plan (or what was left out), each reason once with all its points."""
    reasons = dict.fromkeys((row.answer.status, row.answer.message) for row in sweep.rows if row.answer.message)
    for status, message in reasons:
        where = [_where(sweep, r) for r in sweep.rows if (r.answer.status, r.answer.message) == (status, message)]
        more = f" and {_counted(len(where) - 1, 'more point')}" if len(where) > 1 else ""
        out.print(f"{status} at {where[0]}{more}: {message}", markup=False)


def _print_services(sweep: Sweep, out: Console) -> None:
    """Print loss and mean response time of each service, where there are several."""
    planned = [row for row in sweep.rows if row.answer.planned]
    names = list(dict.fromkeys(s.name for row in planned for s in row.answer.services if math.isfinite(s.loss_ratio)))
    if len(names) < 2:
        return
    if len(names) > _MOST_SERVICES:
        text = f"loss and response time of each of {len(names)} services: in the files that -o writes, and under --json"
        out.print(text, markup=False)
        return
    columns = (*(axis.path for axis in sweep.grid.axes), *names)
    for title, figure, show in (
        ("Loss per service", "loss_ratio", _fraction),
        ("Mean response time per service", "response_time", _seconds),
    ):
        rows = []
        for row in planned:
            values = {service.name: getattr(service, figure) for service in row.answer.services}
            cells = [axis.label(i) for axis, i in zip(sweep.grid.axes, row.point.index, strict=True)]
            rows.append([*cells, *(show(values.get(name, math.nan)) for name in names)])
        out.print(table(title, columns, rows, right=columns))


def _fraction(value: float) -> str:
    return show_fraction(value) if math.isfinite(value) else "–"
