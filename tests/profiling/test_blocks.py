"""Layers put together: totals stay, order stays topological, one tensor leaves each block."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placer.instance.library import Library
from placer.instance.units import BYTES, MACS
from placer.profiling.blocks import coarsen, merge


def layer(name: str, *inputs: str, compute: int = 1, live: int = 1) -> dict[str, Any]:
    return {
        "name": name, "kind": "conv", "inputs": list(inputs) or ["input"], "compute": f"{compute} MAC",
        "weights": "1 B", "activations": f"{live} B", "output": "10 B",
    }  # fmt: skip


def test_blocks_add_up_and_hand_on_what_others_read() -> None:
    layers = [
        layer("a"), layer("b1", "a", live=7), layer("b2", "b1"), layer("side", "b1"), layer("b3", "b2", live=3),
        layer("end", "b3", "side"),
    ]  # fmt: skip
    merged = merge(layers, {"b1": "b", "b2": "b", "b3": "b"})
    assert [one["name"] for one in merged] == ["a", "b", "side", "end"]
    block = merged[1]
    assert (block["compute"], block["weights"], block["activations"], block["output"]) == (
        "3 MAC",
        "3 B",
        "7 B",
        "20 B",
    )
    assert merged[2]["inputs"] == ["b"]
    assert merged[3]["inputs"] == ["b", "side"]


def test_blocks_that_wait_for_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="blocks wait for each other"):
        merge([layer("a"), layer("b", "a"), layer("c", "b")], {"a": "x", "c": "x"})


@st.composite
def graphs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Random layers in topological order, all but some leaves read."""
    names: list[str] = []
    layers = []
    for at in range(draw(st.integers(1, 14))):
        read = draw(st.lists(st.sampled_from(names), max_size=3, unique=True)) if names else []
        layers.append(layer(f"l{at}", *read, compute=at, live=at) | {"output": f"{draw(st.integers(1, 9))} B"})
        names.append(f"l{at}")
    return layers


@given(graphs(), st.integers(1, 15))
def test_blocks_keep_totals_and_hand_on_one_tensor(layers: list[dict[str, Any]], most: int) -> None:
    block_of = coarsen(layers, most)
    merged = merge(layers, block_of)
    assert len(merged) == len(set(block_of.values())) <= len(layers)
    for key, dimension in (("compute", MACS), ("weights", BYTES)):
        assert sum(dimension.parse(one[key]) for one in merged) == sum(dimension.parse(one[key]) for one in layers)
    seen = {"input"}
    for one in merged:
        assert seen.issuperset(one["inputs"])
        seen.add(one["name"])
    sizes = {one["name"]: one["output"] for one in layers}
    for one in merged:
        members = [name for name, block in block_of.items() if block == one["name"]]
        leaving = [
            name
            for name in members
            if not any(name in other["inputs"] for other in layers)
            or any(name in other["inputs"] and other["name"] not in members for other in layers)
        ]
        assert len(leaving) == 1
        assert one["output"] == sizes[leaving[0]]
    if len(merged) > most:  # nothing is left that only one block reads
        reads = [source for one in merged for source in one["inputs"]]
        assert all(reads.count(one["name"]) != 1 for one in merged)


def test_a_chain_is_cut_where_tensors_are_small() -> None:
    sizes = {"a": 90, "b": 10, "c": 80, "d": 20, "e": 5}
    names = list(sizes)
    layers = [
        layer(name, *names[max(at - 1, 0) : at]) | {"output": f"{sizes[name]} B"} for at, name in enumerate(names)
    ]
    merged = merge(layers, coarsen(layers, 3))
    assert [one["name"] for one in merged] == ["a", "c", "e"]
    assert [one["output"] for one in merged] == ["10 B", "20 B", "5 B"]
    assert len(merge(layers, coarsen(layers, 1))) == 1


def test_a_residual_network_becomes_as_few_blocks_as_wanted() -> None:
    layers = [
        {
            "name": one.name, "kind": one.kind, "inputs": list(one.inputs or ["input"]),
            "compute": f"{one.compute:.0f} MAC", "weights": f"{one.weights:.0f} B",
            "activations": f"{one.activations:.0f} B", "output": f"{one.output:.0f} B",
        }
        for one in Library().model("resnet-50").alternatives[0].layers
    ]  # fmt: skip
    for most in (40, 20, 8, 1):
        assert len(merge(layers, coarsen(layers, most))) == most
