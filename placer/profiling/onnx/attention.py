"""The kinds of attention, ONNX's and onnxruntime's: shapes and multiply-accumulates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from placer.profiling.onnx.operands import FLOAT, Made, Rule, number, numbers


def made_by_attention(past: int) -> Rule:
    """Shapes of onnxruntime's Attention, whose state is the operand ``past``."""

    def rule(node: Any, known: Sequence[Any]) -> Made:
        batch, length, _ = known[0].shape
        hidden = numbers(node, "qkv_hidden_sizes") or [known[1].shape[1] // 3] * 3
        heads = number(node, "num_heads", 1)
        before = known[past].shape[3] if len(known) > past and known[past] is not None else 0
        present = ((2, batch, heads, before + length, hidden[1] // heads), known[0].kind)
        kind = known[0].kind if past == 4 else FLOAT
        return [((batch, length, hidden[2]), kind), (present[0], kind)]

    return rule


def attended(node: Any, known: Sequence[Any]) -> tuple[int, int, int, int, int]:
    """Return batch, queries, keys, width of a query and width of a value over all heads, of MultiHeadAttention."""

    def shape(position: int) -> tuple[int, ...]:
        return known[position].shape if len(known) > position and known[position] is not None else ()

    query, key, value, past = shape(0), shape(1), shape(2), shape(6)
    before = past[2] if past else 0
    if len(query) == 5:  # query, key and value of each head side by side
        wide = query[2] * query[4]
        return query[0], query[1], before + query[1], wide, wide
    batch, length, wide = query
    if len(key) == 5:  # key and value side by side
        return batch, length, before + key[1], wide, key[2] * key[4]
    if not key or not value:
        raise ValueError("neither keys nor values are given")
    keys = key[2] if len(key) == 4 else key[1]  # of the encoder they come head by head
    return batch, length, before + keys, wide, value[1] * value[3] if len(value) == 4 else value[2]


def made_by_multi_head(node: Any, known: Sequence[Any]) -> Made:
    """Shapes of MultiHeadAttention."""
    batch, length, keys, wide, wide_value = attended(node, known)
    heads, kind = number(node, "num_heads", 1), known[0].kind
    present = [(batch, heads, keys, wide // heads), (batch, heads, keys, wide_value // heads)]
    return [((batch, length, wide_value), kind), *((shape, kind) for shape in present)]


def grouped(node: Any, known: Sequence[Any]) -> tuple[int, int, int, int, int, int]:
    """Return batch, queries, keys, heads, heads of keys and width of a head, of GroupQueryAttention."""
    batch, length, wide = known[0].shape
    heads, few = number(node, "num_heads", 1), number(node, "kv_num_heads", 1)
    packed = len(known) < 2 or known[1] is None
    width = wide // (heads + 2 * few) if packed else wide // heads
    past = known[3].shape[2] if len(known) > 3 and known[3] is not None else 0
    return batch, length, past + length, heads, few, width


def made_by_group_query(node: Any, known: Sequence[Any]) -> Made:
    """Shapes of GroupQueryAttention."""
    batch, length, keys, heads, few, width = grouped(node, known)
    present = ((batch, few, keys, width), known[0].kind)
    return [((batch, length, heads * width), known[0].kind), present, present]


def macs_of_attention(node: Any, known: Sequence[Any]) -> int:
    """Queries times keys, and their weights times the values (operator set 23); heads share keys where fewer."""
    query, key, value = (known[position].shape for position in range(3))
    past = known[4].shape[2] if len(known) > 4 and known[4] is not None else 0
    if len(query) == 4:
        batch, heads, length, wide = query
        return int(batch * heads * length * (past + key[2]) * (wide + value[3]))
    heads, few = (number(node, name, 1) for name in ("q_num_heads", "kv_num_heads"))
    return int(query[0] * query[1] * (past + key[1]) * (query[2] + value[2] // few * heads))


def macs_with_weights(past: int) -> Callable[[Any, Sequence[Any]], int]:
    """The Attention of onnxruntime, which makes queries, keys and values from its input itself."""

    def formula(node: Any, known: Sequence[Any]) -> int:
        batch, length, wide = known[0].shape
        hidden = numbers(node, "qkv_hidden_sizes") or [known[1].shape[1] // 3] * 3
        before = known[past].shape[3] if len(known) > past and known[past] is not None else 0
        return int(batch * length * (wide * sum(hidden) + (before + length) * (hidden[0] + hidden[2])))

    return formula


def macs_of_multi_head(node: Any, known: Sequence[Any]) -> int:
    """Count MultiHeadAttention."""
    batch, length, keys, wide, wide_value = attended(node, known)
    return batch * length * keys * (wide + wide_value)


def macs_of_group_query(node: Any, known: Sequence[Any]) -> int:
    """Count GroupQueryAttention."""
    batch, length, keys, heads, _, width = grouped(node, known)
    return batch * length * keys * heads * 2 * width
