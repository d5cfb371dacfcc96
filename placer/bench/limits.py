"""How far answers overrun their time limit: every method on instances that are large, tight or hard for a solver.

The contract is that a command returns within the limit and a tenth of it; ``overrun`` is what a row took beyond the
limit, as a share of it. Wall time tells whether the contract held on this machine as loaded as it was; CPU time beside
it tells how much of that was spent here. Libraries are loaded and code is compiled before the first row.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from placer.bench.exits.instances import generate as with_exits
from placer.bench.loss.instances import Spec, generate
from placer.errors import InfeasibleError, InputError, PlacerError
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.resolving import read_instance
from placer.planning.answer import answer
from placer.planning.explain import explain
from placer.planning.methods import METHODS
from placer.planning.request import Request
from placer.solver.progress import Limits

SECONDS = (2.0, 8.0)
ALLOWED = 0.1
"""Share of the limit that an answer may be late."""

SHIPPED = ("choose-exits", "five-board", "smart-parking", "pi-fleet", "infeasible")
LARGE = (Spec(901, 50, 8, (8, 12)), Spec(902, 80, 12, (12, 12)))


def run(
    time_limit: float | None = None, limit: int | None = None, methods: tuple[str, ...] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield a row per instance, method and time limit, then the summary.

    Args:
        time_limit: s; both of ``SECONDS`` when None.
        limit: instances.
        methods: methods; all that plan for the instance's objective when None.
    """
    chosen = (time_limit,) if time_limit is not None else SECONDS
    names = methods or (*METHODS, "explain")
    rows = []
    for method in names:  # what is loaded and compiled once is not the rows'
        _row("warm-up", compile_instance(read_instance("five-board")), method, 1.0)
    for name, compiled in list(_instances())[:limit]:
        for method in names:
            for seconds in chosen:
                row = _row(name, compiled, method, seconds)
                if row is not None:
                    rows.append(row)
                    yield row
    late = np.array([row["overrun"] for row in rows])
    worst = max(rows, key=lambda row: row["overrun"])
    yield {
        "summary": {
            "rows": len(rows),
            "late": int((late > ALLOWED).sum()),
            "largest_overrun": float(late.max()),
            "largest_overrun_of": f"{worst['instance']}, {worst['method']}, {worst['time_limit']:g} s",
            "median_overrun": float(np.median(late)),
        }
    }


def _instances() -> Iterator[tuple[str, Compiled]]:
    for name in SHIPPED:
        yield name, compile_instance(read_instance(name))
    for spec in LARGE:
        yield spec.name, generate(spec)
    yield "exits-3", with_exits(3, services=2, devices=3)


def _row(name: str, compiled: Compiled, method: str, seconds: float) -> dict[str, Any] | None:
    """One answer; None where the method does not plan for the instance."""
    objective = _objective(compiled, method)
    if objective is None:
        return None
    limits = Limits(seconds)
    wall, cpu = time.perf_counter(), time.process_time()
    status, value = "ok", None
    try:
        if method == "explain":
            status = "feasible" if explain(compiled, limits).feasible else "infeasible"
        else:
            found = answer(compiled, Request((objective,), method=method, limits=limits))
            status, value = found.plan.certificate.termination, found.plan.certificate.objectives[0].value
    except InputError:
        return None
    except InfeasibleError:
        status = "infeasible"
    except PlacerError as error:
        status = f"unanswered: {error.message}"
    took = time.perf_counter() - wall
    return {
        "suite": "limits",
        "instance": name,
        "method": method,
        "status": status,
        "objective": value,
        "bound": None,
        "gap": None,
        "seconds": took,
        "cpu_seconds": time.process_time() - cpu,
        "time_limit": seconds,
        "overrun": max(took - seconds, 0.0) / seconds,
    }


def _objective(compiled: Compiled, method: str) -> str | None:
    """The instance's own objective, else the first that the method plans for."""
    own = compiled.instance.file.objective[0]
    if method == "explain":
        return own
    able = METHODS[method].objectives
    if own in able:
        return own
    chooses = any(service.choose_exits for service in compiled.instance.services)
    return next((name for name in able if name != "accuracy" or chooses), None)
