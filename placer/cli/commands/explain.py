"""``placer explain``."""

from __future__ import annotations

import click

from placer.api import compiled_of
from placer.cli.common import json_option, print_json
from placer.cli.parameters import FILE_OR_NAME, SECONDS


@click.command("explain")
@click.argument("instance", type=FILE_OR_NAME)
@click.option("--time-limit", type=SECONDS, default=60.0, show_default=True, help="Seconds, in all.")
@json_option
def command(instance: str, time_limit: float, as_json: bool) -> int:
    """Say why INSTANCE is infeasible: constraints that clash, and what single change repairs it."""
    from placer.planning.explain import explain
    from placer.solver.progress import Limits

    compiled = compiled_of(instance)
    found = explain(compiled, Limits(seconds=time_limit))
    if as_json:
        print_json(found)
    elif found.feasible:
        click.echo(f"{compiled.instance.name} is feasible: a plan exists")
    else:
        click.echo(f"{compiled.instance.name} is infeasible. These cannot hold together:")
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
    return 0 if found.feasible else 1
