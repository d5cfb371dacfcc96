"""Files as plain data: lines, and what is refused before any schema sees it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from placer.errors import InputError
from placer.instance import reading, tree
from placer.instance.reading import parse_document, read_document, unknown
from placer.instance.tree import json_path

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**17), 10**17),
    st.floats(allow_nan=False),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text("abcdef ", max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(TREES)
def test_plain_yaml_means_what_a_yaml_library_says(tree: Any) -> None:
    text = yaml.dump(tree, Dumper=_Plain, allow_unicode=True, sort_keys=False)
    assert parse_document(text, "x").data == tree


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def test_lines_of_every_path() -> None:
    document = parse_document("a: 1\nb:\n  - x\n  - {y: 2,\n     z: 3}\n", "f.yaml")
    assert document.lines[()] == 1
    assert document.lines["b", 1, "z"] == 5
    problem = document.problem("wrong", ("b", 1, "q", 3))
    assert str(problem) == "f.yaml:4 $.b[1].q[3]: wrong"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("TRUE", True),
        ("~", None),
        ("", None),
        ("0777", 777),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("<<", "<<"),
        ("'12'", "12"),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    data = parse_document(f"k: {text}\n", "x").data
    assert data == {"k": value}
    assert type(data["k"]) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "fragment"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "duplicate key 'a'"),
        ("a: &x 1\nb: *x\n", 1, "anchors and aliases"),
        ("a: *x\n", 1, "anchors and aliases"),
        ("a: !!int 3\n", 1, "tags are not allowed"),
        ("a: !local 3\n", 1, "tags are not allowed"),
        ("!!omap\na: 3\n", 1, "tags are not allowed"),
        ("a: 1\n---\nb: 1\n", 2, "more than one YAML document"),
        ("? [a]\n: 1\n", 1, "a key must be plain text"),
        ("? {a: 1}\n: 1\n", 1, "a key must be plain text"),
        ("a: " + "[" * 5000, 1, "nested more than 40 levels"),
        ("a: " + "{b: " * 5000, 1, "nested more than 40 levels"),
        ("a: 'x\n", 2, "not valid YAML"),
        ("a: \x01\n", None, "not valid YAML"),
        ('a: "\\ud800"\n', 1, "not valid YAML"),
        ("%YAML 3.0\n---\na: 1\n", 1, "not valid YAML"),
    ],
)
def test_refused(text: str, line: int | None, fragment: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_document(text, "f.yaml")
    (problem,) = caught.value.problems
    assert fragment in problem.message
    assert problem.line == line
    assert problem.file == "f.yaml"


def test_refused_files(tmp_path: Path) -> None:
    def message(path: Path) -> str:
        with pytest.raises(InputError) as caught:
            read_document(path)
        assert caught.value.problems[0].file == str(path)
        return caught.value.problems[0].message

    (tmp_path / "latin.yaml").write_bytes(b"title: caf\xe9\n")
    assert "is not UTF-8 text (byte 10)" in message(tmp_path / "latin.yaml")
    assert "cannot be read" in message(tmp_path / "none.yaml")
    assert "is not a file" in message(tmp_path)
    with (tmp_path / "large.yaml").open("wb") as stream:
        stream.truncate(reading.LARGEST_FILE + 1)
    assert "is larger than 8 MiB" in message(tmp_path / "large.yaml")
    os.mkfifo(tmp_path / "pipe")
    assert "is not a file" in message(tmp_path / "pipe")


def test_too_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "LARGEST_TREE", 10)
    with pytest.raises(InputError, match="more than 10 values"):
        parse_document("[1,2,3,4,5,6,7,8,9,10,11]", "x")


def test_byte_order_mark_and_empty() -> None:
    assert parse_document("\ufeffa: 1\n", "x").data == {"a": 1}
    assert parse_document("", "x").data is None


def test_numbers_without_end() -> None:
    assert parse_document("a: " + "9" * 5000, "x").data == {"a": float("inf")}
    assert parse_document("a: 1e9999", "x").data == {"a": float("inf")}


def test_paths_and_suggestions() -> None:
    assert json_path(("a", 0, "b-c", "x y")) == '$.a[0].b-c["x y"]'
    assert unknown("key", "memry", ["memory", "name"]) == (
        "unknown key 'memry'; did you mean 'memory'? (allowed: memory, name)"
    )
    assert unknown("key", "q" * 100, []) == f"unknown key '{'q' * 57}...' (none is allowed here)"
    assert "…" in unknown("key", "zzz", [f"k{i}" for i in range(99)])
