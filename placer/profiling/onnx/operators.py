"""The operators of a model as a DAG, and how they are grouped into the layers that a runtime would run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from placer.errors import InputError, Problem
from placer.profiling.onnx.folding import Folded, Tensor

VIEWS = {"Reshape", "Flatten", "Squeeze", "Unsqueeze"}
ACTIVATIONS = {
    "Celu", "Clip", "Elu", "FastGelu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "PRelu",
    "QuickGelu", "Relu", "Selu", "Sigmoid", "Softplus", "Softsign", "Swish", "Tanh", "ThresholdedRelu",
}  # fmt: skip
AFFINE = {"BatchNormalization", "Add", "Sub", "Mul", "Div"}
_PASSED_THROUGH = {"Identity", "Dropout"}
_CONV = {"Conv", "ConvInteger", "QLinearConv", "ConvTranspose", "DeformConv"}
_FC = {"Gemm", "MatMul", "MatMulInteger", "QLinearMatMul", "MatMulNBits", "FusedMatMul"}
_KINDS = {
    "pool": {
        "MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool",
        "MaxRoiPool",
    },
    "norm": {
        "BatchNormalization", "InstanceNormalization", "LayerNormalization", "GroupNormalization", "LRN",
        "LpNormalization", "MeanVarianceNormalization", "RMSNormalization", "SimplifiedLayerNormalization",
        "SkipLayerNormalization",
    },
    "activation": ACTIVATIONS,
    "add": {"Add", "Sum"},
    "concat": {"Concat"},
    "reshape": {*VIEWS, "Transpose", "DepthToSpace", "SpaceToDepth"},
    "softmax": {"Softmax", "LogSoftmax", "Hardmax"},
    "attention": {"Attention", "MultiHeadAttention", "GroupQueryAttention"},
    "recurrent": {"LSTM", "GRU", "RNN"},
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


@dataclass
class Group:
    """Operators that run as one layer; all but the first read nothing but the one before, and constants."""

    members: list[Operator]
    folded_away: set[str]

    @property
    def head(self) -> Operator:
        """The operator that gives the layer its kind and name."""
        return self.members[0]

    @property
    def last(self) -> Operator:
        """The operator whose outputs are the layer's."""
        return self.members[-1]


def build_dag(model: Any, folded: Folded, path: Path) -> Dag:
    """Return the live, non-constant operators of ``model``; Identity and Dropout pass through.

    Raises:
        InputError: when the operators are not sorted, a shape is unknown, or nothing is computed.
    """
    alias: dict[str, str] = {}
    made = {value.name for value in model.graph.input} | set(folded.stored)
    inputs = tuple(value.name for value in model.graph.input if value.name not in folded.stored)
    operators = []
    for node in folded.nodes:
        operands = tuple(alias.get(name, name) for name in node.input)
        for name in operands:
            if name and name not in made:
                message = f"operator '{_name(node)}' reads '{name}', which no operator before it makes"
                raise InputError([Problem(message, file=str(path))])
        made |= set(node.output)
        if node.op_type in _PASSED_THROUGH:
            alias[node.output[0]] = operands[0]
            continue
        reads = tuple(name for name in operands if name and name not in folded.stored)
        constants = tuple(name for name in operands if name in folded.stored)
        writes = tuple(name for name in node.output if name)
        kind = _kind(node, operands, folded)
        operators.append(Operator(_name(node), node.op_type, kind, reads, constants, writes, operands, node))
    outputs = frozenset(alias.get(value.name, value.name) for value in model.graph.output)
    live = _live(operators, outputs)
    _check_shapes(live, folded, path)
    if not live:
        raise InputError([Problem("computes nothing: its outputs do not depend on its inputs", file=str(path))])
    used = {name for operator in live for name in operator.reads}
    kept = tuple(name for name in inputs if name in used)
    return Dag(tuple(live), kept, outputs, folded)


def _name(node: Any) -> str:
    return str(node.name or next((name for name in node.output if name), node.op_type))


def _kind(node: Any, operands: tuple[str, ...], folded: Folded) -> str:
    if node.op_type in _CONV:
        group = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
        data = folded.tensors.get(operands[0])
        channels = data.shape[1] if data is not None and len(data.shape) > 1 else 0
        return "depthwise" if group > 1 and group == channels else "conv"
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
            message = (
                f"the shape of '{name}', made by operator '{operator.name}' ({operator.type}), cannot be "
                "inferred: it depends on the data, or shape inference does not know the operator"
            )
            raise InputError([Problem(message, file=str(path))])


def group(dag: Dag, *, fuse: bool) -> list[Group]:
    """Group the operators into layers, in topological order.

    With ``fuse``, what every runtime merges is merged: a batch normalisation or an affine map per channel
    into the convolution, fully connected layer or batch normalisation before it (its arithmetic disappears
    into the weights), an activation into one of these or an addition, and a change of shape into whatever
    comes before. Only a tensor with a single reader is merged over.
    """
    uses = Counter(name for operator in dag.operators for name in operator.reads)
    uses.update(dag.outputs)
    groups: list[Group] = []
    maker: dict[str, Group] = {}
    for operator in dag.operators:
        before = maker.get(operator.reads[0]) if len(operator.reads) == 1 and uses[operator.reads[0]] == 1 else None
        if fuse and before is not None and len(before.last.writes) == 1 and _merges(operator, before, dag):
            before.members.append(operator)
        else:
            before = Group([operator], set())
            groups.append(before)
        for name in operator.writes:
            maker[name] = before
    return groups


def _merges(operator: Operator, before: Group, dag: Dag) -> bool:
    head = before.head
    if operator.type in VIEWS:
        return True
    if operator.type in ACTIVATIONS:
        return head.kind in {"conv", "depthwise", "fc", "norm", "add"}
    absorbs = head.kind in {"conv", "depthwise", "fc"} or head.type == "BatchNormalization"
    linear_so_far = all(member.writes[0] in before.folded_away for member in before.members[1:])
    if operator.type in AFFINE and absorbs and linear_so_far and _is_per_channel(operator, head, dag):
        before.folded_away.add(operator.writes[0])
        return True
    return False


def _is_per_channel(operator: Operator, head: Operator, dag: Dag) -> bool:
    """Whether an affine operator has one figure a channel, so that the head's weights absorb it."""
    if operator.type == "BatchNormalization":
        return True
    if operator.type == "Div" and operator.operands[0] in operator.constants:
        return False
    shape = dag.tensor(head.writes[0]).shape
    channel = -1 if head.kind == "fc" else 1
    channels = shape[channel] if len(shape) > 1 else 1
    return all(dag.tensor(name).elements in {1, channels} for name in operator.constants)
