"""``placer profile``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from placer.cli.common import claim_output, json_option, print_json
from placer.cli.parameters import FILE

if TYPE_CHECKING:
    from placer.profiling.model_file import Heading

_T = TypeVar("_T")


@click.command("profile")
@click.argument("file", metavar="MODEL.onnx|MODEL.tflite", type=FILE)
@click.option("-o", "--output", type=FILE, help="Write the model here (YAML).")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@click.option("--name", help="Name of the model; from the file when left out.")
@click.option("--input-shape", "shapes", multiple=True, metavar="NAME=1,3,224,224", help="Shape of a dynamic input.")
@click.option(
    "--input-value",
    "values",
    multiple=True,
    metavar="NAME=16000",
    help="Value that an input always has in every element: settles an If or Loop that depends on it.",
)
@click.option("--batch", type=click.IntRange(1, 4096), help="Value of a dynamic batch (1).")
@click.option("--no-fuse", is_flag=True, help="Keep normalisations and activations as layers of their own.")
@click.option(
    "--blocks",
    type=click.IntRange(1, 5000),
    help="Put layers together until this many are left, those first that hand large tensors to one reader.",
)
@json_option
def command(
    file: Path,
    output: Path | None,
    force: bool,
    name: str | None,
    shapes: tuple[str, ...],
    values: tuple[str, ...],
    batch: int | None,
    no_fuse: bool,
    blocks: int | None,
    as_json: bool,
) -> int:
    """Make a model file from an ONNX or TensorFlow Lite graph: layers, work, weights, memory, tensor sizes."""
    from placer.cli.output.profile import assumptions, summary
    from placer.profiling.blocks import coarsen, merge
    from placer.profiling.model_file import Heading
    from placer.profiling.render import render

    target = claim_output(output, force)
    heading = Heading(name=name)
    if file.suffix.lower() == ".tflite":
        given = {"--input-shape": shapes, "--input-value": values, "--batch": batch, "--no-fuse": no_fuse}
        model = _tflite(file, heading, [option for option, value in given.items() if value])
    else:
        model = _onnx(file, heading, shapes, values, batch, fuse=not no_fuse)
    if blocks is not None:
        model["layers"] = merge(model["layers"], coarsen(model["layers"], blocks))
    if target is not None:
        target.write(render(model))
    if as_json:
        print_json(model)
    elif output is None:
        click.echo(render(model), nl=False)
    else:
        click.echo(f"{output} written: {summary(model)}")
    told = assumptions(model)
    if told:
        click.echo(told, err=True)
    return 0


def _onnx(
    file: Path, heading: Heading, shapes: tuple[str, ...], values: tuple[str, ...], batch: int | None, *, fuse: bool
) -> dict[str, Any]:
    from placer.profiling.onnx.profile import Inputs, profile

    inputs = Inputs(
        _pairs(shapes, "--input-shape", "NAME=1,3,224,224", _shape),
        _pairs(values, "--input-value", "NAME=16000", float),
        batch or 1,
    )
    return profile(file, heading=heading, inputs=inputs, fuse=fuse)


def _tflite(file: Path, heading: Heading, unused: list[str]) -> dict[str, Any]:
    from placer.profiling.tflite.profile import profile

    if unused:
        raise click.UsageError(
            f"{', '.join(unused)}: a TensorFlow Lite file has its shapes fixed and its activations fused; leave it out"
        )
    return profile(file, heading=heading)


def _shape(text: str) -> tuple[int, ...]:
    shape = tuple(int(number) for number in text.replace("x", ",").split(","))
    if min(shape) < 0:
        raise ValueError
    return shape


def _pairs(texts: tuple[str, ...], option: str, example: str, read: Callable[[str], _T]) -> dict[str, _T]:
    pairs: dict[str, _T] = {}
    for text in texts:
        name, separator, value = text.rpartition("=")
        try:
            result = read(value)
            if not separator or not name:
                raise ValueError
        except ValueError as error:
            raise click.BadParameter(f"'{text}' is not {example}", param_hint=option) from error
        if name in pairs:
            raise click.BadParameter(f"'{name}' is given twice", param_hint=option)
        pairs[name] = result
    return pairs
