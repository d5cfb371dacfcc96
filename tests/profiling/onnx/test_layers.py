"""Which operators are one layer, and what is in memory while it runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper

from placer.instance.units import BYTES
from placer.profiling.onnx.folding import fold
from placer.profiling.onnx.grouping import group
from placer.profiling.onnx.layers import live_bytes
from placer.profiling.onnx.operators import build_dag
from placer.profiling.onnx.profile import profile
from placer.profiling.onnx.reading import fix_inputs, read_model
from tests.profiling.onnx.build import ones, save

node = helper.make_node
CONV = node("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1])
WEIGHTS = {"w": ones(4, 3, 3, 3)}


def scalar(value: float) -> Any:
    return np.array(value, dtype=np.float32)


ACTIVATIONS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "silu": ([node("Sigmoid", ["c"], ["s"]), node("Mul", ["c", "s"], ["y"])], {}),
    "hard swish": (
        [
            node("Add", ["c", "three"], ["a"]),
            node("Clip", ["a", "zero", "six"], ["b"]),
            node("Mul", ["c", "b"], ["m"]),
            node("Div", ["m", "six"], ["y"]),
        ],
        {"three": scalar(3), "zero": scalar(0), "six": scalar(6)},
    ),
    "hard swish by hard sigmoid": ([node("HardSigmoid", ["c"], ["s"]), node("Mul", ["s", "c"], ["y"])], {}),
    "mish": (
        [node("Softplus", ["c"], ["p"]), node("Tanh", ["p"], ["t"]), node("Mul", ["c", "t"], ["y"])],
        {},
    ),
    "mish by logarithm": (
        [
            node("Exp", ["c"], ["e"]),
            node("Add", ["e", "one"], ["a"]),
            node("Log", ["a"], ["l"]),
            node("Tanh", ["l"], ["t"]),
            node("Mul", ["c", "t"], ["y"]),
        ],
        {"one": scalar(1)},
    ),
    "gelu": (
        [
            node("Div", ["c", "root"], ["d"]),
            node("Erf", ["d"], ["e"]),
            node("Add", ["e", "one"], ["a"]),
            node("Mul", ["c", "a"], ["m"]),
            node("Mul", ["m", "half"], ["y"]),
        ],
        {"root": scalar(1.4142135), "one": scalar(1), "half": scalar(0.5)},
    ),
    "gelu by tanh": (
        [
            node("Pow", ["c", "three"], ["p"]),
            node("Mul", ["p", "k"], ["q"]),
            node("Add", ["c", "q"], ["a"]),
            node("Mul", ["a", "r"], ["b"]),
            node("Tanh", ["b"], ["t"]),
            node("Add", ["t", "one"], ["u"]),
            node("Mul", ["c", "half"], ["h"]),
            node("Mul", ["h", "u"], ["y"]),
        ],
        {"three": scalar(3), "k": scalar(0.044715), "r": scalar(0.7979), "one": scalar(1), "half": scalar(0.5)},
    ),
    "prelu by relu": (
        [
            node("Relu", ["c"], ["p"]),
            node("Neg", ["c"], ["n"]),
            node("Relu", ["n"], ["q"]),
            node("Mul", ["q", "slope"], ["r"]),
            node("Sub", ["p", "r"], ["y"]),
        ],
        {"slope": ones(4, 1, 1)},
    ),
    "swish after normalisation": (
        [
            node("BatchNormalization", ["c", "g", "g", "g", "g"], ["n"]),
            node("Sigmoid", ["n"], ["s"]),
            node("Mul", ["n", "s"], ["y"]),
        ],
        {"g": ones(4)},
    ),
    "quantised silu": (
        [
            node("QuantizeLinear", ["c", "s", "z"], ["q"]),
            node("DequantizeLinear", ["q", "s", "z"], ["d"]),
            node("Sigmoid", ["d"], ["g"]),
            node("QuantizeLinear", ["g", "s", "z"], ["h"]),
            node("DequantizeLinear", ["h", "s", "z"], ["i"]),
            node("Mul", ["d", "i"], ["m"]),
            node("QuantizeLinear", ["m", "s", "z"], ["y"]),
        ],
        {"s": scalar(0.5), "z": np.array(0, dtype=np.int8)},
    ),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_of_several_operators_belongs_to_its_convolution(tmp_path: Path, name: str) -> None:
    nodes, constants = ACTIVATIONS[name]
    pool = node("MaxPool", ["y"], ["end"], name="pool", kernel_shape=[2, 2])
    model = profile(save(tmp_path / "a.onnx", [CONV, *nodes, pool], {**WEIGHTS, **constants}, outputs=["end"]))
    assert [layer["name"] for layer in model["layers"]] == ["conv", "pool"]
    assert model["layers"][0]["compute"] == "6.912 kMAC"
    size = 1 if name.startswith("quantised") else 4
    assert BYTES.parse(model["layers"][0]["output"]) == size * 4 * 64


def test_a_bias_after_a_quantised_product_belongs_to_it(tmp_path: Path) -> None:
    pair = {"s": scalar(0.5), "z": np.array(0, dtype=np.int8)}
    nodes = [
        node("MatMul", ["x", "w"], ["m"], name="fc"),
        node("QuantizeLinear", ["m", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        node("Add", ["d", "b"], ["a"], name="bias"),
        node("QuantizeLinear", ["a", "s", "z"], ["y"]),
    ]
    weights = {"w": ones(8, 6), "b": ones(6), **pair}
    (layer,) = profile(save(tmp_path / "a.onnx", nodes, weights, inputs={"x": [1, 8]}))["layers"]
    assert layer["output"] == "6 B"
    assert layer["compute"] == "48 MAC"


def gate(*nodes: Any, names: list[str], outputs: tuple[str, ...] = ("y",)) -> tuple[list[Any], list[str], Any]:
    return [CONV, *nodes], names, outputs


NOT_ITS_OWN: dict[str, tuple[list[Any], list[str], Any]] = {
    "another tensor comes in": gate(
        node("MaxPool", ["x"], ["p"], name="pool", kernel_shape=[1, 1]),
        node("Conv", ["p", "w"], ["d"], name="other", pads=[1, 1, 1, 1]),
        node("Sigmoid", ["c"], ["s"], name="gate"),
        node("Mul", ["d", "s"], ["y"], name="mul"),
        names=["conv", "pool", "other", "mul"],
    ),
    "half of it leaves": gate(
        node("Sigmoid", ["c"], ["s"], name="gate"),
        node("Mul", ["c", "s"], ["y"], name="mul"),
        node("MaxPool", ["s"], ["z"], name="pool", kernel_shape=[1, 1]),
        names=["conv", "gate", "mul", "pool"],
        outputs=("y", "z"),
    ),
    "the layer's result leaves": gate(
        node("Sigmoid", ["c"], ["s"], name="gate"),
        node("Mul", ["c", "s"], ["y"], name="mul"),
        names=["conv", "gate", "mul"],
        outputs=("y", "c"),
    ),
    "attention to channels": gate(
        node("GlobalAveragePool", ["c"], ["p"], name="pool"),
        node("Sigmoid", ["p"], ["s"], name="gate"),
        node("Mul", ["c", "s"], ["y"], name="mul"),
        names=["conv", "pool", "gate", "mul"],
    ),
}


@pytest.mark.parametrize("case", NOT_ITS_OWN)
def test_what_others_read_or_bring_is_no_activation(tmp_path: Path, case: str) -> None:
    nodes, names, outputs = NOT_ITS_OWN[case]
    model = profile(save(tmp_path / "a.onnx", nodes, WEIGHTS, outputs=outputs))
    assert [layer["name"] for layer in model["layers"]] == names


def brute_force(model: Any, runs: list[list[Any]], sizes: Callable[[str], int]) -> list[int]:
    """For each layer and each tensor ask: is it there already, and does it still matter?"""
    inputs, outputs = [value.name for value in model.graph.input], [value.name for value in model.graph.output]
    result = []
    for step in range(len(runs)):
        total = 0
        for name in {*inputs, *(each[-1].output[0] for each in runs)}:
            born = next((at for at, each in enumerate(runs) if name == each[-1].output[0]), 0)
            read = [at for at, each in enumerate(runs) if name in each[0].input]
            dies = len(runs) - 1 if name in outputs else max(read, default=born)
            total += sizes(name) if born <= step <= dies else 0
        result.append(total)
    return result


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_live_bytes_are_what_brute_force_finds(tmp_path: Path, data: st.DataObject) -> None:
    """Random graphs of sums: each step adds up to three tensors that are there."""
    names, nodes = ["x0", "x1"], []
    for step in range(data.draw(st.integers(1, 9))):
        read = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
        nodes.append(node("Concat", read, [f"t{step}"], axis=0, name=f"t{step}"))
        names.append(f"t{step}")
    outputs = data.draw(st.lists(st.sampled_from(names[2:]), min_size=1, max_size=2, unique=True))
    used = set(outputs)
    for one in reversed(nodes):
        used |= set(one.input) if one.output[0] in used else set()
    nodes = [one for one in nodes if one.output[0] in used]
    inputs = {name: [2, 3] for name in ("x0", "x1") if name in used}
    path = save(tmp_path / "a.onnx", nodes, inputs=inputs, outputs=outputs)
    model = read_model(path)
    dag = build_dag(model, fold(model, path, fix_inputs(model, path, None, 1)), path)
    expected = brute_force(model, [[one] for one in nodes], lambda name: dag.tensor(name).size)
    assert live_bytes(dag, group(dag, fuse=True)) == expected
    assert [BYTES.parse(layer["activations"]) for layer in profile(path)["layers"]] == expected


def test_a_shortcut_is_held_while_the_way_round_runs(tmp_path: Path) -> None:
    nodes = [
        CONV,
        node("Relu", ["c"], ["r"], name="relu"),
        node("Conv", ["r", "v"], ["d"], name="narrow"),
        node("Conv", ["d", "u"], ["e"], name="wide"),
        node("Add", ["e", "r"], ["y"], name="sum"),
    ]
    weights = {**WEIGHTS, "v": ones(1, 4, 1, 1), "u": ones(4, 1, 1, 1)}
    model = profile(save(tmp_path / "a.onnx", nodes, weights))
    plane = 4 * 64
    live = [BYTES.parse(layer["activations"]) / plane for layer in model["layers"]]
    assert live == [3 + 4, 4 + 1, 4 + 1 + 4, 4 + 4 + 4]


def test_results_stay_to_the_end(tmp_path: Path) -> None:
    nodes = [
        node("MaxPool", ["x"], ["early"], name="a", kernel_shape=[1, 1]),
        node("MaxPool", ["x"], ["late"], name="b", kernel_shape=[1, 1]),
    ]
    path = save(tmp_path / "a.onnx", nodes, outputs=["early", "late"])
    assert [layer["activations"] for layer in profile(path)["layers"]] == ["1.536 kB", "2.304 kB"]
