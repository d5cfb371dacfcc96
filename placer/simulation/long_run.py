"""Replications that can be continued: what a sequential decision extends until it is sure.

A run is read at marks; what a question needs are sums per run between two marks, so the warm-up can be cut anew, and
longer, whenever the run has become longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from placer.jit import version
from placer.queueing.network import Floats
from placer.simulation import kernel
from placer.simulation.core import as_lists
from placer.simulation.features import features_of
from placer.simulation.restart import Regions, advance, counted, prepare
from placer.simulation.state import (
    BUDGET,
    EVENTS,
    GROW,
    SAMPLED,
    SAMPLES_FULL,
    STRIDE,
    State,
    grown,
    initial,
    roomier,
)
from placer.simulation.tables import Tables

MARKS = 10
"""Per extension: where a warm-up may end."""

SAMPLES = 1 << 12
MOST_SAMPLES = 1 << 18
"""Response times that a run holds before it counts and forgets them."""

KEPT_SAMPLES = 20_000
"""Response times per run and class that are remembered for the estimate of a percentile."""


@dataclass(frozen=True)
class Threshold:
    """Response times to count.

    Attributes:
        owner: class.
        seconds: those longer than this are counted.
    """

    owner: int
    seconds: float


@dataclass
class LongRun:
    """One replication, from an empty network to the last mark.

    Attributes:
        net: the network as arrays.
        rng: where it draws from.
        thresholds: response times that are counted.
        compiled: True, False, or None for what is there.
        regions: how it is split; None simulates every state as often as it comes.
        state: of the loop; None before the start.
        times: marks in s, from 0.
        rows: one row per mark: offered, lost, completed (C each), response times in s (C), thresholds exceeded.
        numbers: jobs at each station at the marks.
        responses: per threshold the last response times seen of its class.
    """

    net: Tables
    rng: np.random.Generator
    thresholds: tuple[Threshold, ...] = ()
    compiled: bool | None = None
    regions: Regions | None = None
    state: State | None = None
    times: list[float] = field(default_factory=lambda: [0.0])
    rows: list[Floats] = field(default_factory=list)
    numbers: list[Any] = field(default_factory=list)
    responses: list[Floats] = field(default_factory=list)
    _exceeded: Floats = field(default_factory=lambda: np.zeros(0))

    def start(self) -> None:
        """Draw the first arrivals."""
        if self.regions is not None:
            self.state = prepare(self.regions, self.rng)
        else:
            self.state = initial(self.net, self.rng, SAMPLES if self.thresholds else 0)
            self.state.scalars[STRIDE] = 1 if self.thresholds else 0
        self._exceeded = np.zeros(len(self.thresholds))
        self.responses = [np.zeros(0) for _ in self.thresholds]
        self.rows.append(self._row())

    @property
    def events(self) -> int:
        """Arrivals and ends of tasks so far."""
        return 0 if self.state is None else int(self.state.scalars[EVENTS])

    def extend(self, until: float, budget: int, marks: int = MARKS) -> bool:
        """Go on to ``until`` (s) or until ``budget`` events in all.

        Args:
            until: the last mark.
            budget: events of this run from its start.
            marks: to set on the way, evenly.

        Returns:
            Whether ``until`` was reached; otherwise the last marks are missing.
        """
        if self.state is None:
            self.start()
        for stop in np.linspace(self.times[-1], until, marks + 1)[1:]:
            if not self._run(float(stop), budget):
                return False
            assert self.state is not None
            self.numbers.append(np.array(self.state.queues.number))
            self.times.append(float(stop))
            self.rows.append(self._row())
        return True

    def _run(self, until: float, budget: int) -> bool:
        assert self.state is not None
        plain = kernel.loop(features_of(self.net, levels=self.regions is not None))
        run = version(plain, self.compiled)
        if self.regions is not None:
            self.state, reached = advance(run, self.regions, self.state, self.rng, until, budget)
            return reached
        net, st = self.net, self.state
        if run is plain:
            net, st = as_lists(net, st)
        while True:
            status = run(net, st, self.rng, until, budget)
            if status == GROW:
                st = grown(st)
            elif status == SAMPLES_FULL and len(st.sample_response) < MOST_SAMPLES:
                st = roomier(st)
            elif status == SAMPLES_FULL:
                self._count(st)
            else:
                break
        self._count(st)
        self.state = st
        return status != BUDGET

    def _count(self, st: State) -> None:
        """Count the response times that are too long, and forget them."""
        taken = int(st.scalars[SAMPLED])
        if taken:
            owner, response = np.array(st.sample_class[:taken]), np.array(st.sample_response[:taken])
            for index, threshold in enumerate(self.thresholds):
                mine = response[owner == threshold.owner]
                self._exceeded[index] += (mine > threshold.seconds).sum()
                self.responses[index] = np.concatenate([self.responses[index], mine])[-KEPT_SAMPLES:]
            st.scalars[SAMPLED] = 0

    def _row(self) -> Floats:
        assert self.state is not None
        st, classes = self.state, int(self.net.dims[1])
        counts = np.array(st.counts, dtype=np.float64) if self.regions is None else counted(st, self.regions)
        offered, completed, lost = (counts[k * classes : (k + 1) * classes] for k in range(3))
        return np.concatenate([offered, lost, completed, np.array(st.sums[:classes]), self._exceeded])


def since(runs: Sequence[LongRun], warmup: float) -> Floats:
    """What each run counted after its warm-up, shape (R, columns of a row).

    Args:
        runs: with equal marks.
        warmup: share of the time; what is cut off ends at a mark and is at least this long.
    """
    times = runs[0].times
    first = int(np.searchsorted(times, warmup * times[-1]))
    return np.array([run.rows[-1] - run.rows[first] for run in runs])
