"""Suite ``chainnet``: how well an evaluator predicts simulated loss and response time of chains on edge
devices.

Rows: one per evaluator. The last line is ``{"summary": {evaluator: figures}}`` with the absolute percentage
errors (APE) over the chains of the data set, the mean absolute error of the throughput ratio, the total loss
error of a sample ``|sum lambda_i (X'_i - X_i)| / sum lambda_i`` averaged over the samples, and the time a
sample takes, amortised over the data set and including the compilation of the networks into arrays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from placer.bench.chainnet.data import ChainNetData, read
from placer.errors import InputError
from placer.queueing.network import Floats, QueueNetwork
from placer.queueing.rules import RULE_NAMES, Rules
from placer.queueing.solve import solve_batch

SUITE = "chainnet"
PERCENTILES = (50, 75, 95, 99)
CHUNK = 5000
"""Samples solved together: enough to amortise the cost of a numpy call, few enough to stay in memory."""


@dataclass(frozen=True)
class Estimates:
    """What an evaluator says of the chains of a list of networks, in their order.

    Attributes:
        throughput_ratio: shape (C,), completed over offered.
        response_time: shape (C,), s, sum over the stations of the mean sojourn of the jobs accepted there.
    """

    throughput_ratio: Floats
    response_time: Floats


Evaluator = Callable[..., Estimates]
"""``evaluator(networks, **options)``; the options are those of :func:`run`, unknown ones are ignored by
it."""

_evaluators: dict[str, Evaluator] = {}


def register(name: str, evaluator: Evaluator) -> None:
    """Make an evaluator known to the suite under a name; a name registered again is replaced."""
    _evaluators[name] = evaluator


def evaluators() -> tuple[str, ...]:
    """Names of the evaluators that the suite knows."""
    return tuple(_evaluators)


def analytic(networks: Sequence[QueueNetwork], *, without: Sequence[str] = (), **_: Any) -> Estimates:
    """The analytic chain model.

    Args:
        networks: deployments.
        without: names of rules (fields of :class:`placer.queueing.rules.Rules`) to switch off, for an
            ablation.
    """
    unknown = [name for name in without if name not in RULE_NAMES]
    if unknown:
        raise InputError(f"no rule named {', '.join(unknown)}; known: {', '.join(RULE_NAMES)}")
    rules = Rules(**dict.fromkeys(without, False))
    ratios, times = [], []
    for start in range(0, len(networks), CHUNK):
        solution = solve_batch(networks[start : start + CHUNK], rules)
        ratios.append(solution.throughput_ratio)
        times.append(solution.sum_of_sojourns)
    return Estimates(np.concatenate(ratios), np.concatenate(times))


register("analytic", analytic)


def run(data: Path, evaluators: Sequence[str], limit: int | None = None, **options: Any) -> Iterator[dict[str, Any]]:
    """Evaluate a data set with each evaluator.

    Args:
        data: folder in the layout of :mod:`placer.bench.chainnet.data`.
        evaluators: names from the registry, at least one.
        limit: the first so many samples only.
        options: passed to every evaluator.

    Yields:
        One row per evaluator, then ``{"summary": ...}``.

    Raises:
        InputError: bad data, or an unknown evaluator.
    """
    if not evaluators:
        raise InputError("no evaluator named", tip=f"known: {', '.join(_evaluators)}")
    unknown = [name for name in evaluators if name not in _evaluators]
    if unknown:
        raise InputError(f"no evaluator named {', '.join(unknown)}", tip=f"known: {', '.join(_evaluators)}")
    samples = read(data, limit)
    summary: dict[str, dict[str, Any]] = {}
    for name in evaluators:
        begin = time.perf_counter()
        estimates = _evaluators[name](samples.networks, **options)
        seconds = time.perf_counter() - begin
        summary[name] = figures(samples, estimates, seconds)
        yield {
            "suite": SUITE,
            "instance": samples.name,
            "method": name,
            "status": "ok",
            "samples": len(samples.networks),
            "chains": len(samples.rates),
            "seconds": seconds,
            **summary[name],
        }
    yield {"summary": summary}


def figures(data: ChainNetData, estimates: Estimates, seconds: float) -> dict[str, Any]:
    """The figures of one evaluator.

    Args:
        data: networks and labels.
        estimates: for all chains of the data.
        seconds: time that the estimates took.
    """
    error = estimates.throughput_ratio - data.throughput_ratio
    starts = data.class_ptr[:-1]
    lost = np.add.reduceat(data.rates * error, starts) / np.add.reduceat(data.rates, starts)
    return {
        "throughput_ratio_ape": _distribution(100.0 * np.abs(error / data.throughput_ratio)),
        "response_time_ape": _distribution(100.0 * np.abs(estimates.response_time / data.response_time - 1.0)),
        "throughput_ratio_mae": float(np.abs(error).mean()),
        "total_loss_error": float(np.abs(lost).mean()),
        "ms_per_sample": 1000.0 * seconds / len(data.networks),
    }


def _distribution(values: Floats) -> dict[str, float]:
    """Mean and percentiles, in percent."""
    ranks = np.percentile(values, PERCENTILES)
    return {
        "mean": float(values.mean()),
        **{f"p{p}": float(v) for p, v in zip(PERCENTILES, ranks, strict=True)},
    }
