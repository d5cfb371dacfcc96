"""TensorFlow Lite files: layers, work, weights, flash and arena."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tflite")

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from placer.errors import InputError, MissingExtraError
from placer.instance.units import BYTES, MACS
from placer.profiling.model_file import Heading
from placer.profiling.tflite.memory import memory_of
from placer.profiling.tflite.profile import profile
from placer.profiling.tflite.reading import read_graph
from tests.cli.run import placer
from tests.profiling.tflite.build import Net, Op, content, conv, empty, matmul, save


def floats(*shape: int) -> Any:
    return np.ones(shape, dtype=np.float32)


def classifier() -> Net:
    """Two convolutions with a shortcut around the second, a pool and a fully connected layer."""
    return Net(
        {
            "image": (1, 8, 8, 3), "w1": (4, 3, 3, 3), "b1": (4,), "first": (1, 8, 8, 4), "w2": (1, 3, 3, 4),
            "b2": (4,), "second": (1, 8, 8, 4), "sum": (1, 8, 8, 4), "axes": (2,), "pooled": (1, 4), "w3": (10, 4),
            "class": (1, 10),
        },
        [
            Op("CONV_2D", ["image", "w1", "b1"], ["first"], conv()),
            Op("DEPTHWISE_CONV_2D", ["first", "w2", "b2"], ["second"], empty("DepthwiseConv2DOptions")),
            Op("ADD", ["first", "second"], ["sum"], empty("AddOptions")),
            Op("MEAN", ["sum", "axes"], ["pooled"], empty("ReducerOptions")),
            Op("FULLY_CONNECTED", ["pooled", "w3", ""], ["class"], empty("FullyConnectedOptions")),
        ],
        ["image"],
        ["class"],
        {
            "w1": floats(4, 3, 3, 3), "b1": floats(4), "w2": floats(1, 3, 3, 4), "b2": floats(4),
            "axes": np.array([1, 2], dtype=np.int32), "w3": floats(10, 4),
        },
    )  # fmt: skip


def layers(model: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {layer["name"]: layer for layer in model["layers"]}


def test_layers_work_weights_and_memory(tmp_path: Path) -> None:
    path = save(tmp_path / "net.tflite", classifier())
    model = profile(path, heading=Heading(title="Net"))
    made = layers(model)
    assert list(made) == ["first", "second", "sum", "pooled", "class"]
    assert [layer["kind"] for layer in made.values()] == ["conv", "depthwise", "add", "other", "fc"]
    assert [MACS.parse(layer["compute"]) for layer in made.values()] == [256 * 27, 256 * 9, 0, 0, 40]
    assert [BYTES.parse(layer["weights"]) for layer in made.values()] == [448, 160, 0, 8, 160]
    assert made["sum"]["inputs"] == ["first", "second"]
    assert made["first"]["inputs"] == ["input"]
    assert [BYTES.parse(layer["activations"]) for layer in made.values()] == [
        768 + 1024,
        2048,
        3072,
        1024 + 16,
        16 + 40,
    ]
    assert model["input"] == "768 B"
    assert f"Flash: the file, {path.stat().st_size / 1000:g} kB" in model["source"]
    assert "Arena: 3.072 kB" in model["source"]
    assert "no less than 3.072 kB" in model["source"]


def test_the_arena_is_in_steps_of_16_bytes_and_the_last_of_equals_is_laid_first(tmp_path: Path) -> None:
    """A chain a > b = c = d, as TensorFlow Lite Micro lays it: d and a at 0, c on d, so that b has no room below c."""
    net = Net(
        {"x": (1,), "a": (1, 98), "b": (1, 96), "c": (1, 96), "d": (1, 96)},
        [Op("ABS", [one], [two]) for one, two in ("xa", "ab", "bc", "cd")],
        ["x"], ["d"],
    )  # fmt: skip
    memory = memory_of(read_graph(save(tmp_path / "a.tflite", net)))
    assert memory.peak == 400 + 384
    assert memory.arena == 3 * 384
    assert max(memory.live) == 392 + 384


OPERATORS: dict[str, tuple[Net, int]] = {
    "transposed convolution": (
        Net(
            {"size": (4,), "w": (5, 2, 2, 3), "x": (1, 4, 4, 3), "y": (1, 8, 8, 5)},
            [Op("TRANSPOSE_CONV", ["size", "w", "x"], ["y"], empty("TransposeConvOptions"))],
            ["x"], ["y"], {"size": np.array([1, 8, 8, 5], dtype=np.int32), "w": floats(5, 2, 2, 3)},
        ), 48 * 20,
    ),
    "batch of products": (
        Net(
            {"x": (2, 3, 4), "z": (2, 4, 5), "y": (2, 3, 5)},
            [Op("BATCH_MATMUL", ["x", "z"], ["y"], matmul(turned=False))], ["x", "z"], ["y"],
        ), 2 * 3 * 5 * 4,
    ),
    "batch of turned products": (
        Net(
            {"x": (2, 4, 3), "z": (2, 4, 5), "y": (2, 3, 5)},
            [Op("BATCH_MATMUL", ["x", "z"], ["y"], matmul(turned=True))], ["x", "z"], ["y"],
        ), 2 * 3 * 5 * 4,
    ),
    "long short-term memory": (
        Net(
            {
                "x": (1, 6, 5), **{f"i{gate}": (8, 5) for gate in range(4)},
                **{f"r{gate}": (8, 8) for gate in range(4)}, **{f"b{gate}": (8,) for gate in range(4)},
                "h": (1, 8), "c": (1, 8), "y": (1, 6, 8),
            },
            [
                Op(
                    "UNIDIRECTIONAL_SEQUENCE_LSTM",
                    ["x", *(f"i{g}" for g in range(4)), *(f"r{g}" for g in range(4)), "", "", "",
                     *(f"b{g}" for g in range(4)), "", "", "h", "c"],
                    ["y"], empty("UnidirectionalSequenceLSTMOptions"),
                )
            ],
            ["x"], ["y"],
            {
                **{f"i{gate}": floats(8, 5) for gate in range(4)}, **{f"r{gate}": floats(8, 8) for gate in range(4)},
                **{f"b{gate}": floats(8) for gate in range(4)},
            },
            variables=["h", "c"],
        ), 6 * 4 * 8 * (5 + 8),
    ),
    "filters of a sequence": (
        Net(
            {"x": (1, 5), "f": (6, 5), "t": (6, 4), "s": (1, 24), "y": (1, 6)},
            [Op("SVDF", ["x", "f", "t", "", "s"], ["y"], empty("SVDFOptions"))], ["x"], ["y"],
            {"f": floats(6, 5), "t": floats(6, 4)}, variables=["s"],
        ), 30 + 24,
    ),
    "bilinear": (
        Net(
            {"x": (1, 4, 4, 3), "n": (2,), "y": (1, 8, 8, 3)},
            [Op("RESIZE_BILINEAR", ["x", "n"], ["y"], empty("ResizeBilinearOptions"))], ["x"], ["y"],
            {"n": np.array([8, 8], dtype=np.int32)},
        ), 192 * 4,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATORS)
def test_work(tmp_path: Path, name: str) -> None:
    net, expected = OPERATORS[name]
    (layer,) = profile(save(tmp_path / "a.tflite", net))["layers"]
    assert MACS.parse(layer["compute"]) == expected
    assert "assumed" not in layer


def test_variables_are_kept_from_run_to_run(tmp_path: Path) -> None:
    net, _ = OPERATORS["filters of a sequence"]
    model = profile(save(tmp_path / "a.tflite", net))
    assert model["layers"][0]["activations"] == f"{20 + 24 + 96} B"
    assert "keeps 96 B in variables from run to run" in model["source"]


def test_a_resource_is_read_and_written_beside_the_layers(tmp_path: Path) -> None:
    net = Net(
        {"x": (1, 4), "handle": (), "old": (1, 12), "all": (1, 16), "new": (1, 12), "start": (2,), "y": (1, 16)},
        [
            Op("VAR_HANDLE", [], ["handle"], empty("VarHandleOptions")),
            Op("READ_VARIABLE", ["handle"], ["old"], empty("ReadVariableOptions")),
            Op("CONCATENATION", ["old", "x"], ["all"], empty("ConcatenationOptions")),
            Op("SLICE", ["all", "start", "start"], ["new"], empty("SliceOptions")),
            Op("ASSIGN_VARIABLE", ["handle", "new"], [], empty("AssignVariableOptions")),
            Op("ABS", ["all"], ["y"]),
        ],
        ["x"], ["y"], {"start": np.array([0, 4], dtype=np.int32)}, {"handle": "RESOURCE"},
    )  # fmt: skip
    model = profile(save(tmp_path / "a.tflite", net))
    assert [layer["name"] for layer in model["layers"]] == ["all", "new", "abs"]
    assert model["layers"][0]["inputs"] == ["input"]
    assert "keeps 48 B in variables" in model["source"]


def test_weights_that_are_unpacked_first_are_the_layers(tmp_path: Path) -> None:
    """As in files with weights of 16 bits: a DEQUANTIZE of stored tensors is no layer, its bytes are the file's."""
    net = Net(
        {"x": (1, 4), "half": (6, 4), "w": (6, 4), "y": (1, 6)},
        [
            Op("DEQUANTIZE", ["half"], ["w"], empty("DequantizeOptions")),
            Op("FULLY_CONNECTED", ["x", "w", ""], ["y"], empty("FullyConnectedOptions")),
        ],
        ["x"], ["y"], {"half": np.ones((6, 4), dtype=np.float16)}, {"half": "FLOAT16"},
    )  # fmt: skip
    (layer,) = profile(save(tmp_path / "a.tflite", net))["layers"]
    assert layer["weights"] == "48 B"
    assert layer["compute"] == "24 MAC"
    assert layer["activations"] == f"{16 + 96 + 24} B"


