"""Fragments: a partition into connected, convex runs, maximal on chains, whose order has no cycle."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import networkx as nx
from hypothesis import given, settings
from hypothesis import strategies as st

from placer.instance.compiled import Compiled
from placer.plan.placement import Placement, fragments_of, moves_needed, results_of, transfers_of
from tests.instance.build import chain, compiled_from

DEVICES = [{"name": name, "type": "board"} for name in ("a", "b", "c")]


@st.composite
def placed_dags(draw: st.DrawFn, only_chains: bool = False) -> tuple[Compiled, tuple[int, ...]]:
    count = draw(st.integers(1, 9))
    model = chain(count)
    if not only_chains:
        layers: list[dict[str, Any]] = []
        for number, layer in enumerate(model["layers"]):
            names = ["input", *(f"l{i}" for i in range(number))]
            inputs = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
            layers.append({**layer, "inputs": tuple(inputs)})
        model["layers"] = tuple(layers)
    service = {"name": "s", "model": "net", "source": "a", "sink": "c"}
    compiled = compiled_from(DEVICES, [service], models={"net": model})
    return compiled, tuple(draw(st.lists(st.integers(0, 2), min_size=count, max_size=count)))


@settings(max_examples=400)
@given(placed_dags())
def test_fragments_of_dags(case: tuple[Compiled, tuple[int, ...]]) -> None:
    compiled, stations = case
    variant = compiled.variants[0]
    fragments = fragments_of(variant, stations)
    assert sorted(layer for _, layers in fragments for layer in layers) == list(range(len(variant)))
    assert [layers[0] for _, layers in fragments] == sorted(layers[0] for _, layers in fragments)
    graph = nx.DiGraph(variant.edges)
    graph.add_nodes_from(range(len(variant)))
    owner = {layer: number for number, (_, layers) in enumerate(fragments) for layer in layers}
    quotient = nx.DiGraph((owner[u], owner[v]) for u, v in variant.edges if owner[u] != owner[v])
    per_station: dict[int, list[int]] = {}
    for number, (station, layers) in enumerate(fragments):
        assert all(stations[layer] == station for layer in layers)
        assert layers == sorted(layers)
        assert nx.is_weakly_connected(graph.subgraph(layers))
        # convex: no way leaves the fragment and comes back
        inside = set(layers)
        for u in layers:
            for v in set(graph.successors(u)) - inside:
                assert not inside & nx.descendants(graph, v)
        # nobody elsewhere waits for anything but what is made last
        for u in layers[:-1]:
            assert u not in variant.leaves
            assert all(stations[v] == station for v in graph.successors(u))
        # every tensor from elsewhere is needed at the start
        foreign = [{u for u in variant.predecessors[v] if u < 0 or stations[u] != station} for v in layers]
        assert all(later <= foreign[0] for later in foreign)
        per_station.setdefault(station, []).append(number)
    for order in per_station.values():
        quotient.add_edges_from(zip(order, order[1:], strict=False))
    assert nx.is_directed_acyclic_graph(quotient)


@settings(max_examples=200)
@given(placed_dags(only_chains=True))
def test_fragments_of_chains_are_maximal_runs(case: tuple[Compiled, tuple[int, ...]]) -> None:
    compiled, stations = case
    runs = [(at, list(group)) for at, group in groupby(range(len(stations)), key=lambda layer: stations[layer])]
    assert fragments_of(compiled.variants[0], stations) == runs


@settings(max_examples=200)
@given(placed_dags())
def test_a_tensor_crosses_once_per_receiver(case: tuple[Compiled, tuple[int, ...]]) -> None:
    compiled, stations = case
    variant = compiled.variants[0]
    expected = {
        (u, 0 if u < 0 else stations[u], stations[v])
        for v, sources in enumerate(variant.predecessors)
        for u in sources
        if (0 if u < 0 else stations[u]) != stations[v]
    }
    found = [move[:3] for move in transfers_of(compiled, variant, stations)]
    assert len(found) == len(set(found))
    assert set(found) == expected
    results = results_of(compiled, variant, stations)
    assert {layer for layer, *_ in results} == set(variant.leaves)
    assert all(head == 2 for _, _, head, _ in results)
    needed = moves_needed(compiled, variant, stations)
    assert len(needed) == len(found) + sum(tail != head for _, tail, head, _ in results)


def test_gates_are_results_too() -> None:
    model = chain(3, exits=({"after": "l0", "share": 0.25},))
    compiled = compiled_from(DEVICES, [{"name": "s", "model": "net", "source": "a"}], models={"net": model})
    assert results_of(compiled, compiled.variants[0], (1, 1, 2)) == [(0, 1, 0, 0.25), (2, 2, 0, 0.75)]
    assert transfers_of(compiled, compiled.variants[0], (1, 1, 2)) == [(-1, 0, 1, 1.0), (1, 1, 2, 0.75)]
    assert Placement((0,), ((1, 1, 2),)).stations == ((1, 1, 2),)
