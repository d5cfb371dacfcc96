"""The suite of sites that grow: its rows, not its figures."""

from __future__ import annotations

import sys

import pytest

from placer import bench
from placer.bench import scale
from placer.errors import InputError
from placer.evaluation.evaluate import evaluate_placement
from placer.planning.decomposition.relaxation import relax
from placer.planning.registry import plan
from placer.planning.request import Request
from placer.solver.progress import Limits

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="peaks of memory of other processes")


def test_rows_and_summary() -> None:
    rows = list(bench.run("scale", limit=1))
    (row,) = rows[:-1]
    assert row["instance"] == "10x1-resnet-50-latency-0"
    assert row["gap"] <= 1e-3
    assert row["bound"] <= row["objective"]
    assert row["cpu_seconds"] > 0
    assert row["megabytes"] > 10
    assert rows[-1]["summary"]["10x1-resnet-50-latency-0"]["decomposition"]["gap"] == row["gap"]


def test_sites_are_as_their_specification_says() -> None:
    names = [spec.name for spec in scale.GRID]
    assert len(set(names)) == len(names)
    one, again = scale.generate(scale.GRID[0]), scale.generate(scale.GRID[0])
    assert len(one.device_names) == 10
    assert [device.position for device in one.instance.devices] == [
        device.position for device in again.instance.devices
    ]
    assert one.topology.routes(1e5).seconds.max() < float("inf")


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(InputError, match="unknown method 'fly'"):
        list(bench.run("scale", methods=("fly",)))


def test_coupled_sites_are_coupled() -> None:
    """Services planned by themselves break a limit where little work fits a device."""
    compiled = scale.generate(scale.Spec(16, ("squeezenet",) * 3, seed=2, coupling="work"))
    alone = relax(compiled, "latency", Limits())
    assert not evaluate_placement(compiled, alone.placement, "deterministic").feasible
    found = plan(compiled, Request(("latency",), "decomposition", Limits(seconds=20.0, gap=0.05))).plan.certificate
    assert found.method == "column-generation"
    assert found.objectives[0].bound is not None
    assert alone.bound * (1 - 1e-9) <= found.objectives[0].bound <= found.objectives[0].value * (1 + 1e-9)
    assert scale.generate(scale.Spec(8, ("squeezenet",), coupling="air")).rate[0] > 0
    assert scale.generate(scale.Spec(8, ("squeezenet",), coupling="layers")).max_layers.min() > 0


def test_the_exponent_of_a_power_is_that_power() -> None:
    specs = [scale.Spec(devices, (model,)) for devices in (10, 50, 200) for model in ("a", "b")]
    rows = [{"cpu_seconds": (1 + (s.models == ("b",))) * s.devices**1.5} for s in specs]
    assert scale.exponent(specs, rows) == pytest.approx(1.5)
    assert scale.exponent(specs[:2], rows[:2]) is None
