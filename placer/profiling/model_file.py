"""A model file (``placer/model/1``) from the layers that a profiler found."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from placer._version import __version__
from placer.errors import InputError, Problem
from placer.profiling.naming import label

MODEL_FORMAT = "placer/model/1"
_LONGEST_SOURCE = 4000
_MOST_NAMED = 20


@dataclass(frozen=True)
class Heading:
    """What a user says about a model beside its file.

    Attributes:
        name: name of the model, a DNS label; made from the file's name when left out.
        title: name for people.
        family: key into the measured speeds of device types.
        note: put before what ``source`` says by itself.
    """

    name: str | None = None
    title: str | None = None
    family: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Assumption:
    """An operator that nothing knows how to count.

    Attributes:
        name: of the operator.
        type: its type.
        macs: multiply-accumulates that are assumed for it, one an element.
    """

    name: str
    type: str
    macs: int


def assemble(
    path: Path, heading: Heading, source: str, input_bytes: int, layers: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return the mapping of a model file, checked as whoever reads it will.

    Raises:
        InputError: when the model's own format does not allow it: too large, too many layers, no label.
    """
    result: dict[str, Any] = {"format": MODEL_FORMAT, "name": heading.name or label(path.stem)}
    if heading.title is not None:
        result["title"] = heading.title
    if heading.family is not None:
        result["family"] = heading.family
    source = " ".join(filter(None, [heading.note, source]))
    # names in the graph may be anything; YAML takes printable text
    source = "".join(letter if letter.isprintable() else "?" for letter in source)
    result["source"] = source if len(source) <= _LONGEST_SOURCE else source[: _LONGEST_SOURCE - 2] + " …"
    result["input"] = show_exact(input_bytes, "B")
    result["layers"] = layers
    _expect_readable(result, path)
    return result


def _expect_readable(model: dict[str, Any], path: Path) -> None:
    from placer.instance.model import Model
    from placer.instance.reading import parse_document, validate
    from placer.profiling.render import render

    try:
        validate(Model, parse_document(render(model), str(path)))
    except InputError as error:
        problems = [Problem(f"in its profile: {one.message}", one.path, str(path)) for one in error.problems]
        raise InputError(problems) from error


def made_by(path: Path, tools: str, content: bytes) -> str:
    """Return the sentence that says what a profile was made of and with.

    Args:
        path: the file.
        tools: packages and versions beside placer's own.
        content: its bytes.
    """
    digest = hashlib.sha256(content).hexdigest()[:16]
    return f"Made by: placer profile {path.name} (placer {__version__}, {tools}); sha256 of the file {digest}..."


def say_assumptions(assumptions: Sequence[Assumption], total: int) -> str:
    """Return the sentence that names what is counted by assumption, each with its share; empty where nothing is.

    Args:
        assumptions: the operators.
        total: multiply-accumulates of the whole model, theirs included.
    """
    if not assumptions:
        return ""
    largest = sorted(assumptions, key=lambda one: -one.macs)
    named = [f"{one.name[:60]} ({one.type[:40]}) {_share(one.macs, total)}" for one in largest[:_MOST_NAMED]]
    rest = largest[_MOST_NAMED:]
    if rest:
        named.append(f"{len(rest)} more {_share(sum(one.macs for one in rest), total)}")
    share = _share(sum(one.macs for one in assumptions), total)
    return (
        "No count is known for these operators, one multiply-accumulate for each element that they read or make is "
        f"assumed, {share} of the total: {', '.join(named)}."
    )


def _share(part: int, total: int) -> str:
    return f"{100 * part / total:.3g} %" if total else "0 %"


def show_exact(value: int, unit: str) -> str:
    """Return ``value`` with the largest decimal prefix up to mega, every digit kept: ``9.408 kB``."""
    for factor, prefix in ((10**6, "M"), (10**3, "k")):
        if value >= factor:
            return f"{(Decimal(value) / factor).normalize():f} {prefix}{unit}"
    return f"{value} {unit}"
