"""What was measured: single measurements, and series of the same thing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from placer.errors import Problem
from placer.instance.fields import LONGEST_LABEL


@dataclass(frozen=True)
class Sizes:
    """What is known of the work of a layer or model beside its time.

    Attributes:
        macs: multiply-accumulates of one inference.
        weights, input, output: bytes.
    """

    macs: float | None = None
    weights: float | None = None
    input: float | None = None
    output: float | None = None


class Thing(NamedTuple):
    """What was measured; equal ones are repetitions.

    Attributes:
        device, unit: label of the device type and of its compute unit; no unit is the first.
        model: label of the model.
        layer: name of a layer; empty for the whole model.
        runtime: name of a runtime; empty where not said.
        precision: label; empty where not said.
    """

    device: str
    unit: str
    model: str
    layer: str
    runtime: str
    precision: str

    @property
    def build(self) -> str:
        """Name of the alternative: runtime and precision; ``default`` where neither is said."""
        return label(f"{self.runtime} {self.precision}") or "default"


@dataclass(frozen=True)
class Measurement:
    """One measurement.

    Attributes:
        thing: what was measured.
        seconds: of one inference.
        joules: of one inference; None where it was not measured.
        averaged: whether it is a mean over inferences already: then the scv of several is only a lower bound.
        reads: whether reading the weights is known to be what takes the time.
        sizes: what is known of the work.
        file, line: where it stands.
    """

    thing: Thing
    seconds: float
    joules: float | None = None
    averaged: bool = False
    reads: bool = False
    sizes: Sizes = Sizes()
    file: str = ""
    line: int | None = None

    def problem(self, message: str) -> Problem:
        """A problem with this measurement."""
        return Problem(message, file=self.file, line=self.line)


@dataclass(frozen=True)
class Series:
    """All measurements of one thing."""

    thing: Thing
    measurements: tuple[Measurement, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.measurements)

    @property
    def seconds(self) -> float:
        """Their mean."""
        return float(np.mean([one.seconds for one in self.measurements]))

    @property
    def scv(self) -> float | None:
        """Sample variance over squared mean; None of fewer than two."""
        if self.count < 2:
            return None
        times = np.array([one.seconds for one in self.measurements])
        return float(times.var(ddof=1) / times.mean() ** 2)

    @property
    def averaged(self) -> bool:
        """Whether the scv is one of means, a lower bound of that of single inferences."""
        return any(one.averaged for one in self.measurements)

    @property
    def joules(self) -> float | None:
        """Mean of those whose energy was measured; None without any."""
        known = [one.joules for one in self.measurements if one.joules is not None]
        return float(np.mean(known)) if known else None

    @property
    def sizes(self) -> Sizes:
        """What the first measurement that knows a size says of it."""
        return Sizes(
            **{
                name: next(
                    (getattr(one.sizes, name) for one in self.measurements if getattr(one.sizes, name) is not None),
                    None,
                )
                for name in ("macs", "weights", "input", "output")
            }
        )

    @property
    def reads(self) -> bool:
        """Whether reading the weights is known to be what takes the time."""
        return any(one.reads for one in self.measurements)


def series_of(measurements: Iterable[Measurement]) -> list[Series]:
    """Group measurements of the same thing, in the order in which things first occur."""
    found: dict[Thing, list[Measurement]] = {}
    for one in measurements:
        found.setdefault(one.thing, []).append(one)
    return [Series(thing, tuple(members)) for thing, members in found.items()]


def label(text: str) -> str:
    """The name as a label: lower case, digits, hyphens; empty where nothing of it is left."""
    return re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")[:LONGEST_LABEL].strip("-")
