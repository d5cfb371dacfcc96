"""Kinds of graphs that people have: control flow that is none, operators of onnxruntime, recorded shapes, sequences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from placer.errors import InputError
from placer.instance.units import BYTES, MACS
from placer.profiling.onnx.profile import Inputs, profile
from tests.profiling.onnx import independent
from tests.profiling.onnx.build import ones, save

node = helper.make_node
MICROSOFT = "com.microsoft"


def info(name: str, *shape: int | str | None, kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, None if shape == (None,) else list(shape))


def stored(path: Path, graph: Any, opset: int = 17, domains: tuple[str, ...] = ()) -> Path:
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
    return path


def layers(model: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {layer["name"]: layer for layer in model["layers"]}


def macs(model: dict[str, Any]) -> float:
    return sum(MACS.parse(layer["compute"]) for layer in model["layers"])


def made(model: dict[str, Any]) -> float:
    """Bytes of the last layer's result."""
    return BYTES.parse(model["layers"][-1]["output"])


# -- control flow -----------------------------------------------------------------------------------------------


def branch(name: str, *nodes: Any, ends: str) -> Any:
    return helper.make_graph(list(nodes), name, [], [info(ends, None)])


def test_an_if_whose_condition_follows_from_shapes_is_what_it_runs(tmp_path: Path) -> None:
    """As PyTorch exports ``squeeze`` of an axis of open length."""
    nodes = [
        node("Conv", ["x", "w"], ["c"], name="conv"),
        node("Shape", ["c"], ["s"]),
        node("Gather", ["s", "one"], ["d"]),
        node("Equal", ["d", "one"], ["yes"]),
        node(
            "If", ["yes"], ["y"], name="if",
            then_branch=branch("then", node("Squeeze", ["c", "one1"], ["t"], name="squeeze"), ends="t"),
            else_branch=branch("else", node("Identity", ["c"], ["e"]), ends="e"),
        ),
    ]  # fmt: skip
    weights = {"w": ones(1, 1, 3, 3), "one": np.array(1), "one1": np.array([1])}
    path = save(tmp_path / "a.onnx", nodes, weights, inputs={"x": ["n", 1, 8, 8]})
    (layer,) = profile(path)["layers"]
    assert layer["name"] == "conv"
    assert layer["output"] == "144 B"
    assert list(layers(profile(path, fuse=False))) == ["conv", "squeeze"]


def nested(condition: str, then: Any, other: Any, output: str) -> Any:
    return node("If", [condition], [output], then_branch=then, else_branch=other)


def test_nested_branches_with_weights_of_their_own_and_names_used_twice(tmp_path: Path) -> None:
    def layer(name: str, wide: int) -> Any:
        graph = branch(name, node("MatMul", ["x", "w"], ["h"]), node("Relu", ["h"], ["r"]), ends="r")
        graph.initializer.append(numpy_helper.from_array(ones(8, wide), "w"))
        return graph

    inner = branch("inner", nested("yes", layer("a", 4), layer("b", 5), "i"), ends="i")
    nodes = [
        nested("yes", inner, layer("c", 6), "first"),
        nested("no", layer("d", 7), layer("e", 3), "second"),
        node("Concat", ["first", "second"], ["y"], axis=1),
    ]
    values = {"yes": np.array(True), "no": np.array([False])}
    model = profile(save(tmp_path / "a.onnx", nodes, values, inputs={"x": [1, 8]}))
    assert macs(model) == 8 * 4 + 8 * 3
    assert made(model) == 4 * 7
    assert sum(BYTES.parse(layer["weights"]) for layer in model["layers"]) == 4 * (32 + 24)


def recurrence(*, stops_at: int | None = None) -> Any:
    """A body that multiplies by weights of its own, hands the result on and collects a slice a lap."""
    nodes = [node("MatMul", ["h", "w"], ["g"], name="step"), node("Relu", ["g"], ["k"])]
    if stops_at is None:
        nodes.append(node("Identity", ["on"], ["goes"]))
    else:
        nodes += [
            node("Constant", [], ["end"], value=helper.make_tensor("end", TensorProto.INT64, [], [stops_at])),
            node("Less", ["lap", "end"], ["goes"]),
        ]
    nodes.append(node("Identity", ["k"], ["slice"]))
    graph = helper.make_graph(
        nodes,
        "body",
        [info("lap", kind=TensorProto.INT64), info("on", kind=TensorProto.BOOL), info("h", 1, 8)],
        [info("goes", kind=TensorProto.BOOL), info("k", 1, 8), info("slice", 1, 8)],
        [numpy_helper.from_array(ones(8, 8), "w")],
    )
    return graph


