"""Quantities: what is written is what is read, and everything else is refused."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placer.instance import units
from placer.instance.units import Dimension

DIMENSIONS = {name: value for name, value in vars(units).items() if isinstance(value, Dimension)}


@st.composite
def quantities(draw: st.DrawFn) -> tuple[Dimension, str, Decimal, str]:
    dimension = DIMENSIONS[draw(st.sampled_from(sorted(DIMENSIONS)))]
    unit = draw(st.sampled_from(sorted(dimension.units)))
    low, high = Decimal("1e-9") if dimension.positive else Decimal(str(dimension.smallest)), Decimal(dimension.largest)
    factor = dimension.units[unit]
    number = draw(st.decimals(low / factor, high / factor, allow_nan=False, places=draw(st.integers(0, 12))))
    if not low <= number * factor <= high or len(str(number)) > 50:
        number = (min(high, Decimal(1)) / factor).quantize(Decimal("1e-30"))
    space = draw(st.sampled_from(["", " ", "  "]))
    return dimension, unit, number, f"{number}{space}{unit}"


@given(quantities())
def test_round_trip(drawn: tuple[Dimension, str, Decimal, str]) -> None:
    dimension, unit, number, text = drawn
    assert dimension.parse(text) == pytest.approx(float(number * dimension.units[unit]), rel=1e-15, abs=0)
    assert dimension.parse(dimension.parse(text), bare_number=True) == dimension.parse(text)


@pytest.mark.parametrize(
    ("dimension", "text", "value"),
    [
        (units.BYTES, "512 MiB", 512 * 2**20),
        (units.BYTES, "139.78 kB", 139780.0),
        (units.BYTES, "1e3B", 1000.0),
        (units.DATA_RATE, "72.2 Mbit/s", 9.025e6),
        (units.DATA_RATE, "1 MiB/s", 2**20),
        (units.SECONDS, "30 ms", 0.03),
        (units.SECONDS, "1.5 h", 5400.0),
        (units.SECONDS, "7 µs", 7e-6),
        (units.RATE, "30 /min", 0.5),
        (units.RATE, "4/s", 4.0),
        (units.FRACTION, "1 %", 0.01),
        (units.FRACTION, "0.01", 0.01),
        (units.MACS, "105.73 MMAC", 105.73e6),
        (units.SPEED, "4.6 GMAC/s", 4.6e9),
        (units.METRES, "-7.5 m", -7.5),
        (units.WATTS, "250 mW", 0.25),
        (units.ENERGY_PER_BYTE, "283.17 nJ/bit", 283.17 * 8e-9),
    ],
)
def test_known_values(dimension: Dimension, text: str, value: float) -> None:
    assert dimension.parse(text) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("name", sorted(DIMENSIONS))
def test_example_is_accepted(name: str) -> None:
    assert DIMENSIONS[name].parse(DIMENSIONS[name].example) > 0


@pytest.mark.parametrize(
    ("dimension", "value", "fragment"),
    [
        (units.BYTES, 512, "has no unit"),
        (units.BYTES, "512", "has no unit"),
        (units.BYTES, True, "expected an amount of memory"),
        (units.BYTES, None, "expected an amount of memory"),
        (units.BYTES, ["1 B"], "expected an amount of memory"),
        (units.BYTES, {"a": 1}, "expected an amount of memory"),
        (units.BYTES, "1 mb", "unknown unit 'mb'"),
        (units.BYTES, "MB", "is not an amount of memory"),
        (units.BYTES, "", "is not an amount of memory"),
        (units.BYTES, "1,5 MB", "is not an amount of memory"),
        (units.BYTES, "1 MB 2", "unknown unit 'MB 2'"),
        (units.BYTES, "0x10 B", "unknown unit"),
        (units.BYTES, "1_000 B", "is not an amount of memory"),
        (units.BYTES, "nan B", "is not an amount"),
        (units.BYTES, "inf B", "is not an amount"),
        (units.BYTES, "1e999 B", "out of range"),
        (units.BYTES, "1e9999 B", "unknown unit"),
        (units.BYTES, "-1 B", "out of range"),
        (units.BYTES, "9" * 70 + " B", "is not an amount of memory"),
        (units.DATA_RATE, "0 bit/s", "more than zero"),
        (units.DATA_RATE, "1e-300 bit/s", "more than zero"),
        (units.DATA_RATE, "1 Mb/s", "unknown unit 'Mb/s'"),
        (units.FRACTION, "101 %", "out of range"),
        (units.FRACTION, 1.5, "out of range"),
        (units.FRACTION, math.nan, "out of range"),
        (units.FRACTION, math.inf, "out of range"),
        (units.FRACTION, 10**400, "out of range"),
        (units.SPEED, "0 MAC/s", "more than zero"),
    ],
)
def test_refused(dimension: Dimension, value: object, fragment: str) -> None:
    with pytest.raises(ValueError, match=".") as caught:
        dimension.parse(value, bare_number=dimension is units.FRACTION)
    assert fragment in str(caught.value)
    assert len(str(caught.value)) < 400


@given(st.one_of(st.text(max_size=80), st.floats(), st.integers(), st.booleans(), st.none()))
def test_anything_else_is_a_value_error(value: object) -> None:
    for dimension in DIMENSIONS.values():
        for bare in (False, True):
            try:
                number = dimension.parse(value, bare_number=bare)
            except ValueError:
                continue
            assert dimension.smallest <= number <= dimension.largest


@given(st.floats(0, 1e14), st.floats(1e-9, 1e8))
def test_shown_for_people(size: float, seconds: float) -> None:
    number, unit = units.show_bytes(size).split()
    assert float(number) * float(units.BYTES.units[unit]) == pytest.approx(size, rel=1e-3, abs=1e-300)
    number, unit = units.show_seconds(seconds).split()
    assert float(number) * float(units.SECONDS.units[unit]) == pytest.approx(seconds, rel=1e-3)


def test_shown_special_values() -> None:
    assert units.show_bytes(151e6) == "151 MB"
    assert units.show_bytes(math.inf) == "unlimited"
    assert units.show_seconds(0) == "0 s"
    assert units.show_seconds(0.0382) == "38.2 ms"
    assert units.show_rate(9.025e6) == "72.2 Mbit/s"
    assert units.show_macs(105.7e6) == "105.7 MMAC"
    assert units.show_joules(0.0121) == "12.1 mJ"
    assert units.show_fraction(0.0125) == "1.25 %"
    assert units.show_joules(math.nan) == "unknown"
