"""``placer bench loss``: how good loss-aware plans are, against enumeration, annealing and the linear proxy.

Parts (``--method``; all when left out): ``enumeration``, ``five-board``, ``comparison`` at ``--time-limit`` seconds for
every planner (planners by their own names select single ones), ``scale``, ``admission``. ``--limit`` takes so many
instances per part (per size in the comparison).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from placer.bench.loss import five_board
from placer.bench.loss.parts import METHODS, Row, admission_rows, comparison_rows, enumeration_rows, scale_rows
from placer.errors import InputError
from placer.instance.reading import unknown

PARTS = ("enumeration", "five-board", "comparison", "scale", "admission")
DISTANCE = 0.01
"""Distances between the proxy and the best known loss that are smaller are left out of the share closed."""


def run(
    methods: tuple[str, ...] | None = None, time_limit: float = 10.0, limit: int | None = None
) -> Iterator[dict[str, Any]]:
    """Run the suite; see the module's head.

    Raises:
        InputError: for an unknown part or planner.
    """
    asked = methods or PARTS
    for name in asked:
        if name not in PARTS and name not in METHODS:
            raise InputError(unknown("part or planner", name, [*PARTS, *METHODS]))
    planners = tuple(name for name in asked if name in METHODS) or None
    rows: list[Row] = []
    for row in _rows(asked, planners, time_limit, limit):
        rows.append(row)
        yield row
    yield {"summary": summary(rows)}


def _rows(
    asked: tuple[str, ...], planners: tuple[str, ...] | None, time_limit: float, limit: int | None
) -> Iterator[Row]:
    if "enumeration" in asked:
        yield from enumeration_rows(limit)
    if "five-board" in asked:
        yield from five_board.rows(time_limit)
    if "comparison" in asked or planners:
        yield from comparison_rows(time_limit, limit, planners)
    if "scale" in asked:
        yield from scale_rows(time_limit)
    if "admission" in asked:
        yield from admission_rows(time_limit, limit)


def summary(rows: list[Row]) -> dict[str, Any]:
    """The figures that the suite exists to show."""
    by_part: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_part[row["part"]].append(row)
    result: dict[str, Any] = {}
    if small := by_part["enumeration"]:
        result["enumeration"] = {
            "instances": len(small),
            "equal": sum(row["status"] == "equal" for row in small),
            "worst_relative": max(row["relative"] for row in small),
            "median_seconds": float(np.median([row["seconds"] for row in small])),
        }
    if boards := by_part["five-board"]:
        result["five_board"] = {
            row["method"]: {key: row[key] for key in ("status", "objective", "simulated", "loss_reduction")}
            for row in boards
        }
    if compared := by_part["comparison"]:
        result["comparison"] = _compared(compared)
    if scale := by_part["scale"]:
        keys = ("first_seconds", "improvements", "last_improvement", "peak_bytes")
        result["scale"] = {key: max(row[key] for row in scale) for key in keys}
    if limited := by_part["admission"]:
        saved = [row["simulated_without"] - row["simulated"] for row in limited]
        result["admission"] = {
            "instances": len(limited),
            "not_worse": sum(row["status"] == "ok" for row in limited),
            "mean_saved": float(np.mean(saved)),
            "least_saved": float(min(saved)),
        }
    return result


def _compared(rows: list[Row]) -> dict[str, Any]:
    done = [row for row in rows if "simulated" in row]
    best: dict[str, float] = {}
    for row in done:
        best[row["instance"]] = min(best.get(row["instance"], np.inf), row["simulated"])
    mean = {
        method: float(np.mean([row["simulated"] for row in done if row["method"] == method]))
        for method in dict.fromkeys(row["method"] for row in done)
    }
    result: dict[str, Any] = {
        "limit": rows[0]["limit"],
        "mean_simulated_loss": mean,
        "without_answer": [[row["instance"], row["method"]] for row in rows if "simulated" not in row],
        "distance_closed": _closed(done, best),
        "promises": _promises(done),
        "median_gap": _gaps(done),
    }
    return result


def _closed(rows: Iterable[Row], best: dict[str, float]) -> dict[str, Any]:
    """Share of the distance from the linear proxy to the best known loss that the plan closes."""
    proxy = {row["instance"]: row["simulated"] for row in rows if row["method"] == "min-max-utilisation"}
    shares = [
        (proxy[row["instance"]] - row["simulated"]) / (proxy[row["instance"]] - best[row["instance"]])
        for row in rows
        if row["method"] == "loss" and proxy.get(row["instance"], 0.0) - best[row["instance"]] > DISTANCE
    ]
    return {"instances": len(shares), "mean": float(np.mean(shares)) if shares else None}


def _promises(rows: Iterable[Row]) -> dict[str, Any]:
    """How many analytic promises of the planner the simulation keeps, and which not."""
    mine = [row for row in rows if row["method"] == "loss"]
    broken = [[row["instance"], row["objective"], row["simulated"]] for row in mine if not row["promise_kept"]]
    return {"instances": len(mine), "kept": len(mine) - len(broken), "broken": broken}


def _gaps(rows: Iterable[Row]) -> dict[str, dict[str, float]]:
    """Median distance of the plan's analytic loss to the proven and to the model's own bound, by devices."""
    result: dict[str, dict[str, float]] = {}
    mine = [row for row in rows if row["method"] == "loss"]
    for devices in sorted({row["devices"] for row in mine}):
        some = [row for row in mine if row["devices"] == devices]
        result[str(devices)] = {
            "fluid (proven)": float(np.median([row["gap"] for row in some])),
            "acceptance (Poisson-thinned model)": float(
                np.median([row["objective"] - (row["acceptance_bound"] or 0.0) for row in some])
            ),
        }
    return result
