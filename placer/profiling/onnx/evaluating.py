"""The value of a constant operator, computed only where little goes in and little comes out."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from placer.profiling.onnx.control import OWN_DOMAIN
from placer.profiling.onnx.inference import Tensor

HELD = 4096
"""Constants of up to this many elements are held as values; of larger ones the shape is enough."""
RANDOM = {
    "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli",
}  # fmt: skip
_GROWING = {
    "Expand", "Tile", "Range", "OneHot", "Pad", "Resize", "Upsample", "EyeLike", "CenterCropPad", "AffineGrid",
    "BlackmanWindow", "HammingWindow", "HannWindow", "MelWeightMatrix", "DFT", "STFT", "Col2Im", "MaxUnpool", "Conv",
    "ConvInteger", "ConvTranspose", "DeformConv", "QLinearConv", "AveragePool", "LpPool", "MaxPool", "MaxRoiPool",
    "RoiAlign", "GridSample", "RegexFullMatch", "StringSplit", "StringNormalizer", "TfIdfVectorizer", "Einsum",
}  # fmt: skip
"""What may make much of little, or take long: computed only where the result is known to be small."""


def evaluate(
    onnx: Any, model: Any, node: Any, values: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> list[Any] | None:
    """Return the values of a constant node by its outputs, or None when they are large or cannot be computed.

    Args:
        onnx: the module.
        model: the ModelProto whose operator sets count.
        node: a NodeProto all of whose operands are constant.
        values: constants by name; of larger ones the value is not held.
        tensors: shapes by name.
    """
    inputs = [name for name in dict.fromkeys(node.input) if name]
    if node.op_type in RANDOM or any(name not in values for name in inputs):
        return None
    known = [tensors[name] for name in node.output if name in tensors]
    if any(tensor.elements > HELD for tensor in known) or (node.op_type in _GROWING and not known):
        return None
    if node.domain == OWN_DOMAIN:
        return [_own(node, [values[name] for name in node.input])]
    helper, undefined = onnx.helper, onnx.TensorProto.UNDEFINED
    ends = [
        [helper.make_tensor_value_info(name, undefined, None) for name in dict.fromkeys(names) if name]
        for names in (node.input, node.output)
    ]
    graph = helper.make_graph([node], "constant", *ends)
    alone = helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version)
    try:
        from onnx.reference import ReferenceEvaluator

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a division by zero in a constant is the model's own business
            outputs = ReferenceEvaluator(alone).run(None, {name: values[name] for name in inputs})
    except Exception:  # the reference has no common base for "not implemented": the value stays unknown
        return None
    by_name = dict(zip((value.name for value in graph.output), outputs, strict=True))
    return [by_name.get(name) for name in node.output]


def _own(node: Any, operands: list[Any]) -> Any:
    """Values of ``control.stack`` and ``control.part``."""
    import numpy as np

    figures = {one.name: int(one.i) for one in node.attribute}
    axis = figures["axis"]
    if node.op_type == "Stack":
        return np.stack(operands, axis=axis)
    places: Any = figures["start"] if figures["drop"] else range(figures["start"], figures["start"] + figures["size"])
    return np.take(operands[0], places, axis=axis)
