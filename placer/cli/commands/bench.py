"""``placer bench``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from placer.cli.common import plain
from placer.cli.parameters import FILE, SECONDS


@click.command("bench")
@click.argument("suite")
@click.option("--data", type=FILE, help="Folder of the suite's data, where it needs any.")
@click.option("--method", "methods", multiple=True, help="Methods to run; all when left out.")
@click.option("--time-limit", type=SECONDS, help="Seconds an instance.")
@click.option("--limit", type=click.IntRange(min=1), help="Use the first so many instances only.")
@click.option("--reference", type=FILE, help="File of values to compare with (device-placement).")
@click.option("--json", "as_json", is_flag=True, help="JSON lines (the only format: one a row, the summary last).")
def command(
    suite: str,
    data: Path | None,
    methods: tuple[str, ...],
    time_limit: float | None,
    limit: int | None,
    reference: Path | None,
    as_json: bool,
) -> int:
    """Run benchmark SUITE and print a JSON line per row, the summary last."""
    from placer.bench import run

    for row in run(suite, data=data, methods=methods, time_limit=time_limit, limit=limit, reference=reference):
        click.echo(json.dumps(plain(row), allow_nan=False))
    return 0