def test_what_nothing_knows_is_assumed_by_name(tmp_path: Path) -> None:
    net = classifier()
    net.ops[2] = Op("CUSTOM", ["first", "second"], ["sum"], custom="Magic")
    model = profile(save(tmp_path / "a.tflite", net))
    assert layers(model)["sum"]["assumed"] == ["compute"]
    assert "5.24 % of the total: sum (Magic) 5.24 %." in model["source"]


def refused(tmp_path: Path, net: Net) -> str:
    with pytest.raises(InputError) as caught:
        profile(save(tmp_path / "a.tflite", net))
    return str(caught.value)


def test_refused(tmp_path: Path) -> None:
    net = classifier()
    net.ops.reverse()
    assert "FULLY_CONNECTED reads tensor 9, which no operator before it makes" in refused(tmp_path, net)
    net = classifier()
    net.ops[3] = Op("WHILE", ["sum"], ["pooled"])
    assert "WHILE runs a graph that is chosen at run time" in refused(tmp_path, net)
    net = classifier()
    net.signatures["image"] = (-1, -1, 8, 3)
    assert "the input 'image' has the open shape ['?', '?', 8, 3]: convert the model" in refused(tmp_path, net)
    net.signatures["image"] = (-1, 8, 8, 3)
    assert profile(save(tmp_path / "b.tflite", net))["layers"], "an open batch is 1"
    net = classifier()
    net.shapes["w1"] = (4, 3, 3, 4)
    assert "'w1' holds 432 bytes; 576 are needed" in refused(tmp_path, net)
    net.shapes["w1"] = (4, 3, -3, 4)
    assert "'w1' has the shape [4, 3, -3, 4], which no tensor has" in refused(tmp_path, net)
    (tmp_path / "c.tflite").write_bytes(b"\x00" * 100)
    with pytest.raises(InputError, match="does not bear the mark TFL3"):
        profile(tmp_path / "c.tflite")
    for path in (tmp_path, tmp_path / "none.tflite"):
        with pytest.raises(InputError, match="is not a file|No such file"):
            profile(path)


