"""What a walk through a graph finds out: shapes, constants, members of sequences."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from placer.profiling.onnx.inference import Tensor

STANDARD_DOMAINS = ("", "ai.onnx")
_BY_DATA = {"NonZero", "NonMaxSuppression", "Unique", "Compress", "StringSplit"}


@dataclass
class Folded:
    """A graph whose shapes are known and whose constants are told apart.

    Attributes:
        nodes: NodeProtos that are not constant, in the order in which they run.
        tensors: shape and type by tensor name; a tensor whose shape is unknown is missing.
        stored: for every constant the weights that it is made from (initialisers, filled constants).
        sizes: bytes of each of those weights.
        sequences: members of the tensor sequences, by name.
        recorded: names of the tensors whose shape is taken from the file, since no rule gives it.
        reasons: why the shape of a tensor is not known.
    """

    nodes: list[Any] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    stored: dict[str, frozenset[str]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    sequences: dict[str, tuple[str, ...]] = field(default_factory=dict)
    recorded: list[str] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)


def why_unknown(node: Any, folded: Folded) -> str:
    """Return why the shape of what an operator makes is not known."""
    unknown = next((name for name in node.input if name and name not in folded.tensors), None)
    if unknown is not None:
        return f"the shape of its operand '{unknown[:60]}' is not known"
    if node.op_type in _BY_DATA and node.domain in STANDARD_DOMAINS:
        return "how much it makes depends on the data"
    if node.domain not in STANDARD_DOMAINS:
        return f"no rule for operators of '{node.domain[:60]}' gives it, and the file does not record it"
    after = 0 if node.op_type in {"ConstantOfShape", "Range"} else 1
    open_operand = next((name for name in node.input[after:] if name and name not in folded.stored), None)
    if open_operand is not None:
        return f"it depends on the data in '{open_operand[:60]}'"
    return "shape inference does not know it"
