"""Scenario files: several states of the world, one plan for all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from placer.errors import InputError
from placer.instance.compiled import Compiled
from placer.instance.fields import Label, Positive
from placer.instance.reading import Strict, read_document, unknown, validate
from placer.instance.tree import PathParts
from placer.instance.units import Rate
from placer.planning.request import Scenario

SCENARIOS_FORMAT = "placer/scenarios/1"


class ScenarioSpec(Strict):
    """One state of the world."""

    name: Label
    """For reports."""
    weight: Positive = 1.0
    """Share of the time, relative to the other scenarios."""
    arrivals: dict[Label, Rate] = Field(default_factory=dict)
    """Mean arrival rates of services that differ from the instance's."""
    down: tuple[Label, ...] = ()
    """Devices that are not there: what is placed on them is lost."""


class ScenarioFile(Strict):
    """A file of scenarios."""

    format: Literal["placer/scenarios/1"]
    """Version of this format."""
    scenarios: Annotated[tuple[ScenarioSpec, ...], Field(min_length=1, max_length=100)]
    """The states of the world; the instance as it is counts only when listed (a scenario without changes)."""


def read_scenarios(path: Path, compiled: Compiled) -> tuple[Scenario, ...]:
    """Read a scenario file for an instance.

    Raises:
        InputError: every problem of the file: unknown services or devices, services without arrivals, no room left.
    """
    document = read_document(path)
    file = validate(ScenarioFile, document)
    services = {service.name: position for position, service in enumerate(compiled.instance.services)}
    devices = {name: position for position, name in enumerate(compiled.device_names)}
    problems = []
    result = []
    for position, spec in enumerate(file.scenarios):
        factors: dict[int, float] = {}
        for name, rate in spec.arrivals.items():
            where: PathParts = ("scenarios", position, "arrivals", name)
            if name not in services:
                problems.append(document.problem(unknown("service", name, list(services)), where))
                continue
            arrivals = compiled.instance.services[services[name]].arrivals
            if arrivals is None:
                problems.append(document.problem(f"service '{name}' has no arrivals in the instance", where))
                continue
            factors[services[name]] = rate / arrivals.mean_rate
        for index, name in enumerate(spec.down):
            if name not in devices:
                where = ("scenarios", position, "down", index)
                problems.append(document.problem(unknown("device", name, list(devices)), where))
        down = frozenset(devices[name] for name in spec.down if name in devices)
        result.append(Scenario(spec.name, spec.weight, factors, down))
    names = [spec.name for spec in file.scenarios]
    for position, name in enumerate(names):
        if name in names[:position]:
            problems.append(document.problem(f"the scenario '{name}' is there twice", ("scenarios", position, "name")))
    if problems:
        raise InputError(problems)
    return tuple(result)
