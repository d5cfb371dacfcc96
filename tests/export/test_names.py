"""Names: always valid, always distinct, never out of the folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placer.errors import InputError
from placer.export import names
from placer.export.text import yaml_text

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
HARD = st.text(alphabet=st.characters(), max_size=90) | st.text(alphabet="aA0-._/ é", max_size=70)


@given(st.lists(HARD, max_size=12), st.booleans())
def test_labels_are_valid_unique_and_stable(texts: list[str], first_letter: bool) -> None:
    result = names.labels(texts, first_letter=first_letter)
    assert set(result) == set(texts)
    assert len(set(result.values())) == len(result)
    for text, label in result.items():
        assert LABEL.fullmatch(label)
        assert not (first_letter and label[0].isdigit())
        if names.is_label(text) and not (first_letter and text[0].isdigit()):
            assert label == text
    assert names.labels(texts, first_letter=first_letter) == result


@given(HARD)
def test_a_file_stays_inside_or_is_refused(text: str) -> None:
    folder = Path("out")
    try:
        path = names.inside(folder, text)
    except InputError:
        return
    assert ".." not in path.parts
    assert path.is_relative_to(folder)
    assert path != folder


@pytest.mark.parametrize("bad", ["../x", "/etc/x", "a/../b", "a\\b", "", ".", "a//b", "c:x", ".hidden", "a\n", "a/"])
def test_paths_that_are_refused(bad: str) -> None:
    with pytest.raises(InputError):
        names.inside(Path("out"), bad)


def test_labels_that_read_well() -> None:
    assert names.label("My Parking (2)") == "my-parking-2"
    assert names.label("Café") == "cafe"
    assert names.label("3d", first_letter=True) == "x-3d"
    long = names.label("a" * 100)
    assert len(long) == 63
    assert names.labels(["a b", "a-b", "a_b"])["a-b"] == "a-b"


@given(st.dictionaries(HARD, HARD | st.booleans() | st.integers() | st.none(), max_size=6))
def test_yaml_reads_back_as_it_was(data: dict[str, object]) -> None:
    import yaml

    printable = {k: v for k, v in data.items() if k.isprintable() and (not isinstance(v, str) or v.isprintable())}
    assert yaml.safe_load(yaml_text([printable])) == printable


@pytest.mark.parametrize(
    "text", ["1e3", "0o7", "12:30", "no", "Y", "off", "null", "~", "1_000", ".5", "0x1F", "NaN", ""]
)
def test_text_that_looks_like_something_else_is_quoted(text: str) -> None:
    assert yaml_text([{"key": text}]) == f'key: "{text}"\n'
