"""``llama-bench -o json`` and ``-o jsonl``: how fast a language model reads a prompt and makes tokens.

Each test has ``n_prompt``, ``n_gen``, ``n_depth``, ``avg_ns`` (of the whole test) and ``samples_ns``, one per
repetition; ``model_size`` are the bytes of the tensors and ``model_n_params`` their number (llama.cpp,
tools/llama-bench/README.md, "Output formats"). A test of generation becomes a token: seconds = sample / n_gen, and
reading the weights is what takes them. A test of a prompt becomes the prompt as a whole, n_params · n_prompt
multiply-accumulates. Tests of both at once (``-pg``) tell neither and are left out.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from placer.instance.reading import Document
from placer.instance.units import BYTES, DURATION, MACS
from placer.profiling.calibration.formats.text import Faults, Names, json_document, number, split_device
from placer.profiling.calibration.measurements import Measurement, Sizes, Thing, label

RUNTIME = "llama.cpp"


def is_this(text: str) -> bool:
    """Whether a text is what llama-bench writes: by a field that no other format has."""
    return text.lstrip()[:1] in ("[", "{") and '"avg_ns"' in text


def read(text: str, shown: str, names: Names) -> list[Measurement]:
    """Return the measurements of a file.

    Raises:
        InputError: every problem, with its line.
    """
    faults = Faults(shown)
    found: list[Measurement] = []
    for document, offset in _documents(text, shown):
        tests = document.data if isinstance(document.data, list) else [document.data]
        for index, test in enumerate(tests):
            place = (index,) if isinstance(document.data, list) else ()
            line = (document.lines.get(place) or 1) + offset
            if not isinstance(test, dict):
                faults.add("expected a test, a mapping", line)
                continue
            found += _measurements(_Test(test, document, place, offset, faults), names, shown, line)
    faults.end()
    if not found:
        faults.add("holds no test of a prompt or of generation alone", None)
        faults.end()
    return found


def _documents(text: str, shown: str) -> list[tuple[Document, int]]:
    """The JSON document of a file, or one a line, each with the lines before it."""
    if text.lstrip().startswith("["):
        return [(json_document(text, shown), 0)]
    lines = [(line, number) for number, line in enumerate(text.splitlines()) if line.strip()]
    if len(lines) > 1 and all(line.lstrip().startswith("{") and line.rstrip().endswith("}") for line, _ in lines):
        return [(json_document(line, shown), number) for line, number in lines]
    return [(json_document(text, shown), 0)]


class _Test:
    """One test, whose fields are read with their faults."""

    def __init__(self, data: dict[str, Any], document: Document, place: tuple[int, ...], offset: int, faults: Faults):
        self.data, self.faults = data, faults
        self._document, self._place, self._offset = document, place, offset

    def fault(self, message: str, *path: str | int) -> None:
        problem = self._document.problem(message, (*self._place, *path))
        self.faults.add(problem.message, (problem.line or 1) + self._offset, problem.path)

    def whole(self, name: str, default: int | None = None) -> int | None:
        value = self.data.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            self.fault("is required" if name not in self.data else f"expected a whole number, got {value!r}"[:90], name)
            return None
        return value

    def samples(self) -> list[float]:
        """Seconds of the repetitions, of the mean where there are none."""
        listed = self.data.get("samples_ns")
        values = listed if isinstance(listed, list) and listed else [self.data.get("avg_ns")]
        path: tuple[str, ...] = ("samples_ns",) if values is listed else ("avg_ns",)
        found = []
        for position, value in enumerate(values):
            try:
                found.append(number(value, DURATION, 1e-9))
            except ValueError as error:
                self.fault(str(error), *path, *((position,) if values is listed else ()))
        return found


def _measurements(test: _Test, names: Names, shown: str, line: int) -> list[Measurement]:
    prompt, made, depth = test.whole("n_prompt"), test.whole("n_gen"), test.whole("n_depth", 0)
    size, parameters = test.whole("model_size"), test.whole("model_n_params")
    samples = test.samples()
    model, device = _names(test, names)
    if None in (prompt, made, depth, size, parameters) or not model or not device or not samples:
        return []
    assert prompt is not None
    assert made is not None
    assert size is not None
    assert parameters is not None
    if (prompt > 0) == (made > 0):
        return []
    tail = f"prompt-{prompt}" if prompt else "token"
    if depth:
        tail += f"-after-{depth}"
    board, unit = split_device(device)
    thing = Thing(board, unit, label(f"{model}-{tail}"), "", RUNTIME, "")
    try:
        macs = number(parameters * max(prompt, 1), MACS)
        sizes = Sizes(macs=macs, weights=number(size, BYTES), input=4.0 * max(prompt, 1), output=4.0)
    except ValueError as error:
        test.fault(str(error), "model_size")
        return []
    one = Measurement(thing, 0.0, averaged=made > 0, reads=made > 0, sizes=sizes, file=shown, line=line)
    return [replace(one, seconds=sample / max(made, 1)) for sample in samples]


def _names(test: _Test, names: Names) -> tuple[str, str]:
    """The model's name, of its file, and the device's: given, or the processor that is said to run it."""
    path = test.data.get("model_filename")
    model = names.model or (PurePosixPath(path.replace("\\", "/")).stem if isinstance(path, str) else "")
    if not label(model):
        test.fault("is required, or --model", "model_filename")
    layers, card, host = (test.data.get(name) for name in ("n_gpu_layers", "gpu_info", "cpu_info"))
    on_card = isinstance(layers, int) and layers != 0 and isinstance(card, str) and label(card)
    device = names.device or str(card if on_card else host if isinstance(host, str) else "")
    if not label(device):
        test.fault("is required, or --device", "cpu_info")
    if names.device is None:  # a slash in the name of a processor is none of type/unit
        device = device.replace("/", " ") + ("/gpu" if on_card else "")
    return (model if label(model) else ""), device
