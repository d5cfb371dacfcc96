"""Mermaid: a flowchart that renders in a README."""

from __future__ import annotations

from collections.abc import Iterable

from placer.export.diagram import Node, diagram_of
from placer.instance.compiled import Compiled
from placer.plan.plan import Plan

FILE = "plan.mmd"
_SAFE = set(" .,:/()_-+%*=…")
_SHAPES = {"fragment": ('["', '"]'), "source": ('(["', '"])'), "sink": ('(["', '"])')}


def write(plan: Plan, compiled: Compiled) -> dict[str, str]:
    """Return the diagram of a plan by path."""
    diagram = diagram_of(plan, compiled)
    lines = [f"%% {_comment(diagram.title)}", "flowchart LR"]
    for number, (device, nodes) in enumerate(diagram.devices):
        lines.append(f'  subgraph device{number}["{escape(device)}"]')
        lines += [f"    {node.id}{_shape(node)}" for node in nodes]
        lines.append("  end")
    for edge in diagram.edges:
        arrow = "-->" if edge.crosses else "-.->"
        lines.append(f'  {edge.tail} {arrow}|"{_joined(edge.lines)}"| {edge.head}')
    return {FILE: "\n".join(lines) + "\n"}


def escape(text: str) -> str:
    """Return text as Mermaid shows it literally: whatever might mean something becomes a character code."""
    return "".join(c if c in _SAFE or (c.isascii() and c.isalnum()) else f"#{ord(c)};" for c in text)


def _joined(lines: Iterable[str]) -> str:
    return "<br/>".join(escape(line) for line in lines)


def _shape(node: Node) -> str:
    before, after = _SHAPES[node.kind]
    return before + _joined(node.lines) + after


def _comment(text: str) -> str:
    # %%{ would begin a directive, and a line break end the comment
    return "".join(c if c.isprintable() and c not in "{}" else " " for c in text)
