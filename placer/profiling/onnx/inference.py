"""Shape and type of what one operator makes, from those of its operands.

By the library's own rule where it has one; by the rule of the standard operator that a runtime's operator
(com.microsoft) extends; by element where an operator works element by element and its old definition has no rule.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from placer.profiling.onnx.checking import bits_of
from placer.profiling.onnx.contrib import BLOCKED_DOMAIN, OWN_RULES, STANDARD
from placer.profiling.onnx.control import OWN_DOMAIN, attribute
from placer.profiling.onnx.einsum import contraction
from placer.profiling.onnx.reading import need_onnx

_STANDARD_DOMAINS = ("", "ai.onnx")
_OF_FIRST = {
    "Abs", "BatchNormalization", "Cast", "Ceil", "Clip", "Dropout", "Elu", "Exp", "Floor", "HardSigmoid",
    "InstanceNormalization", "LeakyRelu", "Log", "Neg", "PRelu", "Reciprocal", "Relu", "Selu", "Sigmoid", "Sqrt",
    "Tanh", "MeanVarianceNormalization", "GroupNormalization",
    # what onnxruntime writes into the standard domain of older operator sets
    "LayerNormalization", "SimplifiedLayerNormalization", "Affine", "ImageScaler", "ParametricSoftplus", "ScaledTanh",
}  # fmt: skip
_BROADCAST = {"Add", "Div", "Max", "Mean", "Min", "Mul", "Sub", "Sum", "GreaterOrEqual", "LessOrEqual"}
_NEWER = 13
"""Operator set by whose rule an operator is inferred whose own, older definition has none."""


@dataclass(frozen=True)
class Tensor:
    """Shape and element type of a tensor.

    Attributes:
        shape: every dimension, fixed.
        kind: number of the element type in onnx.TensorProto.
    """

    shape: tuple[int, ...]
    kind: int

    @property
    def elements(self) -> int:
        """Number of elements; 1 for a scalar."""
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes, those of 4-bit types packed."""
        return -(-self.elements * (bits_of(need_onnx(), self.kind) or 0) // 8)


class Inference:
    """Shapes operator by operator.

    Args:
        model: the ModelProto whose operator sets count.
    """

    def __init__(self, model: Any) -> None:
        self._onnx = need_onnx()
        self._opsets = list(model.opset_import)
        self._version = next((one.version for one in self._opsets if one.domain in _STANDARD_DOMAINS), 1)
        self._ir_version = model.ir_version
        self._block = _block_of(model)

    def outputs(self, node: Any, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return what is known of the operator's outputs, by name.

        Args:
            node: a NodeProto without graphs in its attributes.
            tensors: what is known of its operands.
            values: constant operands by name, as arrays.

        Raises:
            ValueError: when its operands do not fit each other.
        """
        if node.domain == OWN_DOMAIN:
            return _own(node, tensors)
        if node.domain in _STANDARD_DOMAINS and node.op_type == "Einsum":
            return _einsum(node, tensors)
        if node.domain in _STANDARD_DOMAINS:
            found = self._by_library(node, tensors, values, self._opsets)
            return found or self._old(node, tensors, values)
        if node.domain == BLOCKED_DOMAIN:
            return self._blocked(node, tensors, values)
        known = [tensors.get(name) for name in node.input]
        if node.op_type in STANDARD:
            twin, operands = STANDARD[node.op_type](self._onnx, node)
            if any(name and name not in tensors for name in operands):
                return {}
            newest = [self._onnx.helper.make_opsetid("", 21)]
            return self._by_library(twin, tensors, values, newest)
        if node.op_type in OWN_RULES and known and known[0] is not None:
            made = OWN_RULES[node.op_type](node, known)
            return {
                name: Tensor(*one) for name, one in zip(node.output, made, strict=False) if name and one is not None
            }
        return {}

    def _by_library(
        self, node: Any, tensors: Mapping[str, Tensor], values: Mapping[str, Any], opsets: list[Any]
    ) -> dict[str, Tensor]:
        helper = self._onnx.helper
        inputs, stored = [], []
        for name in dict.fromkeys(filter(None, node.input)):
            if name in values:
                stored.append(self._onnx.numpy_helper.from_array(values[name], name))
            elif name in tensors:
                inputs.append(helper.make_tensor_value_info(name, tensors[name].kind, tensors[name].shape))
            else:
                inputs.append(self._onnx.ValueInfoProto(name=name))
        outputs = [self._onnx.ValueInfoProto(name=name) for name in node.output if name]
        graph = helper.make_graph([node], "one", inputs, outputs, stored)
        model = helper.make_model(graph, opset_imports=opsets, ir_version=max(self._ir_version, 8))
        try:
            inferred = self._onnx.shape_inference.infer_shapes(model, strict_mode=False, data_prop=False)
        except Exception as error:  # onnx raises its own InferenceError, TypeError and ValueError here
            raise ValueError((str(error).strip() or type(error).__name__).splitlines()[0][:200]) from error
        return {value.name: tensor for value in inferred.graph.output if (tensor := fixed(value)) is not None}

    def _blocked(self, node: Any, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> dict[str, Tensor]:
        """Convolutions and pools whose channels onnxruntime has laid in blocks, rounded up to whole ones."""
        first = tensors.get(node.input[0])
        if first is None:
            return {}
        figures = {one.name: self._onnx.helper.get_attribute_value(one) for one in node.attribute}
        shape = first.shape
        if node.op_type in {"ReorderInput", "ReorderOutput"}:
            last = figures.get("channels_last", 0)
            if node.op_type == "ReorderInput":
                channels, *space = shape[-1:] + shape[1:-1] if last else shape[1:]
                return {
                    node.output[0]: Tensor((shape[0], -(-channels // self._block) * self._block, *space), first.kind)
                }
            channels, space = figures["channels"], list(shape[2:])
            made = (shape[0], *space, channels) if last else (shape[0], channels, *space)
            return {node.output[0]: Tensor(made, first.kind)}
        if node.op_type == "Upsample":
            sizes = (size * scale for size, scale in zip(shape, figures["scales"], strict=True))
            return {node.output[0]: Tensor(tuple(int(size) for size in sizes), first.kind)}
        keep = {name: value for name, value in figures.items() if not name.startswith("activation")}
        twin = self._onnx.helper.make_node(node.op_type, list(node.input[:3]), list(node.output), **keep)
        return self._by_library(twin, tensors, values, [self._onnx.helper.make_opsetid("", _NEWER)])

    def _old(self, node: Any, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> dict[str, Tensor]:
        """The rule for a definition that has none, of operator sets before 7 mostly."""
        known = [tensors.get(name) for name in node.input]
        first = known[0] if known else None
        if first is None or any(one is None for name, one in zip(node.input, known, strict=True) if name):
            return {}
        if node.op_type in _BROADCAST:
            shape = broadcast([one.shape for one in known if one is not None]) or first.shape
            boolean = node.op_type.endswith("OrEqual")
            return {node.output[0]: Tensor(shape, self._onnx.TensorProto.BOOL if boolean else first.kind)}
        if node.op_type in _OF_FIRST:
            to = attribute(node, "to")
            kind = first.kind
            if to is not None:
                kind = self._onnx.TensorProto.DataType.Value(to.s.decode("ascii", "replace").upper()) if to.s else to.i
            return {node.output[0]: Tensor(first.shape, kind)}
        if self._version >= _NEWER:
            return {}
        newer = _in_newer_words(self._onnx, node)
        if newer is None:
            return {}
        twin, operands = newer
        return self._by_library(twin, tensors, {**values, **operands}, [self._onnx.helper.make_opsetid("", _NEWER)])


def _block_of(model: Any) -> int:
    """Channels of a block: all filters of a file are whole blocks, of 16 with AVX-512 and of 8 else."""
    sizes = {tensor.name: tensor.dims[0] for tensor in model.graph.initializer if tensor.dims}
    blocked = [node.input[1] for node in model.graph.node if node.domain == BLOCKED_DOMAIN and len(node.input) > 1]
    return 16 if all(sizes.get(name, 0) % 16 == 0 for name in blocked) else 8


def _in_newer_words(onnx: Any, node: Any) -> tuple[Any, dict[str, Any]] | None:
    """Say an operator of operator set 1, whose figures are attributes, in the words of set 13; None where unneeded."""
    import numpy as np

    def numbers(*names: str) -> Any:
        return next((held for name in names if (held := attribute(node, name)) is not None), None)

    made: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    if node.op_type == "Reshape" and (held := numbers("shape")) is not None:
        made = {"shape": np.array(held.ints, dtype=np.int64)}
    elif node.op_type == "Pad" and (held := numbers("paddings", "pads")) is not None:
        made = {"pads": np.array(held.ints, dtype=np.int64)}
    elif node.op_type == "Split" and len(node.input) == 1:
        held, axis = numbers("split"), numbers("axis")
        made = {"split": np.array(held.ints, dtype=np.int64)} if held is not None else {}
        attributes = {"axis": axis.i if axis is not None else 0}
    elif node.op_type == "Concat":
        attributes = {"axis": axis.i if (axis := numbers("axis")) is not None else 1}
    elif node.op_type == "Gemm":
        attributes = {name: held.i for name in ("transA", "transB") if (held := numbers(name)) is not None}
    elif node.op_type in {"LSTM", "GRU", "RNN", "LpPool", "GlobalLpPool"}:
        keep = {"output_sequence", "consumed_inputs"}
        attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute if one.name not in keep}
    elif node.op_type == "Upsample":
        height, width = numbers("height_scale"), numbers("width_scale")
        if height is None or width is None:
            return None
        made = {"": np.array([], dtype=np.float32), "scales": np.array([1, 1, height.f, width.f], dtype=np.float32)}
    else:
        return None
    names = {name: f"{node.output[0]}/{name}" if name else "" for name in made}
    operands = [*(node.input if node.op_type in {"Concat", "Gemm", "LSTM", "GRU", "RNN"} else node.input[:1])]
    kind = {"Upsample": "Resize"}.get(node.op_type, node.op_type)
    twin = onnx.helper.make_node(kind, [*operands, *names.values()], list(node.output), **attributes)
    return twin, {names[name]: value for name, value in made.items() if name}


def _einsum(node: Any, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The library's rule knows no operands of different rank under the dots, and loops for ever on some equations."""
    known = [tensors[name] for name in node.input if name in tensors]
    if len(known) < len(node.input):
        return {}
    equation = attribute(node, "equation").s.decode("ascii")
    return {node.output[0]: Tensor(contraction(equation, [one.shape for one in known]).shape, known[0].kind)}


def _own(node: Any, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Shapes of ``control.stack`` and ``control.part``."""
    first = tensors.get(node.input[0])
    if first is None:
        return {}
    axis, shape = int(attribute(node, "axis").i), first.shape
    if node.op_type == "Stack":
        axis %= len(shape) + 1
        return {node.output[0]: Tensor((*shape[:axis], len(node.input), *shape[axis:]), first.kind)}
    axis %= len(shape)
    kept = () if attribute(node, "drop").i else (int(attribute(node, "size").i),)
    return {node.output[0]: Tensor((*shape[:axis], *kept, *shape[axis + 1 :]), first.kind)}


def fixed(value: Any, symbols: Mapping[str, int] | None = None) -> Tensor | None:
    """Return the tensor of a ValueInfoProto whose every dimension is fixed, or None.

    Args:
        value: the ValueInfoProto.
        symbols: sizes of named dimensions.
    """
    if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
        return None
    shape = []
    for dim in value.type.tensor_type.shape.dim:
        size = (
            (symbols or {}).get(dim.dim_param)
            if dim.dim_param
            else dim.dim_value
            if dim.HasField("dim_value")
            else None
        )
        if size is None or size < 0:
            return None
        shape.append(int(size))
    return Tensor(tuple(shape), value.type.tensor_type.elem_type)


def broadcast(shapes: list[tuple[int, ...]]) -> tuple[int, ...] | None:
    """Return the common shape of operands by numpy's rule, or None where they have none."""
    rank = max(map(len, shapes))
    result = []
    for sizes in zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True):
        larger = {size for size in sizes if size != 1}
        if len(larger) > 1:
            return None
        result.append(larger.pop() if larger else 1)
    return tuple(result)
