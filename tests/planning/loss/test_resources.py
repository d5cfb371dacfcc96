"""Resources against the one evaluator, and insertions that never break a limit."""

from __future__ import annotations

import numpy as np
import pytest

from placer.bench.loss.instances import Spec, generate
from placer.evaluation.deterministic import RouteBook, loads
from placer.evaluation.limits import exact_checks
from placer.plan.placement import Placement
from placer.planning.loss.problem import Problem
from placer.planning.loss.search.neighbours import Rebuilder, as_placement
from placer.planning.resources import Resources
from tests.random_instances import random_instance

KINDS = {"memory", "flash", "layers", "compute", "utilisation", "airtime", "link"} | {
    "max_devices",
    "max_fragments",
    "contiguous",
}


@pytest.mark.parametrize("site", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_overdrawn_is_what_the_evaluator_finds(seed: int, site: bool) -> None:
    compiled = random_instance(seed, site=site)
    resources = Resources(compiled)
    rng = np.random.default_rng(seed)
    seen = set()
    for _ in range(40):
        choice = tuple(int(rng.choice(group)) for group in compiled.service_variants)
        stations = tuple(
            tuple(int(d) for d in rng.integers(len(compiled.stations), size=len(compiled.variants[c]))) for c in choice
        )
        placement = Placement(choice, stations)
        if any(
            not np.isfinite(compiled.variants[c].time[range(len(s)), list(s)]).all()
            for c, s in zip(choice, stations, strict=True)
        ):
            continue
        checks = exact_checks(compiled, placement, RouteBook(compiled), loads(compiled, placement))
        broken = any(check.kind in KINDS and check.status == "violated" for check in checks)
        assert (resources.overdrawn(placement) > 0.0) == broken
        seen.add(broken)
    assert seen


def test_both_answers_occur() -> None:
    problem = Problem(generate(Spec(1, 5, 3, (2, 4))))
    rng = np.random.default_rng(0)
    answers = set()
    for _ in range(200):
        stations = tuple(tuple(int(x) for x in rng.integers(5, size=len(v))) for v in problem.compiled.variants)
        answers.add(problem.resources.overdrawn(Placement((0, 1, 2), stations)) > 0.0)
    assert answers == {True, False}


@pytest.mark.parametrize("seed", range(6))
def test_rebuilding_keeps_every_limit(seed: int) -> None:
    problem = Problem(generate(Spec(seed, 6, 4, (2, 6))))
    rebuilder, rng = Rebuilder(problem), np.random.default_rng(seed)
    current = rebuilder.rebuild({}, [0, 1, 2, 3], rng, 0.0, 1e-6)
    assert current is not None
    for step in range(10):
        removed = [int(s) for s in rng.choice(4, size=2, replace=False)]
        trial = rebuilder.rebuild(current, removed, rng, 0.3 * (step % 2), 1e-6)
        if trial is None:
            continue
        placement = as_placement(trial)
        checks = exact_checks(problem.compiled, placement, problem.book, loads(problem.compiled, placement))
        assert not [check for check in checks if check.status == "violated"]
        current = trial
