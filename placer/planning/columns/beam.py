"""Placements of one service within the room that others leave, layer by layer, many at once.

A partial placement is guided by what it costs so far and the least that can follow
(:mod:`placer.planning.columns.legs`). With the guide as a bound and no placement thrown away, the same walk lists
every placement below a value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from placer import jit
from placer.instance.compiled import Compiled, Floats, Ints
from placer.instance.variant import Variant
from placer.planning.columns.legs import Leg
from placer.planning.columns.pricing import Site
from placer.planning.decomposition.branching import makespans
from placer.planning.decomposition.table import SMALLEST_COMPILED
from placer.planning.resources import Room
from placer.solver.countdown import Countdown

Truths = NDArray[np.bool_]


@dataclass(eq=False)
class _Paths:
    """B partial placements on K stations: M layers, D devices, S memories.

    Attributes:
        at: shape (B, M), positions in the subset.
        done: shape (B, M), cost at the end of each layer of the stretch at hand, at least: nothing waits for a station.
        load, first, rest: shape (B, K), where seconds count: work of the stretch at hand on each station, the earliest
            arrival there and the least that can follow it.
        least: shape (B,), what the stretch at hand costs at least.
        base: shape (B,), cost up to the start of the stretch, and prices paid since.
        stores, layers, compute, work: shapes (B, S), (B, D), (B, D), (B, N), what is left.
        peak: shape (B, N), working memory set aside.
        here: shape (B, D), whether the service has a layer on the device.
    """

    at: Ints
    done: Floats
    load: Floats
    first: Floats
    rest: Floats
    least: Floats
    base: Floats
    stores: Floats
    layers: Floats
    compute: Floats
    work: Floats
    peak: Floats
    here: Truths

    def take(self, rows: Ints) -> _Paths:
        """Some of them, in this order, possibly several times."""
        return _Paths(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


class Walk:
    """Layer by layer through one variant.

    Attributes:
        site: the variant and its stations.
        legs: its stretches at prices.
        room: what others leave.
        weights, runtime: what is still to load, see :meth:`placer.instance.sharing.Sharing.to_load`.
        width: partial placements kept.
        barred: shape (K,), stations that are not to be used.
        cutoff: those whose guide is above it are dropped; with that, whether some were dropped for the width.
    """

    def __init__(
        self,
        site: Site,
        legs: list[Leg],
        room: Room,
        loading: tuple[Floats, Floats],
        width: int,
        cutoff: float = np.inf,
    ) -> None:
        self.site, self.legs, self.room, self.width, self.cutoff = site, legs, room, width, cutoff
        self.weights, self.runtime = loading
        self.compiled: Compiled = site.coupling.compiled
        self.variant: Variant = site.costs.domain.variant
        self.at, self.stations = self.compiled.station_device[site.subset], site.subset
        self.all_kept = True
        self.barred = np.zeros(len(self.stations), dtype=bool)

    def run(self, countdown: Countdown | None = None) -> list[tuple[int, ...]]:
        """The placements that are left at the end, the cheapest by the guide first.

        Raises:
            TimeIsUpError: the countdown ended before that.
        """
        room, count = self.room, len(self.stations)
        layers = len(self.variant)
        paths = _Paths(
            np.zeros((1, layers), dtype=np.int64),
            np.zeros((1, layers)),
            np.zeros((1, count)),
            np.zeros((1, count)),
            np.zeros((1, count)),
            np.zeros(1),
            np.zeros(1),
            room.stores[None].copy(),
            room.layers[None].copy(),
            room.compute[None].copy(),
            room.work[None].copy(),
            room.peak[None].copy(),
            np.zeros((1, len(room.layers)), dtype=bool),
        )
        guide = np.zeros(1)
        for leg in self.legs:
            paths.done[:], paths.load[:], paths.least[:] = 0.0, 0.0, 0.0
            paths.first[:], paths.rest[:] = np.inf, np.inf
            for node, layer in enumerate(leg.layers, start=1):
                if countdown is not None:
                    countdown.check("a walk over placements")
                paths, guide = self._extend(leg, node, layer, paths)
                if not len(guide):
                    return []
            paths = self._finish(leg, paths)
        order = np.argsort(paths.base, kind="stable")
        return [tuple(self.stations[row].tolist()) for row in paths.at[order]]

    def _start(self, leg: Leg, paths: _Paths) -> Ints:
        """Row of each path in what node 0 sends."""
        stretch = leg.stage.table.stretch
        return np.zeros(len(paths.base), np.int64) if stretch.starts_at_input else paths.at[:, leg.layers[0] - 1]

    def _extend(self, leg: Leg, node: int, layer: int, paths: _Paths) -> tuple[_Paths, Floats]:
        """Place one layer in every way that fits; the best by the guide."""
        stretch = leg.stage.table.stretch
        fits, stored = self._fitting(layer, paths)
        ready = np.zeros_like(paths.load)
        for maker in stretch.predecessors[node - 1]:
            row, made = self._made(leg, maker, paths)
            way = leg.send[maker][row]
            if stretch.serial:
                ready = np.maximum(ready, made[:, None] + way)
            else:
                ready = ready + way / len(stretch.readers[maker])
        done = ready + leg.cost[node - 1][None, :]
        inside = node <= stretch.inner
        price = leg.price[node - 1][None, :] if inside else 0.0
        least = self._guide(leg, node, paths, done)
        if stretch.serial:
            alone = leg.follow(node)[None, :] if inside else np.inf
            rest = np.minimum(paths.rest, alone)
            work = paths.load + leg.cost[node - 1][None, :]
            if inside:
                least = np.maximum(least, np.minimum(paths.first, ready) + work / stretch.servers + rest)
            least = np.maximum(least, paths.least[:, None])
        guide = np.where(fits, least + paths.base[:, None] + price, np.inf)
        order = np.argsort(guide, axis=None, kind="stable")
        keep = int(np.count_nonzero(guide.ravel()[order[: self.width + 1]] <= min(self.cutoff, 1e300)))
        if keep > self.width:
            keep, self.all_kept = self.width, False
        rows, columns = np.unravel_index(order[:keep], guide.shape)
        found = paths.take(rows)
        each = np.arange(keep)
        found.at[:, layer] = columns
        found.done[:, layer] = done[rows, columns]
        if stretch.serial:
            found.least[:] = least[rows, columns]
            if inside:
                found.load[each, columns] = work[rows, columns]
                found.first[each, columns] = np.minimum(found.first[each, columns], ready[rows, columns])
                found.rest[each, columns] = rest[rows, columns]
                found.base += np.broadcast_to(leg.price[node - 1], done.shape[1:])[columns]
        elif inside:
            found.base += done[rows, columns]
        self._settle(layer, columns, stored[rows, columns], found)
        return found, guide.ravel()[order[:keep]]

    def _made(self, leg: Leg, maker: int, paths: _Paths) -> tuple[Ints, Floats]:
        """Row of a maker's station in what it sends, and when it is done."""
        if maker == 0:
            return self._start(leg, paths), np.zeros(len(paths.base))
        layer = leg.layers[maker - 1]
        return paths.at[:, layer], paths.done[:, layer]

    def _guide(self, leg: Leg, node: int, paths: _Paths, done: Floats) -> Floats:
        """What a stretch costs at least with its layer ``node`` done, shape (B, K); prices paid are left out."""
        stretch = leg.stage.table.stretch
        if node > stretch.inner:  # a gate: what follows depends on its station alone
            return done + leg.after[None, :]
        parts = [leg.ahead[node, reader] for reader in stretch.readers[node]]
        total: Floats = done + (np.maximum if stretch.serial else np.add).reduce(parts)[None, :]
        for maker in range(node):
            row, made = self._made(leg, maker, paths)
            later = [reader for reader in stretch.readers[maker] if reader > node]
            for reader in later:
                rest = leg.ahead[maker, reader][row]
                total = np.maximum(total, (made + rest)[:, None]) if stretch.serial else total + rest[:, None]
        return np.asarray(total)

    def _finish(self, leg: Leg, paths: _Paths) -> _Paths:
        """Count a stretch that is complete."""
        stretch, last = leg.stage.table.stretch, leg.layers[-1]
        if stretch.serial and stretch.inner:
            paths.base = paths.base + self._taken(leg, paths)
            return paths
        if not stretch.ends_at_decision:
            paths.base = paths.base + paths.done[:, last]
            return paths
        total = np.zeros(len(paths.base))
        for maker in stretch.predecessors[-1]:
            row, made = self._made(leg, maker, paths)
            way = leg.send[maker][row, 0]
            total = np.maximum(total, made + way) if stretch.serial else total + way / len(stretch.readers[maker])
        paths.base = paths.base + total + float(leg.cost[-1][0])
        return paths

    def _taken(self, leg: Leg, paths: _Paths) -> Floats:
        """What a stretch with branches takes in the order in which its layers get ready, shape (B,)."""
        stretch = leg.stage.table.stretch
        places = np.zeros((len(paths.base), stretch.inner + 2), dtype=np.int64)
        places[:, 0] = self._start(leg, paths)
        nodes = stretch.inner + (0 if stretch.ends_at_decision else 1)
        places[:, 1 : nodes + 1] = paths.at[:, leg.layers[0] : leg.layers[0] + nodes]
        taken = np.zeros(len(places))
        compiled = None if places.size >= SMALLEST_COMPILED else False
        jit.version(makespans, compiled)(leg.graph, places, taken)
        return taken

    def _fitting(self, layer: int, paths: _Paths) -> tuple[Truths, Floats]:
        """Where one more layer fits, and how much more working memory a job needs there: shapes (B, K)."""
        variant, stores, stations = self.variant, self.compiled.stores, self.stations
        runtime = np.where(paths.here[:, self.at], 0.0, self.runtime[stations])
        more = np.maximum(variant.activations[layer, stations] - paths.peak[:, stations], 0.0)
        working = stores.servers[stations] * more
        weights = self.weights[layer, stations]
        ram, own, work = stores.runtime[stations], stores.weights[stations], stores.working[stations]
        need = runtime + np.where(own == ram, weights, 0.0) + np.where(work == ram, working, 0.0)
        fits = _within(need, paths.stores[:, ram], self.compiled.stores.capacity[ram])
        if (own != ram).any():
            need = weights + np.where(work == own, working, 0.0)
            fits &= (own == ram) | _within(need, paths.stores[:, own], self.compiled.stores.capacity[own])
        if ((work != ram) & (work != own)).any():
            fits &= (work == ram) | _within(working, paths.stores[:, work], self.compiled.stores.capacity[work])
        fits &= (self.site.costs.domain.usable[layer] & ~self.barred)[None, :]
        fits &= paths.layers[:, self.at] >= 1 - 1e-9
        fits &= _within(variant.macs[layer], paths.compute[:, self.at], self.compiled.max_compute[self.at])
        busy = np.nan_to_num(self._busy(layer), posinf=0.0)
        fits &= _within(busy, paths.work[:, stations], self.compiled.max_work[stations])
        return fits, more

    def _busy(self, layer: int) -> Floats:
        """Utilisation that a layer adds on each station, shape (K,)."""
        rate = float(np.nan_to_num(self.compiled.rate[self.variant.service])) * float(self.variant.run[layer])
        return np.zeros(len(self.stations)) if rate == 0 else rate * self.variant.time[layer]

    def _settle(self, layer: int, columns: Ints, working: Floats, paths: _Paths) -> None:
        """Take what a layer needs out of the room."""
        variant, stores = self.variant, self.compiled.stores
        stations, devices, each = self.stations[columns], self.at[columns], np.arange(len(columns))
        runtime = np.where(paths.here[each, devices], 0.0, self.runtime[stations])
        paths.stores[each, stores.weights[stations]] -= self.weights[layer, stations]
        paths.stores[each, stores.working[stations]] -= stores.servers[stations] * working
        paths.stores[each, stores.runtime[stations]] -= runtime
        paths.peak[each, stations] += working
        paths.here[each, devices] = True
        paths.layers[each, devices] -= 1
        paths.compute[each, devices] -= variant.macs[layer]
        paths.work[each, stations] -= self._busy(layer)[columns]


def _within(need: Floats, left: Floats, limit: Floats) -> Truths:
    """Whether something fits, as the evaluator rounds."""
    slack = 1e-7 * np.where(np.isfinite(limit), np.maximum(np.abs(limit), 1e-12), 0.0)
    return np.asarray(need <= left + slack)
