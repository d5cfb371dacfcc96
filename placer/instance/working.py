"""Working memory of layers: as the model states it, by the lifetimes of tensors, or by the arena of a runtime.

A *fragment* is what a compute unit runs as one job: a run of layers, in the order of the model. Planning needs one
figure a layer, whose largest over the layers of a fragment is what the fragment needs.

**Lifetimes.** The figure of a layer is what is alive while it runs when one device runs the whole model in its order:
what the layer reads and makes, and what later layers wait for. For a fragment this is enough: its inputs are there when
it starts, made by layers before its first, and of what it makes only the last is sent away, so whatever it holds while
a layer runs is alive then in the whole model too. It is exact for the model as a whole.

**Arenas.** A runtime that lays all tensors of a fragment into one block (see :mod:`placer.instance.lifetimes`) may need
more than is ever alive, as gaps between tensors are lost. The figure of a layer is then the highest end of a tensor
that it reads or makes, in any fragment, so that the largest figure of a fragment is no less than its arena. Which ends
are possible follows tensor by tensor, from the largest to the smallest: in a fragment a tensor has some of those beside
it that it has in the model, each at an offset that is possible for it, and comes to lie at the bottom or on top of one
of them, with no gap below that would hold it. For a model as a whole this is mostly just its arena; tests compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from placer.instance.lifetimes import Lifetime, lifetimes_of, live
from placer.instance.model import Graph
from placer.instance.runtime import Runtime

Floats = NDArray[np.float64]
Sources = tuple[tuple[int, ...], ...]
"""Per layer the tensors that it reads, by their makers; -1 is the input."""

_MOST_BESIDE, _MOST_OFFSETS = 5, 16
"""Tensors beside a tensor, and offsets of it, up to which all possible offsets are listed."""


def working_memory(graph: Graph, runtimes: Sequence[Runtime | None]) -> Floats:
    """Return the bytes of working memory of M layers on N compute units, shape (M, N).

    Args:
        graph: the layers.
        runtimes: what serves the model on each unit.
    """
    sources = tuple(tuple(one) for one in graph.predecessors())
    sizes = (*(layer.output for layer in graph.layers), graph.input)  # the last is tensor -1
    if graph.activations == "lifetimes":
        own = np.array(live(_lifetimes(sources, sizes).values(), len(sources)))
    else:
        own = np.array([layer.activations for layer in graph.layers])
    alignments = {runtime.alignment for runtime in runtimes if runtime is not None and runtime.arena is not None}
    if not alignments:
        return np.broadcast_to(own[:, None], (len(own), len(runtimes)))
    laid = {alignment: np.maximum(own, _arena_figures(sources, sizes, alignment)) for alignment in alignments}
    columns = [own if one is None or one.arena is None else laid[one.alignment] for one in runtimes]
    return np.stack(columns, axis=1)


def fragment_lifetimes(sources: Sources, sizes: Sequence[float], members: Sequence[int]) -> list[Lifetime]:
    """Return the lifetimes of the tensors of a fragment, a step a layer: inputs from its start, what leaves to its end.

    Args:
        sources: of the whole model.
        sizes: bytes of each layer's output; the last is the input.
        members: layers of the fragment, in order.
    """
    inside = set(members)
    read = [sources[layer] for layer in members]
    given = sorted({tensor for tensors in read for tensor in tensors if tensor not in inside})
    readers = _readers(sources)
    kept = [layer for layer in members if not readers[layer] or any(reader not in inside for reader in readers[layer])]
    found = lifetimes_of([[layer] for layer in members], read, _by_tensor(sizes), kept=kept, given=given)
    return list(found.values())


def _lifetimes(sources: Sources, sizes: Sequence[float]) -> dict[int, Lifetime]:
    layers, readers = range(len(sources)), _readers(sources)
    outputs = [layer for layer in layers if not readers[layer]]
    found = lifetimes_of([[layer] for layer in layers], sources, _by_tensor(sizes), kept=outputs, given=[-1])
    return {int(tensor): lifetime for tensor, lifetime in found.items()}  # type: ignore[call-overload]


def _by_tensor(sizes: Sequence[float]) -> dict[int, float]:
    return {**dict(enumerate(sizes[:-1])), -1: sizes[-1]}


def _readers(sources: Sources) -> list[list[int]]:
    readers: list[list[int]] = [[] for _ in sources]
    for layer, tensors in enumerate(sources):
        for tensor in tensors:
            if tensor >= 0:
                readers[tensor].append(layer)
    return readers


@lru_cache(maxsize=64)
def _arena_figures(sources: Sources, sizes: tuple[float, ...], alignment: int) -> Floats:
    """Return figures of the layers, shape (M,), whose largest over any fragment is no less than its arena."""
    ends = _highest_ends(_lifetimes(sources, sizes), alignment)
    return np.array([max(ends[tensor] for tensor in (*tensors, layer)) for layer, tensors in enumerate(sources)])


def _highest_ends(lifetimes: dict[int, Lifetime], alignment: int) -> dict[int, float]:
    """Return the highest end of each tensor in the arena of any fragment that holds it.

    Where too many offsets are possible to list them, two bounds hold: a tensor lies at the bottom or on top of one
    beside it, and as no gap below it is as large as itself, it ends no higher than all of those beside it together and
    once its own size for itself and for each of them.
    """
    tensors = list(lifetimes)
    first, last = (np.array([getattr(lifetimes[one], end) for one in tensors]) for end in ("first", "last"))
    size = np.ceil(np.array([lifetimes[one].size for one in tensors]) / alignment) * alignment
    order = sorted(range(len(tensors)), key=lambda one: (-size[one], -tensors[one]))
    ends, offsets = np.zeros(len(tensors)), dict[int, set[float]]()
    for position, tensor in enumerate(order):
        laid = np.array(order[:position], dtype=np.int64)
        beside = laid[(first[laid] <= last[tensor]) & (last[laid] >= first[tensor])].tolist()
        if len(beside) <= _MOST_BESIDE and all(one in offsets for one in beside):
            possible = _heights(size[tensor], [(size[one], offsets[one]) for one in beside])
            if len(possible) <= _MOST_OFFSETS:
                ends[tensor], offsets[tensor] = size[tensor] + max(possible), possible
                continue
        stacked = size[tensor] + ends[beside].max()
        spaced = size[tensor] * (len(beside) + 1) + size[beside].sum()
        ends[tensor] = min(stacked, spaced)
    return dict(zip(tensors, ends.tolist(), strict=True))


def _heights(wanted: float, blocks: list[tuple[float, set[float]]]) -> set[float]:
    """Return the heights up to which some of the blocks, (size, offsets), can leave no gap of the size wanted."""
    reached = {(0.0, 0)}
    waiting = [(0.0, 0)]
    while waiting:
        height, used = waiting.pop()
        for index, (size, offsets) in enumerate(blocks):
            if not used >> index & 1:
                for offset in offsets:
                    state = (max(height, offset + size), used | 1 << index)
                    if offset - height < wanted and state not in reached:
                        reached.add(state)
                        waiting.append(state)
    return {height for height, _ in reached}