@pytest.mark.parametrize(
    ("limit", "condition", "stops_at", "laps"),
    [("m", "yes", None, 5), ("m", "", None, 5), ("", "yes", 2, 3), ("m", "yes", 1, 2), ("m", "", 1, 2)],
)
def test_a_loop_of_known_laps_is_its_body_as_often(
    tmp_path: Path, limit: str, condition: str, stops_at: int | None, laps: int
) -> None:
    loop = node("Loop", [limit, condition, "x"], ["last", "all"], name="loop", body=recurrence(stops_at=stops_at))
    nodes = [loop, node("Relu", ["all"], ["y"]), node("Relu", ["last"], ["z"])]
    values = {"m": np.array(5), "yes": np.array(True)}
    path = save(tmp_path / "a.onnx", nodes, values, inputs={"x": [1, 8]}, outputs=["y", "z"])
    model = profile(path)
    assert macs(model) == laps * 64
    weights = [BYTES.parse(layer["weights"]) for layer in model["layers"]]
    assert sum(weights) == 256, "stored once, however many laps"
    sizes = [BYTES.parse(layer["output"]) for layer in model["layers"]]
    assert 4 * laps * 8 in sizes
    pytest.importorskip("onnxruntime")
    real = independent.load(path)
    assert independent.count(real, tmp_path, independent.feed_of(real)).macs == laps * 64


def test_a_loop_that_never_ends_and_one_that_nobody_knows_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("placer.profiling.onnx.folding.MOST_OPERATORS", 500)
    endless = node("Loop", ["", "yes", "x"], ["y", "all"], name="loop", body=recurrence())
    path = save(tmp_path / "a.onnx", [endless], {"yes": np.array(True)}, inputs={"x": [1, 8]})
    with pytest.raises(InputError, match="more than 500 operators once its loops are laid out"):
        profile(path)
    nodes = [
        node("ReduceMax", ["x"], ["most"], keepdims=0),
        node("Cast", ["most"], ["m"], to=TensorProto.INT64),
        node("Loop", ["m", "", "x"], ["y", "all"], name="loop", body=recurrence()),
    ]
    with pytest.raises(InputError, match=r"'loop' is a top-level Loop.*number of laps 'm' depends on the data"):
        profile(save(tmp_path / "b.onnx", nodes, inputs={"x": [1, 8]}))


@pytest.mark.parametrize("back", [0, 1])
def test_a_scan_goes_through_an_axis(tmp_path: Path, back: int) -> None:
    body = helper.make_graph(
        [node("MatMul", ["h", "w"], ["k"]), node("Add", ["k", "part"], ["n"]), node("Identity", ["n"], ["slice"])],
        "body", [info("h", 1, 8), info("part", 1, 8)], [info("n", 1, 8), info("slice", 1, 8)],
    )  # fmt: skip
    scan = node(
        "Scan", ["zero", "x"], ["last", "y"], body=body, num_scan_inputs=1, scan_input_axes=[1],
        scan_input_directions=[back], scan_output_axes=[2],
    )  # fmt: skip
    path = save(tmp_path / "a.onnx", [scan], {"zero": ones(1, 8), "w": ones(8, 8)}, inputs={"x": [1, 6, 8]})
    model = profile(path)
    assert macs(model) == 5 * 64, "the first lap multiplies constants only"
    assert made(model) == 4 * 6 * 8


