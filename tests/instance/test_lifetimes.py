"""Tensor lifetimes against brute force, and the arena against the largest live set."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placer.instance.lifetimes import Lifetime, arena, lifetimes_of, live

STEPS = 9
tensors = st.lists(
    st.builds(
        lambda a, b, size: Lifetime(min(a, b), max(a, b), size),
        st.integers(0, STEPS - 1),
        st.integers(0, STEPS - 1),
        st.integers(0, 40),
    ),
    max_size=14,
)


def brute(lifetimes: list[Lifetime]) -> list[float]:
    return [sum(t.size for t in lifetimes if t.first <= step <= t.last) for step in range(STEPS)]


@given(tensors)
def test_live_is_what_brute_force_finds(lifetimes: list[Lifetime]) -> None:
    assert live(lifetimes, STEPS) == brute(lifetimes)


@given(tensors, st.sampled_from([1, 4, 16]))
def test_an_arena_holds_what_lives_together_apart(lifetimes: list[Lifetime], alignment: int) -> None:
    laid = arena(lifetimes, alignment)
    assert laid.size >= max(brute(lifetimes))
    for (a, at), (b, bt) in itertools.combinations(zip(lifetimes, laid.offsets, strict=True), 2):
        if a.size and b.size and a.first <= b.last and b.first <= a.last:
            assert at + a.size <= bt or bt + b.size <= at
    for tensor, offset in zip(lifetimes, laid.offsets, strict=True):
        assert offset % alignment == 0
        assert offset + tensor.size <= laid.size


def reference(lifetimes: list[Lifetime]) -> float:
    """The planner of TensorFlow Lite Micro, told again in plain loops: the first gap; of equals the last."""
    placed: list[tuple[int, int, float, float]] = []
    for tensor in [lifetimes[at] for at in sorted(range(len(lifetimes)), key=lambda at: (-lifetimes[at].size, -at))]:
        beside = sorted((o, s) for f, e, o, s in placed if f <= tensor.last and e >= tensor.first)
        at = 0.0
        for offset, size in beside:
            if offset - at >= tensor.size:
                break
            at = max(at, offset + size)
        placed.append((tensor.first, tensor.last, at, tensor.size))
    return max((o + s for _, _, o, s in placed), default=0.0)


@given(tensors)
@settings(max_examples=200)
def test_the_arena_is_greedy_by_size(lifetimes: list[Lifetime]) -> None:
    assert arena(lifetimes).size == reference(lifetimes)


def test_a_chain_and_a_shortcut() -> None:
    # a -> b -> c, and d reads c and a: a is held while b and c run
    times = lifetimes_of(
        [["a"], ["b"], ["c"], ["d"]],
        [["x"], ["a"], ["b"], ["c", "a"]],
        dict(zip("xabcd", (1, 2, 4, 8, 16), strict=True)),
        given=["x"],
    )
    assert live(times.values(), 4) == [1 + 2, 2 + 4, 2 + 4 + 8, 2 + 8 + 16]
    kept = lifetimes_of([["a"], ["b"], ["c"]], [["x"], ["x"], ["b"]], dict.fromkeys("xabc", 1), kept=["a"], given=["x"])
    assert live(kept.values(), 3) == [2, 3, 3]


def test_what_is_read_before_it_is_made_is_refused() -> None:
    with pytest.raises(ValueError, match="step 0 reads 'a'"):
        lifetimes_of([["b"], ["a"]], [["a"], []], {"a": 1, "b": 1})


def test_thousands_of_tensors_are_laid_quickly() -> None:
    lifetimes = [Lifetime(step, min(step + 7 * (step % 5), 4999), 100 + step % 977) for step in range(5000)]
    laid = arena(lifetimes, 16)
    assert max(live(lifetimes, 5000)) <= laid.size <= 1.4 * max(live(lifetimes, 5000))
