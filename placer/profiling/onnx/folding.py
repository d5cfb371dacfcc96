"""Shapes of every tensor, and what is constant: one walk through the operators in their order."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

from placer.errors import InputError, Problem
from placer.profiling.onnx.checking import (
    LARGEST_SIZE,
    MOST_OPERATORS,
    fault_of_node,
    fault_of_tensor,
    version_of,
)
from placer.profiling.onnx.control import (
    CONTROL_FLOW,
    OWN_DOMAIN,
    Body,
    Laps,
    RunTimeChoiceError,
    choose,
    first_lap,
    name_of,
    next_lap,
    scan,
)
from placer.profiling.onnx.evaluating import HELD, RANDOM, evaluate
from placer.profiling.onnx.folded import STANDARD_DOMAINS, Folded, why_unknown
from placer.profiling.onnx.inference import Inference, Tensor, fixed
from placer.profiling.onnx.reading import Recorded, need_onnx
from placer.profiling.onnx.sequences import SEQUENCES, replace

_ARGUMENT = 64
"""int64 constants of up to this many elements are arguments (shapes, axes), not weights."""

_UNFIT = (ValueError, IndexError, KeyError, AttributeError, TypeError, ZeroDivisionError, OverflowError)


def fold(model: Any, path: Path, recorded: Recorded | None = None) -> Folded:
    """Infer the shapes of a model with fixed inputs and fold what does not depend on them.

    Control flow whose condition or number of laps turns out constant is replaced by what it runs.

    Args:
        model: a ModelProto of ``read_model`` whose inputs are fixed.
        path: its file, for messages.
        recorded: what the file says of its tensors; used where no rule gives a shape.

    Raises:
        InputError: when its tensors are broken, shape inference refuses the graph, or what runs is known only at run
            time.
    """
    return _Folder(model, path, recorded or Recorded({}, {})).run()


class _Folder:
    def __init__(self, model: Any, path: Path, recorded: Recorded) -> None:
        self.onnx = need_onnx()
        self.model = model
        self.path = path
        self.recorded = dict(recorded.values)
        self.symbols = recorded.symbols
        self.result = Folded()
        self.values: dict[str, Any] = {}
        self.inference = Inference(model)
        self.version = version_of(model)
        self.due: deque[Any] = deque()
        self.copied = 0

    def run(self) -> Folded:
        graph = self.model.graph
        for tensor in graph.sparse_initializer:
            raise self._broken(f"sparse initialiser '{tensor.values.name}' is not supported")
        self._store(graph.initializer)
        for value in graph.input:
            known = fixed(value)
            if known is not None:
                self.result.tensors[value.name] = known
        self.due.extend(graph.node)
        while self.due:
            item = self.due.popleft()
            try:
                self._visit(item)
            except _UNFIT as error:  # what a broken operator, or one in a graph of an attribute, ends in
                node = item.node if isinstance(item, Laps) else item
                text = f"operator {name_of(node)[:60]!r} ({node.op_type[:60]}) is broken: {str(error)[:160]}"
                raise self._broken(text) from error
        return self.result

    def _visit(self, node: Any) -> None:
        if isinstance(node, Laps) or (node.op_type in CONTROL_FLOW and node.domain in STANDARD_DOMAINS):
            self._expand(node)
        elif node.op_type in SEQUENCES or any(name in self.result.sequences for name in node.input):
            self._sequence(node)
        elif not self._fold_node(node):
            self.result.nodes.append(node)

    def _expand(self, item: Any) -> None:
        """Put what a control flow operator runs in its place."""
        node, rest = item.node if isinstance(item, Laps) else item, None
        try:
            if isinstance(item, Laps):
                body, rest = next_lap(self.onnx, item, self.values)
            elif node.op_type == "If":
                body = choose(self.onnx, node, self.values)
            elif node.op_type == "Loop":
                body, rest = Body(), first_lap(node, self.values)
            elif node.op_type == "Scan":
                body = scan(self.onnx, node, self.result.tensors, MOST_OPERATORS)
            else:
                raise RunTimeChoiceError("it maps a sequence of tensors")
        except RunTimeChoiceError as error:
            text = (
                f"operator '{name_of(node)}' is a top-level {node.op_type}: what runs is known only at run time "
                f"({error}), so there is no fixed graph to profile"
            )
            tip = (
                "give the input that decides a value (--input-value NAME=VALUE), or export the branch or the loop body "
                "as a model of its own and profile that"
            )
            raise InputError([Problem(text, file=str(self.path))], tip=tip) from error
        self.copied += 1 + body.size
        if self.copied > MOST_OPERATORS:
            raise self._broken(f"has more than {MOST_OPERATORS} operators once its loops are laid out")
        self._check(body.nodes)
        self._store([tensor for tensor in body.weights if tensor.name not in self.result.tensors])
        for name, value in body.constants.items():
            self.result.stored[name] = frozenset()
            self._hold(name, value)
        self.recorded |= {value.name: value for value in body.recorded}
        if rest is not None:
            self.due.appendleft(rest)
        self.due.extendleft(reversed(body.nodes))

    def _check(self, nodes: list[Any]) -> None:
        """Hold the operators of a branch or a body to what holds for those of the main graph."""
        for node in nodes:
            fault = fault_of_node(self.onnx, node, self.version)
            if fault is not None and node.domain != OWN_DOMAIN:
                raise self._broken(fault)

    def _sequence(self, node: Any) -> None:
        try:
            nodes = replace(self.onnx, node, self.result.sequences, self.result.tensors, self.values)
        except ValueError as error:
            reason = f"{error}; only sequences whose tensors are known before the model runs are profiled"
            raise self._broken(f"operator '{name_of(node)}' ({node.op_type}) {reason}") from error
        self.due.extendleft(reversed(nodes))

    def _store(self, tensors: Any) -> None:
        for tensor in tensors:
            fault = fault_of_tensor(self.onnx, tensor)
            if fault is not None:
                raise self._broken(f"tensor '{tensor.name[:60]}' {fault}")
            self.result.tensors[tensor.name] = Tensor(tuple(tensor.dims), tensor.data_type)
            external = tensor.data_location == self.onnx.TensorProto.EXTERNAL
            self._weight(tensor.name, None if external else tensor)

    def _fold_node(self, node: Any) -> bool:
        """Learn the shapes of what an operator makes; fold it when it is constant, and return whether it was."""
        stored = self.result.stored
        if node.domain in STANDARD_DOMAINS:
            if node.op_type == "Constant":
                self._constant(node)
                return True
            if node.op_type in {"Shape", "Size"}:
                return self._shape(node)
        inputs = [name for name in node.input if name]
        constant = bool(inputs) and all(name in stored for name in inputs)
        if constant and node.op_type == "ConstantOfShape" and node.domain in STANDARD_DOMAINS:
            return self._filled(node)
        self._infer(node)
        if not constant or any(attribute.HasField("g") for attribute in node.attribute):
            return False
        values = evaluate(self.onnx, self.model, node, self.values, self.result.tensors)
        if values is None and any(name and name not in self.result.tensors for name in node.output):
            return False
        if values is None and node.op_type in RANDOM:
            return False
        made_from = frozenset().union(*(stored[name] for name in inputs))
        for position, name in enumerate(node.output):
            if name:
                stored[name] = made_from
                if values is not None:
                    self._hold(name, values[position])
        return True

    def _infer(self, node: Any) -> None:
        tensors = self.result.tensors
        try:
            found = self.inference.outputs(node, tensors, self.values)
        except (ValueError, IndexError, AttributeError, TypeError, ZeroDivisionError) as error:
            shown = f"operator '{name_of(node)[:60]}' ({node.op_type[:60]})"
            raise self._broken(f"{shown}: shape inference failed: {error}") from error
        for name in filter(None, node.output):
            known = found.get(name)
            if known is None and name in self.recorded:
                known = fixed(self.recorded[name], self.symbols)
                if known is not None:
                    self.result.recorded.append(name)
            if known is not None:
                tensors[name] = known
            else:
                self.result.reasons[name] = why_unknown(node, self.result)

    def _weight(self, name: str, tensor: Any | None) -> None:
        """Count a stored tensor as weights unless it is a small int64 argument; hold a small value."""
        info = self.result.tensors[name]
        small_integer = info.kind == self.onnx.TensorProto.INT64 and info.elements <= _ARGUMENT
        self.result.stored[name] = frozenset() if small_integer else frozenset({name})
        self.result.sizes[name] = info.size
        if tensor is not None and info.elements <= HELD:
            try:
                self.values[name] = self.onnx.numpy_helper.to_array(tensor)
            except (ValueError, TypeError) as error:
                raise self._broken(f"tensor '{name}' is broken: {str(error)[:120]}") from error

    def _constant(self, node: Any) -> None:
        name, attribute = node.output[0], node.attribute[0] if node.attribute else None
        if name in self.result.stored:
            return  # of the body of a loop, met in the lap before
        if attribute is not None and attribute.name == "value":
            tensor = attribute.t
        else:
            values = evaluate(self.onnx, self.model, node, {}, {})
            if values is None:
                raise self._broken(f"constant '{name}' has no value that can be used")
            tensor = self._stored(name, values[0])
        fault = fault_of_tensor(self.onnx, tensor)
        if fault is not None:
            raise self._broken(f"constant '{name[:60]}' {fault}")
        self.result.tensors[name] = Tensor(tuple(tensor.dims), tensor.data_type)
        self._weight(name, tensor)

    def _stored(self, name: str, value: Any) -> Any:
        try:
            return self.onnx.numpy_helper.from_array(value)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self._broken(f"constant '{name[:60]}' has no value that can be used") from error

    def _shape(self, node: Any) -> bool:
        import numpy as np

        tensor = self.result.tensors.get(node.input[0])
        if tensor is None:
            self.result.reasons[node.output[0]] = why_unknown(node, self.result)
            return False
        limits = {attribute.name: attribute.i for attribute in node.attribute}
        value: Any = tensor.shape[limits.get("start", 0) : limits.get("end")]
        if node.op_type == "Size":
            value = tensor.elements
        self.result.stored[node.output[0]] = frozenset()
        self._hold(node.output[0], np.array(value, dtype=np.int64))
        return True

    def _filled(self, node: Any) -> bool:
        shape, name = self.values.get(node.input[0]), node.output[0]
        if shape is None:
            self.result.reasons[name] = f"the value of '{node.input[0][:60]}' is not known"
            return False
        fill = next((attribute.t for attribute in node.attribute if attribute.name == "value"), None)
        kind = fill.data_type if fill is not None else self.onnx.TensorProto.FLOAT
        if shape.dtype.kind not in "iu" or shape.size > 64 or ((shape < 0) | (shape > LARGEST_SIZE)).any():
            raise self._broken(f"'{name[:60]}' is filled to the shape {shape.tolist()!s:.80}, which no tensor has")
        self.result.tensors[name] = Tensor(tuple(int(size) for size in shape.flatten()), kind)
        self._weight(name, None)
        if self.result.tensors[name].elements <= HELD:
            values = evaluate(self.onnx, self.model, node, self.values, self.result.tensors)
            if values is not None:
                self._hold(name, values[0])
        return True

    def _hold(self, name: str, value: Any) -> None:
        """Keep a computed value and its shape."""
        import numpy as np

        array = np.asarray(value)
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        self.result.tensors[name] = Tensor(tuple(array.shape), kind)
        if array.size <= HELD:
            self.values[name] = array

    def _broken(self, message: str) -> InputError:
        return InputError([Problem(message, file=str(self.path))])
