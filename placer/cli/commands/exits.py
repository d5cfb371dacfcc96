"""``placer exits``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from placer.cli.common import claim_output, json_option, print_json
from placer.cli.parameters import FILE, FILE_OR_NAME, Number
from placer.errors import InputError

if TYPE_CHECKING:
    from placer.exits.report import Request
    from placer.exits.schedulers import Task
    from placer.files import Target


def _list_methods(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    from placer.exits.schedulers import METHODS

    for name, method in METHODS.items():
        click.echo(f"{name:20} {method.title}{' (needs a table)' if method.table else ''}")
    ctx.exit()


@click.command("exits")
@click.argument("profile", type=FILE_OR_NAME)
@click.option("--arrivals", required=True, help="Mean rate of Poisson arrivals, such as '3 /s'.")
@click.option("--buffer", type=click.IntRange(1, 10_000), required=True, help="Places, the job in service included.")
@click.option("--max-loss", default="1%", show_default=True, help="Largest share of the jobs that may be lost.")
@click.option("--method", "methods", multiple=True, help="Scheduler; several compare.  [default: queueing]")
@click.option(
    "--methods", "listed", is_flag=True, is_eager=True, expose_value=False, callback=_list_methods, help="List them."
)
@click.option("--compare", is_flag=True, help="All schedulers.")
@click.option(
    "--vary",
    "--sweep",
    "varied",
    metavar="PATH=VALUES",
    help="Sweep 'arrivals' or 'max-loss', such as arrivals=1:6:20 /s or max-loss=0.1,1,5 %: "
    "start:stop:count[:log] or a list a,b,c, a unit at the end.",
)
@click.option("--picture", type=FILE, help="Draw the sweep to an .svg or .png file.")
@click.option("--speed", help="Times from the profile's MACs at this speed, such as '20 MMAC/s'.")
@click.option("-o", "--output", type=FILE, help="Write the policy for a device (JSON).")
@click.option("--force", is_flag=True, help="Overwrite existing files.")
@click.option("--head", type=click.Choice(["random", "shallowest", "deepest"]), default="random", show_default=True,
              help="Knapsack: which of the chosen exits the head of the queue takes.")  # fmt: skip
@click.option("--room", type=click.IntRange(0, 1), default=0, help="Knapsack: count K - n (0) or K - n + 1 places (1).")
@click.option("--evaluations", type=click.IntRange(20, 100_000), default=150, show_default=True, help="Trials of TPE.")
@click.option("--edge", type=click.IntRange(min=1), help="AdaEE: exit with the learned threshold (1 is the first).")
@click.option("--overhead", type=Number(0, 1), default=0.1, show_default=True, help="AdaEE: of going on.")
@click.option("--window", type=click.IntRange(0, 10**6), default=0, help="AdaEE: jobs remembered; 0 is all.")
@click.option("--jobs", type=click.IntRange(100, 10**8), default=50_000, show_default=True, help="Jobs a replication.")
@click.option("--replications", type=click.IntRange(2, 10_000), default=10, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@json_option
def command(
    profile: str,
    arrivals: str,
    buffer: int,
    max_loss: str,
    methods: tuple[str, ...],
    compare: bool,
    varied: str | None,
    picture: Path | None,
    output: Path | None,
    force: bool,
    jobs: int,
    replications: int,
    seed: int,
    as_json: bool,
    **options: Any,
) -> int:
    """Choose at which exit of PROFILE (a file or a shipped name) each job leaves.

    \b
    placer exits resnet-50-cifar10 --arrivals "3 /s" --buffer 10 --max-loss 1% --compare

    Exit code 1 when the loss limit is missed or cannot be kept, 3 when it lies inside the interval.
    """
    from placer.exits.report import Request
    from placer.exits.schedulers import METHODS
    from placer.exits.sweep import compare as run_all

    if picture is not None and varied is None:
        raise InputError("--picture draws a sweep", tip="add --vary 'arrivals=1:6:9 /s'")
    chosen = tuple(METHODS) if compare else methods or ("queueing",)
    if output is not None and (len(chosen) > 1 or varied is not None):
        raise InputError("-o writes the policy of one method", tip="name it with --method, without --vary")
    target, drawing = claim_output(output, force), claim_output(picture, force)
    task = _task(profile, arrivals, buffer, max_loss, seed, options)
    request = Request(jobs, replications, seed=seed)
    if varied is not None:
        return _sweep(task, request, chosen, varied, drawing, as_json)
    from placer.cli.output import exits as exits_report

    with exits_report.telling(not as_json) as tell:
        reports, skipped = run_all(task, request, chosen, tell)
    if len(chosen) == 1 and skipped:
        # the one thing asked for has no answer
        from placer.errors import InfeasibleError

        raise InfeasibleError(skipped[0].reason) if skipped[0].infeasible else InputError(skipped[0].reason)
    if target is not None:
        from placer.exits.report import policy_file

        target.write(policy_file(reports[0], task).to_json())
    code = exits_report.exit_code(reports)
    if as_json:
        print_json(exits_report.as_data(task, reports, skipped, code))
    else:
        exits_report.print_reports(task, reports, skipped, output)
    return code


def _task(profile: str, arrivals: str, buffer: int, max_loss: str, seed: int, options: dict[str, Any]) -> Task:
    from placer.exits.profile import read_profile
    from placer.exits.schedulers import Task
    from placer.exits.station import Station
    from placer.instance.units import FRACTION, RATE, SPEED

    try:
        rate = RATE.parse(arrivals)
        limit = FRACTION.parse(max_loss)
        speed = None if options["speed"] is None else SPEED.parse(options["speed"])
    except ValueError as error:
        raise InputError(str(error)) from error
    read = read_profile(profile)
    if speed is not None:
        read = read.at_speed(speed)
    edge = None if options["edge"] is None else options["edge"] - 1
    own = {name: options[name] for name in ("head", "room", "evaluations", "overhead", "window")}
    return Task(read, Station(rate, buffer), limit, seed, edge=edge, **own)


def _sweep(
    task: Task, request: Request, methods: tuple[str, ...], text: str, picture: Target | None, as_json: bool
) -> int:
    from placer.cli.output import exits as exits_report
    from placer.exits.sweep import read_axis, sweep

    axis, values = read_axis(text)
    points = list(sweep(task, request, methods, axis, values))
    if picture is not None:
        from placer.pictures.frontier import draw

        title = f"{task.profile.name}, buffer {task.station.capacity}"
        draw(points, axis, title, task.max_loss, picture)
    if as_json:
        print_json(exits_report.sweep_data(task, axis, points))
    else:
        exits_report.print_sweep(task, axis, points, None if picture is None else picture.path)
    return 0 if any(point.reports for point in points) else 1
