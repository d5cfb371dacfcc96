"""How long a layer takes: which figure wins, cores, reserves, and what counts as assumed."""

from __future__ import annotations

import math
from typing import Any

import pytest

from placer.instance.device import Device, DeviceType
from placer.instance.model import Layer, Model
from placer.instance.timing import core_factor, layer_energy, layer_scv, layer_time
from tests.instance.build import board, chain

MODEL = Model.model_validate(chain(1))


def seconds(
    unit: dict[str, Any], layer: dict[str, Any], device: dict[str, Any] | None = None, number: int = 0, **kind: Any
) -> tuple[float, bool]:
    units = ({"name": "cpu", **unit}, {"name": "gpu", "speed": 8e9, "cores": 7})
    board_type = DeviceType.model_validate(board(units=units, **kind))
    instance = Device.model_validate({"name": "d", "type": "board", **(device or {})})
    made = Layer.model_validate({"name": "l", "output": 0.0, **layer})
    return layer_time(made, MODEL, instance, board_type, board_type.units[number])


def test_measured_then_family_then_general() -> None:
    unit = {"speed": 1e9, "speeds": {"net": 2e9}}
    assert seconds(unit, {"compute": 4e9, "times": {"board": 3.0, "board/cpu": 5.0}}, margin=0.5) == (5.0, False)
    assert seconds(unit, {"compute": 4e9, "times": {"board": 3.0}}, margin=0.5) == (3.0, False)
    assert seconds(unit, {"compute": 4e9, "times": {"other": 3.0}}, margin=0.5) == (2.0, False)
    assert seconds({"speed": 1e9}, {"compute": 4e9}, margin=0.5) == (6.0, True)
    assert seconds({"speed": 1e9}, {"compute": 4e9}, {"margin": 0.25}, margin=0.5) == (5.0, True)
    assert seconds({}, {"compute": 4e9}) == (math.inf, False)
    assert seconds({}, {"compute": 0.0}) == (0.0, False)
    assert seconds(unit, {}) == (math.inf, False)


def test_the_time_of_a_type_is_that_of_its_first_unit() -> None:
    assert seconds({}, {"compute": 4e9, "times": {"board": 3.0}}, number=1) == (0.5, True)
    assert seconds({}, {"compute": 4e9, "times": {"board/gpu": 0.1}}, number=1) == (0.1, False)


def test_assumed_figures_are_marked() -> None:
    unit = {"speeds": {"net": 2e9}}
    assert seconds({**unit, "assumed": ["speeds"]}, {"compute": 4e9}) == (2.0, True)
    assert seconds(unit, {"compute": 4e9, "assumed": ["compute"]}) == (2.0, True)
    assert seconds(unit, {"times": {"board": 1.0}, "assumed": ["times"]}) == (1.0, True)


def test_reading_the_weights_may_take_longer_than_computing() -> None:
    unit = {"speed": 1e9, "bandwidth": 2e9}
    assert seconds(unit, {"compute": 4e9, "weights": 2e9}) == (4.0, True)
    assert seconds(unit, {"compute": 4e9, "weights": 2e10}) == (10.0, False)
    assert seconds({**unit, "assumed": ["bandwidth"]}, {"compute": 4e9, "weights": 2e10}) == (10.0, True)
    assert seconds(unit, {"compute": 4e9, "weights": 2e10, "assumed": ["weights"]}) == (10.0, True)
    assert seconds({"bandwidth": 2e9}, {"compute": 4e9, "weights": 2e10}) == (math.inf, False)


def test_a_layer_that_was_not_measured_has_the_overhead_of_its_unit() -> None:
    unit = {"speed": 2e9, "overhead": 0.5}
    assert seconds(unit, {"compute": 4e9}) == (2.5, True)
    assert seconds(unit, {"compute": 4e9, "times": {"board": 3.0}}) == (3.0, False)


