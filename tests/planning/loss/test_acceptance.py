"""The guide against enumeration in its own model, and where it is no bound."""

from __future__ import annotations

import numpy as np
import pytest

from placer.bench.loss.instances import Spec, generate
from placer.planning.loss.bounds.acceptance import acceptance_guide
from placer.planning.loss.bounds.fluid import fluid_bound
from placer.queueing.network import chains
from placer.simulation.runner import simulate
from placer.solver.progress import Limits
from tests.effort import Clock, blocks
from tests.planning.loss.oracles import chains_on, feasible_placements, keeps_exact_limits, thinned_loss
from tests.random_instances import random_instance

LIMITS = Limits(seconds=20)


@pytest.mark.parametrize("block", blocks(2, 4))
def test_it_bounds_every_placement_of_the_thinned_model(block: int) -> None:
    near = 0
    for seed in range(block * 10, block * 10 + 10):
        compiled = generate(Spec(seed, 3, 2, (2, 2), busiest=0.4, buffers=4))
        placements = feasible_placements(compiled)
        losses = thinned_loss(compiled, placements)
        found = acceptance_guide(compiled, LIMITS)
        assert found.status == "milp"
        assert found.value <= losses.min() + 1e-6
        assert found.value >= fluid_bound(compiled, LIMITS, first_station=False).value - 1e-6
        assert found.placement in placements
        assert "Poisson-thinned" in found.terms
        near += losses[placements.index(found.placement)] <= losses.min() + 0.01
    assert near >= 7


def test_it_is_no_bound_for_the_true_system() -> None:
    """A deterministic tandem: equal spacing makes the second station lossless, which thinned Poisson does not see."""
    pins = {"f0": "d0", "f1": "d1"}
    compiled = chains_on([{"buffer": 2}] * 2, [{"work": [0.9, 0.9], "arrivals": {"rate": 1.0}, "pins": pins}])
    network = chains(np.array([2, 2]), [1.0], [[0, 1]], [[0.9, 0.9]])
    true = float(simulate(network, jobs=50_000, replications=4, seed=1).total_loss_ratio.mean)
    assert true == pytest.approx(0.235, abs=0.005)
    assert acceptance_guide(compiled, LIMITS).value == pytest.approx(0.357, abs=0.005)
    assert true - 0.01 <= fluid_bound(compiled, LIMITS).value <= true + 0.005


def test_a_run_of_layers_is_one_job() -> None:
    compiled = chains_on([{"buffer": 5}], [{"work": [0.6, 0.6], "arrivals": {"rate": 1.0}}])
    found = acceptance_guide(compiled, LIMITS)
    assert 1 - found.value == pytest.approx(0.801, abs=0.003)
    assert found.admitted[0] == pytest.approx(0.801, abs=0.003)


def test_exits_graphs_and_alternatives() -> None:
    """No oracle of its own: above the fluid bound, and a placement that keeps the limits."""
    seen = 0
    for seed in range(30):
        compiled = random_instance(seed, 300)
        rates = compiled.rate * 8.0
        fluid = fluid_bound(compiled, LIMITS, rates=rates, first_station=False)
        found = acceptance_guide(compiled, LIMITS, rates=rates)
        assert (found.status == "infeasible") == (fluid.status == "infeasible")
        if fluid.status == "infeasible" or np.isnan(rates).all():
            continue
        assert fluid.value - 1e-5 <= found.value <= 1.0
        assert found.placement is not None
        again = acceptance_guide(compiled, LIMITS, start=found.placement, rates=rates)
        assert again.value == pytest.approx(found.value, abs=1e-6)
        assert fluid_bound(compiled, LIMITS, start=found.placement, rates=rates).value >= fluid.value - 1e-6
        seen += 1
    assert seen >= 10


def test_max_loss_in_the_guide() -> None:
    for limit, feasible in ((0.15, False), (0.25, True)):
        compiled = chains_on([{"buffer": 5}], [{"work": [1.2], "arrivals": {"rate": 1.0}, "max_loss": limit}])
        assert (acceptance_guide(compiled, LIMITS, max_loss=True).status != "infeasible") == feasible


@pytest.mark.parametrize("step", [0.1, 0.02])
def test_a_large_instance_keeps_its_time_limit(step: float) -> None:
    """Few looks at the clock once the time is over, which falls into building a model or into solving it."""
    compiled, clock = generate(Spec(1, 80, 12, (12, 12))), Clock(step)
    found = acceptance_guide(compiled, Limits(seconds=5, now=clock))
    assert clock.time < 8
    assert 0.0 <= found.value <= 1.0
    if found.placement is not None:
        assert keeps_exact_limits(compiled, found.placement)
