"""Splitting (RESTART) of a network: regions by how full its stations are, and runs whose rare losses are many.

What makes a loss rare is that a station has to fill. The importance of a station that holds k jobs is −ln P(at least k
there), so that stations of any size and load compare; that of the network is the largest of its stations, and the
regions cut it into equal steps. A first guess of those probabilities comes from a plain run, where they are seen, and
from their last slope, where they are not; short runs with splitting then correct how many trials each region gets. The
guess decides how fast the estimate converges, never what it converges to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log
from typing import Any, cast

import numpy as np

from placer.queueing.network import Floats, Ints
from placer.simulation.split_state import Split
from placer.simulation.state import BUDGET, EVENTS, GROW, State, grown, initial
from placer.simulation.tables import NEVER_FULL, Row, Tables

STEP = log(3)
"""Importance from one region to the next: a trial that rises is split into about three."""

FIRST = log(3)
"""Importance below which nothing is split: what happens a third of the time is not rare."""

MOST_REGIONS = 30
SEEN = 20
"""Sightings from which a tail probability is believed."""

ROOM = 12
"""Nodes and jobs to begin with: the fewer, the faster a trial is copied."""

STEEPEST = log(1e4)
"""Largest step of importance from one job to the next that is believed of what was not seen."""

KEPT = ("counts", "sums", "sample_class", "sample_response", "split")
"""Rows of a state that a copy of a trial shares with the original: what was counted is never taken back."""

Run = Callable[[Tables, State, np.random.Generator, float, int], int]


@dataclass(frozen=True)
class Regions:
    """How a network is split.

    Attributes:
        net: the network as arrays, with the level of each station by its number of jobs.
        factor: shape (M+1,), trials into which one that rises into a region is split; entry 0 is 1.
    """

    net: Tables
    factor: Ints

    @property
    def weight(self) -> Floats:
        """What one count in each region stands for, shape (M+1,)."""
        return 1.0 / np.cumprod(self.factor.astype(np.float64))


def regions(net: Tables, tails: Sequence[Floats], stations: Sequence[int]) -> Regions:
    """Cut the states of a network into regions.

    Args:
        net: the network as arrays.
        tails: per station P(at least k jobs), k = 0 … K, as :func:`tail` gives it.
        stations: those whose losses count; an unlimited one never loses.
    """
    chosen = [s for s in stations if int(net.capacity[s]) < NEVER_FULL]
    importance = {s: -np.log(np.maximum(tails[s], 1e-300)) for s in chosen}
    highest = max((float(row[-1]) for row in importance.values()), default=0.0)
    step = max(STEP, (highest - FIRST) / MOST_REGIONS)
    levels = []
    for s in range(len(net.capacity)):
        row = importance.get(s, np.zeros(1))
        levels.append(np.maximum(np.floor((row - FIRST) / step).astype(np.int64) + 1, 0))
    top = max(int(row[-1]) for row in levels)
    pointers = np.concatenate([[0], np.cumsum([len(row) for row in levels])]).astype(np.int64)
    shares = np.exp(-(FIRST + step * np.arange(top)))
    return Regions(net._replace(level_ptr=pointers, levels=np.concatenate(levels)), factors(shares))


def factors(shares: Floats) -> Ints:
    """Trials per region from P(region i or higher), i = 1 … M: so many that every region is visited about as often."""
    factor, total = [1], 1.0
    for share in shares:
        wanted = np.exp(-FIRST) * 3 / max(float(share), 1e-300)
        factor.append(int(np.clip(round(wanted / total), 1, 30)))
        total *= factor[-1]
    return np.array(factor, dtype=np.int64)


def tail(numbers: Ints, capacity: int) -> Floats:
    """P(at least k jobs) at a station, k = 0 … K, from sightings; beyond what was seen, the last slope goes on."""
    size = min(capacity, 10_000)
    counts = np.bincount(np.minimum(numbers, size), minlength=size + 1)[::-1].cumsum()[::-1]
    last = max(int(np.flatnonzero(counts >= SEEN)[-1]), 0)
    result = counts / len(numbers)
    if last == 0:
        slope = -min(log(3 * len(numbers)), STEEPEST)
    else:
        first = max(0, last - 2)
        slope = max((log(result[last]) - log(result[first])) / (last - first), -STEEPEST)
        slope = min(slope, -1e-3)
    beyond = np.arange(last, size + 1) - last
    result[last:] = result[last] * np.exp(slope * beyond)
    return result


def prepare(cut: Regions, rng: np.random.Generator) -> State:
    """An empty network at time 0, ready for splitting."""
    return packed(initial(cut.net, rng, 0, room=ROOM), cut)


def packed(st: State, cut: Regions) -> State:
    """The same state as views of one array of integers and one of reals, with room for the trials that wait."""
    parts: dict[bool, list[Row]] = {True: [], False: []}
    for row in _rows(st):
        parts[row.dtype == np.int64].append(row)
    ints, reals = (np.concatenate(parts[kind]) for kind in (True, False))
    deep = len(cut.factor) - 1
    entries = [np.zeros(max(deep, 1), dtype=np.int64) for _ in range(3)]
    tally = np.zeros(len(cut.factor) * len(st.counts), dtype=np.int64)
    now = np.zeros(3, dtype=np.int64)
    saved = np.zeros(deep * len(ints), dtype=np.int64), np.zeros(deep * len(reals))
    split = Split(ints, reals, *saved, entries[0], entries[1], entries[2], cut.factor, tally, now)
    views: State = _views(st, ints, reals)
    return views._replace(split=split)


def _rows(rows: Any) -> list[Row]:
    """The rows that belong to a trial, in order."""
    found: list[Row] = []
    for name, row in zip(rows._fields, rows, strict=True):
        if name in KEPT:
            continue
        found += [row] if isinstance(row, np.ndarray) else _rows(row)
    return found


def _views(rows: Any, ints: Row, reals: Row) -> Any:
    """The named tuple with its rows as views of two arrays; the inverse of :func:`_rows`."""
    at = {True: 0, False: 0}

    def view(rows: Any) -> Any:
        result = {}
        for name, row in zip(rows._fields, rows, strict=True):
            if name in KEPT:
                result[name] = row
            elif isinstance(row, np.ndarray):
                kind = row.dtype == np.int64
                result[name] = (ints if kind else reals)[at[kind] : at[kind] + len(row)]
                at[kind] += len(row)
            else:
                result[name] = view(row)
        return type(rows)(**result)

    return view(rows)


def regrown(st: State, cut: Regions) -> State:
    """The same state with twice the nodes and jobs, in the trial that runs and in those that wait."""
    old: Split = st.split
    large = packed(grown(st), cut)
    new: Split = large.split
    for index in range(int(old.now[0])):
        size, reals = len(old.ints), len(old.reals)
        waiting = _views(
            st,
            old.saved_ints[index * size : (index + 1) * size].copy(),
            old.saved_reals[index * reals : (index + 1) * reals].copy(),
        )
        rows = packed(grown(waiting), cut).split
        new.saved_ints[index * len(rows.ints) : (index + 1) * len(rows.ints)] = rows.ints
        new.saved_reals[index * len(rows.reals) : (index + 1) * len(rows.reals)] = rows.reals
    same = ("entry_region", "entry_left", "entry_birth", "tally", "now")
    return large._replace(split=new._replace(**{name: getattr(old, name) for name in same}))


def advance(
    run: Run, cut: Regions, st: State, rng: np.random.Generator, until: float, budget: int
) -> tuple[State, bool]:
    """Run to ``until`` (s) or until ``budget`` events; returns the state and whether the time was reached."""
    while True:
        status = run(cut.net, st, rng, until, budget)
        if status != GROW:
            return st, status != BUDGET
        st = regrown(st, cut)


def counted(st: State, cut: Regions) -> Floats:
    """What was counted so far, each region with its weight; laid out as ``State.counts``."""
    tally = st.split.tally.reshape(len(cut.factor), -1)
    return cast(Floats, cut.weight @ tally)


def corrected(
    run: Run, cut: Regions, seed: np.random.SeedSequence, horizon: float, budget: int, rounds: int = 3
) -> Regions:
    """Regions with the trials that short runs ask for.

    Args:
        run: the event loop with levels.
        cut: the first guess.
        seed: of the short runs.
        horizon: s that each simulates.
        budget: events that each may cost: a guess far off lets the number of trials explode.
        rounds: how often the number of trials is corrected.
    """
    classes = int(cut.net.dims[1])
    for child in seed.spawn(rounds):
        rng = np.random.default_rng(child)
        st, _ = advance(run, cut, prepare(cut, rng), rng, horizon, budget)
        offered = st.split.tally.reshape(len(cut.factor), -1)[:, :classes].sum(axis=1) * cut.weight
        share = offered[::-1].cumsum()[::-1] / offered.sum()
        guess = 1.0 / np.cumprod(cut.factor[1:].astype(np.float64))
        # A region that no trial reached keeps its step from the one below.
        shares, before, believed = [], 1.0, 1.0
        for seen, guessed in zip(share[1:], guess, strict=True):
            believed = float(seen) if seen > 0 else believed * guessed / before
            before = guessed
            shares.append(believed)
        cut = Regions(cut.net, factors(np.array(shares)))
    return cut


def events_of(st: State) -> int:
    """Arrivals and ends of tasks in all trials."""
    return int(st.scalars[EVENTS])
