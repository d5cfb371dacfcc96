"""All schedulers on one task, and the same over a range of arrivals or limits: the accuracy-loss frontier."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from placer.errors import InfeasibleError, InputError, MissingExtraError
from placer.exits.report import Report, Request, assess
from placer.exits.schedulers import METHODS, Task
from placer.exits.station import Station
from placer.instance.ranges import split_option
from placer.instance.reading import unknown
from placer.instance.units import FRACTION, RATE, Dimension

Axis = Literal["arrivals", "max-loss"]


@dataclass(frozen=True)
class Skipped:
    """A scheduler that gave no policy, and why.

    Attributes:
        method: its name.
        reason: in words.
        infeasible: whether it is the limit that cannot be kept (else the profile or an extra is missing).
    """

    method: str
    reason: str
    infeasible: bool


def compare(
    task: Task, request: Request, methods: Sequence[str], tell: Callable[[str], None] | None = None
) -> tuple[list[Report], list[Skipped]]:
    """Run several schedulers on one task; ``tell`` is told each one's name before it starts."""
    reports: list[Report] = []
    skipped: list[Skipped] = []
    for name in methods:
        if tell is not None:
            tell(name)
        try:
            reports.append(assess(name, task, request))
        except (InputError, MissingExtraError) as error:
            if name not in METHODS:
                raise
            skipped.append(Skipped(name, error.message, infeasible=False))
        except InfeasibleError as error:
            skipped.append(Skipped(name, error.message, infeasible=True))
    return reports, skipped


@dataclass(frozen=True)
class Point:
    """One value of a sweep.

    Attributes:
        value: arrivals in 1/s, or the loss limit.
        reports: of the schedulers that gave a policy.
        skipped: the others.
    """

    value: float
    reports: list[Report]
    skipped: list[Skipped]


def sweep(task: Task, request: Request, methods: Sequence[str], axis: Axis, values: Sequence[float]) -> Iterator[Point]:
    """Run the schedulers at each value of an axis."""
    for value in values:
        if axis == "arrivals":
            here = replace(task, station=Station(value, task.station.capacity))
        else:
            here = replace(task, max_loss=value)
        yield Point(value, *compare(here, request, methods))


AXES: dict[str, tuple[Axis, Dimension]] = {"arrivals": ("arrivals", RATE), "max-loss": ("max-loss", FRACTION)}


def read_axis(text: str) -> tuple[Axis, list[float]]:
    """Read ``arrivals=1:6:9 /s`` or ``max-loss=0.1,1,5 %``: what is varied, and its values in SI units.

    Raises:
        InputError: with what is allowed.
    """
    name, values = split_option(text)
    if name not in AXES:
        raise InputError(
            f"--vary: {unknown('field', name, list(AXES))}", tip="write arrivals=1:6:9 /s or max-loss=0.1,1,5 %"
        )
    axis, dimension = AXES[name]
    try:
        return axis, [dimension.parse(value.text + (f" {value.unit}" if value.unit else "")) for value in values.items]
    except ValueError as error:
        raise InputError(f"--vary {name}: {error}") from error
