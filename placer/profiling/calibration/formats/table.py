"""Tables of a user: CSV with a row per inference of a layer, or of a whole model.

Columns: ``device`` (``type`` or ``type/unit``) and ``seconds`` are required, and one of ``model`` and ``layer``;
``joules`` are above what the device draws idle. ``runtime`` and ``precision`` tell builds apart, ``run`` repetitions (a
thing stands once in a run); ``macs``, ``weights``, ``input`` and ``output`` say what the work is where no model file
does.
Figures are SI numbers; a column may have one unit instead (``12 ms``), the same in every row.
"""

from __future__ import annotations

import re

from placer.instance.units import BYTES, DURATION, JOULES, MACS
from placer.profiling.calibration.formats.text import Column, Faults, Names, Row, header_of, rows_of, split_device
from placer.profiling.calibration.measurements import Measurement, Sizes, Thing, label

COLUMNS = (
    "device",
    "model",
    "layer",
    "seconds",
    "joules",
    "runtime",
    "precision",
    "run",
    "macs",
    "weights",
    "input",
    "output",
)
_LAYER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,99}")


def is_this(text: str) -> bool:
    """Whether a text is such a table: by its head."""
    head = header_of(text)
    return len(set(head) & set(COLUMNS)) >= 2 or "seconds" in head


def read(text: str, shown: str, names: Names) -> list[Measurement]:
    """Return the measurements of a table.

    Raises:
        InputError: every problem, with its line.
    """
    faults = Faults(shown)
    figures = {
        "seconds": Column("seconds", DURATION),
        "joules": Column("joules", JOULES),
        "macs": Column("macs", MACS),
        **{name: Column(name, BYTES) for name in ("weights", "input", "output")},
    }
    given = [column for column, name in (("device", names.device), ("model", names.model)) if name is not None]
    required = [one for one in ("device", "seconds") if one not in given]
    for name in sorted(set(given) & set(header_of(text))):
        faults.add(f"has a column '{name}', so --{name} would say nothing; leave out one of them", 1)
    found: list[Measurement] = []
    runs: dict[tuple[Thing, str], int] = {}
    for row in rows_of(text, faults, COLUMNS, required):
        thing = _thing(row, names, faults)
        values: dict[str, float] = {}
        for name, column in figures.items():
            if name in row.cells:
                try:
                    values[name] = column.figure(row.cells[name], row.line)
                except ValueError as error:
                    faults.add(f"{name}: {error}", row.line)
            elif name == "seconds":
                faults.add("seconds is empty", row.line)
        if thing is None or "seconds" not in values:
            continue
        if "run" in row.cells:
            first = runs.setdefault((thing, row.cells["run"]), row.line)
            if first != row.line:
                faults.add(f"run '{row.cells['run'][:40]}' has the same thing in line {first} already", row.line)
        sizes = Sizes(*(values.get(name) for name in ("macs", "weights", "input", "output")))
        found.append(
            Measurement(thing, values["seconds"], values.get("joules"), sizes=sizes, file=shown, line=row.line)
        )
    faults.end()
    if not found:
        faults.add("has a head and no measurements", None)
        faults.end()
    return found


def _thing(row: Row, names: Names, faults: Faults) -> Thing | None:
    device, unit = split_device(row.cells.get("device", names.device or ""))
    model, layer = label(row.cells.get("model", names.model or "")), row.cells.get("layer", "")
    if not device:
        faults.add("device is empty, or has no letter and no digit", row.line)
    if not model and not layer:
        faults.add("needs a model or a layer", row.line)
    elif not model and "model" in row.cells:
        faults.add(f"model: '{row.cells['model'][:40]}' has no letter and no digit", row.line)
    if layer and not _LAYER.fullmatch(layer):
        allowed = "letters, digits and _ . : - (at most 100, the first a letter, a digit or _)"
        faults.add(f"layer: '{layer[:40]}' is no name of a layer; allowed: {allowed}", row.line)
        return None
    if not device or not (model or layer):
        return None
    runtime = row.cells.get("runtime", "").lower()  # as it is: a shipped one has a dot in its name
    if runtime and not label(runtime):
        faults.add(f"runtime: '{runtime[:40]}' has no letter and no digit", row.line)
    return Thing(device, unit, model or "measured", layer, runtime, label(row.cells.get("precision", "")))
