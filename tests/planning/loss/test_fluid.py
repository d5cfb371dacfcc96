"""The fluid bound against enumeration, scipy's LP and simulation."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from placer.bench.loss.instances import Spec, generate
from placer.evaluation.deterministic import RouteBook
from placer.evaluation.queues import queue_network
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from placer.planning.loss.bounds.candidates import held
from placer.planning.loss.bounds.effort import effort_of
from placer.planning.loss.bounds.fluid import fluid_bound
from placer.planning.loss.bounds.tangents import accepted_share, lines
from placer.queueing.network import chains
from placer.simulation.runner import simulate
from placer.solver.progress import Limits
from tests.effort import Clock, blocks
from tests.planning.loss.oracles import chains_on, feasible_placements, fluid_loss, keeps_exact_limits
from tests.random_instances import random_instance

LIMITS = Limits(seconds=20)
TIGHT = 0.004
"""What the lines above φ, and dropping one stream more than another, may give away."""


def simulated(compiled: Compiled, placement: Placement, seed: int = 1) -> tuple[float, float]:
    labelled = queue_network(compiled, placement, RouteBook(compiled))
    assert labelled is not None
    found = simulate(labelled.network, jobs=20_000, replications=4, seed=seed).total_loss_ratio
    return float(found.mean), float(found.half_width)


@pytest.mark.parametrize("block", blocks(2, 4))
def test_the_bound_is_the_best_fluid_value_of_all_placements(block: int) -> None:
    """Chains and DAGs, exits, alternatives, memory, pins, several units: equality, not only a bound."""
    lossy = seen = 0
    for seed in range(block * 16, block * 16 + 16):
        compiled = random_instance(seed, 90)
        if np.isnan(compiled.rate).all():
            continue
        rates = compiled.rate * 8.0
        if seed % 2:
            rates = compiled.rate * 40.0
            compiled = replace(compiled, max_work=np.full_like(compiled.max_work, np.inf))
        busy = replace(compiled, rate=rates)
        values = [fluid_loss(busy, placement) for placement in feasible_placements(busy)]
        found = fluid_bound(compiled, LIMITS, rates=rates, first_station=False)
        if not values:
            assert found.status == "infeasible"
            assert found.value == math.inf
            continue
        assert found.status == "milp"
        assert found.value == pytest.approx(min(values), abs=1e-6), seed
        assert found.placement is not None
        assert keeps_exact_limits(busy, found.placement)
        assert fluid_loss(busy, found.placement) == pytest.approx(found.estimate, abs=1e-6)
        admitted = float(np.nansum(busy.weight * found.admitted) / np.nansum(busy.weight * busy.rate))
        assert 1 - admitted == pytest.approx(found.estimate, abs=1e-6)
        loose = fluid_bound(compiled, LIMITS, rates=rates, first_station=False, relaxed=True)
        nothing = fluid_bound(compiled, Limits(seconds=0.0), rates=rates, first_station=False)
        assert nothing.status == "closed-form"
        assert nothing.value - 1e-6 <= loose.value <= found.value + 1e-6
        seen += 1
        lossy += found.value > 1e-3
    assert seen >= 6
    assert lossy >= 3


def test_the_first_station_tightens_it_and_keeps_it_a_bound() -> None:
    tighter = near = 0
    for seed in range(12):
        compiled = generate(Spec(seed, 3, 2, (2, 2), busiest=0.5, buffers=3))
        values = [fluid_loss(compiled, placement, phi=True) for placement in feasible_placements(compiled)]
        found = fluid_bound(compiled, LIMITS)
        assert found.value <= min(values) + 1e-7
        near += found.value >= min(values) - TIGHT
        tighter += found.value > fluid_bound(compiled, LIMITS, first_station=False).value + 1e-3
    assert tighter >= 2
    assert near >= 10  # it may choose whom to drop, the oracle drops all streams alike


@pytest.mark.parametrize("seed", [0, 4, 7])
def test_no_placement_loses_less_in_simulation(seed: int) -> None:
    compiled = generate(Spec(seed, 3, 2, (2, 2), busiest=0.5, buffers=3))
    placements = feasible_placements(compiled)
    ranked = sorted(placements, key=lambda placement: fluid_loss(compiled, placement, phi=True))
    found = fluid_bound(compiled, LIMITS)
    assert found.value > 0.01
    for placement in ranked[:6]:
        loss, half = simulated(compiled, placement)
        assert found.value <= loss + half


def test_what_else_arrives_never_helps_the_first_station() -> None:
    """The theorem in simulation: streams that begin at a station, with others that pass it later or again."""
    rng = np.random.default_rng(5)
    below = 0
    for _ in range(8):
        K = rng.integers(1, 4, 3)
        paths = [[0, 1, 0], [0, 2], [1, 0], [2, 0, 1]]
        seconds = [list(rng.uniform(0.1, 0.8, len(path))) for path in paths]
        rates = rng.uniform(0.3, 1.0, 4)
        found = simulate(chains(K, rates, paths, seconds), jobs=20_000, replications=4, seed=3)
        rho = rates[0] * seconds[0][0] + rates[1] * seconds[1][0]
        alone = accepted_share(K[:1], np.array([rho]))[0]
        for task in (0, 3):  # the streams that begin at station 0
            arrived, dropped = found.tasks.arrived[task], found.tasks.dropped[task]
            assert 1 - dropped / arrived <= alone + 4 / np.sqrt(arrived)
            below += 1 - dropped / arrived < alone - 4 / np.sqrt(arrived)
    assert below >= 8  # it is not always tight


def test_short_services_survive_outages() -> None:
    """With scv > 1 a station completes more than availability/mean: the effective seconds know, the mean does not."""
    for scv in (0.0, 4.0):
        compiled = chains_on(
            [{"buffer": 50, "outages": {"up": 1.0, "down": 0.5}}],
            [{"work": [1.0], "arrivals": {"rate": 20.0}}],
            {"scv": scv},
        )
        loss, half = simulated(compiled, Placement((0,), ((0,),)))
        cost = float(effort_of(compiled).seconds[0][0, 0])
        found = fluid_bound(compiled, LIMITS)
        assert found.value <= loss + half
        completed = 20.0 * (1 - loss)
        busy = (1.0 / 1.5) * (20.0 / 21.0)  # up, and not waiting for the first arrival after a repair
        assert completed == pytest.approx(busy / cost, rel=0.1)
        assert (completed > 1.0 / 1.5) == (scv > 1.0)


def test_lines_lie_above_the_accepted_work() -> None:
    load = np.concatenate([np.linspace(1e-3, 4, 3001), np.geomspace(4, 300, 200)])
    for K in (1, 2, 3, 5, 10, 30, 100):
        work = load * accepted_share(np.full(len(load), K), load)
        above = np.min([slope * load + intercept for slope, intercept in lines(K)], axis=0)
        assert (above - work).min() >= -1e-12
        near = load <= 2
        assert (np.minimum(np.minimum(above, 1), load) - work)[near].max() <= 0.008
        assert np.all(np.diff(work) >= -1e-12)


def test_a_placement_that_is_held() -> None:
    for seed in range(5):
        compiled = generate(Spec(seed, 3, 2, (2, 2), busiest=0.5, buffers=3))
        for placement in feasible_placements(compiled)[::7]:
            found = fluid_bound(held(compiled, placement), LIMITS, first_station=False)
            assert found.placement == placement
            assert found.value == pytest.approx(fluid_loss(compiled, placement), abs=1e-6)


def test_max_loss_that_cannot_be_kept_is_proven() -> None:
    for limit, feasible in ((0.4, False), (0.55, True)):
        compiled = chains_on([{"buffer": 5}], [{"work": [2.0], "arrivals": {"rate": 1.0}, "max_loss": limit}])
        found = fluid_bound(compiled, LIMITS, max_loss=True)
        assert (found.status != "infeasible") == feasible
        assert fluid_bound(compiled, LIMITS).value == pytest.approx(0.5, abs=0.02)
    two = [{"work": [1.0, 1.0], "arrivals": {"rate": 1.0}, "max_loss": 0.3}] * 2
    assert fluid_bound(chains_on([{}, {}], two), LIMITS, max_loss=True).status == "infeasible"
    assert fluid_bound(chains_on([{}] * 4, two), LIMITS, max_loss=True).status == "milp"


@pytest.mark.parametrize("step", [0.1, 0.02])
def test_a_large_instance_is_bounded_in_time(step: float) -> None:
    """Few looks at the clock once the time is over, which falls into building a model or into solving it."""
    compiled, clock = generate(Spec(2, 80, 12, (12, 12))), Clock(step)
    found = fluid_bound(compiled, Limits(seconds=4, now=clock))
    assert clock.time < 6
    assert found.value > 0.40
    if found.placement is not None:
        assert keeps_exact_limits(compiled, found.placement)
        assert found.estimate >= found.value
