"""Bounds of a stretch for all stations of its start and its end at once, by products in (min, +)."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from placer import jit
from placer.planning.decomposition.stretches import Floats, Ints, Stretch

SMALLEST_COMPILED = 3_000_000
"""Additions of a product from which on it is worth a compiled loop."""


def min_plus(left: Floats, right: Floats) -> Floats:
    """out[i, j] = min over k of left[i, k] + right[k, j]; shapes (R, K), (K, C) and (R, C)."""
    if left.shape[0] * left.shape[1] * right.shape[1] >= SMALLEST_COMPILED and jit.have_numba():
        product: Floats = _compiled()(np.ascontiguousarray(left), np.ascontiguousarray(right))
        return product
    out = np.full((left.shape[0], right.shape[1]), np.inf)
    for k in range(left.shape[1]):
        np.minimum(out, left[:, k, None] + right[k], out=out)
    return out


@cache
def _compiled() -> Any:
    return jit.version(product_of)


def product_of(left: Floats, right: Floats) -> Floats:
    """:func:`min_plus` as plain loops."""
    rows, inner, columns = left.shape[0], left.shape[1], right.shape[1]
    out = np.full((rows, columns), np.inf)
    for i in range(rows):
        for k in range(inner):
            first = left[i, k]
            if first < np.inf:
                for j in range(columns):
                    value = first + right[k, j]
                    if value < out[i, j]:
                        out[i, j] = value
    return out


def rests(stretch: Stretch, columns: Ints | None = None) -> list[Floats]:
    """Per edge (maker, reader) the least that can follow on it, from the maker's stations to the end's ``columns``.

    Seconds: from the end of the maker to the end of the stretch by way of this reader; what else the stations do is
    left out. Joules: a share of the tensor's way (1/readers: a device that gets it pays once), and of all that comes
    after the reader its share among what the reader reads. Readers that are read by several, and the
    layers between, are taken at the best for each edge by itself: a lower bound, exact for parallel chains in seconds.
    """
    end = stretch.inner + 1
    final = stretch.cost[-1] if columns is None else stretch.cost[-1][columns]
    found: dict[tuple[int, int], Floats] = {}
    for maker in reversed(range(end)):
        send = stretch.send[maker]
        split = 1.0 if stretch.serial else 1.0 / len(stretch.readers[maker])
        for reader in stretch.readers[maker]:
            share = 1.0 if stretch.serial else 1.0 / len(stretch.predecessors[reader - 1])
            if reader == end:
                way = send if columns is None else send[:, columns]
                found[maker, reader] = split * way + share * final[None, :]
            else:
                own = (
                    stretch.cost[reader - 1]
                    if stretch.price is None
                    else stretch.cost[reader - 1] + stretch.price[reader - 1]
                )
                after = own[:, None] + rest_of(stretch, found, reader)
                found[maker, reader] = min_plus(split * send, share * after)
    return [found[edge] for edge in stretch.edges]


def rest_of(stretch: Stretch, rest: dict[tuple[int, int], Floats], node: int) -> Floats:
    """What follows a node over all its readers: the longest in seconds, the sum in joules."""
    parts = [rest[node, reader] for reader in stretch.readers[node]]
    combined: Floats = np.maximum.reduce(parts) if stretch.serial else np.add.reduce(parts)
    return combined


def least(stretch: Stretch) -> Floats:
    """A lower bound of what the stretch costs from each station of its start to each of its end.

    Along any path its seconds and its prices are a bound; with prices, so are all prices and a mean of the paths'
    seconds.
    """
    rest = dict(zip(stretch.edges, rests(stretch), strict=True))
    longest = rest_of(stretch, rest, 0)
    if stretch.price is None or all(len(one) == 1 for one in stretch.readers):
        return longest
    return np.maximum(longest, _mean(stretch))


def _mean(stretch: Stretch) -> Floats:
    """All prices and a mean of the seconds of all paths: what reaches a node is split evenly among its readers."""
    end = stretch.inner + 1
    flow = np.zeros(end + 1)
    flow[0] = 1.0
    for maker in range(end):
        for reader in stretch.readers[maker]:
            flow[reader] += flow[maker] / len(stretch.readers[maker])
    after: list[Floats] = [np.zeros((1, 1))] * end
    for maker in reversed(range(end)):
        total: Floats | None = None
        for reader in stretch.readers[maker]:
            way = flow[maker] / len(stretch.readers[maker]) * stretch.send[maker]
            share = 1.0 / len(stretch.predecessors[reader - 1])
            if reader == end:
                part = way + share * stretch.cost[-1][None, :]
            else:
                own = flow[reader] * stretch.cost[reader - 1] + (stretch.price or ())[reader - 1]
                part = min_plus(way, share * (own[:, None] + after[reader]))
            total = part if total is None else total + part
        after[maker] = after[maker] if total is None else total
    return after[0]


def heads(stretch: Stretch, rows: Ints) -> Floats:
    """Seconds at least from the start on ``rows`` to the end of each inner layer: shape (n + 1, rows, N)."""
    found = np.zeros((stretch.inner + 1, len(rows), len(stretch.device)))
    for node in range(1, stretch.inner + 1):
        for maker in stretch.predecessors[node - 1]:
            send = stretch.send[maker]
            arrival = send[rows] if maker == 0 else min_plus(found[maker], send)
            np.maximum(found[node], arrival, out=found[node])
        found[node] += stretch.cost[node - 1][None, :]
    return found


def together(stretch: Stretch) -> Floats:
    """What the stretch costs at most with all its inner layers on one station, the best for each start and end."""
    if stretch.inner == 0:
        return least(stretch)
    price, direct = _price(stretch), 0 in stretch.predecessors[-1]
    if not direct:
        return min_plus(stretch.send[0], _after_input(stretch) + price[:, None])
    if not stretch.serial:
        return min_plus(stretch.send[0], _after_input(stretch)) + stretch.send[0]
    if stretch.price is None:
        return np.maximum(min_plus(stretch.send[0], _after_input(stretch)), _waiting(stretch))
    after, waiting = _after_input(stretch), _waiting(stretch)
    out = np.full(waiting.shape, np.inf)
    for station in np.flatnonzero(np.isfinite(after).any(axis=1)):
        seconds = np.maximum(stretch.send[0][:, station, None] + after[station], waiting)
        np.minimum(out, seconds + price[station], out=out)
    return out


def station_together(stretch: Stretch, start: int, end: int) -> int:
    """The station on which :func:`together` puts the inner layers."""
    value = stretch.send[0][start] + _after_input(stretch)[:, end]
    if stretch.price is not None:
        if 0 in stretch.predecessors[-1]:
            value = np.maximum(value, _waiting(stretch)[start, end])
        value = value + _price(stretch)
    return int(np.argmin(value))


def _price(stretch: Stretch) -> Floats:
    """Prices of all inner layers on one station, shape (N,)."""
    return np.zeros(len(stretch.device)) if stretch.price is None else np.add.reduce(stretch.price)


def _waiting(stretch: Stretch) -> Floats:
    """As the end reads the start's tensor too, it waits for it (or pays: at most, as devices are not looked at)."""
    return np.asarray(stretch.send[0] + stretch.cost[-1][None, :])


def _after_input(stretch: Stretch) -> Floats:
    """From the arrival of the start's tensor to the end, all inner layers one after the other: shape (N, columns)."""
    done: Floats = np.add.reduce(stretch.cost[:-1])
    sends = [stretch.send[maker] for maker in stretch.predecessors[-1] if maker > 0]
    # in seconds at most: whatever the order, each of them leaves when all is done
    ways: Floats = np.maximum.reduce(sends) if stretch.serial else np.add.reduce(sends)
    result: Floats = ways + done[:, None] + stretch.cost[-1][None, :]
    return result
