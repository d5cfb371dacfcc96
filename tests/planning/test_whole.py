"""Whole services on one node: the depth-first assignment against all assignments, and reasons where there is none."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from placer.evaluation.evaluate import evaluate_placement
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.resolving import read_instance
from placer.plan.placement import Placement
from placer.planning.methods import DETERMINISTIC
from placer.planning.whole import whole_baselines
from tests.effort import blocks
from tests.random_instances import random_instance

LEFT_OUT = {"layers", "deadline", "max_loss", "deadline_p95", "stability"}


def by_force(compiled: Compiled, objective: str) -> float:
    """The least cost over all ways to keep every service whole that break no limit but those left out."""
    best = np.inf
    options = [
        [(choice, station) for choice in group for station in range(len(compiled.stations))]
        for group in compiled.service_variants
    ]
    for ways in product(*options):
        stations = tuple((station,) * len(compiled.variants[choice]) for choice, station in ways)
        found = evaluate_placement(compiled, Placement(tuple(choice for choice, _ in ways), stations), "deterministic")
        if all(check.kind in LEFT_OUT for check in found.violations):
            best = min(best, found.costs[objective])
    return float(best)


@pytest.mark.parametrize("seed", blocks(15, 40))
def test_assignment_equals_brute_force(seed: int) -> None:
    compiled = random_instance(seed, 300)
    for objective in DETERMINISTIC:
        whole = whole_baselines(compiled, objective)[0]
        expected = by_force(compiled, objective)
        if np.isnan(expected):
            continue
        if not np.isfinite(expected):
            assert whole.outcome is None
            assert whole.reason
        else:
            assert whole.outcome is not None, (objective, whole.reason)
            value = whole.outcome.evaluation.costs[objective]
            assert value == pytest.approx(expected, rel=1e-9)


def test_reasons() -> None:
    compiled = compile_instance(read_instance("smart-parking"))
    whole, cloud = whole_baselines(compiled, "latency")
    assert whole.outcome is not None
    assert cloud.outcome is None
    assert "cloud" in cloud.reason
    five = whole_baselines(compile_instance(read_instance("five-board")), "latency")
    assert [one.reason for one in five] == ["no nodes have room for all services whole", "no cloud device"]
