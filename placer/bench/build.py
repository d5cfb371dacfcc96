"""Suite ``build``: what Pyomo costs beside raw arrays. The same model, built and handed to HiGHS both ways.

Both ways load the same libraries first (about 130 MB, ``megabytes_loaded``), so that the peaks compare the models.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

SIZES = (2_000, 20_000, 50_000)

_SCRIPT = """
import json, resource, sys, time
way, jobs = sys.argv[1], int(sys.argv[2])
machines = 20
import numpy as np, highspy
import pyomo.core as pyo
from placer.solver.highs import Solver
from placer.planning.ilp.formulation import linear
loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
begin = time.perf_counter()
rng = np.random.default_rng(0)
cost, size = rng.uniform(1, 9, (jobs, machines)), rng.uniform(1, 5, (jobs, machines))
room = size.sum() / machines / machines * 1.5
if way == "pyomo":
    m = pyo.ConcreteModel()
    m.alpha = pyo.Var([(j, i) for j in range(jobs) for i in range(machines)], domain=pyo.Binary)
    m.order = pyo.Constraint(pyo.Any)
    m.memory = pyo.Constraint(pyo.Any)
    for j in range(jobs):
        m.order[j] = linear((1.0, m.alpha[j, i]) for i in range(machines)) == 1
    for i in range(machines):
        m.memory[i] = linear((size[j, i], m.alpha[j, i]) for j in range(jobs)) <= room
    pairs = ((cost[j, i], m.alpha[j, i]) for j in range(jobs) for i in range(machines))
    m.objective = pyo.Objective(expr=linear(pairs))
    highs = Solver.of(m).highs
else:
    columns, rows = jobs * machines, jobs + machines
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = columns, rows
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = cost.ravel(), np.zeros(columns), np.ones(columns)
    lp.integrality_ = [highspy.HighsVarType.kInteger] * columns
    lp.row_lower_ = np.concatenate([np.ones(jobs), np.full(machines, -np.inf)])
    lp.row_upper_ = np.concatenate([np.ones(jobs), np.full(machines, room)])
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = np.arange(columns + 1, dtype=np.int32) * 2
    index = np.empty((columns, 2), dtype=np.int32)
    index[:, 0] = np.repeat(np.arange(jobs), machines)
    index[:, 1] = jobs + np.tile(np.arange(machines), jobs)
    value = np.ones((columns, 2))
    value[:, 1] = size.ravel()
    lp.a_matrix_.index_, lp.a_matrix_.value_ = index.ravel(), value.ravel()
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.passModel(lp)
seconds = time.perf_counter() - begin
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": seconds, "megabytes": peak,
 "megabytes_loaded": loaded, "columns": highs.getNumCol(), "nonzeros": highs.getNumNz()}))
"""


def run(*, methods: tuple[str, ...] | None = None, limit: int | None = None, **_: Any) -> Iterator[dict[str, Any]]:
    """Build each size both ways, each in a process of its own; imports are not timed."""
    import json

    summary: dict[str, Any] = {}
    for columns in SIZES[:limit]:
        measured: dict[str, dict[str, Any]] = {}
        for way in methods or ("arrays", "pyomo"):
            command = [sys.executable, "-c", _SCRIPT, way, str(columns // 20)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            measured[way] = json.loads(done.stdout)
            yield {
                "suite": "build",
                "instance": f"{columns} binaries",
                "method": way,
                "status": "ok",
                **measured[way],
            }
        if len(measured) == 2:
            summary[f"{columns}"] = {
                "slower_by_seconds": measured["pyomo"]["seconds"] - measured["arrays"]["seconds"],
                "memory_ratio": measured["pyomo"]["megabytes"] / measured["arrays"]["megabytes"],
            }
    yield {"summary": summary}
