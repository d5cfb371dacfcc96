"""Layers put together into blocks, so that a network of hundreds of layers is planned in tens."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from placer.instance.units import BYTES, MACS
from placer.profiling.model_file import show_exact

INPUT = "input"


def coarsen(layers: Sequence[Mapping[str, Any]], most: int) -> dict[str, str]:
    """Return the block of each layer, named after its first, so that at most ``most`` are left if that can be.

    A layer whose result only one other block reads goes into that block, the largest result first: it is the dearest to
    send, and what the block hands on is then still one tensor. Where every result that is left has several readers,
    more blocks than ``most`` remain.

    Args:
        layers: as in a model file, in topological order, their figures with units.
        most: blocks, 1 or more.
    """
    place = {layer["name"]: at for at, layer in enumerate(layers)}
    block = list(range(len(layers)))  # the last layer of each, whose result it hands on
    sources = [{place[one] for one in layer["inputs"] if one != INPUT} for layer in layers]
    readers: list[set[int]] = [set() for _ in layers]
    for reader, read in enumerate(sources):
        for source in read:
            readers[source].add(reader)
    due = [(-BYTES.parse(layer["output"]), at) for at, layer in enumerate(layers)]
    heapq.heapify(due)
    left = len(layers)
    while due and left > most:
        _, one = heapq.heappop(due)
        if len(readers[one]) != 1:
            continue  # it comes up again when its readers have become one block
        (into,) = readers[one]
        block[one] = into
        left -= 1
        sources[into] = (sources[into] | sources[one]) - {one}
        for source in sources[one]:
            readers[source] = (readers[source] - {one}) | {into}
            heapq.heappush(due, (-BYTES.parse(layers[source]["output"]), source))
        readers[one] = set()
    for at in reversed(range(len(layers))):
        block[at] = block[block[at]]
    first = {end: layers[at]["name"] for at, end in reversed(list(enumerate(block)))}
    return {layer["name"]: first[end] for layer, end in zip(layers, block, strict=True)}


def merge(layers: Sequence[Mapping[str, Any]], block_of: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return a model's layers with those of a block as one.

    Work and weights add up; the working memory of a block is the most that is live while one of its layers runs; it
    hands on what layers outside of it read.

    Args:
        layers: as in a model file, in topological order, their figures with units.
        block_of: block by layer; a layer that is not in it stays as it is.

    Raises:
        ValueError: when one block would wait for another that waits for it.
    """
    block = {layer["name"]: block_of.get(layer["name"], layer["name"]) for layer in layers}
    members: dict[str, list[Mapping[str, Any]]] = {}
    for layer in layers:
        members.setdefault(block[layer["name"]], []).append(layer)
    sources = {
        name: list(
            dict.fromkeys(
                made
                for layer in inside
                for made in (INPUT if one == INPUT else block[one] for one in layer["inputs"])
                if made != name
            )
        )
        for name, inside in members.items()
    }
    order = _in_order(sources, {name: place for place, name in enumerate(block.values())})
    leaving = {one for layer in layers for one in layer["inputs"] if block.get(one) != block[layer["name"]]}
    read = {one for layer in layers for one in layer["inputs"]}
    return [_block(name, members[name], sources[name], leaving, read) for name in order]


def _in_order(sources: Mapping[str, Sequence[str]], ends: Mapping[str, int]) -> list[str]:
    """Return the blocks in topological order, else in the order in which they end."""
    sorter = TopologicalSorter({name: [one for one in read if one != INPUT] for name, read in sources.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        raise ValueError(f"blocks wait for each other: {' < '.join(error.args[1])}") from error
    order, due = [], [(ends[name], name) for name in sorter.get_ready()]
    heapq.heapify(due)
    while due:
        _, name = heapq.heappop(due)
        order.append(name)
        sorter.done(name)
        for ready in sorter.get_ready():
            heapq.heappush(due, (ends[ready], ready))
    return order


def _block(
    name: str, inside: list[Mapping[str, Any]], sources: list[str], leaving: set[str], read: set[str]
) -> dict[str, Any]:
    if len(inside) == 1:
        return {**inside[0], "inputs": sources}
    handed = [layer for layer in inside if layer["name"] in leaving or layer["name"] not in read]
    block = {
        "name": name,
        "kind": "block",
        "inputs": sources,
        "compute": show_exact(round(sum(MACS.parse(layer["compute"]) for layer in inside)), "MAC"),
        "weights": show_exact(round(sum(BYTES.parse(layer["weights"]) for layer in inside)), "B"),
        "activations": show_exact(round(max(BYTES.parse(layer["activations"]) for layer in inside)), "B"),
        "output": show_exact(round(sum(BYTES.parse(layer["output"]) for layer in handed)), "B"),
    }
    assumed = [layer for layer in inside if "compute" in layer.get("assumed", ())]
    return {**block, "assumed": ["compute"]} if assumed else block
