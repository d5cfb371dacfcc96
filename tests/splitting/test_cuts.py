"""Cuts against enumeration: single splits, minimum cuts, bottlenecks."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from placer.errors import InfeasibleError
from placer.splitting.bottleneck import best_bottleneck, grid_bottleneck
from placer.splitting.costs import Cut, Plane, SplitCosts, Way, make_cut, stages
from placer.splitting.dads import decide
from placer.splitting.mincut import cheapest_cut, min_cut
from placer.splitting.neurosurgeon import best_split, best_throughput_split, single_splits
from tests.effort import blocks
from tests.splitting.oracle import chain, every_cut, is_valid, random_costs, random_dag


def point(rng: np.random.Generator) -> tuple[float, float]:
    return float(8 / 10 ** rng.uniform(5, 9)), float(rng.uniform(0.5, 8))


def bottleneck_of(costs: SplitCosts, cut: Cut, x: float, load: float) -> float:
    return stages(costs, cut, x, load).largest


@pytest.mark.parametrize("seed", range(100))
def test_the_best_single_split_of_a_chain_is_the_best_of_all_cuts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    costs = random_costs(rng, chain(int(rng.integers(1, 9))), ways=3, pinned=0.1 if seed % 3 == 0 else 0.0)
    x, load = point(rng)
    values = [cut.value(x, load) for cut in every_cut(costs)]
    if not values:
        with pytest.raises(InfeasibleError):
            best_split(costs, x, load)
        return
    found = best_split(costs, x, load)
    assert is_valid(costs, found)
    assert found.value(x, load) == pytest.approx(min(values), rel=1e-12)
    fastest = min(bottleneck_of(costs, cut, x, load) for cut in every_cut(costs))
    cut, times = best_throughput_split(costs, x, load)
    assert times == stages(costs, cut, x, load)
    assert times.largest == pytest.approx(fastest, rel=1e-12)
    assert best_bottleneck(costs, x, load).proven


def test_single_splits_of_a_dag_cut_where_one_tensor_crosses() -> None:
    # l0 -> l1, l2 -> l3 -> l4
    costs = random_costs(np.random.default_rng(0), ((-1,), (0,), (0,), (1, 2), (3,)))
    splits = [cut.on_server for cut in single_splits(costs, 1e-6, 1.0)]
    assert [split.count(False) for split in splits] == [0, 1, 4, 5]
    assert all(len(cut.crossing) <= 1 for cut in single_splits(costs, 1e-6, 1.0))


@pytest.mark.parametrize("seed", blocks(120, 250))
def test_minimum_cut_is_the_best_of_all_valid_cuts(seed: int) -> None:
    rng = np.random.default_rng(1000 + seed)
    shape = random_dag(rng, int(rng.integers(1, 9)))
    costs = random_costs(rng, shape, ways=2 if seed % 4 == 0 else 1, pinned=0.12 if seed % 3 == 0 else 0.0)
    x, load = point(rng)
    values = [cut.value(x, load) for cut in every_cut(costs)]
    if not values:
        with pytest.raises(InfeasibleError):
            cheapest_cut(costs, x, load)
        return
    found = cheapest_cut(costs, x, load)
    assert is_valid(costs, found)
    assert found.value(x, load) == pytest.approx(min(values), rel=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_minimum_cut_of_large_dags_agrees_with_another_solver(seed: int) -> None:
    """networkx's flow over Python integers, on the graph written down a second time."""
    rng = np.random.default_rng(seed)
    shape = random_dag(rng, 150, width=2)
    device, server = rng.integers(1, 10**9, 150), rng.integers(1, 10**8, 150)
    crossing = rng.integers(1, 10 ** (6 + seed), 151)
    graph = nx.DiGraph()
    for v, sources in enumerate(shape):
        graph.add_edge("device", v, capacity=int(server[v]))
        graph.add_edge(v, "server", capacity=int(device[v]))
        for u in sources:
            graph.add_edge(("sent", u), v)
            if u >= 0:
                graph.add_edge(v, u)
    for u in range(-1, 150):
        if ("sent", u) in graph:
            graph.add_edge(u if u >= 0 else "device", ("sent", u), capacity=int(crossing[u]))
    value, _ = nx.minimum_cut(graph, "device", "server")
    remote = np.array(min_cut(shape, device.astype(float), server.astype(float), crossing.astype(float)))
    ours = int(device[~remote].sum() + server[remote].sum())
    for u in range(-1, 150):
        if (u < 0 or not remote[u]) and any(remote[v] and u in sources for v, sources in enumerate(shape)):
            ours += int(crossing[u])
    assert ours == value


def test_costs_of_very_different_sizes_do_not_overflow() -> None:
    shape = chain(4)
    crossing = np.array([1e-9, 1e12, 1e12, 1e12, 1e12])
    remote = min_cut(shape, np.array([1e-9, 5e8, 5e8, 5e8]), np.array([5e8, 1e-3, 1e-3, 1e-3]), crossing)
    assert remote == [False, True, True, True]


@pytest.mark.parametrize(
    ("device", "server", "crossing"),
    [
        ([np.inf, 1], [np.inf, 1], [1, 1, 1]),
        ([np.inf, 1], [1, np.inf], [1, 1, 1]),  # what is on the server does not come back
        ([np.inf, 1], [1, 1], [1, 1, np.inf]),  # the input may not leave
    ],
)
def test_impossible_cuts_are_refused(device: list[float], server: list[float], crossing: list[float]) -> None:
    with pytest.raises(InfeasibleError):
        min_cut(chain(2), np.array(device), np.array(server), np.array(crossing))


