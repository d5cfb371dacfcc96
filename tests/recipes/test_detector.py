"""The shipped detector: totals as published, made again by its recipe, and those of a real file of the same network."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from placer.api import plan
from placer.instance.library import Library, shipped_root
from placer.instance.units import MACS

LAYERS = Library().model("yolox-tiny").alternatives[0].layers


def test_totals_are_the_published_ones() -> None:
    """5.06 M parameters and 6.45 GFLOPs, two a multiply-accumulate (table of the YOLOX repository)."""
    assert sum(layer.weights for layer in LAYERS) / 4e6 == pytest.approx(5.06, rel=0.01)
    assert 2 * sum(layer.compute or 0 for layer in LAYERS) / 1e9 == pytest.approx(6.45, rel=0.01)
    assert len(LAYERS) <= 60


def test_the_recipe_makes_the_shipped_file() -> None:
    pytest.importorskip("onnx")
    from placer.profiling.render import render
    from placer.recipes.detector import model

    shipped = (shipped_root() / "models" / "yolox-tiny.yaml").read_text(encoding="utf-8")
    made = model()
    # the source names versions, which may differ
    made["source"] = yaml.safe_load(shipped)["source"]
    assert render(made) == shipped


@pytest.mark.slow
def test_a_real_file_of_the_same_network_differs_by_its_classes_only(tmp_path: Path) -> None:
    """ddddocr carries a YOLOX-Tiny of one class; this one has 80."""
    pytest.importorskip("onnx")
    from placer.profiling.onnx.profile import profile
    from tests.profiling.onnx.test_wheels import located

    layers = profile(located("ddddocr", "common_det.onnx", tmp_path))["layers"]
    classes = 79 * 96 * (52**2 + 26**2 + 13**2)
    real = sum(MACS.parse(layer["compute"]) for layer in layers)
    assert sum(layer.compute or 0 for layer in LAYERS if layer.name != "nms") - classes == real


SITE = """
format: placer/instance/1
source: test
devices:
  - {name: camera, type: raspberry-pi-zero-2-w}
  - {name: hub, type: raspberry-pi-5}
  - {name: box, type: n5105}
network:
  links:
    - {between: [camera, hub], rate: 40 Mbit/s, latency: 2 ms}
    - {between: [hub, box], rate: 940 Mbit/s, latency: 0.3 ms}
services:
  - {name: detect, model: yolox-tiny, source: camera, arrivals: 2 /s, input: 60 kB}
objective: latency
"""


def test_it_is_planned_on_three_devices_at_once(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE, encoding="utf-8")
    answer = plan(path, time_limit=20)
    assert answer.plan.certificate.termination == "optimal"
    assert answer.plan.certificate.objectives[0].gap == 0