def test_a_file_that_is_cut_short_is_refused_or_read(tmp_path: Path) -> None:
    whole, path = content(classifier()), tmp_path / "a.tflite"
    results = []
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        try:
            profile(path)
        except InputError as error:
            results.append(str(error))
    assert len(results) > 0.9 * len(whole) / 7


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4))
@settings(max_examples=100, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_refused_or_read_in_bounded_time(tmp_path: Path, damages: list[tuple[float, int]]) -> None:
    damaged = bytearray(content(classifier()))
    for place, value in damages:
        damaged[8 + int(place * (len(damaged) - 9))] = value
    path = tmp_path / "a.tflite"
    path.write_bytes(bytes(damaged))
    try:
        assert profile(path)["layers"]
    except InputError as error:
        assert error.problems


def test_parts_that_overlap_are_not_read_for_ever(tmp_path: Path) -> None:
    """Thousands of tensors whose name is the same vast text."""
    import flatbuffers
    import tflite

    builder = flatbuffers.Builder(1024)
    text = builder.CreateString("x" * 300_000)
    tflite.TensorStart(builder)
    tflite.TensorAddName(builder, text)
    tensor = tflite.TensorEnd(builder)
    builder.StartVector(4, 40_000, 4)
    for _ in range(40_000):
        builder.PrependUOffsetTRelative(tensor)
    tensors = builder.EndVector()
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, tensors)
    graph = tflite.SubGraphEnd(builder)
    builder.StartVector(4, 1, 4)
    builder.PrependUOffsetTRelative(graph)
    graphs = builder.EndVector()
    tflite.ModelStart(builder)
    tflite.ModelAddSubgraphs(builder, graphs)
    builder.Finish(tflite.ModelEnd(builder), file_identifier=b"TFL3")
    path = tmp_path / "a.tflite"
    path.write_bytes(bytes(builder.Output()))
    with pytest.raises(InputError, match="its parts overlap"):
        profile(path)


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.tflite", classifier())
    monkeypatch.setattr("placer.optional.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="needs the extra 'tflite'"):
        profile(path)


def test_the_command(tmp_path: Path) -> None:
    path, target = save(tmp_path / "net.tflite", classifier()), tmp_path / "net.yaml"
    done = placer("profile", str(path), "-o", str(target))
    assert done.returncode == 0
    assert "5 layers, 9.256 kMAC, 776 B weights, at most 3.072 kB of tensors at once" in done.stdout
    assert placer("show", str(target)).returncode == 0
    refusal = placer("profile", str(path), "--batch", "3", "--no-fuse")
    assert refusal.returncode == 2
    assert "--batch, --no-fuse: a TensorFlow Lite file has its shapes fixed" in " ".join(refusal.stderr.split())
    (tmp_path / "bad.tflite").write_bytes(path.read_bytes()[:500])
    broken = placer("profile", str(tmp_path / "bad.tflite"), "-o", str(tmp_path / "bad.yaml"))
    assert broken.returncode == 2
    assert not (tmp_path / "bad.yaml").exists()
