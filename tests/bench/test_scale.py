"""The suite of sites that grow: its rows, not its figures."""

from __future__ import annotations

import sys

import pytest

from placer import bench
from placer.bench import scale
from placer.errors import InputError

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
