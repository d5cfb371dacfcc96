"""Frigate's ``/api/stats``: how long its detectors take for an inference.

``detectors.NAME.inference_speed`` is the "time spent running object detection in milliseconds", a running average
(Frigate documentation, integrations/api, GET /api/stats). Each detector is a compute unit of the device; a detector
that has detected nothing yet reports 0 and is refused.
"""

from __future__ import annotations

from placer.errors import InputError, Problem
from placer.instance.reading import kind_of
from placer.instance.units import DURATION
from placer.profiling.calibration.formats.text import Faults, Names, field_of, json_document, number, split_device
from placer.profiling.calibration.measurements import Measurement, Thing, label


def is_this(text: str) -> bool:
    """Whether a text is such an answer: by two fields that no other format has."""
    return text.lstrip().startswith("{") and '"detectors"' in text and '"inference_speed"' in text


def read(text: str, shown: str, names: Names) -> list[Measurement]:
    """Return a measurement per detector.

    Raises:
        InputError: every problem, with its line; no name for the device or the model.
    """
    names.expect(shown, "an answer of Frigate", "device", "model")
    document, faults = json_document(text, shown), Faults(shown)
    detectors = field_of(document, ("detectors",), faults)
    faults.end()
    if not isinstance(detectors, dict) or not detectors:
        raise InputError([document.problem(f"expected detectors by name, got {kind_of(detectors)}", ("detectors",))])
    board, given = split_device(names.device or "")
    found = []
    for name in detectors:
        speed = field_of(document, ("detectors", name, "inference_speed"), faults)
        if speed is None:
            continue
        problem = document.problem("", ("detectors", name, "inference_speed"))
        unit = given if len(detectors) == 1 else label(name)
        thing = Thing(board, unit, label(names.model or ""), "", "", "")
        try:
            seconds = number(speed, DURATION, 1e-3)
        except ValueError as error:
            faults.add(str(error), problem.line, problem.path)
            continue
        found.append(Measurement(thing, seconds, averaged=True, file=shown, line=problem.line))
    faults.end()
    if len({one.thing for one in found}) < len(found):
        raise InputError([Problem("two detectors have names that are the same as labels", file=shown)])
    return found
