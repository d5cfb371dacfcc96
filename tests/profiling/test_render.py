"""What the writer writes, YAML reads back."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from placer.profiling.render import render, write

AWKWARD = [
    "", " ", "1", "1.5", "1e5", "0x1f", "12:30", "2020-01-01", "no", "null", "~", "true", "-", "- a",
    "a: b", "a #b", "#", "a,b", "[", "]", "{a}", "&x", "*x", "!t", "|", ">", "%", "@", "`", "'", "\"",
    "a\\b", "x\ty", "größe", "☃", "conv1.7x7_s2", "105.73 MMAC", "0 B", ".5", "+1", "=", "<<", "y",
    "trailing ", " leading", "a\nb", "?", ": ", "a:",
]  # fmt: skip


@pytest.mark.parametrize("text", AWKWARD)
def test_any_text_survives(text: str) -> None:
    model = {"name": text, "layers": [{"name": text, text or "key": [text, {"a": text}]}], "list": [text]}
    assert yaml.safe_load(render(model)) == model


def test_one_line_a_layer_and_long_text_folded() -> None:
    model = {
        "format": "placer/model/1",
        "source": "word " * 60 + "end",
        "input": "4 B",
        "layers": [
            {"name": "a", "inputs": ["input"], "compute": "1.5 MMAC", "times": {"pi": "3 ms"}, "scv": 0.5},
            {"name": "b", "inputs": ["a"], "assumed": ["compute"]},
        ],
    }
    text = render(model)
    assert text.endswith(
        "input: 4 B\n"
        "layers:\n"
        "  - {name: a, inputs: [input], compute: 1.5 MMAC, times: {pi: 3 ms}, scv: 0.5}\n"
        "  - {name: b, inputs: [a], assumed: [compute]}\n"
    )
    assert max(map(len, text.splitlines())) <= 110
    assert yaml.safe_load(text) == model


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    write({"name": "a"}, tmp_path / "a.yaml")
    assert (tmp_path / "a.yaml").read_bytes() == b"name: a\n"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.yaml"]
