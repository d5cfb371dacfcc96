"""The suite ``split``, run small."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from placer.bench import run
from placer.errors import InputError


def test_rows_and_summary(tmp_path: Path) -> None:
    nodes = [{"id": n, "cpuLatency": 2.0, "fpgaLatency": 0.5, "supportedOnFpga": 1} for n in range(4)]
    edges = [{"sourceId": n, "destId": n + 1, "cost": 0.1} for n in range(3)]
    machines = {"maxSizePerFPGA": 1e9, "maxFPGAs": 1, "maxCPUs": 1}
    (tmp_path / "graph.json").write_text(json.dumps({**machines, "nodes": nodes, "edges": edges}))
    *rows, last = run("split", data=tmp_path, limit=1)
    assert {row["part"] for row in rows} == {"cut", "users", "replay", "regression", "min-cut"}
    assert all(row["suite"] == "split" for row in rows)
    for row in rows:
        if row["part"] == "users":
            assert row["objective"] == pytest.approx(row["bound"])
            assert row["alternating_gap"] >= -1e-12
    (first, *_) = [row for row in rows if row["part"] == "min-cut"]
    assert (first["nodes"], first["on_server"]) == (4, 4)
    assert last["summary"]["min_cut_ms_worst"] < 1000


def test_what_it_refuses(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no operator graph"):
        next(run("split", data=tmp_path))
    with pytest.raises(InputError, match="has neurosurgeon"):
        next(run("split", methods=("x",)))
