"""Who reaches whom: the radio graph with explicit links, hop counts, and routes of least transfer time.

An *arc* is one direction of one hop over one technology. A route for a tensor of b bytes minimises
Σ over its arcs of (b / rate + latency): store-and-forward, as in Disabato et al. (IEEE TC 70(8), 2021), whose
d[i,k] is the special case of identical links. Routes therefore depend on the size of the tensor when links
differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from placer.errors import InputError, Problem
from placer.instance.carriers import Carrier, cells_of, hearing, in_range, link_carriers, queue_of
from placer.instance.instance import Instance
from placer.instance.shortest_paths import shortest_paths

LARGEST_ARCS = 1_500_000
"""More arcs than this are refused: a thousand devices that all hear each other have a million."""

Floats = NDArray[np.float64]
Pointers = NDArray[np.int32]
Ints = NDArray[np.int64]
Truths = NDArray[np.bool_]
Zone = frozenset[int]


@dataclass(frozen=True, eq=False)
class Arc:
    """One direction of one hop; compared by identity.

    Rate in bytes/s of goodput, latency in s, energy in J/byte (NaN when unknown), both with what is sent again because
    packets were lost; ``carrier`` is the number of what sends its tensors, see :class:`Carrier`.
    """

    tail: int
    head: int
    rate: float
    latency: float
    energy: float
    technology: str
    channel: str | None = None
    carrier: int = 0

    def seconds(self, size: float) -> float:
        """Time that a tensor of ``size`` bytes takes."""
        return size / self.rate + self.latency


@dataclass(frozen=True, eq=False)
class Routes:
    """Best routes for tensors of one size between all pairs of D devices.

    Attributes:
        size: bytes of the tensor.
        seconds: shape (D, D), time from row to column; inf when unreachable; 0 on the diagonal.
        previous: shape (D, D), the device before the column on the way from the row; negative when there is
            none.
        best_arc: shape (D, D), index of the fastest arc of each hop; -1 when there is none.
        arcs: all arcs of the topology.
    """

    size: float
    seconds: Floats
    previous: Pointers
    best_arc: Pointers
    arcs: tuple[Arc, ...]

    def path(self, tail: int, head: int) -> list[int]:
        """Return the devices from ``tail`` to ``head``, both included."""
        path = [head]
        while path[-1] != tail:
            before = int(self.previous[tail, path[-1]])
            if before < 0:
                raise ValueError(f"device {head} cannot be reached from device {tail}")
            path.append(before)
        return path[::-1]

    def arcs_of(self, tail: int, head: int) -> list[int]:
        """Return the indices of the arcs from ``tail`` to ``head``."""
        path = self.path(tail, head)
        return [int(self.best_arc[a, b]) for a, b in pairwise(path)]

    @cached_property
    def joules(self) -> Floats:
        """Energy of the senders along each route, shape (D, D); NaN where a hop's figure is unknown, inf when
        unreachable."""
        return self.along(np.array([arc.energy for arc in self.arcs]) * self.size)

    def along(self, weights: Floats) -> Floats:
        """Sums of weights of the arcs, shape (arcs,), along each route: shape (D, D), inf when unreachable."""
        return _along(self.previous, self.best_arc, weights)


@dataclass(eq=False)
class Topology:
    """The devices and the arcs between them.

    Attributes:
        names: device names, length D.
        arcs: all arcs, several between two devices when technologies overlap.
        hears: per channel, shape (D, D): whether two devices of that channel are in range of each other.
        listed: the first carriers: the directions of the links in the order in which the instance names them, there
            before back, then the channels, one for each set of devices that hear each other directly or over others.
            Each arc of a radio without contention is a carrier of its own, numbered after them.
        least: what routes minimise: ``time``, or the senders' ``energy`` (of ways of the same energy the fastest).
        radio_queues: places, and whether they are stated, of the radios without contention, by technology.
    """

    names: tuple[str, ...]
    arcs: tuple[Arc, ...]
    hears: dict[str, Truths]
    listed: tuple[Carrier, ...] = ()
    radio_queues: dict[str, tuple[int, bool]] = field(default_factory=dict)
    least: Literal["time", "energy"] = "time"
    _cache: dict[tuple[float, Zone | None], Routes] = field(default_factory=dict, repr=False)
    _last_arcs: Pointers | None = field(default=None, repr=False)

    def carrier(self, number: int) -> Carrier:
        """The carrier of a number. Pairs of radios without contention may be a million: those are made when asked."""
        if number < len(self.listed):
            return self.listed[number]
        arc = self.arcs[number - len(self.listed)]
        name = f"radio {arc.technology} {self.names[arc.tail]} → {self.names[arc.head]}"
        return Carrier(name, *self.radio_queues[arc.technology], arc.tail, arc.head)

    @cached_property
    def hop_counts(self) -> Floats:
        """Fewest hops between devices by breadth-first search, shape (D, D); inf when unreachable."""
        steps = np.full((len(self.names), len(self.names)), np.inf)
        steps[self._ends] = 1.0
        return shortest_paths(steps)[0]

    def routes(self, size: float, zone: Zone | None = None) -> Routes:
        """Return the best routes for tensors of ``size`` bytes, relayed by devices of ``zone`` if given."""
        key = (size, zone)
        if key not in self._cache:
            self._cache[key] = self._solve(size, zone)
        return self._cache[key]

    def arcs_between(self, tail: int, head: int) -> list[Arc]:
        """Return every arc of one hop."""
        return self._between.get((tail, head), [])

    @cached_property
    def _between(self) -> dict[tuple[int, int], list[Arc]]:
        found: dict[tuple[int, int], list[Arc]] = {}
        for arc in self.arcs:
            found.setdefault((arc.tail, arc.head), []).append(arc)
        return found

    @cached_property
    def _ends(self) -> tuple[Ints, Ints]:
        """Tails and heads of the arcs."""
        tails = np.array([arc.tail for arc in self.arcs], dtype=np.int64)
        return tails, np.array([arc.head for arc in self.arcs], dtype=np.int64)

    @cached_property
    def has_choice(self) -> bool:
        """Whether a tensor could go more than one way: some hop has several arcs, or hops form a cycle."""
        hops = {(min(arc.tail, arc.head), max(arc.tail, arc.head)) for arc in self.arcs}
        parts = len(np.unique(np.isfinite(self.hop_counts), axis=0))
        return len(self.arcs) > 2 * len(hops) or len(hops) > len(self.names) - parts

    def by_energy(self) -> Topology:
        """The same devices and arcs, with routes of least energy."""
        return Topology(self.names, self.arcs, self.hears, self.listed, self.radio_queues, "energy")

    def _solve(self, size: float, zone: Zone | None) -> Routes:
        count = len(self.names)
        best_arc = np.full((count, count), -1, dtype=np.int32)
        best = np.full((count, count), np.inf)
        # an empty tensor takes the way of a small one: with all weights equal to zero every way would be best
        times = np.array([arc.seconds(size or 1.0) for arc in self.arcs])
        weights = times if self.least == "time" else self._joules(size or 1.0, times)
        # dearest first: of several arcs of one hop the cheapest is written last, and stays
        order = np.argsort(weights, kind="stable")[::-1]
        if zone is not None:
            inside = np.isin(np.arange(count), list(zone))
            order = order[inside[self._ends[0][order]] & inside[self._ends[1][order]]]
        tails, heads = self._ends[0][order], self._ends[1][order]
        best_arc[tails, heads], best[tails, heads] = order, weights[order]
        seconds, previous = shortest_paths(best)
        if self._last_arcs is not None and np.array_equal(best_arc, self._last_arcs):
            best_arc = self._last_arcs  # mostly the same for all sizes: kept once
        self._last_arcs = best_arc
        if size == 0:
            seconds = _along(previous, best_arc, np.array([arc.latency for arc in self.arcs]))
        elif self.least == "energy":
            seconds = _along(previous, best_arc, times)
        return Routes(size, seconds, previous, best_arc, self.arcs)

    def _joules(self, size: float, times: Floats) -> Floats:
        """Weights of the arcs by energy; a time counts a billionth of the least energy, to choose among equals.

        Of arcs of one hop by one technology only the fastest counts, as a plan names no more than the technology.
        """
        joules = np.array([arc.energy for arc in self.arcs]) * size
        known = joules[joules > 0]
        unit = (float(known.min()) if len(known) else 1.0) * 1e-9 / max(float(times.max(initial=0.0)), 1e-300)
        weights = np.where(np.isnan(joules), np.inf, joules + unit * times)
        fastest: dict[tuple[int, int, str], int] = {}
        for index, arc in enumerate(self.arcs):
            other = fastest.setdefault((arc.tail, arc.head, arc.technology), index)
            if other != index:
                slower = index if times[index] >= times[other] else other
                weights[slower] = np.inf
                fastest[arc.tail, arc.head, arc.technology] = index + other - slower
        return weights


def _along(previous: NDArray[Any], best_arc: Pointers, weights: Floats) -> Floats:
    """Sum the weights of the arcs along each route, shape (D, D)."""
    devices = len(previous)
    rows = np.arange(devices)[:, None]
    at = np.broadcast_to(np.arange(devices), (devices, devices)).copy()
    unreachable = (previous < 0) & ~np.eye(devices, dtype=bool)
    total = np.where(unreachable, np.inf, 0.0)
    while len(weights):
        before = previous[rows, at]
        moving = before >= 0
        if not moving.any():
            break
        total += np.where(moving, weights[best_arc[np.where(moving, before, 0), at]], 0.0)
        at = np.where(moving, before, at)
    return total


def build_topology(instance: Instance) -> Topology:
    """Return the arcs of an instance: radios strictly nearer to each other than their range, then links.

    Raises:
        InputError: when there are more arcs than can be handled.
    """
    names = tuple(device.name for device in instance.devices)
    index = {name: position for position, name in enumerate(names)}
    points = np.full((len(names), 3), np.nan)
    for position, device in enumerate(instance.devices):
        if device.position is not None:
            coordinates = list(device.position)
            points[position] = coordinates + [0.0] * (3 - len(coordinates))
    distance = np.linalg.norm(points[:, None, :] - points[None, :, :], axis=2)
    hears = hearing(instance, index, distance)
    cells, channels = cells_of(names, hears, instance)
    listed = [*link_carriers(instance, index), *channels]
    radio_queues = {radio.name: queue_of(radio.queue) for radio in instance.radios if radio.channel is None}
    first_channel = 2 * len(instance.links)
    arcs: list[Arc] = []
    for radio in instance.radios:
        near = in_range(radio, index, distance)
        np.fill_diagonal(near, False)
        if len(arcs) + int(near.sum()) > LARGEST_ARCS:
            file = str(instance.path) if instance.path is not None else None
            message = f"more than {LARGEST_ARCS} pairs of devices hear each other: too many"
            raise InputError([Problem(message, "$.network.radios", file)])
        energy = _energy(radio.transmit_energy, radio.loss)
        for tail, head in zip(*np.nonzero(near), strict=True):
            if radio.channel is None:
                carrier = len(listed) + len(arcs)
            else:
                carrier = first_channel + int(cells[radio.channel][tail])
            ends = (int(tail), int(head))
            arcs.append(Arc(*ends, radio.rate, radio.latency, energy, radio.name, radio.channel, carrier))
    numbers = iter(range(first_channel))
    for link in instance.links:
        a, b = (index[name] for name in link.between)
        energy = _energy(link.transmit_energy, link.loss)
        for (tail, head), rate in zip(((a, b), (b, a)), link.goodputs, strict=True):
            arcs.append(Arc(tail, head, rate, link.latency, energy, "link", None, next(numbers)))
    return Topology(names, tuple(arcs), hears, tuple(listed), radio_queues)


def _energy(per_byte: float | None, loss: float) -> float:
    """J per byte that arrives, from that of a byte that is sent and the share of packets lost; NaN when unknown."""
    return np.nan if per_byte is None else per_byte / (1.0 - loss)
