"""Matplotlib, imported only when a picture is wanted, and figures written whole or not at all."""

from __future__ import annotations

import io
import warnings
from typing import Any

from placer import optional
from placer.errors import InputError, Problem
from placer.files import Output, path_of, write_atomically

SUFFIXES = (".svg", ".png", ".pdf")
_BACKENDS = {"svg": "svg", "png": "agg", "pdf": "pdf"}
INK, QUIET, PALE = "#1f2933", "#7b8794", "#cbd2d9"
ALARM, CALM = "#d64545", "#52a67f"
COLOURS = (
    "#2f6fde",
    "#e07b00",
    "#128a5e",
    "#b3348c",
    "#c0392b",
    "#6a4fc4",
    "#008c99",
    "#8a6d00",
    "#5d4037",
    "#4a7a1f",
)


def load(module: str) -> Any:
    """Return a module of matplotlib.

    Raises:
        MissingExtraError: without matplotlib, or with one that cannot be imported.
    """
    return optional.load(module, "drawing a picture", "picture")


def new_figure(width: float, height: float) -> tuple[Any, Any]:
    """Return a figure and axes whose unit is the inch.

    Raises:
        MissingExtraError: without matplotlib.
    """
    figure = load("matplotlib.figure").Figure(figsize=(width, height), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.axis("off")
    return figure, axes


def check_suffix(output: Output) -> str:
    """Return the format that the suffix of an output's path asks for.

    Raises:
        InputError: for other suffixes.
    """
    path = path_of(output)
    if path.suffix.lower() not in SUFFIXES:
        allowed = ", ".join(SUFFIXES)
        raise InputError([Problem(f"cannot be a picture: its name must end in one of {allowed}", file=str(path))])
    return path.suffix.lower()[1:]


def say(axes: Any, x: float, y: float, text: str, **style: Any) -> None:
    """Write text as it is: a dollar sign in a user's name begins no formula."""
    axes.text(x, y, text, **({"color": INK, "va": "center", "parse_math": False} | style))


def save(figure: Any, output: Output, dpi: int = 160) -> None:
    """Write a figure whole or not at all.

    Raises:
        InputError: when the file cannot be written.
    """
    kind = check_suffix(output)
    matplotlib = load("matplotlib")
    load(f"matplotlib.backends.backend_{_BACKENDS[kind]}")
    buffer = io.BytesIO()
    # the same plan gives the same bytes: no date, no random identifiers
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
    with warnings.catch_warnings(), matplotlib.rc_context({"svg.hashsalt": "placer", "svg.fonttype": "none"}):
        # a title in a script that the font lacks shows boxes, which is no reason to fail
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata)
    write_atomically(output, buffer.getvalue())
