"""Layers put together into blocks, so that a network of hundreds of layers is planned in tens."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from placer.instance.units import BYTES, MACS
from placer.profiling.model_file import show_exact

INPUT = "input"


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
