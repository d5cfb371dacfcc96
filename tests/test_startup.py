"""What each command does not load: start-up time that no clock has to measure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROBE = """
import sys
file = sys.argv.pop(1)
from placer.cli import main
try:
    main()
finally:
    with open(file, "w", encoding="utf-8") as stream:
        print(*sys.modules, sep="\\n", file=stream)
"""

SOLVERS = {"pyomo", "highspy"}
HEAVY = {
    *SOLVERS,
    "scipy.stats",
    "scipy.sparse",
    "scipy.sparse.csgraph",
    "scipy.optimize",
    "networkx",
    "matplotlib",
    "onnx",
    "dask",
    "urllib.request",
}
QUIET = HEAVY | {"scipy", "numba"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a plan of a small shipped instance."""
    folder = tmp_path_factory.mktemp("startup")
    loaded(folder, "plan", "smart-parking", "-o", "plan.json")
    return folder


def loaded(folder: Path, *arguments: str) -> set[str]:
    """Run a command in a process of its own and return the modules that it has loaded when it ends."""
    file = folder / "modules.txt"
    command = [sys.executable, "-c", PROBE, str(file), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    modules = set(file.read_text(encoding="utf-8").split())
    file.unlink()
    assert "placer.cli" in modules
    return modules


@pytest.mark.parametrize("arguments", ["--help", "--version", "plan --help"])
def test_help_loads_nothing_that_works(tmp_path: Path, arguments: str) -> None:
    modules = loaded(tmp_path, *arguments.split())
    assert not modules & (QUIET | {"numpy", "pydantic", "rich", "yaml"})


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        ("check plan.json", QUIET | {"rich"}),
        ("check plan.json --json", QUIET | {"rich"}),
        ("evaluate plan.json", QUIET),
        ("evaluate plan.json --json", QUIET | {"rich"}),
        ("show plan.json", QUIET),
        ("show smart-parking", QUIET),
        ("export plan.json -o out --image registry.example/node:1", QUIET | {"rich"}),
        ("export plan.json -o json --image registry.example/node:1 --json", QUIET | {"rich"}),
        ("simulate plan.json --jobs 1000 --executor serial", HEAVY),
        ("simulate plan.json --jobs 1000 --executor serial --json", HEAVY | {"rich"}),
        ("plan smart-parking", QUIET),
        ("plan smart-parking --json", QUIET | {"rich"}),
        ("show smart-parking --json", QUIET | {"rich"}),
        ("schema instance", QUIET | {"rich"}),
        ("check smart-parking", QUIET | {"rich"}),
        ("list devices", QUIET | {"rich"}),
        ("show raspberry-pi-4b --yaml", QUIET),
        ("init device board.yaml", QUIET | {"rich", "numpy", "pydantic"}),
        ("init started.yaml", QUIET | {"rich", "numpy", "pydantic"}),
    ],
)
def test_a_command_loads_only_what_its_answer_needs(folder: Path, arguments: str, absent: set[str]) -> None:
    modules = loaded(folder, *arguments.split())
    assert modules & absent == set()
