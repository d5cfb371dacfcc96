"""What does instead where a limit itself cannot be raised as far as needed: fewer requests, more servers, a link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from placer.instance.compiled import Compiled
from placer.instance.network import Link
from placer.plan.placement import Placement
from placer.planning.clashes.changes import Change, Edit, as_printed, rounded_down, with_device, with_service
from placer.planning.clashes.knobs import Knob

SLOWEST_LINK = 16.0
"""Bytes/s that a link is tried with at least."""


def fewer_requests(compiled: Compiled, names: Sequence[str]) -> Knob | None:
    """The rate of requests of some services, as a factor of the time between two of them: more of it is less work."""
    instance = compiled.instance
    known = [s for s in instance.services if s.name in names and s.arrivals is not None and s.arrivals.rate is not None]
    if not known:
        return None

    def change(value: float) -> Change:
        made, texts, edits = instance, [], []
        for one in known:
            assert one.arrivals is not None
            now = one.arrivals.rate or 0.0
            rate = rounded_down(now / value)
            made = with_service(made, one.name, arrivals=one.arrivals.model_copy(update={"rate": rate}))
            texts.append(f"{rate:.4g} requests/s of service {one.name} come (now {now:.4g} /s)")
            edits.append(Edit(f"services.{one.name}.arrivals", f"{rate:.4g} /s"))
        return Change(made, f"let {' and '.join(texts)}", tuple(edits))

    return Knob(1.0, change, lambda placement: np.inf)


def more_servers(compiled: Compiled, name: str) -> Knob | None:
    """Jobs that the first compute unit of a device serves at once."""
    device = next(one for one in compiled.instance.devices if one.name == name)
    units = compiled.instance.device_type(device).units
    if not units or device.outages is not None:
        return None
    now = device.servers or units[0].servers

    def change(value: float) -> Change:
        count = int(np.ceil(value - 1e-9))
        made = with_device(compiled.instance, name, servers=count)
        words, edits = f"let {name} serve {count} jobs at once (now {now})", [Edit(f"devices.{name}.servers", count)]
        if isinstance(device.buffer, int) and device.buffer < count:
            made = with_device(made, name, buffer=count)
            words += f", with a buffer of {count} (now {device.buffer})"
            edits.append(Edit(f"devices.{name}.buffer", count))
        return Change(made, words, tuple(edits))

    return Knob(float(now), change, lambda placement: np.inf, most=64, whole=True)


def more_cores(compiled: Compiled, name: str) -> Knob | None:
    """Cores of the first compute unit of a device: how its speed is raised in a file."""
    device = next(one for one in compiled.instance.devices if one.name == name)
    units = compiled.instance.device_type(device).units
    if not units:
        return None
    now = device.cores or units[0].cores

    def change(value: float) -> Change:
        count = int(np.ceil(value - 1e-9))
        made = with_device(compiled.instance, name, cores=count)
        words = f"give {name} {count} cores (now {now}), or another device as much faster"
        return Change(made, words, (Edit(f"devices.{name}.cores", count),))

    return Knob(float(now), change, lambda placement: np.inf, most=256, whole=True)


def more_places(compiled: Compiled, name: str) -> Knob | None:
    """Jobs that find room in a device."""
    device = next(one for one in compiled.instance.devices if one.name == name)
    if not isinstance(device.buffer, int):
        return None
    now = device.buffer

    def change(value: float) -> Change:
        count = int(np.ceil(value - 1e-9))
        made = with_device(compiled.instance, name, buffer=count)
        return Change(
            made, f"give {name} a buffer of {count} jobs (now {now})", (Edit(f"devices.{name}.buffer", count),)
        )

    return Knob(float(now), change, lambda placement: np.inf, most=4096, whole=True)


def link_to(compiled: Compiled, service: str, placement: Placement) -> Knob | None:
    """A link from where a service's inputs arise to a device that it has no way to and that a placement needs."""
    position = next(k for k, one in enumerate(compiled.instance.services) if one.name == service)
    source = int(compiled.source[position])
    near = np.isfinite(compiled.topology.hop_counts[source])
    needed = [*compiled.station_device[list(placement.stations[position])].tolist(), int(compiled.sink[position])]
    away = [device for device in needed if device != source and not near[device]]
    if not away:
        return None
    ends = compiled.device_names[source], compiled.device_names[max(away, key=away.count)]

    def change(value: float) -> Change:
        rate, text = as_printed(value, "bit/s")
        network = compiled.instance.file.network
        link = Link(between=ends, rate=rate)
        made = replace(
            compiled.instance,
            file=compiled.instance.file.model_copy(
                update={"network": network.model_copy(update={"links": (*network.links, link)})}
            ),
        )
        edit = Edit("network.links.+", {"between": list(ends), "rate": text})
        return Change(made, f"link {ends[0]} and {ends[1]} at {text}", (edit,))

    return Knob(SLOWEST_LINK, change, lambda placement: np.inf)
