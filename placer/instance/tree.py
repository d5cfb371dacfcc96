"""Plain data from the events of a YAML parser: no tags, no aliases, no duplicate keys, bounded depth and size.

A walk of our own, because it must refuse what a constructor would accept silently (duplicate keys, YAML 1.1's ``yes``
as a truth value) and bound what a hostile file may cost (depth, size, aliases).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from placer.errors import InputError, Problem

LARGEST_TREE = 400_000
DEEPEST = 40

PathParts = tuple[str | int, ...]
_INT = re.compile(r"^[-+]?[0-9]{1,18}$")
_FLOAT = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?$")
_SPECIAL = {".inf": float("inf"), "+.inf": float("inf"), "-.inf": float("-inf"), ".nan": float("nan")}


def json_path(parts: PathParts) -> str:
    """Return ``$.devices[2].memory`` for ``("devices", 2, "memory")``."""
    text = "$"
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", part):
            text += f".{part}"
        else:
            text += f"[{json.dumps(part)[:80]}]"
    return text


@dataclass
class TreeBuilder:
    """Builds plain data from parser events without recursion."""

    file: str
    root: Any = None
    lines: dict[PathParts, int] = field(default_factory=dict)
    documents: int = 0
    nodes: int = 0
    stack: list[tuple[Any, PathParts]] = field(default_factory=list)
    key: list[str | None] = field(default_factory=list)

    def fail(self, message: str, event: Any) -> InputError:
        """Return the error of an event, addressed at what holds it."""
        line = event.start_mark.line + 1
        path = self.stack[-1][1] if self.stack else ()
        return InputError([Problem(message, json_path(path), self.file, line)])

    def take(self, event: Any) -> None:
        """Take the parser's next event.

        Raises:
            InputError: for what is not allowed.
        """
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise self.fail("holds more than one YAML document; one is allowed", event)
        elif isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise self.fail("YAML anchors and aliases are not allowed here; write the value out", event)
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._open({} if isinstance(event, yaml.MappingStartEvent) else [], event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self.stack.pop()
            self.key.pop()

    def _count(self, event: Any) -> None:
        self.nodes += 1
        if self.nodes > LARGEST_TREE:
            raise self.fail(f"holds more than {LARGEST_TREE} values", event)
        if event.tag is not None and event.tag != "tag:yaml.org,2002:str":
            raise self.fail(f"YAML tags are not allowed: {event.tag[:60]}", event)

    def _scalar(self, event: Any) -> None:
        self._count(event)
        if self.stack and isinstance(self.stack[-1][0], dict) and self.key[-1] is None:
            container = self.stack[-1][0]
            if event.value in container:
                raise self.fail(f"duplicate key '{event.value[:60]}'", event)
            self.key[-1] = event.value
            return
        self._attach(_plain(event.value) if event.implicit[0] else event.value, event)

    def _open(self, container: Any, event: Any) -> None:
        self._count(event)
        if self.stack and isinstance(self.stack[-1][0], dict) and self.key[-1] is None:
            raise self.fail("a key must be plain text", event)
        if len(self.stack) >= DEEPEST:
            raise self.fail(f"is nested more than {DEEPEST} levels deep", event)
        path = self._attach(container, event)
        self.stack.append((container, path))
        self.key.append(None)

    def _attach(self, value: Any, event: Any) -> PathParts:
        if not self.stack:
            self.root = value
            path: PathParts = ()
        else:
            container, parent = self.stack[-1]
            if isinstance(container, dict):
                key = self.key[-1]
                assert key is not None
                container[key] = value
                self.key[-1] = None
                path = (*parent, key)
            else:
                container.append(value)
                path = (*parent, len(container) - 1)
        self.lines[path] = event.start_mark.line + 1
        return path


def _plain(text: str) -> Any:
    """Resolve an unquoted scalar by the YAML 1.2 core schema (``yes`` stays text)."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if _INT.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return _SPECIAL.get(text.lower(), text)
