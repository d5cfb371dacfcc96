"""Envelopes and their break points against all cuts, left and right of each break."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placer.splitting.costs import Plane
from placer.splitting.envelope import Region, breaks, envelope, pieces
from placer.splitting.mincut import cheapest_cut
from placer.splitting.neurosurgeon import best_split, single_splits
from tests.splitting.oracle import chain, every_cut, random_costs, random_dag

REGION = Region(8 / 1e9, 8 / 1e4, 1.0, 10.0)


def lowest(planes: list[Plane], x: float, load: float) -> float:
    return min(plane.at(x, load) for plane in planes)


@pytest.mark.parametrize("seed", range(40))
def test_the_envelope_is_that_of_all_cuts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    layers = int(rng.integers(2, 7))
    costs = random_costs(rng, chain(layers) if seed % 3 == 0 else random_dag(rng, layers), ways=2)
    every = [cut.plane for cut in every_cut(costs)]
    found = [cut.plane for cut in envelope(lambda x, load: cheapest_cut(costs, x, load), REGION)]
    assert set(found) <= set(every)
    for _ in range(300):
        x = float(np.exp(rng.uniform(np.log(REGION.x_low), np.log(REGION.x_high))))
        load = float(rng.uniform(REGION.load_low, REGION.load_high))
        assert lowest(found, x, load) == pytest.approx(lowest(every, x, load), rel=1e-9)


@pytest.mark.parametrize("seed", range(40))
def test_break_points_are_exact(seed: int) -> None:
    """Just left and right of each, and in the middle of each piece, the listed cut is best of all; nowhere else a
    break is missing."""
    rng = np.random.default_rng(100 + seed)
    layers = int(rng.integers(2, 7))
    costs = random_costs(rng, chain(layers) if seed % 3 == 0 else random_dag(rng, layers), ways=2)
    every = [cut.plane for cut in every_cut(costs)]
    cuts = envelope(lambda x, load: cheapest_cut(costs, x, load), REGION)
    for load in (1.0, 2.5, 10.0):
        found = pieces([cut.plane for cut in cuts], load, REGION.x_low, REGION.x_high)
        ends = [x for x, _ in found[1:]] + [REGION.x_high]
        for (start, plane), end in zip(found, ends, strict=True):
            for x in (start * (1 + 1e-9), (start * end) ** 0.5, end * (1 - 1e-9)):
                assert plane.at(x, load) == pytest.approx(lowest(every, x, load), rel=1e-9)
        for (_, before), (x, after) in zip(found, found[1:], strict=False):
            assert before.at(x, load) == pytest.approx(after.at(x, load), rel=1e-9)
            # a step to either side the other one of the two is worse: the change is here and nowhere else
            assert before.at(x * 0.99, load) < after.at(x * 0.99, load)
            assert after.at(x * 1.01, load) < before.at(x * 1.01, load)


def test_without_a_grid_a_narrow_piece_is_found() -> None:
    """Three lines of which the middle one is lowest for a millionth of the range."""
    planes = [Plane(1.0, 1.0, 0.0), Plane(1.5 - 1e-7, 0.5, 0.0), Plane(2.0, 0.0, 0.0)]
    found = breaks(planes, 1.0, 0.0, 10.0)
    assert found == pytest.approx([1.0 - 2e-7, 1.0 + 2e-7], abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_single_splits_have_an_envelope_too(seed: int) -> None:
    rng = np.random.default_rng(seed)
    costs = random_costs(rng, random_dag(rng, 6))
    found = [cut.plane for cut in envelope(lambda x, load: best_split(costs, x, load), REGION)]
    for x in np.geomspace(REGION.x_low, REGION.x_high, 40):
        for load in (1.0, 3.0, 10.0):
            best = min(cut.value(x, load) for cut in single_splits(costs, x, load))
            assert lowest(found, x, load) == pytest.approx(best, rel=1e-9)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), min_size=1, max_size=12),
    st.floats(0, 1),
    st.floats(1.5, 50),
)
def test_pieces_are_the_lower_envelope(lines: list[tuple[float, float]], low: float, high: float) -> None:
    planes = [Plane(c, cx, 0.0) for c, cx in lines]
    found = pieces(planes, 1.0, low, high)
    assert found[0][0] == low
    starts = [x for x, _ in found]
    assert starts == sorted(starts)
    for x in np.linspace(low, high, 25)[:-1]:
        plane = [plane for start, plane in found if start <= x][-1]
        assert plane.at(x, 1.0) == pytest.approx(lowest(planes, x, 1.0), rel=1e-9, abs=1e-9)
