"""A room imports only rooms listed above it."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "placer"
ROOMS = [
    "_version", "errors", "instance", "placement", "plan", "queueing", "evaluation", "simulation", "optimization",
    "splitting", "exits", "online", "surrogate", "planners", "sweep", "onnx", "manifests", "bench", "cli",
]  # fmt: skip


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "placer":
                names = [f"placer.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        rooms |= {name.split(".")[1] for name in names if name.startswith("placer.")}
    return rooms


def test_imports_point_down_the_list() -> None:
    seen = 0
    for path in sorted(PACKAGE.rglob("*.py")):
        room = room_of(path)
        if room in ("__init__", "__main__", "_shipped"):
            continue
        for other in imported_rooms(path):
            assert ROOMS.index(other) <= ROOMS.index(room), f"{path} imports {other}"
            seen += 1
    assert seen > 50


def test_only_the_bridge_touches_the_solver() -> None:
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.name != "bridge.py" and "bench" not in path.parts:
            assert "import highspy" not in text, path
