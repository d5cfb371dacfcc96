"""Fields of an instance document by names: ``services.plates.arrivals`` instead of ``services[0].arrivals``.

Devices and services go by their name, radios by their technology, links by their ends (``hub-cloud``), every list by
index too; ``*`` is every entry of a list. What may be named is what the schema allows, so that a field that the file
leaves out can be set.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from placer.errors import InputError
from placer.instance.reading import known_keys, unknown
from placer.instance.schema import InstanceFile
from placer.instance.tree import PathParts

EVERY = "*"
_KINDS = {"devices": "device", "services": "service", "radios": "radio", "links": "link"}


def find(data: Any, path: str) -> list[PathParts]:
    """Return where ``path`` points in the document; the last parts may be keys that it does not hold yet.

    Args:
        data: plain data of an instance file.
        path: names joined by dots.

    Raises:
        InputError: with the nearest known name and what is allowed.
    """
    parts = path.split(".")
    if not isinstance(data, dict):
        raise InputError(f"{path}: the instance is no mapping")
    if "" in parts:
        raise InputError(f"'{path}' has an empty part; write names joined by dots, such as services.NAME.arrivals")
    try:
        return list(_walk(data, (), parts))
    except InputError as error:
        raise InputError(f"{path}: {error.message}") from error


def _walk(value: Any, at: PathParts, rest: list[str]) -> Iterator[PathParts]:
    if _is_arrivals(at) and isinstance(value, dict) and not rest:
        yield _rate_of(value, at)
    elif _is_arrivals(at) and value is not None and not isinstance(value, dict) and rest == ["rate"]:
        yield at  # written short, as text: the whole of it is the rate
    elif not rest:
        yield at
    elif _is_list(value, at):
        yield from _into_list(value, at, rest)
    else:
        yield from _into_mapping(value, at, rest)


def _is_arrivals(at: PathParts) -> bool:
    return len(at) == 3 and at[0] == "services" and at[2] == "arrivals"


def _rate_of(arrivals: dict[str, Any], at: PathParts) -> PathParts:
    process = arrivals.get("process", "poisson")
    if process in ("mmpp", "trace"):
        field = "states.INDEX.rate" if process == "mmpp" else "times.INDEX"
        raise InputError(f"the process '{process}' has no rate of its own; name arrivals.{field}")
    return (*at, "rate")


def _is_list(value: Any, at: PathParts) -> bool:
    return isinstance(value, list) or (value is None and bool(at) and str(at[-1]) in _KINDS and len(at) < 3)


def _into_mapping(value: Any, at: PathParts, rest: list[str]) -> Iterator[PathParts]:
    allowed = known_keys(InstanceFile, at)
    if allowed:
        if rest[0] not in allowed:
            raise InputError(unknown("field", rest[0], allowed))
        if value is not None and not isinstance(value, dict):
            shown = ".".join(str(part) for part in at)
            raise InputError(f"{shown} is written as {value!r}, which has no '{rest[0]}'; write it as a mapping there")
        yield from _walk((value or {}).get(rest[0]), (*at, rest[0]), rest[1:])
    elif _is_free_mapping(at):
        # keys of the user's: the longest run of parts that is one, else the next part as a new key
        known = value or {}
        taken = next((n for n in range(len(rest), 0, -1) if ".".join(rest[:n]) in known), 1)
        key = ".".join(rest[:taken])
        yield from _walk(known.get(key), (*at, key), rest[taken:])
    else:
        raise InputError(f"'{at[-1]}' is a single value, so it has no '{'.'.join(rest)}'")


def _is_free_mapping(at: PathParts) -> bool:
    """Whether the schema has a mapping with keys of the user's here (``zones``, ``pins``, ``exits``)."""
    if not at or not isinstance(at[-1], str):
        return False
    owner: Any = InstanceFile
    for part in at[:-1]:
        if isinstance(part, str) and isinstance(owner, type) and issubclass(owner, BaseModel):
            field = owner.model_fields.get(part)
            owner = _model_in(field.annotation) if field is not None else None
    if not (isinstance(owner, type) and issubclass(owner, BaseModel)) or at[-1] not in owner.model_fields:
        return False
    return _mentions(owner.model_fields[at[-1]].annotation, dict)


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    return next(filter(None, map(_model_in, typing.get_args(annotation))), None)


def _mentions(annotation: Any, kind: type) -> bool:
    origin = typing.get_origin(annotation)
    return origin is kind or any(_mentions(argument, kind) for argument in typing.get_args(annotation))


def _into_list(value: list[Any] | None, at: PathParts, rest: list[str]) -> Iterator[PathParts]:
    items = value or []
    kind = _KINDS.get(str(at[-1]), "entry")
    if rest[0] == EVERY and items:
        for index, item in enumerate(items):
            yield from _walk(item, (*at, index), rest[1:])
        return
    names = [_names(item, kind) for item in items]
    # a technology may be a file name with dots in it: the longest run of parts that is a name wins
    for taken in range(len(rest), 0, -1):
        wanted = ".".join(rest[:taken])
        found = [index for index, known in enumerate(names) if wanted in known]
        if len(found) > 1:
            listed = ", ".join(str(index) for index in found)
            raise InputError(f"several {kind}s are called '{wanted}'; name one by its index: {listed}")
        if found:
            yield from _walk(items[found[0]], (*at, found[0]), rest[taken:])
            return
    if rest[0].isascii() and rest[0].isdigit():
        if int(rest[0]) >= len(items):
            raise InputError(f"there is no {kind} {rest[0]}: {len(items)} of them, counted from 0")
        yield from _walk(items[int(rest[0])], (*at, int(rest[0])), rest[1:])
        return
    raise InputError(unknown(kind, rest[0], [known[0] for known in names if known]))


def _names(item: Any, kind: str) -> list[str]:
    """The names by which a list's entry may be called; the first is the one to show."""
    if not isinstance(item, dict):
        return []
    if kind == "link":
        ends = item.get("between")
        if not isinstance(ends, list) or len(ends) != 2:
            return []
        return [f"{ends[0]}-{ends[1]}", f"{ends[1]}-{ends[0]}"]
    name = item.get("technology" if kind == "radio" else "name")
    return [name] if isinstance(name, str) else []


def value_at(data: Any, where: PathParts) -> Any:
    """Return what stands at a path; None when nothing does."""
    for part in where:
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            return None
    return data


def set_value(data: Any, where: PathParts, value: Any) -> None:
    """Set what stands at a path, making the mappings on the way that the file leaves out. Changes ``data``."""
    for position, part in enumerate(where[:-1]):
        if isinstance(data, dict) and data.get(part) is None:
            data[part] = {}
        data = data[part]
        assert isinstance(data, dict | list), where[: position + 1]
    data[where[-1]] = value
