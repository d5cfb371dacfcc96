"""How long a layer takes on a compute unit: measured if there is a measurement, else work over speed."""

from __future__ import annotations

import math
from itertools import pairwise

from placer.instance.device import Device, DeviceType, Unit
from placer.instance.model import Layer, Model
from placer.instance.service import Service


def layer_time(layer: Layer, model: Model, device: Device, kind: DeviceType, unit: Unit) -> tuple[float, bool]:
    """Return the seconds of a layer on a compute unit, and whether they rest on an assumption.

    In this order: the layer's time measured on this type (``times``), its work over the speed measured for
    this model family, its work over the unit's general speed (to which the safety margin is added, because
    boards run different networks at different speeds). Infinite when none is known: the layer cannot run
    there.
    """
    measured = layer.times.get(f"{kind.name}/{unit.name}")
    if measured is None and unit is kind.units[0]:
        measured = layer.times.get(kind.name)
    if measured is not None:
        seconds, assumed = measured, "times" in layer.assumed
    elif layer.compute is None:
        return math.inf, False
    else:
        seconds, assumed = _work_time(layer.compute, model, device, kind, unit)
        assumed = assumed or "compute" in layer.assumed
    factor, core_assumed = core_factor(device, kind, unit)
    reserve = (device.reserve or kind.reserve).processor
    return seconds * factor / (1.0 - reserve), assumed or core_assumed


def decode_time(service: Service, kind: DeviceType, unit: Unit) -> float:
    """Return the seconds that making the input tensor takes on a compute unit; infinite where that is not known."""
    if not isinstance(service.decode, dict):
        return service.decode
    found = service.decode.get(f"{kind.name}/{unit.name}")
    if found is None and unit is kind.units[0]:
        found = service.decode.get(kind.name)
    return math.inf if found is None else found


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
