"""Instances with one figure changed, and how the change is written into the file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from placer.instance import units
from placer.instance.instance import Instance


@dataclass(frozen=True)
class Edit:
    """One field of an instance file.

    Attributes:
        path: the field by names, as ``placer sweep`` takes it; ``types.DEVICE.`` is the type of one device, in a file
            of its own, ``+`` one more entry of a list, and ``--max-moves`` an option.
        value: what to write there, a mapping for a field of several; None to leave the field out.
    """

    path: str
    value: str | float | bool | dict[str, str | list[str]] | None


@dataclass(frozen=True)
class Change:
    """An instance with some figures changed.

    Attributes:
        instance: the instance.
        text: what to do, in words.
        edits: what to write into the file.
        moves: layers that may move, where that is what changes.
    """

    instance: Instance
    text: str
    edits: tuple[Edit, ...]
    moves: int | None = None


def with_device(instance: Instance, name: str, **changes: Any) -> Instance:
    """The instance with some fields of a device changed."""
    devices = tuple(d.model_copy(update=changes) if d.name == name else d for d in instance.devices)
    return replace(instance, file=instance.file.model_copy(update={"devices": devices}))


def with_service(instance: Instance, name: str, **changes: Any) -> Instance:
    """The instance with some fields of a service changed."""
    services = tuple(s.model_copy(update=changes) if s.name == name else s for s in instance.services)
    return replace(instance, file=instance.file.model_copy(update={"services": services}))


def with_limits(instance: Instance, **changes: Any) -> Instance:
    """The instance with other common limits."""
    limits = instance.file.limits.model_copy(update=changes)
    return replace(instance, file=instance.file.model_copy(update={"limits": limits}))


def with_link(instance: Instance, position: int, **changes: Any) -> Instance:
    """The instance with some fields of a link changed."""
    links = [one.model_copy(update=changes) if k == position else one for k, one in enumerate(instance.links)]
    network = instance.file.network.model_copy(update={"links": tuple(links)})
    return replace(instance, file=instance.file.model_copy(update={"network": network}))


def with_unit(instance: Instance, name: str, unit: str, **changes: Any) -> Instance:
    """The instance with some fields of a compute unit of one device changed: its type becomes one of its own."""
    device = next(one for one in instance.devices if one.name == name)
    kind, key = instance.device_type(device), f"{device.type} of {name}"
    parts = tuple(u.model_copy(update=changes) if u.name == unit else u for u in kind.units)
    types = {**instance.types, key: kind.model_copy(update={"units": parts})}
    return replace(with_device(instance, name, type=key), types=types)


def with_range(instance: Instance, factor: float) -> Instance:
    """The instance with radios of another range."""
    file_radios = tuple(
        radio.model_copy(update={"range": known.range * factor})
        for radio, known in zip(instance.file.network.radios, instance.radios, strict=True)
    )
    network = instance.file.network.model_copy(update={"radios": file_radios})
    radios = tuple(replace(radio, range=radio.range * factor) for radio in instance.radios)
    return replace(instance, file=instance.file.model_copy(update={"network": network}), radios=radios)


def rounded_up(value: float) -> float:
    """The least number of four digits, as reports show them, that is no less."""
    if not np.isfinite(value) or value <= 0.0:
        return value
    step = 10.0 ** (np.floor(np.log10(value)) - 3)
    return float(f"{np.ceil(value / step - 1e-9) * step:.4g}")


def rounded_down(value: float) -> float:
    """The largest number of four digits that is no more."""
    if not np.isfinite(value) or value <= 0.0:
        return value
    step = 10.0 ** (np.floor(np.log10(value)) - 3)
    return float(f"{np.floor(value / step + 1e-9) * step:.4g}")


def as_percent(value: float) -> str:
    """A fraction as a file holds it, as printed."""
    return f"{value * 100:.4g} %"


SHOWN = {
    "B": units.show_bytes,
    "s": units.show_seconds,
    "MAC": units.show_macs,
    "bit/s": units.show_rate,
    "1": as_percent,
}
"""How figures of a unit are printed, and read again."""
READ = {
    "B": units.BYTES,
    "s": units.SECONDS,
    "MAC": units.MACS,
    "bit/s": units.DATA_RATE,
    "1": units.FRACTION,
}


def as_printed(value: float, unit: str) -> tuple[float, str]:
    """A value rounded up to the digits that are printed, as a file that holds the print has it."""
    factor = 8.0 if unit == "bit/s" else 1.0
    text = SHOWN[unit](rounded_up(value * factor) / factor)
    return READ[unit].parse(text), text
