"""``placer export``."""

from __future__ import annotations

from pathlib import Path

import click

from placer.cli.common import instance_option, json_option, open_plan, print_json
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
    from placer.errors import InfeasibleError
    from placer.evaluation.evaluate import evaluate
    from placer.export.folder import FORMATS, export, probe

    plan, compiled, fresh = open_plan(plan_file, instance)
    probe(output, force)
    if not fresh and not stale_ok:
        raise InfeasibleError("the instance has changed since the plan was made", tip="plan again, or --stale-ok")
    violations = evaluate(plan, compiled).violations
    if violations:
        raise InfeasibleError("the plan violates a limit: " + violations[0].message, tip="placer check says all")
    written = export(plan, compiled, output, formats or tuple(FORMATS), image=image, force=force)
    if as_json:
        print_json({"folder": str(output), "files": [str(path) for path in written]})
    else:
        click.echo(f"{len(written)} files written to {output}")
    return 0
