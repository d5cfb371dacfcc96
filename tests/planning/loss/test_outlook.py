"""Scenarios: what is down neither computes, sends, relays nor receives; by the analytic evaluator and simulated."""

from __future__ import annotations

import pytest

from placer.evaluation.evaluate import evaluate
from placer.evaluation.queues import NetworkBuilder
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from placer.plan.plan import Certificate, make_plan
from placer.planning.loss.outlook import outlooks
from placer.planning.outcome import Outcome
from placer.planning.request import Scenario
from placer.simulation.runner import simulate
from tests.instance.build import chain, compiled_from

NAMES = ("a", "relay", "b", "sink")


def line() -> Compiled:
    """a — relay — b — sink in a row; ``far`` goes from a over the relay to b, ``near`` stays on b and ends in sink."""
    devices = [{"name": name, "type": "board", "buffer": 20} for name in NAMES]
    links = tuple({"between": pair, "rate": 1e7} for pair in zip(NAMES, NAMES[1:], strict=False))
    services = [
        {"name": "far", "model": "net", "source": "a", "sink": "b", "arrivals": {"rate": 1.0}, "max_loss": 0.1},
        {"name": "near", "model": "net", "source": "b", "sink": "sink", "arrivals": {"rate": 1.0}},
        {"name": "own", "model": "net", "source": "a", "arrivals": {"rate": 1.0}},
    ]
    return compiled_from(devices, services, models={"net": chain(2)}, network={"links": links})


PLACED = Placement((0, 1, 2), ((2, 2), (2, 2), (0, 0)))
LOST = {
    (): (0, 0, 0),
    ("a",): (1, 0, 1),  # the source of far and own
    ("relay",): (1, 0, 0),  # far is relayed there
    ("b",): (1, 1, 0),
    ("sink",): (0, 1, 0),  # near's result has nowhere to go
    ("a", "sink"): (1, 1, 1),
}


def outcome_of(compiled: Compiled) -> Outcome:
    certificate = Certificate(method="given", termination="given", objectives=(), seconds=0.0, seed=0)
    made = make_plan(compiled, PLACED, certificate)
    return Outcome(made, PLACED, evaluate(made, compiled))


@pytest.mark.parametrize("down", list(LOST))
def test_what_needs_a_device_that_is_down_is_lost(down: tuple[str, ...]) -> None:
    compiled = line()
    gone = frozenset(NAMES.index(name) for name in down)
    (seen,) = outlooks(compiled, outcome_of(compiled), [Scenario("this", 1.0, {}, gone)])
    assert [one.loss_ratio for one in seen.services] == pytest.approx(LOST[down], abs=1e-6)
    assert seen.loss == pytest.approx(sum(LOST[down]) / 3, abs=1e-6)
    assert seen.down == down
    assert seen.feasible == (LOST[down][0] == 0)
    network = NetworkBuilder(compiled).network(PLACED, down=gone)
    measured = simulate(network, jobs=3000, replications=2, seed=1)
    # the requests on their way when counting starts may be lost after it
    assert measured.classes.loss_ratio.mean == pytest.approx(LOST[down], abs=3e-3)


def test_rates_of_a_scenario_count() -> None:
    compiled = line()
    seen = outlooks(compiled, outcome_of(compiled), [Scenario(), Scenario("rush", 1.0, {0: 40.0})])
    assert [one.feasible for one in seen] == [True, False]
    assert seen[1].services[0].offered == pytest.approx(40.0)
    assert seen[1].services[0].loss_ratio > 0.9
    # the boards do 3.33 requests per second; the third service has one for itself
    assert seen[1].services[2].loss_ratio < 1e-6
