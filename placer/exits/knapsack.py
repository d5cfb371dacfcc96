"""The single-exit knapsack scheduler: the n jobs present are spread over the exits within a time budget.

Casale and Roveri 2023. With n jobs present and the arrival rate lambda, the device is full after about ``B =
(K - n)/lambda``; the counts x_l solve ``max sum a_l x_l, sum x_l = n, sum t_l x_l <= B``, a multiple-choice
knapsack with identical classes. When not even the quickest exit fits, every job takes it. It has no loss
target of its own. The head of the queue then goes to one of the chosen exits. Counts are computed beforehand
for every n (and a grid of rates), so a device only looks them up.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from placer.exits.station import Station
from placer.queueing.network import Floats, Ints

Head = Literal["random", "shallowest", "deepest"]
HEADS: tuple[Head, ...] = ("random", "shallowest", "deepest")
_SAME = 1e-12


def best_counts(worth: Floats, times: Floats, jobs: int, budget: float) -> Ints:
    """Exact counts per exit, shape (L,): most worth within the budget, then least time.

    A dynamic program over the jobs keeps the Pareto front of (time, worth), pruned by the linear relaxation
    (which mixes at most two neighbours of the upper hull).

    Args:
        worth: shape (L,), accuracy or confidence of each exit.
        times: shape (L,), s.
        jobs: n >= 1.
        budget: B, s.
    """
    counts = np.zeros(len(times), dtype=np.int64)
    quickest = int(np.lexsort((-worth, times))[0])
    if jobs * times[quickest] > budget * (1.0 + _SAME):
        counts[quickest] = jobs
        return counts
    budget *= 1.0 + _SAME
    exits = _undominated(worth, times)
    hull = _hull(worth, times, exits)
    least = times[quickest]
    floor = _greedy(worth, times, hull, jobs, budget)
    spent, gained = np.zeros(1), np.zeros(1)
    steps: list[tuple[Ints, Ints]] = []
    for left in range(jobs - 1, -1, -1):
        t = (spent[:, None] + times[exits]).ravel()
        v = (gained[:, None] + worth[exits]).ravel()
        fits = np.flatnonzero(t + left * least <= budget)
        if left:
            relaxed = left * np.interp((budget - t[fits]) / left, times[hull], worth[hull])
            fits = fits[v[fits] + relaxed >= floor - 1e-9]
        fits = fits[np.lexsort((-v[fits], t[fits]))]
        best = np.maximum.accumulate(np.append(-np.inf, v[fits]))[:-1]
        kept = fits[v[fits] > best + _SAME]
        steps.append((kept // len(exits), exits[kept % len(exits)]))
        spent, gained = t[kept], v[kept]
    at = len(spent) - 1  # along a front more time is more worth
    for parent, exit_ in reversed(steps):
        counts[exit_[at]] += 1
        at = int(parent[at])
    return counts


def _undominated(worth: Floats, times: Floats) -> Ints:
    order = np.lexsort((-worth, times))
    best = np.maximum.accumulate(np.append(-np.inf, worth[order]))[:-1]
    return np.asarray(order[worth[order] > best])


def _hull(worth: Floats, times: Floats, exits: Ints) -> Ints:
    """Upper concave hull of the undominated exits, by time."""
    hull: list[int] = []
    for e in exits.tolist():
        while len(hull) > 1 and (worth[hull[-1]] - worth[hull[-2]]) * (times[e] - times[hull[-2]]) <= (
            worth[e] - worth[hull[-2]]
        ) * (times[hull[-1]] - times[hull[-2]]):
            hull.pop()
        hull.append(e)
    return np.array(hull, dtype=np.int64)


def _greedy(worth: Floats, times: Floats, hull: Ints, jobs: int, budget: float) -> float:
    """Worth of a feasible choice: the relaxation's two exits, rounded down."""
    place = int(np.searchsorted(times[hull], budget / jobs, side="right")) - 1
    low = int(hull[max(place, 0)])
    if place + 1 >= len(hull):
        return float(jobs * worth[low])
    high = int(hull[place + 1])
    deep = int((budget - jobs * times[low]) / (times[high] - times[low]) * (1.0 - _SAME))
    return float((jobs - deep) * worth[low] + deep * worth[high])


def table(
    worth: Floats, times: Floats, station: Station, *, head: Head = "random", room: int = 0, rate: float | None = None
) -> Floats:
    """The choice for the head of the queue by jobs present, shape (states, L); rows sum to 1.

    Args:
        worth: shape (L,), accuracy or confidence of each exit.
        times: shape (L,), s.
        station: arrivals and room.
        head: which of the chosen exits the head takes: one drawn at random, the shallowest or the deepest.
        room: 0 counts K - n free places, 1 counts K - n + 1 (the job that starts frees one when it ends).
        rate: arrivals in 1/s that the budget assumes; the station's own when None.
    """
    assumed = station.rate if rate is None else rate
    rows = np.zeros((station.states, len(times)))
    for n in range(1, station.states + 1):
        counts = best_counts(worth, times, n, max(station.capacity - n + room, 0) / assumed)
        used = np.flatnonzero(counts)
        if head == "random":
            rows[n - 1] = counts / n
        else:
            # by time, not by position: that is what distinguishes shallow from deep in a profile
            order = used[np.argsort(times[used])]
            rows[n - 1, order[0] if head == "shallowest" else order[-1]] = 1.0
    return rows


def rate_grid(rate: float, points: int = 48, factor: float = 8.0) -> Floats:
    """Rates for which the table is computed beforehand: a geometric grid around the expected one, 1/s."""
    return np.asarray(rate * np.geomspace(1.0 / factor, factor, points))


def rate_tables(
    worth: Floats, times: Floats, station: Station, rates: Floats, *, head: Head = "random", room: int = 0
) -> Floats:
    """One :func:`table` per rate, shape (rates, states, L)."""
    return np.stack([table(worth, times, station, head=head, room=room, rate=float(rate)) for rate in rates])
