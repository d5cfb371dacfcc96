"""The points of a sweep: the instance's document once per combination of values, each checked as a file is."""

from __future__ import annotations

import copy
import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from placer.errors import InputError, Problem
from placer.instance.library import Library, locate
from placer.instance.ranges import MOST_VALUES, Value, split_option
from placer.instance.reading import Document, read_document, validate
from placer.instance.resolving import resolve
from placer.instance.schema import InstanceFile
from placer.instance.tree import PathParts
from placer.sweep.paths import find, set_value, value_at

_UNIT = re.compile(r"^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?\s*(.*?)\s*$")


@dataclass(frozen=True)
class Axis:
    """One varied field.

    Attributes:
        path: as the user named it.
        targets: where it stands in the document; several for a path with ``*``.
        values: per value what is written at each target.
        shown: per value what people and tables see.
        numbers: per value its number in the unit of ``unit``; NaN for values that are none.
        unit: the unit that all values share; empty when they share none.
        logarithmic: whether the values are spaced evenly in their logarithm.
    """

    path: str
    targets: tuple[PathParts, ...]
    values: tuple[tuple[Any, ...], ...]
    shown: tuple[str, ...]
    numbers: tuple[float, ...]
    unit: str
    logarithmic: bool

    def label(self, index: int) -> str:
        """Return a value for people: six digits where they tell the values apart."""
        if math.isnan(self.numbers[index]) or len({f"{number:.6g}" for number in self.numbers}) < len(self.numbers):
            return self.shown[index]
        return f"{self.numbers[index]:.6g} {self.unit}".strip()


@dataclass(frozen=True)
class Point:
    """One point of the grid.

    Attributes:
        number: position in the order of the sweep.
        index: per axis the index of its value.
        data: plain data of the instance there.
    """

    number: int
    index: tuple[int, ...]
    data: Any


@dataclass(frozen=True)
class Grid:
    """What a sweep plans: checked documents in the order in which they are compared.

    Attributes:
        axes: the varied fields.
        points: the first axis runs fastest, so that neighbours on a line follow each other.
        library: what the documents refer to, already read: other machines need no file.
        path: the instance file.
        name: name of the instance.
    """

    axes: tuple[Axis, ...]
    points: tuple[Point, ...]
    library: Library
    path: Path
    name: str


def read_grid(argument: str | Path, vary: Sequence[str]) -> Grid:
    """Read an instance and make the points of its sweep.

    Args:
        argument: path or shipped name of the instance.
        vary: one ``PATH=VALUES`` per field.

    Raises:
        InputError: for an unknown path, bad values, or a point that is no valid instance, with the point as the tip.
    """
    path = locate(str(argument), "instance")
    document = read_document(path, str(argument) if Path(argument) == path else str(path))
    if not vary:
        raise InputError("nothing to vary", tip="--vary services.NAME.arrivals=1:20:20")
    axes = tuple(_axis(document, option) for option in vary)
    _refuse_overlaps(axes)
    count = math.prod(len(axis.values) for axis in axes)
    if count > MOST_VALUES:
        raise InputError(f"the grid has {count} points; at most {MOST_VALUES} are allowed")
    library = Library(path.parent)
    points, name = [], ""
    # the first axis runs fastest
    slow_first = itertools.product(*(range(len(axis.values)) for axis in reversed(axes)))
    for number, reversed_index in enumerate(slow_first):
        index = tuple(reversed(reversed_index))
        data = point_data(document.data, axes, index)
        name = _checked(data, document, library, path, axes, index)
        points.append(Point(number, index, data))
    return Grid(axes, tuple(points), library, path, name)


def point_data(base: Any, axes: Sequence[Axis], index: Sequence[int]) -> Any:
    """Return a copy of the document with the values of a point set."""
    data = copy.deepcopy(base)
    for axis, position in zip(axes, index, strict=True):
        for target, value in zip(axis.targets, axis.values[position], strict=True):
            set_value(data, target, value)
    return data


def _axis(document: Document, option: str) -> Axis:
    path, values = split_option(option)
    try:
        targets = tuple(find(document.data, path))
    except InputError as error:
        raise InputError(f"--vary {error.message}", tip=error.tip) from error
    standing = [value_at(document.data, target) for target in targets]
    for target, value in zip(targets, standing, strict=True):
        if isinstance(value, dict | list):
            kind = "a list" if isinstance(value, list) else "a mapping"
            raise InputError([document.problem(f"--vary {path}: is {kind}; name one value in it", target)])
    written = tuple(tuple(_written(value, base) for base in standing) for value in values.items)
    units = {unit for row in written for unit in [_unit_of(item) for item in row]}
    unit = units.pop() if len(units) == 1 else ""
    # values in several units have no common number line
    numeric = not units and all(value.number is not None for value in values.items)
    numbers = tuple(value.number if numeric and value.number is not None else math.nan for value in values.items)
    shown = tuple(_shown(row, value) for row, value in zip(written, values.items, strict=True))
    return Axis(path, targets, written, shown, numbers, unit, values.logarithmic)


def _written(value: Value, standing: Any) -> Any:
    """What to write for a value, as a person would: with the unit that stands there when none is given."""
    if value.number is None:
        return {"true": True, "false": False}.get(value.text.lower(), value.text)
    unit = value.unit if value.unit is not None else _unit_of(standing)
    if unit:
        return f"{value.text} {unit}"
    whole = re.fullmatch(r"[+-]?\d{1,18}", value.text)
    return int(value.text) if whole else value.number


def _shown(written: tuple[Any, ...], value: Value) -> str:
    """A value as YAML has it; without a unit where the targets do not share one."""
    first = written[0]
    if isinstance(first, bool):
        return str(first).lower()
    return str(first) if all(item == first for item in written) else value.text


def _unit_of(standing: Any) -> str:
    """The unit of a quantity as it is written; empty for a bare number or nothing."""
    found = _UNIT.match(standing) if isinstance(standing, str) else None
    return found[1] if found else ""


def _refuse_overlaps(axes: Sequence[Axis]) -> None:
    """Two axes that set the same field, or one inside the other, would silently undo each other."""
    for one, other in itertools.combinations(axes, 2):
        for a, b in itertools.product(one.targets, other.targets):
            if a[: len(b)] == b or b[: len(a)] == a:
                raise InputError(f"--vary {one.path} and --vary {other.path} set the same field")


def _checked(
    data: Any, document: Document, library: Library, path: Path, axes: Sequence[Axis], index: tuple[int, ...]
) -> str:
    """Check a point as a file is checked; return the name of its instance."""
    here = Document(data, document.lines, document.file)
    try:
        return resolve(validate(InstanceFile, here), library, here, path).name
    except InputError as error:
        at = ", ".join(f"{axis.path} = {axis.label(i)}" for axis, i in zip(axes, index, strict=True))
        problems: Sequence[Problem] = error.problems
        raise InputError(problems, tip=f"at the point {at}") from error
