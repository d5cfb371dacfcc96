"""``placer exits``: what it says and returns."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from placer.exits.policy import read_policy
from tests.cli.run import REPO, placer

RESNET = ("exits", "resnet-50-cifar10", "--arrivals", "3 /s", "--buffer", "10", "--jobs", "2000", "--replications", "3")


def test_one_method_and_its_policy(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    done = placer(*RESNET, "-o", str(path))
    assert done.returncode == 0, done.stderr
    assert "Assumed: accuracy of every exit" in done.stdout
    assert "0.8379" in done.stdout
    assert "kept" in done.stdout
    file = read_policy(path)
    assert file.method == "queueing"
    assert file.policy.kind == "table"
    again = placer(*RESNET, "-o", str(path))
    assert again.returncode == 2
    assert "exists" in again.stderr


def test_compare_as_json() -> None:
    done = placer(*RESNET, "--compare", "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    reports = {report["method"]: report for report in data["reports"]}
    assert set(reports) == {"queueing", "queueing-exact", "knapsack", "knapsack-moving", "semi-markov"}
    assert {skip["method"] for skip in data["skipped"]} >= {"thresholds", "adaee"}
    assert all("no per-sample table" in skip["reason"] for skip in data["skipped"])
    assert reports["semi-markov"]["accuracy"] == pytest.approx(reports["semi-markov"]["bound"], abs=1e-8)
    for report in reports.values():
        assert report["accuracy"] <= report["bound_here"] + (0.02 if report["loss_exact"] is None else 1e-6)
    assert reports["queueing"]["loss_formula"] <= 0.01 + 1e-9
    assert reports["queueing-exact"]["loss_exact"] <= 0.01 + 1e-9
    assert data["assumed"] == ["accuracy of every exit"]


def test_every_method_runs_on_a_table() -> None:
    load = ("--arrivals", "6 /ms", "--buffer", "8", "--jobs", "2000", "--replications", "2", "--evaluations", "30")
    done = placer("exits", "digits-mlp-8", *load, "--max-loss", "5%", "--compare", "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    missing = set() if find_spec("optuna") else {"thresholds-tpe"}
    assert {skip["method"] for skip in data["skipped"]} == missing
    for report in data["reports"]:
        assert 0.5 < report["accuracy"] <= 1
        assert 0 <= report["loss_simulated"] < 0.5


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="needs matplotlib")
def test_a_sweep_and_its_picture(tmp_path: Path) -> None:
    options = ("--method", "queueing", "--method", "semi-markov", "--vary", "arrivals=1:4:4 /s")
    done = placer(*RESNET, *options, "--picture", str(tmp_path / "out.svg"), "--json")
    assert done.returncode == 0, done.stderr
    points = json.loads(done.stdout)["points"]
    assert [point["value"] for point in points] == [1.0, 2.0, 3.0, 4.0]
    bounds = [point["reports"][0]["bound"] for point in points]
    assert bounds == sorted(bounds, reverse=True)
    text = (tmp_path / "out.svg").read_text()
    assert "<svg" in text
    assert "semi-markov" in text
    limits = placer(*RESNET, "--sweep", "max-loss=0.5%,2%")
    assert limits.returncode == 0, limits.stderr
    assert "max-loss" in limits.stdout


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        (("--arrivals", "3"), 2, "has no unit"),
        (("--max-loss", "2"), 2, "out of range"),
        (("--method", "queing"), 2, "did you mean 'queueing'"),
        (("--method", "thresholds"), 2, "no per-sample table"),
        (("--speed", "1 MMAC/s"), 2, "has no MACs"),
        (("--picture", "x.svg"), 2, "draws a sweep"),
        (("--vary", "buffer=1"), 2, "unknown field 'buffer'"),
        (("--vary", "arrivals=1 /s,x"), 2, "--vary arrivals: "),
        (("--vary", "arrivals=1:4:4"), 2, "has no unit"),
        (("--sweep", "arrivals=1 /s..6 /s:20"), 2, "write 1:6:20 /s"),
        (("--arrivals", "2000 /s"), 1, "no shares of the exits keep"),
        (("--arrivals", "2000 /s", "--method", "semi-markov"), 1, "the least is 82"),
        (("--arrivals", "2000 /s", "--method", "knapsack"), 1, ""),
        (("--compare", "-o", "x.json"), 2, "-o writes the policy of one method"),
    ],
)
def test_refusals(tmp_path: Path, change: tuple[str, ...], code: int, told: str) -> None:
    options = list(RESNET)
    if change[0] == "--arrivals":
        options[options.index("--arrivals") + 1] = change[1]
        change = change[2:]
    done = placer(*options, *change, cwd=REPO)
    assert done.returncode == code, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_schemas() -> None:
    for name in ("exits", "exit-policy"):
        done = placer("schema", name)
        assert done.returncode == 0
        assert json.loads(done.stdout)["type"] == "object"
