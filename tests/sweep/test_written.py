"""Tables and pictures of sweeps."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from placer.errors import InputError
from placer.pictures import sweep as sweep_picture
from placer.pictures.sweep import picture
from placer.sweep.run import Sweep
from placer.sweep.tables import as_csv, as_data, write_sweep
from tests.sweep.helpers import INSTANCE, sweep_of

LIGHT = INSTANCE.replace("pins: {fc5: hub}", "").replace("{rate: 60 /min, process: periodic}", "60 /min")
"""No clock meets modulated arrivals: quick to evaluate; what is drawn is the same."""

GRID = ["devices.hub.memory=4 GB,67.11 MB,3 GB", "services.plates.arrivals=4:40:2 /s"]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    return sweep_of(tmp_path_factory.mktemp("written"), *GRID)


def test_json_holds_every_row(sweep: Sweep, tmp_path: Path) -> None:
    write_sweep(sweep, tmp_path / "sweep.json")
    data = json.loads((tmp_path / "sweep.json").read_text())
    assert data == as_data(sweep)
    assert data["format"] == "placer/sweep/1"
    assert data["vary"][1] == {"path": "services.plates.arrivals", "unit": "/s", "values": ["4 /s", "40 /s"]}
    assert not data["partial"]
    assert [row["values"]["devices.hub.memory"] for row in data["rows"]] == ["4 GB", "67.11 MB", "3 GB"] * 2
    assert [row["status"] for row in data["rows"]] == ["optimal", "infeasible", "optimal"] * 2
    good, bad = data["rows"][0], data["rows"][1]
    assert good["objectives"][0]["gap"] == 0
    assert good["services"]["plates"]["fragments"][-1]["device"] == "hub"
    assert good["changed"] is None
    assert data["rows"][2]["changed"] is False
    assert bad["message"]
    assert bad["loss_ratio"] is None


def test_csv_has_a_line_per_point(sweep: Sweep, tmp_path: Path) -> None:
    write_sweep(sweep, tmp_path / "sweep.csv")
    assert (tmp_path / "sweep.csv").read_text() == as_csv(sweep)
    rows = list(csv.DictReader(io.StringIO(as_csv(sweep))))
    assert len(rows) == len(sweep.rows)
    for line, row in zip(rows, sweep.rows, strict=True):
        assert line["status"] == row.answer.status
        assert line["message"] == row.answer.message
        if row.answer.planned:
            assert float(line["latency value"]) == row.answer.objectives[0].value
            assert float(line["loss_ratio"]) == row.answer.totals.loss_ratio
            assert float(line["loss_ratio plates"]) == row.answer.services[0].loss_ratio
        else:
            assert line["latency value"] == line["loss_ratio"] == line["changed"] == ""


def test_other_suffixes_are_refused(sweep: Sweep, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.json, \.csv"):
        write_sweep(sweep, tmp_path / "sweep.txt")
    with pytest.raises(InputError, match=r"\.svg, \.png"):
        picture(sweep, tmp_path / "sweep.jpeg")
    with pytest.raises(InputError, match="cannot be written"):
        write_sweep(sweep, tmp_path / "none" / "sweep.csv")
    assert not list(tmp_path.iterdir())


def test_pictures_show_lines_failures_and_what_is_missing(sweep: Sweep, tmp_path: Path) -> None:
    path = tmp_path / "sweep.svg"
    picture(sweep, path)
    first = path.read_text()
    assert "response time, ms" in first
    assert "×: no plan (2 infeasible)" in first
    assert "services.plates.arrivals = 40 /s" in first
    picture(sweep, path)
    assert path.read_text() == first
    picture(replace(sweep, rows=sweep.rows[:2], stopped="interrupted"), path)
    assert "partial: 2 of 6 points" in path.read_text()
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("vary", "words"),
    [
        ("services.plates.arrivals=10:150:4:log", "services.plates.arrivals, /s"),
        ("devices.hub.compute=true,false", "moves hub → cam"),
        ("devices.hub.buffer=7", "devices.hub.buffer"),
        ("devices.*.buffer=2,memory", "memory"),
    ],
)
def test_every_kind_of_axis_is_drawn(tmp_path: Path, vary: str, words: str) -> None:
    sweep = sweep_of(tmp_path, vary, text=LIGHT.replace("sink: hub", "sink: cam"))
    path = tmp_path / "sweep.svg"
    picture(sweep, path)
    assert words in path.read_text()
    path = tmp_path / "sweep.png"
    picture(sweep, path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_the_mark_stands_between_the_two_plans(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path, "devices.hub.compute=true,false,true", text=LIGHT)
    assert [bool(row.changes) for row in sweep.rows] == [False, True, True]
    (line,) = sweep_picture._lines(sweep)
    axis = sweep.grid.axes[0]
    marks = list(sweep_picture._marks(line, axis, sweep_picture._positions(axis)))
    assert [mark.x for mark in marks] == [0.5, 1.5]
    assert marks[0].text.startswith("true to false: ")
