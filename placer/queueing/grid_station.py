"""Constant services under a clock with random company: the remaining service on a grid of time.

All that is constant moves on the grid exactly: instants of the clock, services, completions. The only thing off the
grid is a random arrival that finds the station idle, in the middle of a cell; its service is split between the two
ends of the cell so that its mean is right. That leaves an error in powers of the cell, the first of which grids
that are each twice as fine as the one before take away (Richardson). A service that is no whole number of cells of any
grid of this size is taken as the nearest that is; only on which side of it an instant of the clock falls is kept.
Random arrivals within a cell are counted exactly (uniformisation); those that find no place are lost.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction
from math import lcm

import numpy as np

from placer.queueing.clocked import FEW_LAPS, Regime
from placer.queueing.counting import TimeLaw, count_matrices, poisson_counts
from placer.queueing.markov_streams import MarkovArrivals
from placer.queueing.network import Floats, Ints
from placer.queueing.patterns import Pattern

CELLS = 12
"""Cells of a service at least, on the coarsest grid."""

MOST_CELLS = 640
"""Cells of a period at most."""

MOST_STATES = 6000
"""States (number, cell, phase) at most."""

SOLVED = 300
"""States up to which the stationary regime is the solution of a linear system."""

LAPS = 300
"""Periods iterated at most."""

PER_STEP = 3e-5
"""Seconds of a cell of a period, roughly."""


@dataclass(frozen=True)
class _Grid:
    """A station on a grid; K places, M cells a service, m phases, E events.

    Attributes:
        cell: s.
        grow: shape (K m, K m), what the arrivals of a cell do to (number, phase), number from 1.
        begin: shape (2, m, K m), from idle to (number, phase) with the service ahead whole, or a cell shorter.
        idle: shape (m, m), no arrival.
        lost: shape (E, (K+1) m), jobs of each event turned away in a cell, by (number, phase) at its start, from 0.
        capacity, service, phases: K, M and m.
        late: see :class:`_Fit`.
        busy: more work arrives than can be done.
    """

    cell: float
    grow: Floats
    begin: Floats
    idle: Floats
    lost: Floats
    capacity: int
    service: int
    phases: int
    late: bool
    busy: bool

    def step(self, idle: Floats, x: Floats) -> tuple[Floats, Floats]:
        """One cell without its completions: idle (R, m), x (R, K m, M+1) by cells ahead from 0; R rows at once."""
        moved = np.matmul(self.grow.T, x)
        after = np.zeros_like(x)
        after[:, :, :-1] = moved[:, :, 1:]
        after[:, :, -1] += idle @ self.begin[0]
        after[:, :, -2] += idle @ self.begin[1]
        return idle @ self.idle, after

    def complete(self, idle: Floats, x: Floats) -> tuple[Floats, Floats]:
        """Jobs with nothing ahead leave."""
        m, K = self.phases, self.capacity
        done = x[:, :, 0].copy()
        x[:, :, 0] = 0.0
        x[:, : (K - 1) * m, -1] += done[:, m:]
        return idle + done[:, :m], x

    def arrive(self, idle: Floats, x: Floats) -> tuple[Floats, Floats]:
        """A job more, at a point of the grid."""
        m, K = self.phases, self.capacity
        after = np.zeros_like(x)
        after[:, m:] = x[:, : (K - 1) * m]
        after[:, (K - 1) * m :] += x[:, (K - 1) * m :]
        after[:, :m, -1] += idle
        return np.zeros_like(idle), after


@dataclass(frozen=True)
class _Fit:
    """How a pattern and a service lie on a grid.

    Attributes:
        cells: of a period.
        service: cells of a service.
        late: the service is a little longer than its cells, so that what ends at an instant of the clock ends after it.
    """

    cells: int
    service: int
    late: bool

    def finer(self, factor: int) -> _Fit:
        """The same on a grid with more cells."""
        return _Fit(self.cells * factor, self.service * factor, self.late)


def solve(
    pattern: Pattern, capacity: int, service: float, background: MarkovArrivals, most_seconds: float = np.inf
) -> Regime | None:
    """The regime of a station with constant services; None when its grid would be too large.

    Args:
        pattern: the clocked arrivals.
        capacity: K >= 1.
        service: s.
        background: other arrivals, Markovian, one job at an event.
        most_seconds: that this may take, by a rough count of the work.
    """
    if not pattern.repeats or (background.batch != 1).any():
        return None
    fit = _fit(pattern, service, MOST_STATES // (4 * capacity * background.phases))
    if fit is None:
        return None
    weights = {1: 1.0 / 3.0, 2: -2.0, 4: 8.0 / 3.0} if fit.service < 3 * CELLS else {1: -1.0, 2: 2.0}
    if len(pattern.instants) * sum(fit.cells * k for k in weights) * FEW_LAPS * PER_STEP > most_seconds:
        return None
    grids = [(weight, _on(pattern, capacity, fit.finer(k), background)) for k, weight in weights.items()]
    values = {}
    for field in fields(Regime):
        value = sum(weight * getattr(regime, field.name) for weight, regime in grids)
        values[field.name] = np.clip(value, 0.0, None if "waiting" in field.name else 1.0)
    return Regime(**values)


def _fit(pattern: Pattern, service: float, most: int) -> _Fit | None:
    """The coarsest grid: the instants of the clock lie on it, the service as nearly as ``most`` cells of it allow."""
    offsets = (pattern.instants - pattern.instants[:, :1]) / pattern.period
    bottom = 1
    for share in np.unique(offsets).tolist():
        fraction = Fraction(share).limit_denominator(400)
        bottom = lcm(bottom, fraction.denominator)
        if bottom > MOST_CELLS // 4:
            return None
    length = service * bottom / pattern.period
    largest = int(min(MOST_CELLS // 4 // bottom, most / length))
    if largest < 1:
        return None
    near = Fraction(length).limit_denominator(largest)
    if near <= 0:
        return None
    cells = near.denominator * max(1, int(min(np.ceil(CELLS / float(near)), largest) / near.denominator))
    return _Fit(cells * bottom, round(near * cells), length > float(near) * (1.0 + 1e-9))


def _grid(capacity: int, fit: _Fit, background: MarkovArrivals, cell: float, busy: bool) -> _Grid:
    m, K = background.phases, capacity
    rate = max(float(-np.diag(background.hidden).min()), 1e-300)
    law = TimeLaw(np.ones(1), np.array([cell]), np.zeros(1))
    mass, beyond = poisson_counts(rate, law)
    most = len(mass) + 1
    counts, times = count_matrices(
        background.hidden, background.events, background.batch, rate, most, np.vstack([mass, beyond / rate])
    ).transpose(0, 2, 1, 3)
    grow = np.zeros((K, m, K, m))
    for n in range(1, K + 1):
        for a in range(most + 1):
            grow[n - 1, :, min(n + a, K) - 1] += counts[a]
    begin = np.zeros((2, m, K, m))
    for a in range(1, most + 1):
        # the first of a arrivals comes after 1/(a+1) of the cell, in the mean
        for k, weight in ((0, 1.0 / (a + 1.0)), (1, a / (a + 1.0))):
            begin[k, :, min(a, K) - 1] += weight * counts[a]
    lost = np.zeros((len(background.events), K + 1, m))
    for n in range(K + 1):
        # arrivals in the time of the cell in which there is no place
        full = times[K - n :].sum(axis=0)
        lost[:, n] = np.einsum("ij,ejk->ei", full, background.events)
    return _Grid(
        cell,
        grow.reshape(K * m, K * m),
        begin.reshape(2, m, K * m),
        counts[0],
        lost.reshape(-1, (K + 1) * m),
        K,
        fit.service,
        m,
        fit.late,
        busy,
    )


def _on(pattern: Pattern, capacity: int, fit: _Fit, background: MarkovArrivals) -> Regime:
    cells = fit.cells
    cell = pattern.period / cells
    come = pattern.instants.shape[1] / pattern.period + float(background.event_rates().sum())
    grid = _grid(capacity, fit, background, cell, come * fit.service * cell >= 1.0)
    streams = int(pattern.stream.max()) + 1
    rows = []
    for times, owner in zip(pattern.instants, pattern.stream, strict=True):
        at = np.rint((times - times[0]) * cells / pattern.period).astype(np.int64)
        gaps = np.diff(at, append=cells)
        idle, x = _regime(grid, gaps)
        rows.append(_read(grid, gaps, owner, streams, idle, x, background, cells))
    return Regime(*(np.array(column) for column in zip(*rows, strict=True)))


def _regime(grid: _Grid, gaps: Ints) -> tuple[Floats, Floats]:
    """State just before the first instant."""
    m, K, M = grid.phases, grid.capacity, grid.service + 1
    size = m + K * m * M
    if size <= SOLVED and not grid.busy:
        whole = np.eye(size)
        idle, x = whole[:, :m].copy(), whole[:, m:].reshape(size, K * m, M).copy()
        idle, x = _lap(grid, gaps, idle, x)
        system = np.eye(size) - np.hstack([idle, x.reshape(size, -1)]).T
        system[-1] = 1.0
        goal = np.zeros(size)
        goal[-1] = 1.0
        solved = np.maximum(np.linalg.solve(system, goal), 0.0)
        solved /= solved.sum()
        return solved[None, :m], solved[m:].reshape(1, K * m, M)
    # a station that never idles keeps the offset of its services for ever: all offsets are taken alike
    idle, x = np.zeros((1, m)), np.zeros((1, K * m, M))
    x[0, :m, 1:] = 1.0 / (m * (M - 1))
    for _ in range(LAPS):
        before = x
        idle, x = _lap(grid, gaps, idle, x)
        if np.abs(x - before).sum() < 1e-11:
            break
    return idle, x


def _lap(grid: _Grid, gaps: Ints, idle: Floats, x: Floats) -> tuple[Floats, Floats]:
    """One period, from just before an instant to just before the next first one."""
    for gap in gaps.tolist():
        idle, x = grid.arrive(idle, x)
        for step in range(gap):
            if grid.late or step:
                idle, x = grid.complete(idle, x)
            idle, x = grid.step(idle, x)
        if not grid.late:
            idle, x = grid.complete(idle, x)
    return idle, x


def _read(
    grid: _Grid, gaps: Ints, owner: Ints, streams: int, idle: Floats, x: Floats, background: MarkovArrivals, cells: int
) -> tuple[Floats, ...]:
    """The fields of a regime over one period."""
    m, K, M = grid.phases, grid.capacity, grid.service
    ahead = (np.repeat(np.arange(K), m)[:, None] * M + np.arange(M + 1)) * grid.cell
    come, lost, waited = np.zeros(streams), np.zeros(streams), np.zeros(streams)
    away, open_time, work = np.zeros(len(background.events)), np.zeros(m), np.zeros(m)
    for gap, who in zip(gaps.tolist(), owner.tolist(), strict=True):
        full = float(x[0, (K - 1) * m :].sum())
        come[who] += 1.0
        lost[who] += full
        waited[who] += float((x[0] * ahead)[: (K - 1) * m].sum())
        idle, x = grid.arrive(idle, x)
        for step in range(gap):
            if grid.late or step:
                idle, x = grid.complete(idle, x)
            away += grid.lost @ np.concatenate([idle[0], x[0].sum(axis=1)])
            open_time += idle[0] + x[0, : (K - 1) * m].sum(axis=1).reshape(K - 1, m).sum(axis=0)
            work += (
                (x[0] * np.maximum(ahead - 0.5 * grid.cell, 0.0))[: (K - 1) * m]
                .sum(axis=1)
                .reshape(K - 1, m)
                .sum(axis=0)
            )
            idle, x = grid.step(idle, x)
        if not grid.late:
            idle, x = grid.complete(idle, x)
    marks = background.events.sum(axis=2)
    rates = background.event_rates()
    loss = np.divide(away / (cells * grid.cell), rates, out=np.zeros(len(rates)), where=rates > 0.0)
    waiting = np.divide(marks @ work, marks @ open_time, out=np.full(len(rates), np.nan), where=rates > 0.0)
    mine = np.divide(waited, come - lost, out=np.full(streams, np.nan), where=come > lost)
    return lost / come, mine, np.ones(streams), loss[:, None], waiting[:, None], np.ones((len(rates), 1))
