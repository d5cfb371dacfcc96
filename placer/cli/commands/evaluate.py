"""``placer evaluate``."""

from __future__ import annotations

import click

from placer.api import open_plan
from placer.cli.common import evaluation_json, instance_option, json_option, print_json
from placer.cli.parameters import FILE_OR_NAME


@click.command("evaluate")
@click.argument("plan_file", metavar="PLAN", type=FILE_OR_NAME)
@instance_option
@json_option
def command(plan_file: str, instance: str | None, as_json: bool) -> int:
    """Show what PLAN does, per service and device. Exit code 1 when it violates a limit."""
    from placer.evaluation.evaluate import evaluate

    opened = open_plan(plan_file, instance)
    plan, compiled, fresh = opened.plan, opened.compiled, opened.fresh
    evaluation = evaluate(plan, compiled)
    if as_json:
        print_json({**evaluation_json(evaluation), "fresh": fresh})
    else:
        from placer.cli.output import plan as report

        out = report.console()
        report.print_metrics(evaluation, out)
        report.print_checks(evaluation, out)
        if not fresh:
            out.print("the instance has changed since the plan was made")
    return evaluation.exit_code
