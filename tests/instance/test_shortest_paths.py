"""Shortest paths against Floyd and Warshall's three loops, the dense and the sparse version alike."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from placer.instance import shortest_paths as module
from placer.instance.shortest_paths import Floats, Pointers, shortest_paths

Solver = Callable[[Floats], tuple[Floats, Pointers]]


@st.composite
def networks(draw: st.DrawFn) -> Floats:
    """Weights with ties, zeros, missing steps, and sums in which the smaller number is lost."""
    count = draw(st.integers(1, 7))
    weight = st.sampled_from([math.inf, 0.0, 1.0, 2.0, 0.1, 1e-20, 1e300])
    rows = draw(st.lists(st.lists(weight, min_size=count, max_size=count), min_size=count, max_size=count))
    weights = np.array(rows)
    np.fill_diagonal(weights, np.inf)
    return weights


def three_loops(weights: Floats) -> list[list[float]]:
    count = len(weights)
    sums = [[0.0 if i == j else float(weights[i, j]) for j in range(count)] for i in range(count)]
    for k in range(count):
        for i in range(count):
            for j in range(count):
                sums[i][j] = min(sums[i][j], sums[i][k] + sums[k][j])
    return sums


@pytest.mark.parametrize("solve", [module._in_step, module._sparse])
@given(weights=networks())
def test_both_versions_find_least_sums_and_paths_that_have_them(solve: Solver, weights: Floats) -> None:
    sums, previous = solve(weights)
    np.testing.assert_allclose(sums, three_loops(weights), rtol=1e-12)
    for tail in range(len(weights)):
        for head in range(len(weights)):
            if tail == head or math.isinf(sums[tail, head]):
                assert previous[tail, head] == module.NO_DEVICE
                continue
            path = [head]
            while path[-1] != tail:
                assert len(path) <= len(weights)
                path.append(int(previous[tail, path[-1]]))
            steps = [weights[a, b] for a, b in zip(path[:0:-1], path[-2::-1], strict=True)]
            assert math.isclose(sum(steps), sums[tail, head], rel_tol=1e-12)


def test_a_large_network_is_left_to_the_sparse_version(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []
    monkeypatch.setattr(module, "_sparse", lambda weights: taken.append(len(weights)))
    shortest_paths(np.full((module.LARGEST_DENSE, module.LARGEST_DENSE), np.inf))
    assert taken == []
    shortest_paths(np.full((module.LARGEST_DENSE + 1, module.LARGEST_DENSE + 1), np.inf))
    assert taken == [module.LARGEST_DENSE + 1]
