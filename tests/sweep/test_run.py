"""A sweep's points are plans like any other, wherever they run; what has no plan says why."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placer.errors import InputError
from placer.evaluation.comparison import simulate_plan
from placer.evaluation.evaluate import evaluate
from placer.evaluation.runs import Runs
from placer.instance.compiled import compile_instance
from placer.instance.resolving import read_instance
from placer.planning.registry import plan
from placer.planning.request import Request
from placer.simulation.executors import SerialExecutor, open_executor
from placer.solver.progress import Limits
from placer.sweep.answer import Answer, Work, is_tie
from placer.sweep.run import Sweep, run_sweep
from tests.sweep.helpers import INSTANCE, grid_of, sweep_of, write

RATES = "services.plates.arrivals=2:60:4"
ALL = ["services.plates.arrivals=20,200", "devices.hub.buffer=2,30"]


@settings(max_examples=4)
@given(
    st.integers(1, 80),
    st.integers(1, 40),
    st.sampled_from(["0.5 Mbit/s", "20 Mbit/s"]),
    st.sampled_from([0.4, 0.8]),
)
def test_a_point_is_the_plan_of_the_file_edited_by_hand(
    tmp_path_factory: pytest.TempPathFactory, rate: int, buffer: int, link: str, busy: float
) -> None:
    folder = tmp_path_factory.mktemp("point")
    # two values on the first axis, the second as drawn: the point must not depend on its neighbour
    swept = sweep_of(
        folder,
        f"services.plates.arrivals=1,{rate}",
        f"devices.hub.buffer={buffer}",
        f"network.links.hub-cloud-1.rate={link}",
        f"limits.utilisation={busy}",
    ).rows[-1]
    edited = INSTANCE.replace("arrivals: 4 /s", f"arrivals: {rate} /s").replace("buffer: 50", f"buffer: {buffer}")
    edited = edited.replace("rate: 20 Mbit/s", f"rate: {link}").replace("utilisation: 0.8", f"utilisation: {busy}")
    compiled = compile_instance(read_instance(write(folder, edited)))
    outcome = plan(compiled, Request(limits=Limits(seconds=20)))
    judged = evaluate(outcome.plan, compiled)
    found = swept.answer
    assert found.objectives == outcome.plan.certificate.objectives
    assert [s.fragments for s in found.services] == [s.fragments for s in outcome.plan.services]
    assert [s.loss_ratio for s in found.services] == [t.loss_ratio for t in judged.times]
    assert [s.response_time for s in found.services] == [t.response_time for t in judged.times]
    offered = sum(t.offered for t in judged.times)
    lost = sum(t.offered - t.throughput for t in judged.times)
    assert found.totals.loss_ratio == pytest.approx(lost / offered, abs=1e-9)
    assert found.violations == tuple(check.message for check in judged.violations)


def same(one: Sweep, other: Sweep) -> None:
    def bare(sweep: Sweep) -> list[Any]:
        return [(row.point, repr(replace(row.answer, seconds=0.0)), row.changes) for row in sweep.rows]

    assert bare(one) == bare(other)
    assert one.stopped == other.stopped


def test_executors_give_the_same_numbers(tmp_path: Path) -> None:
    simulation = Runs(jobs=1000, replications=2, seed=3)
    here = sweep_of(tmp_path, *ALL, simulation=simulation)
    assert len(here.rows) == 4
    for spec in ("processes:2", "threads:2"):
        with open_executor(spec) as pool:
            same(sweep_of(tmp_path, *ALL, simulation=simulation, executor=pool), here)


@pytest.mark.skipif(find_spec("distributed") is None, reason="distributed is not installed")
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_dask_gives_the_same_numbers(tmp_path: Path) -> None:
    from distributed import Client

    here = sweep_of(tmp_path, *ALL)
    with Client(n_workers=1, threads_per_worker=1, dashboard_address=None, set_as_default=False) as client:
        address = client.scheduler_info()["address"]
        with open_executor(f"dask:{address}") as pool:
            same(sweep_of(tmp_path, *ALL, executor=pool), here)


def test_no_file_is_needed_where_the_points_run(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "models" / "cnn-5.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text)
    grid = grid_of(tmp_path, "devices.hub.buffer=5", text=INSTANCE.replace("model: cnn-5,", "model: mine.yaml,"))
    for file in tmp_path.iterdir():
        file.unlink()
    assert run_sweep(grid, Request()).rows[0].answer.planned


def test_infeasible_points_are_rows_with_the_clash(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path, "devices.hub.memory=4 GB,67.11 MB")
    good, bad = (row.answer for row in sweep.rows)
    assert (good.status, bad.status) == ("optimal", "infeasible")
    assert "plates" in bad.message
    assert "hub" in bad.message
    assert not bad.planned
    assert sweep.exit_code == 0
    assert sweep.rows[1].changes is None
    nothing = sweep_of(tmp_path, "devices.hub.memory=67.11 MB")
    assert nothing.exit_code == 1


def test_unanswered_and_refused_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="unknown objective 'speed'"):
        sweep_of(tmp_path, RATES, options=Request(objectives=("speed",)))
    with pytest.raises(InputError, match="unknown method 'magic'"):
        sweep_of(tmp_path, RATES, options=Request(method="magic"))
    monkeypatch.setattr("placer.planning.ilp.planner.warm_start", lambda *_: None)
    sweep = sweep_of(tmp_path, RATES, options=Request(method="warm-start", shortcut=False))
    assert {row.answer.status for row in sweep.rows} == {"unanswered"}
    assert "found no feasible placement" in sweep.rows[0].answer.message
    assert sweep.exit_code == 3


def test_a_refusal_at_some_points_is_a_row(tmp_path: Path) -> None:
    """Energy needs power figures: the device type that has none is refused, the other is planned."""
    text = INSTANCE.replace("  - {name: cloud-1, type: cloud-gpu}\n", "").replace(
        "  links: [{between: [hub, cloud-1], rate: 20 Mbit/s, latency: 15 ms}]\n", ""
    )
    text = text.replace("type: raspberry-pi-3a-plus", "type: raspberry-pi-4b")
    text = text.replace("technology: wifi-n,", "technology: wifi-n, transmit_energy: 283 nJ/bit,")
    options = Request(objectives=("energy",))
    sweep = sweep_of(tmp_path, "devices.cam.type=raspberry-pi-4b,orange-pi-zero", text=text, options=options)
    assert [row.answer.status for row in sweep.rows] == ["optimal", "refused"]
    assert "power" in sweep.rows[1].answer.message


def test_simulation_stands_beside_the_analytic_figures(tmp_path: Path) -> None:
    request = Runs(jobs=4000, replications=3, seed=5)
    sweep = sweep_of(tmp_path, "services.plates.arrivals=30,300", "devices.hub.buffer=3", simulation=request)
    plain = sweep_of(tmp_path, "services.plates.arrivals=30,300", "devices.hub.buffer=3")
    for row, other in zip(sweep.rows, plain.rows, strict=True):
        assert row.answer.evaluator == "simulation"
        assert row.answer.analytic == other.answer.analytic
        assert row.answer.simulated is not None
        assert other.answer.simulated is None
    edited = INSTANCE.replace("buffer: 50", "buffer: 3").replace("arrivals: 4 /s", "arrivals: 300 /s")
    compiled = compile_instance(read_instance(write(tmp_path, edited)))
    found = simulate_plan(plan(compiled, Request()).plan, compiled, request)
    figures = found.simulation.simulation
    assert figures is not None
    assert sweep.rows[1].answer.totals.loss_ratio == float(figures.total_loss_ratio.mean)
    assert sweep.rows[1].answer.totals.loss_interval == float(figures.total_loss_ratio.half_width) > 0


def test_without_arrivals_there_is_latency_but_no_loss(tmp_path: Path) -> None:
    text = INSTANCE.replace(", arrivals: 4 /s", "")
    text = text[: text.index("  - {name: people")] + "limits: {utilisation: 0.8}\n"
    (row,) = sweep_of(tmp_path, "network.links.0.rate=1", text=text, simulation=Runs(1000, 2)).rows
    assert math.isnan(row.answer.totals.loss_ratio)
    assert row.answer.latency == row.answer.objectives[0].value
    assert "not simulated" in row.answer.message


TWINS = """\
format: placer/instance/1
name: twins
devices:
  - {name: cam, type: raspberry-pi-a-plus, compute: false}
  - {name: left, type: raspberry-pi-4b}
  - {name: right, type: raspberry-pi-4b}
