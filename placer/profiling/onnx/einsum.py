"""What an Einsum says: the letters of its operands and of its result, and their sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Contraction:
    """An equation with its sizes.

    Attributes:
        terms: letters of each operand; axes under the dots are called by their place from the right.
        result: letters of the result, in order.
        sizes: by letter.
    """

    terms: tuple[tuple[str, ...], ...]
    result: tuple[str, ...]
    sizes: dict[str, int]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the result."""
        return tuple(self.sizes[letter] for letter in self.result)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of contracting from left to right; one operand is only moved or summed."""
        total, so_far = 0, set(self.terms[0])
        for position, term in enumerate(self.terms[1:], 1):
            total += math.prod(self.sizes[letter] for letter in so_far | set(term))
            later = set(self.result).union(*self.terms[position + 1 :])
            so_far = (so_far | set(term)) & later
        return total


def contraction(equation: str, shapes: Sequence[tuple[int, ...]]) -> Contraction:
    """Return what an equation does to operands of these shapes.

    Raises:
        ValueError: when they do not fit.
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    spelled = left.split(",")
    if len(spelled) != len(shapes):
        raise ValueError(f"the equation {equation!r:.80} has {len(spelled)} terms for {len(shapes)} operands")
    sizes: dict[str, int] = {}
    terms = []
    for term, shape in zip(spelled, shapes, strict=True):
        letters = _letters(term, len(shape))
        terms.append(letters)
        for letter, size in zip(letters, shape, strict=True):
            known = sizes.get(letter, 1)
            if 1 not in (known, size) and known != size:
                raise ValueError(f"the equation {equation!r:.80} gives an axis the sizes {known} and {size}")
            sizes[letter] = size if known == 1 else known
    dots = sorted((letter for letter in sizes if letter[0] == "."), key=lambda letter: -int(letter[1:]))
    if arrow:
        before, dotted, after = right.partition("...")
        result = (*before, *(dots if dotted else ()), *after)
        if not set(result) <= set(sizes):
            raise ValueError(f"the result of the equation {equation!r:.80} has letters that no operand has")
    else:
        result = (*dots, *sorted(letter for letter in sizes if letter[0] != "." and left.count(letter) == 1))
    return Contraction(tuple(terms), result, sizes)


def _letters(term: str, rank: int) -> tuple[str, ...]:
    before, dots, after = term.partition("...")
    free = rank - len(before) - len(after)
    if free < 0 or (free and not dots):
        raise ValueError(f"the term {term!r:.40} does not fit an operand of {rank} axes")
    return (*before, *(f".{place}" for place in range(free, 0, -1)), *after)
