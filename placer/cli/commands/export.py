"""``placer export``."""

from __future__ import annotations

from pathlib import Path

import click

from placer import api
from placer.cli.common import instance_option, json_option, print_json
from placer.cli.parameters import FILE, FILE_OR_NAME


@click.command("export")
@click.argument("plan_file", metavar="PLAN", type=FILE_OR_NAME)
@click.option("-o", "--output", type=FILE, required=True, help="Folder to write.")
@click.option("--format", "formats", multiple=True, help="kubernetes, compose, mermaid, dot, plan; all when left out.")
@click.option("--image", help="Container image of the node program, when the instance names none.")
@click.option("--force", is_flag=True, help="Replace an earlier export in that folder.")
@click.option("--stale-ok", is_flag=True, help="Export although the instance has changed since.")
@instance_option
@json_option
def command(
    plan_file: str,
    output: Path,
    formats: tuple[str, ...],
    image: str | None,
    force: bool,
    stale_ok: bool,
    instance: str | None,
    as_json: bool,
) -> int:
    """Write what the nodes run: manifests and diagrams of PLAN. Refuses a plan that violates a limit."""
    written = api.export(plan_file, output, formats, instance=instance, image=image, force=force, stale_ok=stale_ok)
    if as_json:
        print_json({"folder": str(output), "files": [str(path) for path in written]})
    else:
        click.echo(f"{len(written)} files written to {output}")
    return 0
