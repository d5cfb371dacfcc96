"""Cut an ONNX graph into parts along its layers, one ModelProto a part.

A layer's operators go where the layer goes. What is no layer of its own (constants, Identity, Dropout, a
DequantizeLinear before its reader) is taken along by every part that reads its result, and so are stored tensors:
those of one layer lie in one part, those of layers in several parts in each of them (``Cut.shared``). A Shape becomes
the constant that it is once the inputs are fixed, so that no tensor is sent for its shape alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from placer.errors import InputError, Problem
from placer.profiling.onnx.folded import STANDARD_DOMAINS
from placer.profiling.onnx.folding import fold
from placer.profiling.onnx.grouping import group
from placer.profiling.onnx.layers import layers_of
from placer.profiling.onnx.operators import Dag, build_dag
from placer.profiling.onnx.profile import Inputs
from placer.profiling.onnx.reading import fix_inputs, need_onnx, read_model


@dataclass(frozen=True)
class Graph:
    """A graph and which layer each of its operators belongs to.

    Attributes:
        model: the ModelProto, its inputs fixed.
        dag: its operators.
        layers: as in the model file.
        owner: index of the layer by position of the operator in ``model.graph.node``; operators of no layer are absent.
    """

    model: Any
    dag: Dag
    layers: tuple[dict[str, Any], ...]
    owner: dict[int, int]


@dataclass(frozen=True)
class Cut:
    """The parts of a graph.

    Attributes:
        parts: one ModelProto a part.
        shared: stored tensors that lie in several parts, with the parts.
    """

    parts: tuple[Any, ...]
    shared: dict[str, tuple[int, ...]]


def open_graph(path: Path, inputs: Inputs, *, fuse: bool = True) -> Graph:
    """Read a graph as ``profile`` does, and find the operators of each layer.

    Raises:
        InputError: when it cannot be profiled, or a layer is what a control flow operator runs.
    """
    model = read_model(path)
    recorded = fix_inputs(model, path, inputs.shapes, inputs.batch, inputs.values)
    dag = build_dag(model, fold(model, path, recorded), path, fuse=fuse)
    groups = group(dag, fuse=fuse)
    layers, _ = layers_of(dag, groups)
    maker = {name: at for at, node in enumerate(model.graph.node) for name in node.output if name}
    owner = {}
    for number, members in enumerate(groups):
        for operator in members.members:
            at = maker.get(operator.writes[0])
            if at is None or model.graph.node[at].op_type != operator.type:
                message = (
                    f"operator '{operator.name}' comes out of an If, Loop, Scan or sequence: no part holds it alone"
                )
                raise InputError([Problem(message, file=str(path))])
            owner[at] = number
    return Graph(model, dag, tuple(layers), owner)


def cut(graph: Graph, part_of: Sequence[int]) -> Cut:
    """Return the parts; ``part_of`` is the part of each layer, numbered from 0."""
    cutter = _Cutter(graph, part_of)
    needs = [cutter.needs(part) for part in range(max(part_of) + 1)]
    stored: dict[str, list[int]] = {}
    for part, need in enumerate(needs):
        for name in need.stored:
            stored.setdefault(name, []).append(part)
    made = [cutter.build(part, needs) for part in range(len(needs))]
    return Cut(tuple(made), {name: tuple(parts) for name, parts in stored.items() if len(parts) > 1})


@dataclass(frozen=True)
class _Needs:
    """Of one part: positions of its operators, stored tensors, and the tensors that come from outside."""

    nodes: set[int]
    stored: set[str]
    received: list[str]


def _reads(node: Any) -> Iterator[str]:
    """Names that an operator reads, those of the graphs in its attributes from outside included."""
    yield from filter(None, node.input)
    for attribute in node.attribute:
        for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
            own = {value.name for values in (inner.input, inner.initializer) for value in values}
            own |= {name for one in inner.node for name in one.output}
            read = [name for one in inner.node for name in _reads(one)] + [value.name for value in inner.output]
            yield from (name for name in read if name and name not in own)


class _Cutter:
    def __init__(self, graph: Graph, part_of: Sequence[int]) -> None:
        self.graph = graph
        self.nodes = [self._settled(node) for node in graph.model.graph.node]
        self.part = {at: part_of[layer] for at, layer in graph.owner.items()}
        self.maker = {name: at for at, node in enumerate(self.nodes) for name in node.output if name}
        self.stored = {tensor.name for tensor in graph.model.graph.initializer}
        self.ends = [value.name for value in graph.model.graph.output]

    def _settled(self, node: Any) -> Any:
        """A Shape or Size as the constant that it is."""
        onnx = need_onnx()
        known = self.graph.dag.folded.tensors.get(node.input[0]) if node.input else None
        if node.op_type not in {"Shape", "Size"} or node.domain not in STANDARD_DOMAINS or known is None:
            return node
        limits = {attribute.name: attribute.i for attribute in node.attribute}
        shape = known.shape[limits.get("start", 0) : limits.get("end")]
        dims, values = ([len(shape)], shape) if node.op_type == "Shape" else ([], (known.elements,))
        value = onnx.helper.make_tensor("", onnx.TensorProto.INT64, dims, values)
        return onnx.helper.make_node("Constant", [], list(node.output), name=node.name, value=value)

    def home(self, name: str) -> int:
        """The part that a result of the model leaves from: where what it is made of is made."""
        due = [name]
        while due:
            at = self.maker.get(due.pop())
            if at is None:
                continue
            if at in self.part:
                return self.part[at]
            due += _reads(self.nodes[at])
        return 0

    def needs(self, part: int) -> _Needs:
        nodes = {at for at, owner in self.part.items() if owner == part}
        due = [name for at in nodes for name in _reads(self.nodes[at])]
        due += [name for name in self.ends if self.home(name) == part]
        stored, received, seen = set(), [], set()
        while due:
            name = due.pop()
            at = self.maker.get(name)
            if name in seen or (at is not None and self.part.get(at) == part):
                continue
            seen.add(name)
            if name in self.stored:
                stored.add(name)
            elif at is None or at in self.part:
                received.append(name)
            else:
                nodes.add(at)
                due += _reads(self.nodes[at])
        return _Needs(nodes, stored, sorted(received))

    def build(self, part: int, needs: Sequence[_Needs]) -> Any:
        own, whole = needs[part], self.graph.model
        wanted = {name for at, need in enumerate(needs) if at != part for name in need.received}
        made = [name for at in sorted(own.nodes) for name in self.nodes[at].output if self.part.get(at) == part]
        ends = [name for name in self.ends if self.home(name) == part]
        sent = ends + [name for name in made if name in wanted and name not in ends]
        result = type(whole)()
        result.CopyFrom(whole)
        graph = result.graph
        for field in ("node", "initializer", "input", "output", "value_info"):
            graph.ClearField(field)
        graph.name = f"{whole.graph.name}-{part + 1}"
        graph.node.extend(self.nodes[at] for at in sorted(own.nodes))
        graph.initializer.extend(tensor for tensor in whole.graph.initializer if tensor.name in own.stored)
        graph.input.extend(self._value(name) for name in own.received)
        graph.output.extend(self._value(name) for name in sent)
        return result

    def _value(self, name: str) -> Any:
        whole = self.graph.model.graph
        declared = next((value for value in [*whole.input, *whole.output] if value.name == name), None)
        if declared is not None:
            return declared
        known = self.graph.dag.tensor(name)
        return need_onnx().helper.make_tensor_value_info(name, known.kind, list(known.shape))
