"""Plans under random arrivals: their network, the analytic evaluator and the simulation agree where they must."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from placer.errors import PlacerError
from placer.evaluation.analytic import analytic
from placer.evaluation.comparison import simulate_plan
from placer.evaluation.deterministic import RouteBook, loads
from placer.evaluation.evaluate import evaluate
from placer.evaluation.queues import queue_network
from placer.evaluation.runs import Runs
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.resolving import read_instance
from placer.plan.placement import Placement
from placer.plan.plan import to_placement
from placer.planning.ilp.planner import plan
from placer.planning.outcome import Outcome
from placer.planning.request import Request
from tests.random_instances import random_instance


def at_rate(compiled: Compiled, rate: float) -> Compiled:
    """The same instance with Poisson arrivals of one rate at every service."""
    instance = compiled.instance
    services = tuple(
        service.model_copy(
            update={"arrivals": type(service).model_validate({**plain(service), "arrivals": {"rate": rate}}).arrivals}
        )
        for service in instance.services
    )
    return compile_instance(replace(instance, file=instance.file.model_copy(update={"services": services})))


def plain(service: object) -> dict[str, object]:
    return {"name": service.name, "model": service.model, "source": service.source}  # type: ignore[attr-defined]


@cache
def feasible(seed: int) -> tuple[Compiled, Outcome] | None:
    compiled = at_rate(random_instance(seed, 300), 1e-4)
    try:
        return compiled, plan(compiled, Request(objectives=("throughput",)))
    except PlacerError:
        return None


def test_without_load_the_response_is_the_latency() -> None:
    """An empty system has no waiting: both evaluators give the deterministic latency of chains, exits included."""
    compared = 0
    for seed in range(14):
        found = feasible(seed)
        if found is None:
            continue
        compiled, outcome = found
        placement = outcome.placement
        labelled = queue_network(compiled, placement, RouteBook(compiled))
        assert labelled is not None
        services, _ = analytic(labelled)
        exact = {metrics.name: metrics.latency for metrics in outcome.evaluation.services}
        chains = {
            compiled.instance.services[compiled.variants[choice].service].name
            for choice in placement.choice
            if compiled.variants[choice].is_chain
        }
        simulated = simulate_plan(outcome.plan, compiled, Runs(jobs=2000, replications=3)).simulation.times
        for times, measured in zip(services, simulated, strict=True):
            if times.name in chains:
                assert times.response_time == pytest.approx(exact[times.name], rel=1e-3), seed
                slack = 4 * measured.response_interval + 1e-3 * exact[times.name]
                assert abs(measured.response_time - exact[times.name]) <= slack, seed
                compared += 1
            else:
                assert measured.response_time <= exact[times.name] * (1 + 1e-3) + 4 * measured.response_interval
    assert compared >= 3


def test_the_work_of_the_network_is_the_work_of_the_placement() -> None:
    compared = 0
    for seed in range(30):
        found = feasible(seed)
        if found is None:
            continue
        compiled, outcome = found
        placement = outcome.placement
        labelled = queue_network(compiled, placement, RouteBook(compiled))
        assert labelled is not None
        _, stations = analytic(labelled)
        work = loads(compiled, placement).work
        by_name = {station.name: index for index, station in enumerate(compiled.stations)}
        for station in stations:
            if station.name in by_name:
                assert station.utilisation == pytest.approx(work[by_name[station.name]], rel=1e-3), seed
                compared += 1
    assert compared > 10


@pytest.mark.xfail(
    strict=True,
    reason="the rule 'crowding' of the chain model makes the wait of free-places 22 % too small at the hub, now that "
    "camera streams come through a station (the channel): known defect of the analytic evaluator",
)
def test_smart_parking_simulated_beside_analytic() -> None:
    compiled = compile_instance(read_instance("smart-parking"))
    outcome = plan(compiled)
    found = simulate_plan(outcome.plan, compiled, Runs(jobs=20_000, replications=4, seed=7))
    again = simulate_plan(outcome.plan, compiled, Runs(jobs=20_000, replications=4, seed=7))
    assert found.simulation.times == again.simulation.times
    assert found.simulation.evaluator == "simulation"
    assert not found.simulation.skipped
    for model, measured in zip(found.analytic.times, found.simulation.times, strict=True):
        assert measured.response_time == pytest.approx(model.response_time, rel=0.1)
        assert measured.sum_of_sojourns == pytest.approx(model.sum_of_sojourns, rel=0.1)
        assert abs(measured.loss_ratio - model.loss_ratio) < 0.005
        assert measured.p50 <= measured.p95 <= measured.p99


def test_a_full_device_loses_and_the_limit_is_judged() -> None:
    compiled = compile_instance(read_instance("smart-parking"))
    outcome = plan(compiled)
    fast = at_rate(compiled, 14.0)  # three streams of 14 /s at the hub: overload
    placement = to_placement(outcome.plan, compiled)
    labelled = queue_network(fast, placement, RouteBook(fast))
    assert labelled is not None
    services, stations = analytic(labelled)
    work = loads(fast, placement).work.max()
    assert work > 1
    offered = sum(times.offered for times in services)
    lost = sum(times.offered * times.loss_ratio for times in services) / offered
    assert lost > 0.1
    assert max(station.utilisation for station in stations) <= 1 + 1e-9
    limited = compiled.instance.file.services[0]
    judged = evaluate(outcome.plan, compiled)
    assert any(check.kind == "max_loss" and check.evaluator == "analytic" for check in judged.checks)
    assert limited.max_loss is not None


def test_a_buffer_in_memory_follows_the_placement() -> None:
    compiled = compile_instance(read_instance("smart-parking"))
    devices = tuple(
        device.model_copy(update={"buffer": "memory"}) if device.name == "hub" else device
        for device in compiled.instance.devices
    )
    changed = compile_instance(
        replace(compiled.instance, file=compiled.instance.file.model_copy(update={"devices": devices}))
    )
    hub = [station.name for station in changed.stations].index("hub")
    placement = Placement(tuple(range(3)), tuple((hub,) * len(variant) for variant in changed.variants))
    labelled = queue_network(changed, placement, RouteBook(changed))
    assert labelled is not None
    models = {
        service.model: variant for service, variant in zip(changed.instance.services, changed.variants, strict=True)
    }
    free = changed.memory[hub] - sum(float(variant.weights.sum()) for variant in models.values())
    largest = max(variant.input for variant in changed.variants)
    assert labelled.network.capacity[hub] == 1 + math.floor(free / largest)
    assert np.isfinite(labelled.network.outcome_mean).all()
