"""Types of options that several commands share: what is not acceptable is said before any work begins."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import click

from placer.cli.arguments import shown

LONGEST_NAME = 255
"""Bytes of one part of a path: what the usual file systems take."""

LONGEST_PATH = 4000
"""Bytes of a whole path."""


class Number(click.FloatRange):
    """A finite number between two bounds; NaN lies between none, although no comparison says so."""

    name = "number"

    def __init__(self, low: float, high: float) -> None:
        super().__init__(min=low, max=high)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number, or say what is allowed."""
        number = float(click.FLOAT.convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{shown(value)} is not a finite number between {self.min:g} and {self.max:g}.", param, ctx)
        return float(super().convert(number, param, ctx))


SECONDS = Number(0.01, 1e7)
"""Limits of time in seconds, up to four months."""


class FilePath(click.Path):
    """A path that a file system can hold; whether something is there is for whoever opens it to say."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or say what is wrong with the name."""
        fault = fault_of_path(os.fspath(value))
        if fault is not None:
            self.fail(f"{shown(value)} {fault}.", param, ctx)
        return super().convert(value, param, ctx)


FILE = FilePath(path_type=Path)
"""A file or folder; the command receives a Path."""

FILE_OR_NAME = FilePath(path_type=str)
"""A file, or the name of something shipped; the command receives the text."""


def fault_of_path(path: str) -> str | None:
    """Return why no file system takes a path, or None."""
    if not path:
        return "is empty; a path is needed"
    raw = os.fsencode(path)
    if len(raw) > LONGEST_PATH:
        return f"is longer than {LONGEST_PATH} bytes"
    if max(len(part) for part in raw.split(os.fsencode(os.sep))) > LONGEST_NAME:
        return f"has a name of more than {LONGEST_NAME} bytes in it"
    return None
