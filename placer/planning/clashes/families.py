"""The limits of an instance in the families that a user knows: the memory of a device, the deadline of a service."""

from __future__ import annotations

import numpy as np

from placer.evaluation.traffic import can_bind
from placer.instance.compiled import Compiled
from placer.planning.clashes.deployed import Deployed
from placer.planning.domains import reached

Group = tuple[str, str]
"""A family of limits: (kind, device, service, channel or link)."""

MOVES: Group = ("max_moves", "the plan")
STRETCHED = ("max_devices", "max_fragments", "contiguous")


def families(compiled: Compiled, deployed: Deployed | None = None) -> list[Group]:
    """Every family of limits that holds without waiting and that a user could relax, the likeliest culprits last.

    The range of a service is left out where every unit that knows a time for its layers is in range.
    """
    result: list[Group] = []
    for position, service in enumerate(compiled.instance.services):
        if service.pins or service.forbid or service.privacy:
            result.append(("allowed", service.name))
        if _out_of_range(compiled, position):
            result.append(("range", service.name))
        result += [(kind, service.name) for kind in STRETCHED if getattr(service, kind)]
        if service.min_accuracy is not None:
            result.append(("min_accuracy", service.name))
    if deployed is not None:
        result.append(MOVES)
    if can_bind(compiled) and np.isfinite(compiled.max_airtime):
        result += [("airtime", channel) for channel in compiled.topology.hears]
    if can_bind(compiled) and np.isfinite(compiled.max_link_utilisation):
        carriers = (compiled.topology.carrier(arc.carrier) for arc in compiled.topology.arcs if arc.channel is None)
        result += [("link", carrier.name) for carrier in carriers]
    computing = sorted({int(device) for device in compiled.station_device})
    for device in computing:
        result += [(kind, compiled.device_names[device]) for kind in _of_device(compiled, device)]
    result += [("memory", compiled.device_names[device]) for device in computing]
    result += [("deadline", s.name) for s in compiled.instance.services if s.deadline is not None]
    return result


def _of_device(compiled: Compiled, device: int) -> list[str]:
    """Kinds of limits of a device beside its memory."""
    here = compiled.station_device == device
    given = {
        "compute": np.isfinite(compiled.max_compute[device]),
        "utilisation": np.isfinite(compiled.max_work[here]).any(),
        "layers": np.isfinite(compiled.max_layers[device]),
        "flash": not np.isnan(compiled.flash[device]),
    }
    return [kind for kind, there in given.items() if there]


def _out_of_range(compiled: Compiled, service: int) -> bool:
    """Whether some unit that could run a layer of a service cannot be reached, or not within its privacy zone."""
    for index in compiled.service_variants[service]:
        variant = compiled.variants[index]
        if (np.isfinite(variant.time) & ~reached(compiled, variant)).any():
            return True
    return False
