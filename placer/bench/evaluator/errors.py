"""Predicted against simulated loss and response time of the chains of networks, and figures of the error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from placer.bench.evaluator.instances import Regime
from placer.queueing.network import Floats, QueueNetwork
from placer.queueing.rules import Solution
from placer.queueing.solve import solve_batch
from placer.simulation import simulate

DECADES = ((1e-4, 1e-3), (1e-3, 1e-2), (1e-2, 1e-1), (1e-1, 1.0))
BATCHES = 10
LEVEL = 0.95
LEAST = 1e-9
"""Losses predicted below it count as this large in a ratio."""

Predictor = Callable[[Sequence[QueueNetwork]], Solution]


@dataclass(frozen=True)
class Row:
    """One chain of one network.

    Attributes:
        regime: of the network.
        network: itself.
        chain: its index there.
        true, predicted: loss ratio.
        half_width: of the interval of the true one, level ``LEVEL``.
        true_response, predicted_response: s, sum over the stations of the mean sojourn of the jobs accepted there.
    """

    regime: Regime
    network: QueueNetwork
    chain: int
    true: float
    predicted: float
    half_width: float
    true_response: float
    predicted_response: float


def rows(
    drawn: Iterable[tuple[Regime, QueueNetwork]], *, jobs: int, seed: int, predict: Predictor = solve_batch
) -> Iterator[Row]:
    """Simulate and predict each network.

    Args:
        drawn: networks with their regimes.
        jobs: arrivals simulated of each network, ``BATCHES`` replications together.
        seed: of the simulations.
        predict: the evaluator.
    """
    for index, (regime, network) in enumerate(drawn):
        solution = predict([network])
        entropy = int(np.random.SeedSequence([seed, index]).generate_state(1, np.uint64)[0])
        measured = simulate(network, jobs=max(jobs // BATCHES, 1), replications=BATCHES, seed=entropy, level=LEVEL)
        loss, response = measured.classes.loss_ratio, measured.classes.sum_of_sojourns.mean
        for chain in range(network.classes):
            yield Row(
                regime, network, chain,
                float(loss.mean[chain]), float(max(solution.loss_ratio[chain], 0.0)), float(loss.half_width[chain]),
                float(response[chain]), float(solution.sum_of_sojourns[chain]),
            )  # fmt: skip


def decade(loss: float) -> tuple[float, float] | None:
    """The decade of a loss ratio; None below the first."""
    for low, high in DECADES:
        if low <= loss < high:
            return low, high
    return DECADES[-1] if loss >= DECADES[-1][1] else None


def figures(true: Floats, predicted: Floats) -> dict[str, Any]:
    """How far predicted losses are from true ones, all above 0; shape (n,), n >= 1.

    Returns:
        ``chains``; ``relative_error``: mean and median of |predicted/true - 1|; ``ratio_p95``: 95th percentile of
        the ratio, whichever way it exceeds 1; ``too_low``: share predicted below the true value.
    """
    error = np.abs(predicted / true - 1.0)
    ratio = np.maximum(predicted, LEAST) / true
    ratio = np.maximum(ratio, 1.0 / ratio)
    return {
        "chains": len(true),
        "relative_error": {"mean": float(error.mean()), "p50": float(np.median(error))},
        "ratio_p95": float(np.percentile(ratio, 95)),
        "too_low": float(np.mean(predicted < true)),
    }


def response_figures(true: Floats, predicted: Floats) -> dict[str, float]:
    """Mean and 95th percentile of the relative error of response times; shape (n,), n >= 1."""
    error = np.abs(predicted / true - 1.0)
    return {"mean": float(error.mean()), "p95": float(np.percentile(error, 95))}
