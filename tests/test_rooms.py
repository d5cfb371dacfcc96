"""The house: a room imports only rooms of lower bands or listed before it in its band; sub-packages too."""

from __future__ import annotations

import ast
import re
import subprocess
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "placer"
BANDS = {
    "engines and ground": [
        "_version",
        "errors",
        "optional",
        "arrays",
        "files",
        "interruption",
        "jit",
        "solver",
        "queueing",
        "simulation",
    ],
    "question and answer": ["instance", "plan", "evaluation"],
    "tools that stand alone": ["profiling", "splitting", "exits", "operators"],
    "the way": ["planning"],
    "work on many or for others": ["sweep", "export", "pictures", "bench", "runtime", "recipes"],
    "faces": ["guide", "api", "cli"],
}
ROOMS = [room for rooms in BANDS.values() for room in rooms]
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "_shipped" not in path.parts)


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path) for path in MODULES}


def imported(path: Path) -> set[str]:
    """Modules of the package that a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            named = {f"{node.module}.{alias.name}" for alias in node.names} & NAMES
            found |= named or {node.module}
            assert node.level == 0, f"{path}: relative import"
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name == "placer" or name.startswith("placer.")}


IMPORTS = {name_of(path): imported(path) for path in MODULES}


def test_every_module_is_in_a_room() -> None:
    rooms = {name.split(".")[1] for name in NAMES if "." in name} - {"__main__"}
    assert len(rooms) > 15
    assert rooms <= set(ROOMS)


def test_imports_point_down() -> None:
    seen = 0
    for name, others in IMPORTS.items():
        if name in ("placer", "placer.__main__"):
            continue
        room = name.split(".")[1]
        for other in others - {"placer"}:
            assert ROOMS.index(other.split(".")[1]) <= ROOMS.index(room), f"{name} imports {other}"
            seen += 1
    assert seen > 500


def packages_between(name: str, other: str) -> tuple[str, str] | None:
    """The two sibling packages or modules at which two names part; None where one holds the other."""
    one, two = name.split("."), other.split(".")
    for depth, (a, b) in enumerate(zip(one, two, strict=False)):
        if a != b:
            return ".".join(one[: depth + 1]), ".".join(two[: depth + 1])
    return None


def test_no_two_packages_import_each_other() -> None:
    """At every level: siblings (packages or modules of one package) form no cycle."""
    graph: dict[str, set[str]] = {}
    for name, others in IMPORTS.items():
        for other in others:
            pair = packages_between(name, other)
            if pair is not None:
                graph.setdefault(pair[0], set()).add(pair[1])
    assert len(graph) > 100
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_one_file_touches_the_solver() -> None:
    users = {name for name in NAMES if "import highspy" in source(name)}
    assert {name for name in users if ".bench." not in name} == {"placer.solver.highs"}


def test_one_file_touches_the_compiler() -> None:
    users = {name for name in NAMES if re.search(r'import numba|from numba|load\("numba', source(name))}
    assert users == {"placer.jit"}


def source(name: str) -> str:
    path = PACKAGE.parent.joinpath(*name.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return path.read_text(encoding="utf-8")


def test_modules_fit_in_one_head() -> None:
    long = {name: lines for name in NAMES if (lines := source(name).count("\n")) > 300}
    assert not long


def test_tests_mirror_the_package() -> None:
    here = Path(__file__).parent
    folders = {path.name for path in here.iterdir() if path.is_dir() and any(path.rglob("test_*.py"))}
    assert folders <= {path.name for path in PACKAGE.iterdir() if path.is_dir()}


def test_no_machine_path_and_no_registry_is_named() -> None:
    done = subprocess.run(
        ["git", "grep", "-lE", "/root/|/home/[a-z]+/|/work/"],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
    )
    if done.returncode > 1:
        pytest.skip("not a git checkout")
    assert [name for name in done.stdout.split() if not name.startswith("tests/")] == []
