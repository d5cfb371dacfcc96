"""From files of measurements to what they say: means, spread, fits, and predictions beside them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from placer.errors import InputError, Problem
from placer.instance.device import DEVICE_FORMAT
from placer.instance.model import MODEL_FORMAT
from placer.instance.reading import unknown
from placer.instance.units import show_joules
from placer.profiling.calibration.bases import Bases, Known, layers_of, predicted, weights_of, work_of
from placer.profiling.calibration.fitting import Fit, fit, fit_reading
from placer.profiling.calibration.formats.registry import read_file
from placer.profiling.calibration.formats.text import MOST_PROBLEMS, Names
from placer.profiling.calibration.measurements import Measurement, Series, series_of


@dataclass(frozen=True)
class Options:
    """How measurements are read and what is known beside them.

    Attributes:
        wanted: format of the files; None tells it by the content.
        names: for formats that lack them.
        idle: W that the device draws idle, taken off the joules of the files; None where those are above idle.
        memory: bytes of RAM by device; the key ``""`` is for all that have none of their own.
        bases: what is known already.
    """

    wanted: str | None = None
    names: Names = field(default_factory=Names)
    idle: float | None = None
    memory: Mapping[str, float] = field(default_factory=dict)
    bases: Bases = field(default_factory=Bases)


@dataclass(frozen=True)
class Compared:
    """A series beside what was predicted of it.

    Attributes:
        series: what was measured.
        macs: its multiply-accumulates; None where they are not known.
        weights: bytes of its weights; 0 where they are not known.
        predicted: seconds by the known device type; None where it says nothing.
        basis: ``times`` or ``speed``; empty without a prediction.
        fitted: seconds by the fit; None without one.
    """

    series: Series
    macs: float | None
    weights: float
    predicted: float | None
    basis: str
    fitted: float | None = None

    @property
    def error(self) -> float | None:
        """(predicted - measured) / measured."""
        return None if self.predicted is None else self.predicted / self.series.seconds - 1.0


@dataclass(frozen=True)
class Place:
    """A build on a compute unit: what is fitted together.

    Attributes:
        device, unit: as in :class:`placer.profiling.calibration.measurements.Thing`.
        build: runtime and precision.
        whole: whether whole models were measured and not layers.
    """

    device: str
    unit: str
    build: str
    whole: bool


@dataclass(frozen=True)
class Calibration:
    """What files of measurements say.

    Attributes:
        formats: format of each file, by its name.
        compared: every series, in the order of the files.
        fits: by place: of what computes, and of what is known to read.
        options: how they were read.
    """

    formats: dict[str, str]
    compared: tuple[Compared, ...]
    fits: dict[Place, tuple[Fit | None, Fit | None]]
    options: Options

    @property
    def median_error(self) -> float | None:
        """Median of the relative errors' sizes; None without predictions."""
        errors = [abs(one.error) for one in self.compared if one.error is not None]
        return statistics.median(errors) if errors else None


def calibrate(paths: Sequence[Path], options: Options) -> Calibration:
    """Read files of measurements and fit them.

    Raises:
        InputError: every problem of a file.
    """
    formats: dict[str, str] = {}
    measurements: list[Measurement] = []
    for path in paths:
        if str(path) in formats:
            raise InputError([Problem("is named twice", file=str(path))])
        formats[str(path)], found = read_file(path, options.names, options.wanted)
        measurements += found
    if options.idle is not None:
        measurements = _above_idle(measurements, options.idle)
    series = series_of(measurements)
    _expect_use(options, series)
    models = {name: options.bases.model(name) for name in dict.fromkeys(one.thing.model for one in series)}
    devices = {name: options.bases.device(name) for name in dict.fromkeys(one.thing.device for one in series)}
    compared = [_compared(one, models[one.thing.model], devices[one.thing.device]) for one in series]
    fits = _fits(compared)
    return Calibration(formats, tuple(_with_fit(one, fits) for one in compared), fits, options)


def _expect_use(options: Options, series: Sequence[Series]) -> None:
    """Raise InputError for what was said of devices and models that nobody measured."""
    devices = list(dict.fromkeys(one.thing.device for one in series))
    known = {DEVICE_FORMAT: devices, MODEL_FORMAT: list(dict.fromkeys(one.thing.model for one in series))}
    for option, said in (("--memory", options.memory), ("--like", options.bases.like)):
        for name in said:
            if name and name not in devices:
                raise InputError(f"{option}: {unknown('measured device', name, devices)}")
    for (stated, name), document in options.bases.given.items():
        if name not in known[stated]:
            what = "measured device" if stated == DEVICE_FORMAT else "measured model"
            raise InputError([document.problem(unknown(what, name, known[stated]), ("name",))])
    if options.idle is not None and not any(one.joules is not None for one in series):
        raise InputError("--idle is taken off joules, and no file has any")


def _above_idle(measurements: Sequence[Measurement], idle: float) -> list[Measurement]:
    """Take what the device draws anyway off the joules."""
    problems = [
        one.problem(
            f"{show_joules(one.joules)} in {one.seconds:g} s is less than the {idle:g} W of --idle; at least "
            f"{show_joules(idle * one.seconds)} is allowed"
        )
        for one in measurements
        if one.joules is not None and one.joules < idle * one.seconds
    ]
    if problems:
        raise InputError(problems[:MOST_PROBLEMS])
    return [one if one.joules is None else replace(one, joules=one.joules - idle * one.seconds) for one in measurements]


def _compared(series: Series, model: Known | None, device: Known | None) -> Compared:
    layers = layers_of(series, model)
    said = predicted(series, layers, model, device)
    seconds, basis = said if said is not None else (None, "")
    return Compared(series, work_of(series, layers), weights_of(series, layers), seconds, basis)


def place_of(series: Series) -> Place:
    """What a series is fitted with."""
    thing = series.thing
    return Place(thing.device, thing.unit, thing.build, not thing.layer)


def _fits(compared: Sequence[Compared]) -> dict[Place, tuple[Fit | None, Fit | None]]:
    groups: dict[Place, list[Compared]] = {}
    for one in compared:
        groups.setdefault(place_of(one.series), []).append(one)
    found = {}
    for place, members in groups.items():
        computing = [
            (one.macs, one.weights, one.series.seconds) for one in members if one.macs and not one.series.reads
        ]
        reading = [(one.weights, one.series.seconds) for one in members if one.series.reads and one.weights]
        found[place] = (
            fit(*zip(*computing, strict=True)) if computing else None,
            fit_reading(*zip(*reading, strict=True)) if reading else None,
        )
    return found


def _with_fit(one: Compared, fits: Mapping[Place, tuple[Fit | None, Fit | None]]) -> Compared:
    computing, reading = fits[place_of(one.series)]
    said = reading if one.series.reads else computing
    if said is None or (one.series.reads and not one.weights) or (not one.series.reads and not one.macs):
        return one
    return replace(one, fitted=said.seconds(0.0 if one.series.reads else one.macs or 0.0, one.weights))
