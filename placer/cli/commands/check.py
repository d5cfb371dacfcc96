"""``placer check``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from placer.api import compiled_of, open_plan
from placer.cli.common import by_option, instance_option, json_option
from placer.cli.parameters import FILE_OR_NAME

if TYPE_CHECKING:
    from placer.evaluation.evaluate import By


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
@by_option
@click.option("--simulate", "simulated", is_flag=True, help="The same as --by simulation.")
@click.option("--replications", type=click.IntRange(2, 100_000), help="With --by simulation.  [default: 10]")
@click.option("--jobs", type=click.IntRange(100, 10**9), help="With --by simulation: of each.  [default: 100000]")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Of whatever simulates.")
@click.option("--stale-ok", is_flag=True, help="Judge a plan although its instance has changed since.")
@json_option
def command(
    plan_files: tuple[str, ...],
    instance: str | None,
    format_: str,
    by: By,
    simulated: bool,
    replications: int | None,
    jobs: int | None,
    seed: int,
    stale_ok: bool,
    as_json: bool,
) -> int:
    """Judge each PLAN: exit code 0 when every limit is kept, 1 when not (or the plan is stale), 2 for bad input.

    Exit code 3 when a limit is undecided: it lies inside the interval of what was simulated. An instance in the place
    of a PLAN is read and validated, with all that it names; nothing is planned.
    """
    from placer.cli.output.check import REPORTERS, Judgement, exit_code
    from placer.evaluation.checks import Check
    from placer.evaluation.evaluate import evaluate
    from placer.evaluation.runs import Effort, Runs
    from placer.instance.library import is_instance

    if simulated:
        by = "simulation"
    if by != "simulation" and (jobs is not None or replications is not None):
        raise click.UsageError("--jobs and --replications belong to --by simulation")
    runs, effort = Runs(jobs or Runs.jobs, replications or Runs.replications, seed), Effort(seed=seed)
    judgements = []
    alone = {plan_file for plan_file in plan_files if is_instance(plan_file)}
    if len(alone) == len(set(plan_files)) and (instance or simulated or by != "verdict" or stale_ok or seed):
        raise click.UsageError(
            "an instance is only validated: --instance, --by, --simulate, --seed and --stale-ok judge plans"
        )
    for plan_file in plan_files:
        if plan_file in alone:
            compiled = compiled_of(plan_file)
            size = f"{len(compiled.device_names)} device(s), {len(compiled.service_variants)} service(s)"
            valid = Check("instance", plan_file, "ok", f"the instance is valid: {size}")
            judgements.append(Judgement(plan_file, "none", (valid,)))
            continue
        opened = open_plan(plan_file, instance)
        plan, compiled, fresh = opened.plan, opened.compiled, opened.fresh
        state = Check("stale", plan_file, "ok", "the instance is the one that the plan was made from")
        if not fresh:
            message = "the instance has changed since the plan was made (its hash differs)"
            state = Check("stale", plan_file, "waived" if stale_ok else "violated", message)
        if fresh or stale_ok:
            evaluation = evaluate(plan, compiled, by, runs, effort)
            checks = (state, *evaluation.checks)
            judgements.append(Judgement(plan_file, evaluation.evaluator, checks, evaluation.warnings))
        else:
            judgements.append(Judgement(plan_file, "none", (state,)))
    click.echo(REPORTERS["json" if as_json else format_](judgements), nl=False)
    return exit_code(judgements)
