"""A sweep as plain data: JSON with everything, CSV with a line per point."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from placer._version import __version__
from placer.errors import InputError, Problem
from placer.files import Output, path_of, write_atomically
from placer.sweep.answer import ServiceRow, Totals
from placer.sweep.run import Row, Sweep

SWEEP_FORMAT = "placer/sweep/1"
SUFFIXES = (".json", ".csv")


def as_data(sweep: Sweep) -> dict[str, Any]:
    """Return a sweep as JSON's kinds of values; what is unknown is null."""
    options = sweep.options
    return {
        "format": SWEEP_FORMAT,
        "version": __version__,
        "instance": sweep.grid.name,
        "method": options.method,
        "time_limit": options.limits.seconds,
        "seed": options.limits.seed,
        "vary": [{"path": axis.path, "unit": axis.unit, "values": list(axis.shown)} for axis in sweep.grid.axes],
        "points": len(sweep.grid.points),
        "partial": len(sweep.rows) < len(sweep.grid.points),
        "stopped": sweep.stopped,
        "exit_code": sweep.exit_code,
        "rows": [_row_data(sweep, row) for row in sweep.rows],
    }


def _row_data(sweep: Sweep, row: Row) -> dict[str, Any]:
    found = row.answer
    return {
        "values": {axis.path: axis.values[i][0] for axis, i in zip(sweep.grid.axes, row.point.index, strict=True)},
        "status": found.status,
        "message": found.message,
        "objectives": [result.model_dump(mode="json") for result in found.objectives],
        "evaluator": found.evaluator,
        "loss_ratio": _known(found.totals.loss_ratio),
        "response_time": _known(found.totals.response_time),
        "latency": _known(found.latency),
        "accuracy": _known(found.accuracy),
        "analytic": _totals_data(found.analytic),
        "simulated": _totals_data(found.simulated),
        "services": {service.name: _service_data(service) for service in found.services},
        "violations": list(found.violations),
        "undecided": list(found.undecided),
        "changed": None if row.changes is None else bool(row.changes),
        "changes": list(row.changes or ()),
        "tie": row.tie,
        "seconds": found.seconds,
    }


def _totals_data(totals: Totals | None) -> dict[str, float | None] | None:
    return None if totals is None else {name: _known(value) for name, value in asdict(totals).items()}


def _service_data(service: ServiceRow) -> dict[str, Any]:
    return {
        "alternative": service.alternative,
        "offered": _known(service.offered),
        "loss_ratio": _known(service.loss_ratio),
        "response_time": _known(service.response_time),
        "latency": _known(service.latency),
        "accuracy": _known(service.accuracy),
        "fragments": [fragment.model_dump(mode="json") for fragment in service.fragments],
    }


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def as_csv(sweep: Sweep) -> str:
    """Return a sweep as CSV: SI units (the varied values as written), empty where a figure is unknown."""
    services = list(dict.fromkeys(service.name for row in sweep.rows for service in row.answer.services))
    objectives = list(dict.fromkeys(o.name for row in sweep.rows for o in row.answer.objectives))
    header = [axis.path for axis in sweep.grid.axes] + ["status"]
    header += [f"{name} {figure}" for name in objectives for figure in ("value", "bound", "gap")]
    header += ["evaluator", "loss_ratio", "loss_interval", "response_time", "latency", "accuracy"]
    header += ["analytic_loss_ratio", "analytic_response_time"]
    header += [f"{figure} {name}" for figure in ("loss_ratio", "response_time", "accuracy") for name in services]
    header += ["violations", "changed", "changes", "tie", "seconds", "message"]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    for row in sweep.rows:
        writer.writerow(_csv_row(sweep, row, services, objectives))
    return stream.getvalue()


def _csv_row(sweep: Sweep, row: Row, services: list[str], objectives: list[str]) -> list[Any]:
    found = row.answer
    by_name = {service.name: service for service in found.services}
    results = {result.name: result for result in found.objectives}
    cells: list[Any] = [axis.shown[i] for axis, i in zip(sweep.grid.axes, row.point.index, strict=True)]
    cells.append(found.status)
    for name in objectives:
        result = results.get(name)
        cells += ["", "", ""] if result is None else [_cell(result.value), _cell(result.bound), _cell(result.gap)]
    totals, analytic = found.totals, found.analytic or Totals()
    cells += [found.evaluator, _cell(totals.loss_ratio), _cell(totals.loss_interval if found.simulated else None)]
    cells += [_cell(totals.response_time), _cell(found.latency), _cell(found.accuracy)]
    cells += [_cell(analytic.loss_ratio), _cell(analytic.response_time)]
    for figure in ("loss_ratio", "response_time", "accuracy"):
        cells += [_cell(getattr(by_name[name], figure)) if name in by_name else "" for name in services]
    changed = "" if row.changes is None else str(bool(row.changes)).lower()
    tie = "" if row.tie is None else str(row.tie).lower()
    cells += ["; ".join(found.violations), changed, "; ".join(row.changes or ()), tie]
    return [*cells, found.seconds, found.message]


def _cell(value: float | None) -> Any:
    return "" if value is None or not math.isfinite(value) else value


def format_of(path: Path) -> str:
    """Return the suffix that says how a sweep is written.

    Raises:
        InputError: for another suffix.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError([Problem(f"a sweep is written as one of {', '.join(SUFFIXES)}", file=str(path))])
    return path.suffix.lower()


def write_sweep(sweep: Sweep, output: Output) -> None:
    """Write a sweep whole or not at all; as JSON or CSV by the suffix.

    Raises:
        InputError: for another suffix, or when it cannot be written.
    """
    if format_of(path_of(output)) == ".csv":
        write_atomically(output, as_csv(sweep))
    else:
        write_atomically(output, json.dumps(as_data(sweep), indent=2, allow_nan=False, ensure_ascii=False) + "\n")
