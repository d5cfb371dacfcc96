"""Multiply-accumulates of one operator: counted by onnx-tool, by placer where that counts wrongly or not.

onnx-tool counts vector instructions, an exponential as 32. Three of its habits are replaced: a batch
normalisation is 31 an element there (square root and division at run time; here one multiply-accumulate), a
transposed convolution is multiplied by the output channels (here by the input channels of its group), and
operators that it does not know are zero (here an estimate, which the caller marks as assumed).
"""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from typing import Any

from placer.errors import InputError
from placer.profiling.onnx.operators import Dag, Operator

_MOVES_ONLY = {
    "Cast", "CastLike", "Compress", "Concat", "ConstantOfShape", "DepthToSpace", "Expand", "EyeLike",
    "Flatten", "Gather", "GatherElements", "GatherND", "Identity", "NonZero", "OneHot", "Pad", "Range",
    "Reshape", "ReverseSequence", "ScatterElements", "ScatterND", "Scatter", "Shape", "Size", "Slice",
    "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Trilu", "Unsqueeze", "CenterCropPad",
}  # fmt: skip
_ONE_PER_ELEMENT = {
    "Abs", "And", "BatchNormalization", "BitShift", "Ceil", "CumSum", "Equal", "Floor", "Greater",
    "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "Max", "Mean", "Min", "Neg", "Not", "Or",
    "Round", "Sign", "Where", "Xor", "DequantizeLinear", "QuantizeLinear", "DynamicQuantizeLinear", "Selu",
    "Celu", "ThresholdedRelu", "Softsign", "Mish", "Swish", "Erf", "Exp",
}  # fmt: skip
_ONE_PER_INPUT = {
    "ArgMax", "ArgMin", "GlobalMaxPool", "GlobalLpPool", "TopK", "ReduceL1", "ReduceL2", "ReduceLogSum",
    "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare",
}  # fmt: skip
_OURS = {
    "BatchNormalization", "ConvTranspose", "Einsum", "GRU", "LSTM", "MatMulInteger", "QLinearMatMul", "RNN",
    "Erf",
}  # fmt: skip

_INTERPOLATES = {"Resize", "Upsample"}
"""Nothing to compute for the nearest neighbour, which onnx-tool knows."""


@dataclass(frozen=True)
class Count:
    """Work of an operator.

    Attributes:
        macs: multiply-accumulates.
        estimated: whether nothing knows the operator, so that one for each element is assumed.
    """

    macs: int
    estimated: bool = False


def count(operator: Operator, dag: Dag) -> Count:
    """Return the multiply-accumulates of one run of ``operator``.

    Raises:
        InputError: when its operands lack dimensions that its type needs.
    """
    if operator.type in _MOVES_ONLY:
        return Count(0)
    macs = None if operator.type in _OURS else _by_onnx_tool(operator, dag)
    if not macs and operator.type not in _INTERPOLATES:
        try:
            macs = _by_formula(operator, dag)
        except (IndexError, KeyError, ValueError) as error:  # UnicodeDecodeError is a ValueError
            raise InputError(
                f"operator '{operator.name[:60]}': its operands do not have the shapes of a {operator.type}"
            ) from error
    if macs is not None:
        return Count(macs)
    return Count(max(_elements(operator.reads, dag), _elements(operator.writes, dag), 1), estimated=True)


def _elements(names: tuple[str, ...], dag: Dag) -> int:
    return sum(dag.tensor(name).elements for name in dict.fromkeys(names) if name in dag.folded.tensors)


def _by_onnx_tool(operator: Operator, dag: Dag) -> int | None:
    """Return onnx-tool's count for known shapes, or None where it has none of its own."""
    node_module = importlib.import_module("onnx_tool.node")
    tensor_module = importlib.import_module("onnx_tool.tensor")
    if f"{operator.type}Node" not in node_module.NODE_REGISTRY:
        return None
    ends = []
    for names in (operator.operands, operator.writes[:1]):
        tensors = [tensor_module.Tensor(name) for name in names if name]
        for tensor in tensors:
            # onnx-tool takes a scalar for no element at all
            tensor.update_shape(list(dag.tensor(tensor.name).shape) or [1])
        ends.append(tensors)
    try:
        macs = node_module.create_node(operator.proto).profile(*ends)[0]
    except Exception:  # it fails in many ways on operators it half knows; the formula below takes over
        return None
    return int(macs) if math.isfinite(macs) else None


def _by_formula(operator: Operator, dag: Dag) -> int | None:
    def shape(position: int) -> tuple[int, ...]:
        return dag.tensor(operator.operands[position]).shape

    written = dag.tensor(operator.writes[0])
    if operator.type in _ONE_PER_ELEMENT:
        return written.elements
    if operator.type in _ONE_PER_INPUT:
        return _elements(operator.reads, dag)
    if operator.type in {"Conv", "ConvInteger", "DeformConv"}:
        return written.elements * math.prod(shape(1)[1:])
    if operator.type == "QLinearConv":
        return written.elements * math.prod(shape(3)[1:])
    if operator.type == "ConvTranspose":
        return math.prod(shape(0)) * math.prod(shape(1)[1:])
    if operator.type in {"MatMul", "MatMulInteger", "QLinearMatMul", "FusedMatMul"}:
        return written.elements * shape(0)[-1]
    if operator.type == "Gemm":
        transposed = any(attribute.name == "transA" and attribute.i for attribute in operator.proto.attribute)
        return written.elements * shape(0)[0 if transposed else -1]
    if operator.type in {"LSTM", "GRU", "RNN"}:
        return _recurrent(operator, shape(0), shape(1), shape(2))
    if operator.type == "Einsum":
        return _einsum(operator.proto, [shape(position) for position in range(len(operator.operands))])
    return None


def _recurrent(operator: Operator, x: tuple[int, ...], w: tuple[int, ...], r: tuple[int, ...]) -> int:
    """Products of the input and the state with their weights; the gates, an element each, are left out."""
    layout = next((attribute.i for attribute in operator.proto.attribute if attribute.name == "layout"), 0)
    steps, batch = (x[1], x[0]) if layout else (x[0], x[1])
    return steps * batch * (math.prod(w) + math.prod(r))


def _einsum(proto: Any, shapes: list[tuple[int, ...]]) -> int | None:
    equation = next((attribute.s.decode() for attribute in proto.attribute if attribute.name == "equation"), "")
    terms = equation.replace(" ", "").split("->")[0].split(",")
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=False):
        if "." in term or len(term) != len(shape):
            return None
        sizes.update(zip(term, shape, strict=True))
    return math.prod(sizes.values())
