"""What a rule for an operator reads: its operands and its attributes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from placer.profiling.onnx.control import attribute

FLOAT = 1
"""Number of the element type float32."""


Made = list[tuple[tuple[int, ...], int] | None]
Rule = Callable[[Any, Sequence[Any]], Made]
"""From an operator and its operands to shape and type of each output; an error where they do not fit."""


def number(node: Any, name: str, default: int) -> int:
    """Return an integer attribute."""
    held = attribute(node, name)
    return default if held is None else int(held.i)


def numbers(node: Any, name: str) -> list[int]:
    """Return a list of integers, empty where the attribute is left out."""
    held = attribute(node, name)
    return [] if held is None else list(held.ints)
