"""The suite ``simulator``: what it says, not how fast it is."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from placer.bench import simulator
from placer.errors import InputError

FIELDS = {
    "suite",
    "instance",
    "method",
    "status",
    "objective",
    "seconds",
    "events_per_second",
    "loss",
    "loss_half_width",
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_rows_then_the_summary() -> None:
    *rows, last = simulator.run(scale=0.1, seed=3)
    assert [row["method"] for row in rows] == list(simulator.METHODS)
    for row in rows:
        assert row.keys() >= FIELDS
        if row["status"] == "ok":
            assert abs(row["loss"] - simulator.EXACT_LOSS) <= 1.5 * row["loss_half_width"]

        else:
            assert row["reason"]
    summary = last["summary"]
    assert summary["losses_agree"]
    assert set(summary["events_per_second"]) == {row["method"] for row in rows if row["status"] == "ok"}


def test_a_missing_package_is_skipped_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("placer.optional.find_spec", lambda name: None)
    *rows, last = simulator.run(scale=0.05)
    assert {row["method"]: row["status"] for row in rows} == {
        "compiled": "skipped",
        "plain": "ok",
        "simpy": "skipped",
        "ciw": "skipped",
    }
    assert rows[-1]["reason"] == "the method ciw needs the extra 'test'"
    assert rows[-1]["loss"] is None
    assert last["summary"]["ratio"] == {}


@pytest.mark.parametrize("method", ["simpy", "ciw"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_same_events_as_ours(method: str) -> None:
    """Counting alike is what makes events per second comparable."""
    if find_spec(method) is None:
        pytest.skip(f"{method} is not installed")
    jobs = 2000
    theirs, _ = simulator.METHODS[method][2](jobs, 1)
    ours, _ = simulator.METHODS["plain"][2](jobs, 1)
    assert theirs == pytest.approx(ours, rel=0.05)


def test_an_unknown_method() -> None:
    with pytest.raises(InputError, match="simpy"):
        next(simulator.run(methods=["salabim"]))
