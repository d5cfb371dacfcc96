"""``placer split``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from placer.cli.common import claim_output, json_option, print_json
from placer.cli.parameters import FILE, FILE_OR_NAME, SECONDS, Number

if TYPE_CHECKING:
    from placer.splitting.questions import CutQuestion


def _quantity(dimension: str) -> Callable[[click.Context, click.Parameter, str | None], float | None]:
    """Parse a number with a unit as the files are read; ``dimension`` is a name of placer.instance.units."""

    def parse(ctx: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
        if value is None:
            return None
        from placer.instance import units

        kind: units.Dimension = getattr(units, dimension)
        try:
            return kind.parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, parameter) from error

    return parse


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Attach the options that say what lies between device and server."""
    for option in reversed(
        (
            click.option(
                "--device", default="raspberry-pi-4b", show_default=True, help="Device type, TYPE or TYPE/UNIT."
            ),
            click.option("--server", required=True, help="Device type of the server, TYPE or TYPE/UNIT."),
            click.option(
                "--uplink", metavar="RATE", callback=_quantity("DATA_RATE"), help='Goodput of the uplink: "5 Mbit/s".'
            ),
            click.option(
                "--radio", help="Radio of the device (3g, lte, wifi-n): power, and rate and latency if not given."
            ),
            click.option(
                "--latency",
                metavar="TIME",
                callback=_quantity("SECONDS"),
                help='Per tensor, beside its transmission: "20 ms".',
            ),
            click.option(
                "--input",
                "input_size",
                metavar="SIZE",
                callback=_quantity("BYTES"),
                help='The input as it is sent: "150 kB".',
            ),
            click.option("--no-result", is_flag=True, help="Leave out the result's way back, as Neurosurgeon does."),
            click.option("--predict", is_flag=True, help="Predict times that were not measured by regressions."),
        )
    ):
        function = option(function)
    return function


@click.command("split")
@click.argument("model", required=False, type=FILE_OR_NAME)
@_options
@click.option(
    "--method",
    type=click.Choice(("neurosurgeon", "dads", "dads-grid")),
    default="neurosurgeon",
    show_default=True,
    help="Single splits; all cuts of the DAG; the published approximation for throughput.",
)
@click.option(
    "--objective", type=click.Choice(("latency", "energy", "throughput")), default="latency", show_default=True
)
@click.option("--server-load", type=Number(1e-3, 1e6), default=1.0, show_default=True, help="Times the server's times.")
@click.option(
    "--rate", metavar="RATE", callback=_quantity("RATE"), help='Requests that must fit: "10 /s". dads switches by it.'
)
@click.option("--users", type=FILE_OR_NAME, help="Share the server among N such devices, or those of a file.")
@click.option(
    "--compress", type=FILE_OR_NAME, help="Ways to shrink tensors at the cut: a file or a shipped name (bottlenet)."
)
@click.option(
    "--max-accuracy-loss",
    metavar="SHARE",
    callback=_quantity("FRACTION"),
    default="0 %",
    show_default=True,
    help="With --compress.",
)
@click.option("--table", type=FILE, help="Write the split table here (JSON).")
@click.option("--force", is_flag=True, help="Overwrite an existing table.")
@click.option("--trace", type=FILE_OR_NAME, help="Replay re-splitting over this trace: a CSV file or a shipped name.")
@click.option(
    "--noise",
    type=Number(0, 3),
    default=0.2,
    show_default=True,
    help="With --trace: spread of measured rates.",
)
@click.option("--margin", type=Number(0, 1), default=0.05, show_default=True, help="With --trace: hysteresis.")
@click.option(
    "--switch-cost",
    metavar="TIME",
    callback=_quantity("SECONDS"),
    default="0 s",
    show_default=True,
    help="With --trace.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="With --trace: of the noise."
)
@click.option("--time-limit", type=SECONDS, default=60.0, show_default=True, help="Seconds of the MILP.")
@json_option
def command(**given: Any) -> int:
    """Cut MODEL (a file or a shipped name) between a device and a server.

    \b
    placer split vgg-16-measured --server cloud-gpu --uplink "5 Mbit/s"
    placer split inception-v1 --server n5105 --uplink "20 Mbit/s" --method dads --rate "8 /s"
    placer split vgg-16-measured --server edge-2500 --radio lte --objective energy --table table.json
    placer split --server edge-2500 --users nine-boards

    Exit code 1 when the rate asked for does not fit or a limit of a machine is violated.
    """
    from placer.splitting.questions import CutQuestion, decide

    as_json = given.pop("as_json")
    table, force = given.pop("table"), given.pop("force")
    asked = CutQuestion(**given)
    _check_usage(asked, table)
    target = claim_output(table, force)
    found = decide(asked)
    if target is not None and found.table is not None:
        from placer.splitting.table import dump_table

        target.write(dump_table(found.table))
    if as_json:
        print_json(found.data())
        return found.exit_code
    from placer.cli.output import plan as report
    from placer.cli.output import split as split_report

    out = report.console()
    split_report.print_found(found, out)
    if table is not None:
        out.print(f"written to {table}", markup=False)
    sys.stdout.flush()
    return found.exit_code


def _check_usage(asked: CutQuestion, table: Path | None) -> None:
    if asked.users is None and asked.model is None:
        raise click.UsageError("MODEL is missing (only --users FILE goes without)")
    if asked.users is not None:
        for name, value in (("--table", table), ("--trace", asked.trace), ("--compress", asked.compress)):
            if value is not None:
                raise click.UsageError(f"{name} and --users exclude each other")
        if asked.objective != "latency" or asked.rate is not None:
            raise click.UsageError("--users shares the server for the least largest latency; no --objective, no --rate")
        if not asked.users.isdigit() and asked.model is not None:
            raise click.UsageError("--users FILE names its models; leave MODEL out")
        if asked.users.isdigit() and asked.model is None:
            raise click.UsageError("--users N needs MODEL")
    if asked.objective == "throughput" and (table is not None or asked.trace is not None):
        raise click.UsageError("tables and traces are for latency and energy: throughput is no plane of rate and load")
    if asked.method == "dads-grid" and (table is not None or asked.trace is not None):
        raise click.UsageError("a table holds neurosurgeon's or dads's cuts")
