"""The suite ``intervals``: its exact values are exact, and the simulator's intervals hold them as often as they say."""

from __future__ import annotations

import pytest

from placer.bench import intervals
from placer.errors import InputError
from placer.jit import have_numba
from placer.queueing.mg1k_exact import mg1k
from placer.simulation import simulate

from ..simulation.networks import exact_losses


def test_the_exact_losses_agree_with_other_ways_to_them() -> None:
    for name in ("M/M/1/10", "tandem"):
        system = intervals.SYSTEMS[name]()
        assert system.loss == pytest.approx(float(exact_losses(system.network)[0]), rel=1e-9)
    station = mg1k(0.7, 8, 1.0)
    system = intervals.md1k(0.7, 8)
    assert system.loss == pytest.approx(station.loss, rel=1e-9)
    assert system.response == pytest.approx(1.0 + station.mean_waiting, rel=1e-9)


@pytest.mark.parametrize("name", list(intervals.SYSTEMS))
def test_the_simulator_agrees_with_the_exact_values(name: str) -> None:
    system = intervals.SYSTEMS[name]()
    jobs = 100_000 if have_numba() else 3_000
    classes = simulate(system.network, jobs=jobs, replications=10, seed=1, level=0.9999).classes
    for figure, exact in ((classes.loss_ratio.at(0), system.loss), (classes.end_to_end.at(0), system.response)):
        assert abs(float(figure.mean) - exact) <= float(figure.half_width)


def test_rows_then_the_summary() -> None:
    row, last = intervals.run(methods=["D/M/1/6"], runs=3, jobs=200)
    assert row["instance"] == "D/M/1/6"
    assert 0 <= row["loss_covered"] <= 1
    assert last["summary"]["level"] == intervals.LEVEL
    with pytest.raises(InputError, match="intervals"):
        next(intervals.run(methods=["M/G/1"]))


@pytest.mark.slow
@pytest.mark.skipif(not have_numba(), reason="too long without numba")
@pytest.mark.parametrize("name", list(intervals.SYSTEMS))
def test_intervals_hold_the_exact_value_as_often_as_they_say(name: str) -> None:
    row, _ = intervals.run(methods=[name], runs=1000, jobs=4000)
    for figure in ("loss_covered", "response_covered"):
        assert 0.93 <= row[figure] <= 0.97
