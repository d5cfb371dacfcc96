"""The figures of a limit that can be raised, and what a placement needs of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from placer.evaluation.deterministic import loads
from placer.evaluation.evaluate import evaluate_placement
from placer.instance.compiled import Compiled
from placer.instance.instance import Instance
from placer.instance.network import Rates
from placer.instance.service import Service
from placer.plan.placement import Placement
from placer.planning.clashes.changes import (
    SHOWN,
    Change,
    Edit,
    as_printed,
    with_device,
    with_limits,
    with_link,
    with_range,
    with_service,
    with_unit,
)
from placer.planning.clashes.deployed import Deployed
from placer.planning.clashes.families import MOVES, STRETCHED, Group

Need = Callable[[Placement], float]


@dataclass(frozen=True)
class Knob:
    """A figure that can be raised.

    Attributes:
        now: its value.
        change: the instance with a value that is enough, rounded away from the limit to the digits that are printed.
        need: the value that a placement needs; inf where that cannot be told.
        most: the largest value that a file may hold.
        whole: whether it is a whole number.
    """

    now: float
    change: Callable[[float], Change]
    need: Need
    most: float = np.inf
    whole: bool = False


def knobs_of(compiled: Compiled, group: Group, deployed: Deployed | None = None) -> list[Knob]:
    """The figures of a limit, to be tried in turn; none where it is no figure."""
    kind, subject = group
    instance = compiled.instance
    if kind in ("memory", "flash", "layers", "compute", "utilisation"):
        return _of_device(compiled, kind, compiled.device_names.index(subject))
    if kind in STRETCHED[:2] or kind == "deadline":
        service = next(s for s in instance.services if s.name == subject)
        return [_of_service(compiled, kind, service)]
    if kind == "airtime":
        return [_common(compiled, "airtime", compiled.max_airtime, f"let channel {subject} carry")]
    if kind == "link":
        common = _common(compiled, "links", compiled.max_link_utilisation, "let links carry")
        return [*faster(compiled, subject), common]
    if kind == "range" and instance.radios:
        return [Knob(1.0, lambda factor: _reaching(instance, factor), lambda placement: np.inf)]
    if group == MOVES and deployed is not None:
        return [_moves(instance, deployed)]
    return []


def figure(compiled: Compiled, kind: str, subject: str | None = None) -> Need:
    """What the evaluator finds of one kind of limit; 0 where nothing is asked of it."""

    def need(placement: Placement) -> float:
        checks = evaluate_placement(compiled, placement, "deterministic").checks
        found = [c.actual for c in checks if c.kind == kind and subject in (None, c.subject) and c.actual is not None]
        return max(found, default=0.0)

    return need


def _of_device(compiled: Compiled, kind: str, index: int) -> list[Knob]:
    name = compiled.device_names[index]
    if kind == "memory":
        found = [_memory(compiled, index)]
        for station, place in enumerate(compiled.stations):
            own = float(compiled.unit_memory[station])
            if place.device == index and np.isfinite(own):
                found.append(_of_unit(compiled, station, name, place.unit, own))
        return found
    need = figure(compiled, kind, name)
    if kind == "flash":
        return [
            _field(
                compiled, name, "flash", float(compiled.flash[index]), "B", need, "give {0} {1} of flash (it has {2})"
            )
        ]
    if kind == "layers":
        now = float(compiled.max_layers[index])

        def allow(value: float) -> Change:
            layers = int(np.ceil(value - 1e-9))
            return Change(
                with_device(compiled.instance, name, layers=layers),
                f"allow {layers} layers on {name} (now {now:g})",
                (Edit(f"devices.{name}.layers", layers),),
            )

        return [Knob(now, allow, need, whole=True)]
    if kind == "compute":
        now = float(compiled.max_compute[index])
        return [_field(compiled, name, "max_compute", now, "MAC", need, "allow {0} {1} per inference (now {2})")]
    here = compiled.station_device == index
    now = float((compiled.max_work / compiled.servers)[here].min())
    words = "let {0} be busy {1} of the time (now {2})"
    return [_field(compiled, name, "utilisation", now, "1", need, words, most=1.0)]


def _field(
    compiled: Compiled, name: str, field: str, now: float, unit: str, need: Need, words: str, most: float = np.inf
) -> Knob:
    """A field of a device that is its limit."""
    shown = SHOWN[unit](now)

    def change(value: float) -> Change:
        figure, text = as_printed(min(value, most), unit)
        made = with_device(compiled.instance, name, **{field: figure})
        return Change(made, words.format(name, text, shown), (Edit(f"devices.{name}.{field}", text),))

    return Knob(now, change, need, most)


def _memory(compiled: Compiled, index: int) -> Knob:
    """The RAM of a device: what is reserved of it comes on top of what layers need."""
    instance, name = compiled.instance, compiled.device_names[index]
    device = instance.devices[index]
    reserve = (device.reserve or instance.device_type(device).reserve).memory
    free = float(compiled.memory[index])
    shown = SHOWN["B"](free)

    def change(value: float) -> Change:
        room, words = as_printed(value, "B")
        total, text = as_printed(room + reserve, "B")
        words = f"give {name} {words} free for layers (it has {shown})"
        if reserve:
            words += f": memory: {text}, {SHOWN['B'](reserve)} of it reserved"
        return Change(with_device(instance, name, memory=total), words, (Edit(f"devices.{name}.memory", text),))

    def need(placement: Placement) -> float:
        return float(compiled.stores.ram(loads(compiled, placement).stored)[index])

    return Knob(free, change, need)


def _of_unit(compiled: Compiled, station: int, name: str, unit: str, own: float) -> Knob:
    """The memory of a compute unit, of this device alone."""
    instance = compiled.instance
    shown = SHOWN["B"](own)

    def change(value: float) -> Change:
        figure, text = as_printed(value, "B")
        words = f"give unit {unit} of {name} {text} of its own (it has {shown})"
        return Change(
            with_unit(instance, name, unit, memory=figure), words, (Edit(f"types.{name}.units.{unit}.memory", text),)
        )

    def need(placement: Placement) -> float:
        return float(compiled.stores.own(loads(compiled, placement).stored)[station])

    return Knob(own, change, need)


def _of_service(compiled: Compiled, kind: str, service: Service) -> Knob:
    name, now = service.name, getattr(service, kind)
    path = f"services.{name}.{kind}"
    if kind == "deadline":
        shown = SHOWN["s"](now)

        def later(value: float) -> Change:
            figure, text = as_printed(value, "s")
            made = with_service(compiled.instance, name, deadline=figure)
            return Change(made, f"allow service {name} {text} (now {shown})", (Edit(path, text),))

        return Knob(now, later, figure(compiled, kind, name))

    def more(value: float) -> Change:
        count = int(np.ceil(value - 1e-9))
        made = with_service(compiled.instance, name, **{kind: count})
        words = f"allow service {name} {count} {kind.removeprefix('max_')} (now {now})"
        return Change(made, words, (Edit(path, count),))

    return Knob(float(now), more, figure(compiled, kind, name), whole=True)


def _common(compiled: Compiled, field: str, now: float, words: str) -> Knob:
    """A limit of ``limits``, for all of its kind: up to 100 %."""
    shown = SHOWN["1"](now)

    def change(value: float) -> Change:
        figure, text = as_printed(min(value, 1.0), "1")
        made = with_limits(compiled.instance, **{field: figure})
        return Change(made, f"{words} {text} (limits: {field}, now {shown})", (Edit(f"limits.{field}", text),))

    return Knob(now, change, figure(compiled, "airtime" if field == "airtime" else "link"), most=1.0)


def faster(compiled: Compiled, carrier: str) -> list[Knob]:
    """The rate of the link that a carrier is a direction of."""
    instance = compiled.instance
    for position, link in enumerate(instance.links):
        if carrier not in (f"link {a} → {b}" for a, b in (link.between, link.between[::-1])):
            continue
        nominal = link.rate if isinstance(link.rate, Rates) else Rates(up=link.rate, down=link.rate)
        side = "up" if carrier == f"link {link.between[0]} → {link.between[1]}" else "down"
        now = float(getattr(nominal, side))
        return [_rate(instance, carrier, position, nominal, side, now)]
    return []


def _rate(instance: Instance, carrier: str, position: int, nominal: Rates, side: str, now: float) -> Knob:
    ends = "-".join(instance.links[position].between)
    shown = SHOWN["bit/s"](now)

    def change(value: float) -> Change:
        figure, text = as_printed(value, "bit/s")
        rates = nominal.model_copy(update={side: figure})
        made = with_link(instance, position, rate=rates)
        path, other = f"network.links.{ends}.rate", "down" if side == "up" else "up"
        edit = Edit(f"{path}.{side}", text)
        if not isinstance(instance.links[position].rate, Rates):
            edit = Edit(path, {side: text, other: f"{getattr(nominal, other):.12g} B/s"})
        return Change(made, f"give {carrier} {text} (it has {shown})", (edit,))

    return Knob(now, change, lambda placement: np.inf)


def _reaching(instance: Instance, factor: float) -> Change:
    factor = float(f"{factor:.4g}") if float(f"{factor:.4g}") >= factor - 1e-12 else float(f"{factor * (1 + 1e-3):.4g}")
    edits = tuple(
        Edit(f"network.radios.{number}.range", f"{radio.range * factor:.12g} m")
        for number, radio in enumerate(instance.radios)
    )
    return Change(with_range(instance, factor), f"raise the range of the radios by a factor of {factor:.4g}", edits)


def _moves(instance: Instance, deployed: Deployed) -> Knob:
    def change(value: float) -> Change:
        count = int(np.ceil(value - 1e-9))
        words = f"let {count} layers move (now {deployed.most})"
        return Change(instance, words, (Edit("--max-moves", count),), count)

    return Knob(float(deployed.most), change, lambda placement: float(deployed.moved(placement)), whole=True)
