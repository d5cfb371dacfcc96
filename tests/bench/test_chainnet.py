"""The suite ``chainnet`` on a data folder of three deployments made by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from placer.bench.chainnet import evaluation
from placer.bench.chainnet.data import read
from placer.errors import InputError
from placer.queueing.network import QueueNetwork

FILES = {
    "numClasses": ["1", "2", "1"],
    "numNodes": ["2", "3", "1"],
    "capacity": ["5 6  ", "4 3 2 ", "1"],
    "path": ["2 1 ", "1 3 ", "2  ", "1"],
    "arrival": ["2.0", "4", "0.5", "1"],
    "service": ["1.0 0.5 ", "0.25 1.5", "0.5", "1.0"],
    "tputRatio": ["0.9", "0.8", "0.5", "0.5"],
    "responseTime": ["2.0", "3.0", "1.0", "1.0"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, rows in FILES.items():
        (tmp_path / f"{name}.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path


def test_reader(folder: Path) -> None:
    data = read(folder)
    assert data.class_ptr.tolist() == [0, 1, 3, 4]
    assert data.rates.tolist() == [0.5, 0.25, 2.0, 1.0]
    first, second, _ = data.networks
    assert first.task_station.tolist() == [1, 0]
    assert first.outcome_mean.tolist() == [1.0, 0.5]
    assert second.capacity.tolist() == [4, 3, 2]
    assert second.class_tasks.tolist() == [0, 2, 3]
    assert len(read(folder, 2).networks) == 2


def test_rows_then_summary(folder: Path) -> None:
    *rows, last = list(evaluation.run(folder, ["analytic"]))
    json.dumps([*rows, last])
    assert [row["method"] for row in rows] == ["analytic"]
    assert (rows[0]["suite"], rows[0]["samples"], rows[0]["chains"]) == ("chainnet", 3, 4)
    figures = last["summary"]["analytic"]
    assert set(figures) == {
        "throughput_ratio_ape", "response_time_ape", "throughput_ratio_mae", "total_loss_error",
        "ms_per_sample",
    }  # fmt: skip
    assert set(figures["response_time_ape"]) == {"mean", "p50", "p75", "p95", "p99"}


def test_figures_and_registration(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def known(networks: Sequence[QueueNetwork], **options: object) -> evaluation.Estimates:
        assert options == {"seed": 1}
        return evaluation.Estimates(np.array([0.9, 0.9, 0.5, 0.5]), np.array([2.0, 3.0, 1.1, 1.0]))

    monkeypatch.setattr(evaluation, "_evaluators", {})
    evaluation.register("known", known)
    assert evaluation.evaluators() == ("known",)
    *_, last = evaluation.run(folder, ["known"], seed=1)
    figures = last["summary"]["known"]
    assert figures["throughput_ratio_mae"] == pytest.approx(0.1 / 4)
    assert figures["throughput_ratio_ape"]["mean"] == pytest.approx(12.5 / 4)
    assert figures["response_time_ape"]["mean"] == pytest.approx(10.0 / 4)
    assert figures["total_loss_error"] == pytest.approx(0.25 * 0.1 / 2.25 / 3)


def test_ablation_names_rules(folder: Path) -> None:
    assert list(evaluation.run(folder, ["analytic"], without=["class_loss"]))
    with pytest.raises(InputError, match="no rule named luck; known: exact_core"):
        list(evaluation.run(folder, ["analytic"], without=["luck"]))


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        ("capacity", None, r"capacity\.txt \$: cannot be read"),
        ("arrival", ["2.0", "4"], r"arrival\.txt \$: 2 rows where 4 are expected"),
        ("capacity", ["5 6", "4 3 2"], r"capacity\.txt \$: 2 rows where 3 are expected"),
        ("capacity", ["5 6", "4 3", "1"], r"capacity\.txt:2 \$\[1\]: 2 capacities for 3 devices"),
        ("path", ["2 1", "1 4", "2", "1"], r"path\.txt:2 \$\[1\]: .* from 1 to 3"),
        (
            "service",
            ["1.0", "0.25 1.5", "0.5", "1.0"],
            r"service\.txt:1 \$\[0\]: 1 service times for a path of 2",
        ),
        ("arrival", ["2.0", "-4", "0.5", "1"], r"arrival\.txt:2 \$\[1\]: .* positive"),
        ("tputRatio", ["0.9", "x", "0.5", "0.5"], r"tputRatio\.txt:2 \$\[1\]: 'x' is not a row of numbers"),
        ("numClasses", ["1", "2.5", "1"], r"numClasses\.txt:2 \$\[1\]: 2\.5 must be a whole number"),
        ("numClasses", ["1", "1e18", "1"], r"numClasses\.txt:2 \$\[1\]: 1e\+18 must be .* between 1 and 1000"),
        ("capacity", ["5 6", "4 3 1e6", "1"], r"capacity\.txt:2 \$\[1\]: 1000000 must be a whole number of places"),
        ("capacity", ["5 6", "4 3 nan", "1"], r"capacity\.txt:2 \$\[1\]: nan must be a whole number of places"),
        ("service", ["1.0 1e-300", "0.25", "0.5", "1.0"], r"service\.txt:1 \$\[0\]: 1e-300 must be a positive time"),
        ("path", ["1 " * 2000, "1", "2", "1"], r"path\.txt:1 \$\[0\]: 2000 numbers; at most 1000"),
        ("path", ["\0", "1", "2", "1"], r"path\.txt:1 \$\[0\]: '.x00' is not a row of numbers"),
    ],
)
def test_bad_data(folder: Path, name: str, rows: list[str] | None, message: str) -> None:
    file = folder / f"{name}.txt"
    if rows is None:
        file.unlink()
    else:
        file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        list(evaluation.run(folder, ["analytic"]))
    assert caught.value.tip is not None


def test_bad_requests(folder: Path) -> None:
    with pytest.raises(InputError, match="no evaluator named oracle"):
        list(evaluation.run(folder, ["analytic", "oracle"]))
    with pytest.raises(InputError, match="no evaluator named"):
        list(evaluation.run(folder, []))
    with pytest.raises(InputError, match="at least 1"):
        list(evaluation.run(folder, ["analytic"], 0))
    (folder / "numClasses.txt").write_text("\n", encoding="utf-8")
    with pytest.raises(InputError, match="no samples"):
        list(evaluation.run(folder, ["analytic"]))
