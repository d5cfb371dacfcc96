"""QuickXplain (Junker, AAAI 2004): a subset-minimal part of some things that is not possible together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def quick_explain(groups: list[T], possible: Callable[[Sequence[T]], bool]) -> list[T]:
    """Return a subset-minimal part of ``groups`` that is not possible; all of them together must not be."""

    def search(background: list[T], changed: bool, rest: list[T]) -> list[T]:
        if changed and not possible(background):
            return []
        if len(rest) == 1:
            return rest
        half = len(rest) // 2
        first, second = rest[:half], rest[half:]
        from_second = search(background + first, bool(first), second)
        from_first = search(background + from_second, bool(from_second), first)
        return from_first + from_second

    return search([], False, groups)
