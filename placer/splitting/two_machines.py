"""One model between one device and one server: a small instance, so that times, limits and assumptions are judged by
the same code as everywhere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from placer.errors import InputError
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.device import DeviceType
from placer.instance.library import Kind, Library, find_shipped, is_file, locate, shipped_names
from placer.instance.model import Model
from placer.instance.network import RadioType
from placer.instance.reading import Strict, read_document, unknown, validate
from placer.instance.resolving import resolve
from placer.instance.schema import InstanceFile
from placer.splitting.pricing import Link

DEVICE, SERVER = "device", "server"

Entry = TypeVar("Entry", bound=Strict)


@dataclass(frozen=True, eq=False)
class Case:
    """A compiled instance of one device, one server and the link between them.

    Attributes:
        compiled: the instance; its only service runs the model from the device.
        device, server: stations.
        x: inverse rate of the uplink in s/byte.
        link: what lies between beside the rate.
        missing: power figures that energy would need and are not known.
    """

    compiled: Compiled
    device: int
    server: int
    x: float
    link: Link
    missing: tuple[str, ...]

    @property
    def model(self) -> Model:
        """The model."""
        return self.compiled.instance.model(self.compiled.instance.services[0])

    def expect_power(self, compressing: bool) -> None:
        """Raise InputError when a power figure that energy needs, of compressing too, is missing."""
        missing = list(self.missing)
        if compressing and math.isnan(self.link.power):
            missing.append(f"power of {self.compiled.instance.device_type(self.compiled.instance.devices[0]).name}")
        if missing:
            raise InputError(
                f"objective energy needs power figures; missing: {', '.join(dict.fromkeys(missing))}",
                tip="choose a device type that has 'power' and give --radio (3g, lte, wifi-n)",
            )


@dataclass(frozen=True)
class Machines:
    """Who runs what over which link.

    Attributes:
        device, server: shipped device types or files, with ``/unit`` for one of several compute units.
        uplink: goodput of the uplink in bytes/s; None takes the radio's.
        radio: shipped radio or file, for its power, rate and latency; None for none.
        latency: seconds per tensor beside its transmission; None takes the radio's, or 0.
        returns: whether the result goes back to the device.
    """

    device: str
    server: str
    uplink: float | None = None
    radio: str | None = None
    latency: float | None = None
    returns: bool = True


def read_model(argument: str) -> Model:
    """Read a model from a path or by its shipped name.

    Raises:
        InputError: every problem of the file.
    """
    return _entry(argument, "model", Model)


def _entry(argument: str, kind: Kind, schema: type[Entry]) -> Entry:
    path = locate(argument, kind)
    return validate(schema, read_document(path, argument if Path(argument) == path else str(path)))


def build_case(model: Model, machines: Machines, input_size: float | None = None) -> Case:
    """Return the case of a model between two machines; of its alternatives those whose times are known on both.

    Args:
        model: the model.
        machines: device, server and link.
        input_size: bytes of the input as it is sent (a JPEG, say); None for the model's input tensor.

    Raises:
        InputError: for unknown types or units, a missing rate, or times that are not known.
    """
    device, device_unit = _machine(machines.device)
    server, server_unit = _machine(machines.server)
    radio: RadioType | None = None if machines.radio is None else _entry(machines.radio, "radio", RadioType)
    rate = machines.uplink if machines.uplink is not None else None if radio is None else radio.rate * radio.goodput
    if rate is None:
        raise InputError("the rate of the uplink is not known", tip='give --uplink "5 Mbit/s" or --radio lte')
    latency = machines.latency if machines.latency is not None else 0.0 if radio is None else radio.latency
    if input_size is not None:
        model = model.model_copy(
            update={"alternatives": tuple(a.model_copy(update={"input": input_size}) for a in model.alternatives)}
        )
    compiled = _compile(model, device, server, rate, latency)
    stations = (_station(compiled, DEVICE, device, device_unit), _station(compiled, SERVER, server, server_unit))
    timed = [bool(np.isfinite(variant.time[:, list(stations)]).all()) for variant in compiled.variants]
    if not any(timed):
        _expect_times(compiled, model, stations, (device, server))
    if not all(timed):  # builds of runtimes that one of the two does not have
        usable = tuple(one for one, known in zip(model.alternatives, timed, strict=True) if known)
        compiled = _compile(model.model_copy(update={"alternatives": usable}), device, server, rate, latency)
    power = float(compiled.power[stations[0]])
    transmit = None if radio is None else radio.transmit_power
    dark = any(bool(np.isnan(variant.joules[:, stations[0]]).any()) for variant in compiled.variants)
    missing = [f"power of {device.name}"] if dark else []
    if transmit is None:
        missing.append("transmit_power of the radio" if radio is None else f"transmit_power of radio {radio.name}")
    link = Link(
        latency=latency,
        returns=machines.returns,
        power=power,
        radio_base=math.nan if transmit is None else transmit.base,
        radio_per_byte=math.nan if transmit is None else transmit.per_byte,
    )
    return Case(compiled, stations[0], stations[1], 1.0 / rate, link, tuple(missing))


def machine_type(argument: str) -> DeviceType:
    """Return the device type that ``TYPE`` or ``TYPE/UNIT`` names.

    Raises:
        InputError: when it names none.
    """
    return _machine(argument)[0]


def _machine(argument: str) -> tuple[DeviceType, str | None]:
    name, slash, unit = argument.rpartition("/")
    if slash and not argument.endswith((".yaml", ".yml")) and not is_file(argument):
        return _entry(name, "device type", DeviceType), unit
    return _entry(argument, "device type", DeviceType), None


def _compile(model: Model, device: DeviceType, server: DeviceType, rate: float, latency: float) -> Compiled:
    library = Library(None)
    library.entries["model", "model"] = model
    library.entries["device type", "device-type"] = device
    library.entries["device type", "server-type"] = server
    file = InstanceFile.model_validate(
        {
            "format": "placer/instance/1",
            "name": "split",
            "devices": ({"name": DEVICE, "type": "device-type"}, {"name": SERVER, "type": "server-type"}),
            "network": {"links": ({"between": (DEVICE, SERVER), "rate": rate, "latency": latency},)},
            "services": ({"name": "requests", "model": "model", "source": DEVICE},),
        }
    )
    return compile_instance(resolve(file, library))


def _station(compiled: Compiled, name: str, kind: DeviceType, unit: str | None) -> int:
    units = [one.name for one in kind.units]
    if not units:
        raise InputError(f"device type '{kind.name}' has no compute unit; it relays only")
    if unit is not None and unit not in units:
        raise InputError(unknown(f"compute unit of {kind.name}", unit, units))
    return compiled.station_index[name, unit or units[0]]


def _expect_times(
    compiled: Compiled, model: Model, stations: tuple[int, int], kinds: tuple[DeviceType, DeviceType]
) -> None:
    for station, kind in zip(stations, kinds, strict=True):
        for variant in compiled.variants:
            unknown_times = np.flatnonzero(~np.isfinite(variant.time[:, station]))
            if not len(unknown_times):
                continue
            layer = variant.layers[int(unknown_times[0])]
            raise InputError(
                f"no time of layer '{layer}' of {model.name} on {kind.name} is known; {_known(model)}",
                tip="--predict estimates the times that were not measured by regressions over the shipped profiles",
            )


def _known(model: Model) -> str:
    layers = [layer for alternative in model.alternatives for layer in alternative.layers]
    measured = sorted(
        set().union(*(set.intersection(*(set(one.times) for one in build.layers)) for build in model.alternatives))
    )
    text = f"measured on: {', '.join(measured)}" if measured else "it was measured on no device"
    if all(layer.compute is not None for layer in layers):
        fast = [
            name
            for name in shipped_names("device type")
            if any(u.speed is not None or (model.family or model.name) in u.speeds for u in _shipped(name).units)
        ]
        text += f"; by its work and a speed also on: {', '.join(name for name in fast if name not in measured)}"
    return text


def _shipped(name: str) -> DeviceType:
    assert find_shipped(name, "device type") is not None
    return Library(None).device_type(name)
