"""Device and model files that say what was measured; everything else of them is copied from what is known."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from placer.errors import InputError
from placer.instance.device import DEVICE_FORMAT, DeviceType
from placer.instance.library import find_shipped
from placer.instance.model import MODEL_FORMAT, Model
from placer.instance.reading import parse_document, validate
from placer.instance.units import DATA_RATE, SECONDS, SPEED, Dimension
from placer.profiling.calibration.bases import Bases, Known, graph_of
from placer.profiling.calibration.calibration import Calibration, Compared, Place, place_of
from placer.profiling.calibration.fitting import Estimate, Fit
from placer.profiling.calibration.measurements import Series
from placer.profiling.render import render

_LONGEST_SOURCE = 3900


def files_of(calibration: Calibration) -> tuple[dict[str, str], list[str]]:
    """Return the text of every file by its path below the folder, and notes on what is not in them.

    Raises:
        InputError: nothing says how much memory a device has.
    """
    files: dict[str, str] = {}
    notes: list[str] = []
    by_device: dict[str, list[Compared]] = {}
    by_model: dict[str, list[Compared]] = {}
    for one in calibration.compared:
        by_device.setdefault(one.series.thing.device, []).append(one)
        by_model.setdefault(one.series.thing.model, []).append(one)
    for name, members in by_device.items():
        text = render(_device(name, members, calibration))
        validate(DeviceType, parse_document(text, f"devices/{name}.yaml"))
        files[f"devices/{name}.yaml"] = text
    for name, members in by_model.items():
        data = _model(name, members, calibration, notes)
        if data is not None:
            text = render(data)
            validate(Model, parse_document(text, f"models/{name}.yaml"))
            files[f"models/{name}.yaml"] = text
    return files, notes


def _said(members: Sequence[Compared], calibration: Calibration, extra: str = "") -> str:
    """Where the figures come from, for ``source``."""
    files = dict.fromkeys(one.file for member in members for one in member.series.measurements)
    named = ", ".join(f"{Path(file).name} ({calibration.formats[file]})" for file in files)
    count = sum(member.series.count for member in members)
    many = f"{count} measurement{'s' * (count > 1)}"
    return f"Measured: {many} in {named}, by placer calibrate.{extra}"[:_LONGEST_SOURCE]


def _device(name: str, members: Sequence[Compared], calibration: Calibration) -> dict[str, Any]:
    bases, options = calibration.options.bases, calibration.options
    known = bases.device(name)
    memory = options.memory.get(name, options.memory.get(""))
    if known is None and memory is None:
        raise InputError(
            f"how much memory device '{name}' has is not known: it is no shipped type",
            tip=f'give --memory "{name}=4 GiB", or --like "{name}=TYPE" to copy a type that is like it',
        )
    data: dict[str, Any] = copy.deepcopy(known.data) if known is not None else {"format": DEVICE_FORMAT}
    said, units = _units(name, members, calibration, data.get("units", []), known)
    if known is not None:
        said += f" All else as {known.meaning.name}: {known.meaning.source}"
    fields = {"format": DEVICE_FORMAT, "name": name} | {k: v for k, v in data.items() if k not in ("format", "name")}
    fields["source"] = _said(members, calibration, said)
    if memory is not None:
        fields["memory"] = f"{memory:.12g} B"
        fields["assumed"] = [field for field in fields.get("assumed", []) if field != "memory"]
    power = _power(members, options.idle)
    if power is not None:
        fields["power"] = power
    fields["units"] = units
    return {key: value for key, value in fields.items() if value != []} | {"units": units}


def _power(members: Sequence[Compared], idle: float | None) -> dict[str, str] | None:
    """Idle as the user says and load as the joules say, where both are known."""
    known = [one.series for one in members if one.series.joules is not None]
    if idle is None or not known:
        return None
    load = idle + sum(one.joules or 0.0 for one in known) / sum(one.seconds for one in known)
    return {"idle": f"{idle:.6g} W", "load": f"{load:.6g} W"}


def _units(
    name: str, members: Sequence[Compared], calibration: Calibration, given: list[dict[str, Any]], known: Known | None
) -> tuple[str, list[dict[str, Any]]]:
    """The compute units with what was fitted, and that in words."""
    units: list[dict[str, Any]] = copy.deepcopy(given)
    said = ""
    for unit in dict.fromkeys(one.series.thing.unit for one in members):
        here = [one for one in members if one.series.thing.unit == unit]
        entry = next((one for one in units if not unit or one.get("name", "cpu") == unit), None)
        if entry is None:
            entry = {"name": unit or "cpu"}
            units.append(entry)
        said += _fill(entry, here, calibration)
    return said, units


def _fill(entry: dict[str, Any], members: Sequence[Compared], calibration: Calibration) -> str:
    """Put what was fitted into a unit; of several builds that of the highest speed."""
    fits = {place: calibration.fits[place] for place in dict.fromkeys(place_of(one.series) for one in members)}
    said = ""
    layered = {place: found for place, (found, _) in fits.items() if found and found.speed and not place.whole}
    if layered:
        place = max(layered, key=lambda one: layered[one].speed.value)  # type: ignore[union-attr]
        said += _put_fit(entry, place, layered[place], members)
        families = {_family(one, calibration.options.bases) for one in members if one.series.thing.layer}
        # a speed of the whole network has its overhead in it; what was fitted has not, and is better
        entry["speeds"] = {key: value for key, value in entry.get("speeds", {}).items() if key not in families}
        if not entry["speeds"]:
            del entry["speeds"]
    speeds: dict[str, float] = {}
    for one in members:
        if one.macs and place_of(one.series).whole and not one.series.reads:
            family = _family(one, calibration.options.bases)
            speeds[family] = max(speeds.get(family, 0.0), one.macs / one.series.seconds)
    if speeds:
        own = {key: _text(value, SPEED, "MAC/s", members) for key, value in speeds.items()}
        entry["speeds"] = {**entry.get("speeds", {}), **own}
        if "speed" not in entry:
            entry["speed"] = own[min(speeds, key=lambda key: speeds[key])]
    reading = [found for _, found in fits.values() if found is not None and found.bandwidth is not None]
    if reading:
        best = max(reading, key=lambda one: one.bandwidth.value)  # type: ignore[union-attr]
        assert best.bandwidth is not None
        entry["bandwidth"] = _text(best.bandwidth.value, DATA_RATE, "B/s", members)
        said += f" Bandwidth of {entry['name']}: {_interval(best.bandwidth, 1e9, 'GB/s')}, from {best.count} sizes"
        said += "." if best.overhead is None else f", {_interval(best.overhead, 1e-3, 'ms')} a token beside."
    entry["assumed"] = [
        field for field in entry.get("assumed", []) if field not in ("speed", "speeds", "bandwidth", "overhead")
    ]
    if not entry["assumed"]:
        del entry["assumed"]
    return said


def _text(value: float, dimension: Dimension, unit: str, members: Sequence[Compared]) -> str:
    """A fitted figure as text.

    Raises:
        InputError: it is none that can be: then the measurements, or the sizes with them, are not what they seem.
    """
    try:
        dimension.parse(value, bare_number=True)
    except ValueError as error:
        first = members[0].series.measurements[0]
        raise InputError(
            [first.problem(f"this and what is fitted with it make {value:.4g} {unit}: {error}")]
        ) from error
    return f"{value:.6g} {unit}"


def _put_fit(entry: dict[str, Any], place: Place, found: Fit, members: Sequence[Compared]) -> str:
    assert found.speed is not None
    entry["speed"] = _text(found.speed.value, SPEED, "MAC/s", members)
    entry.pop("overhead", None)
    said = f" Speed of {entry['name']} ({place.build}): {_interval(found.speed, 1e9, 'GMAC/s')}"
    if found.overhead is not None:
        entry["overhead"] = _text(found.overhead.value, SECONDS, "s", members)
        said += f", {_interval(found.overhead, 1e-6, 'us')} a layer beside"
    if found.bandwidth is not None:
        entry["bandwidth"] = _text(found.bandwidth.value, DATA_RATE, "B/s", members)
        said += f", weights at {_interval(found.bandwidth, 1e9, 'GB/s')}"
    return f"{said}; least squares over {found.count} layers, 95 % intervals, relative error {found.error:.2g}."


def _interval(figure: Estimate, unit: float, name: str) -> str:
    """A figure with its interval in words."""
    text = f"{figure.value / unit:.4g} {name}"
    return text if figure.low != figure.low else f"{text} ({figure.low / unit:.4g} to {figure.high / unit:.4g})"


def _family(one: Compared, bases: Bases) -> str:
    known = bases.model(one.series.thing.model)
    return one.series.thing.model if known is None else str(known.meaning.family or known.meaning.name)


def _model(name: str, members: Sequence[Compared], calibration: Calibration, notes: list[str]) -> dict[str, Any] | None:
    known = calibration.options.bases.model(name)
    builds: dict[str, list[Series]] = {}
    for one in members:
        builds.setdefault(one.series.thing.build, []).append(one.series)
    graphs = []
    for build, series in builds.items():
        graph = _graph(build, series, known, several=len(builds) > 1)
        if graph is None:
            notes.append(
                f"model {name}: measured as a whole, and it has several layers: its time is a speed of the device "
                "(`speeds`), and no model file is written"
            )
        else:
            graphs.append(graph)
    if not graphs:
        return None
    unknown_sizes = any("input" in graph.get("assumed", ()) for graph in graphs)
    if unknown_sizes:
        notes.append(f"model {name}: the bytes of its tensors are not known and stand as 0, assumed; put in yours")
    kept: dict[str, Any] = (
        {} if known is None else {key: known.data[key] for key in ("title", "family") if key in known.data}
    )
    extra = "" if known is None else f" Layers as {known.meaning.name}: {known.meaning.source}"
    head = {"format": MODEL_FORMAT, "name": name, **kept, "source": _said(members, calibration, extra)}
    if len(graphs) == 1 and "runtime" not in graphs[0]:
        return head | {key: value for key, value in graphs[0].items() if key != "name"}
    return head | {"alternatives": graphs}


def _graph(build: str, series: Sequence[Series], known: Known | None, several: bool) -> dict[str, Any] | None:
    """One alternative: the known graph, or a chain of what was measured, with times, energy and spread."""
    layered = [one for one in series if one.thing.layer]
    runtime = series[0].thing.runtime
    head: dict[str, Any] = {"name": build}
    if runtime and find_shipped(runtime, "runtime") is not None:
        head["runtime"] = runtime
    if known is None:
        return head | _chain(layered or series, several)
    data = copy.deepcopy(_graph_data(known, build))
    layers = {layer["name"]: layer for layer in data["layers"]}
    if not layered and len(layers) > 1:
        return None
    for one in layered or series:
        layer = layers[one.thing.layer] if one.thing.layer else next(iter(layers.values()))
        for field in ("times", "energy", "scv") if build != "default" else ():
            layer.pop(field, None)  # of other builds
        if several:
            layer.pop("compute", None)  # a build runs only where it was timed
    for one in layered or series:
        layer = layers[one.thing.layer] if one.thing.layer else next(iter(layers.values()))
        _put_figures(layer, one)
    return head | {key: value for key, value in data.items() if key not in ("name", "runtime")}


def _graph_data(known: Known, build: str) -> dict[str, Any]:
    """Plain data of the alternative that a build is of."""
    if "alternatives" in known.data:
        name = graph_of(known.meaning, build).name
        found: dict[str, Any] = next(one for one in known.data["alternatives"] if one["name"] == name)
        return found
    outside = ("format", "name", "title", "family", "source", "assumed")
    flat = {key: value for key, value in known.data.items() if key not in outside}
    assumed = [field for field in known.data.get("assumed", []) if field in flat]
    return flat | ({"assumed": assumed} if assumed else {})


def _chain(series: Sequence[Series], several: bool) -> dict[str, Any]:
    """A graph of what was measured, one layer after the other."""
    layers: dict[str, dict[str, Any]] = {}
    for one in series:
        name = one.thing.layer or "network"
        layer = layers.setdefault(name, {"name": name, "kind": "block"})
        assumed = layer.setdefault("assumed", [])
        if one.sizes.macs is not None and not several and not one.reads:
            layer["compute"] = f"{one.sizes.macs:.12g} MAC"
        for field in ("weights", "output"):
            value = getattr(one.sizes, field)
            if value is not None:
                layer[field] = f"{value:.12g} B"
                layer["assumed"] = assumed = [known for known in assumed if known != field]
            elif field not in layer:
                layer[field] = "0 B"
                assumed.append(field)
        _put_figures(layer, one)
    first = next((one.sizes.input for one in series if one.sizes.input is not None), None)
    order = ("name", "kind", "compute", "weights", "output", "times", "energy", "scv", "assumed")
    rows = [{key: layer[key] for key in order if layer.get(key)} for layer in layers.values()]
    if first is not None:
        return {"input": f"{first:.12g} B", "layers": rows}
    return {"input": "0 B", "layers": rows, "assumed": ["input"]}


def _put_figures(layer: dict[str, Any], one: Series) -> None:
    """Put time, energy and spread of a series into a layer."""
    place = f"{one.thing.device}/{one.thing.unit}" if one.thing.unit else one.thing.device
    layer["times"] = {**layer.get("times", {}), place: f"{one.seconds:.9g} s"}
    if one.joules is not None:
        layer["energy"] = {**layer.get("energy", {}), place: f"{one.joules:.9g} J"}
    if one.scv is None:
        return
    spread = layer.get("scv", {})
    layer["scv"] = {**(spread if isinstance(spread, dict) else {}), place: float(f"{one.scv:.6g}")}
    if one.averaged and "scv" not in layer.get("assumed", []):
        layer["assumed"] = [*layer.get("assumed", []), "scv"]
