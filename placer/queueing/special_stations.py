"""Which stations of a batch are solved exactly, and what the sweeps of the chain model take from that.

Special are stations that a process other than Poisson enters from outside, stations that a modulated stream visits
later, stations that fail, and stations where tasks of one job start at the same instant (the branches of a fork). What
a station makes of a modulated stream (:mod:`placer.queueing.departures`) is handed to the next one. A network without
any costs nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.queueing.counting import TimeLaw
from placer.queueing.exact_stations import AGAIN, ONCE, meet
from placer.queueing.flattened import Batch
from placer.queueing.markov_streams import MarkovArrivals, modulated, scaled
from placer.queueing.network import Arrivals, Floats, Ints, Process
from placer.queueing.sweep_state import Bools, Layout, State
from placer.queueing.variability import TINY
from placer.queueing.visits import Visit

SAME = 1e-6
"""Relative change of a stream that does not matter to the next station."""

NEVER_UP = 1e-6
"""Availability below which a station just turns everything away."""


@dataclass(frozen=True)
class SpecialStation:
    """A station that is solved exactly.

    Attributes:
        station: its index in the batch.
        at: shape (V,), positions of its tasks in the layout.
        arrivals: of each task the process that enters here, or modulates its stream; None for any other stream from
            another station.
        entry: of each task whether its stream enters here.
        foremost: whether all jobs come from outside, so that no sweep changes what comes.
        after: of each task the positions of those that follow it, and of those beyond stations that only delay.
        laws: service times.
        together: of each task the label of those that start at the same instant, -1 for none.
        capacity, up, down: as in the network.
    """

    station: int
    at: Ints
    arrivals: tuple[Arrivals | None, ...]
    entry: Bools
    foremost: bool
    after: tuple[tuple[int, ...], ...]
    laws: tuple[TimeLaw, ...]
    together: Ints
    capacity: int
    up: float
    down: float

    @property
    def hands_on(self) -> bool:
        """Whether a modulated stream comes or leaves."""
        return any(stream is not None and _bursty(stream) for stream in self.arrivals)


def special_stations(batch: Batch, layout: Layout) -> tuple[SpecialStation, ...]:
    """Find the special stations of a batch."""
    other = np.array([_other(stream) for stream in batch.arrivals], dtype=bool)
    fails = batch.up > 0.0
    fork = batch.together[layout.task] >= 0
    if not (other.any() or fails.any() or fork.any()):
        return ()
    entry = other[batch.task_class[layout.task]] & batch.first[layout.task].astype(bool)
    bursty = np.array([_bursty(stream) for stream in batch.arrivals], dtype=bool)[batch.task_class[layout.task]]
    # behind stations that are no slower a stream of its own meets nobody: that is known without a chain
    spaced = layout.unshared & (layout.up >= 0) & (layout.mean <= layout.slowest)
    chosen = np.bincount(layout.station, entry | fork | (bursty & ~spaced), minlength=len(batch.capacity)) > 0
    chosen &= batch.servers == 1
    used = np.bincount(layout.station, minlength=len(batch.capacity)) > 0
    chosen |= used & fails & (batch.up > NEVER_UP * batch.down)
    order = np.argsort(layout.station, kind="stable")
    bounds = np.searchsorted(layout.station[order], np.arange(len(batch.capacity) + 1))
    parts = np.argsort(layout.part_of, kind="stable")
    part_bounds = np.searchsorted(layout.part_of[parts], np.arange(len(layout.task) + 1))
    found = []
    for station in np.flatnonzero(chosen).tolist():
        at = order[bounds[station] : bounds[station + 1]]
        at = at[np.argsort(layout.task[at])]  # a fork's branches ask for places in the order of their tasks
        streams, laws, after = [], [], []
        for p in at.tolist():
            task = int(layout.task[p])
            stream = batch.arrivals[int(batch.task_class[task])]
            streams.append(stream if (entry[p] if batch.first[task] else bursty[p]) else None)
            after.append(tuple(_followers(p, layout, spaced)))
            mine = parts[part_bounds[p] : part_bounds[p + 1]]
            laws.append(TimeLaw(layout.part_weight[mine], layout.part_mean[mine], layout.part_scv[mine]))
        capacity, up, down = int(batch.capacity[station]), float(batch.up[station]), float(batch.down[station])
        found.append(
            SpecialStation(
                station,
                at,
                tuple(streams),
                entry[at],
                bool(batch.first[layout.task[at]].all()),
                tuple(after),
                tuple(laws),
                batch.together[layout.task[at]],
                capacity,
                up,
                down,
            )
        )
    depth = _depth(layout)
    return tuple(sorted(found, key=lambda one: int(depth[one.at].min())))


def _followers(p: int, layout: Layout, spaced: Bools) -> list[int]:
    found = []
    for q in np.flatnonzero(layout.up == p).tolist():
        found += [q, *(_followers(q, layout, spaced) if spaced[q] else [])]
    return found


def _depth(layout: Layout) -> Ints:
    """Number of stations before each position."""
    depth = np.zeros(len(layout.up), dtype=np.int64)
    before = layout.up.copy()
    while (before >= 0).any():
        depth += before >= 0
        before = np.where(before >= 0, layout.up[before], -1)
    return depth


def _other(stream: Arrivals) -> bool:
    return stream.process != Process.POISSON and stream.rate > 0.0


def _bursty(stream: Arrivals) -> bool:
    return stream.process == Process.MMPP and stream.rate > 0.0


def apply(special: tuple[SpecialStation, ...], dirty: Bools, rate: Floats, state: State) -> None:
    """Put the exact values of the special stations that changed into the state.

    Args:
        special: the stations.
        dirty: shape (S,), stations whose arrivals changed; those behind one that did are solved too.
        rate: shape (P,), jobs per second that come to the tasks.
        state: of the sweep; its streams, loss, queue, target and own values are set.
    """
    for one in special:
        if not (dirty[one.station] or state.stale[one.station]):
            continue
        state.stale[one.station] = False
        flowing = np.flatnonzero(rate[one.at] > TINY)
        at = one.at[flowing]
        if len(at) == 0:
            continue
        visits = [_visit(one, v, float(rate[one.at[v]]), state) for v in flowing.tolist()]
        met = meet(one.capacity, one.up, one.down, visits, ONCE if one.foremost else AGAIN)
        if met is None:
            continue
        flow = rate[at]
        accepted = flow * (1.0 - met.loss)
        waiting = np.where(np.isfinite(met.waiting), met.waiting, 0.0)
        state.loss[one.station] = float(flow @ met.loss / flow.sum())
        state.queue[one.station] = float(accepted @ waiting)
        state.target[at] = 1.0 - met.loss
        state.own_waiting[at] = waiting
        state.own_survival[at] = met.survival
        state.spread_low[at], state.spread_high[at] = met.loss_low, met.loss_high
        for v, stream in zip(flowing.tolist(), met.leaving, strict=True):
            _hand_on(one.after[v], stream, state)


def _visit(one: SpecialStation, v: int, rate: float, state: State) -> Visit:
    """What the task ``v`` of a station brings, at its present rate."""
    given = one.arrivals[v]
    if given is None or one.entry[v]:
        return Visit(given, rate, one.laws[v], int(one.together[v]))
    stream = state.streams.get(int(one.at[v]))
    if stream is None:  # nothing is known yet: as it came from outside, thinned
        stream = modulated(given.rates, given.generator)
    return Visit(scaled(stream, rate), rate, one.laws[v], int(one.together[v]))


def _hand_on(after: tuple[int, ...], stream: MarkovArrivals | None, state: State) -> None:
    """Give the departures of a station to the tasks that follow; mark their stations when that changes anything."""
    for q in after:
        old = state.streams.get(q)
        if stream is None:
            state.streams.pop(q, None)
        elif old is None or old.phases != stream.phases or not _alike(old, stream):
            state.streams[q] = stream
        else:
            continue
        if old is not None or stream is not None:
            state.stale[state.station[q]] = True


def _alike(one: MarkovArrivals, other: MarkovArrivals) -> bool:
    scale = SAME * float(np.abs(np.diag(one.hidden)).max())
    return bool(np.abs(one.hidden - other.hidden).max() <= scale and np.abs(one.events - other.events).max() <= scale)
