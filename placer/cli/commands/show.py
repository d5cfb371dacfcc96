"""``placer show``."""

from __future__ import annotations

from pathlib import Path

import click

from placer.api import open_plan
from placer.cli.common import claim_output, instance_option, json_option, print_json
from placer.cli.parameters import FILE, FILE_OR_NAME


@click.command("show")
@click.argument("thing", type=FILE_OR_NAME)
@click.option("--picture", type=FILE, help="Draw it to an .svg or .png file.")
@click.option("--force", is_flag=True, help="Overwrite an existing picture.")
@instance_option
@json_option
def command(thing: str, picture: Path | None, force: bool, instance: str | None, as_json: bool) -> int:
    """Show THING: an instance, a model, a device type, a radio or a plan; a file or a shipped name."""
    from placer.cli.output.show import identify, show_entry, show_instance, show_plan

    drawing = claim_output(picture, force)
    kind, path = identify(thing)
    if kind == "plan":
        opened = open_plan(thing, instance)
        plan, compiled = opened.plan, opened.compiled
        data = show_plan(plan, compiled, drawing, as_json)
    elif kind == "instance":
        data = show_instance(thing, drawing, as_json)
    else:
        data = show_entry(kind, path, drawing, as_json)
    if as_json:
        print_json(data)
    return 0
