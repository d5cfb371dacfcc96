"""Memory, flash, layers, work and utilisation of placements, service by service, so that a change costs little.

The sums are those of :func:`placer.evaluation.deterministic.loads`, kept apart by service; a test holds both against
each other. What is feasible is still said by the evaluator: this is how a search avoids asking it in vain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.evaluation.checks import RELATIVE_TOLERANCE, excess_of
from placer.evaluation.deterministic import RouteBook, airtime, arc_loads
from placer.instance.compiled import Compiled, Floats, Ints
from placer.instance.variant import Truths
from placer.plan.placement import Placement

REMEMBERED = 20_000


@dataclass(frozen=True, eq=False)
class Usage:
    """What one service asks of D devices and N stations under one assignment.

    Attributes:
        sums: shape (4 D + 2 N,): bytes of RAM, bytes of flash, layers and work per inference of the devices; bytes of
            own memory and seconds of work per second of the stations. They add up over services.
        peak: shape (N,), largest working memory of a layer; services share it.
    """

    sums: Floats
    peak: Floats


@dataclass(frozen=True, eq=False)
class Room:
    """What is left on devices and stations when some services are placed. D devices, N stations.

    Attributes:
        memory, flash, layers, compute: shape (D,), what may still be placed; inf without a limit.
        unit_memory: shape (N,), bytes of own memory left, inf where a unit has none.
        work: shape (N,), utilisation left.
        peak: shape (N,), working memory already set aside, which a layer may share.
    """

    memory: Floats
    flash: Floats
    layers: Floats
    compute: Floats
    unit_memory: Floats
    work: Floats
    peak: Floats


class Resources:
    """Exact resource limits of an instance.

    Attributes:
        compiled: the instance.
        own: shape (N,), whether a unit has its own memory.
        in_flash: shape (D,), whether weights live in flash.
        limits: shape (4 D + 2 N,), laid out as :attr:`Usage.sums`; inf without a limit.
    """

    def __init__(self, compiled: Compiled) -> None:
        self.compiled = compiled
        self.devices, self.units = len(compiled.device_names), len(compiled.stations)
        self.own = ~np.isnan(compiled.unit_memory)
        self.in_flash = ~np.isnan(compiled.flash)
        self.limits = np.concatenate(
            [
                compiled.memory,
                np.where(self.in_flash, compiled.flash, np.inf),
                compiled.max_layers,
                compiled.max_compute,
                np.where(self.own, compiled.unit_memory, np.inf),
                compiled.max_utilisation,
            ]
        )
        scale = np.maximum(np.where(np.isfinite(self.limits), self.limits, 1.0), 1e-12)
        self._eased = self.limits + RELATIVE_TOLERANCE * scale
        self._peaks = any(bool((variant.activations > 0).any()) for variant in compiled.variants)
        self._shared_air = bool(compiled.topology.hears) and not np.isnan(compiled.rate).all()
        self._usage: dict[tuple[int, tuple[int, ...]], Usage] = {}

    def usage(self, choice: int, stations: tuple[int, ...]) -> Usage:
        """What one variant asks for under one assignment, of its first layers if not all are placed."""
        key = (choice, stations)
        found = self._usage.get(key)
        if found is None:
            if len(self._usage) >= REMEMBERED:
                self._usage.clear()
            found = self._usage[key] = self._count(choice, np.array(stations, dtype=np.int64))
        return found

    def _count(self, choice: int, stations: Ints) -> Usage:
        compiled, variant, placed = self.compiled, self.compiled.variants[choice], len(stations)
        here, own = compiled.station_device[stations], self.own[stations]
        stored, run = variant.weights[:placed], variant.run[:placed]
        rate = float(np.nan_to_num(compiled.rate[variant.service]))
        busy = np.where(run > 0, run * variant.time[np.arange(placed), stations], 0.0)
        flash = self.in_flash[here] & ~own
        runtime, peak = np.zeros(self.devices), np.zeros(self.units)
        runtime[here] = variant.runtime_memory
        np.maximum.at(peak, stations, variant.activations[:placed])

        def by_device(values: Floats) -> Floats:
            return np.bincount(here, values, minlength=self.devices).astype(np.float64)

        def by_unit(values: Floats) -> Floats:
            return np.bincount(stations, values, minlength=self.units).astype(np.float64)

        sums = [
            runtime + by_device(np.where(own | flash, 0.0, stored)),
            by_device(np.where(flash, stored, 0.0)),
            by_device(np.ones(placed)),
            by_device(variant.macs[:placed]),
            by_unit(np.where(own, stored, 0.0)),
            by_unit(busy * rate),
        ]
        return Usage(np.concatenate(sums), peak)

    def _total(self, used: list[Usage]) -> tuple[Floats, Floats]:
        """Sums over services with the working memory that they share, and that memory: shapes of Usage."""
        if not used:
            return np.zeros(len(self.limits)), np.zeros(self.units)
        sums = np.array([usage.sums for usage in used]).sum(axis=0)
        if not self._peaks:
            return sums, np.zeros(self.units)
        peak = np.array([usage.peak for usage in used]).max(axis=0)
        shared = np.bincount(self.compiled.station_device, np.where(self.own, 0.0, peak), minlength=self.devices)
        sums[: self.devices] += shared
        sums[4 * self.devices : 4 * self.devices + self.units] += np.where(self.own, peak, 0.0)
        return sums, peak

    def room(self, placement: Placement, without: frozenset[int] = frozenset()) -> Room:
        """What a placement of some or all services leaves, some of them taken out."""
        used = [
            self.usage(choice, stations)
            for choice, stations in zip(placement.choice, placement.stations, strict=True)
            if self.compiled.variants[choice].service not in without
        ]
        sums, peak = self._total(used)
        d = self.devices
        ends = (d, 2 * d, 3 * d, 4 * d, 4 * d + self.units)
        memory, flash, layers, compute, unit_memory, work = np.split(self.limits - sums, ends)
        return Room(memory, flash, layers, compute, unit_memory, work, peak)

    def overdrawn(self, placement: Placement) -> float:
        """How badly limits are broken, see :func:`placer.evaluation.checks.excess_of`; 0 when all are kept.

        Devices that run nothing have no limit to keep, as in the evaluator.
        """
        used = [self.usage(c, stations) for c, stations in zip(placement.choice, placement.stations, strict=True)]
        sums = self._total(used)[0]
        over = sums > self._eased
        if over.any():
            over[: 4 * self.devices] &= np.tile(self._runs_something(sums), 4)
            if over.any():
                return float(excess_of(sums[over], self.limits[over]).sum())
        return self._air(placement) if self._shared_air else 0.0

    def _runs_something(self, sums: Floats) -> Truths:
        """Which devices have a layer, shape (D,)."""
        return np.asarray(sums[2 * self.devices : 3 * self.devices] > 0)

    def _air(self, placement: Placement) -> float:
        """By how much shared channels are exceeded."""
        most = self.compiled.instance.file.limits.airtime
        arcs = arc_loads(self.compiled, placement, RouteBook(self.compiled))
        shares = np.array(list(airtime(self.compiled, arcs).values()))
        return float(excess_of(shares, most).sum())