def test_a_value_of_an_input_settles_what_runs(tmp_path: Path) -> None:
    nodes = [
        node("Equal", ["rate", "sixteen"], ["wide"]),
        nested(
            "wide",
            branch("a", node("MatMul", ["x", "w"], ["t"]), ends="t"),
            branch("b", node("MatMul", ["x", "v"], ["u"]), ends="u"),
            "y",
        ),
    ]
    weights = {"w": ones(8, 16), "v": ones(8, 8), "sixteen": np.array(16000)}
    path = save(tmp_path / "a.onnx", nodes, weights, inputs={"x": [1, 8]})
    model = onnx.load(path)
    model.graph.input.append(info("rate", kind=TensorProto.INT64))
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="its condition 'wide' depends on the data") as caught:
        profile(path)
    assert "--input-value" in str(caught.value.tip)
    assert macs(profile(path, inputs=Inputs(values={"rate": 16000}))) == 128
    assert macs(profile(path, inputs=Inputs(values={"rate": 8000}))) == 64
    for values, message in (({"rates": 1}, "did you mean 'rate'"), ({"rate": 0.5}, "int64, which does not hold 0.5")):
        with pytest.raises(InputError, match=message):
            profile(path, inputs=Inputs(values=values))


# -- shapes -------------------------------------------------------------------------------------------------------


