"""Where the plan changes, in words."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from placer.plan.plan import Fragment
from placer.sweep.answer import Answer, ServiceRow
from placer.sweep.changes import changes_along, changes_between
from tests.sweep.helpers import grid_of


def service(places: str, name: str = "plates", alternative: str = "default", unit: str = "cpu") -> ServiceRow:
    """Layers l0, l1, … on the devices that the letters name; one fragment per layer."""
    fragments = tuple(Fragment(device=place, unit=unit, layers=(f"l{i}",)) for i, place in enumerate(places))
    return ServiceRow(name, alternative, fragments, 1.0, 0.0, 1.0, 1.0, 1.0)


def test_runs_that_move_together() -> None:
    assert changes_between([service("aabbb")], [service("aabbb")]) == ()
    assert changes_between([service("aaaaa")], [service("abbba")]) == ("l1 … l3 of plates moves a → b",)
    assert changes_between([service("aab")], [service("bac")]) == (
        "l0 of plates moves a → b",
        "l2 of plates moves b → c",
    )
    assert changes_between([service("aabb")], [service("cccc")]) == (
        "l0 … l1 of plates moves a → c",
        "l2 … l3 of plates moves b → c",
    )
    assert changes_between([service("a")], [service("a", unit="npu")]) == ("l0 of plates moves a → a/npu",)


def test_alternatives_models_and_services() -> None:
    other = service("ab", alternative="small")
    assert changes_between([service("aa")], [other]) == ("plates changes default → small (on a, b)",)
    assert changes_between([service("aa")], [service("aab")]) == ("plates has other layers (on a, b)",)
    assert changes_between([service("a")], [service("a", name="new")]) == ("new is new", "plates is gone")


@given(st.text("abc", min_size=6, max_size=6), st.text("abc", min_size=6, max_size=6))
def test_nothing_is_said_exactly_when_nothing_moves(before: str, after: str) -> None:
    said = changes_between([service(before)], [service(after)])
    assert bool(said) == (before != after)
    moved = sum(a != b for a, b in zip(before, after, strict=True))
    assert len(said) <= moved


def test_each_line_compares_with_its_last_plan(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "devices.cam.buffer=1,2,3,4", "devices.hub.buffer=5,6")

    def answer(number: int, places: str) -> Answer:
        return Answer(number, "optimal", services=(service(places),))

    gap = Answer(1, "infeasible", "clash")
    answers = [answer(0, "a"), gap, answer(2, "b"), answer(3, "b"), answer(4, "c"), None, None, answer(7, "d")]
    assert changes_along(grid, answers) == [
        None,
        None,
        ("l0 of plates moves a → b",),
        (),
        None,  # the first of the next line has nothing before it
        None,
        None,
        ("l0 of plates moves c → d",),
    ]
