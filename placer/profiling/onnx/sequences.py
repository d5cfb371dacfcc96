"""Sequences of tensors whose members are known: each operator on them becomes operators on the members."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, MutableMapping
from typing import Any

from placer.profiling.onnx.control import attribute, part, stack
from placer.profiling.onnx.inference import Tensor

SEQUENCES = {
    "SequenceConstruct", "SequenceEmpty", "SequenceInsert", "SequenceErase", "SequenceAt", "SequenceLength",
    "ConcatFromSequence", "SplitToSequence",
}  # fmt: skip


def replace(
    onnx: Any,
    node: Any,
    sequences: MutableMapping[str, tuple[str, ...]],
    tensors: Mapping[str, Tensor],
    values: Mapping[str, Any],
) -> list[Any]:
    """Return operators without sequences that do what ``node`` does; note the sequence that it makes.

    Args:
        onnx: the module.
        node: one of ``SEQUENCES``, or an Identity of a sequence.
        sequences: members by name; what ``node`` makes is added.
        tensors: shapes by name.
        values: constants by name.

    Raises:
        ValueError: when the members depend on the data; says of what.
    """
    make = onnx.helper.make_node
    target = node.output[0]
    kind = node.op_type
    if kind == "SequenceConstruct":
        sequences[target] = tuple(node.input)
        return []
    if kind == "SequenceEmpty":
        sequences[target] = ()
        return []
    if kind == "SplitToSequence":
        return _split(onnx, node, sequences, tensors, values)
    members = sequences.get(node.input[0])
    if members is None:
        raise ValueError(f"reads the sequence '{node.input[0][:60]}', whose members are not known")
    if kind == "Identity":
        sequences[target] = members
        return []
    if kind == "SequenceLength":
        length = onnx.helper.make_tensor(target, onnx.TensorProto.INT64, [], [len(members)])
        return [make("Constant", [], [target], value=length)]
    if kind == "ConcatFromSequence":
        if not members:
            raise ValueError(f"joins the sequence '{node.input[0][:60]}', which is empty")
        axis, lifts = (0 if (held := attribute(node, name)) is None else int(held.i) for name in ("axis", "new_axis"))
        return [stack(onnx, members, target, axis) if lifts else make("Concat", list(members), [target], axis=axis)]
    if kind == "SequenceInsert":
        position = _position(node, 2, values, len(members) + 1, len(members))
        sequences[target] = (*members[:position], node.input[1], *members[position:])
        return []
    if kind == "SequenceErase":
        position = _position(node, 1, values, len(members), len(members) - 1)
        sequences[target] = (*members[:position], *members[position + 1 :])
        return []
    if kind == "SequenceAt":
        return [make("Identity", [members[_position(node, 1, values, len(members), 0)]], [target])]
    raise ValueError(f"reads the sequence '{node.input[0][:60]}'")


def _position(node: Any, operand: int, values: Mapping[str, Any], count: int, default: int) -> int:
    name = node.input[operand] if len(node.input) > operand else ""
    if not name:
        position = default
    elif name in values and values[name].size == 1 and values[name].dtype.kind in "iu":
        position = int(values[name].reshape(-1)[0])
    else:
        raise ValueError(f"takes its place in the sequence from '{name[:60]}', which depends on the data")
    if not -count <= position < count:
        raise ValueError(f"takes place {position} of a sequence of {count}")
    return position % count


def _split(
    onnx: Any,
    node: Any,
    sequences: MutableMapping[str, tuple[str, ...]],
    tensors: Mapping[str, Tensor],
    values: Mapping[str, Any],
) -> list[Any]:
    """Take each member out of the tensor: moves only."""
    source, target = node.input[0], node.output[0]
    if source not in tensors:
        raise ValueError(f"splits '{source[:60]}' into a sequence, and its shape is not known")
    axis, keep = (
        default if (held := attribute(node, name)) is None else int(held.i)
        for name, default in (("axis", 0), ("keepdims", 1))
    )
    length = tensors[source].shape[axis]
    split = node.input[1] if len(node.input) > 1 else ""
    if split and split not in values:
        raise ValueError(f"splits '{source[:60]}' by '{split[:60]}', which depends on the data")
    if not split:
        sizes = [1] * length
    elif values[split].ndim:
        sizes = [int(size) for size in values[split]]
    else:
        step = max(int(values[split]), 1)
        sizes = [min(step, length - start) for start in range(0, length, step)]
    if sum(sizes) != length:
        raise ValueError(f"splits {length} into {sizes}")
    names = [f"{target}/{number}" for number in range(len(sizes))]
    sequences[target] = tuple(names)
    starts = itertools.accumulate(sizes, initial=0)
    drop = not keep and not split
    return [
        part(onnx, source, name, axis, start, size, drop)
        for name, start, size in zip(names, starts, sizes, strict=False)
    ]