def own(shape: tuple[int | str, ...], inputs: tuple[int | str, ...], *, inside: bool = False) -> Any:
    nodes = [node("MyAct", ["c"], ["act"], domain="acme"), node("Conv", ["act", "v"], ["y"], name="last")]
    weights = {"w": ones(4, 3, 3, 3), "v": ones(2, 4, 1, 1)}
    graph = helper.make_graph(
        [node("Conv", ["x", "w"], ["c"], name="first"), *nodes], "own", [info("x", *inputs)], [info("y", None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )  # fmt: skip
    if inside:
        graph.value_info.append(info("act", *shape))
    return graph


def test_the_files_record_is_taken_where_no_rule_gives_a_shape(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.onnx", own((1, 4, 6, 6), (1, 3, 8, 8), inside=True), domains=("acme",))
    model = profile(path)
    assert layers(model)["last"]["output"] == "288 B"
    assert "the file's own record is taken: act." in model["source"]
    assert "act (MyAct)" in model["source"]
    assert layers(model)["act"]["assumed"] == ["compute"]


def test_a_recorded_name_of_a_size_is_the_inputs(tmp_path: Path) -> None:
    graph = own(("n", 4, 6, 6), ("n", 3, 8, 8), inside=True)
    path = stored(tmp_path / "a.onnx", graph, domains=("acme",))
    assert layers(profile(path, inputs=Inputs(batch=3)))["last"]["output"] == "864 B"
    graph.value_info[0].type.tensor_type.shape.dim[2].dim_param = "floor(h/2)"
    path = stored(tmp_path / "b.onnx", graph, domains=("acme",))
    with pytest.raises(InputError, match="no rule for operators of 'acme' gives it, and the file does not record it"):
        profile(path)


def test_a_length_of_zero_is_a_shape(tmp_path: Path) -> None:
    nodes = [node("Concat", ["x", "past"], ["c"], axis=1, name="join"), node("Relu", ["c"], ["y"])]
    path = save(tmp_path / "a.onnx", nodes, inputs={"x": [1, 8], "past": [1, 0]})
    model = profile(path)
    assert model["input"] == "32 B"
    assert layers(model)["join"]["output"] == "32 B"
    # old exporters write 0 where a size is open
    assert profile(path, inputs=Inputs({"past": (1, 4)}))["input"] == "48 B"
    minus = save(tmp_path / "b.onnx", nodes, inputs={"x": [1, 8], "past": [1, -1]})
    with pytest.raises(InputError, match=r"'past' has the open shape \[1, \?\]"):
        profile(minus)


@pytest.mark.parametrize(
    ("opset", "attributes"), [(1, {"consumed_inputs": [0, 0, 0, 1, 1]}), (6, {}), (7, {}), (9, {})]
)
def test_batch_normalisations_of_old_operator_sets(tmp_path: Path, opset: int, attributes: dict[str, Any]) -> None:
    if opset < 7:
        attributes = {**attributes, "is_test": 1}
    nodes = [
        node("Conv", ["x", "w"], ["c"], name="conv"),
        node("BatchNormalization", ["c", "s", "b", "m", "v"], ["n"], name="bn", **attributes),
        node("Relu", ["n"], ["y"], **({"consumed_inputs": [0]} if opset == 1 else {})),
    ]
    weights = {"w": ones(4, 3, 3, 3), **{name: ones(4) for name in "sbmv"}}
    (layer,) = profile(save(tmp_path / "a.onnx", nodes, weights, opset=opset))["layers"]
    assert layer["compute"] == "3.888 kMAC"


def test_operators_whose_first_definition_has_no_rule(tmp_path: Path) -> None:
    nodes = [
        node("Add", ["x", "b"], ["a"], broadcast=1, axis=1),
        node("Reshape", ["a"], ["r"], shape=[1, 12, 4, 4]),
        node("Pad", ["r"], ["p"], paddings=[0, 0, 1, 1, 0, 0, 1, 1]),
        node("Concat", ["p", "p"], ["c"]),
        node("Split", ["c"], ["u", "z"], axis=1, split=[8, 16]),
        node("Upsample", ["u"], ["up"], height_scale=2.0, width_scale=2.0, mode="nearest"),
        node("Cast", ["z"], ["half"], to="FLOAT16"),
    ]
    path = save(tmp_path / "a.onnx", nodes, {"b": ones(3)}, outputs=["up", "half"], opset=1)
    model = profile(path, fuse=False)
    assert layers(model)["up"]["output"] == f"{4 * 8 * 144 / 1000:g} kB"
    assert layers(model)["half"]["output"] == f"{2 * 16 * 36 / 1000:g} kB"


# -- sequences ----------------------------------------------------------------------------------------------------


def test_sequences_whose_members_are_known_are_followed(tmp_path: Path) -> None:
    nodes = [
        node("SplitToSequence", ["x", "two"], ["s"], axis=1),
        node("SequenceAt", ["s", "last"], ["a"]),
        node("MatMul", ["a", "w"], ["m"], name="fc"),
        node("SequenceInsert", ["s", "m"], ["t"]),
        node("SequenceErase", ["t", "one"], ["u"]),
        node("SequenceLength", ["u"], ["n"]),
        node("ConcatFromSequence", ["u"], ["c"], axis=1),
        node("Expand", ["c", "n1"], ["e"]),
        node("Relu", ["e"], ["y"]),
    ]
    weights = {"two": np.array(2), "last": np.array(-1), "one": np.array(1), "w": ones(2, 5), "n1": np.array([1])}
    model = profile(save(tmp_path / "a.onnx", nodes, weights, inputs={"x": [1, 6]}))
    assert macs(model) == 10
    assert made(model) == 4 * (2 + 2 + 5)


def test_a_sequence_whose_members_are_not_known_is_called_one(tmp_path: Path) -> None:
    nodes = [
        node("NonZero", ["x"], ["i"]),
        node("SplitToSequence", ["x", "i"], ["s"]),
        node("SequenceAt", ["s", "i"], ["y"]),
    ]
    with pytest.raises(InputError, match=r"'s' \(SplitToSequence\) splits 'x' by 'i', which depends on the data; only"):
        profile(save(tmp_path / "a.onnx", nodes, inputs={"x": [4]}))
    graph = helper.make_graph(
        [node("SequenceAt", ["s", "i"], ["y"])], "g",
        [helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, [1, 2])], [info("y", None)],
        [numpy_helper.from_array(np.array(0), "i")],
    )  # fmt: skip
    with pytest.raises(InputError, match="input 's' is no tensor .a sequence"):
        profile(stored(tmp_path / "b.onnx", graph))


# -- counts -------------------------------------------------------------------------------------------------------


def counted(tmp_path: Path, operator: Any, inputs: dict[str, Any], weights: Any = None, opset: int = 23) -> float:
    path = save(tmp_path / "a.onnx", [operator], weights, inputs=inputs, opset=opset)
    model = profile(path)
    assert "assumed" not in model["layers"][0]
    return macs(model)


def test_attention_multiplies_queries_keys_and_values(tmp_path: Path) -> None:
    heads = {"q_num_heads": 8, "kv_num_heads": 8}
    three = {name: [1, 1024, 512] for name in "qkv"}
    whole = counted(tmp_path, node("Attention", [*"qkv"], ["y"], **heads), three)
    assert whole == 2 * 1024 * 1024 * 512
    # four heads of queries share one of keys; 6 keys and 3 old ones
    few = {"q_num_heads": 8, "kv_num_heads": 2}
    inputs = {"q": [1, 5, 64], "k": [1, 6, 16], "v": [1, 6, 24], "p": [1, 2, 3, 8], "o": [1, 2, 3, 12]}
    operator = node("Attention", ["q", "k", "v", "", "p", "o"], ["y", "pk", "pv"], **few)
    assert counted(tmp_path, operator, inputs) == 5 * 9 * (64 + 8 * 12)
    four = {"q": [2, 8, 5, 4], "k": [2, 2, 6, 4], "v": [2, 2, 6, 7]}
    assert counted(tmp_path, node("Attention", [*"qkv"], ["y"]), four) == 2 * 8 * 5 * 6 * (4 + 7)


@pytest.mark.parametrize(
    ("equation", "shapes", "expected"),
    [
        ("ij,jk->ik", ([3, 4], [4, 5]), 60),
        ("bhid,bhjd->bhij", ([2, 3, 4, 5], [2, 3, 6, 5]), 720),
        ("...ij,...jk->...ik", ([2, 7, 3, 4], [4, 5]), 2 * 7 * 60),
        ("ij,jk,kl->il", ([3, 4], [4, 5], [5, 6]), 3 * 4 * 5 + 3 * 5 * 6),
        ("i,i", ([9], [9]), 9),
        ("ij->ji", ([3, 4],), 0),
        ("ii->i", ([4, 4],), 0),
        (" b i , b j -> b i j ", ([2, 3], [2, 4]), 24),
    ],
)
def test_einsum(tmp_path: Path, equation: str, shapes: tuple[list[int], ...], expected: int) -> None:
    inputs = {f"x{number}": shape for number, shape in enumerate(shapes)}
    assert counted(tmp_path, node("Einsum", list(inputs), ["y"], equation=equation), inputs) == expected


@pytest.mark.parametrize(
    ("mode", "opset", "neighbours"),
    [("bilinear", 16, 4), ("nearest", 16, 0), ("bicubic", 16, 16), ("linear", 20, 4), ("cubic", 20, 16)],
)
def test_grid_sample_weighs_its_neighbours(tmp_path: Path, mode: str, opset: int, neighbours: int) -> None:
    inputs = {"x": [1, 3, 9, 9], "g": [1, 5, 6, 2]}
    operator = node("GridSample", ["x", "g"], ["y"], mode=mode)
    assert counted(tmp_path, operator, inputs, opset=opset) == 3 * 5 * 6 * neighbours


def test_resize_weighs_along_the_axes_that_change(tmp_path: Path) -> None:
    def resized(mode: str, *scales: float) -> float:
        operator = node("Resize", ["x", "", "s"], ["y"], mode=mode)
        return counted(tmp_path, operator, {"x": [1, 3, 4, 4]}, {"s": np.array(scales, dtype=np.float32)}, 17)

    assert resized("linear", 1, 1, 2, 2) == 3 * 64 * 4
    assert resized("linear", 1, 1, 2, 1) == 3 * 32 * 2
    assert resized("cubic", 1, 1, 2, 2) == 3 * 64 * 16
    assert resized("nearest", 1, 1, 2, 2) == 0


def test_fourier_transforms(tmp_path: Path) -> None:
    values = {"step": np.array(64), "n": np.array(256), "w": ones(256)}
    operator = node("STFT", ["x", "step", "w", "n"], ["y"])
    frames = (1024 - 256) // 64 + 1
    assert counted(tmp_path, operator, {"x": [1, 1024, 1]}, values, 17) == frames * (256 + 2 * 256 * 8)
    operator = node("DFT", ["x"], ["y"], axis=1, onesided=1)
    assert counted(tmp_path, operator, {"x": [3, 128, 1]}, None, 17) == 3 * 2 * 128 * 7
    operator = node("Rfft", ["x"], ["y"], signal_ndim=1, onesided=1, domain=MICROSOFT)
    graph = helper.make_graph([operator], "g", [info("x", 3, 16)], [info("y", None)])
    model = profile(stored(tmp_path / "b.onnx", graph, domains=(MICROSOFT,)))
    assert macs(model) == 3 * 2 * 16 * 4
    assert made(model) == 4 * 3 * 9 * 2


# -- operators of onnxruntime, run in onnxruntime ------------------------------------------------------------------

BATCH, LENGTH, WIDE = 2, 5, 16
TOKENS = {"x": (BATCH, LENGTH, WIDE)}


def scale(*names: str) -> dict[str, Any]:
    return {name: np.array(0.5, dtype=np.float32) for name in names}


def zero(*names: str) -> dict[str, Any]:
    return {name: np.array(3, dtype=np.uint8) for name in names}


BYTES8 = {"q": np.ones((4, 3, 3, 3), dtype=np.uint8)}
CONTRIB: dict[str, tuple[Any, dict[str, tuple[int, ...]], dict[str, Any], int]] = {
    "FusedMatMul": (
        node("FusedMatMul", ["x", "w"], ["y"], transA=1, domain=MICROSOFT),
        {"x": (2, 7, 3)}, {"w": ones(2, 7, 4)}, 2 * 3 * 7 * 4,
    ),
    "FusedConv": (
        node("FusedConv", ["x", "w"], ["y"], activation="Relu", strides=[2, 2], pads=[1, 1, 1, 1], domain=MICROSOFT),
        {"x": (1, 3, 9, 8)}, {"w": ones(4, 3, 3, 3)}, 4 * 5 * 4 * 27,
    ),
    "FusedGemm": (
        node("FusedGemm", ["x", "w"], ["y"], activation="Relu", transB=1, domain=MICROSOFT),
        {"x": (2, 7)}, {"w": ones(5, 7)}, 70,
    ),
    "Gelu": (node("Gelu", ["x"], ["y"], domain=MICROSOFT), TOKENS, {}, 0),
    "FastGelu": (node("FastGelu", ["x", "b"], ["y"], domain=MICROSOFT), TOKENS, {"b": ones(WIDE)}, 0),
    "QuickGelu": (node("QuickGelu", ["x"], ["y"], domain=MICROSOFT), TOKENS, {}, 0),
    "BiasGelu": (node("BiasGelu", ["x", "b"], ["y"], domain=MICROSOFT), TOKENS, {"b": ones(WIDE)}, 0),
    "SkipLayerNormalization": (
        node("SkipLayerNormalization", ["x", "s", "g"], ["y", "", "", "sum"], domain=MICROSOFT),
        {"x": (BATCH, LENGTH, WIDE), "s": (BATCH, LENGTH, WIDE)}, {"g": ones(WIDE)}, BATCH * LENGTH * WIDE,
    ),
    "Attention": (
        node("Attention", ["x", "w", "b"], ["y"], num_heads=4, domain=MICROSOFT),
        TOKENS, {"w": ones(WIDE, 3 * WIDE), "b": ones(3 * WIDE)},
        BATCH * LENGTH * (WIDE * 3 * WIDE + LENGTH * 2 * WIDE),
    ),
    "MultiHeadAttention": (
        node("MultiHeadAttention", ["x", "k", "v"], ["y"], num_heads=4, domain=MICROSOFT),
        {"x": (BATCH, LENGTH, WIDE), "k": (BATCH, 7, WIDE), "v": (BATCH, 7, 32)}, {},
        BATCH * LENGTH * 7 * (WIDE + 32),
    ),
    "GroupQueryAttention": (
        node(
            "GroupQueryAttention", ["x", "k", "v", "", "", "n", "t"], ["y", "pk", "pv"], num_heads=4, kv_num_heads=2,
            domain=MICROSOFT,
        ),
        {"x": (1, LENGTH, 32), "k": (1, LENGTH, 16), "v": (1, LENGTH, 16)},
        {"n": np.array([LENGTH - 1], dtype=np.int32), "t": np.array(LENGTH, dtype=np.int32)},
        LENGTH * LENGTH * 4 * 2 * 8,
    ),
    "MatMulNBits": (
        node("MatMulNBits", ["x", "w", "s"], ["y"], K=32, N=6, bits=4, block_size=32, domain=MICROSOFT),
        {"x": (1, 3, 32)}, {"w": np.ones((6, 1, 16), dtype=np.uint8), "s": ones(6)}, 3 * 32 * 6,
    ),
    "DynamicQuantizeMatMul": (
        node("DynamicQuantizeMatMul", ["x", "w", "s", "z"], ["y"], domain=MICROSOFT),
        {"x": (3, 7)}, {"w": np.ones((7, 4), dtype=np.uint8), **scale("s"), **zero("z")}, 84,
    ),
    "QLinearAdd": (
        node("QLinearAdd", ["i", "s", "z", "j", "s", "z", "s", "z"], ["y"], domain=MICROSOFT),
        {"x": (1, 3, 4, 4)}, {**scale("s"), **zero("z")}, 0,
    ),
    "QLinearConcat": (
        node("QLinearConcat", ["s", "z", "i", "s", "z", "j", "s", "z"], ["y"], axis=1, domain=MICROSOFT),
        {"x": (1, 3, 4, 4)}, {**scale("s"), **zero("z")}, 0,
    ),
    "QLinearSigmoid": (
        node("QLinearSigmoid", ["i", "s", "z", "s", "z"], ["y"], domain=MICROSOFT),
        {"x": (1, 3, 4, 4)}, {**scale("s"), **zero("z")}, 0,
    ),
    "QLinearGlobalAveragePool": (
        node("QLinearGlobalAveragePool", ["i", "s", "z", "s", "z"], ["y"], domain=MICROSOFT),
        {"x": (1, 3, 4, 4)}, {**scale("s"), **zero("z")}, 0,
    ),
    "QLinearAveragePool": (
        node("QLinearAveragePool", ["i", "s", "z", "s", "z"], ["y"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1,
             domain=MICROSOFT),
        {"x": (1, 3, 8, 8)}, {**scale("s"), **zero("z")}, 0,
    ),
    "QLinearConv": (
        node("QLinearConv", ["i", "s", "z", "q", "s", "z", "s", "z"], ["y"], pads=[1, 1, 1, 1], domain=MICROSOFT),
        {"x": (1, 3, 8, 8)}, {**scale("s"), **zero("z"), **BYTES8}, 4 * 64 * 27,
    ),
    "QGemm": (
        node("QGemm", ["i", "s", "z", "q", "s", "z", "", "s", "z"], ["y"], domain=MICROSOFT),
        {"x": (3, 7)}, {**scale("s"), **zero("z"), "q": np.ones((7, 4), dtype=np.uint8)}, 84,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTRIB)
def test_operators_of_onnxruntime(tmp_path: Path, name: str) -> None:
    """Their shapes are what onnxruntime makes, their work what is counted by hand."""
    onnxruntime = pytest.importorskip("onnxruntime")
    operator, inputs, weights, expected = CONTRIB[name]
    outputs = [end for end in operator.output if end]
    quantised = [node("QuantizeLinear", ["x", "s0", "z0"], [end]) for end in ("i", "j") if end in operator.input]
    if quantised:
        weights = weights | {"s0": np.array(0.5, dtype=np.float32), "z0": np.array(3, dtype=np.uint8)}
    graph = helper.make_graph(
        [*quantised, operator], "g", [info(one, *shape) for one, shape in inputs.items()],
        [onnx.ValueInfoProto(name=end) for end in outputs],
        [numpy_helper.from_array(np.asarray(value), one) for one, value in weights.items()],
    )  # fmt: skip
    path = stored(tmp_path / "a.onnx", graph, domains=(MICROSOFT,))
    model = profile(path, fuse=False)
    layer = model["layers"][-1]
    assert "assumed" not in layer
    assert macs(model) == expected
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    runner = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    feed = {one: np.ones(shape, dtype=np.float32) for one, shape in inputs.items()}
    real = sum(np.asarray(value).nbytes for value in runner.run(None, feed))
    assert BYTES.parse(layer["output"]) == real


OPTIMISED = {
    "gelu": [
        node("Div", ["x", "root"], ["d"]), node("Erf", ["d"], ["e"]), node("Add", ["e", "one"], ["a"]),
        node("Mul", ["x", "a"], ["m"]), node("Mul", ["m", "half"], ["y"]),
    ],
    "layer normalisation": [
        node("ReduceMean", ["x"], ["mean"], axes=[-1]), node("Sub", ["x", "mean"], ["s"]),
        node("Pow", ["s", "two"], ["p"]), node("ReduceMean", ["p"], ["v"], axes=[-1]),
        node("Add", ["v", "tiny"], ["t"]),
        node("Sqrt", ["t"], ["r"]), node("Div", ["s", "r"], ["q"]), node("Mul", ["q", "g"], ["h"]),
        node("Add", ["h", "b"], ["y"]),
    ],
    "convolution": [node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), node("Relu", ["c"], ["y"])],
    "product of a turned matrix": [
        node("Transpose", ["x"], ["t"], perm=[0, 1, 3, 2]), node("MatMul", ["x", "t"], ["y"]),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIMISED)
@pytest.mark.parametrize("opset", [11, 17])
def test_what_onnxruntime_writes_when_it_optimises(tmp_path: Path, name: str, opset: int) -> None:
    """A file as people save it with optimized_model_filepath: other operators, the same products."""
    onnxruntime = pytest.importorskip("onnxruntime")
    weights = {
        "root": np.float32(1.4142135), "one": np.float32(1), "half": np.float32(0.5), "two": np.float32(2),
        "tiny": np.float32(1e-5), "g": ones(8), "b": ones(8), "w": ones(4, 3, 3, 3),
    }  # fmt: skip
    used = {end for one in OPTIMISED[name] for end in one.input}
    kept = {key: value for key, value in weights.items() if key in used}
    path = save(tmp_path / "a.onnx", OPTIMISED[name], kept, inputs={"x": [1, 3, 8, 8]}, opset=opset)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(tmp_path / "b.onnx")
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    plain, optimised = profile(path), profile(tmp_path / "b.onnx")
    assert len(onnx.load(tmp_path / "b.onnx").graph.node) < len(OPTIMISED[name])
    assert "No count is known" not in optimised["source"]
    normalised = 3 * 64 if name.startswith("layer") else 0  # the scale and shift of a whole normalisation are counted
    assert macs(optimised) == macs(plain) + normalised
    assert made(optimised) == made(plain)


@pytest.mark.parametrize("block", [8, 16])
def test_channels_in_blocks(tmp_path: Path, block: int) -> None:
    """What onnxruntime writes at its highest level: the channels are rounded up, and so is the work."""
    domain = "com.microsoft.nchwc"
    graph = helper.make_graph(
        [
            node("ReorderInput", ["x"], ["r"], domain=domain),
            node("Conv", ["r", "w"], ["c"], pads=[1, 1, 1, 1], activation="Relu", domain=domain),
            node("MaxPool", ["c"], ["p"], kernel_shape=[2, 2], strides=[2, 2], domain=domain),
            node("Upsample", ["p"], ["u"], scales=[1, 1, 2, 2], mode="nearest", domain=domain),
            node("ReorderOutput", ["u"], ["y"], channels=5, domain=domain),
        ],
        "g", [info("x", 1, 6, 8, 8)], [info("y", None)],
        [numpy_helper.from_array(ones(block, block, 3, 3), "w")],
    )  # fmt: skip
    model = profile(stored(tmp_path / "a.onnx", graph, domains=(domain,)))
    assert macs(model) == block * 64 * block * 9
    assert made(model) == 4 * 5 * 64
    assert model["layers"][0]["output"] == f"{4 * block * 64 / 1000:g} kB"


def test_every_standard_operator_is_counted_or_listed_as_assumed() -> None:
    from placer.profiling.onnx.control import CONTROL_FLOW
    from placer.profiling.onnx.macs import FORMULAS, NOTHING
    from placer.profiling.onnx.sequences import SEQUENCES

    standard = {schema.name for schema in onnx.defs.get_all_schemas_with_history() if schema.domain == ""}
    rest = standard - set(FORMULAS) - NOTHING - CONTROL_FLOW - SEQUENCES
    assert not set(FORMULAS) & NOTHING
    # of what is not known, one for each element is assumed; text, training and lists of boxes are of this kind
    assert rest <= {
        "Det", "ImageDecoder", "LinearAttention", "MelWeightMatrix", "NonMaxSuppression", "Optional",
        "OptionalGetElement", "OptionalHasElement", "RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit",
        "TfIdfVectorizer",
    }  # fmt: skip
