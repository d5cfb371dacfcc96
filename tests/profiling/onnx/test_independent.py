"""The test graphs of the onnx package: totals against an independent count in onnxruntime, or a true refusal."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import numpy as np
import onnx

from placer.errors import InputError
from placer.instance.units import BYTES, MACS
from placer.profiling.onnx.profile import profile
from tests.profiling.onnx import independent

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
GRAPHS = sorted(DATA.rglob("*.onnx"))
REASONS = re.compile(
    r"computes nothing|depends on the data|whose members are not known|is no tensor|has the open shape"
    r"|how much it makes depends|the value of .* is not known|as in operator set 8"
)
COUNTED = {
    "AffineGrid", "CausalConvWithState", "DFT", "DeformConv", "RotaryEmbedding", "STFT", "RoiAlign",
}  # fmt: skip
"""Counted by placer and not by the independent counter."""


def compare(path: Path, folder: Path, given: list[Any] | None = None) -> str:
    """Compare totals; say what came of it."""
    try:
        made = profile(path)
    except InputError as error:
        assert REASONS.search(str(error)), str(error)
        return "refused"
    try:
        model = independent.load(path)
    except RuntimeError:  # the library converts not every old graph
        return "not run"
    kinds = {node.op_type for node in model.graph.node}
    if "No count is known" in made["source"] or kinds & COUNTED:
        return "not counted"
    names = [value.name for value in model.graph.input]
    feed = dict(zip(names, map(np.asarray, given), strict=False)) if given else independent.feed_of(model)
    try:
        real = independent.count(model, folder, feed)
    except Exception:  # onnxruntime's own kinds: it has not every operator and type that ONNX has
        return "not run"
    macs = sum(MACS.parse(layer["compute"]) for layer in made["layers"])
    weights = sum(BYTES.parse(layer["weights"]) for layer in made["layers"])
    assert macs == pytest.approx(real.macs, rel=0.01)
    # scalars that only a folded choice reads may be counted on one side
    assert weights == pytest.approx(real.weights, rel=0.01, abs=8)
    return "equal"


def swept(graphs: list[Path], folder: Path) -> list[str]:
    return [compare(path, folder) for path in graphs]


def test_a_sample_of_the_test_graphs(tmp_path: Path) -> None:
    small = [path for path in GRAPHS if path.parent.parent.name != "light" and path.parent.name != "light"]
    results = swept(small[::4], tmp_path)
    assert results.count("equal") > 0.75 * len(results)


@pytest.mark.slow
def test_all_test_graphs(tmp_path: Path) -> None:
    results = swept(GRAPHS, tmp_path)
    print({result: results.count(result) for result in results})
    assert results.count("equal") > 0.85 * len(results)


@pytest.mark.slow
def test_the_test_cases_of_every_operator(tmp_path: Path) -> None:
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = [case for case in collect_testcases(None) if case.model is not None]
    results = []
    path = tmp_path / "case.onnx"
    for case in cases:
        path.write_bytes(case.model.SerializeToString())
        given = case.data_sets[0][0]
        results.append(compare(path, tmp_path, list(given)))
    print({result: results.count(result) for result in results})
    assert results.count("equal") > 0.7 * len(results)
    assert results.count("refused") < 0.08 * len(results)
