"""Suite ``evaluator``: rows by regime and decade of the true loss, then figures by decade, and by decade and scv.

One row per regime and decade that occurs: ``{"suite", "instance": the regime, "method", "status", "process", "scv",
"load", "topology", "places", "decade", "chains", "relative_error", "ratio_p95", "too_low", "response_error", ...}``.
Truth is simulation of our own, ``JOBS`` arrivals a network; its noise is in ``noise``, the mean relative half-width.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from placer.bench.evaluator.errors import DECADES, Row, decade, figures, response_figures, rows
from placer.bench.evaluator.instances import POISSON, Regime, instances, regimes

SUITE = "evaluator"
METHOD = "analytic"
SEED = 11
JOBS = 300_000
NETWORKS = 400


def run(
    *,
    limit: int | None = None,
    jobs: int = JOBS,
    seed: int = SEED,
    processes: tuple[str, ...] = (POISSON,),
    **_: Any,
) -> Iterator[dict[str, Any]]:
    """Measure the analytic evaluator.

    Args:
        limit: number of networks, ``NETWORKS`` when None.
        jobs: arrivals simulated of each.
        seed: of networks and simulations.
        processes: of the arrivals; the exact solution of many periodic or modulated streams at one station may take
            minutes a network.
    """
    begin = time.perf_counter()
    drawn = instances(regimes(processes), seed, limit or NETWORKS)
    found = list(rows(drawn, jobs=jobs, seed=seed))
    seconds = time.perf_counter() - begin
    for (regime, band), cell in _grouped(found, lambda row: row.regime).items():
        yield {
            "suite": SUITE, "instance": regime.name, "method": METHOD, "status": "ok",
            "process": regime.process, "scv": regime.scv, "load": regime.load, "topology": regime.topology,
            "places": list(regime.places), "decade": _name(band), **_figures(cell),
        }  # fmt: skip
    summary: dict[str, Any] = {"networks": limit or NETWORKS, "seconds": seconds}
    for key, cell in _grouped(found, lambda row: row.regime.process).items():
        summary[f"{key[0]} {_name(key[1])}"] = _figures(cell)
    for key, cell in _grouped(found, lambda row: (row.regime.process, row.regime.scv)).items():
        summary[f"{key[0][0]} scv {key[0][1]:g} {_name(key[1])}"] = _figures(cell)
    yield {"summary": summary}


def _grouped(found: Sequence[Row], key: Callable[[Row], Any]) -> dict[tuple[Any, tuple[float, float]], list[Row]]:
    groups: dict[tuple[Any, tuple[float, float]], list[Row]] = defaultdict(list)
    for row in found:
        band = decade(row.true)
        if band is not None:
            groups[key(row), band].append(row)
    order = {band: k for k, band in enumerate(DECADES)}
    return dict(sorted(groups.items(), key=lambda item: (_sortable(item[0][0]), order[item[0][1]])))


def _sortable(key: Any) -> str:
    return key.name if isinstance(key, Regime) else str(key)


def _name(band: tuple[float, float]) -> str:
    return f"{band[0]:g}-{band[1]:g}"


def _figures(cell: Sequence[Row]) -> dict[str, Any]:
    true, predicted = np.array([row.true for row in cell]), np.array([row.predicted for row in cell])
    response = np.array([[row.true_response, row.predicted_response] for row in cell])
    return {
        **figures(true, predicted),
        "noise": float(np.mean([row.half_width / row.true for row in cell])),
        "response_error": response_figures(response[:, 0], response[:, 1]),
    }
