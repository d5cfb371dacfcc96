"""``placer plan``."""

from __future__ import annotations

from pathlib import Path

import click

from placer.cli.common import (
    claim_output,
    evaluation_json,
    instance_path,
    json_option,
    list_methods,
    open_plan,
    print_json,
    progress_bar,
    read_compiled,
)
from placer.cli.parameters import FILE, FILE_OR_NAME, SECONDS, Number


@click.command("plan")
@click.argument("instance", type=FILE_OR_NAME)
@click.option("-o", "--output", type=FILE, help="Write the plan here (JSON).")
@click.option("--force", is_flag=True, help="Overwrite an existing plan.")
@click.option("--objective", "objectives", multiple=True, help="Objective; several are taken in order.")
@click.option("--method", default="auto", show_default=True, help="Planner; 'placer plan --methods' lists them.")
@click.option(
    "--methods", is_flag=True, is_eager=True, expose_value=False, callback=list_methods, help="List the planners."
)
@click.option("--time-limit", type=SECONDS, default=60.0, show_default=True, help="Seconds.")
@click.option("--gap", type=Number(0, 1), default=0.0, show_default=True, help="Relative gap to stop at.")
@click.option("--threads", type=click.IntRange(1, 256), default=1, show_default=True, help="Solver threads.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Solver seed.")
@click.option("--keep", type=FILE, help="Plan that is deployed; its placement is the start.")
@click.option("--max-moves", type=click.IntRange(min=0), help="With --keep: layers that may move at most.")
@click.option("--admission", is_flag=True, help="Loss: choose rate limits at the sources with the placement.")
@click.option("--scenarios", type=FILE, help="Loss: file of scenarios that one plan must serve.")
@click.option(
    "--robust", type=click.Choice(["mean", "worst"]), default="mean", show_default=True, help="How scenarios count."
)
@click.option("--rounds", type=click.IntRange(min=1), help="Loss: rounds of the search (repeatable), not the clock.")
@click.option("--confirm/--no-confirm", default=True, help="Loss: let a simulation choose among the best candidates.")
@click.option("--write-model", type=FILE, help="Write the ILP as .mps or .lp.")
@json_option
def command(
    instance: str,
    output: Path | None,
    force: bool,
    objectives: tuple[str, ...],
    method: str,
    time_limit: float,
    gap: float,
    threads: int,
    seed: int,
    keep: Path | None,
    max_moves: int | None,
    admission: bool,
    scenarios: Path | None,
    robust: str,
    rounds: int | None,
    confirm: bool,
    write_model: Path | None,
    as_json: bool,
) -> int:
    """Find the best placement for INSTANCE (a file or a shipped name) and prove how good it is."""
    from placer.evaluation.assumptions import assumptions
    from placer.evaluation.objectives import OBJECTIVES
    from placer.plan.plan import dump_plan, to_placement
    from placer.planning.baselines import all_in_the_cloud, best_whole, loss_baselines
    from placer.planning.loss.scenarios import read_scenarios
    from placer.planning.registry import plan
    from placer.planning.request import Options
    from placer.solver.model_file import check_model_file
    from placer.solver.progress import Limits

    if max_moves is not None and keep is None:
        raise click.UsageError("--max-moves needs --keep")
    if write_model is not None:
        check_model_file(write_model)
    target, model = claim_output(output, force), claim_output(write_model, force)
    compiled = read_compiled(instance)
    old = to_placement(open_plan(str(keep), instance)[0], compiled) if keep is not None else None
    limits = Limits(time_limit, gap, threads, seed, rounds)
    states = read_scenarios(scenarios, compiled) if scenarios is not None else ()
    options = Options(
        objectives=objectives,
        method=method,
        limits=limits,
        keep=old,
        max_moves=max_moves,
        write_model=model,
        scenarios=states,
        worst=robust == "worst",
        admission=admission,
        confirm=confirm,
        path=instance_path(instance, output),
    )
    from placer.evaluation.evaluate import evaluate

    with progress_bar(f"planning {compiled.instance.name}", not as_json) as listener:
        outcome = plan(compiled, options, listener)
    if target is not None:
        target.write(dump_plan(outcome.plan))
    evaluation = evaluate(outcome.plan, compiled)
    name = outcome.plan.certificate.objectives[0].name
    if name in ("loss", "accuracy"):
        beside = loss_baselines(compiled, options)
    else:
        whole, cloud = best_whole(compiled, name, limits), all_in_the_cloud(compiled, name)
        beside = {"each service whole on one node": whole, "everything in the cloud": cloud}
    assumed = assumptions(compiled, outcome.placement)
    if as_json:
        titles = {"each service whole on one node": "single_node", "everything in the cloud": "cloud"}
        baselines = {
            titles.get(title, title): None
            if other is None
            else {"feasible": other.evaluation.feasible, **other.evaluation.objectives}
            for title, other in beside.items()
        }
        print_json(
            {
                "plan": outcome.plan.model_dump(mode="json"),
                "evaluation": evaluation_json(evaluation),
                "baselines": baselines,
                "assumed": assumed,
            }
        )
        return 0 if evaluation.feasible else 1
    from placer.cli.output import plan as report

    out = report.console()
    report.print_plan(outcome.plan, out)
    report.print_metrics(evaluation, out)
    report.print_baselines(outcome, beside, name, OBJECTIVES[name].unit, out)
    report.print_checks(evaluation, out)
    report.print_assumptions(assumed, out)
    if output is not None:
        out.print(f"written to {output}", markup=False)
    if not evaluation.feasible:
        out.print("No plan was found that keeps all limits under random arrivals; this one breaks the fewest.")
    return 0 if evaluation.feasible else 1
