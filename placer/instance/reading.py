"""YAML and JSON files as plain data that remembers its lines; and pydantic's errors told in the user's words."""

from __future__ import annotations

import difflib
import json
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from placer.errors import InputError, Problem
from placer.instance.tree import DEEPEST, PathParts, TreeBuilder, json_path

LARGEST_FILE = 8 * 2**20
_MOST_PROBLEMS = 50

Model = TypeVar("Model", bound="Strict")

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Strict(BaseModel):
    """Base of everything read from a file: frozen, no unknown keys.

    A class is compiled when it is first used, as most commands use a few; docstrings beneath fields become text of the
    JSON schema in :mod:`placer.instance.descriptions`.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        defer_build=True,
        allow_inf_nan=False,
        protected_namespaces=(),
    )

    @classmethod
    def keys(cls) -> list[str]:
        """Return the keys that a file may hold."""
        return [info.alias or name for name, info in cls.model_fields.items()]


@dataclass(frozen=True)
class Document:
    """Plain data read from a file.

    Attributes:
        data: what the file says: dict, list, str, int, float, bool or None.
        lines: 1-based line of each path in the data.
        file: the file as the user named it.
    """

    data: Any
    lines: Mapping[PathParts, int]
    file: str

    def problem(self, message: str, path: PathParts = ()) -> Problem:
        """Return a problem addressed at ``path``, with the line of its nearest known ancestor."""
        at = path
        while at not in self.lines and at:
            at = at[:-1]
        return Problem(message, json_path(path), self.file, self.lines.get(at))


def read_text(path: Path, shown: str, largest: int = LARGEST_FILE) -> str:
    """Return the text of a file of at most ``largest`` bytes.

    Raises:
        InputError: when it is missing, no regular file, too large, or not UTF-8.
    """
    try:
        # line ends as open() takes them: a carriage return ends a line too
        return read_bytes(path, shown, largest).decode().replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise InputError([Problem(f"is not UTF-8 text (byte {error.start})", file=shown)]) from error


def read_bytes(path: Path, shown: str, largest: int = LARGEST_FILE) -> bytes:
    """Return the content of a file of at most ``largest`` bytes.

    Raises:
        InputError: when it is missing, no regular file or too large.
    """
    try:
        if path.exists() and not path.is_file():
            raise InputError([Problem("is not a file", file=shown)])
        if path.stat().st_size > largest:
            raise InputError([Problem(f"is larger than {largest // 2**20} MiB", file=shown)])
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError([Problem(f"cannot be read: {reason}", file=shown)]) from error


def read_json(path: Path, shown: str) -> Any:
    """Return the plain data of a JSON file: the fast way for large ones, which knows lines of syntax errors only.

    Raises:
        InputError: when it cannot be read or is no JSON: NaN and doubled keys are none either.
    """
    try:
        return json.loads(read_text(path, shown), object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise InputError([Problem(f"is not valid JSON: {error.msg}", file=shown, line=error.lineno)]) from error
    except (ValueError, RecursionError) as error:
        reason = "is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InputError([Problem(f"is not valid JSON: {reason}", file=shown)]) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for position, (key, _) in enumerate(pairs) if key in dict(pairs[:position]))
        raise ValueError(f"duplicate key {brief(twice)}")
    return found


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")


def read_document(path: Path, shown: str | None = None) -> Document:
    """Read a YAML (or JSON, its subset) file into plain data with line numbers.

    Raises:
        InputError: for anything that is not one plain YAML document.
    """
    shown = shown or str(path)
    return parse_document(read_text(path, shown), shown)


def parse_document(text: str, shown: str) -> Document:
    """Like :func:`read_document`, from text; ``shown`` is the name used in messages."""
    builder = TreeBuilder(shown)
    try:
        for event in yaml.parse(text, Loader=_Loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        message = f"is not valid YAML: {error.problem or error.context}"
        if "nesting depth" in message:  # newer parsers stop by themselves, far deeper than we do
            message = f"is nested more than {DEEPEST} levels deep"
        raise InputError([Problem(message, file=shown, line=line)]) from error
    except (yaml.YAMLError, ValueError) as error:
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError([Problem(f"is not valid YAML: {first_line}", file=shown)]) from error
    return Document(builder.root, builder.lines, shown)


def validate(model: type[Model], document: Document) -> Model:
    """Return the document as ``model``, or raise every problem found in it.

    Raises:
        InputError: all problems, each with line, path, value and what is allowed.
    """
    if not isinstance(document.data, dict):
        raise InputError([document.problem(f"expected a mapping, got {kind_of(document.data)}")])
    try:
        return model.model_validate(document.data, context={"from_file": True})
    except ValidationError as error:
        raise InputError(_of_another_kind(model, document) or problems_of(error, model, document)) from error


def _of_another_kind(model: type[BaseModel], document: Document) -> list[Problem]:
    """The one problem of a file that is something else: what it lacks as this says nothing more."""
    field, given = model.model_fields.get("format"), document.data.get("format")
    wanted = "" if field is None else str(next(iter(typing.get_args(field.annotation)), ""))
    parts = given.split("/") if isinstance(given, str) else []
    if len(parts) != 3 or parts[0] != "placer" or parts[1] == wanted.split("/")[1:2][0]:
        return []
    return [document.problem(f"is a {given}, where a {wanted} is wanted", ("format",))]


def problems_of(error: ValidationError, model: type[BaseModel], document: Document) -> list[Problem]:
    """Translate pydantic's errors into problems with lines and suggestions."""
    details = [detail for detail in error.errors(include_url=False) if not _is_echo(detail)]
    problems = [
        document.problem(_message(detail, model), _data_path(detail["loc"], document))
        for detail in details[:_MOST_PROBLEMS]
    ]
    if len(details) > _MOST_PROBLEMS:
        problems.append(document.problem(f"and {len(details) - _MOST_PROBLEMS} more problems"))
    return problems


