"""``placer explain``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from placer.api import compiled_of
from placer.cli.common import json_option, print_json
from placer.cli.parameters import FILE, FILE_OR_NAME, SECONDS

if TYPE_CHECKING:
    from placer.instance.compiled import Compiled
    from placer.planning.clashes.deployed import Deployed
    from placer.planning.explain import Explanation


@click.command("explain")
@click.argument("instance", type=FILE_OR_NAME)
@click.option("--time-limit", type=SECONDS, default=60.0, show_default=True, help="Seconds, in all.")
@click.option("--keep", type=FILE, help="Plan that is deployed.")
@click.option("--max-moves", type=click.IntRange(min=0), help="With --keep: layers that may move at most.")
@json_option
def command(instance: str, time_limit: float, keep: Path | None, max_moves: int | None, as_json: bool) -> int:
    """Say why INSTANCE is infeasible: constraints that clash, and what single change repairs it."""
    from placer.planning.explain import explain
    from placer.solver.progress import Limits

    if (keep is None) != (max_moves is None):
        raise click.UsageError("--keep and --max-moves go together: what is deployed, and how much of it may move")
    compiled = compiled_of(instance)
    found = explain(compiled, Limits(seconds=time_limit), _deployed(compiled, keep, max_moves))
    if as_json:
        print_json(found)
    elif found.feasible:
        click.echo(f"{compiled.instance.name} is feasible: a plan exists")
    else:
        _show(compiled.instance.name, found)
    return 0 if found.feasible else 1


def _deployed(compiled: Compiled, keep: Path | None, max_moves: int | None) -> Deployed | None:
    if keep is None or max_moves is None:
        return None
    from placer.api import open_plan
    from placer.plan.plan import to_placement
    from placer.planning.clashes.deployed import Deployed

    return Deployed(to_placement(open_plan(keep, compiled).plan, compiled), max_moves)


def _show(name: str, found: Explanation) -> None:
    click.echo(f"{name} is infeasible. These cannot hold together:")
    for sentence in found.sentences:
        click.echo(f"  {sentence}")
    listed = ", ".join(f"{kind} of {subject}" for kind, subject in found.clash)
    if found.irreducible:
        click.echo(f"Irreducible: without any one of these limits the others can hold ({listed}).")
    if found.repairs or not found.unfinished:
        click.echo("Any one of these changes repairs it:" if found.repairs else "No single change repairs it.")
    for repair in found.repairs:
        click.echo(f"  {repair}")
    if found.unfinished:
        click.echo(f"Unfinished: {found.unfinished}.")