network:
  links:
    - {between: [cam, left], rate: 10 Mbit/s}
    - {between: [cam, right], rate: 10 Mbit/s}
services: [{name: look, model: cnn-5, source: cam}]
"""


def test_a_change_by_chance_is_told_from_one_that_had_to_be(tmp_path: Path) -> None:
    """Two devices alike; whichever link is faster decides, and where both are the solver may take either."""
    forced = sweep_of(tmp_path, "network.links.cam-left.rate=20,5", text=TWINS)
    assert forced.rows[1].changes == ("conv1 … fc5 of look moves left → right",)
    assert forced.rows[1].tie is False
    first, second = (row.answer for row in forced.rows)
    alike = sweep_of(tmp_path, "network.links.cam-left.rate=20,10", text=TWINS)
    assert alike.rows[1].answer.objectives[0].value == pytest.approx(second.objectives[0].value)
    # the answer of the right device where both are as good, beside a plan of the left one
    grid = grid_of(tmp_path, "network.links.cam-left.rate=10", text=TWINS)
    work = Work(0, grid.points[0].data, grid.library, grid.path, Request())
    assert is_tie(work, first.services, second)
    assert is_tie(work, second.services, alike.rows[1].answer)
    slow = grid_of(tmp_path, "network.links.cam-left.rate=5", text=TWINS).points[0].data
    assert not is_tie(replace(work, data=slow), first.services, second)
    assert not is_tie(work, (), second)
    small = grid_of(tmp_path, "devices.left.memory=70 MB", "devices.left.reserve.memory=70 MB", text=TWINS)
    assert not is_tie(replace(work, data=small.points[0].data), first.services, second)


def test_progress_is_told_per_point(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    sweep_of(tmp_path, RATES, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


class Stopping(SerialExecutor):
    """Ends like a person, or like a machine, would after two points."""

    def __init__(self, how: Callable[[], Any]) -> None:
        self.calls, self.how = 0, how

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.calls += 1
        return super().submit(self.how) if self.calls > 2 else super().submit(fn, *args, **kwargs)


def test_ctrl_c_keeps_what_is_done(tmp_path: Path) -> None:
    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    whole = sweep_of(tmp_path, RATES)
    sweep = sweep_of(tmp_path, RATES, executor=Stopping(interrupt))
    assert sweep.stopped == "interrupted"
    assert sweep.exit_code == 0
    assert [row.point for row in sweep.rows] == [row.point for row in whole.rows[:2]]
    assert [row.changes for row in sweep.rows] == [row.changes for row in whole.rows[:2]]


def test_a_solver_that_was_stopped_ends_the_sweep_with_its_row(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path, RATES, executor=Stopping(lambda: Answer(2, "interrupted")))
    assert sweep.stopped == "interrupted"
    assert [row.answer.status for row in sweep.rows[2:]] == ["interrupted"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL")
def test_a_dead_worker_is_said_and_not_exit_0(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("placer.sweep.run.answer", _die)
    with open_executor("processes:1") as pool:
        sweep = sweep_of(tmp_path, RATES, executor=pool)
    assert sweep.rows == ()
    assert "worker process died" in str(sweep.stopped)
    assert sweep.exit_code == 3


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
