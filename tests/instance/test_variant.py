"""Arrays of a variant: probabilities, gates, privacy, pins, accuracy; and the limits of devices."""

from __future__ import annotations

import math
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from placer.errors import InputError
from placer.instance import compiled as module
from placer.instance.model import gate_layers
from placer.instance.variant import Variant
from tests.instance.build import board, chain, compiled_from

DEVICES = [{"name": name, "type": "board"} for name in ("a", "b", "c")]


def variant(model: dict[str, Any] | None = None, **service: Any) -> Variant:
    file = {"zones": {"home": ("a", "b")}} if "privacy" in service else {}
    models = {"net": model} if model else None
    return compiled_from(
        DEVICES, [{"name": "s", "model": "net", "source": "a", **service}], models=models, **file
    ).variants[0]


@st.composite
def dags(draw: st.DrawFn) -> list[list[int]]:
    count = draw(st.integers(1, 9))
    return [sorted(draw(st.sets(st.integers(-1, layer - 1), min_size=1, max_size=3))) for layer in range(count)]


@given(dags())
def test_gates_are_the_cut_nodes(predecessors: list[list[int]]) -> None:
    graph = nx.DiGraph((u, v) for v, sources in enumerate(predecessors) for u in sources)
    leaves = [v for v in range(len(predecessors)) if graph.out_degree(v) == 0]
    expected = []
    for layer in range(len(predecessors)):
        rest = graph.copy()
        rest.remove_node(layer)
        if not any(leaf != layer and nx.has_path(rest, -1, leaf) for leaf in leaves):
            expected.append(layer)
    assert gate_layers(predecessors) == expected


def test_run_and_leave_probabilities() -> None:
    exits = ({"after": "l0", "share": 0.3}, {"after": "l2", "share": 0.2})
    v = variant(chain(5, exits=exits))
    assert v.run == pytest.approx([1, 0.7, 0.7, 0.5, 0.5])
    assert v.leave == pytest.approx([0.3, 0, 0.2, 0, 0.5])
    assert v.leave.sum() == pytest.approx(1)
    own = variant(chain(5, exits=exits), exits={"l0": 0.8})
    assert own.run == pytest.approx([1, 0.2, 0.2, 0, 0], abs=1e-12)
    assert own.run.min() >= 0


def test_accuracy_over_exits() -> None:
    exits = ({"after": "l0", "share": 0.3, "accuracy": 0.6}, {"after": "l2", "share": 0.0})
    assert variant(chain(4, exits=exits, accuracy=0.9)).accuracy == pytest.approx(0.3 * 0.6 + 0.7 * 0.9)
    assert math.isnan(variant(chain(4, exits=exits)).accuracy)
    assert math.isnan(variant(chain(4)).accuracy)


def test_result_sizes() -> None:
    v = variant(chain(4, exits=({"after": "l1", "share": 0.3},)))
    assert v.result_size(1) == v.result_size(3) == 4e4
    assert (v.tensor_size(-1), v.tensor_size(0)) == (1e5, 1e4)
    assert (v.is_chain, v.roots, v.leaves, v.edges) == (True, (0,), (3,), ((0, 1), (1, 2), (2, 3)))


def test_pins_and_forbidden_pairs() -> None:
    v = variant(pins={"*": ("a", "b"), "l1": ("b", "c")}, forbid={"l0": ("a",), "*": ("c/cpu",)})
    assert v.allowed.astype(int).tolist() == [[0, 1, 0], [0, 1, 0], [1, 1, 0], [1, 1, 0]]


def test_privacy_of_tensors() -> None:
    layers = (
        {"name": "l0", "output": 1.0},
        {"name": "l1", "inputs": ("l0",), "output": 1.0},
        {"name": "l2", "inputs": ("l0",), "output": 1.0},
        {"name": "l3", "inputs": ("l1", "l2"), "output": 1.0},
    )
    v = variant(chain(4) | {"layers": layers}, privacy={"until": "l1", "zone": ("home",)})
    assert v.private.tolist() == [True, False, False, False, True]
    assert v.zone == {0, 1}
    assert v.allowed.astype(int).tolist() == [[1, 1, 0], [1, 1, 0], [1, 1, 0], [1, 1, 1]]
    assert variant(privacy={"until": "l1", "zone": ("a", "c")}).zone == {0, 2}
    assert not variant().private.any()


def test_figures_of_a_device_win_over_its_type() -> None:
    kind = board(flash=5e8, reserve={"memory": 1e8}, power={"idle": 1.0, "load": 3.0}, max_compute=7e9)
    devices = [
        {"name": "a", "type": "board"},
        {"name": "b", "type": "board", "memory": 6e8, "flash": 2e8, "reserve": {"memory": 2e8}, "layers": 2},
        {"name": "c", "type": "board", "power": {"load": 5.0}, "max_compute": 1e9, "utilisation": 0.5},
        {"name": "d", "type": "board", "compute": False},
    ]
    limits = {"layers": 4, "utilisation": 0.8}
    c = compiled_from(devices, [{"name": "s", "model": "net", "source": "d"}], types={"board": kind}, limits=limits)
    assert c.memory.tolist() == [9e8, 4e8, 9e8, 9e8]
    assert c.flash.tolist() == [5e8, 2e8, 5e8, 5e8]
    assert c.max_layers.tolist() == [4, 2, 4, 4]
    assert c.max_compute.tolist() == [7e9, 7e9, 1e9, 7e9]
    assert c.max_work.tolist() == [0.8, 0.8, 0.5]
    assert c.power.tolist() == [2, 2, 5]
    assert c.station_device.tolist() == [0, 1, 2]
    assert c.source.tolist() == c.sink.tolist() == [3]


def test_rates_of_arrival_processes() -> None:
    def rate(**arrivals: Any) -> float:
        service = {"name": "s", "model": "net", "source": "a", "arrivals": arrivals}
        return float(compiled_from(DEVICES, [service]).rate[0])

    assert rate(rate=3.0) == 3
    assert rate(process="periodic", rate=2.0) == 2
    states = ({"rate": 1.0, "mean": 2.0}, {"rate": 10.0, "mean": 1.0})
    assert rate(process="mmpp", states=states) == pytest.approx(4)
    assert rate(process="trace", times=(1.0, 2.0, 5.0)) == pytest.approx(0.5)
    assert np.isnan(compiled_from(DEVICES, [{"name": "s", "model": "net", "source": "a"}]).rate[0])


def test_units_and_stations() -> None:
    two = board(units=({"name": "cpu", "speed": 1e9}, {"name": "gpu", "speed": 2e9, "memory": 1e6}))
    devices = [{"name": "a", "type": "board"}, {"name": "b", "type": "two"}]
    c = compiled_from(devices, [{"name": "s", "model": "net", "source": "a"}], types={"two": two})
    assert [station.name for station in c.stations] == ["a", "b/cpu", "b/gpu"]
    assert c.station_index["b", "gpu"] == 2
    assert np.isnan(c.unit_memory[:2]).all()
    assert c.unit_memory[2] == 1e6


def test_too_large_an_instance_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_TABLE", 11)
    with pytest.raises(InputError, match="too many"):
        variant()
