"""What ``--vary PATH=VALUES`` says: ``start:stop:count``, ``start:stop:count:log`` or a list, with a unit at the end.

The one grammar of sweeps: over instances (``placer sweep``), and over the load of exits (``placer exits``).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal

from placer.errors import InputError
from placer.instance.reading import unknown

MOST_VALUES = 10_000
"""More values of one field, or points of a grid, than this are refused."""

EXAMPLES = "start:stop:count, start:stop:count:log, or a list a,b,c; a unit may stand at the end: '1:20:20 /s'"
DIGITS = 12

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?"
_RANGE = re.compile(rf"^({_NUMBER}):({_NUMBER}):(\d{{1,6}})(?::([a-zA-Z]+))?(?:\s*([^\W\d_]\S*|[%/]\S*))?$")
_ITEM = re.compile(rf"^({_NUMBER})(?:\s*([^\W\d_].*|[%/].*))?$")
_DOTS = re.compile(rf"^({_NUMBER})\s*(\S*?)\.\.({_NUMBER})?\s*(.*?)(?::(\d+))?$")


@dataclass(frozen=True)
class Value:
    """One value to set.

    Attributes:
        number: the number, or None for a value that is no number.
        text: the value as text: digits without the unit, or a word.
        unit: the unit given; None when the unit of the instance holds.
    """

    number: float | None
    text: str
    unit: str | None = None


@dataclass(frozen=True)
class Values:
    """The values of one ``--vary``, in the order in which they are planned.

    Attributes:
        items: one or more.
        logarithmic: whether they are spaced evenly in their logarithm, which a picture then shows.
    """

    items: tuple[Value, ...]
    logarithmic: bool = False


def split_option(text: str) -> tuple[str, Values]:
    """Return path and values of ``PATH=VALUES``.

    Raises:
        InputError: when it is not of that form.
    """
    path, equals, values = text.partition("=")
    if not equals or not path.strip() or not values.strip():
        raise InputError(f"--vary '{text[:80]}': write PATH=VALUES; VALUES is {EXAMPLES}")
    try:
        return path.strip(), parse_values(values.strip())
    except InputError as error:
        raise InputError(f"--vary {path.strip()}: {error.message}", tip=error.tip) from error


def parse_values(text: str) -> Values:
    """Return the values that ``text`` lists.

    Raises:
        InputError: with what is allowed.
    """
    dots = _DOTS.match(text)
    if dots is not None:
        raise InputError(f"'{text[:80]}' is no range; write {_with_colons(*dots.groups())}")
    if ":" not in text:
        return Values(_listed(text))
    found = _RANGE.match(text)
    if found is None:
        raise InputError(f"'{text[:80]}' is no range; write {EXAMPLES}")
    first, last, count, spacing, unit = found.groups()
    if spacing not in (None, "log", "linear"):
        raise InputError(unknown("spacing", spacing, ["log", "linear"]))
    number = int(count)
    if not 2 <= number <= MOST_VALUES:
        raise InputError(f"a range has from 2 to {MOST_VALUES} values, got {number}; a single value is a list of one")
    start, stop = Decimal(first), Decimal(last)
    if start == stop:
        raise InputError(f"the range '{text[:80]}' starts where it stops; a single value is a list of one")
    if spacing == "log":
        if start <= 0 or stop <= 0:
            raise InputError(f"a range in log steps starts and stops above zero, got {first} and {last}")
        ratio = math.log(float(stop) / float(start))
        points = [float(start) * math.exp(ratio * i / (number - 1)) for i in range(number)]
        points[0], points[-1] = float(start), float(stop)
    else:
        points = [float(start + (stop - start) * i / (number - 1)) for i in range(number)]
    return Values(tuple(Value(float(_digits(p)), _digits(p), unit) for p in points), spacing == "log")


def _with_colons(first: str, unit: str, last: str | None, other: str, count: str | None) -> str:
    """The right spelling of a range written with dots, as ``placer exits`` once took them."""
    return EXAMPLES if last is None else f"{first}:{last}:{count or 9} {other or unit}".rstrip()


def _digits(number: float) -> str:
    """Return a number as text that a file could hold, without the noise of binary fractions."""
    return f"{number:.{DIGITS}g}"


def _listed(text: str) -> tuple[Value, ...]:
    items = [_item(part.strip()) for part in text.split(",")]
    if len(items) > MOST_VALUES:
        raise InputError(f"more than {MOST_VALUES} values")
    unit = items[-1].unit
    if unit is None:
        return tuple(items)
    # the unit at the end is that of every number that has none of its own
    return tuple(Value(i.number, i.text, unit) if i.number is not None and i.unit is None else i for i in items)


def _item(text: str) -> Value:
    if not text:
        raise InputError("a value of the list is empty")
    found = _ITEM.match(text)
    if found is None:
        return Value(None, text)
    digits, unit = found.groups()
    return Value(float(digits), digits, unit)
