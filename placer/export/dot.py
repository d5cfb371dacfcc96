"""Graphviz DOT: the diagram of a plan for paper."""

from __future__ import annotations

from collections.abc import Iterable

from placer.export.diagram import diagram_of
from placer.instance.compiled import Compiled
from placer.plan.plan import Plan

FILE = "plan.dot"
_SHAPES = {"fragment": "box", "source": "ellipse", "sink": "ellipse"}


def write(plan: Plan, compiled: Compiled) -> dict[str, str]:
    """Return the diagram of a plan by path."""
    diagram = diagram_of(plan, compiled)
    lines = [
        "digraph plan {",
        f'  graph [rankdir=LR, fontname="Helvetica", label={quote([diagram.title])}];',
        '  node [fontname="Helvetica", fontsize=11];',
        '  edge [fontname="Helvetica", fontsize=9];',
    ]
    for number, (device, nodes) in enumerate(diagram.devices):
        lines += [f"  subgraph cluster_{number} {{", f"    label={quote([device])};"]
        lines += [f"    {node.id} [shape={_SHAPES[node.kind]}, label={quote(node.lines)}];" for node in nodes]
        lines.append("  }")
    for edge in diagram.edges:
        style = "" if edge.crosses else ", style=dashed"
        lines.append(f"  {edge.tail} -> {edge.head} [label={quote(edge.lines)}{style}];")
    return {FILE: "\n".join([*lines, "}"]) + "\n"}


def quote(lines: Iterable[str]) -> str:
    """Return lines as one DOT string: quotes and backslashes stand for themselves."""
    kept = ("".join(c if c.isprintable() else " " for c in line) for line in lines)
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"') for line in kept)
    # Graphviz reads HTML character entities in every label
    return '"' + "\\n".join(line.replace("&", "&amp;") for line in escaped) + '"'
