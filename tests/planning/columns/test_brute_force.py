"""Column generation against every placement, on small instances whose limits couple services and layers."""

from __future__ import annotations

import math

import pytest

from placer.errors import InfeasibleError, TimeIsUpError
from placer.evaluation.evaluate import evaluate_placement
from placer.evaluation.objectives import OBJECTIVES
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from placer.planning.columns.planner import found_by, plan
from placer.planning.request import Request
from placer.solver.countdown import Countdown
from tests.planning.ilp.test_brute_force import ASKED, brute_force
from tests.random_instances import every_placement, random_instance


def check(compiled: Compiled) -> int:
    """All objectives; how many of them column generation had to prove."""
    best, proven = brute_force(compiled), 0
    for name in ASKED:
        request = Request((name,), "decomposition")
        if not best:
            with pytest.raises(InfeasibleError):
                plan(compiled, request)
            continue
        certificate = plan(compiled, request).plan.certificate
        (result,) = certificate.objectives
        value = OBJECTIVES[name].turned(compiled, best[name])
        assert certificate.termination == "optimal", name
        assert result.value == pytest.approx(value, rel=1e-7, abs=1e-12), name
        assert result.bound == pytest.approx(value, rel=2e-7, abs=1e-12), name
        proven += certificate.method == "column-generation"
    return proven


@pytest.mark.parametrize("block", range(3))
def test_random_instances(block: int) -> None:
    assert sum(check(random_instance(seed, 40)) for seed in range(block * 3, block * 3 + 3)) >= 1


def test_full_links_and_channels() -> None:
    assert sum(check(random_instance(seed, 40, crowded=True)) for seed in range(5)) >= 1


def test_services_that_share_weights() -> None:
    assert sum(check(random_instance(seed, 40, site=True)) for seed in range(5)) >= 1


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_many_random_instances(block: int) -> None:
    for seed in range(block * 25, block * 25 + 25):
        check(random_instance(seed, 1_000))
        check(random_instance(seed, 300, crowded=True))
        check(random_instance(seed, 300, site=True))


def test_few_layers_move() -> None:
    """``max-moves`` against every placement near enough to what is deployed."""
    looked_at = 0
    for seed in range(12):
        compiled = random_instance(seed, 30)
        feasible = {
            placement: evaluate_placement(compiled, placement, "deterministic").costs["latency"]
            for placement in every_placement(compiled)
            if evaluate_placement(compiled, placement, "deterministic").feasible
        }
        if len(feasible) < 4:
            continue
        kept = max(feasible, key=lambda placement: feasible[placement])
        for most in (0, 1, 2):
            near = [cost for placement, cost in feasible.items() if moved(kept, placement) <= most]
            found = plan(compiled, Request(("latency",), "decomposition", keep=kept, max_moves=most))
            assert found.evaluation.costs["latency"] == pytest.approx(min(near), rel=1e-9)
            assert moved(kept, found.placement) <= most
            looked_at += 1
    assert looked_at >= 3


def moved(kept: Placement, other: Placement) -> int:
    count = 0
    for old, new, before, after in zip(kept.choice, other.choice, kept.stations, other.stations, strict=True):
        count += len(before) if old != new else sum(one != two for one, two in zip(before, after, strict=True))
    return count


def test_bounds_hold_whenever_the_time_is_over() -> None:
    stopped = 0
    for seed in range(5):
        compiled = random_instance(seed, 40)
        best = brute_force(compiled)
        for name in ("latency", "throughput"):
            optimum = best.get(name, math.inf)
            for looks in (3, 20, 60):
                left = iter(range(looks))
                now = Countdown(0.0, 1.0, lambda left=left: 0.5 if next(left, None) is not None else 2.0)
                try:
                    found = found_by(compiled, Request((name,), "decomposition"), None, now)
                except InfeasibleError:
                    assert not best
                    continue
                except TimeIsUpError:
                    continue
                stopped += found.termination == "time-limit"
                assert found.bound <= optimum * (1 + 1e-9)
                assert found.value >= optimum * (1 - 1e-9)
    assert stopped >= 3
