"""The hash of an instance's meaning: every figure counts, nothing that is only said does."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from placer.errors import InputError
from placer.instance.resolving import read_instance
from tests.instance.build import CASES, small_tree, write_tree

BASE = (CASES / "positive" / "base.yaml").read_text()


def meaning(folder: Path, tree: dict[str, Any]) -> str:
    return read_instance(write_tree(folder, tree)).meaning_hash


def backwards(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: backwards(item) for key, item in reversed(value.items())}
    return [backwards(item) for item in value] if isinstance(value, list) else value


def test_what_does_not_matter(tmp_path: Path) -> None:
    tree = small_tree()
    expected = meaning(tmp_path / "a", tree)
    assert expected.startswith("sha256:")
    assert meaning(tmp_path / "b", {name: backwards(data) for name, data in tree.items()}) == expected
    said = copy.deepcopy(tree)
    said["instance.yaml"].update(title="T", source="S", name="other-name")
    said["parts/net.yaml"].update(title="T", source="S", accuracy_source="A", assumed=["input"])
    said["parts/board.yaml"].update(title="T", source="S", assumed=["memory"])
    assert meaning(tmp_path / "c", said) == expected
    moved = copy.deepcopy(tree)
    moved["instance.yaml"]["services"][0]["model"] = "deep/er.yaml"
    moved["deep/er.yaml"] = moved.pop("parts/net.yaml")
    moved["instance.yaml"]["devices"][0]["type"] = "b.yaml"
    moved["b.yaml"] = moved.pop("parts/board.yaml")
    assert meaning(tmp_path / "d", moved) == expected
    units = copy.deepcopy(tree)
    units["parts/net.yaml"]["input"] = "100000 B"
    assert meaning(tmp_path / "e", units) == expected


def test_comments_and_style_do_not_matter(tmp_path: Path) -> None:
    parts = {name: data for name, data in small_tree().items() if name != "instance.yaml"}
    expected = meaning(tmp_path / "a", {"instance.yaml": BASE, **parts})
    other = "# a comment\n" + BASE.replace("objective: latency", "objective: ['latency'] # why").replace(
        "4 /s", "{rate: '4 /s'}"
    )
    assert meaning(tmp_path / "b", {"instance.yaml": other, **parts}) == expected


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, (*path, key))
    else:
        yield path


def test_every_figure_matters(tmp_path: Path) -> None:
    """Change every leaf of every file, one at a time: the hash changes, unless the leaf is documentation."""
    tree = small_tree()
    expected = meaning(tmp_path, tree)
    said = {"title", "source", "assumed"}
    changed = 0
    for file, data in tree.items():
        for path in leaves(data):
            if (path[-1] in said and "services" not in path) or "assumed" in path:
                continue
            other = copy.deepcopy(tree)
            target = other[file]
            for key in path[:-1]:
                target = target[key]
            old = target[path[-1]]
            for new in (
                f"1{old}",
                {"cam": "hub", "hub": "cam", "memory": 7, "edge": "cloud"}.get(str(old)),
                "energy",
                "a",
            ):
                if new is None or new == old:
                    continue
                target[path[-1]] = new
                try:
                    assert meaning(tmp_path, other) != expected, (file, path, new)
                except InputError:
                    continue
                changed += 1
                break
    assert changed > 50


@pytest.mark.parametrize("name", ["source", "title", "assumed"])
def test_names_that_look_like_documentation_matter(tmp_path: Path, name: str) -> None:
    tree = small_tree()
    tree["parts/net.yaml"]["layers"][1]["name"] = name
    tree["parts/net.yaml"]["layers"][3]["inputs"] = [name, "c"]
    tree["instance.yaml"]["services"][0]["pins"] = {name: "cam"}
    first = meaning(tmp_path, tree)
    tree["instance.yaml"]["services"][0]["pins"] = {name: "hub"}
    assert meaning(tmp_path, tree) != first


def test_the_source_device_matters(tmp_path: Path) -> None:
    tree = small_tree()
    first = meaning(tmp_path, tree)
    tree["instance.yaml"]["services"][0]["source"] = "hub"
    assert meaning(tmp_path, tree) != first
