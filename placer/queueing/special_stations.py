"""Which stations of a batch are solved exactly, and what the sweeps of the chain model take from that.

Special are stations that a process other than Poisson enters from outside, stations that fail, and stations where
tasks of one job start at the same instant (the branches of a fork). A network without any costs nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.queueing.counting import TimeLaw
from placer.queueing.exact_stations import meet
from placer.queueing.flattened import Batch
from placer.queueing.network import Arrivals, Floats, Ints, Process
from placer.queueing.sweep_state import Bools, Layout, State
from placer.queueing.variability import TINY
from placer.queueing.visits import Visit

NEVER_UP = 1e-6
"""Availability below which a station just turns everything away."""


@dataclass(frozen=True)
class SpecialStation:
    """A station that is solved exactly.

    Attributes:
        station: its index in the batch.
        at: shape (V,), positions of its tasks in the layout.
        arrivals: of each task the process that enters here, None for a stream from another station.
        laws: service times.
        together: of each task the label of those that start at the same instant, -1 for none.
        capacity, up, down: as in the network.
    """

    station: int
    at: Ints
    arrivals: tuple[Arrivals | None, ...]
    laws: tuple[TimeLaw, ...]
    together: Ints
    capacity: int
    up: float
    down: float


def special_stations(batch: Batch, layout: Layout) -> tuple[SpecialStation, ...]:
    """Find the special stations of a batch."""
    other = np.array([_other(stream) for stream in batch.arrivals], dtype=bool)
    fails = batch.up > 0.0
    fork = batch.together[layout.task] >= 0
    if not (other.any() or fails.any() or fork.any()):
        return ()
    entry = other[batch.task_class[layout.task]] & batch.first[layout.task].astype(bool)
    chosen = np.bincount(layout.station, entry | fork, minlength=len(batch.capacity)) > 0
    chosen |= fails & (batch.up > NEVER_UP * batch.down)
    order = np.argsort(layout.station, kind="stable")
    bounds = np.searchsorted(layout.station[order], np.arange(len(batch.capacity) + 1))
    parts = np.argsort(layout.part_of, kind="stable")
    part_bounds = np.searchsorted(layout.part_of[parts], np.arange(len(layout.task) + 1))
    found = []
    for station in np.flatnonzero(chosen).tolist():
        at = order[bounds[station] : bounds[station + 1]]
        at = at[np.argsort(layout.task[at])]  # a fork's branches ask for places in the order of their tasks
        streams, laws = [], []
        for p in at.tolist():
            task = int(layout.task[p])
            stream = batch.arrivals[int(batch.task_class[task])]
            streams.append(stream if batch.first[task] and _other(stream) else None)
            mine = parts[part_bounds[p] : part_bounds[p + 1]]
            laws.append(TimeLaw(layout.part_weight[mine], layout.part_mean[mine], layout.part_scv[mine]))
        capacity, up, down = int(batch.capacity[station]), float(batch.up[station]), float(batch.down[station])
        found.append(
            SpecialStation(
                station, at, tuple(streams), tuple(laws), batch.together[layout.task[at]], capacity, up, down
            )
        )
    return tuple(found)


def _other(stream: Arrivals) -> bool:
    return stream.process != Process.POISSON and stream.rate > 0.0


def apply(special: tuple[SpecialStation, ...], dirty: Bools, rate: Floats, state: State) -> None:
    """Put the exact values of the special stations that changed into the state.

    Args:
        special: the stations.
        dirty: shape (S,), stations whose arrivals changed.
        rate: shape (P,), jobs per second that come to the tasks.
        state: of the sweep; its loss, queue, target and own values are set.
    """
    for one in special:
        if not dirty[one.station]:
            continue
        flowing = np.flatnonzero(rate[one.at] > TINY)
        at = one.at[flowing]
        if len(at) == 0:
            continue
        visits = [
            Visit(one.arrivals[v], float(rate[one.at[v]]), one.laws[v], int(one.together[v])) for v in flowing.tolist()
        ]
        met = meet(one.capacity, one.up, one.down, visits)
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
