"""The profiler on small graphs whose figures can be counted by hand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")

import numpy as np
from onnx import TensorProto, helper

from placer.errors import InputError, MissingExtraError
from placer.instance.model import Model
from placer.instance.units import BYTES, MACS
from placer.profiling.model_file import Heading
from placer.profiling.onnx.profile import Inputs, profile
from tests.profiling.onnx.build import ones, save

node = helper.make_node
CONV = node("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1])
BN = node("BatchNormalization", ["c", "s", "b", "m", "v"], ["n"], name="bn")
BN_WEIGHTS = {name: ones(4) for name in "sbmv"}


def layers(model: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the layers by name, quantities in SI units, checked against the schema on the way."""
    Model.model_validate(model, context={"from_file": True})
    return {
        layer["name"]: layer
        | {"compute": MACS.parse(layer["compute"])}
        | {key: BYTES.parse(layer[key]) for key in ("weights", "activations", "output")}
        for layer in model["layers"]
    }


def test_convolution_normalisation_and_activation_are_one_layer(tmp_path: Path) -> None:
    nodes = [CONV, BN, node("Relu", ["n"], ["y"], name="relu")]
    model = profile(save(tmp_path / "a.onnx", nodes, {"w": ones(4, 3, 3, 3), **BN_WEIGHTS}))
    (layer,) = layers(model).values()
    assert layer["name"] == "conv"
    assert layer["kind"] == "conv"
    assert layer["inputs"] == ["input"]
    assert layer["weights"] == 4 * (4 * 27 + 16)
    assert layer["output"] == 4 * 4 * 64
    assert layer["activations"] == 4 * (3 * 64 + 4 * 64)
    # the products of the convolution; the normalisation is in the weights
    assert layer["compute"] == 4 * 64 * 27
    assert model["name"] == "a"
    assert BYTES.parse(model["input"]) == 4 * 3 * 64


def test_without_fusing_every_operator_is_a_layer(tmp_path: Path) -> None:
    nodes = [CONV, BN, node("Relu", ["n"], ["y"], name="relu")]
    path = save(tmp_path / "a.onnx", nodes, {"w": ones(4, 3, 3, 3), **BN_WEIGHTS})
    result = layers(profile(path, fuse=False))
    assert list(result) == ["conv", "bn", "relu"]
    assert result["bn"]["compute"] == 4 * 64
    assert result["relu"]["inputs"] == ["bn"]


def test_a_tensor_with_two_readers_is_not_merged_over(tmp_path: Path) -> None:
    pool = node("MaxPool", ["c"], ["p"], name="pool", kernel_shape=[1, 1])
    nodes = [CONV, node("Relu", ["c"], ["r"], name="relu"), pool, node("Add", ["p", "r"], ["y"], name="sum")]
    result = layers(profile(save(tmp_path / "a.onnx", nodes, {"w": ones(4, 3, 3, 3)})))
    assert list(result) == ["conv", "relu", "pool", "sum"]
    assert result["sum"]["inputs"] == ["pool", "relu"]
    assert result["sum"]["kind"] == "add"


def test_a_normalisation_after_an_activation_keeps_its_arithmetic(tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["r"], name="conv", pads=[1, 1, 1, 1]),
        node("Relu", ["r"], ["c"], name="relu"),
        node("BatchNormalization", ["c", "s", "b", "m", "v"], ["y"], name="bn"),
    ]
    result = layers(profile(save(tmp_path / "a.onnx", nodes, {"w": ones(4, 3, 3, 3), **BN_WEIGHTS})))
    assert list(result) == ["conv", "bn"]
    assert result["bn"]["compute"] == 4 * 64


def test_a_shared_weight_counts_once(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", ["x", "w"], ["h"], name="first"),
        node("MatMul", ["h", "w"], ["y"], name="second"),
    ]
    path = save(tmp_path / "a.onnx", nodes, {"w": ones(8, 8)}, inputs={"x": [1, 8]})
    result = layers(profile(path))
    assert [result[name]["weights"] for name in ("first", "second")] == [256, 0]
    assert result["second"]["compute"] == 64
    assert result["second"]["kind"] == "fc"


def test_constants_and_shape_arithmetic_are_folded_away(tmp_path: Path) -> None:
    one = helper.make_tensor("one", TensorProto.INT64, [1], [1])
    minus = helper.make_tensor("minus", TensorProto.INT64, [1], [-1])
    nodes = [
        node("Constant", [], ["zero"], value=helper.make_tensor("zero", TensorProto.INT64, [1], [0])),
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "zero"], ["batch"]),
        node("Constant", [], ["rest"], value=minus),
        node("Concat", ["batch", "rest"], ["target"], axis=0),
        node("Constant", [], ["size"], value_ints=[192, 10]),
        node("ConstantOfShape", ["size"], ["w"], value=helper.make_tensor("f", TensorProto.FLOAT, [1], [0.5])),
        node("Transpose", ["w"], ["wt"], perm=[1, 0]),
        node("Constant", [], ["axis"], value=one),
        node("Identity", ["x"], ["same"]),
        node("Reshape", ["same", "target"], ["flat"], name="flatten"),
        node("Gemm", ["flat", "wt"], ["g"], name="fc", transB=1),
        node("Dropout", ["g"], ["d", "mask"]),
        node("Softmax", ["d"], ["y"], name="softmax"),
    ]
    result = layers(profile(save(tmp_path / "a.onnx", nodes, inputs={"x": ["N", 3, 8, 8]})))
    assert list(result) == ["flatten", "fc", "softmax"]
    assert result["fc"]["weights"] == 4 * 1920
    assert result["fc"]["compute"] == 1920
    assert result["flatten"]["weights"] == 0
    assert result["flatten"]["kind"] == "reshape"
    assert result["softmax"]["inputs"] == ["fc"]


