"""A network without the limits of range: the ways there are, and others where there is none.

Where no way leads, a tensor takes what there would be if radios reached everywhere (its airtime counts), and where
that does not lead there either, a hop that takes no time and that nobody limits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import product

import numpy as np

from placer.instance.carriers import Carrier
from placer.instance.compiled import Compiled
from placer.instance.topology import Arc, Routes, Topology, Zone, build_topology

EVERYWHERE = 1e9
"""Metres."""
FREE = 1e15
"""Bytes/s of a hop that nobody limits."""
NOWHERE = "no way"
"""Technology of such a hop."""


class Farther(Topology):
    """The ways of a network, and others where it has none.

    Attributes:
        near: the network as it is.
        beyond: arcs to take where that has no way, and where those before have none.
        silent: channels on which nobody is in range of another, as carriers by number.
    """

    def __init__(self, near: Topology, *beyond: Topology) -> None:
        arcs = tuple(arc for part in (near, *beyond) for arc in part.arcs)
        super().__init__(near.names, arcs, near.hears, near.listed, beyond[0].radio_queues, near.least)
        self.near, self.beyond = near, beyond
        self.silent: dict[int, Carrier] = {}

    def carrier(self, number: int) -> Carrier:
        """The carrier of a number; of channels that carry nothing in the network as it is too."""
        return self.silent[number] if number in self.silent else super().carrier(number)

    def by_energy(self) -> Topology:
        """The same, with routes of least energy."""
        found = Farther(self.near.by_energy(), *(part.by_energy() for part in self.beyond))
        found.silent = self.silent
        return found

    def _solve(self, size: float, zone: Zone | None) -> Routes:
        there = self.near.routes(size, zone)
        known, first = np.isfinite(there.seconds), len(self.near.arcs)
        reached, previous, best_arc = known, there.previous, there.best_arc
        for part in self.beyond:
            other = part.routes(size, zone)
            previous = np.where(reached, previous, other.previous)
            best_arc = np.where(best_arc >= 0, best_arc, np.where(other.best_arc >= 0, other.best_arc + first, -1))
            reached = reached | np.isfinite(other.seconds)
            first += len(part.arcs)
        found = Routes(size, there.seconds, previous, best_arc, self.arcs)
        seconds = found.along(np.array([arc.latency if size == 0 else arc.seconds(size) for arc in self.arcs]))
        return replace(found, seconds=np.where(known, there.seconds, seconds))


def farther(compiled: Compiled) -> tuple[Compiled, Compiled]:
    """The instance with radios that reach everywhere, and that with hops between all that even they do not join.

    What only these ways bear is unlimited, but for the airtime of channels.
    """
    instance, near = compiled.instance, compiled.topology
    radios = tuple(replace(radio, range=EVERYWHERE) for radio in instance.radios)
    wide = build_topology(replace(instance, radios=radios))
    queues = {radio.name: (1, False) for radio in instance.radios} | {NOWHERE: (1, False)} | near.radio_queues
    channels: dict[str | None, int] = {
        carrier.channel: number for number, carrier in enumerate(near.listed) if carrier.channel is not None
    }
    first = len(near.listed) + len(near.arcs) + len(wide.arcs) + len(near.names) ** 2
    silent: dict[int, Carrier] = {}
    for number, carrier in enumerate(wide.listed, start=first):
        if carrier.channel is not None and carrier.channel not in channels:
            silent[number], channels[carrier.channel] = carrier, number
    far = [
        replace(arc, carrier=channels.get(arc.channel, arc.carrier))
        if arc.channel is not None or arc.technology == "link"
        else replace(arc, carrier=len(near.listed) + len(near.arcs) + position)
        for position, arc in enumerate(wide.arcs)
    ]

    def part(arcs: Iterable[Arc]) -> Topology:
        return Topology(near.names, tuple(arcs), near.hears, near.listed, queues, near.least)

    reach = Farther(near, part(far))
    hops = np.isfinite(part(far).hop_counts)
    zoned = any(variant.zone is not None for variant in compiled.variants)
    first = len(near.listed) + len(near.arcs) + len(far)
    missing = [
        (tail, head)
        for tail, head in product(range(len(near.names)), repeat=2)
        if tail != head and (zoned or not hops[tail, head])
    ]
    none = [Arc(*ends, FREE, 0.0, 0.0, NOWHERE, None, first + number) for number, ends in enumerate(missing)]
    joined = Farther(near, part(far), part(none))
    reach.silent = joined.silent = silent
    new = [arc for arc in (*far, *none) if arc.channel is None and arc.technology != "link"]
    names = {joined.carrier(arc.carrier).name for arc in new}
    names -= {near.carrier(arc.carrier).name for arc in near.arcs}
    unlimited = compiled.unlimited | names
    return replace(compiled, topology=reach, unlimited=unlimited), replace(
        compiled, topology=joined, unlimited=unlimited
    )
