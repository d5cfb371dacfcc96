"""``placer check``."""

from __future__ import annotations

import click

from placer.api import open_plan
from placer.cli.common import instance_option, json_option
from placer.cli.parameters import FILE_OR_NAME


@click.command("check")
@click.argument("plan_files", metavar="PLAN...", nargs=-1, required=True, type=FILE_OR_NAME)
@instance_option
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "junit", "github"]),
    default="text",
    show_default=True,
)
@click.option("--simulate", "simulated", is_flag=True, help="Judge loss and deadlines by simulation.")
@click.option("--replications", type=click.IntRange(2, 100_000), default=10, show_default=True, help="With --simulate.")
@click.option("--jobs", type=click.IntRange(100, 10**9), default=100_000, show_default=True, help="With --simulate.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="With --simulate.")
@click.option("--stale-ok", is_flag=True, help="Judge a plan although its instance has changed since.")
@json_option
def command(
    plan_files: tuple[str, ...],
    instance: str | None,
    format_: str,
    simulated: bool,
    replications: int,
    jobs: int,
    seed: int,
    stale_ok: bool,
    as_json: bool,
) -> int:
    """Judge each PLAN: exit code 0 when every limit is kept, 1 when not (or the plan is stale), 2 for bad input."""
    from placer.cli.output.check import REPORTERS, Judgement, exit_code
    from placer.evaluation.checks import Check
    from placer.evaluation.evaluate import evaluate
    from placer.evaluation.runs import Runs

    runs = Runs(jobs, replications, seed)
    judgements = []
    for plan_file in plan_files:
        opened = open_plan(plan_file, instance)
        plan, compiled, fresh = opened.plan, opened.compiled, opened.fresh
        state = Check("stale", plan_file, "ok", "the instance is the one that the plan was made from")
        if not fresh:
            message = "the instance has changed since the plan was made (its hash differs)"
            state = Check("stale", plan_file, "waived" if stale_ok else "violated", message)
        if fresh or stale_ok:
            evaluation = evaluate(plan, compiled, "simulation" if simulated else "analytic", runs)
            checks = (state, *evaluation.checks)
            judgements.append(Judgement(plan_file, evaluation.evaluator, checks, evaluation.warnings))
        else:
            judgements.append(Judgement(plan_file, "none", (state,)))
    click.echo(REPORTERS["json" if as_json else format_](judgements), nl=False)
    return exit_code(judgements)
