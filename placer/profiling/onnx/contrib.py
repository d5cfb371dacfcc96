"""Shapes of the operators that onnxruntime adds to ONNX (domain com.microsoft), which ONNX has no rules for.

As its documentation of contrib operators tells them. ``STANDARD`` says an operator in the words of a standard one;
``OWN_RULES`` computes shape and type of each output from those of the operands (None: left out or not known).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from placer.profiling.onnx.attention import made_by_attention, made_by_group_query, made_by_multi_head
from placer.profiling.onnx.control import attribute
from placer.profiling.onnx.operands import FLOAT, Made, Rule, number, numbers

CONTRIB_DOMAIN, BLOCKED_DOMAIN = "com.microsoft", "com.microsoft.nchwc"


_UINT8, _INT32 = 2, 6


def matmul_shape(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of a product by numpy's rule.

    Raises:
        ValueError: when the two do not fit.
    """
    left, right = (1, *a) if len(a) == 1 else a, (*b, 1) if len(b) == 1 else b
    if not a or not b or left[-1] != right[-2]:
        raise ValueError(f"the matrices {list(a)} and {list(b)} cannot be multiplied")
    rank = max(len(left), len(right))
    pairs = zip(*((1,) * (rank - len(one)) + one[:-2] for one in (left, right)), strict=True)
    batch = tuple(y if x == 1 else x for x, y in pairs)
    return (*batch, *(left[-2:-1] if len(a) > 1 else ()), *(right[-1:] if len(b) > 1 else ()))


