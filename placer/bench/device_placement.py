"""``placer bench device-placement``: operator graphs on accelerators, beside the best values known.

Graphs: Tarnawski et al., *Efficient Algorithms for Device Placement of DNN Graph Operators*, NeurIPS 2020. ``--data``
is a folder with ``throughput/`` and ``latency/``, or one of these with files; ``--method`` picks contiguous, free and
latency; ``reference.json`` in the folder (or ``--reference``) holds the values to compare with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from placer.errors import InputError, PlacerError, Problem
from placer.instance.library import is_file
from placer.instance.reading import brief, kind_of, read_json, unknown
from placer.instance.tree import json_path
from placer.operators.answer import Answer
from placer.operators.checker import METHODS, Method
from placer.operators.graph import OperatorGraph, read_graph
from placer.operators.latency import solve_latency
from placer.operators.throughput import solve_contiguous, solve_free

SUITE = "device-placement"
SOLVERS: dict[Method, Callable[..., Answer]] = {
    "contiguous": solve_contiguous,
    "free": solve_free,
    "latency": solve_latency,
}
REFERENCES: dict[Method, tuple[str, str, str]] = {
    "contiguous": ("throughput", "contiguous", "contiguous_bound"),
    "free": ("throughput", "noncontiguous", "noncontiguous_bound"),
    "latency": ("latency", "best_feasible", "bound"),
}
"""Per method: group of the reference file, the value and the bound in it."""

LARGEST_VALUE = 1e15
MOST_PROBLEMS = 50
BETTER = 1e-6
"""Relative improvement on a reference value or bound that is listed."""


def run(
    data: Path | None = None,
    methods: tuple[str, ...] | None = None,
    time_limit: float = 240.0,
    limit: int | None = None,
    reference: Path | None = None,
) -> Iterator[dict[str, Any]]:
    """Solve every graph of a folder.

    Args:
        data: the folder.
        methods: some of contiguous, free, latency.
        time_limit: seconds per graph and method.
        limit: graphs per group.
        reference: file of the values to compare with; ``reference.json`` of the folder if it is there.

    Raises:
        InputError: no folder, an unknown method, nothing to solve, or a bad file.
    """
    if data is None:
        raise InputError("suite device-placement needs --data: a folder with throughput/ and latency/")
    for name in methods or ():
        if name not in METHODS:
            raise InputError(unknown("method", name, list(METHODS)))
    known = _references(data, reference)
    rows: list[dict[str, Any]] = []
    for method, path in _work(data, methods, limit):
        row = _solved(method, read_graph(path), time_limit, known)
        rows.append(row)
        yield row
    if not rows:
        raise InputError(
            [Problem("holds no throughput/*.json, latency/*.json or *.json for these methods", file=str(data))]
        )
    yield {"summary": _summary(rows)}


def _work(data: Path, methods: tuple[str, ...] | None, limit: int | None) -> Iterator[tuple[Method, Path]]:
    for method in METHODS:
        if methods is not None and method not in methods:
            continue
        group = REFERENCES[method][0]
        folder = data / group
        if not folder.is_dir():
            other = {"throughput": "latency", "latency": "throughput"}[group]
            if (data / other).is_dir() or data.name == other:
                continue
            folder = data
        files = [path for path in sorted(folder.glob("*.json")) if path.name != "reference.json"]
        for path in files[:limit]:
            yield method, path


def _references(data: Path, given: Path | None) -> dict[str, Any]:
    places = [given] if given is not None else [data / "reference.json", data.parent / "reference.json"]
    for path in places:
        if path is not None and is_file(path):
            return _checked(read_json(path, str(path)), str(path))
    if given is not None:
        raise InputError([Problem("no such file", file=str(given))])
    return {}


def _checked(data: Any, file: str) -> dict[str, Any]:
    """The values by group, instance and kind, all of them numbers; other keys of the file are left alone."""
    groups = data if isinstance(data, dict) else {"": data}
    problems = [] if isinstance(data, dict) else [Problem("expected an object by group and instance", file=file)]
    for group in dict.fromkeys(group for group, _, _ in REFERENCES.values()):
        rows = groups.get(group, {})
        if not isinstance(rows, dict):
            problems.append(Problem(f"expected an object by instance, got {kind_of(rows)}", f"$.{group}", file))
            continue
        for name, values in rows.items():
            where = json_path((group, name))
            if not isinstance(values, dict):
                problems.append(Problem(f"expected an object of values, got {kind_of(values)}", where, file))
                continue
            for kind in [kind for one, *kinds in REFERENCES.values() if one == group for kind in kinds]:
                value = values.get(kind)
                if value is not None and (type(value) not in (int, float) or not 0 < value <= LARGEST_VALUE):
                    allowed = f"a number above 0, at most {LARGEST_VALUE:g}"
                    problems.append(Problem(f"expected {allowed}, got {brief(value)}", f"{where}.{kind}", file))
    if problems:
        raise InputError(problems[:MOST_PROBLEMS])
    return groups


def _solved(method: Method, graph: OperatorGraph, seconds: float, known: dict[str, Any]) -> dict[str, Any]:
    group, value, bound = REFERENCES[method]
    theirs = known.get(group, {}).get(graph.name, {})
    reference = theirs.get(value)
    row: dict[str, Any] = {"suite": SUITE, "instance": graph.name, "method": method, "nodes": len(graph)}
    try:
        answer = SOLVERS[method](graph, seconds)
    except PlacerError as error:
        return {**row, "status": f"none: {error.message}", "objective": None, "bound": None, "gap": None,
                "seconds": seconds, "reference": reference, "ratio": None}  # fmt: skip
    objective = answer.judgement.objective
    return {
        **row,
        "status": answer.status,
        "objective": objective,
        "bound": answer.bound,
        "gap": answer.gap,
        "bound_by": answer.bound_by,
        "found_by": answer.found_by,
        "seconds": answer.seconds,
        "reference": reference,
        "reference_bound": theirs.get(bound),
        "ratio": objective / reference if reference else None,
    }


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for method in dict.fromkeys(row["method"] for row in rows):
        some = [row for row in rows if row["method"] == method]
        ratios = [row["ratio"] for row in some if row["ratio"] is not None]
        gaps = [row["gap"] for row in some if row["gap"] is not None]
        result[method] = {
            "instances": len(some),
            "optimal": sum(row["status"] == "optimal" for row in some),
            "without_answer": [row["instance"] for row in some if row["objective"] is None],
            "largest_ratio": max(ratios, default=None),
            "median_gap": float(np.median(gaps)) if gaps else None,
            "median_seconds": float(np.median([row["seconds"] for row in some])),
        }
    result["better_values"] = [
        [row["instance"], row["method"], row["objective"], row["reference"]]
        for row in rows
        if row["ratio"] is not None and row["ratio"] < 1.0 - BETTER
    ]
    result["better_bounds"] = [
        [row["instance"], row["method"], row["bound"], row["reference_bound"]]
        for row in rows
        if row.get("reference_bound") is not None and row["bound"] > row["reference_bound"] * (1.0 + BETTER)
    ]
    return result
