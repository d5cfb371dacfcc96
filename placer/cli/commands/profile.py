"""``placer profile``."""

from __future__ import annotations

from pathlib import Path

import click

from placer.cli.common import claim_output, json_option, print_json
from placer.cli.parameters import FILE


@click.command("profile")
@click.argument("onnx_file", metavar="MODEL.onnx", type=FILE)
@click.option("-o", "--output", type=FILE, help="Write the model here (YAML).")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@click.option("--name", help="Name of the model; from the file when left out.")
@click.option("--input-shape", "shapes", multiple=True, metavar="NAME=1,3,224,224", help="Shape of a dynamic input.")
@click.option("--batch", type=click.IntRange(1, 4096), default=1, show_default=True, help="Value of a dynamic batch.")
@click.option("--no-fuse", is_flag=True, help="Keep normalisations and activations as layers of their own.")
@json_option
def command(
    onnx_file: Path,
    output: Path | None,
    force: bool,
    name: str | None,
    shapes: tuple[str, ...],
    batch: int,
    no_fuse: bool,
    as_json: bool,
) -> int:
    """Make a model file from an ONNX graph: layers, work, weights, activations, tensor sizes."""
    from placer.profiling.onnx.profile import profile
    from placer.profiling.onnx.render import render

    target = claim_output(output, force)
    model = profile(onnx_file, name=name, input_shapes=_shapes(shapes), batch=batch, fuse=not no_fuse)
    if target is not None:
        target.write(render(model))
    if as_json:
        print_json(model)
    elif output is None:
        click.echo(render(model), nl=False)
    else:
        click.echo(f"{output} written: {len(model['layers'])} layers")
    return 0


def _shapes(texts: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    shapes = {}
    for text in texts:
        name, separator, numbers = text.rpartition("=")
        try:
            shape = tuple(int(number) for number in numbers.replace("x", ",").split(","))
        except ValueError:
            shape = ()
        if not separator or not name or not shape or min(shape) < 1:
            raise click.BadParameter(f"'{text}' is not NAME=1,3,224,224", param_hint="--input-shape")
        shapes[name] = shape
    return shapes
