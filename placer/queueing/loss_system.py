"""Stations without a waiting place (K = 1): a cycle of service and idle time.

After a job of class k is accepted the station is closed for its service time, then takes the first arrival
of any stream. The stream of k was renewed at the acceptance, so its next arrival after the service is known
from its renewal equation; the others are taken in equilibrium. This gives a Markov chain of the classes
accepted one after the other, and with the mean idle times the throughput of each. One stream alone:
acceptance ``1/(1 + M(s))``, M its renewal function, exact for a renewal stream (``1/(1 + rho)`` for Poisson,
``1/ceil(s/T)`` for a periodic one).
"""

from __future__ import annotations

import numpy as np

from placer.queueing.network import Floats, Ints
from placer.queueing.variability import Gaps, runs

GRID = 40
"""Cells of the grid over the longest service of a station; as many again follow for the idle time."""


def acceptance(station: Ints, gaps: Gaps, service: Floats) -> Floats:
    """Acceptance probability of each stream of stations with K = 1.

    Args:
        station: shape (T,), labels by which the streams are sorted.
        gaps: gap laws of the streams.
        service: shape (T,), mean service time in s.
    """
    start, of = runs(station)
    size = np.bincount(of)
    tasks = len(station)
    longest = np.maximum(np.maximum.reduceat(service, start), 1e-12)
    idle = 6.0 / np.add.reduceat(gaps.rate, start)
    # the idle time has a grid of its own, because it may be far longer or shorter than a service
    ahead = np.minimum(idle[of], 4.0 * longest[of]) / GRID
    renewals = _renewals(gaps, service / GRID)
    alone = size[of] == 1
    answer = np.where(alone, 1.0 / renewals.sum(axis=0), 1.0)
    many = np.flatnonzero(~alone)
    if len(many) == 0:
        return np.asarray(answer)
    x = np.arange(2 * GRID + 1)[:, None] * (0.5 * ahead)
    own = np.zeros((2 * GRID + 1, tasks))
    for i in range(GRID + 1):
        own[:, many] += renewals[i, many] * _survival(gaps, x[:, many] + (GRID - i) * service[many] / GRID, many)
    own[:, many] /= own[0, many]
    rest = np.maximum(_equilibrium(gaps, x), 1e-12)
    hazard = gaps.rate * _survival(gaps, x, np.arange(tasks)) / rest
    product = np.multiply.reduceat(rest, start, axis=1)[:, of]
    pair_from, pair_to = _pairs(many, start, size, of)
    clear = own * product / rest  # per accepted class: nobody has come yet
    step = 0.5 * ahead
    wait = (clear.sum(axis=0) - 0.5 * (clear[0] + clear[-1])) * step
    left = clear[-1]
    tail = left / np.add.reduceat(gaps.rate, start)[of]
    total_rate = np.add.reduceat(gaps.rate, start)[of]
    density = clear[:, pair_from] * hazard[:, pair_to]
    move = (density.sum(axis=0) - 0.5 * (density[0] + density[-1])) * step[pair_from]
    same = pair_from == pair_to
    # own next arrival: from the fall of its survival function, which has no density where it is periodic
    others = product / rest
    fall = -np.diff(own[:, pair_from[same]], axis=0)
    here = others[:, pair_from[same]]
    move[same] = (fall * 0.5 * (here[1:] + here[:-1])).sum(axis=0)
    move += left[pair_from] * gaps.rate[pair_to] / total_rate[pair_from]
    move /= np.bincount(pair_from, move, minlength=tasks)[pair_from]
    portion = np.where(alone, 1.0, 1.0 / size[of])
    for _ in range(40):
        portion = 0.5 * portion + 0.5 * np.bincount(pair_to, portion[pair_from] * move, minlength=tasks)
    cycle = np.add.reduceat(portion * (service + wait + tail), start)[of]
    flow = portion / np.maximum(cycle, 1e-300)
    answer[many] = np.minimum(flow[many] / gaps.rate[many], 1.0)
    return np.asarray(answer)


def _survival(gaps: Gaps, x: Floats, columns: Ints) -> Floats:
    """P(gap > x)."""
    beyond = x - gaps.spacing[columns]
    tail = gaps.loose[columns] * np.exp(-np.maximum(beyond, 0.0) * gaps.decay[columns])
    return np.asarray(np.where(beyond < 0.0, 1.0, tail))


def _equilibrium(gaps: Gaps, x: Floats) -> Floats:
    """P(no arrival within x of an arbitrary instant)."""
    tail = gaps.excess * np.exp(-np.maximum(x - gaps.spacing, 0.0) * gaps.decay)
    return np.asarray(gaps.rate * (np.maximum(gaps.spacing - x, 0.0) + tail))


def _renewals(gaps: Gaps, cell: Floats) -> Floats:
    """Mean number of arrivals in each cell after an arrival, shape (GRID+1, T); cell 0 holds that arrival."""
    edges = (np.arange(GRID + 1)[:, None] + 0.5) * cell
    fallen = 1.0 - _survival(gaps, edges, np.arange(len(cell)))
    mass = np.diff(fallen, axis=0, prepend=0.0)
    mean = np.zeros((GRID + 1, len(cell)))
    # arrivals within half a cell after the first one count at once
    scale = 1.0 / np.maximum(1.0 - mass[0], 1e-6)
    mean[0] = scale
    for i in range(1, GRID + 1):
        mean[i] = np.einsum("kt,kt->t", mass[1 : i + 1], mean[i - 1 :: -1]) * scale
    # half of the last cell lies beyond the service; for the first arrival the place in the cell is known
    within = 1.0 - _survival(gaps, GRID * cell[None, :], np.arange(len(cell)))[0] - fallen[-2]
    direct = scale**2
    mean[-1] = 0.5 * (mean[-1] - direct * mass[-1]) + direct * within
    return mean


def _pairs(many: Ints, start: Ints, size: Ints, of: Ints) -> tuple[Ints, Ints]:
    """All ordered pairs of streams that share a station."""
    count = size[of[many]]
    origin = np.repeat(many, count)
    offset = np.arange(len(origin)) - np.repeat(np.cumsum(count) - count, count)
    return origin, start[of[origin]] + offset
