"""``placer sweep`` as a person runs it."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.run import placer

RATE = "services.plates-in.arrivals=1:11:3"


def test_a_sweep_prints_and_writes(tmp_path: Path) -> None:
    table, plot = tmp_path / "sweep.csv", tmp_path / "sweep.svg"
    arguments = ("sweep", "smart-parking", "--vary", RATE, "--executor", "serial")
    done = placer(*arguments, "-o", str(table), "--picture", str(plot))
    assert done.returncode == 0, done.stderr
    assert "6 /s" in done.stdout
    assert "3 of 3 points planned" in done.stdout
    assert re.search(r"changes at services\.plates-in\.arrivals = 11 /s:\n  \S.* of plates-in moves", done.stdout)
    assert len(list(csv.DictReader(table.read_text().splitlines()))) == 3
    assert plot.read_text().startswith("<?xml")
    again = placer(*arguments, "-o", str(table))
    assert again.returncode == 2
    assert "--force overwrites it" in again.stderr


def test_json_is_pure_and_infeasible_exits_1() -> None:
    done = placer("sweep", "infeasible", "--vary", "limits.layers=1,9", "--executor", "serial", "--json")
    assert done.returncode == 1
    data = json.loads(done.stdout)
    assert [row["status"] for row in data["rows"]] == ["infeasible"] * 2
    assert data["exit_code"] == 1
    assert "fc6" in data["rows"][1]["message"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--vary", "services.plats.arrivals=1,2"], "did you mean 'plates-in'?"),
        (["--vary", "devices.hub.buffer=0,5"], r"smart-parking.yaml:13 $.devices[4].buffer: "),
        (["--vary", RATE, "-o", "sweep.txt"], ".json, .csv"),
        (["--vary", RATE, "--executor", "cloud"], "must be one of"),
    ],
)
def test_bad_usage_exits_2(arguments: list[str], words: str) -> None:
    done = placer("sweep", "smart-parking", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_writes_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from placer.sweep import run

    real, calls = run.answer, 0

    def interrupted(work: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return real(work)

    monkeypatch.setattr(run, "answer", interrupted)
    table = tmp_path / "sweep.json"
    done = placer("sweep", "smart-parking", "--vary", RATE, "--executor", "serial", "-o", str(table))
    assert done.returncode == 0, done.stderr
    assert "partial: 2 of 3 points; interrupted" in done.stdout
    data = json.loads(table.read_text())
    assert (data["partial"], data["stopped"], data["exit_code"]) == (True, "interrupted", 0)
    assert [list(row["values"].values()) for row in data["rows"]] == [["1 /s"], ["6 /s"]]
    assert done.stderr == ""


def test_accuracy_that_is_unknown_names_whose_model_lacks_it(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(
        "format: placer/model/1\nname: net\nsource: made up\nalternatives:\n"
        "  - {name: here, input: 1 MB, accuracy: 1, layers: [{name: l, output: 1 B, times: {raspberry-pi-5: 1 s}}]}\n"
        "  - {name: there, input: 1 MB, layers: [{name: l, output: 1 B, times: {cloud-gpu: 10 ms}}]}\n"
    )
    (tmp_path / "site.yaml").write_text(
        "format: placer/instance/1\ndevices: [{name: a, type: raspberry-pi-5}, {name: b, type: cloud-gpu}]\n"
        "network: {links: [{between: [a, b], rate: 1 Mbit/s}]}\nservices: [{name: look, model: net, source: a}]\n"
    )
    vary = "network.links.a-b.rate=1,1000 Mbit/s"
    done = placer("sweep", str(tmp_path / "site.yaml"), "--executor", "serial", "--vary", vary)
    assert done.returncode == 0, done.stderr
    assert "unknown for want of: accuracy of the model of look" in " ".join(done.stdout.split())
