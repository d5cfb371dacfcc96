"""Models that are not whole are refused with the place in the file; nothing of them reaches the libraries below."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")

import numpy as np
import onnx
from onnx import TensorProto, helper

from placer.errors import InputError
from placer.profiling.onnx.profile import profile
from placer.profiling.onnx.reading import LARGEST_FILE
from tests.profiling.onnx.build import ones, save


def whole(path: Path) -> Any:
    """A model of four operators, to be damaged."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv", kernel_shape=[3, 3]),
        helper.make_node("Shape", ["c"], ["s"]),
        helper.make_node("Reshape", ["c", "s"], ["r"]),
        helper.make_node("Softmax", ["r"], ["y"], axis=1),
    ]
    return onnx.load(save(path, nodes, {"w": ones(4, 3, 3, 3), "n": np.array([1, 2], dtype=np.int64)}))


def twice(model: Any) -> None:
    for _ in range(2):
        model.functions.append(function("F", [helper.make_node("Relu", ["a"], ["b"])]))


def function(name: str, nodes: list[Any]) -> Any:
    return helper.make_function("own", name, ["a"], ["b"], nodes, [helper.make_opsetid("", 17)])


def circle(model: Any) -> None:
    for name, other in (("F", "G"), ("G", "F")):
        model.functions.append(function(name, [helper.make_node(other, ["a"], ["b"], domain="own")]))
    model.graph.node[3].op_type, model.graph.node[3].domain = "F", "own"
    del model.graph.node[3].attribute[:]


DAMAGES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "no operand": (lambda m: m.graph.node[1].ClearField("input"), r"node\[1\]: operator 's' \(Shape\): has 0 operands"),
    "no output": (lambda m: m.graph.node[1].ClearField("output"), r"node\[1\]: an operator of type 'Shape' has no"),
    "no type": (lambda m: m.graph.node[1].ClearField("op_type"), r"node\[1\]: an operator of type '' has no type"),
    "operand left out": (lambda m: m.graph.node[0].input.__setitem__(1, ""), r"node\[0\]: .* operand W is left out"),
    "wrong attribute": (
        lambda m: setattr(m.graph.node[3].attribute[0], "type", onnx.AttributeProto.STRING),
        r"node\[3\]: .* 'axis' is not of the type INT",
    ),
    "attribute twice": (
        lambda m: m.graph.node[3].attribute.append(m.graph.node[3].attribute[0]),
        r"node\[3\]: .* 'axis' is given twice",
    ),
    "order": (lambda m: m.graph.node.insert(0, m.graph.node.pop()), r"node\[0\]: .* reads 'r', which no operator"),
    "cycle": (lambda m: m.graph.node[0].input.__setitem__(0, "y"), r"node\[0\]: .* reads 'y', which no operator"),
    "made twice": (lambda m: m.graph.node[2].output.__setitem__(0, "c"), r"node\[2\]: .* makes 'c', which is there"),
    "no such output": (lambda m: setattr(m.graph.output[0], "name", "q"), r"output\[0\]: no operator makes the .* 'q'"),
    "two inputs": (lambda m: m.graph.input.append(m.graph.input[0]), r"input: 2 inputs are called 'x'"),
    "two weights": (lambda m: m.graph.initializer.append(m.graph.initializer[0]), r"initializer: two stored tensors"),
    "too few bytes": (
        lambda m: setattr(m.graph.initializer[0], "raw_data", b"1234"),
        r"initializer\[0\]: tensor 'w' of shape \[4, 3, 3, 3\] holds 4 bytes; 432 are needed",
    ),
    "no bytes": (lambda m: m.graph.initializer[0].ClearField("raw_data"), r"'w' of shape .* holds 0 values; 108"),
    "negative size": (lambda m: m.graph.initializer[0].dims.__setitem__(0, -4), r"'w' has the shape \[-4, 3, 3, 3\]"),
    "huge size": (lambda m: m.graph.initializer[0].dims.__setitem__(0, 2**62), r"initializer\[0\]: tensor 'w' has the"),
    "no type of tensor": (lambda m: setattr(m.graph.initializer[0], "data_type", 99), r"is of no type that ONNX has"),
    "no type of input": (
        lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", 99),
        r"input\[0\]: 'x' is of no type that ONNX has \(99\)",
    ),
    "huge input": (
        lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[2], "dim_value", 2**62),
        r"input\[0\]: 'x' has the shape \[1, 3, 4611686018427387904, 8\]: too large",
    ),
    "large input": (
        lambda m: [setattr(m.graph.input[0].type.tensor_type.shape.dim[d], "dim_value", 10**9) for d in (2, 3)],
        r"in its profile: .* is out of range; an amount of memory lies between",
    ),
    "function twice": (twice, r"functions: the function 'F' of domain 'own' is defined 2 times"),
    "function in a circle": (circle, r"functions: the function 'F' calls itself"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_refused(tmp_path: Path, name: str) -> None:
    damage, told = DAMAGES[name]
    path = tmp_path / "a.onnx"
    model = whole(path)
    assert profile(path)["layers"]
    damage(model)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match=told) as caught:
        profile(path)
    assert all(problem.file == str(path) for problem in caught.value.problems)