def turned(node: Any, which: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of operand ``A`` or ``B`` of a FusedMatMul as it is multiplied."""
    if number(node, f"transBatch{which}", 0) and len(shape) > 2:
        shape = (*shape[1:-1], shape[0], shape[-1])
    return (*shape[:-2], shape[-1], shape[-2]) if number(node, f"trans{which}", 0) and len(shape) > 1 else shape


def _first(node: Any, known: Sequence[Any]) -> Made:
    return [(known[0].shape, known[0].kind)]


def _skip_norm(node: Any, known: Sequence[Any]) -> Made:
    same = (known[0].shape, known[0].kind)
    statistics = ((*known[0].shape[:-1], 1), FLOAT)
    return [same, statistics, statistics, same]


def _broadcast(*positions: int) -> Rule:
    def rule(node: Any, known: Sequence[Any]) -> Made:
        shapes = [known[position].shape for position in positions]
        rank = max(map(len, shapes))
        sizes = zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True)
        return [(tuple(0 if 0 in each else max(each) for each in sizes), known[positions[-1]].kind)]

    return rule


def _matmul(kind: int | None = None) -> Rule:
    def rule(node: Any, known: Sequence[Any]) -> Made:
        return [(matmul_shape(known[0].shape, known[1].shape), kind or known[0].kind)]

    return rule


def _fused_matmul(node: Any, known: Sequence[Any]) -> Made:
    shape = matmul_shape(turned(node, "A", known[0].shape), turned(node, "B", known[1].shape))
    return [(shape, known[0].kind)]


def _packed_matmul(node: Any, known: Sequence[Any]) -> Made:
    return [((*known[0].shape[:-1], number(node, "N", 0)), known[0].kind)]


def _qgemm(node: Any, known: Sequence[Any]) -> Made:
    a, b = known[0].shape, known[3].shape
    rows = a[1] if number(node, "transA", 0) else a[0]
    columns = b[0] if number(node, "transB", 0) else b[1]
    return [((rows, columns), known[0].kind if len(known) > 8 and known[8] is not None else FLOAT)]


def _qlinear_concat(node: Any, known: Sequence[Any]) -> Made:
    tensors = [one.shape for one in known[2::3]]
    axis = number(node, "axis", 0) % len(tensors[0])
    joined = sum(shape[axis] for shape in tensors)
    return [((*tensors[0][:axis], joined, *tensors[0][axis + 1 :]), known[2].kind)]


def _global_pool(node: Any, known: Sequence[Any]) -> Made:
    shape = known[0].shape
    ones = (1,) * (len(shape) - 2)
    pooled = (shape[0], *ones, shape[-1]) if number(node, "channels_last", 0) else (*shape[:2], *ones)
    return [(pooled, known[0].kind)]


def _reduce(node: Any, known: Sequence[Any]) -> Made:
    shape = known[0].shape
    axes = {axis % len(shape) for axis in numbers(node, "axes")} or set(range(len(shape)))
    keep = number(node, "keepdims", 1)
    sizes = (1 if axis in axes else size for axis, size in enumerate(shape) if keep or axis not in axes)
    return [(tuple(sizes), known[0].kind)]


def _quantize(node: Any, known: Sequence[Any]) -> Made:
    return [(known[0].shape, known[2].kind if len(known) > 2 and known[2] is not None else _UINT8)]


def _dequantize(node: Any, known: Sequence[Any]) -> Made:
    return [(known[0].shape, known[1].kind)]


def _embed(node: Any, known: Sequence[Any]) -> Made:
    ids, table = known[0].shape, known[2]
    made = ((*ids, table.shape[1]), table.kind)
    return [made, (ids[:1], _INT32), made]


def _gather_blocks(node: Any, known: Sequence[Any]) -> Made:
    """Rows of a quantised table, unpacked; two numbers of 4 bits may lie in a byte."""
    table, axis = known[0].shape, number(node, "gather_axis", 0)
    wide = table[-1] * (8 // number(node, "bits", 4) if known[0].kind == _UINT8 else 1)
    table = (*table[:-1], wide)
    return [((*table[:axis], *known[1].shape, *table[axis + 1 :]), known[2].kind)]


def _distances(node: Any, known: Sequence[Any]) -> Made:
    return [((known[0].shape[0], known[1].shape[0]), known[0].kind)]


def _lstm(node: Any, known: Sequence[Any]) -> Made:
    steps, batch, _ = known[0].shape
    directions, hidden = known[1].shape[0], number(node, "hidden_size", 1)
    last = ((directions, batch, hidden), known[0].kind)
    return [((steps, directions, batch, hidden), known[0].kind), last, last]


def _rfft(node: Any, known: Sequence[Any]) -> Made:
    shape = known[0].shape
    return [((*shape[:-1], shape[-1] // 2 + 1, 2), known[0].kind)]


def _irfft(node: Any, known: Sequence[Any]) -> Made:
    shape = known[0].shape
    return [((*shape[:-2], 2 * (shape[-2] - 1)), known[0].kind)]


def _slides(operand: int | None, *, last: bool | None = None, kind: int = 0) -> Rule:
    """Convolutions and pools whose channels may be last.

    Args:
        operand: position of the weights (output channels first); None for a pool.
        last: whether the channels are last; by the attribute ``channels_last`` when left out.
        kind: position of the operand that has the type of the result.
    """

    def rule(node: Any, known: Sequence[Any]) -> Made:
        shape = known[0].shape
        behind = bool(number(node, "channels_last", 0)) if last is None else last
        space = shape[1:-1] if behind else shape[2:]
        weights = known[operand].shape if operand is not None else None
        kernel = numbers(node, "kernel_shape") or list((weights or ())[2:])
        strides, dilations = (numbers(node, name) or [1] * len(space) for name in ("strides", "dilations"))
        pads, auto = numbers(node, "pads") or [0] * 2 * len(space), attribute(node, "auto_pad")
        sizes = []
        for axis, size in enumerate(space):
            if auto is not None and auto.s.startswith(b"SAME"):
                sizes.append(-(-size // strides[axis]))
                continue
            room = size + pads[axis] + pads[axis + len(space)] - dilations[axis] * (kernel[axis] - 1) - 1
            up = strides[axis] - 1 if number(node, "ceil_mode", 0) else 0
            sizes.append((room + up) // strides[axis] + 1)
        channels = weights[0] if weights else shape[-1 if behind else 1]
        made = (shape[0], *sizes, channels) if behind else (shape[0], channels, *sizes)
        return [(made, known[kind].kind)]

    return rule


def _split_gelu(node: Any, known: Sequence[Any]) -> Made:
    return [((*known[0].shape[:-1], known[0].shape[-1] // 2), known[0].kind)]


OWN_RULES: dict[str, Rule] = {
    **dict.fromkeys(
        (
            "Gelu", "FastGelu", "BiasGelu", "QuickGelu", "BiasAdd", "BiasSoftmax", "QLinearSigmoid", "QLinearLeakyRelu",
            "QLinearSoftmax", "GroupNorm", "RotaryEmbedding", "Inverse", "Trilu", "BiasDropout", "BitmaskDropout",
            "Swish", "Mish",
        ),
        _first,
    ),
    **dict.fromkeys(
        ("SkipLayerNormalization", "SkipSimplifiedLayerNormalization", "SimplifiedLayerNormalization", "SkipGroupNorm"),
        _skip_norm,
    ),
    **dict.fromkeys(("FusedMatMul", "FusedMatMulActivation", "TransposeMatMul"), _fused_matmul),
    **dict.fromkeys(("MatMulNBits", "MatMulBnb4", "MatMulFpQ4"), _packed_matmul),
    **dict.fromkeys(("QLinearAdd", "QLinearMul"), _broadcast(0, 3)),
    "QLinearWhere": _broadcast(0, 4, 1),
    "MatMulIntegerToFloat": _matmul(FLOAT),
    "DynamicQuantizeMatMul": _matmul(),
    "GemmFastGelu": _matmul(),
    "QGemm": _qgemm,
    "QLinearConcat": _qlinear_concat,
    "QLinearGlobalAveragePool": _global_pool,
    "QLinearReduceMean": _reduce,
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
    "EmbedLayerNormalization": _embed,
    "Attention": made_by_attention(4),
    "QAttention": made_by_attention(8),
    "MultiHeadAttention": made_by_multi_head,
    "GroupQueryAttention": made_by_group_query,
    "DynamicQuantizeLSTM": _lstm,
    "GatherBlockQuantized": _gather_blocks,
    "CDist": _distances,
    "Rfft": _rfft,
    "Irfft": _irfft,
    "NhwcConv": _slides(1, last=True),
    "NhwcFusedConv": _slides(1, last=True),
    "NhwcMaxPool": _slides(None, last=True),
    "QLinearConv": _slides(3, kind=7),
    "QLinearAveragePool": _slides(None),
    "BiasSplitGelu": _split_gelu,
}  # fmt: skip


def _as(kind: str, operands: int, *keep: str) -> Callable[[Any, Any], tuple[Any, list[str]]]:
    def twin(onnx: Any, node: Any) -> tuple[Any, list[str]]:
        names = list(node.input[:operands])
        kept = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute if one.name in keep}
        return onnx.helper.make_node(kind, names, list(node.output), **kept), names

    return twin


_SLIDING = ("kernel_shape", "pads", "strides", "dilations", "group", "auto_pad")

STANDARD: dict[str, Callable[[Any, Any], tuple[Any, list[str]]]] = {
    "FusedConv": _as("Conv", 3, *_SLIDING),
    "FusedGemm": _as("Gemm", 3, "alpha", "beta", "transA", "transB"),
    "GridSample": _as("GridSample", 2, "align_corners"),
    "ConvTransposeWithDynamicPads": _as("ConvTranspose", 2, *_SLIDING, "output_padding"),
}
