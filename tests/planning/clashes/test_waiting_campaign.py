"""Explanations of small random sites whose limits on loss and response times clash, against every placement.

The verdict of every placement, by longer simulations from other seeds, says what holds together; each printed repair is
written into the file, and some placement of that file must keep every limit.
"""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from placer.evaluation.evaluate import evaluate_placement
from placer.evaluation.runs import Effort
from placer.instance.compiled import Compiled
from placer.planning.clashes.families import Group
from placer.planning.clashes.waiting import WaitingOracle
from placer.planning.explain import explain
from placer.solver.countdown import Countdown
from placer.solver.progress import Limits
from tests.planning.clashes.files import compiled_file, edited, write_files
from tests.planning.clashes.infeasible import compiled_of
from tests.random_instances import every_placement, random_parts

EFFORT = Effort(seconds=6.0, seed=4711)


def crowded(seed: int) -> tuple[dict[str, Any], Any]:
    """A site of a few placements with small buffers and limits that random arrivals break, or not."""
    rng = np.random.default_rng([seed, 99])
    data, library = random_parts(seed, 12)
    data = copy.deepcopy(data)
    data["limits"] = {}
    for device in data["devices"]:
        device["buffer"] = int(rng.integers(1, 6))
    for service in data["services"]:
        for field in ("pins", "forbid", "privacy", "deadline"):
            service.pop(field, None)
        service["arrivals"] = {"rate": float(rng.uniform(3.0, 25.0))}
        kind = str(rng.choice(["max_loss", "max_loss", "deadline", "deadline_p95"]))
        service[kind] = float(rng.uniform(0.001, 0.08)) if kind == "max_loss" else float(rng.uniform(0.03, 0.5))
    return data, library


def status_of(compiled: Compiled, held: set[Group]) -> str:
    """Whether some placement keeps these limits: ``ok``, ``undecided`` or ``violated``."""
    oracle = WaitingOracle.of(compiled, Countdown.of(1e6))
    relaxed, found = oracle.relaxed(held), "violated"
    for placement in every_placement(compiled):
        if not evaluate_placement(relaxed, placement, "deterministic").feasible:
            continue
        checks = evaluate_placement(relaxed, placement, "verdict", effort=EFFORT).checks
        seen = {c.status for c in checks if c.kind != "stability" or (c.kind, c.subject) in held}
        if not seen & {"violated", "undecided"}:
            return "ok"
        if "violated" not in seen:
            found = "undecided"
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(24))
def test_limits_on_waiting(seed: int, tmp_path: Path) -> None:
    data, library = crowded(seed)
    compiled = compiled_of(data, library)
    oracle = WaitingOracle.of(compiled, Countdown.of(60.0))
    truth = status_of(compiled, set(oracle.every))
    if truth != "violated":
        pytest.skip(f"{truth}: nothing clashes for sure")
    found = explain(compiled, Limits(40.0))
    assert not found.feasible
    assert status_of(compiled, set(found.clash)) == "violated", found.clash
    if found.irreducible:
        for group in found.clash:
            assert status_of(compiled, set(found.clash) - {group}) != "violated", (group, found.clash)
    seen = Counter(kind for kind, _ in found.clash)
    path = write_files(data, library, tmp_path)
    for number, (text, edits) in enumerate(zip(found.repairs, found.edits, strict=True)):
        changed = compiled_file(edited(path, edits, number))
        every = set(WaitingOracle.of(changed, Countdown.of(60.0)).every)
        assert status_of(changed, every) != "violated", (text, edits)
    print("waiting campaign", seed, dict(seen), len(found.repairs), found.irreducible, found.unfinished)
