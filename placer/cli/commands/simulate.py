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
    "--executor",
    default="auto",
    show_default=True,
    help="auto (threads), serial, processes[:N], threads[:N], dask:ADDRESS.",
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

    Exit code 1 when a limit is violated, 3 when a limit lies inside its interval. Ctrl-C keeps the replications that
    are done; exit code 3 then, and the output says that it is partial.
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
            keep_finished=True,
        )
    seen = found.simulation
    assert seen.simulation is not None
    code = seen.exit_code
    if as_json:
        data = {
            "simulation": evaluation_json(seen),
            "analytic": evaluation_json(found.analytic),
            "disagreements": found.disagreements,
            "replications": seen.simulation.replications,
            "planned": seen.simulation.planned,
            "partial": seen.simulation.partial,
            "events": seen.simulation.events,
            "seed": seen.simulation.seed,
            "level": level,
            "exit_code": code,
        }
        print_json(data)
        return code
    out = report.console()
    report.print_times(found.analytic, out)
    report.print_times(seen, out)
    for line in found.disagreements:
        out.print(f"differs  {line}", markup=False)
    if seen.simulation.partial:
        done = f"{seen.simulation.replications} of {seen.simulation.planned} replications"
        out.print(f"partial: {done}; interrupted", markup=False)
    report.print_checks(seen, out)
    return code
