"""Quantities with units: text in a file, SI floats inside, text again in a report.

A quantity in a file is a number and a unit (``512 MiB``, ``72.2 Mbit/s``, ``30 ms``); a bare number is
refused there, because nobody can tell milliseconds from seconds. Code that builds objects directly passes SI
floats.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

_SI = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_IEC = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_SMALL = {"n": Decimal("1e-9"), "u": Decimal("1e-6"), "µ": Decimal("1e-6"), "m": Decimal("1e-3")}
_TIME = {
    "s": Decimal(1),
    **{f"{prefix}s": factor for prefix, factor in _SMALL.items()},
    "min": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}
_NUMBER = re.compile(r"^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)\s*((?:[^\W\d_]|[%/]).*?)?\s*$")
_LONGEST_TEXT = 64
_LEAST = 1e-9  # figures that others are divided by are at least this, so that no quotient overflows


@dataclass(frozen=True)
class Dimension:
    """What is measured, the units it may be written in, and the range that is plausible.

    Attributes:
        name: what the quantity is, for messages.
        units: factor to SI by unit name.
        largest: largest SI value accepted.
        example: how to write one.
        smallest: smallest SI value accepted.
        positive: whether zero is refused.
    """

    name: str
    units: dict[str, Decimal]
    largest: float
    example: str
    smallest: float = 0.0
    positive: bool = False

    def parse(self, value: object, *, bare_number: bool = False) -> float:
        """Return ``value`` in SI units.

        Args:
            value: text with a unit, or an SI number when ``bare_number``.
            bare_number: whether a number without unit is taken as SI.

        Raises:
            ValueError: with what is wrong and what is allowed.
        """
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"expected {self.name} such as '{self.example}', got {_shown(value)}")  # noqa: TRY004
        if isinstance(value, str):
            number = self._parse_text(value)
        elif bare_number:
            number = float(value) if abs(value) <= 1e300 else math.inf
        else:
            raise ValueError(f"{_shown(value)} has no unit; write {self.name} such as '{self.example}'")
        if not math.isfinite(number) or not self.smallest <= number <= self.largest:
            raise ValueError(
                f"{_shown(value)} is out of range; {self.name} lies between {self.smallest:g} and "
                f"{self.largest:g} in SI units"
            )
        if self.positive and number < _LEAST:
            raise ValueError(
                f"{self.name} must be more than zero (at least {_LEAST:g} in SI units), got {_shown(value)}"
            )
        return number

    def _parse_text(self, text: str) -> float:
        match = _NUMBER.match(text) if len(text) <= _LONGEST_TEXT else None
        if match is None:
            raise ValueError(f"{_shown(text)} is not {self.name}; write a number and a unit such as '{self.example}'")
        digits, unit = match.groups()
        if unit is None:
            if "" in self.units:
                unit = ""
            else:
                raise ValueError(f"{_shown(text)} has no unit; write {self.name} such as '{self.example}'")
        if unit not in self.units:
            allowed = ", ".join(name for name in self.units if name)
            raise ValueError(f"unknown unit {_shown(unit)} for {self.name}; allowed: {allowed}")
        try:
            return float(Decimal(digits) * self.units[unit])
        except (InvalidOperation, OverflowError) as error:
            raise ValueError(f"{_shown(text)} is not a number that can be used") from error


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 3] + "..."


def _prefixed(unit: str, *tables: dict[str, Any]) -> dict[str, Decimal]:
    return {prefix + unit: Decimal(factor) for table in tables for prefix, factor in table.items()}


BYTES = Dimension("an amount of memory", _prefixed("B", _SI, _IEC), 1e15, "512 MiB")
SECONDS = Dimension("a duration", _TIME, 1e9, "30 ms")
DURATION = Dimension("a duration", _TIME, 1e9, "30 s", positive=True)
DATA_RATE = Dimension(
    "a data rate",
    {name: factor / 8 for name, factor in _prefixed("bit/s", _SI).items()} | _prefixed("B/s", _SI, _IEC),
    1e15,
    "72.2 Mbit/s",
    positive=True,
)
RATE = Dimension(
    "a rate of requests",
    {"/s": Decimal(1), "/ms": Decimal(1000), "/min": Decimal(1) / 60, "/h": Decimal(1) / 3600},
    1e9,
    "4 /s",
    positive=True,
)
SHARE = Dimension("a share", {"": Decimal(1), "%": Decimal("0.01")}, 1.0, "60 %", positive=True)
PACKET_LOSS = Dimension("a fraction of packets", {"": Decimal(1), "%": Decimal("0.01")}, 0.99, "2 %")
FRACTION = Dimension("a fraction", {"": Decimal(1), "%": Decimal("0.01")}, 1.0, "1 %")
MACS = Dimension("an amount of work", _prefixed("MAC", _SI), 1e18, "105.73 MMAC")
SPEED = Dimension("a speed", _prefixed("MAC/s", _SI), 1e18, "4.6 GMAC/s", positive=True)
METRES = Dimension("a length", {"m": Decimal(1), "km": Decimal(1000), "cm": Decimal("0.01")}, 1e8, "20 m", -1e8)
DISTANCE = Dimension("a distance", METRES.units, 1e8, "30 m", positive=True)
JOULES = Dimension(
    "an energy",
    {"J": Decimal(1), "mJ": Decimal("1e-3"), "uJ": Decimal("1e-6"), "nJ": Decimal("1e-9"), "kJ": Decimal(1000)}
    | {"Wh": Decimal(3600), "mWh": Decimal("3.6")},
    1e12,
    "1.5 J",
)
WATTS = Dimension("a power", {"W": Decimal(1), "mW": Decimal("0.001"), "kW": Decimal(1000)}, 1e7, "2.1 W")
ENERGY_PER_BYTE = Dimension(
    "an energy per byte",
    {"J/B": Decimal(1), "uJ/B": Decimal("1e-6"), "nJ/B": Decimal("1e-9"), "J/bit": Decimal(8)}
    | {"uJ/bit": Decimal("8e-6"), "nJ/bit": Decimal("8e-9"), "pJ/bit": Decimal("8e-12")},
    1.0,
    "283 nJ/bit",
)


def _field(dimension: Dimension, *, or_none: bool = False) -> Any:
    """Return the pydantic annotations of a field that holds ``dimension`` in SI units, or None for the text 'none'."""

    def validate(value: object, info: ValidationInfo) -> float | None:
        from_file = bool(info.context and info.context.get("from_file"))
        if or_none and (value == "none" or (value is None and not from_file)):
            return None
        bare = not from_file or "" in dimension.units
        try:
            return dimension.parse(value, bare_number=bare)
        except ValueError as error:
            raise PydanticCustomError("quantity", "{reason}", {"reason": str(error)}) from error

    kinds = ["string", "number"] if "" in dimension.units else "string"
    schema = {"type": kinds, "examples": [dimension.example], "description": dimension.name}
    return BeforeValidator(validate), WithJsonSchema(schema)


Bytes = Annotated[float, *_field(BYTES)]
Seconds = Annotated[float, *_field(SECONDS)]
DataRate = Annotated[float, *_field(DATA_RATE)]
Rate = Annotated[float, *_field(RATE)]
Duration = Annotated[float, *_field(DURATION)]
"""Seconds, more than zero."""
Share = Annotated[float, *_field(SHARE)]
"""A fraction, more than zero."""
PacketLoss = Annotated[float, *_field(PACKET_LOSS)]
"""A fraction, at most .99: what is sent again and again must arrive some day."""
Fraction = Annotated[float, *_field(FRACTION)]
FractionOrNone = Annotated[float | None, *_field(FRACTION, or_none=True)]
"""A fraction, or ``none`` in a file for no limit."""
Macs = Annotated[float, *_field(MACS)]
Speed = Annotated[float, *_field(SPEED)]
Metres = Annotated[float, *_field(METRES)]
Distance = Annotated[float, *_field(DISTANCE)]
Watts = Annotated[float, *_field(WATTS)]
Joules = Annotated[float, *_field(JOULES)]
EnergyPerByte = Annotated[float, *_field(ENERGY_PER_BYTE)]


def _scaled(value: float, unit: str, steps: list[tuple[float, str]]) -> str:
    if not math.isfinite(value):
        return "unlimited" if value > 0 else "unknown"
    for factor, prefix in steps:
        if abs(value) >= factor:
            return f"{value / factor:.4g} {prefix}{unit}"
    factor, prefix = steps[-1]
    return f"{value / factor:.4g} {prefix}{unit}"


_LARGE_STEPS = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")]


def show_bytes(value: float) -> str:
    """Bytes for people: ``151 MB`` (decimal prefixes)."""
    return _scaled(value, "B", _LARGE_STEPS)


def show_seconds(value: float) -> str:
    """A duration for people: ``38.2 ms``."""
    return _scaled(value, "s", [(1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n")]) if value else "0 s"


def show_rate(value: float) -> str:
    """A data rate in bytes/s for people, in bits: ``72.2 Mbit/s``."""
    return _scaled(value * 8, "bit/s", _LARGE_STEPS)


def show_macs(value: float) -> str:
    """Work for people: ``105.7 MMAC``."""
    return _scaled(value, "MAC", _LARGE_STEPS)


def show_joules(value: float) -> str:
    """Energy for people: ``12.1 mJ``."""
    return _scaled(value, "J", [(1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n")]) if value else "0 J"


def show_fraction(value: float) -> str:
    """A fraction for people: ``1.25 %``; what is no more than rounding of nothing is ``< 0.0001 %``."""
    return "< 0.0001 %" if 0.0 < value < 1e-6 else f"{value * 100:.4g} %"


WIDE = 0.1
"""Half-width of an estimated fraction above which it is shown as a range where it would leave 0 to 1."""


def show_estimate(mean: float, half_width: float) -> str:
    """An estimated fraction for people: ``1.25 % ± 0.1 %``, or its range where that leaves little of it known."""
    low, high = mean - half_width, mean + half_width
    if half_width > WIDE and (low < 0.0 or high > 1.0):
        return f"{show_fraction(mean)} ({show_fraction(max(low, 0.0))} to {show_fraction(min(high, 1.0))})"
    return f"{show_fraction(mean)} ± {show_fraction(half_width)}"
