"""Memory, flash, layers, work and utilisation of placements, service by service, so that a change costs little.

The sums are those of :func:`placer.evaluation.metrics.loads`, kept apart by service; a test holds both against each
other. What is feasible is still said by the evaluator: this is how a search avoids asking it in vain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.evaluation.checks import RELATIVE_TOLERANCE
from placer.evaluation.metrics import RouteBook, airtime, arc_loads
from placer.instance.compiled import Compiled, Floats, Ints
from placer.instance.variant import Truths
from placer.placement import Placement

REMEMBERED = 4_000


@dataclass(frozen=True, eq=False)
class Usage:
    """What one service asks of D devices and N stations under one assignment.

    Attributes:
        layers, weights, runtime, compute: shape (D,), as in :class:`placer.evaluation.metrics.Loads`.
        unit_weights, work, peak: shape (N,), bytes in a unit's own memory, seconds of work per second, and the
            largest working memory of a layer.
    """

    layers: Floats
    weights: Floats
    runtime: Floats
    compute: Floats
    unit_weights: Floats
    work: Floats
    peak: Floats


@dataclass(frozen=True, eq=False)
class Room:
    """What is left on devices and stations when some services are placed; the fields of :class:`Usage` taken.

    D devices, N stations.

    Attributes:
        used: shape (D,), whether a device runs anything.
        layers, flash, compute: shape (D,), what may still be placed.
        memory: shape (D,), bytes of RAM left.
        unit_memory: shape (N,), bytes of own memory left, inf where a unit has none.
        work: shape (N,), utilisation left.
        peak: shape (N,), working memory already set aside, which a layer may share.
    """

    used: Truths
    layers: Floats
    flash: Floats
    compute: Floats
    memory: Floats
    unit_memory: Floats
    work: Floats
    peak: Floats


class Resources:
    """Exact resource limits of an instance.

    Attributes:
        compiled: the instance.
        own: shape (N,), whether a unit has its own memory.
        in_flash: shape (D,), whether weights live in flash.
    """

    def __init__(self, compiled: Compiled) -> None:
        self.compiled = compiled
        self.own = ~np.isnan(compiled.unit_memory)
        self.in_flash = ~np.isnan(compiled.flash)
        self._usage: dict[tuple[int, tuple[int, ...]], Usage] = {}
        self._limits = {
            "layers": _scale(compiled.max_layers),
            "flash": _scale(compiled.flash),
            "compute": _scale(compiled.max_compute),
            "memory": _scale(compiled.memory),
            "unit_memory": _scale(compiled.unit_memory),
            "work": _scale(compiled.max_utilisation),
        }
        self._shared_air = bool(compiled.topology.hears) and not np.isnan(compiled.rate).all()

    def usage(self, choice: int, stations: tuple[int, ...]) -> Usage:
        """What one variant asks for under one assignment."""
        key = (choice, stations)
        found = self._usage.get(key)
        if found is None:
            if len(self._usage) >= REMEMBERED:
                self._usage.clear()
            found = self._usage[key] = self._count(choice, np.array(stations, dtype=np.int64))
        return found

    def _count(self, choice: int, stations: Ints) -> Usage:
        compiled, variant = self.compiled, self.compiled.variants[choice]
        devices, units = len(compiled.device_names), len(compiled.stations)
        here, own = compiled.station_device[stations], self.own[stations]
        placed = len(stations)  # a baseline may have placed the first layers only
        runtime, peak = np.zeros(devices), np.zeros(units)
        runtime[here] = variant.runtime_memory
        np.maximum.at(peak, stations, variant.activations[:placed])
        rate = float(np.nan_to_num(compiled.rate[variant.service]))
        run = variant.run[:placed]
        busy = np.where(run > 0, run * variant.time[np.arange(placed), stations], 0.0)

        def total(values: Floats, places: int, where: Ints) -> Floats:
            return np.bincount(where, values, minlength=places).astype(np.float64)

        return Usage(
            layers=total(np.ones(placed), devices, here),
            weights=total(np.where(own, 0.0, variant.weights[:placed]), devices, here),
            runtime=runtime,
            compute=total(variant.macs[:placed], devices, here),
            unit_weights=total(np.where(own, variant.weights[:placed], 0.0), units, stations),
            work=total(busy * rate, units, stations),
            peak=peak,
        )

    def room(self, placement: Placement, without: frozenset[int] = frozenset()) -> Room:
        """What a placement leaves, some services taken out."""
        compiled = self.compiled
        used = [
            self.usage(choice, stations)
            for choice, stations in zip(placement.choice, placement.stations, strict=True)
            if compiled.variants[choice].service not in without
        ]
        return self._left(used, len(compiled.device_names), len(compiled.stations))

    def _left(self, used: list[Usage], devices: int, units: int) -> Room:
        compiled = self.compiled

        def total(name: str, size: int) -> Floats:
            columns = [getattr(usage, name) for usage in used]
            return np.asarray(np.sum(columns, axis=0)) if used else np.zeros(size)

        peak = np.max([usage.peak for usage in used], axis=0) if used else np.zeros(units)
        shared = np.bincount(compiled.station_device, np.where(self.own, 0.0, peak), minlength=devices)
        weights = total("weights", devices)
        ram = total("runtime", devices) + shared + np.where(self.in_flash, 0.0, weights)
        layers = total("layers", devices)
        return Room(
            used=layers > 0,
            layers=compiled.max_layers - layers,
            flash=np.where(self.in_flash, compiled.flash - weights, np.inf),
            compute=compiled.max_compute - total("compute", devices),
            memory=compiled.memory - ram,
            unit_memory=np.where(
                self.own, compiled.unit_memory - total("unit_weights", units) - peak * self.own, np.inf
            ),
            work=compiled.max_utilisation - total("work", units),
            peak=peak,
        )

    def overdrawn(self, placement: Placement) -> float:
        """By how much limits are exceeded, as a sum of fractions of the limits; 0 when all are kept.

        Devices that run nothing have no limit to keep, as in the evaluator.
        """
        compiled = self.compiled
        room = self.room(placement)
        active = room.used
        excess = 0.0
        for name in ("layers", "flash", "compute", "memory"):
            excess += _excess(getattr(room, name), self._limits[name], active)
        for name in ("unit_memory", "work"):
            excess += _excess(getattr(room, name), self._limits[name])
        if excess == 0.0 and self._shared_air:
            most = compiled.instance.file.limits.airtime
            arcs = arc_loads(compiled, placement, RouteBook(compiled))
            shares = np.array(list(airtime(compiled, arcs).values()))
            excess += _excess(most - shares, np.full(len(shares), max(most, 1e-12)))
        return excess


def _excess(left: Floats, limit: Floats, active: Truths | None = None) -> float:
    over = left < -RELATIVE_TOLERANCE * limit
    if active is not None:
        over &= active
    return float(np.sum(-left[over] / limit[over])) if over.any() else 0.0


def _scale(limit: Floats) -> Floats:
    """A limit as what an excess is measured against: 1 where there is none."""
    return np.maximum(np.nan_to_num(limit, nan=1.0, posinf=1.0), 1e-12)
