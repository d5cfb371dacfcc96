"""Triton's ``perf_analyzer -f FILE``: a row of averages in microseconds per concurrency.

Columns (NVIDIA Triton Inference Server, Performance Analyzer, "Visualizing Latency vs. Throughput"): Concurrency (or
Request Rate), Inferences/Second, Client Send, Network+Server Send/Recv, Server Queue, Server Compute Input, Server
Compute Infer, Server Compute Output (older: Server Compute), Client Recv, percentiles. The time of one inference is
what the server computes, at the least concurrency of the file: at more, requests hinder each other. A file of batches
is refused: at concurrency c, inferences per second times the latency are c times the batch.
"""

from __future__ import annotations

import re

from placer.errors import InputError, Problem
from placer.instance.units import RATE, SECONDS
from placer.profiling.calibration.formats.text import Faults, Names, Row, header_of, number, rows_of, split_device
from placer.profiling.calibration.measurements import Measurement, Thing, label

_LOADS = ("Concurrency", "Request Rate")
_THROUGHPUT = "Inferences/Second"
_COMPUTE = ("Server Compute Input", "Server Compute Infer", "Server Compute Output", "Server Compute")
_LATENCY = ("Client Send", "Network+Server Send/Recv", "Server Queue", *_COMPUTE, "Client Recv")
_OTHER = (
    "Avg latency",
    "request/response",
    "response wait",
    "Delayed",
    "Send Rate",
    "Server Cache Hit",
    "Server Cache Miss",
)
_MORE = re.compile(r"p\d{1,2} latency|Avg GPU .*|Max GPU .*|Total GPU .*|Client Overhead.*")
RUNTIME = "triton"


def is_this(text: str) -> bool:
    """Whether a text is such a file: by its head."""
    return _THROUGHPUT in header_of(text)


def read(text: str, shown: str, names: Names) -> list[Measurement]:
    """Return the measurement of a file.

    Raises:
        InputError: every problem, with its line; no name for the device or the model.
    """
    names.expect(shown, "a file of perf_analyzer", "device", "model")
    faults = Faults(shown)
    head = header_of(text)
    columns = [*_LOADS, _THROUGHPUT, *_LATENCY, *_OTHER, *(name for name in head if _MORE.fullmatch(name))]
    load = next((name for name in _LOADS if name in head), None)
    compute = [name for name in _COMPUTE if name in head]
    if load is None:
        faults.add(f"one of the columns {', '.join(_LOADS)} is missing", 1)
    if not compute:
        faults.add(f"no column says how long the server computes; {', '.join(_COMPUTE)} are allowed", 1)
    faults.end()
    assert load is not None
    best: tuple[float, float, Row] | None = None
    for row in rows_of(text, faults, columns, [load, _THROUGHPUT, *compute]):
        known: dict[str, float] = {}
        for name in (load, _THROUGHPUT, *(one for one in _LATENCY if one in head)):
            dimension, factor = (SECONDS, 1e-6) if name in _LATENCY else (RATE, 1.0)
            try:
                known[name] = number(row.cells.get(name, ""), dimension, factor)
            except ValueError as error:
                faults.add(f"{name}: {error}", row.line)
        if not {load, _THROUGHPUT, *compute} <= set(known):
            continue
        seconds = sum(known[name] for name in compute)
        if seconds <= 0:
            faults.add("the server computes for 0 us; more than zero is allowed", row.line)
        elif best is None or known[load] < best[0]:
            if load == "Concurrency":
                _check_batch(known, faults, row)
            best = (known[load], seconds, row)
    faults.end()
    if best is None:
        raise InputError([Problem("has a head and no measurements", file=shown)])
    device, unit = split_device(names.device or "")
    thing = Thing(device, unit, label(names.model or ""), "", RUNTIME, "")
    return [Measurement(thing, best[1], averaged=True, file=shown, line=best[2].line)]


def _check_batch(known: dict[str, float], faults: Faults, row: Row) -> None:
    """Little's law: what is in the system is the throughput times the latency, in inferences."""
    latency = sum(value for name, value in known.items() if name in _LATENCY)
    inside = known[_THROUGHPUT] * latency / known["Concurrency"]
    if inside > 1.5:
        faults.add(
            f"looks like batches of {inside:.2g} (inferences per second times latency); measure with -b 1", row.line
        )
