"""The program itself, in a process of its own: a yes and a no of every command. All other tests run ``main`` in theirs.

Both ways must say the same, or the tests in process test something else.
"""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from placer.cli import COMMANDS
from tests.cli.run import Finished, placer

IMAGE = ("--image", "registry.example/edge-node:1.0")
EXITS = ("exits", "resnet-50-cifar10", "--arrivals", "3 /s", "--buffer", "10")
SWEEP = ("sweep", "do-not-split", "--executor", "serial", "--json", "--vary")

RUNS: dict[str, list[tuple[int, tuple[str, ...]]]] = {
    "init": [(0, ("init", "new.yaml")), (2, ("init", "plan.json"))],
    "list": [(0, ("list", "radios")), (2, ("list", "antennas"))],
    "plan": [(0, ("plan", "do-not-split")), (1, ("plan", "infeasible"))],
    "split": [
        (0, ("split", "alexnet", "--server", "cloud-gpu", "--device", "raspberry-pi-4b", "--uplink", "5 Mbit/s")),
        (2, ("split", "alexnet", "--server", "cloud-gpu")),
    ],
    "check": [(0, ("check", "plan.json")), (2, ("check", "nowhere.json"))],
    "evaluate": [(0, ("evaluate", "plan.json")), (2, ("evaluate", "nowhere.json"))],
    "simulate": [
        (0, ("simulate", "plan.json", "--jobs", "1000", "--replications", "2", "--executor", "serial")),
        (2, ("simulate", "plan.json", "--jobs", "none")),
    ],
    "sweep": [(0, (*SWEEP, "limits.layers=8,9")), (2, (*SWEEP, "limits.leyers=1"))],
    "explain": [(0, ("explain", "do-not-split")), (1, ("explain", "infeasible"))],
    "export": [(0, ("export", "plan.json", "-o", "manifests", *IMAGE)), (2, ("export", "plan.json", "-o", "there"))],
    "exits": [(0, (*EXITS, "--jobs", "500", "--replications", "2")), (1, (*EXITS[:3], "2000 /s", *EXITS[4:]))],
    "show": [(0, ("show", "wifi-n")), (2, ("show", "raspberry-pi-9"))],
    "profile": [(0, ("profile", "tiny.onnx")), (2, ("profile", "nowhere.onnx"))],
    "calibrate": [(0, ("calibrate", "measured.csv", "-o", "manifests")), (2, ("calibrate", "plan.json"))],
    "bench": [(0, ("bench", "build", "--limit", "1", "--method", "arrays")), (2, ("bench", "nothing"))],
    "schema": [(0, ("schema", "radio")), (2, ("schema", "antenna"))],
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a plan."""
    folder = tmp_path_factory.mktemp("kept")
    assert placer("plan", "do-not-split", "-o", "plan.json", cwd=folder).returncode == 0
    return folder


def apart(*arguments: str, cwd: Path) -> Finished:
    """Run the program in a process of its own."""
    command = [sys.executable, "-m", "placer", *arguments]
    done = subprocess.run(command, capture_output=True, cwd=cwd, timeout=300, encoding="utf-8")
    return Finished(done.returncode, done.stdout, done.stderr)


def without_clock(text: str) -> str:
    """Blank what differs between two runs: seconds and memory spent, and the width of columns that show them."""
    return re.sub(r"[\d.]+ m?s\b|\"(seconds|megabytes\w*)\": [\d.e-]+|[ ─━═]+", "~", text)


def test_every_command_is_accepted() -> None:
    assert set(RUNS) == set(COMMANDS)


@pytest.mark.parametrize(
    ("code", "arguments"),
    [pytest.param(code, arguments, id=f"{name}-{code}") for name, runs in RUNS.items() for code, arguments in runs],
)
def test_the_program_and_this_process_say_the_same(
    kept: Path, tmp_path: Path, code: int, arguments: tuple[str, ...]
) -> None:
    if arguments[0] == "profile" and code == 0:
        if find_spec("onnx") is None:
            pytest.skip("needs onnx")
        _write_network(tmp_path / "tiny.onnx")
    (tmp_path / "plan.json").write_bytes((kept / "plan.json").read_bytes())
    (tmp_path / "measured.csv").write_text("device,model,seconds\nraspberry-pi-5,alexnet,0.022\n", encoding="utf-8")
    program = apart(*arguments, cwd=tmp_path)
    assert program.returncode == code, program.stderr
    assert program.stdout or "placer: " in program.stderr or "Error: " in program.stderr
    assert "Traceback" not in program.stderr
    for made in ("new.yaml", "manifests"):
        if (tmp_path / made).exists():
            (tmp_path / made).rename(tmp_path / f"{made}.first")
    here = placer(*arguments, cwd=tmp_path)
    assert here.returncode == code
    assert without_clock(here.stdout) == without_clock(program.stdout)
    assert without_clock(here.stderr) == without_clock(program.stderr)


def _write_network(path: Path) -> None:
    """One convolution."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.ones((4, 3, 3, 3), dtype=np.float32), "w")
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="conv")
    sides = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])]
    ends = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 6, 6])]
    onnx.save(helper.make_model(helper.make_graph([node], "tiny", sides, ends, [weights])), path)
