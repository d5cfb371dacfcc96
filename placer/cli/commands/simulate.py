"""``placer simulate``."""

from __future__ import annotations

import click

from placer import api
from placer.cli.common import evaluation_json, instance_option, json_option, print_json, replication_bar
from placer.cli.parameters import FILE_OR_NAME, Number


@click.command("simulate")
@click.argument("plan_file", metavar="PLAN", type=FILE_OR_NAME)
@click.option("--jobs", type=click.IntRange(100, 10**9), default=100_000, show_default=True, help="Jobs a replication.")
@click.option("--replications", type=click.IntRange(1, 100_000), default=10, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@click.option("--level", type=Number(0.5, 0.9999), default=0.99, show_default=True, help="Confidence.")
@click.option("--relative-half-width", type=Number(1e-5, 1), help="Add replications until it is reached.")
@click.option(
    "--executor", default="processes", show_default=True, help="serial, processes[:N], threads[:N], dask:ADDRESS."
)
@instance_option
@json_option
def command(
    plan_file: str,
    jobs: int,
    replications: int,
    seed: int,
    level: float,
    relative_half_width: float | None,
    executor: str,
    instance: str | None,
    as_json: bool,
) -> int:
    """Simulate PLAN: loss, throughput, response times with intervals, beside the analytic evaluator.

    Exit code 1 when a limit is violated, 3 when a limit lies inside its interval.
    """
    from placer.cli.output import plan as report
    from placer.simulation.executors import open_executor

    with open_executor(executor) as pool, replication_bar(not as_json) as tell:
        found = api.simulate(
            plan_file,
            instance,
            jobs=jobs,
            replications=replications,
            seed=seed,
            level=level,
            relative_half_width=relative_half_width,
            executor=pool,
            progress=tell,
        )
    statuses = {check.status for check in found.evaluation.checks}
    code = 1 if "violated" in statuses else 3 if "undecided" in statuses else 0
    if as_json:
        data = {
            "simulation": evaluation_json(found.evaluation),
            "analytic": evaluation_json(found.analytic),
            "disagreements": found.disagreements,
            "replications": found.result.replications,
            "events": found.result.events,
            "seed": found.result.seed,
            "level": level,
            "exit_code": code,
        }
        print_json(data)
        return code
    out = report.console()
    report.print_times(found.analytic, out)
    report.print_times(found.evaluation, out)
    for line in found.disagreements:
        out.print(f"differs  {line}", markup=False)
    report.print_checks(found.evaluation, out)
    for check in found.evaluation.checks:
        if check.status == "undecided":
            out.print(f"UNDECIDED {check.message}", markup=False)
    return code
