"""What single change of one limit repairs an infeasible instance: the least value that is enough, by bisection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from placer.instance import units
from placer.instance.compiled import Compiled
from placer.instance.instance import Instance
from placer.planning.domains import Group


def least_change(compiled: Compiled, group: Group, feasible: Callable[[Instance], bool]) -> str | None:
    """Say which value of one limit is enough, all else unchanged; None for a limit that has no value to raise.

    Args:
        compiled: the instance.
        group: the limit, (kind, subject).
        feasible: whether a changed instance has a plan; what it raises is passed on.
    """
    kind, subject = group
    instance = compiled.instance
    if kind == "memory":
        device = compiled.device_names.index(subject)
        free = float(compiled.memory[device])

        def more_memory(value: float) -> Instance:
            return _with_device(instance, subject, memory=value + _reserved(instance, subject))

        value = _bisect(lambda v: feasible(more_memory(v)), max(free, 1.0))
        return f"give {subject} {units.show_bytes(value)} free for layers (it has {units.show_bytes(free)})"
    if kind == "deadline":
        deadline = next(s.deadline for s in instance.services if s.name == subject) or 1e-3
        value = _bisect(lambda v: feasible(_with_service(instance, subject, deadline=v)), deadline)
        shown = f"{units.show_seconds(value)} (now {units.show_seconds(deadline)})"
        return f"allow service {subject} {shown}"
    if kind in ("max_devices", "max_fragments"):
        most = int(next(getattr(s, kind) for s in instance.services if s.name == subject))
        value = np.ceil(_bisect(lambda v: feasible(_with_service(instance, subject, **{kind: int(np.ceil(v))})), most))
        return f"allow service {subject} {value:g} {kind.removeprefix('max_')} (now {most})"
    if kind == "contiguous":
        return f"let service {subject} come back to a device (contiguous: false)"
    if kind == "layers":
        device = compiled.device_names.index(subject)
        value = float(np.ceil(_bisect(
            lambda v: feasible(_with_device(instance, subject, layers=int(np.ceil(v)))),
            float(compiled.max_layers[device]),
        )))  # fmt: skip
        return f"allow {value:g} layers on {subject} (now {compiled.max_layers[device]:g})"
    if kind == "range" and instance.radios:
        found = _bisect(lambda v: feasible(_with_range(instance, v)), 1.0)
        return f"raise the range of the radios by a factor of {found:.3g}" if np.isfinite(found) else "add a link"
    return None


def _reserved(instance: Instance, name: str) -> float:
    device = next(device for device in instance.devices if device.name == name)
    return (device.reserve or instance.device_type(device).reserve).memory


def _with_device(instance: Instance, name: str, **changes: float) -> Instance:
    devices = tuple(d.model_copy(update=changes) if d.name == name else d for d in instance.devices)
    return replace(instance, file=instance.file.model_copy(update={"devices": devices}))


def _with_service(instance: Instance, name: str, **changes: float) -> Instance:
    services = tuple(s.model_copy(update=changes) if s.name == name else s for s in instance.services)
    return replace(instance, file=instance.file.model_copy(update={"services": services}))


def _with_range(instance: Instance, factor: float) -> Instance:
    return replace(instance, radios=tuple(replace(radio, range=radio.range * factor) for radio in instance.radios))


def _bisect(enough: Callable[[float], bool], low: float) -> float:
    """Smallest value (to 0.1 %) from ``low`` up that is enough; inf when a million times ``low`` is not."""
    high = low
    for _ in range(20):
        high *= 2.0
        if enough(high):
            break
    else:
        return float("inf")
    low = high / 2.0
    while high - low > 1e-3 * high:
        middle = 0.5 * (low + high)
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
