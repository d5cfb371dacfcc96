"""Bandwidth traces: rows of time and uplink rate in a CSV file."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from placer.errors import InputError, Problem
from placer.instance.library import find_data
from placer.instance.reading import read_text

Floats = NDArray[np.float64]

HEADER = "time_s,rate_mbit_s"
_MOST_PROBLEMS = 20
_LARGEST_RATE = 1e6


@dataclass(frozen=True, eq=False)
class Trace:
    """An uplink over time.

    Attributes:
        name: the file as the user named it.
        times: shape (T,), seconds, increasing.
        rates: shape (T,), bytes/s from that time on.
    """

    name: str
    times: Floats
    rates: Floats


def read_trace(argument: str) -> Trace:
    """Read a trace from a path or by its shipped name.

    The first line that is no comment (``#``) is the header ``time_s,rate_mbit_s``.

    Raises:
        InputError: every problem of the file, with its line.
    """
    path = find_data(argument, "trace", "instances/traces", ".csv")
    return parse_trace(read_text(path, argument), argument)


def parse_trace(text: str, shown: str) -> Trace:
    """Like :func:`read_trace`, from text."""
    lines = [
        (number, line.strip())
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.startswith("#")
    ]
    if not lines or lines[0][1].replace(" ", "") != HEADER:
        first = lines[0][0] if lines else 1
        raise InputError([Problem(f"the first line must be the header {HEADER}", file=shown, line=first)])
    rows, problems = list[tuple[float, float]](), list[Problem]()
    for number, line in lines[1:]:
        try:
            rows.append(_row(line, rows[-1][0] if rows else -math.inf))
        except ValueError as error:
            problems.append(Problem(str(error), file=shown, line=number))
            if len(problems) >= _MOST_PROBLEMS:
                break
    if not problems and len(rows) < 2:
        problems.append(Problem("a trace needs two rows or more", file=shown))
    if problems:
        raise InputError(problems)
    data = np.array(rows)
    return Trace(shown, data[:, 0], data[:, 1] * 1e6 / 8)


def _row(line: str, before: float) -> tuple[float, float]:
    parts = line.split(",")
    if len(parts) != 2:
        raise ValueError(f"expected two numbers, got '{line[:40]}'")
    try:
        time, rate = float(parts[0]), float(parts[1])
    except ValueError:
        raise ValueError(f"expected two numbers, got '{line[:40]}'") from None
    if not math.isfinite(time) or time <= before:
        raise ValueError(f"times must increase, got {parts[0].strip()}")
    if not 1e-6 <= rate <= _LARGEST_RATE:
        raise ValueError(f"a rate lies between 1e-06 and {_LARGEST_RATE:g} Mbit/s, got {parts[1].strip()}")
    return time, rate


def synthetic_trace(seed: int = 1, seconds: int = 600) -> str:
    """Return a made-up trace as text: a phone that changes between Wi-Fi, LTE and 3G.

    Each lasts 40 s on average; its rate has the mean uplink of Huang et al. (MobiSys 2012: 18.88, 5.85 and 1.1
    Mbit/s) and lognormal noise whose logarithm is an autoregression (coefficient .8, deviation .5). Nobody measured it.
    """
    rng = np.random.default_rng(seed)
    means, state, noise = (18.88, 5.85, 1.1), 0, 0.0
    lines = [
        "# synthetic: placer.splitting.trace.synthetic_trace(seed=" + f"{seed}, seconds={seconds})" + ", not measured",
        HEADER,
    ]
    for second in range(seconds):
        if rng.random() < 1 / 40:
            state = (state + int(rng.integers(1, 3))) % 3
        noise = 0.8 * noise + 0.5 * math.sqrt(1 - 0.8**2) * float(rng.standard_normal())
        lines.append(f"{second},{means[state] * math.exp(noise - 0.125):.4g}")
    return "\n".join(lines) + "\n"