def test_no_regular_file(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/dev/zero"), tmp_path / "none.onnx"):
        with pytest.raises(InputError, match="is not a file|No such file"):
            profile(path)
    path = tmp_path / "large.onnx"
    with path.open("wb") as stream:
        stream.truncate(LARGEST_FILE + 1)  # sparse: it takes no room on the disk
    with pytest.raises(InputError, match="is larger than 1024 MiB"):
        profile(path)


def test_names_that_yaml_or_a_terminal_would_not_take(tmp_path: Path) -> None:
    """Names in a graph may be anything: the profile is read back, its source on one printable line."""
    names = [f"\x1b[31mred\x07{number}\n: #\u2028{'x' * 500}" for number in range(12)]
    nodes = [helper.make_node("Sum", names, ["y"], name="\x00\x1b")]
    path = save(tmp_path / "a.onnx", nodes, inputs={name: [1, 3] for name in names})
    model = profile(path)
    assert model["source"].isprintable()
    assert len(model["source"]) <= 4000
    assert [layer["name"] for layer in model["layers"]] == ["_"] or model["layers"][0]["name"].isprintable()


def test_little_that_would_fill_much_is_not_computed(tmp_path: Path) -> None:
    """A window of 10^9 samples from a constant of eight bytes."""
    nodes = [
        helper.make_node("HannWindow", ["n"], ["h"], output_datatype=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["h"], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    path = save(tmp_path / "a.onnx", nodes, {"n": np.array(10**9, dtype=np.int64)}, inputs={"x": [1, 3]})
    try:
        assert profile(path)["layers"]
    except InputError as error:
        assert error.problems


def looped(path: Path, body: Any, laps: int) -> Path:
    loop = helper.make_node("Loop", ["laps", "", "x"], ["y"], name="loop", body=body)
    return save(path, [loop], {"laps": np.array(laps)}, inputs={"x": [1, 8]})


def body_of(*nodes: Any) -> Any:
    ends = [("lap", TensorProto.INT64), ("was", TensorProto.BOOL), ("h", TensorProto.FLOAT)]
    inputs = [helper.make_tensor_value_info(name, kind, None) for name, kind in ends]
    outputs = [helper.make_tensor_value_info(name, kind, None) for name, kind in (("was", 9), ("k", 1))]
    return helper.make_graph(list(nodes), "body", inputs, outputs)


@pytest.mark.parametrize(
    ("nodes", "told"),
    [
        ([helper.make_node("Relu", ["gone"], ["k"])], "reads 'gone', which no operator before it makes"),
        ([helper.make_node("Relu", [], ["k"])], r"'loop/lap0/k' \(Relu\): has 0 operands"),
        ([helper.make_node("Relu", ["h"], [])], "an operator of type 'Relu' has no type or no output"),
        ([helper.make_node("If", ["was"], ["k"])], r"\(If\): its attribute .* is missing"),
        ([helper.make_node("Conv", ["h", ""], ["k"])], "its operand W is left out"),
    ],
)
def test_a_broken_operator_inside_a_loop(tmp_path: Path, nodes: list[Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        profile(looped(tmp_path / "a.onnx", body_of(*nodes), 2))


def test_many_laps_of_next_to_nothing_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("placer.profiling.onnx.folding.MOST_OPERATORS", 2000)
    same = body_of()
    same.output[1].name = "h"
    with pytest.raises(InputError, match="more than 2000 operators once its loops are laid out"):
        profile(looped(tmp_path / "a.onnx", same, 10**9))
    body = helper.make_graph([], "b", [helper.make_tensor_value_info("p", 1, None)], [])
    body.output.append(helper.make_tensor_value_info("p", 1, None))
    scan = helper.make_node("Scan", ["x"], ["y"], body=body, num_scan_inputs=1, name="scan")
    with pytest.raises(InputError, match=r"'scan' .* more than 2000 operators in all its laps"):
        profile(save(tmp_path / "b.onnx", [scan], inputs={"x": [10**8]}))


def test_an_equation_of_no_letters_ends(tmp_path: Path) -> None:
    node = helper.make_node("Einsum", ["x", "z"], ["y"], equation=b"...i\xff,...jk->...ik")
    with pytest.raises(InputError, match=r"operator 'y' \(Einsum\).*"):
        profile(save(tmp_path / "a.onnx", [node], inputs={"x": [2, 3, 4], "z": [2, 4, 4]}))
