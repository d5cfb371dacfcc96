"""Plain data as readable YAML and JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import yaml

_PLAIN = re.compile(r"[A-Za-z/](?:[A-Za-z0-9_./@=-]|:(?=\S)|\s(?=[A-Za-z0-9(]))*")
_RESERVED = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}


class _Dumper(yaml.SafeDumper):
    """Block style; lists indented below their key; no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # YAML 1.1 and 1.2 and their many readers disagree on what is a number or a truth value (1e3, 0o7, 12:30,
    # no): whatever is not plainly a word is quoted
    style: str | None = '"'
    if "\n" in text:
        style = "|"
    elif _PLAIN.fullmatch(text) and text.lower() not in _RESERVED:
        style = None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def yaml_text(documents: Sequence[Any], comment: str = "") -> str:
    """Return one YAML file of the documents, keys in the order given, headed by a comment."""
    head = "".join(f"# {line}\n" for line in comment.splitlines())
    bodies = [
        yaml.dump(item, Dumper=_Dumper, sort_keys=False, width=10_000, default_flow_style=False, allow_unicode=True)
        for item in documents
    ]
    return head + "---\n".join(bodies)


def json_text(data: Any) -> str:
    """Return readable JSON; ASCII only, so that no reader can mistake its encoding."""
    return json.dumps(data, indent=2, allow_nan=False) + "\n"
