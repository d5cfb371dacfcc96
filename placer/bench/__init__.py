"""Benchmark suites: each yields one row per instance and method, and last a summary."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from placer.errors import InputError
from placer.instance.reading import unknown

SUITES = {
    "iot-ilp": "placer.bench.iot_ilp",
    "build": "placer.bench.build",
    "chainnet": "placer.bench.chainnet.suite",
    "evaluator": "placer.bench.evaluator.suite",
    "simulator": "placer.bench.simulator",
    "intervals": "placer.bench.intervals",
    "loss": "placer.bench.loss.suite",
    "exits": "placer.bench.exits.suite",
    "split": "placer.bench.split_suite",
    "device-placement": "placer.bench.device_placement",
    "startup": "placer.bench.startup",
    "scale": "placer.bench.scale",
    "limits": "placer.bench.limits",
}


def run(
    suite: str,
    *,
    data: Path | None = None,
    methods: tuple[str, ...] = (),
    time_limit: float | None = None,
    limit: int | None = None,
    reference: Path | None = None,
) -> Iterator[dict[str, Any]]:
    """Run a suite.

    Args:
        suite: its name.
        data: folder of its data.
        methods: methods to run; all when empty.
        time_limit: seconds an instance; the suite's own when None.
        limit: number of instances.
        reference: file of values to compare with, where the suite takes one.

    Raises:
        InputError: for an unknown suite.
    """
    if suite not in SUITES:
        raise InputError(unknown("suite", suite, list(SUITES)))
    options = {"data": data, "methods": methods or None, "time_limit": time_limit, "limit": limit}
    options["reference"] = reference
    yield from import_module(SUITES[suite]).run(**{key: value for key, value in options.items() if value is not None})
