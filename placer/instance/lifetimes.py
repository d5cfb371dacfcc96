"""Memory by tensor lifetimes: what is live at each step, and the arena that holds it all.

A *step* is the run of one layer or operator. A tensor lives from the step that makes it to the last step that reads
it, both included: while a layer runs, what it reads and what it makes are both in memory. Whoever lays tensors into
one block reuses the room of those that are dead; ``arena`` does so greedily by size, as TensorFlow Lite Micro's
memory planner does (Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020,
arXiv 2001.03288, section 5.2 "greedy by size for offset calculation"). The largest of ``live`` is its lower bound.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Lifetime:
    """A tensor in memory.

    Attributes:
        first: the step that makes it; 0 for what is there from the start.
        last: the last step that it is needed in, ``first`` or later.
        size: bytes, 0 or more.
    """

    first: int
    last: int
    size: float


def lifetimes_of(
    made: Sequence[Iterable[Hashable]],
    read: Sequence[Iterable[Hashable]],
    sizes: Mapping[Any, float],
    *,
    kept: Iterable[Hashable] = (),
    given: Iterable[Hashable] = (),
) -> dict[Hashable, Lifetime]:
    """Return the lifetime of every tensor of a sequence of steps.

    Args:
        made: per step, the tensors that it makes; one that nobody reads lives in that step alone.
        read: per step, the tensors that it reads.
        sizes: bytes by tensor.
        kept: tensors that live to the last step (outputs of the whole).
        given: tensors that are there from step 0 (inputs of the whole).

    Raises:
        ValueError: when a step reads what neither a step before it makes nor ``given`` holds.
    """
    first: dict[Hashable, int] = dict.fromkeys(given, 0)
    last = dict(first)
    for step, (makes, reads) in enumerate(zip(made, read, strict=True)):
        for name in reads:
            if name not in first:
                raise ValueError(f"step {step} reads {name!r}, which no step before it makes")
            last[name] = step
        for name in makes:
            first[name] = last[name] = step
    for name in kept:
        last[name] = len(made) - 1
    return {name: Lifetime(first[name], last[name], sizes[name]) for name in first}


def live(lifetimes: Iterable[Lifetime], steps: int) -> list[float]:
    """Return the bytes that are live during each of ``steps`` steps."""
    change = [0.0] * (steps + 1)
    for tensor in lifetimes:
        change[tensor.first] += tensor.size
        change[tensor.last + 1] -= tensor.size
    result, total = [], 0.0
    for step in range(steps):
        total += change[step]
        result.append(total)
    return result


@dataclass(frozen=True)
class Arena:
    """One block of memory in which tensors that live at the same step do not overlap.

    Attributes:
        size: bytes of the block.
        offsets: bytes from its start to each tensor, in the order of the lifetimes.
    """

    size: float
    offsets: tuple[float, ...]


def arena(lifetimes: Sequence[Lifetime], alignment: int = 1) -> Arena:
    """Lay tensors into one block, the largest first, each into the first gap that holds it.

    Args:
        lifetimes: the tensors; of two of the same size, the one listed last is laid first, as there.
        alignment: sizes are rounded up to a multiple of this many bytes (TensorFlow Lite Micro: 16).
    """
    count = len(lifetimes)
    first = np.array([tensor.first for tensor in lifetimes], dtype=np.int64)
    last = np.array([tensor.last for tensor in lifetimes], dtype=np.int64)
    sizes = np.ceil(np.array([tensor.size for tensor in lifetimes], dtype=np.float64) / alignment) * alignment
    order = np.argsort(sizes, kind="stable")[::-1]
    offsets = np.zeros(count)
    for position, tensor in enumerate(order):
        placed = order[:position]
        beside = placed[(first[placed] <= last[tensor]) & (last[placed] >= first[tensor])]
        offsets[tensor] = _first_gap(offsets[beside], sizes[beside], float(sizes[tensor]))
    return Arena(float((offsets + sizes).max(initial=0.0)), tuple(offsets.tolist()))


def _first_gap(offsets: NDArray[np.float64], sizes: NDArray[np.float64], wanted: float) -> float:
    """Return the lowest offset at which ``wanted`` bytes lie between blocks (which may overlap each other)."""
    if not offsets.size:
        return 0.0
    order = np.argsort(offsets, kind="stable")
    starts, ends = offsets[order], np.maximum.accumulate((offsets + sizes)[order])
    free_from = np.concatenate(([0.0], ends))
    fits = np.concatenate((starts - free_from[:-1] >= wanted, [True]))
    return float(free_from[int(np.argmax(fits))])
