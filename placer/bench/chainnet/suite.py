"""Suite ``chainnet`` with every evaluator that there is: the analytic model and the simulator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from placer.bench.chainnet import evaluation
from placer.errors import InputError
from placer.queueing.network import QueueNetwork
from placer.simulation.quick import evaluate_chains


def simulation(
    networks: Sequence[QueueNetwork], *, events: int = 10_000, seed: int = 0, **_: Any
) -> evaluation.Estimates:
    """Evaluate by simulation with an event budget per network."""
    rows = list(evaluate_chains(list(networks), events=events, seed=seed))
    return evaluation.Estimates(
        np.concatenate([row.throughput_ratio for row in rows]), np.concatenate([row.response_time for row in rows])
    )


def run(
    *, data: Path | None = None, methods: tuple[str, ...] | None = None, limit: int | None = None, **_: Any
) -> Iterator[dict[str, Any]]:
    """Evaluate the public data set in ``data`` with the evaluators named, or all.

    Raises:
        InputError: without a data folder.
    """
    if data is None:
        raise InputError("the suite chainnet needs --data, the folder of the public data set")
    if "simulation" not in evaluation.evaluators():
        evaluation.register("simulation", simulation)
    if methods is None or "simulation" in methods:
        list(evaluation.run(data, ("simulation",), 2))  # compile once: start-up is not what is measured
    yield from evaluation.run(data, methods or ("analytic", "simulation"), limit)
