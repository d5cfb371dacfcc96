"""Who decides a limit: bands of the analytic evaluator, simulation where they leave doubt, undecided past that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from placer.evaluation import bands, verdict
from placer.evaluation.analytic import queues_of
from placer.evaluation.bands import LOSS, SPECIAL, Band, decade_of, regime_of
from placer.evaluation.deterministic import RouteBook
from placer.evaluation.evaluate import evaluate_placement
from placer.evaluation.evaluation import Evaluation
from placer.evaluation.runs import Effort
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.resolving import read_instance
from placer.plan.placement import Placement

BOARD = """format: placer/device-type/1
name: board
source: test
memory: 1 GB
units: [{name: cpu, speed: 1 GMAC/s, scv: 1}]
"""
MODEL = """format: placer/model/1
name: one
source: test
input: 1 kB
layers: [{name: only, compute: 0.5 GMAC, output: 1 kB}]
"""
INSTANCE = """format: placer/instance/1
devices: [{{name: a, type: board, buffer: {buffer}}}]
services: [{{name: s, model: one, source: a, arrivals: {arrivals}, {limit}}}]
"""
Build = Callable[..., Compiled]
ONLY = Placement((0,), ((0,),))


def mm1k_loss(load: float, places: int) -> float:
    """Loss of M/M/1/K (Erlang): (1 - a) a^K / (1 - a^(K+1))."""
    return (1 - load) * load**places / (1 - load ** (places + 1))


@pytest.fixture
def station(tmp_path: Path) -> Build:
    """Builds one device with one layer of .5 s, exponential."""
    (tmp_path / "board.yaml").write_text(BOARD)
    (tmp_path / "one.yaml").write_text(MODEL)

    def build(limit: str, arrivals: str = "1 /s", buffer: int = 4) -> Compiled:
        file = tmp_path / "inst.yaml"
        text = INSTANCE.format(limit=limit, arrivals=arrivals, buffer=buffer)
        file.write_text(text.replace("type: board", "type: board.yaml").replace("model: one", "model: one.yaml"))
        return compile_instance(read_instance(str(file)))

    return build


def judged(compiled: Compiled, effort: Effort | None = None) -> Evaluation:
    return evaluate_placement(compiled, ONLY, "verdict", effort=effort)


EXACT = mm1k_loss(0.5, 4)


@pytest.mark.parametrize(("factor", "status"), [(0.7, "violated"), (0.9, "violated"), (1.1, "ok"), (1.5, "ok")])
def test_limits_near_an_exact_loss(station: Build, factor: float, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "_table", dict)  # nothing is measured: all is in doubt
    found = judged(station(f"max_loss: {factor * EXACT:.12f}"))
    (check,) = [one for one in found.checks if one.kind == "max_loss"]
    assert (check.status, check.evaluator) == (status, "simulation")
    assert found.evaluator == "analytic and simulation"
    assert found.times[0].loss_ratio == check.actual
    assert found.feasible == (status == "ok")


def test_what_leaves_no_doubt_is_not_simulated(station: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    table = {LOSS: {"poisson smooth single": {decade_of(EXACT): Band(0.9, 1.1, 0.0, 1000)}}, bands.RESPONSE: {}}
    monkeypatch.setattr(bands, "_table", lambda: table)
    monkeypatch.setattr("placer.simulation.sequential.decide", None)  # calling it would fail
    for factor, status in ((0.5, "violated"), (2.0, "ok")):
        found = judged(station(f"max_loss: {factor * EXACT:.12f}"))
        (check,) = [one for one in found.checks if one.kind == "max_loss"]
        assert (check.status, check.evaluator) == (status, "analytic")
    with pytest.raises(TypeError):
        judged(station(f"max_loss: {1.05 * EXACT:.12f}"))


def test_too_close_is_undecided(station: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "_table", dict)
    found = judged(station(f"max_loss: {EXACT:.15f}"), Effort(events=400_000))
    (check,) = found.undecided
    assert "undecided" in check.message
    assert not found.feasible
    assert found.exit_code == 3


def test_response_times_and_percentiles(station: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "_table", dict)
    found = judged(station("deadline: 2 s, deadline_p95: 1 s, max_loss: 50 %"))
    status = {check.kind: check.status for check in found.checks if check.kind in verdict.WORDS}
    assert status == {"max_loss": "ok", "deadline": "ok", "deadline_p95": "violated"}
    assert all(check.evaluator == "simulation" for check in found.checks if check.kind in verdict.WORDS)


def test_decades_are_clipped() -> None:
    assert decade_of(0.0) == bands.LEAST_DECADE
    assert decade_of(0.5) == bands.MOST_DECADE
    assert decade_of(0.02) == -2


def test_same_seed_same_verdict(station: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "_table", dict)
    compiled = station(f"max_loss: {1.05 * EXACT:.12f}")
    one, two = (judged(compiled, Effort(seed=3)).checks for _ in range(2))
    assert one == two


def test_doubt() -> None:
    band = Band(low=0.5, high=2.0, floor=0.0, seen=100)
    assert not band.doubts(0.01, 0.03)
    assert band.doubts(0.01, 0.015)
    assert band.doubts(0.01, 0.006)
    assert not band.doubts(0.01, 0.004)
    assert Band(0.5, 2.0, 1e-3, 100).doubts(1e-9, 5e-4)


@pytest.mark.parametrize(
    ("arrivals", "regime"),
    [
        ("1 /s", "poisson smooth single"),
        ("{process: periodic, rate: 1 /s}", "other smooth single"),
        ("{process: trace, times: [0 s, 1 s, 3 s]}", SPECIAL),
    ],
)
def test_regimes(station: Build, arrivals: str, regime: str) -> None:
    compiled = station("max_loss: 1 %", arrivals=arrivals)
    labelled = queues_of(compiled, ONLY, RouteBook(compiled))
    assert labelled is not None
    assert regime_of(labelled.network, 0) == regime


def test_the_shipped_table_is_measured() -> None:
    table = bands._table()
    cells = [cell for regimes in table.values() for decades in regimes.values() for cell in decades.values()]
    assert all(cell.low <= 1.0 <= cell.high for cell in cells if cell.floor == 0.0)
    assert all(np.isfinite([cell.low, cell.high, cell.floor]).all() for cell in cells)
    assert SPECIAL not in table[LOSS]