def test_several_outputs_are_sent_together(tmp_path: Path) -> None:
    nodes = [
        node("Split", ["x", "sizes"], ["a", "b"], name="split", axis=1),
        node("Relu", ["a"], ["p"], name="left"),
        node("Sigmoid", ["b"], ["q"], name="right"),
        node("Concat", ["p", "q"], ["y"], name="join", axis=1),
    ]
    result = layers(profile(save(tmp_path / "a.onnx", nodes, {"sizes": np.array([1, 2], dtype=np.int64)})))
    assert result["split"]["output"] == 4 * 192
    assert result["join"]["inputs"] == ["left", "right"]
    assert result["split"]["compute"] == 0


def test_a_transposed_convolution_is_counted_by_its_inputs(tmp_path: Path) -> None:
    nodes = [node("ConvTranspose", ["x", "w"], ["y"], name="up", strides=[2, 2])]
    result = layers(profile(save(tmp_path / "a.onnx", nodes, {"w": ones(3, 5, 2, 2)})))
    assert result["up"]["compute"] == 3 * 64 * 5 * 4
    assert result["up"]["output"] == 4 * 5 * 256


@pytest.mark.parametrize(("operator", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_recurrent_layers(tmp_path: Path, operator: str, gates: int) -> None:
    nodes = [node(operator, ["x", "w", "r"], ["", "y"], name="cell", hidden_size=6)]
    weights = {"w": ones(1, gates * 6, 4), "r": ones(1, gates * 6, 6)}
    result = layers(profile(save(tmp_path / "a.onnx", nodes, weights, inputs={"x": [5, 1, 4]})))
    assert result["cell"]["kind"] == "recurrent"
    assert result["cell"]["compute"] == 5 * gates * 6 * (4 + 6)


def test_depthwise_and_products_of_two_activations_have_kinds_of_their_own(tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["c"], name="dw", group=3),
        node("MatMul", ["c", "c"], ["y"], name="mix"),
    ]
    result = layers(profile(save(tmp_path / "a.onnx", nodes, {"w": ones(3, 1, 1, 1)})))
    assert [layer["kind"] for layer in result.values()] == ["depthwise", "attention"]
    assert result["dw"]["compute"] == 3 * 64
    assert result["mix"]["compute"] == 3 * 8 * 8 * 8


def test_functions_of_the_model_are_inlined(tmp_path: Path) -> None:
    import onnx

    path = save(tmp_path / "a.onnx", [node("Twice", ["x"], ["y"], name="f", domain="somewhere.else")])
    model = onnx.load(path)
    body = [node("Relu", ["a"], ["b"]), node("Sigmoid", ["b"], ["c"])]
    opset = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("somewhere.else", "Twice", ["a"], ["c"], body, opset))
    onnx.save(model, path)
    assert len(profile(path, fuse=False)["layers"]) == 2


def test_an_operator_without_a_count_is_listed_and_marked(tmp_path: Path) -> None:
    nodes = [node("Det", ["x"], ["y"], name="det")]
    model = profile(save(tmp_path / "a.onnx", nodes))
    assert model["layers"][0]["assumed"] == ["compute"]
    assert "assumed, 100 % of the total: det (Det) 100 %." in model["source"]
    assert layers(model)["det"]["compute"] == 192


def test_names_are_valid_unique_and_telling(tmp_path: Path) -> None:
    nodes = [
        node("Relu", ["x"], ["/net/a b"], name="/net/relu"),
        node("Sigmoid", ["/net/a b"], ["s"], name="/net/relu"),
        node("Tanh", ["s"], ["7"], name=""),
        node("Softmax", ["7"], ["y"], name="/net/größe"),
    ]
    names = [layer["name"] for layer in profile(save(tmp_path / "Ü a.onnx", nodes))["layers"]]
    assert names == ["relu", "relu-2", "tanh1", "gr_e"]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", name) for name in names)


