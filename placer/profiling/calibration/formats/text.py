"""What the readers share: the names a file lacks, figures with their faults, columns of a table."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from placer.errors import InputError, Problem
from placer.instance.reading import Document, brief, parse_document, unknown
from placer.instance.units import Dimension
from placer.profiling.calibration.measurements import label

MOST_PROBLEMS = 20
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_UNIT = re.compile(r"[^\d\s.+-][^\d]*$")


@dataclass(frozen=True)
class Names:
    """Names for formats that say neither.

    Attributes:
        device: of the device, as ``type`` or ``type/unit``; None where not given.
        model: of the model; None where not given.
    """

    device: str | None = None
    model: str | None = None

    def expect(self, shown: str, what: str, *missing: str) -> None:
        """Raise InputError where a file of a format that does not name something comes without a name for it."""
        absent = [name for name in missing if not label(getattr(self, name) or "")]
        if absent:
            message = f"is {what}, which names no {' and no '.join(absent)}"
            tip = f"give {' and '.join(f'--{name} NAME' for name in absent)}"
            raise InputError([Problem(message, file=shown)], tip=tip)


@dataclass
class Faults:
    """Problems of one file, collected and raised together.

    Attributes:
        file: the file as the user named it.
    """

    file: str
    problems: list[Problem] = field(default_factory=list)

    def add(self, message: str, line: int | None, path: str = "$") -> None:
        """Note a problem."""
        self.problems.append(Problem(message, path, self.file, line))

    def end(self) -> None:
        """Raise the first problems, if there are any."""
        if self.problems:
            rest = len(self.problems) - MOST_PROBLEMS
            more = [Problem(f"and {rest} more problems", file=self.file)] if rest > 0 else []
            raise InputError([*self.problems[:MOST_PROBLEMS], *more])


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        line: where it begins.
        cells: text by column; columns without text are left out.
    """

    line: int
    cells: dict[str, str]


def split_device(text: str) -> tuple[str, str]:
    """``type/unit`` or ``type`` as labels of both."""
    device, _, unit = text.partition("/")
    return label(device), label(unit)


def header_of(text: str) -> list[str]:
    """The column names of a table, stripped; empty for a file without a line, or whose first is no row."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    try:
        return [cell.strip() for cell in next(csv.reader([first]), [])]
    except csv.Error:
        return []


def rows_of(text: str, faults: Faults, columns: Sequence[str], required: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a table whose head is judged: unknown, doubled and missing columns are faults.

    Args:
        text: of the file.
        faults: where problems go.
        columns: all that are allowed.
        required: those that must be there.
    """
    reader = csv.reader(io.StringIO(text), strict=True)
    head: list[str] | None = None
    try:
        for cells in reader:
            line = reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if head is None:
                head = [cell.strip() for cell in cells]
                for column in head:
                    if column not in columns:
                        faults.add(unknown("column", column, columns), line)
                faults.problems += [
                    Problem(f"column '{one}' is there twice", file=faults.file, line=line)
                    for one in dict.fromkeys(head)
                    if head.count(one) > 1
                ]
                faults.problems += [
                    Problem(f"column '{one}' is missing", file=faults.file, line=line)
                    for one in required
                    if one not in head
                ]
                faults.end()
            elif len(cells) != len(head):
                faults.add(f"has {len(cells)} cells; the head has {len(head)}", line)
            else:
                yield Row(line, {name: cell.strip() for name, cell in zip(head, cells, strict=True) if cell.strip()})
    except csv.Error as error:
        faults.add(f"is no table: {error}", reader.line_num)
        faults.end()
    if head is None:
        faults.add("is empty", None)
        faults.end()


@dataclass
class Column:
    """Figures of one column: all without a unit (then SI), or all with the same."""

    name: str
    dimension: Dimension
    unit: str | None = None
    line: int = 0

    def figure(self, text: str, line: int) -> float:
        """The figure in SI units.

        Raises:
            ValueError: for what is no such figure, or has another unit than the figures above it.
        """
        unit = "" if _PLAIN.fullmatch(text) else _unit_of(text)
        if self.unit is None:
            self.unit, self.line = unit, line
        elif unit != self.unit:
            raise ValueError(
                f"mixed units in column '{self.name}': '{unit or 'none'}' here, '{self.unit or 'none'}' in line "
                f"{self.line}; one unit, or none, in all rows is allowed"
            )
        if unit == "":
            return number(text, self.dimension)
        return self.dimension.parse(text)


def _unit_of(text: str) -> str:
    found = _UNIT.search(text)
    return "" if found is None or text.lower().strip("+-") in ("nan", "inf", "infinity") else found[0].strip()


def number(value: object, dimension: Dimension, factor: float = 1.0) -> float:
    """A bare number times ``factor`` as a figure of a dimension.

    Raises:
        ValueError: when it is none, not finite, or out of the dimension's range.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"expected a number, got {brief(value)}")  # noqa: TRY004 - shown like the others
    try:
        found = float(value)
    except ValueError as error:
        raise ValueError(f"expected a number, got {brief(value)}") from error
    if isinstance(value, str) and "_" in value:
        raise ValueError(f"expected a number, got {brief(value)}")
    if not math.isfinite(found):
        raise ValueError(f"{brief(value)} is not finite; {dimension.name} such as {dimension.example} is allowed")
    if found < 0:
        raise ValueError(f"{brief(value)} is negative; {dimension.name} of more than zero is allowed")
    return dimension.parse(found * factor, bare_number=True)


def json_document(text: str, shown: str) -> Document:
    """Plain data of JSON with the line of every value; NaN and Infinity come as text, for their readers to refuse.

    Raises:
        InputError: it is no JSON, with the line; or it is too large or too deep.
    """
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError([Problem(f"is not valid JSON: {error.msg}", file=shown, line=error.lineno)]) from error
    except (ValueError, RecursionError) as error:
        raise InputError([Problem("is not valid JSON: nested too deeply, or a number too long", file=shown)]) from error
    return parse_document(text.replace("\t", " "), shown)  # tabs are space in JSON, and not in YAML


def field_of(document: Document, path: tuple[str | int, ...], faults: Faults) -> Any:
    """A value of a document, or None and a fault where it is missing."""
    value = document.data
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            problem = document.problem("is required", path)
            faults.add(problem.message, problem.line, problem.path)
            return None
    return value
