"""Multiply-accumulates and weights of an ONNX graph, counted without placer.

The graph is run in onnxruntime with every tensor as an output and all optimisations off, so that every shape is the
real one; the work is then counted operator by operator from those shapes alone. Where there is control flow, whose
inner tensors cannot be outputs, onnxruntime's profiler tells what ran on which shapes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

CONTROL = {"If", "Loop", "Scan"}
NORMALISATIONS = {
    "BatchNormalization", "InstanceNormalization", "LayerNormalization", "SkipLayerNormalization", "LRN",
    "LpNormalization", "MeanVarianceNormalization", "GroupNormalization", "RMSNormalization",
}  # fmt: skip


@dataclass(frozen=True)
class Totals:
    """Multiply-accumulates of one run, and bytes of the weights that some operator reads."""

    macs: int
    weights: int


def session(model: Any, profile: Path | None = None) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if profile:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def load(path: Path, shapes: Mapping[str, tuple[int, ...]] | None = None) -> Any:
    """Return the model with inputs of the given shapes."""
    import onnx
    from onnx import version_converter

    model = onnx.load(path)
    model.ir_version = max(model.ir_version, 8)
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in stored]
    for value in inputs:
        if value.name in (shapes or {}):
            value.type.tensor_type.shape.Clear()
            for size in (shapes or {})[value.name]:
                value.type.tensor_type.shape.dim.add().dim_value = size
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    if any(entry.domain in {"", "ai.onnx"} and entry.version < 7 for entry in model.opset_import):
        model = version_converter.convert_version(model, 9)  # onnxruntime runs nothing older than 7
    _mark_folded(model)
    return model


def feed_of(model: Any, values: Mapping[str, float] | None = None) -> dict[str, Any]:
    """Return zeros for integers and truth values, ones else, in the shapes of the inputs; open sizes are 1."""
    import onnx

    feed = {}
    for value in model.graph.input:
        tensor = value.type.tensor_type
        kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        sizes = [dim.dim_value if dim.HasField("dim_value") else 1 for dim in tensor.shape.dim]
        number = (values or {}).get(value.name, 1 if kind.kind == "f" else 0)
        feed[value.name] = np.full(sizes, number).astype(kind)
    return feed


def count(model: Any, folder: Path, feed: Mapping[str, Any]) -> Totals:
    """Return what one run of a loaded model takes."""
    import onnx

    graph = model.graph
    if any(node.op_type in CONTROL for node in graph.node):
        return _by_profiler(model, folder, feed)
    known = {value.name for value in [*graph.output, *graph.input]} | {one.name for one in graph.initializer}
    names = [name for node in graph.node for name in node.output if name]
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    runner = session(model)
    arrays = dict(zip([value.name for value in runner.get_outputs()], runner.run(None, dict(feed)), strict=True))
    shapes = {name: np.shape(value) for name, value in {**arrays, **feed}.items() if not isinstance(value, list)}
    shapes |= {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    macs = sum(
        _macs(node, [shapes.get(name) for name in node.input], shapes.get(node.output[0])) for node in graph.node
    )
    read = {name for node in graph.node for name in node.input}
    return Totals(int(macs), _weights(graph.initializer, graph.node, read, arrays))


def _by_profiler(model: Any, folder: Path, feed: Mapping[str, Any]) -> Totals:
    nodes: dict[str, Any] = {}
    stored = []
    graphs = [model.graph]
    while graphs:
        graph = graphs.pop()
        stored += graph.initializer
        for node in graph.node:
            node.name = f"n{len(nodes)}"
            nodes[node.name] = node
            for attribute in node.attribute:
                graphs += [attribute.g] if attribute.HasField("g") else attribute.graphs
    runner = session(model, folder / "profile")
    runner.run(None, dict(feed))
    events = json.loads(Path(runner.end_profiling()).read_text(encoding="utf-8"))
    macs, ran = 0.0, set()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            name = event["name"].removesuffix("_kernel_time")
            read, made = (
                [tuple(next(iter(one.values()))) if one else None for one in event["args"][key]]
                for key in ("input_type_shape", "output_type_shape")
            )
            ran.add(name)
            macs += _macs(nodes[name], read, made[0] if made else None)
    used = {name for each in ran for name in nodes[each].input}
    return Totals(int(macs), _weights(stored, nodes.values(), used, {}))


def _weights(stored: Iterable[Any], nodes: Iterable[Any], read: set[str], arrays: Mapping[str, Any]) -> int:
    import onnx

    sizes = {}
    for tensor in stored:
        sizes[tensor.name] = (tensor.data_type, math.prod(tensor.dims), onnx.numpy_helper.to_array(tensor).nbytes)
    for node in nodes:
        array = arrays.get(node.output[0])
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            array = onnx.numpy_helper.to_array(node.attribute[0].t)
        if node.op_type in {"Constant", "ConstantOfShape"} and array is not None:
            kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
            sizes[node.output[0]] = (kind, array.size, array.nbytes)
    # short integers are shapes and axes
    arguments = {name for name, (kind, size, _) in sizes.items() if kind == onnx.TensorProto.INT64 and size <= 64}
    return sum(size for name, (_, _, size) in sizes.items() if name in read - arguments)


def _attributes(node: Any) -> dict[str, Any]:
    import onnx

    return {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}


def _macs(node: Any, read: Sequence[Any], written: Any) -> float:
    kind, given = node.op_type, _attributes(node)
    made = math.prod(written or ())
    if kind in {"Conv", "ConvInteger", "FusedConv"}:
        return made * math.prod(read[1][1:])
    if kind == "QLinearConv":
        return made * math.prod(read[3][1:])
    if kind == "ConvTranspose":
        return math.prod(read[0]) * math.prod(read[1][1:])
    if kind in {"MatMul", "MatMulInteger", "QLinearMatMul", "DynamicQuantizeMatMul", "MatMulIntegerToFloat"}:
        return made * read[0][-1]
    if kind == "FusedMatMul":
        return made * (read[0][-2] if given.get("transA") else read[0][-1])
    if kind == "Gemm":
        return made * (read[0][0] if given.get("transA") else read[0][1])
    if kind in {"LSTM", "GRU", "RNN", "DynamicQuantizeLSTM"}:
        gates = {"GRU": 3, "RNN": 1}.get(kind, 4)
        hidden = given["hidden_size"]
        directions = 2 if given.get("direction") == b"bidirectional" else 1
        first, second, wide = read[0]
        return first * second * directions * gates * hidden * (wide + hidden)
    if kind == "Attention" and node.domain == "":
        query, key, value = read[:3]
        past = read[4][2] if len(read) > 4 and read[4] is not None else 0
        if len(query) == 4:
            return query[0] * query[1] * query[2] * (past + key[2]) * (query[3] + value[3])
        group = given["q_num_heads"] // given["kv_num_heads"]
        return query[0] * query[1] * (past + key[1]) * (query[2] + value[2] * group)
    if kind == "Einsum":
        letters: dict[str, int] = {}
        terms = given["equation"].decode().replace(" ", "").split("->")[0].split(",")
        assert len(terms) <= 2
        for position, term in enumerate(terms):
            letters.update(zip(term.replace("...", "."), read[position], strict=True))
        return math.prod(letters.values()) if len(terms) == 2 else 0
    if kind in NORMALISATIONS:
        return 0 if node.doc_string == "folded" else made
    if kind in {"Resize", "Upsample"} and given.get("mode", b"nearest") != b"nearest":
        neighbours = 4 if given["mode"] == b"cubic" else 2
        return made * neighbours ** sum(a != b for a, b in zip(read[0], written, strict=True))
    if kind == "GridSample":
        neighbours = {b"nearest": 0, b"cubic": 4, b"bicubic": 4}.get(given.get("mode", b"linear"), 2)
        return made * neighbours ** (len(read[0]) - 2)
    return 0


def _mark_folded(model: Any) -> None:
    """Mark the batch normalisations that a runtime folds into the convolution before them."""
    maker = {name: node for node in model.graph.node for name in node.output}
    readers: dict[str, int] = {}
    for node in model.graph.node:
        for name in node.input:
            readers[name] = readers.get(name, 0) + 1
    for node in model.graph.node:
        if node.op_type == "BatchNormalization":
            before = maker.get(node.input[0])
            folds = before is not None and (
                before.op_type in {"Conv", "ConvTranspose"} or before.doc_string == "folded"
            )
            if folds and readers[node.input[0]] == 1:
                node.doc_string = "folded"