def _is_echo(detail: Any) -> bool:
    """Whether pydantic calls a list too short only because it left out the entries that it refused."""
    given = detail.get("input")
    return detail["type"] == "too_short" and isinstance(given, list) and len(given) >= detail["ctx"]["min_length"]


def _data_path(location: PathParts, document: Document) -> PathParts:
    """Keep the parts of pydantic's location that exist in the data (it adds names of validators)."""
    value: Any = document.data
    path: list[str | int] = []
    for position, part in enumerate(location):
        in_list = isinstance(value, list) and isinstance(part, int) and part < len(value)
        if in_list or (isinstance(value, dict) and part in value):
            value = value[part]
        elif isinstance(value, dict) and position == len(location) - 1 and isinstance(part, str):
            path.append(part)  # a missing key
            break
        else:
            continue
        path.append(part)
    return tuple(path)


def _message(detail: Any, model: type[BaseModel]) -> str:
    kind, value = detail["type"], detail.get("input")
    if kind == "extra_forbidden":
        allowed = known_keys(model, detail["loc"][:-1])
        return unknown("key", str(detail["loc"][-1]), allowed)
    if kind == "missing":
        return "is required"
    if kind in ("quantity", "value_error", "reference"):
        return str(detail["msg"]).removeprefix("Value error, ")
    message = str(detail["msg"])
    return f"{message[0].lower()}{message[1:]}, got {brief(value)}"


def brief(value: Any) -> str:
    """Show a value in a message: its kind where it is a collection, cut where it is long."""
    if isinstance(value, dict | list):
        return kind_of(value)
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def kind_of(value: Any) -> str:
    """Name the kind of a value as a person who writes YAML would."""
    names: list[tuple[Any, str]] = [
        (bool, "a truth value"),
        (dict, "a mapping"),
        (list, "a list"),
        (str, "text"),
        (int | float, "a number"),
    ]
    return next((name for kind, name in names if isinstance(value, kind)), "nothing")


def unknown(what: str, name: str, allowed: Sequence[str]) -> str:
    """Say that ``name`` is not known, with the nearest known name or all that are allowed."""
    shown = name if len(name) <= 60 else name[:57] + "..."
    near = difflib.get_close_matches(name, allowed, n=1, cutoff=0.6)
    text = f"unknown {what} '{shown}'"
    if near:
        text += f"; did you mean '{near[0]}'?"
    listed = ", ".join(sorted(allowed)[:30]) + (", …" if len(allowed) > 30 else "")
    return text + (f" (allowed: {listed})" if allowed else " (none is allowed here)")


def known_keys(model: type[BaseModel], location: PathParts) -> list[str]:
    """Return the keys that the model allows at a location in the data."""
    current: Any = model
    for part in location:
        if isinstance(current, type) and issubclass(current, BaseModel):
            info = current.model_fields.get(str(part))
            if info is None:
                continue
            current = _inner(info.annotation)
        elif isinstance(part, int) or current is not None:
            current = _inner(current)
    return current.keys() if isinstance(current, type) and issubclass(current, Strict) else []


def _inner(annotation: Any) -> Any:
    """Return the model class inside an annotation such as ``tuple[Device, ...] | None``."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation
    for argument in typing.get_args(annotation):
        found = _inner(argument)
        if isinstance(found, type) and issubclass(found, BaseModel):
            return found
    return None
