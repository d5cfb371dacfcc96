"""Which ways tensors take: of least energy where that is the objective, and what a bound then holds for."""

from __future__ import annotations

from typing import Any

import pytest

from placer.evaluation.evaluate import evaluate
from placer.instance.compiled import Compiled
from placer.planning.registry import plan
from placer.planning.request import Request
from tests.instance.build import board, compiled_from


def two_radios(**service: Any) -> Compiled:
    """The kind of ``oracle/route-bound``: a quick radio of 1000 nJ/bit, a slower one of 10 nJ/bit; the hub computes."""
    layers = ({"name": "only", "times": {"hub": 0.01}, "output": 1e3},)
    model = {"format": "placer/model/1", "name": "net", "source": "test", "input": 1e5, "layers": layers}
    kind = board(units=({"name": "cpu"},), power={"idle": 1.0, "load": 2.0})
    devices = [
        {"name": "cam", "type": "cam", "position": (0.0, 0.0)},
        {"name": "hub", "type": "hub", "position": (5.0, 0.0)},
    ]
    radios = (
        {"rate": 1e6, "range": 30.0, "transmit_energy": 8e-6},
        {"rate": 0.9e6, "range": 30.0, "transmit_energy": 8e-8},
    )
    services = [{"name": "s", "model": "net", "source": "cam", "sink": "hub", **service}]
    return compiled_from(
        devices, services, models={"net": model}, types={"cam": kind, "hub": kind}, network={"radios": radios}
    )


def test_energy_takes_the_ways_of_least_energy() -> None:
    """10 ms of 1 W and 800 kbit at 10 nJ/bit: 18 mJ, where the way of least time costs 810 mJ."""
    compiled = two_radios()
    outcome = plan(compiled, Request(("energy",)))
    (result,) = outcome.plan.certificate.objectives
    assert result.value == pytest.approx(0.018)
    assert result.bound == pytest.approx(0.018)
    assert result.bound_of is None
    assert outcome.plan.services[0].transfers[0].technologies == ("radio-2",)
    again = evaluate(outcome.plan, compiled)
    assert again.feasible
    assert again.objectives["energy"] == pytest.approx(0.018)
    quick = plan(compiled, Request(("latency",)))
    assert quick.plan.services[0].transfers[0].technologies == ("radio-1",)
    assert quick.evaluation.objectives["energy"] == pytest.approx(0.81)


def test_a_deadline_that_only_the_quick_way_keeps() -> None:
    outcome = plan(two_radios(deadline=0.115), Request(("energy",)))
    (result,) = outcome.plan.certificate.objectives
    assert outcome.evaluation.feasible
    assert result.value == pytest.approx(0.81)
    assert result.bound_of == "plans whose tensors take the ways of least time"