def test_the_source_says_how_it_was_made(tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", [node("Relu", ["x"], ["y"])])
    source = profile(path, heading=Heading(note="From a test."))["source"]
    assert source.startswith("From a test. Made by: placer profile net.onnx (placer ")
    assert "input x 1x3x8x8" in source
    assert str(tmp_path) not in source


def test_open_shapes(tmp_path: Path) -> None:
    path = save(tmp_path / "a.onnx", [node("Relu", ["x"], ["y"])], inputs={"x": ["N", 3, None, "W"]})
    with pytest.raises(InputError, match=r"input 'x' has the open shape \[N, 3, \?, W\].*x=1x3x224x224"):
        profile(path)
    model = profile(path, inputs=Inputs(shapes={"x": (2, 3, 4, 5)}))
    assert BYTES.parse(model["input"]) == 4 * 120
    with pytest.raises(InputError, match="dimension 1 is fixed, not 4"):
        profile(path, inputs=Inputs(shapes={"x": (2, 4, 4, 5)}))
    with pytest.raises(InputError, match="does not fit"):
        profile(path, inputs=Inputs(shapes={"x": (2, 3)}))
    with pytest.raises(InputError, match="'X', which is no input"):
        profile(path, inputs=Inputs(shapes={"X": (2, 3, 4, 5)}))


def test_an_open_first_dimension_is_the_batch(tmp_path: Path) -> None:
    path = save(tmp_path / "a.onnx", [node("Relu", ["x"], ["y"])], inputs={"x": ["N", 6]})
    assert BYTES.parse(profile(path)["input"]) == 24
    assert BYTES.parse(profile(path, inputs=Inputs(batch=3))["input"]) == 72
    with pytest.raises(InputError, match="batch must be 1 or more"):
        profile(path, inputs=Inputs(batch=0))


def test_one_symbol_has_one_size(tmp_path: Path) -> None:
    nodes = [node("Add", ["x", "z"], ["y"])]
    path = save(tmp_path / "a.onnx", nodes, inputs={"x": [1, "L"], "z": [1, "L"]})
    assert BYTES.parse(profile(path, inputs=Inputs(shapes={"x": (1, 7)}))["input"]) == 56
    with pytest.raises(InputError, match="'L' is 7 before, 8 here"):
        profile(path, inputs=Inputs(shapes={"x": (1, 7), "z": (1, 8)}))


@pytest.mark.parametrize("content", [b"", b"format: placer/model/1\n", b"\x00" * 100, b"PK\x03\x04"])
def test_a_file_that_is_no_model(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is no ONNX file"):
        profile(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        profile(tmp_path / "a.onnx")


def test_control_flow_is_refused_by_name(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("t", TensorProto.FLOAT, [1])
    branch = helper.make_graph([node("Identity", ["x"], ["t"])], "branch", [], [value])
    nodes = [
        node("ReduceMax", ["x"], ["most"], keepdims=0),
        node("Cast", ["most"], ["flag"], to=TensorProto.BOOL),
        node("If", ["flag"], ["y"], name="choice", then_branch=branch, else_branch=branch),
    ]
    path = save(tmp_path / "a.onnx", nodes)
    with pytest.raises(
        InputError, match=r"'choice' is a top-level If.*its condition 'flag' depends on the data"
    ) as caught:
        profile(path)
    assert caught.value.tip


def test_an_operator_whose_shape_is_unknown_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "a.onnx", [node("Magic", ["x"], ["y"], name="trick", domain="somewhere.else")])
    with pytest.raises(InputError, match=r"operator 'trick' \(Magic\)"):
        profile(path)


def test_operators_out_of_order_are_refused(tmp_path: Path) -> None:
    nodes = [node("Relu", ["later"], ["y"]), node("Relu", ["x"], ["later"])]
    with pytest.raises(InputError, match="reads 'later'"):
        profile(save(tmp_path / "a.onnx", nodes))


def test_outputs_that_do_not_depend_on_the_input_are_refused(tmp_path: Path) -> None:
    nodes = [node("Relu", ["w"], ["y"])]
    with pytest.raises(InputError, match="computes nothing"):
        profile(save(tmp_path / "a.onnx", nodes, {"w": ones(3)}))


@pytest.mark.parametrize(
    ("location", "allowed"),
    [
        ("weights.bin", True),
        ("data/w.bin", True),
        ("../w.bin", False),
        ("/etc/passwd", False),
        ("C:\\w", False),
    ],
)
def test_weights_outside_the_folder_are_refused(tmp_path: Path, location: str, allowed: bool) -> None:
    import onnx

    path = save(tmp_path / "a.onnx", [node("MatMul", ["x", "w"], ["y"])], inputs={"x": [1, 8]})
    model = onnx.load(path)
    tensor = TensorProto(name="w", dims=[8, 100], data_type=TensorProto.FLOAT)
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    model.graph.initializer.append(tensor)
    path.write_bytes(model.SerializeToString())
    if allowed:  # and not opened: there is no such file
        assert profile(path)["layers"][0]["weights"] == "3.2 kB"
    else:
        with pytest.raises(InputError, match="outside the model's folder"):
            profile(path)


def test_without_onnx_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.onnx", [node("Relu", ["x"], ["y"])])
    monkeypatch.setattr("placer.optional.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="needs the extra 'onnx'"):
        profile(path)


def test_the_package_imports_onnx_only_when_it_profiles() -> None:
    code = "import sys, placer.profiling.onnx.profile; print('onnx' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
