"""``placer plan``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from placer import api
from placer.cli.common import (
    by_option,
    claim_output,
    evaluation_json,
    instance_path,
    json_option,
    list_methods,
    plain,
    print_json,
    progress_bar,
)
from placer.cli.parameters import FILE, FILE_OR_NAME, SECONDS, Number

if TYPE_CHECKING:
    from placer.planning.answer import Answer
    from placer.planning.outcome import Outcome


@click.command("plan")
@click.argument("instance", type=FILE_OR_NAME)
@click.option("-o", "--output", type=FILE, help="Write the plan here (JSON).")
@click.option("--force", is_flag=True, help="Overwrite an existing plan.")
@click.option("--objective", multiple=True, help="Objective; several are taken in order.")
@click.option("--method", default="auto", show_default=True, help="Planner; 'placer plan --methods' lists them.")
@click.option(
    "--methods", is_flag=True, is_eager=True, expose_value=False, callback=list_methods, help="List the planners."
)
@click.option("--time-limit", type=SECONDS, default=60.0, show_default=True, help="Seconds, in all.")
@click.option("--gap", type=Number(0, 1), default=0.0, show_default=True, help="Relative gap to stop at.")
@click.option("--threads", type=click.IntRange(1, 256), default=1, show_default=True, help="Solver threads.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Solver seed.")
@click.option("--nodes", type=click.IntRange(min=1), help="Branch-and-bound nodes (repeatable), not the clock.")
@click.option("--rounds", type=click.IntRange(min=1), help="Loss: rounds of the search (repeatable), not the clock.")
@click.option(
    "--evaluations", type=click.IntRange(min=1), help="Exits, annealing: evaluations (repeatable), not the clock."
)
@click.option("--keep", type=FILE, help="Plan that is deployed; its placement is the start.")
@click.option("--max-moves", type=click.IntRange(min=0), help="With --keep: layers that may move at most.")
@click.option("--admission", is_flag=True, help="Loss: choose rate limits at the sources with the placement.")
@click.option("--scenarios", type=FILE, help="Loss: file of scenarios that one plan must serve.")
@click.option(
    "--robust", type=click.Choice(["mean", "worst"]), default="mean", show_default=True, help="How scenarios count."
)
@click.option(
    "--confirm/--no-confirm", default=None, help="Loss: let a simulation choose among the best candidates (default)."
)
@by_option
@click.option("--write-model", type=FILE, help="Write the ILP as .mps or .lp.")
@json_option
def command(instance: str, output: Path | None, force: bool, as_json: bool, **request: Any) -> int:
    """Find the best placement for INSTANCE (a file or a shipped name) and prove how good it is."""
    from placer.plan.plan import dump_plan

    if request["write_model"] is not None:
        from placer.solver.model_file import check_model_file

        check_model_file(request["write_model"])
    target = claim_output(output, force)
    request["write_model"] = claim_output(request["write_model"], force)
    compiled = api.compiled_of(instance)

    def store(outcome: Outcome) -> None:
        if target is not None:
            target.write(dump_plan(outcome.plan))

    with progress_bar(f"planning {compiled.instance.name}", not as_json) as listener:
        path = instance_path(instance, output)
        answer = api.plan(compiled, path=path, listener=listener, found=store, **request)
    if as_json:
        print_json(_data(answer))
    else:
        from placer.cli.output.plan import print_answer

        print_answer(answer, output)
    return answer.evaluation.exit_code


def _data(answer: Answer) -> dict[str, Any]:
    return {
        "plan": answer.plan.model_dump(mode="json"),
        "evaluation": evaluation_json(answer.evaluation),
        "baselines": {
            one.key: {"title": one.title, "feasible": False, "reason": one.reason}
            if one.outcome is None
            else {
                "title": one.title,
                "feasible": one.outcome.evaluation.feasible,
                **one.outcome.evaluation.objectives,
            }
            for one in answer.baselines
        },
        "scenarios": [{**plain(one), "feasible": one.feasible} for one in answer.scenarios],
        "assumed": answer.assumed,
    }
