"""The Python API: what a notebook does, with one-line reprs and the defaults of the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import placer
from placer.errors import InputError
from placer.plan.plan import dump_plan


def test_a_notebook(tmp_path: Path) -> None:
    instance = placer.read("smart-parking")
    assert repr(instance) == "<Instance smart-parking: 6 devices, 3 services>"
    answer = placer.plan(instance, objective="latency")
    assert repr(answer).startswith("<Answer for smart-parking: latency 0.284")
    assert "\n" not in repr(answer)
    assert placer.evaluate(answer).feasible
    assert placer.evaluate(answer, by="deterministic").evaluator == "deterministic"
    seen = placer.simulate(answer, jobs=500, replications=2)
    assert seen.simulation.evaluator == "simulation"
    files = placer.export(answer, tmp_path / "out", ["mermaid"], image="registry.example/edge-node:1.0")
    assert all(file.is_file() for file in files)
    assert files


def test_a_stored_plan_finds_its_instance(tmp_path: Path) -> None:
    answer = placer.plan("do-not-split", path="do-not-split")
    file = tmp_path / "plan.json"
    file.write_text(dump_plan(answer.plan))
    assert placer.evaluate(file).objectives == pytest.approx(answer.evaluation.objectives, nan_ok=True)
    kept = placer.plan("do-not-split", keep=file, max_moves=0, method="ilp")
    assert kept.plan.services == answer.plan.services


def test_bad_calls_are_refused() -> None:
    with pytest.raises(InputError, match="robust is 'best'"):
        placer.plan("do-not-split", robust="best")
    with pytest.raises(InputError, match="takes no --rounds"):
        placer.plan("do-not-split", method="ilp", rounds=3)
    with pytest.raises(InputError, match="names no instance file"):
        placer.evaluate(placer.plan(placer.read("do-not-split")).plan)
    with pytest.raises(AttributeError, match="no attribute 'plans'"):
        _ = placer.plans  # type: ignore[attr-defined]


def test_rooms_and_functions_share_their_names() -> None:
    """``placer.plan(...)`` is a function although ``placer.plan`` holds modules, whichever is loaded first."""
    code = "import placer.plan.plan, placer; print(placer.plan.plan.Plan.__name__, callable(placer.plan), dir(placer))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Plan True")
    assert "simulate" in done.stdout


def test_import_is_cheap() -> None:
    code = "import sys, placer; print(sorted({'numpy', 'pydantic', 'click', 'placer.api'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
