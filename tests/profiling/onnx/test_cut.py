"""Parts of a graph compute what the whole does, whatever the cut.

The light models have constant weights, so that their results are uniform: they prove that parts fit together, run and
have the right shapes. That the values are right is proven by graphs with random weights.
"""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from placer.profiling.onnx.cut import Cut, cut, open_graph
from placer.profiling.onnx.profile import Inputs
from tests.profiling.onnx.build import save

spec = importlib.util.find_spec("onnx")
LIGHT = Path(spec.origin or "").parent / "backend" / "test" / "data" / "light" if spec else Path()
FILES = sorted(LIGHT.glob("light_*.onnx"))


def run(model: Any, given: dict[str, Any]) -> dict[str, Any]:
    import onnxruntime as runtime

    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, {v.name: given[v.name] for v in session.get_inputs()}), strict=True))


def random_cut(rng: np.random.Generator, count: int, parts: int) -> list[int]:
    """A cut along the order of the layers: parts read only earlier ones, residual and inception blocks fall apart."""
    ends = np.sort(rng.integers(0, count, size=parts - 1))
    return [int(np.searchsorted(np.unique(ends), layer, side="left")) for layer in range(count)]


def together(found: Cut, given: dict[str, Any]) -> dict[str, Any]:
    there = dict(given)
    for part in found.parts:
        there |= run(part, there)
    return there


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_parts_compute_what_the_whole_does(file: Path) -> None:
    check(file, 20)


def test_parts_of_a_small_network() -> None:
    check(next((file for file in FILES if "squeezenet" in file.name), Path("gone")), 2)


def check(file: Path, times: int) -> None:
    if not file.is_file():
        pytest.skip("this version of onnx carries no light models")
    graph = open_graph(file, Inputs())
    rng = np.random.default_rng(3)
    given = {
        value.name: rng.standard_normal([dim.dim_value for dim in value.type.tensor_type.shape.dim], dtype=np.float32)
        for value in graph.model.graph.input
    }
    whole = run(graph.model, given)
    for _ in range(times):
        found = cut(graph, random_cut(rng, len(graph.layers), 3))
        parts = together(found, given)
        assert found.parts
        for name, value in whole.items():
            np.testing.assert_array_equal(parts[name], value)
        names = [tensor.name for part in found.parts for tensor in part.graph.initializer]
        assert {name for name in names if names.count(name) > 1} == set(found.shared)


def small(folder: Path, external: bool) -> Path:
    """A residual block with a weight that two of its convolutions share, and two results."""
    import onnx
    from onnx import helper

    rng = np.random.default_rng(5)
    weights = {name: rng.standard_normal((3, 3, 3, 3)).astype(np.float32) for name in ("w", "v")}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["a", "v"], ["b"], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["b", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Identity", ["a"], ["skip"]),
        helper.make_node("Add", ["c", "skip"], ["y"]),
        helper.make_node("MaxPool", ["b"], ["z"], kernel_shape=[2, 2]),
    ]
    path = save(folder / "small.onnx", nodes, weights, outputs=("y", "z"))
    if external:
        onnx.save_model(onnx.load(path), path, save_as_external_data=True, location="small.data", size_threshold=0)
    return path


def test_every_cut_of_a_residual_block_with_a_shared_weight_and_two_results(tmp_path: Path) -> None:
    graph = open_graph(small(tmp_path, external=False), Inputs())
    given = {"x": np.random.default_rng(7).standard_normal((1, 3, 8, 8)).astype(np.float32)}
    whole = run(graph.model, given)
    count = len(graph.layers)
    assert count == 5
    for ends in itertools.product(range(2), repeat=count - 1):
        part_of = [0, *itertools.accumulate(ends)]
        found = cut(graph, part_of)
        got = together(found, given)
        assert len(found.parts) == part_of[-1] + 1
        assert all((got[name] == value).all() for name, value in whole.items())
        readers = {part_of[0], part_of[2]}
        assert found.shared == ({"w": tuple(sorted(readers))} if len(readers) > 1 else {})


def test_external_data_stay_external(tmp_path: Path) -> None:
    import onnx

    graph = open_graph(small(tmp_path, external=True), Inputs())
    found = cut(graph, [0, 0, 1, 1, 1])
    tensors = [tensor for part in found.parts for tensor in part.graph.initializer]
    assert [tensor.name for tensor in tensors] == ["w", "v", "w"]
    assert all(tensor.data_location == onnx.TensorProto.EXTERNAL and not tensor.raw_data for tensor in tensors)
