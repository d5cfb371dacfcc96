"""Ctrl-C, and what does the same, keeps the best plan so far: in every phase, of every method that searches."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from placer.instance.compiled import Compiled, compile_instance
from placer.instance.resolving import read_instance
from placer.interruption import held, noted
from placer.planning.loss import planner as loss_planner
from placer.planning.loss.problem import Problem
from placer.planning.loss.search.annealing import Settings, analytic_energies, anneal
from placer.planning.loss.search.neighbours import as_placement
from placer.planning.loss.search.search import Search
from placer.planning.registry import plan
from placer.planning.request import Request
from placer.solver.progress import Limits, Listener, Progress
from tests.cli.run import HEARING, placer

REPO = Path(__file__).parent.parent.parent
LONG = Limits(seconds=600.0)
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def interrupting(when: Callable[[Progress], bool]) -> Listener:
    """Interrupts once, at the first news that it waits for."""
    left = [1]

    def listener(progress: Progress) -> None:
        if left[0] and when(progress):
            left[0] = 0
            interrupt()

    return listener


def shipped(name: str) -> Compiled:
    return compile_instance(read_instance(name))


@pytest.mark.parametrize("stage", ["warm start", ""])
def test_the_ilp(stage: str) -> None:
    """Before the solver runs, and in it."""
    compiled = shipped("paper-3alexnet-l1")
    outcome = plan(compiled, Request(method="ilp", limits=LONG), interrupting(lambda news: news.stage == stage))
    assert outcome.plan.certificate.termination == "interrupted"
    assert outcome.evaluation.feasible


@pytest.mark.parametrize("stage", ["search", pytest.param("simulation", marks=pytest.mark.slow)])
def test_the_loss_planner(stage: str) -> None:
    compiled = shipped("five-board")
    listener = interrupting(lambda news: news.stage == stage)
    outcome = plan(compiled, Request(method="loss", objectives=("loss",), limits=LONG, rounds=1), listener)
    certificate = outcome.plan.certificate
    assert certificate.termination in ("interrupted", "optimal")
    assert certificate.confirmed is None


def test_the_loss_planner_while_a_bound_is_solved(monkeypatch: pytest.MonkeyPatch) -> None:
    """The solver notes the signal and returns; nothing after it works on."""
    real = loss_planner.guide

    def guide(problem: Any, limits: Any) -> Any:
        with held():
            interrupt()
        return real(problem, limits)

    monkeypatch.setattr(loss_planner, "guide", guide)
    monkeypatch.setattr(Search, "_round", lambda *_: pytest.fail("searched on"))
    outcome = plan(shipped("five-board"), Request(method="loss", objectives=("loss",), limits=LONG))
    assert outcome.plan.certificate.termination in ("interrupted", "optimal")
    assert outcome.plan.certificate.confirmed is None


@pytest.mark.parametrize("made", [0, 1])
def test_while_baselines_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: int) -> None:
    """The plan is written and is the answer; what stands beside it says why it is not there."""
    maker = ("_best_whole", "_in_the_cloud")[made]
    monkeypatch.setattr(f"placer.planning.whole.{maker}", lambda *_: interrupt())
    out = tmp_path / "plan.json"
    done = placer("plan", "smart-parking", "--json", "-o", str(out))
    assert done.returncode == 0
    printed = json.loads(done.stdout)
    assert printed["plan"] == json.loads(out.read_text())
    reasons = [one.get("reason") for one in printed["baselines"].values()]
    assert reasons[made:] == ["interrupted"] * (2 - made)
    assert reasons[:made] != ["interrupted"]


def test_annealing() -> None:
    problem = Problem(shipped("five-board"))
    search = Search(problem, 0)
    start = search.construct()
    assert start is not None
    energies, calls = analytic_energies(problem), 0

    def interrupted(placements: Any, owners: Any) -> list[float]:
        nonlocal calls
        calls += 1
        if calls == 5:
            interrupt()
        return energies(placements, owners)

    settings = replace(Settings(), chains=1)
    found = anneal(problem, [as_placement(start)], interrupted, Request(limits=LONG), settings)
    assert found.interrupted
    assert found.evaluations >= 4


def test_flags_are_set_from_the_inside_out() -> None:
    with noted() as outermost, held() as outer:
        with held() as inner:
            interrupt()
        assert (outermost.is_set(), outer.is_set(), inner.is_set()) == (True, True, True)
        with held() as later:
            pass
        assert not later.is_set()
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), noted() as passive:
        interrupt()
    assert not passive.is_set()
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_the_command(tmp_path: Path, name: str) -> None:
    """The signal is sent when the model has been written: right before the solver starts, or while it runs."""
    model, out = tmp_path / "model.lp", tmp_path / "plan.json"
    command = [*HEARING, sys.executable, "-m", "placer", "plan", "paper-3alexnet-l1", "--method", "ilp", "--json"]
    command += ["--time-limit", "600", "-o", str(out), "--write-model", str(model)]
    with subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not model.exists():
            time.sleep(0.01)
        process.send_signal(getattr(signal, name))
        output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert json.loads(output)["plan"]["certificate"]["termination"] == "interrupted"
    assert json.loads(out.read_text())["certificate"]["termination"] == "interrupted"
