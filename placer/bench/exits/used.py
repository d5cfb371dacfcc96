"""How much of its limit on loss a plan with chosen exits really uses, and what the correction by simulation brings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from placer.bench.exits.instances import generate
from placer.evaluation.evaluate import evaluate
from placer.evaluation.runs import Runs
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.resolving import read_instance
from placer.planning.registry import plan, resolve
from placer.planning.request import Request
from placer.solver.progress import Limits

SHIPPED = "choose-exits"
SEEDS = (0, 1, 4, 6, 7)
"""Of small random instances whose limits bind."""
SECONDS = 60.0
RUNS = Runs(jobs=400_000, replications=20)


def rows(limit: int | None, scale: float, seed: int) -> Iterator[dict[str, Any]]:
    """Yield a row per instance and judge, then the figures.

    Args:
        limit: instances.
        scale: factor on the seconds of a plan and on the jobs of the long simulation.
        seed: of the plans.
    """
    used, gained = [], []
    for name, compiled in _instances(limit):
        accuracy: dict[str, float] = {}
        for by in ("analytic", "verdict"):
            begin = time.perf_counter()
            limits = Limits(seconds=SECONDS * scale, seed=seed)
            outcome = plan(compiled, resolve(compiled, Request(("accuracy",), "joint-exits", limits, by=by)))
            seconds = time.perf_counter() - begin
            long_ = Runs(jobs=max(int(RUNS.jobs * scale), 1000), replications=RUNS.replications, seed=seed + 1)
            seen = evaluate(outcome.plan, compiled, "simulation", long_).times
            allowed = {one.name: one.max_loss for one in compiled.instance.services if one.max_loss is not None}
            parts = [one.loss_ratio / allowed[one.name] for one in seen if one.name in allowed]
            accuracy[by] = float(outcome.plan.certificate.objectives[0].value)
            yield {
                "instance": name,
                "method": by,
                "status": "ok" if outcome.evaluation.feasible else "infeasible",
                "objective": accuracy[by],
                "part_of_the_limit_used": max(parts),
                "interval": max(one.loss_interval / allowed[one.name] for one in seen if one.name in allowed),
                "seconds": seconds,
            }
        used.append(max(parts))
        gained.append(accuracy["verdict"] - accuracy["analytic"])
    yield {
        "figures": {
            "instances": len(used),
            "part_of_the_limit_used": [round(one, 4) for one in used],
            "accuracy_gained": [round(one, 5) for one in gained],
            "mean_gain": float(np.mean(gained)),
        }
    }


def _instances(limit: int | None) -> Iterator[tuple[str, Compiled]]:
    names = [SHIPPED, *(f"exits-{seed}" for seed in SEEDS)]
    for name in names[:limit]:
        if name == SHIPPED:
            yield name, compile_instance(read_instance(SHIPPED))
        else:
            yield name, generate(int(name.removeprefix("exits-")), services=1, devices=2)
