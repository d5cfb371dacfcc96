"""The suite that measures start-up: its rows, not its figures."""

from __future__ import annotations

import sys

import pytest

from placer import bench
from placer.bench import startup
from placer.errors import InputError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processor time of other processes")


def test_rows_and_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "RUNS", 1)
    rows = list(bench.run("startup", methods=("help", "check")))
    assert [row["method"] for row in rows[:-1]] == ["bare", "help", "check"]
    assert all(row["seconds"] > 0 and row["least_seconds"] <= row["seconds"] for row in rows[:-1])
    assert rows[0]["above_bare"] == 0
    assert rows[-1]["summary"] == {row["method"]: row["seconds"] for row in rows[:-1]}


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(InputError, match="unknown command 'fly'"):
        list(bench.run("startup", methods=("fly",)))
