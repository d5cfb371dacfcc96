"""``placer init``."""

from __future__ import annotations

import re
from pathlib import Path

import click

from placer.cli.common import claim_output, json_option, print_json
from placer.cli.parameters import FILE
from placer.cli.starters import STARTERS

_NEXT = {
    "instance": "placer plan {file} -o plan.json",
    "device": "name it in an instance beside it, 'type: {name}'",
    "model": "name it in an instance beside it, 'model: {name}'",
}


@click.command("init")
@click.argument("what", metavar="[instance|device|model]", required=False)
@click.argument("file", type=FILE, required=False)
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@json_option
def command(what: str | None, file: Path | None, force: bool, as_json: bool) -> int:
    """Write a commented starter to FILE: an instance (the default), a device type or a model."""
    if what is not None and what not in STARTERS:
        if file is not None:
            raise click.UsageError(f"'{what}' is no kind of file; one of {', '.join(STARTERS)}")
        file = FILE.convert(what, None, click.get_current_context())
        what = "instance"
    kind = what or "instance"
    file = file or Path("instance.yaml" if kind == "instance" else f"my-{kind}.yaml")
    name = re.sub("[^a-z0-9]+", "-", file.stem.lower()).strip("-")[:63].strip("-") or f"my-{kind}"
    target = claim_output(file, force)
    if target is not None:
        target.write(STARTERS[kind].format(file=file.name, name=name))
    if as_json:
        print_json({"written": str(file)})
    else:
        click.echo(f"{file} written; next: {_NEXT[kind].format(file=file, name=name)}")
    return 0
