"""Memory, flash, layers, work, rates and traffic of placements, service by service, so that a change costs little.

The sums are those of :func:`placer.evaluation.deterministic.loads`, kept apart by service; a test holds both against
each other. What is feasible is still said by the evaluator: this is how a search avoids asking it in vain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.evaluation.checks import RELATIVE_TOLERANCE, excess_of
from placer.evaluation.deterministic import RouteBook
from placer.evaluation.stretch import stretches_of
from placer.evaluation.traffic import arc_seconds, can_bind
from placer.instance.compiled import Compiled, Floats, Ints
from placer.instance.variant import Truths, Variant
from placer.plan.placement import Placement

REMEMBERED = 20_000


@dataclass(frozen=True, eq=False)
class Usage:
    """What one service asks of D devices and N stations under one assignment.

    Attributes:
        sums: shape (4 D + 2 N,): bytes in every memory (:class:`placer.instance.stores.Stores`), layers and work per
            inference of the devices, seconds of work per second of the stations. They add up over services, but for
            weights and runtimes that services share.
        peak: shape (N,), largest working memory of a layer; services share it.
        stretch: by how much limits on the devices and fragments of the service are exceeded, relative to them.
        rows, traffic: shape (n,), seconds of sending per second: row ``c D + d`` is what device d hears of channel c,
            the rows after them are the link directions by their number. A row may be there twice.
    """

    sums: Floats
    peak: Floats
    stretch: float
    rows: Ints
    traffic: Floats


@dataclass(frozen=True, eq=False)
class Room:
    """What is left on devices and stations when some services are placed. D devices, N stations.

    Attributes:
        stores: shape (2 D + N,), bytes left in every memory; inf without a limit.
        memory: shape (D,), the same of the devices' RAM.
        layers, compute: shape (D,), what may still be placed; inf without a limit.
        work: shape (N,), utilisation left.
        peak: shape (N,), working memory already set aside, which a layer may share.
    """

    stores: Floats
    memory: Floats
    layers: Floats
    compute: Floats
    work: Floats
    peak: Floats


class Resources:
    """Exact resource limits of an instance.

    Attributes:
        compiled: the instance.
        stores: the memories.
        limits: shape (4 D + 2 N,), laid out as :attr:`Usage.sums`; inf without a limit.
    """

    def __init__(self, compiled: Compiled) -> None:
        self.compiled = compiled
        self.devices, self.units = len(compiled.device_names), len(compiled.stations)
        self.stores = compiled.stores
        self.limits = np.concatenate(
            [self.stores.capacity, compiled.max_layers, compiled.max_compute, compiled.max_work]
        )
        scale = np.maximum(np.where(np.isfinite(self.limits), self.limits, 1.0), 1e-12)
        self._eased = self.limits + RELATIVE_TOLERANCE * scale
        self._peaks = any(bool((variant.activations > 0).any()) for variant in compiled.variants)
        self._carries = can_bind(compiled)
        self._book = RouteBook(compiled)
        self._names = tuple(compiled.topology.hears)
        self._channels = {channel: number for number, channel in enumerate(self._names)}
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
        here, run = compiled.station_device[stations], variant.run[:placed]
        rate = float(np.nan_to_num(compiled.rate[variant.service]))
        busy = np.where(run > 0, run * variant.time[np.arange(placed), stations], 0.0)
        peak = np.zeros(self.units)
        np.maximum.at(peak, stations, variant.activations[np.arange(placed), stations])
        sums = [
            self.stores.kept(stations, variant.weights[:placed], variant.runtime_memory),
            np.bincount(here, minlength=self.devices).astype(np.float64),
            np.bincount(here, variant.macs[:placed], minlength=self.devices).astype(np.float64),
            np.bincount(stations, busy * rate, minlength=self.units).astype(np.float64),
        ]
        rows, traffic = np.zeros(0, dtype=np.int64), np.zeros(0)
        if self._carries and rate > 0:
            rows, traffic = self._traffic(variant, tuple(stations.tolist()), rate)
        stretches = list(stretches_of(compiled, variant, stations.tolist()))
        over = [(one.actual, one.limit) for one in stretches if one.actual > one.limit]
        stretch = float(sum(excess_of(np.array([float(actual)]), float(limit)).sum() for actual, limit in over))
        return Usage(np.concatenate(sums), peak, stretch, rows, traffic)

    def _traffic(self, variant: Variant, stations: tuple[int, ...], rate: float) -> tuple[Ints, Floats]:
        """Rows and loads of :class:`Usage`."""
        topology, devices = self.compiled.topology, self.devices
        rows, loads = [], []
        for arc, seconds in arc_seconds(self.compiled, variant, stations, self._book).items():
            if arc.channel is None:
                mine = np.array([len(self._channels) * devices + arc.carrier])
            else:
                near = topology.hears[arc.channel]
                mine = self._channels[arc.channel] * devices + np.flatnonzero(near[arc.tail] | near[arc.head])
            rows.append(mine)
            loads.append(np.full(len(mine), rate * seconds))
        return np.concatenate([*rows, np.zeros(0, dtype=np.int64)]), np.concatenate([*loads, np.zeros(0)])

    def _total(self, placement: Placement, used: list[Usage]) -> tuple[Floats, Floats]:
        """Sums over services with what they share, and the working memory that they share: shapes of Usage."""
        if not used:
            return np.zeros(len(self.limits)), np.zeros(self.units)
        sums = np.array([usage.sums for usage in used]).sum(axis=0)
        if self.compiled.sharing.is_possible:
            sums[: len(self.stores)] = self.compiled.sharing.kept(placement.choice, placement.stations)
        if not self._peaks:
            return sums, np.zeros(self.units)
        peak = np.array([usage.peak for usage in used]).max(axis=0)
        sums[: len(self.stores)] += self.stores.shared(peak)
        return sums, peak

    def room(self, placement: Placement, without: frozenset[int] = frozenset()) -> Room:
        """What a placement of some or all services leaves, some of them taken out."""
        left = [
            (choice, stations)
            for choice, stations in zip(placement.choice, placement.stations, strict=True)
            if self.compiled.variants[choice].service not in without
        ]
        placed = Placement(tuple(choice for choice, _ in left), tuple(stations for _, stations in left))
        sums, peak = self._total(placed, [self.usage(choice, stations) for choice, stations in left])
        first = len(self.stores)
        ends = (first, first + self.devices, first + 2 * self.devices)
        stores, layers, compute, work = np.split(self.limits - sums, ends)
        return Room(stores, self.stores.ram(stores), layers, compute, work, peak)

    def overdrawn(self, placement: Placement) -> float:
        """How badly limits are broken, see :func:`placer.evaluation.checks.excess_of`; 0 when all are kept.

        Devices that run nothing have no limit to keep, as in the evaluator.
        """
        used = [self.usage(c, stations) for c, stations in zip(placement.choice, placement.stations, strict=True)]
        stretch = sum(usage.stretch for usage in used)
        if stretch > 0.0:
            return stretch
        sums = self._total(placement, used)[0]
        over = sums > self._eased
        if over.any():
            over &= self._counts(sums)
            if over.any():
                return float(excess_of(sums[over], self.limits[over]).sum())
        return self._overloaded(used) if self._carries else 0.0

    def _counts(self, sums: Floats) -> Truths:
        """Which limits count: those of devices that have a layer, and those of units. Shape of the sums."""
        runs = sums[len(self.stores) : len(self.stores) + self.devices] > 0
        units = np.ones(self.units, dtype=bool)
        return np.concatenate([runs, runs, units, runs, runs, units])

    def _overloaded(self, used: list[Usage]) -> float:
        """By how much channels and links are exceeded; summed over all that hear too much."""
        rows = np.concatenate([usage.rows for usage in used])
        if not len(rows):
            return 0.0
        where, position = np.unique(rows, return_inverse=True)
        load = np.bincount(position, np.concatenate([usage.traffic for usage in used]))
        limit = np.array([self.traffic_limit(row) for row in where.tolist()])
        return float(excess_of(load, limit).sum())

    def traffic_limit(self, row: int) -> float:
        """Largest load of a row of :attr:`Usage.traffic`."""
        channel, _ = divmod(row, self.devices)
        if channel < len(self._names):
            return self.compiled.channel_limit(self._names[channel])
        return self.compiled.carrier_limit(row - len(self._names) * self.devices)