@pytest.mark.parametrize("seed", blocks(12, 40))
def test_smallest_bottleneck_is_the_best_of_all_cuts(seed: int) -> None:
    rng = np.random.default_rng(2000 + seed)
    shape = random_dag(rng, int(rng.integers(2, 8)))
    costs = random_costs(rng, shape, ways=3 if seed % 2 else 1, pinned=0.1 if seed % 5 == 0 else 0.0)
    x, load = point(rng)
    values = [bottleneck_of(costs, cut, x, load) for cut in every_cut(costs)]
    if not values:
        with pytest.raises(InfeasibleError):
            best_bottleneck(costs, x, load)
        return
    found = best_bottleneck(costs, x, load)
    assert is_valid(costs, found.cut)
    assert found.stages.largest == pytest.approx(min(values), rel=1e-6)
    assert found.proven
    published = grid_bottleneck(costs, x, load, rounds=2)
    assert is_valid(costs, published.cut)
    assert published.stages.largest >= min(values) * (1 - 1e-9)
    assert not published.proven


def test_the_published_approximation_is_not_exact() -> None:
    gaps = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        costs = random_costs(rng, chain(7))
        exact = best_bottleneck(costs, 1e-6, 4.0).stages.largest
        gaps.append(grid_bottleneck(costs, 1e-6, 4.0).stages.largest / exact)
    assert min(gaps) >= 1 - 1e-9
    assert max(gaps) > 1.01


def test_dads_switches_by_the_rate_and_says_what_fits() -> None:
    costs = random_costs(np.random.default_rng(7), random_dag(np.random.default_rng(7), 7))
    x, load = 1e-6, 3.0
    light = decide(costs, x, load)
    heavy = best_bottleneck(costs, x, load)
    assert heavy.stages.largest < light.stages.largest
    assert decide(costs, x, load, 0.99 * light.largest_rate).mode == "light"
    between = decide(costs, x, load, 0.99 / heavy.stages.largest)
    assert (between.mode, between.sustained) == ("heavy", True)
    beyond = decide(costs, x, load, 1.01 / heavy.stages.largest)
    assert (beyond.mode, beyond.sustained) == ("heavy", False)
    assert beyond.largest_rate == pytest.approx(1 / heavy.stages.largest, rel=1e-6)


@given(st.integers(0, 10**6), st.floats(1e-8, 1e-4), st.floats(0.5, 8), st.floats(1, 10))
def test_better_machines_never_cost_more(seed: int, x: float, load: float, factor: float) -> None:
    rng = np.random.default_rng(seed)
    costs = random_costs(rng, random_dag(rng, int(rng.integers(1, 12))), ways=2)
    now = cheapest_cut(costs, x, load).value(x, load)
    slack = 1 + 1e-9
    assert cheapest_cut(costs, x / factor, load).value(x / factor, load) <= now * slack
    assert cheapest_cut(costs, x, load / factor).value(x, load / factor) <= now * slack
    quicker = replace(costs, device=costs.device / factor)
    assert cheapest_cut(quicker, x, load).value(x, load) <= now * slack
    plain = replace(costs, ways=tuple(ways[:1] for ways in costs.ways))
    assert now <= cheapest_cut(plain, x, load).value(x, load) * slack
    assert now <= best_split(costs, x, load).value(x, load) * slack


@given(st.integers(0, 10**6))
def test_a_tensor_that_many_read_is_sent_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    readers = int(rng.integers(2, 8))
    # one layer whose tensor everybody else reads
    costs = random_costs(rng, ((-1,), *((0,) for _ in range(readers))))
    cut = make_cut(costs, [False] + [True] * readers, 1e-6, 1.0)
    assert [tensor for tensor, _ in cut.crossing] == [0]
    assert cut.bytes == costs.ways[0][0].bytes


@pytest.mark.parametrize("seed", range(12))
def test_tensors_that_may_not_cross_do_not(seed: int) -> None:
    """Privacy and range give such tensors infinite figures."""
    rng = np.random.default_rng(3000 + seed)
    costs = random_costs(rng, random_dag(rng, int(rng.integers(3, 8))))
    forbidden = rng.random(len(costs) + 1) < 0.4
    never = Plane(np.inf, 0.0, 0.0)
    costs = replace(
        costs,
        ways=tuple(
            (Way(never, 0.0, np.inf, 0.0, ""),) if no else ways for no, ways in zip(forbidden, costs.ways, strict=True)
        ),
    )
    x, load = point(rng)
    allowed = [cut for cut in every_cut(costs) if np.isfinite(cut.bytes)]
    fastest = min(bottleneck_of(costs, cut, x, load) for cut in allowed)
    assert best_bottleneck(costs, x, load).stages.largest == pytest.approx(fastest, rel=1e-6)
    cheapest = min(cut.value(x, load) for cut in allowed)
    assert cheapest_cut(costs, x, load).value(x, load) == pytest.approx(cheapest, rel=1e-9)
    assert cheapest <= best_split(costs, x, load).value(x, load) < np.inf
