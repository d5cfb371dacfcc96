"""``placer calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from placer.cli.common import json_option, print_json
from placer.cli.parameters import FILE

if TYPE_CHECKING:
    from placer.instance.units import Dimension


@click.command("calibrate")
@click.argument("files", metavar="FILE...", type=FILE, nargs=-1, required=True)
@click.option("-o", "--output", metavar="DIR", type=FILE, help="Write devices/ and models/ below this folder.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
@click.option("--format", "wanted", help="csv, llama-bench, perf-analyzer or frigate; told by the content if left out.")
@click.option("--device", metavar="TYPE[/UNIT]", help="Device, for formats that do not name it.")
@click.option("--model", help="Model, for formats that do not name it.")
@click.option(
    "--idle", metavar="POWER", help='What the device draws idle ("2.7 W"): taken off the joules of the files.'
)
@click.option("--memory", multiple=True, metavar="[DEVICE=]SIZE", help='RAM of a device ("4 GiB").')
@click.option("--like", multiple=True, metavar="[DEVICE=]TYPE", help="Device type to copy all else from.")
@click.option("--base", "bases", multiple=True, type=FILE, help="Model or device file, of what was measured.")
@json_option
def command(
    files: tuple[Path, ...],
    output: Path | None,
    force: bool,
    wanted: str | None,
    device: str | None,
    model: str | None,
    idle: str | None,
    memory: tuple[str, ...],
    like: tuple[str, ...],
    bases: tuple[Path, ...],
    as_json: bool,
) -> int:
    """Make device and model files from your own measurements, and hold predictions against them."""
    from placer.cli.output.calibrate import as_data, show
    from placer.instance.units import BYTES, WATTS
    from placer.profiling.calibration.bases import Bases
    from placer.profiling.calibration.calibration import Options, calibrate
    from placer.profiling.calibration.folder import claim_folder
    from placer.profiling.calibration.formats.text import Names
    from placer.profiling.calibration.written import files_of

    if output is None and (force or memory):
        raise click.UsageError("--force and --memory are for files that -o writes")
    options = Options(
        wanted=wanted,
        names=Names(device, model),
        idle=None if idle is None else _figure(idle, WATTS, "--idle"),
        memory={name: _figure(text, BYTES, "--memory") for name, text in _by_device(memory, "--memory").items()},
        bases=Bases.of(bases, _by_device(like, "--like")),
    )
    found = calibrate(files, options)
    written: list[str] = []
    notes: list[str] = []
    if output is not None:
        made, notes = files_of(found)
        claim_folder(output, made, force).write()
        written = [str(output / name) for name in made]
    if as_json:
        print_json(as_data(found, written, notes))
    else:
        show(found, written, notes)
    return 0


def _figure(text: str, dimension: Dimension, option: str) -> float:
    try:
        return dimension.parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from error


def _by_device(texts: tuple[str, ...], option: str) -> dict[str, str]:
    """``DEVICE=VALUE`` by device; a value alone is for all, with the key ``""``."""
    found: dict[str, str] = {}
    for text in texts:
        name, separator, value = text.rpartition("=")
        if not value or (separator and not name):
            raise click.BadParameter(f"'{text}' is not [DEVICE=]VALUE", param_hint=option)
        if name in found:
            raise click.BadParameter(f"is there twice for {name or 'all devices'}", param_hint=option)
        found[name] = value
    return found
