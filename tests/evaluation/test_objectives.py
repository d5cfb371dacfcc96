"""What an objective needs, and what an instance that lacks it is told."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

from placer.cli.output.plan import objective_text
from placer.evaluation.objectives import OBJECTIVES, refusal, result_of
from placer.instance.compiled import Compiled
from placer.planning.ilp.planner import plan
from placer.planning.request import Request
from placer.planning.stating import in_values
from placer.solver.progress import Progress
from tests.instance.build import board, chain, compiled_from

POWER = {"idle": 1.0, "load": 3.0}


def instance(**changes: Any) -> Compiled:
    service = {"name": "s", "model": "net", "source": "a", "arrivals": {"rate": 2.0}} | changes.pop("service", {})
    link = {"between": ("a", "b"), "rate": 1e6, "transmit_energy": 1e-6} | changes.pop("link", {})
    return compiled_from(
        [{"name": "a", "type": "board"}, {"name": "b", "type": "board"} | changes.pop("device", {})],
        [service],
        models={"net": chain(3, **({"accuracy": 0.9} | changes.pop("model", {})))},
        types={"board": board(power=POWER), "dark": board()},
        network={"links": (link,)},
    )


def test_an_instance_with_every_figure_can_be_asked_for_everything() -> None:
    assert {name: refusal(instance(), name) for name in OBJECTIVES} == dict.fromkeys(OBJECTIVES)


def test_a_missing_power_names_the_device_and_the_link() -> None:
    said = refusal(instance(device={"type": "dark"}, link={"transmit_energy": None}), "energy")
    assert said is not None
    assert said.endswith("missing for: device b, link between a and b")
    assert refusal(instance(device={"type": "dark"}), "latency") is None


def test_a_missing_accuracy_names_the_service() -> None:
    said = refusal(instance(model={"accuracy": None}), "accuracy")
    assert said is not None
    assert said.endswith("missing for: service s")


def test_an_alternative_without_accuracy_is_no_way_out() -> None:
    """Choosing it would take the service out of the mean: the objective would prefer not to know."""
    graph = {"layers": chain(2)["layers"], "input": 1e5}
    model = {
        "format": "placer/model/1",
        "name": "net",
        "source": "test",
        "alternatives": ({"name": "known", "accuracy": 0.5, **graph}, {"name": "dark", **graph}),
    }
    one = {"name": "s", "model": "net", "source": "a"}
    said = refusal(compiled_from([{"name": "a", "type": "board"}], [one], models={"net": model}), "accuracy")
    assert said is not None
    assert said.endswith("missing for: service s, alternative dark")


def test_nothing_is_lost_where_nothing_arrives() -> None:
    said = refusal(instance(service={"arrivals": None}), "loss")
    assert said is not None
    assert said.endswith("missing for: service s")


def test_an_unknown_objective_is_named_with_the_nearest() -> None:
    said = refusal(instance(), "latencey")
    assert said is not None
    assert "latency" in said


def row(**service: Any) -> Compiled:
    """Four boards in a row behind fast links, and five layers of equal work: 1 ms each."""
    layers = tuple({"name": f"l{i}", "compute": 1e6, "output": 1.0} for i in range(5))
    names = ("a", "b", "c", "d")
    links = tuple({"between": pair, "rate": 1e12} for pair in itertools.combinations(names, 2))
    return compiled_from(
        [{"name": name, "type": "board"} for name in names],
        [{"name": "s", "model": "net", "source": "a", **service}],
        models={"net": {**chain(1), "layers": layers, "input": 1.0}},
        network={"links": links},
    )


@pytest.mark.parametrize("service", [{}, {"arrivals": {"rate": 7.0}}])
def test_throughput_is_requests_per_second_of_the_slowest_stage(service: dict[str, Any]) -> None:
    """Five layers of 1 ms on four boards: two of them share one, 2 ms a request; whatever the rate that comes."""
    found = plan(row(**service), Request(objectives=("throughput",)))
    (stated,) = found.plan.certificate.objectives
    assert (stated.sense, stated.unit, stated.gap) == ("max", "requests/s", 0.0)
    assert stated.value == pytest.approx(500.0)
    assert stated.bound == pytest.approx(500.0)
    assert found.evaluation.slowest.busy == pytest.approx(2e-3)
    said = "throughput: 500 requests/s, slowest stage busy 2 ms a request (proven optimal for plans"
    assert objective_text(stated) == f"{said} whose tensors take the ways of least time)"


def test_cost_and_value_are_turned_into_each_other() -> None:
    compiled = instance()
    for objective in OBJECTIVES.values():
        for number in (0.125, 0.5):
            assert objective.turned(compiled, objective.turned(compiled, number)) == pytest.approx(number)
        assert math.isnan(objective.turned(compiled, math.nan))
        more = objective.turned(compiled, 0.2) > objective.turned(compiled, 0.4)
        assert more == (objective.sense == "max")


def test_a_bound_is_turned_with_its_value_and_the_gap_stays_one() -> None:
    compiled = instance()
    accuracy = result_of(compiled, "accuracy", 0.25, 0.1)
    assert accuracy is not None
    assert (accuracy.value, accuracy.bound, accuracy.gap) == (0.75, 0.9, pytest.approx(0.2))
    assert objective_text(accuracy) == "accuracy: 0.75, bound 0.9, gap 20 %"
    rate = result_of(compiled, "throughput", 0.5, 0.4)  # 2 requests/s come
    assert rate is not None
    assert (rate.value, rate.bound, rate.gap) == (4.0, 5.0, pytest.approx(0.25))
    for floor in (0.0, -1.0, -math.inf):  # no load is no bound of a rate
        open_ = result_of(compiled, "throughput", 0.5, floor)
        assert open_ is not None
        assert (open_.bound, open_.gap) == (None, None)
    assert result_of(compiled, "energy", math.nan) is None
    idle = result_of(compiled, "throughput", 0.0)
    assert idle is not None
    assert math.isfinite(idle.value)


def test_progress_is_told_in_values() -> None:
    compiled, seen = instance(), list[Progress]()
    tell = in_values(compiled, "throughput", seen.append)
    assert tell is not None
    tell(Progress(1.0, 0.5, 0.4, "search"))
    tell(Progress(1.0, math.inf, -math.inf))
    assert (seen[0].incumbent, seen[0].bound, seen[0].sense) == (4.0, 5.0, "max")
    assert seen[0].gap == pytest.approx(0.25)
    assert seen[1].gap == math.inf
    assert in_values(compiled, "latency", seen.append) == seen.append
