"""How operators are grouped into the layers that a runtime would run."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from dataclasses import dataclass

from placer.profiling.onnx.operators import ACTIVATIONS, VIEWS, Dag, Operator

_AFFINE = {"BatchNormalization", "Add", "Sub", "Mul", "Div"}
_ACTIVATED = {"conv", "depthwise", "fc", "norm", "add"}
"""Kinds of layers that an activation belongs to."""
_POINTWISE = ACTIVATIONS | {
    "Abs", "Add", "Cast", "Cos", "Div", "Erf", "Exp", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Log", "Max",
    "Min", "Mul", "Neg", "Pow", "QuantizeLinear", "QLinearAdd", "QLinearMul", "Reciprocal", "Sign", "Sin", "Sqrt",
    "Sub", "Where",
}  # fmt: skip
"""What activations are built of: SiLU = x Sigmoid(x), Mish, GELU by Erf or Tanh, hard swish, Snake…"""
_LONGEST_ACTIVATION = 24
"""Operators; the GELU of quantised models has 17."""


@dataclass
class Group:
    """Operators that run as one layer; all but the first read nothing but one another, and constants.

    Attributes:
        members: the operators in order.
        folded_away: results whose arithmetic is in the head's weights.
    """

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


def group(dag: Dag, *, fuse: bool) -> list[Group]:
    """Group the operators into layers, in topological order.

    With ``fuse``, what every runtime merges is merged: a batch normalisation or an affine map per channel
    into the convolution, fully connected layer or batch normalisation before it (its arithmetic disappears
    into the weights), an activation into one of these or an addition, be it one operator or several that lead
    from the layer's result to one other tensor, and a change of shape or a quantisation into whatever comes before.
    A tensor that something else reads is not merged over.
    """
    return _Grouping(dag).groups() if fuse else [Group([operator], set()) for operator in dag.operators]


class _Grouping:
    def __init__(self, dag: Dag) -> None:
        self.dag = dag
        self.uses = Counter(name for operator in dag.operators for name in operator.reads)
        self.uses.update(dag.outputs)
        self.readers: dict[str, list[int]] = defaultdict(list)
        for position, operator in enumerate(dag.operators):
            for name in dict.fromkeys(operator.reads):
                self.readers[name].append(position)
        self.taken: set[int] = set()

    def groups(self) -> list[Group]:
        groups = []
        for position, operator in enumerate(self.dag.operators):
            if position not in self.taken:
                groups.append(Group([operator], set()))
                self._grow(groups[-1])
        return groups

    def _grow(self, layer: Group) -> None:
        """Take in what belongs to a layer, until its result is read by something else."""
        while True:
            results = [name for name in layer.last.writes if self.uses[name]]
            if len(results) != 1 or results[0] != layer.last.writes[0]:
                return
            more = self._next(layer, results[0])
            if not more:
                return
            self.taken.update(more)
            layer.members += [self.dag.operators[position] for position in more]

    def _next(self, layer: Group, result: str) -> list[int]:
        """Return the operators that belong to a layer and follow on its result; none where there are none."""
        readers = self.readers[result]
        if self.uses[result] == len(readers) == 1:
            operator = self.dag.operators[readers[0]]
            if operator.reads == (result,) and _merges(operator, layer, self.dag):
                return readers
        return self._activation(layer, result)

    def _activation(self, layer: Group, start: str) -> list[int]:
        """Return the operators of an activation: element by element, from ``start`` to one tensor, nothing else."""
        if layer.head.kind not in _ACTIVATED:
            return []
        open_uses = {start: self.uses[start]}
        found: list[int] = []
        due = list(self.readers[start])
        heapq.heapify(due)
        while due and len(found) < _LONGEST_ACTIVATION:
            position = heapq.heappop(due)
            if position in found:
                continue
            operator = self.dag.operators[position]
            inside = all(name in open_uses for name in operator.reads)
            if not inside or len(operator.writes) != 1 or not _is_pointwise(operator, layer.head, self.dag):
                return []
            for name in operator.reads:
                open_uses[name] -= 1
            end = operator.writes[0]
            open_uses[end] = self.uses[end]
            found.append(position)
            if [name for name, left in open_uses.items() if left] == [end]:
                return found if len(found) > 1 else []
            for reader in self.readers[end]:
                heapq.heappush(due, reader)
        return []


def _merges(operator: Operator, before: Group, dag: Dag) -> bool:
    """Whether the only reader of a layer's result belongs to the layer."""
    head = before.head
    if operator.type in VIEWS or (operator.type == "QuantizeLinear" and _is_per_channel(operator, head, dag)):
        return True
    if operator.type in ACTIVATIONS:
        return head.kind in _ACTIVATED
    if operator.type not in _AFFINE:
        return False
    absorbs = head.kind in {"conv", "depthwise", "fc"} or head.type == "BatchNormalization"
    linear_so_far = all(
        member.type == "QuantizeLinear" or member.writes[0] in before.folded_away for member in before.members[1:]
    )
    if absorbs and linear_so_far and _is_per_channel(operator, head, dag):
        before.folded_away.add(operator.writes[0])
        return True
    # the last step of an activation, such as the division by 6 of a hard swish
    scalar = all(dag.tensor(name).elements == 1 for name in operator.constants)
    return head.kind in _ACTIVATED and len(before.members) > 1 and scalar and operator.type != "BatchNormalization"


def _is_pointwise(operator: Operator, head: Operator, dag: Dag) -> bool:
    same = dag.tensor(operator.writes[0]).elements == dag.tensor(head.writes[0]).elements
    return operator.type in _POINTWISE and same and _has_channel_figures(operator, head, dag)


def _is_per_channel(operator: Operator, head: Operator, dag: Dag) -> bool:
    """Whether an affine operator has one figure a channel, so that the head's weights absorb it."""
    if operator.type == "Div" and operator.operands[0] in operator.constants:
        return False
    return _has_channel_figures(operator, head, dag)


def _has_channel_figures(operator: Operator, head: Operator, dag: Dag) -> bool:
    shape = dag.tensor(head.writes[0]).shape
    channel = -1 if head.kind == "fc" else 1
    channels = shape[channel] if len(shape) > 1 else 1
    return all(dag.tensor(name).elements in {1, channels} for name in operator.constants)
