"""Shapes of every tensor, and what is constant: inference and folding in turn until nothing new is known."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from placer.errors import InputError, Problem
from placer.profiling.onnx.checking import LARGEST_SIZE, bits_of
from placer.profiling.onnx.reading import need_onnx

_HELD = 4096
"""Constants of up to this many elements are held as values; of larger ones the shape is enough."""
_ARGUMENT = 64
"""int64 constants of up to this many elements are arguments (shapes, axes), not weights."""
_RANDOM = {
    "RandomNormal",
    "RandomUniform",
    "RandomNormalLike",
    "RandomUniformLike",
    "Multinomial",
    "Bernoulli",
}
_GROWING = {
    "Expand", "Tile", "Range", "OneHot", "Pad", "Resize", "Upsample", "EyeLike", "CenterCropPad", "AffineGrid",
    "BlackmanWindow", "HammingWindow", "HannWindow", "MelWeightMatrix", "DFT", "STFT", "Col2Im", "MaxUnpool", "Conv",
    "ConvInteger", "ConvTranspose", "DeformConv", "QLinearConv", "AveragePool", "LpPool", "MaxPool", "MaxRoiPool",
    "RoiAlign", "GridSample", "RegexFullMatch", "StringSplit", "StringNormalizer", "TfIdfVectorizer", "Einsum",
}  # fmt: skip
"""What may make much of little, or take long: computed only where the result is known to be small."""


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


@dataclass
class Folded:
    """A graph whose shapes are known and whose constants are told apart.

    Attributes:
        nodes: NodeProtos that are not constant, in the order of the file.
        tensors: shape and type by tensor name; a tensor whose shape is unknown is missing.
        stored: for every constant the weights that it is made from (initialisers, filled constants).
        sizes: bytes of each of those weights.
    """

    nodes: list[Any] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    stored: dict[str, frozenset[str]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)


def fold(model: Any, path: Path) -> Folded:
    """Infer the shapes of a model with fixed inputs and fold what does not depend on them.

    Raises:
        InputError: when its tensors are broken or shape inference refuses the graph.
    """
    return _Folder(model, path).run()


class _Folder:
    def __init__(self, model: Any, path: Path) -> None:
        self.onnx = need_onnx()
        self.model = model
        self.path = path
        self.result = Folded()
        self.values: dict[str, Any] = {}
        self.fresh: dict[str, Any] = {}

    def run(self) -> Folded:
        result, graph = self.result, self.model.graph
        for tensor in graph.initializer:
            result.tensors[tensor.name] = Tensor(tuple(tensor.dims), tensor.data_type)
            external = tensor.data_location == self.onnx.TensorProto.EXTERNAL
            self._weight(tensor.name, None if external else tensor)
        for tensor in graph.sparse_initializer:
            raise self._broken(f"sparse initialiser '{tensor.values.name}' is not supported")
        pending = list(graph.node)
        while True:
            self._infer()
            left = [node for node in pending if not self._fold_node(node)]
            done = len(left) == len(pending)
            pending = left
            del graph.node[:]
            graph.node.extend(pending)
            self._publish()
            if done:
                break
        result.nodes = pending
        return result

    def _infer(self) -> None:
        try:
            inferred = self.onnx.shape_inference.infer_shapes(self.model, strict_mode=False, data_prop=True)
        except Exception as error:  # onnx raises its own InferenceError, TypeError and ValueError here
            raise self._broken(f"shape inference failed: {str(error).splitlines()[0][:200]}") from error
        graph = inferred.graph
        for value in [*graph.value_info, *graph.input, *graph.output]:
            if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
                continue
            dims = value.type.tensor_type.shape.dim
            if all(dim.HasField("dim_value") and dim.dim_value >= 0 for dim in dims):
                shape = tuple(int(dim.dim_value) for dim in dims)
                self.result.tensors[value.name] = Tensor(shape, value.type.tensor_type.elem_type)

    def _fold_node(self, node: Any) -> bool:
        """Fold ``node`` when it is constant; return whether it was."""
        inputs = [name for name in node.input if name]
        stored = self.result.stored
        if node.op_type == "Constant":
            self._constant(node)
            return True
        if node.op_type in {"Shape", "Size"} and node.domain in {"", "ai.onnx"}:
            return self._shape(node)
        if not inputs or node.op_type in _RANDOM or any(name not in stored for name in inputs):
            return False
        if any(attribute.HasField("g") for attribute in node.attribute):
            return False
        if node.op_type == "ConstantOfShape":
            return self._filled(node)
        made_from = frozenset().union(*(stored[name] for name in inputs))
        values = self._evaluate(node, inputs)
        if values is None and any(name and name not in self.result.tensors for name in node.output):
            return False  # its shape is not known yet: try again after the next inference
        for position, name in enumerate(node.output):
            if name:
                stored[name] = made_from
                if values is not None:
                    self._hold(name, values[position])
        return True

    def _weight(self, name: str, tensor: Any | None) -> None:
        """Count a stored tensor as weights unless it is a small int64 argument; hold a small value."""
        info = self.result.tensors[name]
        small_integer = info.kind == self.onnx.TensorProto.INT64 and info.elements <= _ARGUMENT
        self.result.stored[name] = frozenset() if small_integer else frozenset({name})
        self.result.sizes[name] = info.size
        if tensor is not None and info.elements <= _HELD:
            try:
                self.values[name] = self.onnx.numpy_helper.to_array(tensor)
            except (ValueError, TypeError) as error:
                raise self._broken(f"tensor '{name}' is broken: {str(error)[:120]}") from error

    def _constant(self, node: Any) -> None:
        name, attribute = node.output[0], node.attribute[0] if node.attribute else None
        if attribute is not None and attribute.name == "value":
            tensor = attribute.t
        else:
            values = self._evaluate(node, [])
            if values is None:
                raise self._broken(f"constant '{name}' has no value that can be used")
            tensor = self._stored(name, values[0])
        self.result.tensors[name] = Tensor(tuple(tensor.dims), tensor.data_type)
        self._weight(name, tensor)
        if name in self.values:
            self._hold(name, self.values[name])

    def _stored(self, name: str, value: Any) -> Any:
        try:
            return self.onnx.numpy_helper.from_array(value)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self._broken(f"constant '{name[:60]}' has no value that can be used") from error

    def _shape(self, node: Any) -> bool:
        import numpy as np

        tensor = self.result.tensors.get(node.input[0])
        if tensor is None:
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
            return False
        fill = next((attribute.t for attribute in node.attribute if attribute.name == "value"), None)
        kind = fill.data_type if fill is not None else self.onnx.TensorProto.FLOAT
        if shape.dtype.kind not in "iu" or shape.size > 64 or ((shape < 0) | (shape > LARGEST_SIZE)).any():
            raise self._broken(f"'{name[:60]}' is filled to the shape {shape.tolist()!s:.80}, which no tensor has")
        self.result.tensors[name] = Tensor(tuple(int(size) for size in shape.flatten()), kind)
        self._weight(name, None)
        if self.result.tensors[name].elements <= _HELD:
            values = self._evaluate(node, [node.input[0]])
            if values is not None:
                self._hold(name, values[0])
        return True

    def _evaluate(self, node: Any, inputs: list[str]) -> list[Any] | None:
        """Return the values of a constant node, or None when they are large or cannot be computed."""
        if any(name not in self.values for name in inputs):
            return None
        if node.op_type in _GROWING:
            known = self.result.tensors.get(node.output[0])
            if known is None or known.elements > _HELD:
                return None
        helper, undefined = self.onnx.helper, self.onnx.TensorProto.UNDEFINED
        ends = [
            [helper.make_tensor_value_info(name, undefined, None) for name in dict.fromkeys(names) if name]
            for names in (node.input, node.output)
        ]
        graph = helper.make_graph([node], "constant", *ends)
        opsets = list(self.model.opset_import)
        model = helper.make_model(graph, opset_imports=opsets, ir_version=self.model.ir_version)
        try:
            from onnx.reference import ReferenceEvaluator

            outputs = ReferenceEvaluator(model).run(None, {name: self.values[name] for name in inputs})
        except Exception:  # the reference has no common base for "not implemented": the value stays unknown
            return None
        by_name = dict(zip((value.name for value in graph.output), outputs, strict=True))
        return [by_name.get(name) for name in node.output]

    def _hold(self, name: str, value: Any) -> None:
        """Keep a computed value and its shape, and tell shape inference about it."""
        import numpy as np

        array = np.asarray(value)
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        self.result.tensors[name] = Tensor(tuple(array.shape), kind)
        if array.size <= _HELD:
            self.values[name] = self.fresh[name] = array

    def _publish(self) -> None:
        """Add what was folded to the model: values as initialisers, large constants as inputs."""
        graph, present = self.model.graph, {tensor.name for tensor in self.model.graph.initializer}
        present |= {value.name for value in graph.input}
        for name, array in self.fresh.items():
            if name not in present:
                graph.initializer.append(self.onnx.numpy_helper.from_array(array, name))
                present.add(name)
        self.fresh = {}
        for name in self.result.stored.keys() - present:
            tensor = self.result.tensors[name]
            graph.input.append(self.onnx.helper.make_tensor_value_info(name, tensor.kind, tensor.shape))

    def _broken(self, message: str) -> InputError:
        return InputError([Problem(message, file=str(self.path))])
