"""The ILP against brute force under the one evaluator."""

from __future__ import annotations

import math

import pytest

from placer.errors import InfeasibleError
from placer.evaluation.evaluate import evaluate, evaluate_placement
from placer.evaluation.objectives import OBJECTIVES
from placer.instance.compiled import Compiled
from placer.planning.ilp.planner import plan
from placer.planning.request import Request
from tests.effort import blocks
from tests.random_instances import every_placement, random_instance

ASKED = ("latency", "latency-worst", "throughput", "energy")


def traffic_binds(compiled: Compiled) -> bool:
    """Whether some placement breaks nothing but a limit on links or channels."""
    for placement in every_placement(compiled):
        broken = {check.kind for check in evaluate_placement(compiled, placement, "deterministic").violations}
        if broken and broken <= {"airtime", "link"}:
            return True
    return False


def brute_force(compiled: Compiled) -> dict[str, float]:
    """Best value of each objective over all feasible placements; empty when there is none."""
    best = dict.fromkeys(ASKED, math.inf)
    for placement in every_placement(compiled):
        evaluation = evaluate_placement(compiled, placement, "deterministic")
        if evaluation.feasible:
            for name in ASKED:
                best[name] = min(best[name], evaluation.costs[name])
    return best if best["latency"] < math.inf else {}


def check_seed(seed: int, largest: int, crowded: bool = False, site: bool = False) -> bool:
    compiled = random_instance(seed, largest, crowded, site)
    best = brute_force(compiled)
    for name in ASKED:
        for shortcut in (True, False) if name == "latency" else (False,):
            options = Request(objectives=(name,), shortcut=shortcut, by="analytic")
            if not best:
                with pytest.raises(InfeasibleError):
                    plan(compiled, options)
                continue
            outcome = plan(compiled, options)
            result = outcome.plan.certificate.objectives[0]
            assert outcome.plan.certificate.termination == "optimal"
            value = OBJECTIVES[name].turned(compiled, best[name])
            assert result.value == pytest.approx(value, rel=1e-7, abs=1e-12), (seed, name)
            assert result.bound == pytest.approx(value, rel=1e-7, abs=1e-12), (seed, name)
            again = evaluate(outcome.plan, compiled)
            # the ILP sees no waiting: only the analytic evaluator's limits may still be missed
            assert all(c.evaluator == "analytic" for c in again.violations), (seed, name, again.violations)
            assert again.objectives[name] == pytest.approx(result.value, rel=1e-9)
    return bool(best)


@pytest.mark.parametrize("block", blocks(3, 10))
def test_ilp_equals_brute_force(block: int) -> None:
    feasible = sum(check_seed(seed, 300) for seed in range(block * 20, block * 20 + 20))
    assert feasible >= 5


@pytest.mark.parametrize("block", blocks(2, 4))
def test_full_links_and_channels_against_brute_force(block: int) -> None:
    seeds = [s for s in range(block * 10, block * 10 + 10) if traffic_binds(random_instance(s, 100, crowded=True))]
    assert len(seeds) >= 3
    assert sum(check_seed(seed, 100, crowded=True) for seed in seeds) >= 2
