"""``placer show``."""

from __future__ import annotations

from pathlib import Path

import click

from placer.api import open_plan
from placer.cli.common import claim_output, instance_option, json_option, print_json
from placer.cli.parameters import FILE, FILE_OR_NAME
from placer.errors import InputError


@click.command("show")
@click.argument("thing", type=FILE_OR_NAME)
@click.option("--picture", type=FILE, help="Draw it to an .svg or .png file.")
@click.option("--force", is_flag=True, help="Overwrite an existing picture.")
@click.option("--yaml", "as_yaml", is_flag=True, help="Print its file, to copy and change.")
@instance_option
@json_option
def command(thing: str, picture: Path | None, force: bool, as_yaml: bool, instance: str | None, as_json: bool) -> int:
    """Show THING: an instance, a model, a device type, a radio, a runtime or a plan; a file or a shipped name."""
    from placer.cli.output.show import identify, show_entry, show_instance, show_plan
    from placer.instance.reading import read_text

    if as_yaml and (as_json or picture is not None or instance is not None):
        raise click.UsageError("--yaml prints a file as it is: it takes no --json, --picture or --instance")
    drawing = claim_output(picture, force)
    kind, path = identify(thing)
    if as_yaml:
        if kind == "plan":
            raise InputError("a plan is JSON, and its file is what there is to copy", tip="--json prints what it does")
        click.echo(read_text(path, thing), nl=False)
        return 0
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
