"""A stretch as arrays, for loops that numba may compile."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from placer.planning.decomposition.stretches import Floats, Ints, Stretch


class Graph(NamedTuple):
    """A stretch for the loops: n inner layers, nodes 0..n+1, N stations, E edges; see ``stretches.Stretch``.

    The nodes that node v reads are ``sources[first_source[v]:first_source[v + 1]]``; those that read it are
    ``readers[first_reader[v]:first_reader[v + 1]]``, over the edges ``edges`` of the same places.
    ``send`` has shape (n + 1, N, N) and ``cost`` (n + 2, N), with one row or column of them in use where the stretch
    starts at the input or ends at the decision (``end_moves`` tells whether the end has a station). Stations with
    the same number in ``alike`` can be swapped without a difference. ``price``, shape (n + 1, N), is added per layer.
    """

    first_source: Ints
    sources: Ints
    first_reader: Ints
    readers: Ints
    edges: Ints
    send: Floats
    cost: Floats
    device: Ints
    servers: Ints
    alike: Ints
    start_is_station: bool
    end_is_station: bool
    serial: bool
    price: Floats


class Pairs(NamedTuple):
    """P pairs of stations, and bounds for them.

    ``start`` and ``end`` are stations (0 where there is one only), ``row`` and ``column`` where they are in ``head``,
    shape (n + 1, rows, N), and ``rest``, shape (E, N, columns). Only costs below ``cutoff`` are looked for.
    """

    start: Ints
    end: Ints
    row: Ints
    column: Ints
    cutoff: Floats
    head: Floats
    rest: Floats


class Found(NamedTuple):
    """What is known afterwards, per pair.

    ``lower``: no cost is less, as far as costs below the cutoff are concerned; ``value``: the least cost found, inf for
    none; ``stations``, shape (P, n + 1): the stations of nodes 1..n at that cost.
    """

    lower: Floats
    value: Floats
    stations: Ints


def graph_of(stretch: Stretch, swaps: bool = True) -> Graph:
    """The arrays of a stretch for the loops; without ``swaps`` no two stations are said to be alike."""
    inner, stations = stretch.inner, len(stretch.device)
    sources = [u for one in stretch.predecessors for u in one]
    readers = [w for one in stretch.readers for w in one]
    number = {edge: index for index, edge in enumerate(stretch.edges)}
    edges = [number[u, w] for u, one in enumerate(stretch.readers) for w in one]
    send, cost = np.zeros((inner + 1, stations, stations)), np.full((inner + 2, stations), np.inf)
    for node, matrix in enumerate(stretch.send):
        send[node, : matrix.shape[0], : matrix.shape[1]] = matrix
    for node, column in enumerate(stretch.cost):
        cost[node + 1, : len(column)] = column
    return Graph(
        np.cumsum([0, 0, *map(len, stretch.predecessors)]),
        np.array(sources, dtype=np.int64),
        np.cumsum([0, *map(len, stretch.readers)]),
        np.array(readers, dtype=np.int64),
        np.array(edges, dtype=np.int64),
        send,
        cost,
        stretch.device,
        stretch.servers,
        alike(stretch) if swaps else np.arange(stations),
        not stretch.starts_at_input,
        not stretch.ends_at_decision,
        stretch.serial,
        np.zeros((inner + 1, stations)) if stretch.price is None else np.array([np.zeros(stations), *stretch.price]),
    )


def alike(stretch: Stretch) -> Ints:
    """Number the stations so that two of the same number can be swapped: shape (N,)."""
    stations = len(stretch.device)
    square = [matrix for matrix in stretch.send if matrix.shape == (stations, stations)]
    narrow = [matrix.ravel() for matrix in stretch.send if matrix.shape != (stations, stations)]
    columns = (*stretch.cost, *(stretch.price or ()), *narrow)
    single = np.array([stretch.servers, *(column for column in columns if len(column) == stations)])
    result = np.arange(stations)
    first_of: dict[bytes, list[int]] = {}
    ordered = [np.sort(matrix, axis=axis) for matrix in square for axis in (0, 1)]
    for station in range(stations):
        lines = [matrix[:, station] if axis == 0 else matrix[station] for matrix, axis in _twice(ordered)]
        key = single[:, station].tobytes() + b"".join(line.tobytes() for line in lines)
        for other in first_of.setdefault(key, []):
            if all(_swappable(matrix, station, other) for matrix in square):
                result[station] = other
                break
        else:
            first_of[key].append(station)
    return result


def _twice(ordered: list[Floats]) -> list[tuple[Floats, int]]:
    return [(matrix, index % 2) for index, matrix in enumerate(ordered)]


def _swappable(matrix: Floats, a: int, b: int) -> bool:
    rest = np.ones(len(matrix), dtype=bool)
    rest[[a, b]] = False
    same = np.array_equal(matrix[a, rest], matrix[b, rest]) and np.array_equal(matrix[rest, a], matrix[rest, b])
    return bool(same and matrix[a, b] == matrix[b, a] and matrix[a, a] == matrix[b, b])
