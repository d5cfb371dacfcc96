"""What a layer takes on a compute unit, seconds and joules: measured if there is a measurement, else from its work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from placer.instance.device import Device, DeviceType, Unit
from placer.instance.model import Alternative, Layer, Model
from placer.instance.service import Service

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]
Place = tuple[Device, DeviceType, Unit]
"""One compute unit of an instance."""


@dataclass(frozen=True, eq=False)
class Figures:
    """What M layers take on N compute units; arrays of shape (M, N).

    Attributes:
        time: seconds of one inference, decoding included; inf where a layer cannot run.
        assumed: whether that time rests on an assumption.
        joules: energy of one inference above idle, decoding included; NaN when it is not known.
        scv: squared coefficient of variation of that time.
    """

    time: Floats
    assumed: Truths
    joules: Floats
    scv: Floats


def figures_of(graph: Alternative, model: Model, service: Service, units: Sequence[Place]) -> Figures:
    """Return what the layers of an alternative take on compute units."""
    shape = (len(graph.layers), len(units))
    time, joules, scv, assumed = np.empty(shape), np.empty(shape), np.empty(shape), np.zeros(shape, dtype=bool)
    for row, layer in enumerate(graph.layers):
        for column, (device, kind, unit) in enumerate(units):
            time[row, column], assumed[row, column] = layer_time(layer, model, device, kind, unit)
            joules[row, column] = layer_energy(layer, time[row, column], device, kind, unit)
            scv[row, column] = layer_scv(layer, kind, unit)
    readers = [row for row, sources in enumerate(graph.predecessors()) if -1 in sources]
    for column, (device, kind, unit) in enumerate(units):
        decode = decode_time(service, kind, unit)
        if decode > 0:
            time[readers, column] += decode
            joules[readers, column] += decode * active_power(device, kind, unit)
    return Figures(time, assumed, np.where(np.isfinite(time), joules, np.nan), scv)


def layer_time(layer: Layer, model: Model, device: Device, kind: DeviceType, unit: Unit) -> tuple[float, bool]:
    """Return the seconds of a layer on a compute unit, and whether they rest on an assumption.

    In this order: the layer's time measured on this type (``times``), its work over the speed measured for
    this model family, its work over the unit's general speed (to which the safety margin is added, because
    boards run different networks at different speeds). By that general speed a layer is no faster than reading its
    weights at the unit's ``bandwidth``, and has its ``overhead`` on top (the roofline, Williams et al., CACM 52(4),
    2009); the speed of a family is one of whole networks and has both in it.
    Infinite when none is known: the layer cannot run there.
    """
    measured = of_type(layer.times, kind, unit)
    if measured is not None:
        seconds, assumed = measured, "times" in layer.assumed
    else:
        seconds, assumed = _unmeasured(layer, model, device, kind, unit)
        if math.isinf(seconds):
            return math.inf, False
    factor, core_assumed = core_factor(device, kind, unit)
    reserve = (device.reserve or kind.reserve).processor
    return seconds * factor / (1.0 - reserve), assumed or core_assumed


def layer_energy(layer: Layer, seconds: float, device: Device, kind: DeviceType, unit: Unit) -> float:
    """Return the joules above idle of a layer that runs for ``seconds``; NaN when no figure is known.

    The energy measured on this type (``energy``) wins over the power of the device, as it is of this very layer and
    runtime; it is taken as it is whatever cores or reserve the device gives.
    """
    measured = of_type(layer.energy, kind, unit)
    if measured is not None:
        return measured
    if not math.isfinite(seconds):
        return math.nan
    return active_power(device, kind, unit) * seconds if seconds > 0 else 0.0


def active_power(device: Device, kind: DeviceType, unit: Unit) -> float:
    """Return the power at load less the idle power in W; NaN when unknown."""
    power = device.power or unit.power or kind.power
    return math.nan if power is None else power.load - power.idle


def layer_scv(layer: Layer, kind: DeviceType, unit: Unit) -> float:
    """Return the squared coefficient of variation of a layer's time on a unit: the larger of both figures."""
    own = of_type(layer.scv, kind, unit) if isinstance(layer.scv, dict) else layer.scv
    return max(own or 0.0, unit.scv)


def of_type(figures: dict[str, float], kind: DeviceType, unit: Unit) -> float | None:
    """Return the figure of a compute unit: of ``type/unit``, or of ``type`` for the first unit; None for none."""
    found = figures.get(f"{kind.name}/{unit.name}")
    return figures.get(kind.name) if found is None and unit is kind.units[0] else found


def decode_time(service: Service, kind: DeviceType, unit: Unit) -> float:
    """Return the seconds that making the input tensor takes on a compute unit; infinite where that is not known."""
    if not isinstance(service.decode, dict):
        return service.decode
    found = of_type(service.decode, kind, unit)
    return math.inf if found is None else found


def _unmeasured(layer: Layer, model: Model, device: Device, kind: DeviceType, unit: Unit) -> tuple[float, bool]:
    """Seconds of a layer by its work, and whether they rest on an assumption; inf when they are not known."""
    if layer.compute is None:
        return math.inf, False
    seconds, assumed = _work_time(layer.compute, model, device, kind, unit)
    if math.isinf(seconds):
        return math.inf, False
    assumed = assumed or "compute" in layer.assumed
    if (model.family or model.name) in unit.speeds:
        return seconds, assumed  # the speed of a whole network has all of that in it
    if unit.bandwidth is not None and layer.weights / unit.bandwidth > seconds:
        seconds, assumed = layer.weights / unit.bandwidth, "bandwidth" in unit.assumed or "weights" in layer.assumed
    return seconds + unit.overhead, assumed or (unit.overhead > 0 and "overhead" in unit.assumed)


def _work_time(work: float, model: Model, device: Device, kind: DeviceType, unit: Unit) -> tuple[float, bool]:
    family_speed = unit.speeds.get(model.family or model.name)
    if family_speed is not None:
        return work / family_speed, "speeds" in unit.assumed
    if unit.speed is None:
        return (math.inf if work else 0.0), False
    margin = device.margin if device.margin is not None else kind.margin
    return work / unit.speed * (1.0 + margin), True


def core_factor(device: Device, kind: DeviceType, unit: Unit) -> tuple[float, bool]:
    """Return by how much times grow when a device gives its layers other cores, and if that is assumed.

    Linear between the points of the measured ``speedup`` table; proportional (assumed) without a table or
    beyond it.
    """
    if device.cores is None or device.cores == unit.cores or unit is not kind.units[0]:
        return 1.0, False
    wanted, wanted_known = _speedup(unit, device.cores)
    reference, reference_known = _speedup(unit, unit.cores)
    known = wanted_known and reference_known and "speedup" not in unit.assumed
    return reference / wanted, not known


def _speedup(unit: Unit, cores: int) -> tuple[float, bool]:
    table = sorted({1: 1.0, **unit.speedup}.items())
    for (low, slow), (high, fast) in pairwise(table):
        if low <= cores <= high:
            return slow + (fast - slow) * (cores - low) / (high - low), True
    last, fastest = table[-1]
    return fastest * cores / last, cores == last
