"""``placer export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from placer import api
from placer.cli.common import by_option, instance_option, json_option, print_json
from placer.cli.parameters import FILE, FILE_OR_NAME

if TYPE_CHECKING:
    from placer.evaluation.evaluate import By
    from placer.instance.deployment import PullPolicy


@click.command("export")
@click.argument("plan_file", metavar="PLAN", type=FILE_OR_NAME)
@click.option("-o", "--output", type=FILE, required=True, help="Folder to write.")
@click.option("--format", "formats", multiple=True, help="kubernetes, compose, mermaid, dot, plan; all when left out.")
@click.option("--image", help="Container image of the node program, when the instance names none.")
@click.option(
    "--pull-policy",
    type=click.Choice(["Always", "IfNotPresent", "Never"]),
    help="When nodes pull the image; as the instance says when left out.",
)
@click.option("--force", is_flag=True, help="Replace an earlier export in that folder.")
@click.option("--stale-ok", is_flag=True, help="Export although the instance has changed since.")
@by_option
@instance_option
@json_option
def command(
    plan_file: str,
    output: Path,
    formats: tuple[str, ...],
    image: str | None,
    pull_policy: PullPolicy | None,
    force: bool,
    stale_ok: bool,
    by: By,
    instance: str | None,
    as_json: bool,
) -> int:
    """Write what the nodes run: manifests and diagrams of PLAN. Refuses a plan that violates a limit."""
    written = api.export(
        plan_file,
        output,
        formats,
        instance=instance,
        image=image,
        pull_policy=pull_policy,
        force=force,
        stale_ok=stale_ok,
        by=by,
    )
    if as_json:
        print_json({"folder": str(output), "files": [str(path) for path in written]})
    else:
        click.echo(f"{len(written)} files written to {output}")
    return 0
