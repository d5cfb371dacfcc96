"""The operators of a model as a DAG."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from placer.errors import InputError, Problem
from placer.profiling.onnx.control import attribute, name_of
from placer.profiling.onnx.folded import Folded
from placer.profiling.onnx.inference import Tensor

VIEWS = {"Reshape", "Flatten", "Squeeze", "Unsqueeze"}
ACTIVATIONS = {
    "BiasGelu", "Celu", "Clip", "Elu", "FastGelu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "PRelu",
    "QLinearLeakyRelu", "QLinearSigmoid", "QuickGelu", "Relu", "Selu", "Sigmoid", "Softplus", "Softsign", "Swish",
    "Tanh", "ThresholdedRelu",
}  # fmt: skip
_PASSED_THROUGH = {"Identity", "Dropout"}
_CONV = {
    "Conv", "ConvInteger", "QLinearConv", "ConvTranspose", "DeformConv", "FusedConv", "NhwcConv", "NhwcFusedConv",
    "ConvTransposeWithDynamicPads", "CausalConvWithState",
}  # fmt: skip
_FC = {
    "Gemm", "MatMul", "MatMulInteger", "QLinearMatMul", "MatMulNBits", "MatMulBnb4", "MatMulFpQ4", "FusedMatMul",
    "FusedMatMulActivation", "TransposeMatMul", "FusedGemm", "QGemm", "GemmFastGelu", "MatMulIntegerToFloat",
    "DynamicQuantizeMatMul",
}  # fmt: skip
_KINDS = {
    "pool": {
        "MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool",
        "MaxRoiPool", "NhwcMaxPool", "QLinearAveragePool", "QLinearGlobalAveragePool",
    },
    "norm": {
        "BatchNormalization", "InstanceNormalization", "LayerNormalization", "GroupNormalization", "LRN",
        "LpNormalization", "MeanVarianceNormalization", "RMSNormalization", "SimplifiedLayerNormalization",
        "SkipLayerNormalization", "SkipSimplifiedLayerNormalization", "SkipGroupNorm", "GroupNorm",
        "EmbedLayerNormalization",
    },
    "activation": ACTIVATIONS,
    "add": {"Add", "Sum", "QLinearAdd"},
    "concat": {"Concat", "QLinearConcat", "Stack"},
    "reshape": {*VIEWS, "Transpose", "DepthToSpace", "SpaceToDepth", "ReorderInput", "ReorderOutput"},
    "softmax": {"Softmax", "LogSoftmax", "Hardmax", "QLinearSoftmax"},
    "attention": {"Attention", "MultiHeadAttention", "GroupQueryAttention", "QAttention"},
    "recurrent": {"LSTM", "GRU", "RNN", "DynamicQuantizeLSTM"},
}  # fmt: skip
_KIND_OF = {operator: kind for kind, operators in _KINDS.items() for operator in operators}


@dataclass(frozen=True)
class Operator:
    """One operator that depends on the input.

    Attributes:
        name: as in the file, or the name of its output.
        type: ONNX operator type.
        kind: layer kind of placer's model format.
        reads: tensors that it reads and that are not constant, one entry a use.
        constants: constant tensors that it reads.
        writes: tensors that it makes.
        operands: every operand in the order of the operator's definition, '' where left out.
        proto: the NodeProto.
    """

    name: str
    type: str
    kind: str
    reads: tuple[str, ...]
    constants: tuple[str, ...]
    writes: tuple[str, ...]
    operands: tuple[str, ...]
    proto: Any


@dataclass(frozen=True)
class Dag:
    """The operators that lead from the inputs to the outputs.

    Attributes:
        operators: in topological order.
        inputs: tensors that come from outside.
        outputs: tensors that leave the model.
        folded: shapes and constants.
    """

    operators: tuple[Operator, ...]
    inputs: tuple[str, ...]
    outputs: frozenset[str]
    folded: Folded

    def tensor(self, name: str) -> Tensor:
        """Return shape and type of a tensor."""
        return self.folded.tensors[name]


def build_dag(model: Any, folded: Folded, path: Path, *, fuse: bool = True) -> Dag:
    """Return the live, non-constant operators of ``model``; Identity and Dropout pass through.

    With ``fuse``, so does a DequantizeLinear: what travels between layers is the quantised tensor.

    Raises:
        InputError: when the operators are not sorted, a shape is unknown, or nothing is computed.
    """
    alias: dict[str, str] = {}
    ends = {member for value in model.graph.output for member in _members(value.name, folded)}
    through = _PASSED_THROUGH | ({"DequantizeLinear"} if fuse else set())
    made = {value.name for value in model.graph.input} | set(folded.stored)
    inputs = tuple(value.name for value in model.graph.input if value.name not in folded.stored)
    operators = []
    for node in folded.nodes:
        operands = tuple(alias.get(name, name) for name in node.input)
        for name in operands:
            if name and name not in made:
                message = f"operator '{name_of(node)}' reads '{name}', which no operator before it makes"
                raise InputError([Problem(message, file=str(path))])
        made |= set(node.output)
        kept = node.op_type == "DequantizeLinear" and node.output[0] in ends
        if node.op_type in through and operands[0] not in folded.stored and not kept:
            alias[node.output[0]] = operands[0]
            continue
        reads = tuple(name for name in operands if name and name not in folded.stored)
        constants = tuple(name for name in operands if name in folded.stored)
        writes = tuple(name for name in node.output if name)
        kind = _kind(node, operands, folded)
        operators.append(Operator(name_of(node), node.op_type, kind, reads, constants, writes, operands, node))
    outputs = frozenset(alias.get(name, name) for name in ends)
    live = _live(operators, outputs)
    _check_shapes(live, folded, path)
    if not live:
        raise InputError([Problem("computes nothing: its outputs do not depend on its inputs", file=str(path))])
    used = {name for operator in live for name in operator.reads}
    kept = tuple(name for name in inputs if name in used)
    return Dag(tuple(live), kept, outputs, folded)


def _members(name: str, folded: Folded) -> tuple[str, ...]:
    """Return the tensors that a result of the model stands for: those of a sequence, or itself."""
    return folded.sequences.get(name, (name,))


def _kind(node: Any, operands: tuple[str, ...], folded: Folded) -> str:
    if node.op_type in _CONV:
        held = attribute(node, "group")
        position = 3 if node.op_type == "QLinearConv" else 1
        weights = folded.tensors.get(operands[position]) if len(operands) > position else None
        if held is None or held.i < 2 or weights is None or len(weights.shape) < 2:
            return "conv"
        if node.op_type.startswith("ConvTranspose"):
            return "depthwise" if weights.shape[0] == held.i else "conv"
        return "depthwise" if weights.shape[1] == 1 else "conv"
    if node.op_type in _FC:
        return "fc" if any(name in folded.stored for name in operands[1:]) else "attention"
    return _KIND_OF.get(node.op_type, "other")


def _live(operators: list[Operator], outputs: Iterable[str]) -> list[Operator]:
    needed, live = set(outputs), []
    for operator in reversed(operators):
        if needed.intersection(operator.writes):
            live.append(operator)
            needed.update(operator.reads)
    return live[::-1]


def _check_shapes(operators: list[Operator], folded: Folded, path: Path) -> None:
    read = {name for operator in operators for name in operator.reads}
    for operator in operators:
        for position, name in enumerate(operator.writes):
            if name in folded.tensors or (position > 0 and name not in read):
                continue
            reason = folded.reasons.get(name, "shape inference does not know it")
            message = (
                f"the shape of '{name}', made by operator '{operator.name}' ({operator.type}), cannot be "
                f"inferred: {reason}"
            )
            raise InputError([Problem(message, file=str(path))])
