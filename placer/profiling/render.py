"""Write a model mapping as YAML that stays readable with hundreds of layers: one line a layer."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from json import dumps
from pathlib import Path
from typing import Any

import yaml

from placer.files import write_atomically

_WIDTH = 110
_PLAIN = re.compile(r"[A-Za-z0-9_/(](?:[A-Za-z0-9_ ./%+()'-]*[A-Za-z0-9_./%)'-])?")
_MAY_BE_A_NUMBER = re.compile(r"[0-9.+-]\S*")


def render(model: Mapping[str, Any]) -> str:
    """Return ``model`` as YAML: long text folded, each entry of a list of mappings on a line of its own."""
    lines: list[str] = []
    for key, value in model.items():
        if isinstance(value, str) and len(value) + len(key) + 2 > _WIDTH:
            lines.append(f"{key}: >-")
            lines += textwrap.wrap(value, _WIDTH - 2, initial_indent="  ", subsequent_indent="  ", **_WRAP)
        elif isinstance(value, list) and value and all(isinstance(entry, Mapping) for entry in value):
            lines.append(f"{key}:")
            for entry in value:
                lines += _entry(entry)
        else:
            lines.append(f"{key}: {_flow(value)}")
    return "\n".join(lines) + "\n"


def _entry(entry: Mapping[str, Any]) -> list[str]:
    """An entry of a list on one line, or as a block where it has lists of mappings in it."""
    if not any(isinstance(value, list) and value and isinstance(value[0], Mapping) for value in entry.values()):
        return [f"  - {_flow(entry)}"]
    inner = render(entry).splitlines()
    return [f"  - {inner[0]}", *(f"    {line}" for line in inner[1:])]


def write(model: Mapping[str, Any], path: Path) -> None:
    """Write ``model`` to ``path``, whole or not at all."""
    write_atomically(path, render(model))


_WRAP: Mapping[str, Any] = {"break_on_hyphens": False, "break_long_words": False}


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(entry) for entry in value) + "]"
    if isinstance(value, str):
        return value if _is_plain(value) else dumps(value, ensure_ascii=False)
    return dumps(value)


def _is_plain(text: str) -> bool:
    """Whether YAML reads ``text`` back as the same text without quotes, also inside brackets."""
    if not _PLAIN.fullmatch(text) or _MAY_BE_A_NUMBER.fullmatch(text):
        return False
    resolvers = yaml.SafeLoader.yaml_implicit_resolvers.get(text[0], [])
    return not any(pattern.match(text) for _, pattern in resolvers)
