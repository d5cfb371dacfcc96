"""The table of formats: a new one is a module with ``is_this`` and ``read``, and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from placer.errors import InputError, Problem
from placer.instance.reading import read_text, unknown
from placer.profiling.calibration.formats import frigate, llama_bench, perf_analyzer, table
from placer.profiling.calibration.formats.text import Names
from placer.profiling.calibration.measurements import Measurement


@dataclass(frozen=True)
class Format:
    """A format of measurements.

    Attributes:
        title: what it is, for people.
        is_this: whether a text is of it, told by content.
        read: (text, the file's name for messages, names that the format lacks) to measurements.
    """

    title: str
    is_this: Callable[[str], bool]
    read: Callable[[str, str, Names], list[Measurement]]


FORMATS: dict[str, Format] = {
    "llama-bench": Format("JSON or JSON lines of llama-bench", llama_bench.is_this, llama_bench.read),
    "frigate": Format("answer of Frigate's /api/stats", frigate.is_this, frigate.read),
    "perf-analyzer": Format("CSV of Triton's perf_analyzer -f", perf_analyzer.is_this, perf_analyzer.read),
    "csv": Format("table with device, model or layer, and seconds", table.is_this, table.read),
}
"""By name, in the order in which contents are tried."""


def read_file(path: Path, names: Names, wanted: str | None = None) -> tuple[str, list[Measurement]]:
    """Return the format of a file and its measurements.

    Args:
        path: the file.
        names: for formats that lack them.
        wanted: a format; None tells it by the content.

    Raises:
        InputError: it cannot be read, is of no known format, or has faults: all of them, with their lines.
    """
    if wanted is not None and wanted not in FORMATS:
        raise InputError(unknown("format", wanted, list(FORMATS)))
    shown = str(path)
    text = read_text(path, shown).removeprefix("\ufeff")
    if not text.strip():
        raise InputError([Problem("is empty", file=shown)])
    name = wanted or next((name for name, one in FORMATS.items() if one.is_this(text)), None)
    if name is None:
        listed = "; ".join(f"{name}: {one.title}" for name, one in FORMATS.items())
        raise InputError([Problem(f"is of no known format (known are {listed})", file=shown, line=1)])
    return name, FORMATS[name].read(text, shown, names)
