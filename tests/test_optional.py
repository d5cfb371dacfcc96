"""A package of an extra that is missing, or installed and broken, is told; it never ends in an internal error."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from placer import optional
from placer.errors import BrokenExtraError, MissingExtraError

FAULTS = (
    "raise ImportError('numpy.core.multiarray failed to import')",
    "import a_module_that_nobody_has",
    "raise AttributeError(\"module 'numpy' has no attribute 'bool8'\")",
    "raise OSError('libcudart.so.12: cannot open shared object file')",
    "raise SystemExit(7)",
    "this is no Python",
    "1 / 0",
)


def packages(folder: Path, *names: str, source: str) -> Path:
    for name in names:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(source + "\n")
    return folder


@pytest.mark.parametrize("source", FAULTS)
def test_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    monkeypatch.syspath_prepend(str(packages(tmp_path, "a_broken_package", source=source)))
    assert optional.have("a_broken_package")
    for module in ("a_broken_package", "a_broken_package.inner"):
        with pytest.raises(BrokenExtraError, match=r"the extra 'fast', whose package 'a_broken_package'") as caught:
            optional.load(module, "dancing", "fast")
        assert caught.value.exit_code == 2
        assert "\n" not in str(caught.value)
        assert "placer[fast]" in str(caught.value.tip)


def test_missing() -> None:
    assert not optional.have("a_package_that_nobody_has")
    with pytest.raises(MissingExtraError, match="dancing needs the extra 'fast'") as caught:
        optional.load("a_package_that_nobody_has.inner", "dancing", "fast")
    assert not isinstance(caught.value, BrokenExtraError)


def test_what_works_is_returned() -> None:
    assert optional.load("json", "dancing", "fast") is json


def placer(folder: Path, path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), str(root)])}
    return subprocess.run(
        [sys.executable, "-m", "placer", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("broken")
    names = ("numba", "matplotlib", "onnx", "distributed", "optuna")
    return packages(folder, *names, source="raise OSError('libm.so.9: cannot open shared object file')")


def test_a_broken_numba_leaves_the_plain_core(tmp_path: Path, broken: Path) -> None:
    """The answer is the same to the last digit; stderr says why it took longer."""
    arguments = ("exits", "synthetic-12", "--arrivals", "3 /s", "--buffer", "5", "--jobs", "500", "--json")
    plain, whole = placer(tmp_path, broken, *arguments), placer(tmp_path, tmp_path, *arguments)
    assert plain.returncode == whole.returncode, plain.stderr
    assert "OSError: libm.so.9" in plain.stderr
    assert "plain Python runs instead" in plain.stderr
    answers = [re.sub(r'"seconds": [^,\n]*', "", done.stdout) for done in (plain, whole)]
    assert len(answers[0]) > 1000
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("extra", "arguments"),
    [
        ("picture", ("show", "smart-parking", "--picture", "x.svg")),
        ("onnx", ("profile", "x.onnx")),
        ("tune", ("exits", "mnist-cnn-8", "--arrivals", "3 /s", "--buffer", "5", "--method", "thresholds-tpe")),
    ],
)
def test_a_command_that_needs_a_broken_package(
    tmp_path: Path, broken: Path, extra: str, arguments: tuple[str, ...]
) -> None:
    done = placer(tmp_path, broken, *arguments)
    assert done.returncode == 2
    assert f"the extra '{extra}', whose package" in done.stderr
    assert "internal error" not in done.stderr
    assert not list(tmp_path.iterdir())