def test_the_speed_of_a_family_has_overhead_and_reading_in_it() -> None:
    unit = {"speeds": {"net": 2e9}, "overhead": 0.5, "bandwidth": 1e9}
    assert seconds(unit, {"compute": 4e9, "weights": 9e9}) == (2.0, False)


def test_measured_energy_wins_over_power() -> None:
    kind = DeviceType.model_validate(board(power={"idle": 1.0, "load": 3.0}, units=({"name": "cpu"}, {"name": "gpu"})))
    dark = DeviceType.model_validate(board())
    device = Device.model_validate({"name": "d", "type": "board", "power": {"load": 9.0}})
    plain = Device.model_validate({"name": "d", "type": "board"})
    layer = Layer.model_validate({"name": "l", "output": 0.0, "energy": {"board": 7.0, "board/gpu": 2.0}})
    bare = Layer.model_validate({"name": "l", "output": 0.0})
    assert layer_energy(layer, 0.5, device, kind, kind.units[0]) == 7.0
    assert layer_energy(layer, 0.5, device, kind, kind.units[1]) == 2.0
    assert layer_energy(bare, 0.5, plain, kind, kind.units[0]) == 1.0
    assert layer_energy(bare, 0.5, device, kind, kind.units[0]) == 4.5
    assert math.isnan(layer_energy(bare, 0.5, plain, dark, dark.units[0]))
    assert layer_energy(bare, 0.0, plain, dark, dark.units[0]) == 0.0
    assert layer_energy(layer, 0.5, plain, dark, dark.units[0]) == 7.0


def test_variability_by_type() -> None:
    kind = DeviceType.model_validate(board(units=({"name": "cpu", "scv": 0.2}, {"name": "gpu"})))

    def scv(figure: Any, number: int) -> float:
        return layer_scv(Layer.model_validate({"name": "l", "output": 0.0, "scv": figure}), kind, kind.units[number])

    assert scv(0.5, 0) == scv({"board": 0.5}, 0) == 0.5
    assert scv(0.1, 0) == scv({"other": 0.5}, 0) == 0.2
    assert scv({"board": 0.5}, 1) == 0.0
    assert scv({"board/gpu": 0.7}, 1) == 0.7


def test_reserve() -> None:
    layer = {"times": {"board": 3.0}}
    assert seconds({}, layer, reserve={"processor": 0.25})[0] == pytest.approx(4.0)
    assert seconds({}, layer, {"reserve": {"processor": 0.5}}, reserve={"processor": 0.25})[0] == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("table", "measured_with", "given", "factor", "assumed"),
    [
        ({}, 4, None, 1.0, False),
        ({}, 4, 4, 1.0, False),
        ({}, 4, 1, 4.0, True),
        ({}, 4, 8, 0.5, True),
        ({2: 1.8, 4: 3.0}, 4, 2, 3.0 / 1.8, False),
        ({2: 1.8, 4: 3.0}, 4, 1, 3.0, False),
        ({2: 1.8, 4: 3.0}, 4, 3, 3.0 / 2.4, False),
        ({2: 1.8, 4: 3.0}, 2, 4, 1.8 / 3.0, False),
        ({2: 1.8, 4: 3.0}, 4, 8, 3.0 / 6.0, True),
        ({2: 1.8}, 4, 2, 2.0, True),
    ],
)
def test_cores(table: dict[int, float], measured_with: int, given: int | None, factor: float, assumed: bool) -> None:
    unit = {"speeds": {"net": 1e9}, "cores": measured_with, "speedup": table}
    value, is_assumed = seconds(unit, {"compute": 1e9}, {} if given is None else {"cores": given})
    assert value == pytest.approx(factor)
    assert is_assumed is assumed


def test_cores_are_those_of_the_first_unit() -> None:
    kind = DeviceType.model_validate(board(units=({"name": "cpu", "cores": 4}, {"name": "gpu", "cores": 4})))
    device = Device.model_validate({"name": "d", "type": "board", "cores": 1})
    assert core_factor(device, kind, kind.units[0]) == (4.0, True)
    assert core_factor(device, kind, kind.units[1]) == (1.0, False)
