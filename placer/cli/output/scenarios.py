"""What a plan does in each scenario, as text for people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from placer.cli.output.table import table
from placer.instance.units import show_fraction, show_seconds

if TYPE_CHECKING:
    from rich.console import Console

    from placer.planning.answer import Answer


def print_scenarios(answer: Answer, out: Console) -> None:
    """Print what the plan does in each scenario: loss and response time per service, and whether limits hold there."""
    if not answer.scenarios:
        return
    rows = []
    for one in answer.scenarios:
        kept = "yes" if one.feasible else f"no: {one.violations[0]}"
        name = one.name + (f" (down: {', '.join(one.down)})" if one.down else "")
        for service in one.services:
            known = math.isfinite(service.response_time)
            response = show_seconds(service.response_time) if known else "none completes"
            rows.append((name, service.name, show_fraction(service.loss_ratio), response, kept))
            name = kept = ""
        rows.append(("", "all, weighted mean", show_fraction(one.loss), "", ""))
    figures = ("loss ratio", "mean response time")
    columns = ("scenario", "service", *figures, "keeps all limits")
    out.print(table("In each scenario (analytic evaluator)", columns, rows, right=figures))
