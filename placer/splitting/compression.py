"""Feature compression at the cut (BottleNet: Eshratifar et al., ISLPED 2019): options as data with a source."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from placer.errors import InputError
from placer.instance.fields import Facts, Label, LayerName, Positive, Text
from placer.instance.library import find_data
from placer.instance.reading import read_document, unknown, validate
from placer.instance.units import DataRate, Fraction
from placer.splitting.pricing import Compression

COMPRESSION_FORMAT = "placer/compression/1"


class CompressionOption(Facts):
    """One way to shrink a tensor at the cut."""

    name: Label
    """Unique in the file."""
    ratio: Annotated[Positive, Field(ge=1)]
    """Bytes of the tensor over bytes sent."""
    encode: dict[str, DataRate]
    """Bytes of the tensor that the encoder takes per second, by device type; ``*`` for every other type."""
    decode: dict[str, DataRate]
    """Bytes of the tensor that the decoder makes per second, by device type; ``*`` for every other type."""
    accuracy_loss: Fraction
    """Accuracy that is lost."""
    layers: tuple[LayerName, ...] = ()
    """Layers whose tensors may take it (``input`` is the input); all when left out."""


class CompressionFile(Facts):
    """Ways to shrink tensors at the cut."""

    format: Literal["placer/compression/1"]
    """Version of this format."""
    name: Label
    """Name of the file."""
    title: Text | None = None
    """Name for people."""
    source: Text
    """Where the figures come from."""
    options: Annotated[tuple[CompressionOption, ...], Field(min_length=1, max_length=100)]
    """The options; a tensor may always cross as it is."""


def read_compressions(argument: str) -> CompressionFile:
    """Read a compression file from a path or by its shipped name.

    Raises:
        InputError: every problem of the file.
    """
    path = find_data(argument, "compression", "models/compression", ".yaml")
    return validate(CompressionFile, read_document(path, argument))


def options_for(
    file: CompressionFile, device: str, server: str, layers: set[str], most_loss: float
) -> tuple[tuple[Compression, ...], tuple[str, ...]]:
    """Return the options that a device and server can run within a loss of accuracy, and what is assumed of them.

    Args:
        file: the options.
        device, server: device types.
        layers: names of the model's layers.
        most_loss: largest loss of accuracy.

    Raises:
        InputError: when an option names a layer that the model lacks.
    """
    found, assumed = [], []
    for option in file.options:
        for name in option.layers:
            if name not in layers | {"input"}:
                raise InputError(f"compression {option.name}: " + unknown("layer", name, sorted(layers)))
        encode = option.encode.get(device, option.encode.get("*"))
        decode = option.decode.get(server, option.decode.get("*"))
        if option.accuracy_loss > most_loss or encode is None or decode is None:
            continue
        found.append(Compression(option.name, option.ratio, 1.0 / encode, 1.0 / decode, frozenset(option.layers)))
        assumed += [f"compression {option.name}: {field}" for field in option.assumed]
    return tuple(found), tuple(assumed)
