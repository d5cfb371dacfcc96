"""Files that 0.1.0 could not read or counted wrongly; they lie beside the project and are skipped where they do not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("onnx")

from placer.instance.units import BYTES, MACS
from placer.profiling.onnx.profile import profile

SHARED = Path(os.environ.get("PLACER_SHARED", Path(__file__).resolve().parents[3].parent / "shared"))
CASES = SHARED / "cases" / "onnx"


@pytest.mark.parametrize(
    ("name", "layers", "macs", "output", "words"),
    [
        ("if_squeeze", 1, 36 * 9, 4 * 36, ""),
        ("custom_shape", 2, 4 * 36 * 27 + 4 * 36, 4 * 4 * 36, "the file's own record is taken: y"),
        ("attn1024", 1, 1_073_741_824, 4 * 1024 * 512, ""),
        ("zero_in", 2, 0, 32, "past 1x0"),
    ],
)
def test_case(name: str, layers: int, macs: int, output: int, words: str) -> None:
    path = CASES / f"{name}.onnx"
    if not path.is_file():
        pytest.skip("the cases do not lie beside the project")
    model = profile(path)
    assert len(model["layers"]) == layers
    assert sum(MACS.parse(layer["compute"]) for layer in model["layers"]) == macs
    assert BYTES.parse(model["layers"][-1]["output"]) == output
    assert words in model["source"]
