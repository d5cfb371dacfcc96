"""What is known already of the devices and models that were measured: shipped files, and files that the user gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from placer.errors import InputError
from placer.instance.device import DEVICE_FORMAT, Device, DeviceType, Unit
from placer.instance.library import Kind, find_shipped, locate
from placer.instance.model import MODEL_FORMAT, Alternative, Layer, Model
from placer.instance.reading import Document, read_document, unknown, validate
from placer.instance.timing import layer_time
from placer.profiling.calibration.measurements import Series


@dataclass(frozen=True)
class Known:
    """A file of something known, as plain data to copy from and as what it means."""

    data: dict[str, Any]
    meaning: Any


@dataclass
class Bases:
    """Where known things are looked up.

    Attributes:
        given: files of the user, by kind of file and name.
        like: device types to copy from, by device; the key ``""`` is for all that have none of their own.
    """

    given: dict[tuple[str, str], Document] = field(default_factory=dict)
    like: Mapping[str, str] = field(default_factory=dict)
    _read: dict[tuple[str, str], Known | None] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, files: Sequence[Path], like: Mapping[str, str]) -> Bases:
        """Read the user's files.

        Raises:
            InputError: one is neither a model nor a device type.
        """
        bases = cls(like=like)
        for path in files:
            document = read_document(path)
            data = document.data if isinstance(document.data, dict) else {}
            stated = data.get("format")
            if stated not in (MODEL_FORMAT, DEVICE_FORMAT):
                message = unknown("format", str(stated), [MODEL_FORMAT, DEVICE_FORMAT])
                raise InputError([document.problem(message, ("format",))])
            validate(Model if stated == MODEL_FORMAT else DeviceType, document)
            bases.given[str(stated), str(data.get("name"))] = document
        return bases

    def device(self, name: str) -> Known | None:
        """The device type that a device is, or is to be like."""
        return self._known("device type", DEVICE_FORMAT, name, self.like.get(name) or self.like.get(""))

    def model(self, name: str) -> Known | None:
        """The model of a name."""
        return self._known("model", MODEL_FORMAT, name, None)

    def _known(self, kind: Kind, stated: str, name: str, like: str | None) -> Known | None:
        """A file of the user, else what it is to be like, else a shipped one; each is read once."""
        if (stated, name) not in self._read:
            document = self.given.get((stated, name))
            if document is None and like is not None:
                document = read_document(locate(like, kind), like)
            elif document is None:
                path = find_shipped(name, kind)
                document = None if path is None else read_document(path)
            schema: type[Model] | type[DeviceType] = Model if kind == "model" else DeviceType
            known = None if document is None else Known(document.data, validate(schema, document))
            self._read[stated, name] = known
        return self._read[stated, name]


def graph_of(model: Model, build: str) -> Alternative:
    """The alternative of a build; the first where none has its name."""
    return next((one for one in model.alternatives if one.name == build), model.alternatives[0])


def layers_of(series: Series, known: Known | None) -> tuple[Layer, ...]:
    """What was measured as layers: those of the known model, or one made of the sizes that came with the times.

    Raises:
        InputError: a layer that the known model does not have.
    """
    thing = series.thing
    if known is None:
        data = {"name": thing.layer or "network", "kind": "block", "output": 0.0}
        data |= {"compute": series.sizes.macs, "weights": series.sizes.weights or 0.0}
        return (Layer.model_validate(data),)
    layers = graph_of(known.meaning, thing.build).layers
    if not thing.layer:
        return layers
    names = [layer.name for layer in layers]
    if thing.layer not in names:
        message = f"{unknown('layer', thing.layer, names)} in model '{thing.model}'"
        raise InputError([series.measurements[0].problem(message)])
    return (layers[names.index(thing.layer)],)


def work_of(series: Series, layers: Sequence[Layer]) -> float | None:
    """Multiply-accumulates of what was measured; None where they are not known."""
    if series.sizes.macs is not None:
        return series.sizes.macs
    known = [layer.compute for layer in layers if layer.compute is not None]
    return sum(known) if len(known) == len(layers) else None


def weights_of(series: Series, layers: Sequence[Layer]) -> float:
    """Bytes of weights of what was measured; 0 where they are not known."""
    return series.sizes.weights if series.sizes.weights is not None else sum(layer.weights for layer in layers)


def unit_of(kind: DeviceType, name: str) -> Unit | None:
    """The compute unit of a name, the first without one; None where there is none."""
    return next((unit for unit in kind.units if not name or unit.name == name), None)


def predicted(
    series: Series, layers: Sequence[Layer], model: Known | None, device: Known | None
) -> tuple[float, str] | None:
    """Seconds that the known device type says of what was measured, and on what that rests; None where it says nothing.

    The basis is ``times`` where that very thing was measured before, else ``speed``: work over the speed of the unit.
    """
    kind = None if device is None else device.meaning
    unit = None if kind is None else unit_of(kind, series.thing.unit)
    if kind is None or unit is None:
        return None
    if model is None:
        flat = {"format": MODEL_FORMAT, "name": series.thing.model, "source": "measured", "input": 0.0}
        meaning = Model.model_validate(flat | {"layers": tuple(layer.model_dump() for layer in layers)})
    else:
        meaning = model.meaning
    machine = Device.model_validate({"name": "measured", "type": kind.name})
    seconds = sum(layer_time(layer, meaning, machine, kind, unit)[0] for layer in layers)
    measured = all({kind.name, f"{kind.name}/{unit.name}"} & set(layer.times) for layer in layers)
    return (seconds, "times" if measured else "speed") if 0 < seconds < float("inf") else None
