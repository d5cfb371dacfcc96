"""``placer sweep``."""

from __future__ import annotations

from pathlib import Path

import click

from placer.cli.common import claim_output, json_option, list_methods, print_json, replication_bar
from placer.cli.parameters import FILE, FILE_OR_NAME, SECONDS, Number


@click.command("sweep")
@click.argument("instance", type=FILE_OR_NAME)
@click.option(
    "--vary",
    multiple=True,
    required=True,
    metavar="PATH=VALUES",
    help="Field and values, such as services.NAME.arrivals=1:20:20; start:stop:count[:log] or a list a,b,c, "
    "a unit at the end. Several make a grid.",
)
@click.option("-o", "--output", type=FILE, help="Write the table here (.json or .csv).")
@click.option("--picture", type=FILE, help="Plot it to an .svg, .png or .pdf file.")
@click.option("--force", is_flag=True, help="Overwrite existing files.")
@click.option("--objective", "objectives", multiple=True, help="Objective; several are taken in order.")
@click.option("--method", default="auto", show_default=True, help="Planner; 'placer sweep --methods' lists them.")
@click.option(
    "--methods", is_flag=True, is_eager=True, expose_value=False, callback=list_methods, help="List the planners."
)
@click.option("--time-limit", type=SECONDS, default=60.0, show_default=True, help="Seconds per point.")
@click.option("--gap", type=Number(0, 1), default=0.0, show_default=True, help="Relative gap to stop at.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Of solver, simulation.")
@click.option("--simulate", "simulated", is_flag=True, help="Judge each plan by simulation too.")
@click.option("--jobs", type=click.IntRange(100, 10**9), default=100_000, show_default=True, help="With --simulate.")
@click.option("--replications", type=click.IntRange(2, 100_000), default=10, show_default=True, help="With --simulate.")
@click.option(
    "--executor", default="processes", show_default=True, help="serial, processes[:N], threads[:N], dask:ADDRESS."
)
@json_option
def command(
    instance: str,
    vary: tuple[str, ...],
    output: Path | None,
    picture: Path | None,
    force: bool,
    objectives: tuple[str, ...],
    method: str,
    time_limit: float,
    gap: float,
    seed: int,
    simulated: bool,
    jobs: int,
    replications: int,
    executor: str,
    as_json: bool,
) -> int:
    """Plan INSTANCE at many values of its fields; show loss, latency and accuracy, and where the plan changes.

    \b
    placer sweep smart-parking --vary "services.plates-in.arrivals=1:20:8"
    placer sweep smart-parking --vary "services.*.arrivals=1:20:8 /s" --vary devices.hub.buffer=5,10,50
    placer sweep smart-parking --vary "network.links.hub-cloud.rate=1:100:9:log Mbit/s" --picture sweep.svg

    Ctrl-C keeps the points that are done. Exit code 0 when there is a plan at any point, 1 when every point is
    infeasible, 3 when none was answered.
    """
    from placer.evaluation.runs import Runs
    from placer.planning.request import Request
    from placer.simulation.executors import open_executor
    from placer.solver.progress import Limits
    from placer.sweep.grid import read_grid
    from placer.sweep.run import run_sweep
    from placer.sweep.tables import as_data, format_of, write_sweep

    if output is not None:
        format_of(output)
    if picture is not None:
        from placer.pictures.canvas import check_suffix, new_figure

        check_suffix(picture)
        new_figure(1.0, 1.0)  # a missing extra is said before hours of planning
    table, drawing = claim_output(output, force), claim_output(picture, force)
    grid = read_grid(instance, vary)
    options = Request(objectives=objectives, method=method, limits=Limits(time_limit, gap, 1, seed))
    request = Runs(jobs, replications, seed) if simulated else None
    with open_executor(executor) as pool, replication_bar(not as_json, "points") as tell:
        sweep = run_sweep(grid, options, simulation=request, executor=pool, progress=tell)
    # a sweep stopped before its first point leaves what is there
    if table is not None and sweep.rows:
        write_sweep(sweep, table)
    if drawing is not None and sweep.rows:
        from placer.pictures.sweep import picture as draw

        draw(sweep, drawing)
    if as_json:
        print_json(as_data(sweep))
        return sweep.exit_code
    from placer.cli.output import plan as report
    from placer.cli.output import sweep as sweep_report

    out = report.console()
    sweep_report.print_sweep(sweep, out)
    for file in (output, picture):
        if file is not None and sweep.rows:
            out.print(f"written to {file}", markup=False)
    return sweep.exit_code
