"""What may stand behind ``=`` in ``--vary``."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placer.errors import InputError
from placer.instance.ranges import parse_values, split_option


@pytest.mark.parametrize(
    ("text", "shown", "unit"),
    [
        ("1:20:20", [str(i) for i in range(1, 21)], None),
        ("1:20:20 /s", [str(i) for i in range(1, 21)], "/s"),
        ("20:10:3/s", ["20", "15", "10"], "/s"),
        ("1:1000:4:log Mbit/s", ["1", "10", "100", "1000"], "Mbit/s"),
        ("0:1:3:linear", ["0", "0.5", "1"], None),
        ("0.1:0.3:3", ["0.1", "0.2", "0.3"], None),
        ("-5:5:3 m", ["-5", "0", "5"], "m"),
        ("50:90:3 %", ["50", "70", "90"], "%"),
        ("5,10,50", ["5", "10", "50"], None),
        ("7", ["7"], None),
        ("1e3,2e3 kB", ["1e3", "2e3"], "kB"),
    ],
)
def test_ranges_and_lists(text: str, shown: list[str], unit: str | None) -> None:
    values = parse_values(text)
    assert [value.text for value in values.items] == shown
    assert {value.unit for value in values.items} == {unit}
    assert [value.number for value in values.items] == [float(digits) for digits in shown]
    assert values.logarithmic == (":log" in text)


def test_a_list_keeps_units_and_words() -> None:
    items = parse_values("500 kbit/s, 1, 10 Mbit/s").items
    assert [(item.text, item.unit) for item in items] == [("500", "kbit/s"), ("1", "Mbit/s"), ("10", "Mbit/s")]
    items = parse_values("../one.yaml,a..b").items
    assert [(item.number, item.text) for item in items] == [(None, "../one.yaml"), (None, "a..b")]
    items = parse_values("memory,5,alexnet-exit").items
    assert [(item.number, item.text) for item in items] == [(None, "memory"), (5.0, "5"), (None, "alexnet-exit")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1:20", "is no range"),
        ("1:20:x", "is no range"),
        ("1:20:3:lgo", "did you mean 'log'"),
        ("1:20:1", "from 2 to"),
        ("1:20:999999", "from 2 to"),
        ("3:3:4", "starts where it stops"),
        ("0:20:3:log", "above zero"),
        ("1,,2", "empty"),
        ("1 /s..6 /s", "write 1:6:9 /s$"),
        ("1..6 Mbit/s:20", "write 1:6:20 Mbit/s$"),
        ("0.1%..5%:4", "write 0.1:5:4 %$"),
        ("1 /s..x", "write start:stop:count"),
    ],
)
def test_refusals(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_values(text)


@pytest.mark.parametrize("text", ["services.plates.arrivals", "=1:2:3", "a.b=", "a.b= "])
def test_options_are_path_and_values(text: str) -> None:
    with pytest.raises(InputError, match="PATH=VALUES"):
        split_option(text)


@given(st.floats(1e-6, 1e9), st.floats(1e-6, 1e9), st.integers(2, 50), st.sampled_from(["linear", "log"]))
def test_a_range_is_monotone_and_keeps_its_ends(start: float, stop: float, count: int, spacing: str) -> None:
    if start == stop:
        return
    numbers = [value.number for value in parse_values(f"{start!r}:{stop!r}:{count}:{spacing}").items]
    assert len(numbers) == count
    known = [number for number in numbers if number is not None]
    assert math.isclose(known[0], start, rel_tol=1e-11)
    assert math.isclose(known[-1], stop, rel_tol=1e-11)
    assert sorted(known, reverse=stop < start) == known
