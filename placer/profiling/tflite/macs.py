"""Multiply-accumulates of a TensorFlow Lite operator: products that go into sums, as for ONNX (``onnx/macs.py``)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from placer.profiling.tflite.reading import Operator, Tensor, need_tflite

NOTHING = {
    "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "DEPTH_TO_SPACE", "DEQUANTIZE", "EMBEDDING_LOOKUP", "FLOOR",
    "HASHTABLE_LOOKUP", "L2_POOL_2D", "LOGISTIC", "MAX_POOL_2D", "MUL", "RELU", "RELU_N1_TO_1", "RELU6", "RESHAPE",
    "SOFTMAX", "SPACE_TO_DEPTH", "TANH", "PAD", "GATHER", "BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND", "TRANSPOSE", "MEAN",
    "SUB", "DIV", "SQUEEZE", "STRIDED_SLICE", "EXP", "TOPK_V2", "SPLIT", "LOG_SOFTMAX", "CAST", "PRELU", "MAXIMUM",
    "ARG_MAX", "MINIMUM", "LESS", "NEG", "PADV2", "GREATER", "GREATER_EQUAL", "LESS_EQUAL", "SELECT", "SLICE", "SIN",
    "SPARSE_TO_DENSE", "TILE", "EXPAND_DIMS", "EQUAL", "NOT_EQUAL", "LOG", "SUM", "SQRT", "RSQRT", "SHAPE", "POW",
    "ARG_MIN", "FAKE_QUANT", "REDUCE_PROD", "REDUCE_MAX", "PACK", "LOGICAL_OR", "ONE_HOT", "LOGICAL_AND", "LOGICAL_NOT",
    "UNPACK", "REDUCE_MIN", "FLOOR_DIV", "REDUCE_ANY", "SQUARE", "ZEROS_LIKE", "FILL", "FLOOR_MOD", "RANGE",
    "RESIZE_NEAREST_NEIGHBOR", "LEAKY_RELU", "SQUARED_DIFFERENCE", "MIRROR_PAD", "ABS", "SPLIT_V", "UNIQUE", "CEIL",
    "REVERSE_V2", "ADD_N", "GATHER_ND", "COS", "WHERE", "RANK", "ELU", "REVERSE_SEQUENCE", "MATRIX_DIAG", "QUANTIZE",
    "MATRIX_SET_DIAG", "ROUND", "HARD_SWISH", "SCATTER_ND", "SELECT_V2", "DENSIFY", "SEGMENT_SUM", "CUMSUM",
    "CALL_ONCE", "BROADCAST_TO", "IMAG", "REAL", "COMPLEX_ABS", "HASHTABLE", "HASHTABLE_FIND", "HASHTABLE_IMPORT",
    "HASHTABLE_SIZE", "REDUCE_ALL", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "BROADCAST_ARGS",
    "RANDOM_STANDARD_NORMAL", "BUCKETIZE", "RANDOM_UNIFORM", "MULTINOMIAL", "GELU", "DYNAMIC_UPDATE_SLICE",
    "RELU_0_TO_1", "UNSORTED_SEGMENT_PROD", "UNSORTED_SEGMENT_MAX", "UNSORTED_SEGMENT_SUM", "ATAN2",
    "UNSORTED_SEGMENT_MIN", "SIGN", "BITCAST", "BITWISE_XOR", "RIGHT_SHIFT", "CONCAT_EMBEDDINGS", "DILATE",
}  # fmt: skip
"""Operators without a product that goes into a sum."""


Formula = Callable[[Operator, Sequence[Tensor | None], Tensor], int]


def count(operator: Operator, tensors: Sequence[Tensor]) -> int | None:
    """Return the multiply-accumulates of one run of ``operator``, or None where nothing is known of it.

    Raises:
        ValueError: when its operands do not have the shapes that its type needs.
    """
    if operator.type in NOTHING:
        return 0
    formula = FORMULAS.get(operator.custom or operator.type)
    if formula is None:
        return None
    known = [tensors[number] if number >= 0 else None for number in operator.inputs]
    try:
        return int(formula(operator, known, tensors[operator.outputs[0]]))
    except (AttributeError, IndexError, TypeError) as error:
        raise ValueError(f"its operands do not have the shapes of a {operator.kind}") from error


def _of(tensor: Tensor | None) -> Tensor:
    if tensor is None:
        raise IndexError
    return tensor


def _convolution(operator: Operator, known: Sequence[Tensor | None], made: Tensor) -> int:
    """Filters are (out, height, width, in)."""
    return made.elements * math.prod(_of(known[1]).shape[1:])


def _depthwise(operator: Operator, known: Sequence[Tensor | None], made: Tensor) -> int:
    """Filters are (1, height, width, out)."""
    return made.elements * math.prod(_of(known[1]).shape[1:3])


def _transposed(data: int) -> Formula:
    """Each input is multiplied by every weight of its channel; filters are (out, height, width, in)."""

    def formula(operator: Operator, known: Sequence[Tensor | None], made: Tensor) -> int:
        return _of(known[data]).elements * math.prod(_of(known[1]).shape[:3])

    return formula


def _fully_connected(operator: Operator, known: Sequence[Tensor | None], made: Tensor) -> int:
    return made.elements * _of(known[1]).shape[-1]


def _volume(operator: Operator, known: Sequence[Tensor | None], made: Tensor) -> int:
    """Filters are (depth, height, width, in, out)."""
    return made.elements * math.prod(_of(known[1]).shape[:4])


def _volume_transposed(operator: Operator, known: Sequence[Tensor | None], made: Tensor) -> int:
    """Filters are (depth, height, width, out, in)."""
    return _of(known[2]).elements * math.prod(_of(known[1]).shape[:4])


def _matmul(operator: Operator, known: Sequence[Tensor | None], made: Tensor) -> int:
    options = need_tflite().BatchMatMulOptions()
    table: Any = operator.proto.BuiltinOptions()
    turned = False
    if table is not None:
        options.Init(table.Bytes, table.Pos)
        turned = bool(options.AdjX())
    return made.elements * _of(known[0]).shape[-2 if turned else -1]


def _recurrent(operator: Operator, known: Sequence[Tensor | None], made: Tensor) -> int:
    """Every matrix of weights is multiplied once a step; the gates work element by element."""
    matrices = [one for one in known[1:] if one is not None and len(one.shape) == 2 and not one.variable]
    return math.prod(_of(known[0]).shape[:-1]) * sum(one.elements for one in matrices)


def _per_element(times: int) -> Formula:
    return lambda operator, known, made: made.elements * times


FORMULAS: dict[str, Formula] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transposed(2),
    "Convolution2DTransposeBias": _transposed(0),
    "FULLY_CONNECTED": _fully_connected,
    "CONV_3D": _volume,
    "CONV_3D_TRANSPOSE": _volume_transposed,
    "BATCH_MATMUL": _matmul,
    **dict.fromkeys(
        (
            "LSTM", "RNN", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN",
            "BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN",
        ),
        _recurrent,
    ),
    "RESIZE_BILINEAR": _per_element(4),
    "L2_NORMALIZATION": _per_element(1),
    "LOCAL_RESPONSE_NORMALIZATION": _per_element(1),
}  # fmt: skip
