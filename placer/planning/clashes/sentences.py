"""What limits say, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from placer.instance import units
from placer.instance.compiled import Compiled
from placer.planning.clashes.deployed import Deployed
from placer.planning.clashes.families import Group
from placer.planning.clashes.relaxing import Relaxing
from placer.planning.domains import domain_of, needed_alone


def sentences_of(
    compiled: Compiled, every: Sequence[Group], clash: Sequence[Group], deployed: Deployed | None = None
) -> list[str]:
    """A clash in words, a line each."""
    single = _single_layer(compiled, every, clash)
    return single or [_sentence(compiled, group, deployed) for group in clash]


def _sentence(compiled: Compiled, group: Group, deployed: Deployed | None) -> str:
    kind, subject = group
    if subject in compiled.device_names and kind in ("memory", "flash", "layers", "compute", "utilisation"):
        return _of_device(compiled, kind, compiled.device_names.index(subject))
    if kind == "stability":
        return f"{subject} must not get more work than it can do"
    if kind == "airtime":
        return f"channel {subject} carries {units.show_fraction(compiled.max_airtime)}"
    if kind == "link":
        return f"{subject} may be busy {units.show_fraction(compiled.max_link_utilisation)} of the time"
    if kind == "max_moves" and deployed is not None:
        return f"{deployed.most} layers may move away from where they are deployed"
    service = next(one for one in compiled.instance.services if one.name == subject)
    if kind == "max_loss":
        return f"service {subject} must lose at most {units.show_fraction(service.max_loss or 0.0)}"
    if kind == "deadline_p95":
        return (
            f"service {subject} must answer 95 % of its requests within {units.show_seconds(service.deadline_p95 or 0)}"
        )
    if kind == "deadline":
        return f"service {subject} must answer within {units.show_seconds(service.deadline or 0.0)}"
    if kind in ("max_devices", "max_fragments"):
        return f"service {subject} may have {getattr(service, kind)} {kind.removeprefix('max_')[:-1]}(s)"
    if kind == "contiguous":
        return f"service {subject} must not come back to a device (contiguous)"
    if kind == "min_accuracy":
        return f"service {subject} must have an accuracy of {service.min_accuracy:g}"
    if kind == "range":
        return f"service {subject} reaches only devices in range of {service.source}, over relays"
    return f"service {subject}: pins, forbidden pairs and privacy say where its layers may run"


def _of_device(compiled: Compiled, kind: str, device: int) -> str:
    name = compiled.device_names[device]
    if kind == "memory":
        text = f"{name} has {units.show_bytes(compiled.memory[device])} of memory free for layers"
        own = [
            f"{units.show_bytes(compiled.unit_memory[station])} in {place.unit}"
            for station, place in enumerate(compiled.stations)
            if place.device == device and np.isfinite(compiled.unit_memory[station])
        ]
        return f"{text}, {', '.join(own)}" if own else text
    if kind == "flash":
        return f"{name} has {units.show_bytes(compiled.flash[device])} of flash for weights"
    if kind == "layers":
        return f"{name} may hold {compiled.max_layers[device]:g} layer(s)"
    if kind == "compute":
        return f"{name} may do {units.show_macs(compiled.max_compute[device])} per inference"
    here = compiled.station_device == device
    limit = (compiled.max_work / compiled.servers)[here].min()
    return f"{name} may be busy {units.show_fraction(limit)} of the time"


def _single_layer(compiled: Compiled, every: Sequence[Group], clash: Sequence[Group]) -> list[str]:
    """The clearest case: one layer is too large for every device that it may run on."""
    stores = [group for group in clash if group[0] in ("memory", "flash")]
    relaxing = Relaxing(compiled, every)
    tight, loose = relaxing.held(clash), relaxing.held(set(clash) - set(stores))
    holders = {subject for _, subject in stores}
    for index, variant in enumerate(compiled.variants):
        domain, free = domain_of(tight, tight.variants[index]), domain_of(loose, loose.variants[index])
        for layer in np.flatnonzero(~domain.usable.any(axis=1) & free.usable.any(axis=1)):
            devices = sorted({int(compiled.station_device[i]) for i in free.stations(int(layer))})
            devices = [device for device in devices if compiled.device_names[device] in holders]
            if not devices:
                continue
            largest = max(devices, key=lambda device: compiled.memory[device])
            station = next(i for i in free.stations(int(layer)) if compiled.station_device[i] == largest)
            needs = {store: float(size[layer]) for store, size in needed_alone(compiled, variant, station).items()}
            store = max(needs, key=lambda one: needs[one] - compiled.stores.capacity[one])  # what is short of most
            what = " of flash" if compiled.stores.family(store) == "flash" else ""
            service = compiled.instance.services[variant.service].name
            return [
                f"layer {variant.layers[layer]} of service {service} needs {units.show_bytes(needs[store])}{what}; the "
                f"largest free device it may run on, {compiled.device_names[largest]}, has "
                f"{units.show_bytes(compiled.stores.capacity[store])} ({len(devices)} device(s) looked at)"
            ]
    return []


def untimed(compiled: Compiled) -> str:
    """Why there is no placement even without any limit."""
    for variant in compiled.variants:
        for layer in np.flatnonzero(~np.isfinite(variant.time).any(axis=1)):
            service = compiled.instance.services[variant.service].name
            return (
                f"layer {variant.layers[layer]} of service {service} can run on no device: neither a measured time "
                "nor its work and a speed are known"
            )
    return "no placement exists even without limits"
