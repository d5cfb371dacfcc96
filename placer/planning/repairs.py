"""What single change of one limit repairs an infeasible instance: the least value that is enough, by bisection.

Figures are rounded away from the limit to the digits that are printed, so that the file with the printed figure has a
plan.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from placer.instance import units
from placer.instance.compiled import Compiled
from placer.instance.instance import Instance
from placer.instance.network import Rates
from placer.planning.domains import Group


@dataclass(frozen=True)
class Repair:
    """A change after which there is a plan: in words, and made, with the figure that the words give."""

    text: str
    instance: Instance


@dataclass(frozen=True)
class _Knob:
    """A figure that can be raised.

    Attributes:
        now: its value.
        change: the instance with another value.
        text: what to say of a value.
        most: the largest value that a file may hold.
        whole: whether it is a whole number.
        beyond: what else to do where ``most`` is not enough: the instance, and the words; None for nothing.
    """

    now: float
    change: Callable[[float], Instance]
    text: Callable[[float], str]
    most: float = np.inf
    whole: bool = False
    beyond: tuple[Instance, str] | None = None


def least_change(compiled: Compiled, group: Group, feasible: Callable[[Instance], bool]) -> Repair | None:
    """Say which value of one limit is enough, all else unchanged; None where no value is, or the limit has none.

    Args:
        compiled: the instance.
        group: the limit, (kind, subject).
        feasible: whether a changed instance has a plan; what it raises is passed on.
    """
    for knob in _knobs(compiled, *group):
        found = _least(knob, feasible)
        if np.isfinite(found):
            value = min(np.ceil(found) if knob.whole else _rounded_up(found), knob.most)
            return Repair(knob.text(value), knob.change(value))
        if knob.beyond is not None and feasible(knob.beyond[0]):
            return Repair(knob.beyond[1], knob.beyond[0])
    return None


def _least(knob: _Knob, feasible: Callable[[Instance], bool]) -> float:
    """The least value that is enough; a limit of zero is raised from a millionth on."""
    return _bisect(
        lambda value: feasible(knob.change(np.ceil(value) if knob.whole else value)), max(knob.now, 1e-6), knob.most
    )


def _knobs(compiled: Compiled, kind: str, subject: str) -> list[_Knob]:
    """The figures of a limit, to be tried in turn."""
    instance = compiled.instance
    if kind in ("memory", "flash", "layers", "compute", "utilisation"):
        return _of_device(compiled, kind, compiled.device_names.index(subject))
    if kind in ("deadline", "max_devices", "max_fragments", "min_accuracy", "contiguous"):
        return _of_service(instance, kind, next(s for s in instance.services if s.name == subject))
    if kind == "airtime":
        return [_common_limit(compiled, "airtime", compiled.max_airtime, f"let channel {subject} carry")]
    if kind == "link":
        return [
            *_faster(instance, subject),
            _common_limit(compiled, "links", compiled.max_link_utilisation, "let links carry"),
        ]
    if kind == "range" and instance.radios:
        text = "raise the range of the radios by a factor of {:.4g}".format
        return [_Knob(1.0, lambda factor: _with_range(instance, factor), text)]
    return []


def _of_device(compiled: Compiled, kind: str, index: int) -> list[_Knob]:
    instance, name = compiled.instance, compiled.device_names[index]

    def knob(field: str, now: float, text: Callable[[float], str], kept: float = 0.0, **more: Any) -> _Knob:
        return _Knob(
            now, lambda value: _with_device(instance, name, **{field: _exact(value + kept, more)}), text, **more
        )

    if kind == "memory":
        free = float(compiled.memory[index])
        shown = units.show_bytes(free)
        found = [
            knob(
                "memory",
                free,
                lambda value: f"give {name} {units.show_bytes(value)} free for layers (it has {shown})",
                _reserved(instance, name),
            )
        ]
        for station, place in enumerate(compiled.stations):
            own = float(compiled.unit_memory[station])
            if place.device == index and np.isfinite(own):
                found.append(_of_unit(instance, name, place.unit, own))
        return found
    if kind == "flash":
        now = float(compiled.flash[index])
        return [
            knob("flash", now, lambda v: f"give {name} {units.show_bytes(v)} of flash (it has {units.show_bytes(now)})")
        ]
    if kind == "layers":
        now = float(compiled.max_layers[index])
        return [knob("layers", now, lambda value: f"allow {value:g} layers on {name} (now {now:g})", whole=True)]
    if kind == "compute":
        now = float(compiled.max_compute[index])
        shown = units.show_macs(now)
        return [knob("max_compute", now, lambda v: f"allow {name} {units.show_macs(v)} per inference (now {shown})")]
    here = compiled.station_device == index
    now = float((compiled.max_work / compiled.servers)[here].min())
    shown = units.show_fraction(now)
    return [
        knob(
            "utilisation",
            now,
            lambda value: f"let {name} be busy {units.show_fraction(value)} of the time (now {shown})",
            most=1.0,
        )
    ]


def _exact(value: float, more: dict[str, Any]) -> float | int:
    return int(value) if more.get("whole") else value


def _of_unit(instance: Instance, name: str, unit: str, own: float) -> _Knob:
    """The memory of a compute unit, of this device alone."""
    device = next(one for one in instance.devices if one.name == name)
    kind, key = instance.device_type(device), f"{device.type} of {name}"

    def change(value: float) -> Instance:
        parts = tuple(u.model_copy(update={"memory": value}) if u.name == unit else u for u in kind.units)
        types = {**instance.types, key: kind.model_copy(update={"units": parts})}
        return replace(_with_device(instance, name, type=key), types=types)

    shown = units.show_bytes(own)
    return _Knob(own, change, lambda v: f"give unit {unit} of {name} {units.show_bytes(v)} of its own (it has {shown})")


def _of_service(instance: Instance, kind: str, service: Any) -> list[_Knob]:
    name = service.name

    def change(value: float) -> Instance:
        return _with_service(instance, name, **{kind: value})

    if kind == "contiguous":
        changed = _with_service(instance, name, contiguous=False)
        return [_Knob(1.0, change, str, 0.0, beyond=(changed, f"let service {name} come back to a device"))]
    now = getattr(service, kind)
    if kind == "deadline":
        shown = units.show_seconds(now)
        return [_Knob(now, change, lambda v: f"allow service {name} {units.show_seconds(v)} (now {shown})")]
    if kind == "min_accuracy":
        best = max((a.accuracy or 0.0 for a in instance.alternatives(service)), default=0.0)
        lower = _with_service(instance, name, min_accuracy=np.floor(best * 1e4) / 1e4)
        words = f"accept an accuracy of {np.floor(best * 1e4) / 1e4:g} of service {name} (now {now:g})"
        return [_Knob(1.0, change, str, 0.0, beyond=(lower, words))]
    what = kind.removeprefix("max_")
    return [
        _Knob(
            float(now),
            lambda value: _with_service(instance, name, **{kind: int(value)}),
            lambda value: f"allow service {name} {value:g} {what} (now {now})",
            whole=True,
        )
    ]


def _common_limit(compiled: Compiled, field: str, now: float, words: str) -> _Knob:
    """A limit of ``limits``, for all of its kind: up to 100 %, or none."""
    instance = compiled.instance

    def change(value: float | None) -> Instance:
        limits = instance.file.limits.model_copy(update={field: value})
        return replace(instance, file=instance.file.model_copy(update={"limits": limits}))

    return _Knob(
        now,
        change,
        lambda value: f"{words} {units.show_fraction(value)} (limits: {field}, now {units.show_fraction(now)})",
        1.0,
        beyond=(change(None), f"drop the limit (limits: {{{field}: none}}): no load up to 100 % is enough"),
    )


def _faster(instance: Instance, carrier: str) -> list[_Knob]:
    """The rate of the link that a carrier is a direction of."""
    for position, link in enumerate(instance.links):
        if carrier not in (f"link {a} → {b}" for a, b in (link.between, link.between[::-1])):
            continue
        there, back = link.between
        nominal = link.rate if isinstance(link.rate, Rates) else Rates(up=link.rate, down=link.rate)
        up = carrier == f"link {there} → {back}"

        def change(value: float, at: int = position, old: Rates = nominal, there: bool = up) -> Instance:
            rate = old.model_copy(update={"up" if there else "down": value})
            links = [one.model_copy(update={"rate": rate}) if k == at else one for k, one in enumerate(instance.links)]
            network = instance.file.network.model_copy(update={"links": tuple(links)})
            return replace(instance, file=instance.file.model_copy(update={"network": network}))

        now = nominal.up if up else nominal.down
        return [_Knob(now, change, partial(_rate_text, carrier, now))]
    return []


def _rate_text(carrier: str, now: float, value: float) -> str:
    return f"give {carrier} {units.show_rate(value)} (it has {units.show_rate(now)})"


def _reserved(instance: Instance, name: str) -> float:
    device = next(device for device in instance.devices if device.name == name)
    return (device.reserve or instance.device_type(device).reserve).memory


def _with_device(instance: Instance, name: str, **changes: float | str) -> Instance:
    devices = tuple(d.model_copy(update=changes) if d.name == name else d for d in instance.devices)
    return replace(instance, file=instance.file.model_copy(update={"devices": devices}))


def _with_service(instance: Instance, name: str, **changes: float) -> Instance:
    services = tuple(s.model_copy(update=changes) if s.name == name else s for s in instance.services)
    return replace(instance, file=instance.file.model_copy(update={"services": services}))


def _with_range(instance: Instance, factor: float) -> Instance:
    return replace(instance, radios=tuple(replace(radio, range=radio.range * factor) for radio in instance.radios))


def _rounded_up(value: float) -> float:
    """The least number of four digits, as reports show them, that is no less."""
    if not np.isfinite(value) or value <= 0.0:
        return value
    step = 10.0 ** (np.floor(np.log10(value)) - 3)
    return float(np.ceil(value / step - 1e-9) * step)


def _bisect(enough: Callable[[float], bool], low: float, most: float = np.inf) -> float:
    """Smallest value (to 0.1 %) from ``low`` up that is enough; inf where neither ``most`` nor a million times is."""
    high = low
    for _ in range(20):
        if high >= most:
            return np.inf
        low, high = high, min(2.0 * high, most)
        if enough(high):
            break
    else:
        return np.inf
    while high - low > 1e-3 * high:
        middle = 0.5 * (low + high)
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
