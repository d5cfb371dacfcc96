"""Suite ``iot-ilp``: the setting of Disabato et al. (50 nodes), the ILP beside a greedy."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from placer.evaluation.evaluate import evaluate_placement
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.library import shipped_names
from placer.instance.resolving import read_instance
from placer.plan.placement import Placement
from placer.planning.domains import domain_of
from placer.planning.ilp.paths import additive_costs
from placer.planning.ilp.planner import plan
from placer.planning.request import Request
from placer.solver.progress import Limits

DEFAULT_SECONDS = 60.0


def greedy(compiled: Compiled) -> Placement:
    """Layer by layer, the node with the least transfer plus processing time that still has room.

    Raises:
        ValueError: when a layer finds no node.
    """
    at = compiled.station_device
    memory, layers = compiled.memory.copy(), compiled.max_layers.copy()
    choice, stations = [], []
    for group in compiled.service_variants:
        variant = compiled.variants[group[0]]
        costs = additive_costs(compiled, domain_of(compiled, variant), "latency")
        path: list[int] = []
        for layer in range(len(variant)):
            cost = costs.unary[layer].copy()
            for source in variant.predecessors[layer]:
                if source >= 0:
                    cost += costs.pair[source, layer][path[source]]
            need = variant.weights[layer] + variant.activations[layer]  # by station
            cost[(memory[at] < need) | (layers[at] < 1)] = np.inf
            if not np.isfinite(cost).any():
                raise ValueError(f"the greedy finds no node for layer {variant.layers[layer]}")
            station = int(np.argmin(cost))
            memory[at[station]] -= need[station]
            layers[at[station]] -= 1
            path.append(station)
        choice.append(group[0])
        stations.append(tuple(path))
    return Placement(tuple(choice), tuple(stations))


def run(
    *,
    methods: tuple[str, ...] | None = None,
    time_limit: float = DEFAULT_SECONDS,
    limit: int | None = None,
    **_: Any,
) -> Iterator[dict[str, Any]]:
    """Solve every shipped instance of the paper's setting; start-up is excluded from the times."""
    summary: dict[str, Any] = {}
    names = [name for name in shipped_names("instance") if name.startswith("paper-")]
    for name in names[:limit]:
        compiled = compile_instance(read_instance(name))
        figures: dict[str, Any] = {}
        for method in methods or ("greedy", "warm-start", "ilp"):
            row = _row(compiled, name, method, time_limit)
            figures[method] = {key: row[key] for key in ("objective", "bound", "gap", "seconds")}
            yield row
        summary[name] = figures
    yield {"summary": summary}


def _row(compiled: Compiled, name: str, method: str, seconds: float) -> dict[str, Any]:
    row: dict[str, Any] = {"suite": "iot-ilp", "instance": name, "method": method}
    begin = time.perf_counter()
    if method == "greedy":
        try:
            evaluation = evaluate_placement(compiled, greedy(compiled), "deterministic")
        except ValueError as error:
            return {
                **row,
                "status": f"failed: {error}",
                **dict.fromkeys(("objective", "bound", "gap", "seconds")),
            }
        status = "heuristic" if evaluation.feasible else "violated"
        value, bound, gap = evaluation.costs["latency"], None, None
    else:
        outcome = plan(compiled, Request(method=method, limits=Limits(seconds=seconds)))
        result = outcome.plan.certificate.objectives[0]
        status, value, bound, gap = (
            outcome.plan.certificate.termination,
            result.value,
            result.bound,
            result.gap,
        )
    elapsed = time.perf_counter() - begin
    return {**row, "status": status, "objective": value, "bound": bound, "gap": gap, "seconds": elapsed}
