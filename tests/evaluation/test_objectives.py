"""What an objective needs, and what an instance that lacks it is told."""

from __future__ import annotations

from typing import Any

from placer.evaluation.objectives import OBJECTIVES, refusal
from placer.instance.compiled import Compiled
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
