"""Multiply-accumulates of one operator.

What counts is a product that goes into a sum: convolutions, matrix products, recurrent cells, attention, Einsum,
interpolation, Fourier transforms, and the scale and shift of a normalisation that no convolution absorbs. What works
element by element, compares, pools or moves counts nothing, as in the published totals of networks. Of an operator
that is in none of the tables, one for each element is assumed, and said so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from placer.errors import InputError
from placer.profiling.onnx.attention import (
    macs_of_attention,
    macs_of_group_query,
    macs_of_multi_head,
    macs_with_weights,
)
from placer.profiling.onnx.contrib import BLOCKED_DOMAIN, CONTRIB_DOMAIN, turned
from placer.profiling.onnx.control import OWN_DOMAIN, attribute
from placer.profiling.onnx.einsum import contraction
from placer.profiling.onnx.operands import number
from placer.profiling.onnx.operators import Dag, Operator

NOTHING = {
    # element by element
    "Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "BitCast", "BitShift", "BitwiseAnd",
    "BitwiseNot", "BitwiseOr", "BitwiseXor", "Cast", "CastLike", "Ceil", "Celu", "Clip", "Cos", "Cosh", "CumProd",
    "CumSum", "DequantizeLinear", "Div", "Dropout", "DynamicQuantizeLinear", "Elu", "Equal", "Erf", "Exp", "Floor",
    "Gelu", "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN", "LeakyRelu", "Less",
    "LessOrEqual", "Log", "Max", "Mean", "Min", "Mish", "Mod", "Mul", "Neg", "Not", "Or", "PRelu", "Pow",
    "QuantizeLinear", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus",
    "Softsign", "Sqrt", "Sub", "Sum", "SwiGLU", "Swish", "Tan", "Tanh", "ThresholdedRelu", "Where", "Xor",
    "FastGelu", "BiasGelu", "QuickGelu", "BiasAdd", "BiasSplitGelu", "BiasDropout", "BitmaskDropout", "QLinearAdd",
    "QLinearMul", "QLinearSigmoid", "QLinearLeakyRelu", "QLinearWhere", "Affine", "Crop", "ImageScaler",
    "ParametricSoftplus", "ScaledTanh",
    # over many: compared, added, put in order
    "ArgMax", "ArgMin", "AveragePool", "Col2Im", "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "Hardmax",
    "LogSoftmax", "LpPool", "MaxPool", "MaxRoiPool", "MaxUnpool", "ReduceL1", "ReduceL2", "ReduceLogSum",
    "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Softmax",
    "TopK", "BiasSoftmax", "NhwcMaxPool", "QLinearAveragePool", "QLinearGlobalAveragePool", "QLinearReduceMean",
    "QLinearSoftmax", "NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss",
    # moved and made
    "Bernoulli", "BlackmanWindow", "CenterCropPad", "Compress", "Concat", "Constant", "ConstantOfShape",
    "DepthToSpace", "Expand", "EyeLike", "Flatten", "Gather", "GatherBlockQuantized", "GatherElements", "GatherND",
    "HammingWindow", "HannWindow", "Multinomial", "NonZero", "OneHot", "Pad", "Part", "QLinearConcat", "RandomNormal",
    "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Range", "Reshape", "ReverseSequence", "Scatter",
    "ScatterElements", "ScatterND", "Shape", "Size", "Slice", "SpaceToDepth", "Split", "Squeeze", "Stack",
    "ReorderInput", "ReorderOutput", "TensorScatter", "Tile", "Transpose", "Trilu", "Unique", "Unsqueeze",
}  # fmt: skip
"""Operators without a product that goes into a sum."""

_NORMALISE = {
    "BatchNormalization", "InstanceNormalization", "LayerNormalization", "GroupNormalization", "LRN", "LpNormalization",
    "MeanVarianceNormalization", "RMSNormalization", "SkipLayerNormalization", "SkipSimplifiedLayerNormalization",
    "SimplifiedLayerNormalization", "SkipGroupNorm", "GroupNorm", "EmbedLayerNormalization",
}  # fmt: skip
_INTERPOLATE = {b"nearest": 0, b"linear": 2, b"bilinear": 2, b"cubic": 4, b"bicubic": 4}
"""Neighbours along each axis that a value is interpolated from; 0 where it is copied."""


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
    known = [dag.folded.tensors.get(name) for name in operator.operands]
    shared = operator.proto.domain in {"", "ai.onnx", CONTRIB_DOMAIN, BLOCKED_DOMAIN, OWN_DOMAIN}
    if shared and operator.type in NOTHING:
        return Count(0)
    formula = _OF_DOMAIN.get(operator.proto.domain, {}).get(operator.type)
    if formula is None and shared:
        formula = FORMULAS.get(operator.type)
    macs = None
    if formula is not None:
        try:
            macs = formula(operator, known, dag.tensor(operator.writes[0]))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            message = f"operator '{operator.name[:60]}': its operands do not have the shapes of a {operator.type[:60]}"
            raise InputError(message) from error
    if macs is not None:
        return Count(macs)
    return Count(max(_elements(operator.reads, dag), _elements(operator.writes, dag), 1), estimated=True)


def _elements(names: tuple[str, ...], dag: Dag) -> int:
    return sum(dag.tensor(name).elements for name in dict.fromkeys(names) if name in dag.folded.tensors)


Formula = Callable[[Operator, Sequence[Any], Any], int | None]
"""From an operator, its operands and its first result to multiply-accumulates; None where it cannot say."""


def _convolution(weights: int) -> Formula:
    """Each result sums over the weights of its filter."""
    return lambda operator, known, written: int(written.elements * math.prod(known[weights].shape[1:]))


def _transposed(operator: Operator, known: Sequence[Any], written: Any) -> int:
    """Each input is multiplied by every weight of its channel."""
    return int(known[0].elements * math.prod(known[1].shape[1:]))


def _matmul(operator: Operator, known: Sequence[Any], written: Any) -> int:
    return int(written.elements * known[0].shape[-1])


def _fused_matmul(operator: Operator, known: Sequence[Any], written: Any) -> int:
    return int(written.elements * turned(operator.proto, "A", known[0].shape)[-1])


def _packed_matmul(operator: Operator, known: Sequence[Any], written: Any) -> int:
    return int(written.elements * number(operator.proto, "K", known[0].shape[-1]))


def _gemm(operator: Operator, known: Sequence[Any], written: Any) -> int:
    return int(written.elements * known[0].shape[0 if number(operator.proto, "transA", 0) else -1])


def _recurrent(operator: Operator, known: Sequence[Any], written: Any) -> int:
    """Products of the input and the state with their weights; the gates work element by element."""
    steps, batch = known[0].shape[:2]  # whichever comes first
    return int(steps * batch * (known[1].elements + known[2].elements))


def _attends(macs: Callable[[Any, Sequence[Any]], int]) -> Formula:
    return lambda operator, known, written: macs(operator.proto, known)


def _einsum(operator: Operator, known: Sequence[Any], written: Any) -> int:
    equation = attribute(operator.proto, "equation").s.decode()
    return contraction(equation, [tensor.shape for tensor in known]).macs


def _grid_sample(operator: Operator, known: Sequence[Any], written: Any) -> int | None:
    mode = attribute(operator.proto, "mode")
    neighbours = _INTERPOLATE.get(mode.s if mode is not None else b"linear")
    return None if neighbours is None else written.elements * neighbours ** (len(known[0].shape) - 2)


def _resize(operator: Operator, known: Sequence[Any], written: Any) -> int | None:
    """Along the axes whose length changes, each result is a weighted sum of its neighbours."""
    mode = attribute(operator.proto, "mode")
    neighbours = _INTERPOLATE.get(mode.s if mode is not None else b"nearest")
    changed = sum(old != new for old, new in zip(known[0].shape, written.shape, strict=True))
    return None if neighbours is None else written.elements * neighbours**changed if neighbours else 0


def _roi_align(operator: Operator, known: Sequence[Any], written: Any) -> int | None:
    samples = number(operator.proto, "sampling_ratio", 0)
    return written.elements * samples**2 * 4 if samples else None


def transform(length: int) -> int:
    """Return the multiply-accumulates of a complex Fourier transform: 4 for each of n/2 log2 n butterflies.

    The fast one for powers of two, Bluestein's for others: three of the next power of two above 2n, as onnxruntime
    runs them.
    """
    if length < 2:
        return 0
    if length & (length - 1) == 0:
        return 2 * length * (length.bit_length() - 1)
    padded = 1 << (2 * length - 2).bit_length()
    return 3 * transform(padded) + 4 * (padded + 2 * length)


def _stft(operator: Operator, known: Sequence[Any], written: Any) -> int:
    """A window and a transform for each frame."""
    batch, frames, bins, _ = written.shape
    onesided = number(operator.proto, "onesided", 1)
    window = known[2] if len(known) > 2 else None
    length = window.shape[0] if window is not None else 2 * (bins - 1) if onesided else bins
    return int(batch * frames * (length + transform(length)))


def _dft(operator: Operator, known: Sequence[Any], written: Any) -> int:
    """A transform along one axis: as long as the result, or twice as long where half of it is left out."""
    shape = written.shape
    onesided = number(operator.proto, "onesided", 0) and not number(operator.proto, "inverse", 0)
    grown = [axis for axis, (old, new) in enumerate(zip(known[0].shape[:-1], shape[:-1], strict=False)) if old != new]
    axis = number(operator.proto, "axis", 1) if not grown else grown[0]
    length = max(known[0].shape[axis], shape[axis]) if onesided else shape[axis]
    lines = written.elements // (shape[axis] * shape[-1]) if shape[axis] else 0
    return int(lines * transform(length))


def _rfft(operator: Operator, known: Sequence[Any], written: Any) -> int:
    """The real end of the transform says how long it is."""
    real = known[0] if operator.type == "Rfft" else written
    length = real.shape[-1]
    return int(real.elements // length * transform(length)) if length else 0


def _affine_grid(operator: Operator, known: Sequence[Any], written: Any) -> int:
    return int(written.elements * known[0].shape[-1])


def _per_element(times: int) -> Formula:
    return lambda operator, known, written: written.elements * times


def _scores(operator: Operator, known: Sequence[Any], written: Any) -> int:
    """Linear models of ai.onnx.ml: each figure of the input with the coefficients of each result."""
    coefficients = attribute(operator.proto, "coefficients")
    return int(known[0].shape[0] * len(coefficients.floats))


FORMULAS: dict[str, Formula] = {
    **dict.fromkeys(
        ("Conv", "ConvInteger", "DeformConv", "FusedConv", "NhwcConv", "NhwcFusedConv", "CausalConvWithState"),
        _convolution(1),
    ),
    "QLinearConv": _convolution(3),
    **dict.fromkeys(("ConvTranspose", "ConvTransposeWithDynamicPads"), _transposed),
    **dict.fromkeys(
        ("MatMul", "MatMulInteger", "QLinearMatMul", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "GemmFastGelu"),
        _matmul,
    ),
    **dict.fromkeys(("FusedMatMul", "FusedMatMulActivation", "TransposeMatMul"), _fused_matmul),
    **dict.fromkeys(("MatMulNBits", "MatMulBnb4", "MatMulFpQ4"), _packed_matmul),
    **dict.fromkeys(("Gemm", "FusedGemm", "QGemm"), _gemm),
    **dict.fromkeys(("LSTM", "GRU", "RNN", "DynamicQuantizeLSTM"), _recurrent),
    **dict.fromkeys(_NORMALISE, _per_element(1)),
    "Attention": _attends(macs_of_attention),
    "MultiHeadAttention": _attends(macs_of_multi_head),
    "GroupQueryAttention": _attends(macs_of_group_query),
    "Einsum": _einsum,
    "GridSample": _grid_sample,
    **dict.fromkeys(("Resize", "Upsample"), _resize),
    "RoiAlign": _roi_align,
    "STFT": _stft,
    "DFT": _dft,
    **dict.fromkeys(("Rfft", "Irfft"), _rfft),
    "AffineGrid": _affine_grid,
    "RotaryEmbedding": _per_element(2),
    "CDist": _matmul,
}
_OF_DOMAIN: dict[str, dict[str, Formula]] = {
    CONTRIB_DOMAIN: {"Attention": _attends(macs_with_weights(4)), "QAttention": _attends(macs_with_weights(8))},
    "ai.onnx.ml": dict.fromkeys(("LinearClassifier", "LinearRegressor"), _scores),
}
