"""The exact cost of a stretch between two stations: depth first over the stations of its inner layers, in plain loops.

Layers are placed in the order of the model. A partial placement is bounded by what is certain in whatever order a
station runs its layers: by every path through it and what follows at least
(:func:`placer.planning.decomposition.matrices.rests`), and on every station by the work there between the earliest
arrival and the shortest rest (the bound of one machine with heads and tails: Carlier, EJOR 11(1), 1982; an equal share
of the work for each of several servers). A whole one
costs what it takes by :mod:`placer.plan.readiness`. Compiled by numba where there is much to do: the same numbers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from placer import jit
from placer.plan.readiness import run_by_readiness
from placer.planning.decomposition.graphs import Found, Graph, Pairs
from placer.planning.decomposition.stretches import Floats, Ints

Truths = NDArray[np.bool_]


class _Path(NamedTuple):
    """A partial placement, the candidates of each level, and marks on stations; shapes (n + 2,), (n + 2, N), (N,)."""

    at: Ints
    done: Floats
    listed: Ints
    place: Ints
    order: Ints
    bound: Floats
    allowed: Truths
    used: Truths
    tried: Truths


def search(graph: Graph, pairs: Pairs, found: Found, nodes: int, budget: int) -> int:
    """Fill in ``found`` for the pairs in turn, ``nodes`` at most on each; stop after ``budget`` on all of them.

    Returns:
        how many pairs are done.
    """
    inner, stations = len(graph.send) - 1, len(graph.device)
    path = _Path(
        np.zeros(inner + 2, np.int64),
        np.zeros(inner + 2),
        np.zeros(inner + 2, np.int64),
        np.zeros(inner + 2, np.int64),
        np.zeros((inner + 2, stations), np.int64),
        np.zeros((inner + 2, stations)),
        np.zeros((inner + 2, stations), np.bool_),
        np.zeros(stations, np.bool_),
        np.zeros(stations, np.bool_),
    )
    for pair in range(len(pairs.start)):
        budget -= _solve(graph, pairs, pair, found, path, nodes)
        if budget <= 0:
            return pair + 1
    return len(pairs.start)


def makespans(graph: Graph, places: Ints, found: Floats) -> None:
    """Fill in the seconds of P whole placements of a stretch: stations of all its nodes, shape (P, n + 2)."""
    for row in range(len(places)):
        found[row] = _makespan(graph, places[row])


@jit.helper
def _solve(graph: Graph, pairs: Pairs, pair: int, found: Found, path: _Path, nodes: int) -> int:
    """One pair; returns how many nodes it took."""
    inner = len(graph.send) - 1
    best, abandoned = pairs.cutoff[pair], np.inf
    value, taken, level = np.inf, 0, 1
    path.at[0], path.at[inner + 1], path.done[0] = pairs.start[pair], pairs.end[pair], 0.0
    _allow(graph, pairs, pair, path)
    _expand(graph, pairs, pair, path, 1, best)
    while level > 0:
        place = path.place[level]
        if place >= path.listed[level] or path.bound[level, place] >= best:
            level -= 1
            continue
        if taken >= nodes:
            for open_level in range(1, level + 1):
                place = path.place[open_level]
                if place < path.listed[open_level]:
                    abandoned = min(abandoned, path.bound[open_level, place])
            break
        taken += 1
        path.at[level] = station = path.order[level, place]
        path.place[level] = place + 1
        if graph.serial:
            path.done[level] = _end_of(graph, path, level, station)
        if level < inner:
            level += 1
            _expand(graph, pairs, pair, path, level, best)
            continue
        total = _makespan(graph, path.at) + _priced(graph, path, inner + 1) if graph.serial else _joules(graph, path)
        if total < best:
            best = value = total
            found.stations[pair, 1:] = path.at[1 : inner + 1]
    found.value[pair] = value
    found.lower[pair] = min(best, abandoned)
    return taken + 1


@jit.helper
def _allow(graph: Graph, pairs: Pairs, pair: int, path: _Path) -> None:
    """Which stations each inner layer may take at all: those where it may run, and not too late."""
    for node in range(1, len(graph.send)):
        for station in range(len(graph.device)):
            fits = graph.cost[node, station] < np.inf
            if fits and graph.serial:
                least = pairs.head[node, pairs.row[pair], station]
                for place in range(graph.first_reader[node], graph.first_reader[node + 1]):
                    rest = pairs.rest[graph.edges[place], station, pairs.column[pair]]
                    fits = fits and least + rest < pairs.cutoff[pair]
            path.allowed[node, station] = fits


@jit.helper
def _expand(graph: Graph, pairs: Pairs, pair: int, path: _Path, level: int, best: float) -> None:
    """List the stations for the layer of a level whose bound is below ``best``, the least bound first."""
    column = pairs.column[pair]
    stations = len(graph.device)
    path.used[:] = False
    path.tried[:] = False
    for node in range(0 if graph.start_is_station else 1, level):
        path.used[path.at[node]] = True
    if graph.end_is_station:
        path.used[path.at[len(graph.send)]] = True
    before, priced = _before(graph, pairs, path, level, column), _priced(graph, path, level)
    known = path.bound[level - 1, path.place[level - 1] - 1] if level > 1 else 0.0
    count = 0
    for station in range(stations):
        if not path.allowed[level, station]:
            continue
        if not path.used[station]:  # of stations that are alike and free, the first stands for all
            if path.tried[graph.alike[station]]:
                continue
            path.tried[graph.alike[station]] = True
        if graph.serial:
            end = _end_of(graph, path, level, station)
            ahead = end + _after(graph, pairs, level, station, column)
            ahead = max(before, ahead, _machine(graph, pairs, path, level, station, column, end))
            bound = max(ahead + priced, known) + graph.price[level, station]
        else:
            bound = before + _added(graph, path, level, station) + _after(graph, pairs, level, station, column)
        if bound < best:
            path.order[level, count], path.bound[level, count] = station, bound
            count += 1
    ranks = np.argsort(path.bound[level, :count], kind="mergesort")
    path.order[level, :count] = path.order[level, :count][ranks]
    path.bound[level, :count] = path.bound[level, :count][ranks]
    path.listed[level], path.place[level] = count, 0


@jit.helper
def _before(graph: Graph, pairs: Pairs, path: _Path, level: int, column: int) -> float:
    """What the layers placed before a level say: the longest rest, or the joules spent and certain to follow."""
    total = 0.0
    for node in range(level):
        row = path.at[node]
        if not graph.serial:
            total += _spent(graph, path, node, level)
        for place in range(graph.first_reader[node], graph.first_reader[node + 1]):
            if graph.readers[place] >= level:
                rest = pairs.rest[graph.edges[place], row, column]
                if graph.serial:
                    total = max(total, path.done[node] + rest)
                elif graph.readers[place] > level:
                    total += rest
    return float(total)


@jit.helper
def _priced(graph: Graph, path: _Path, level: int) -> float:
    """Prices of the layers placed before a level."""
    total = 0.0
    for node in range(1, level):
        total += graph.price[node, path.at[node]]
    return total


@jit.helper
def _spent(graph: Graph, path: _Path, node: int, level: int) -> float:
    """Joules of a layer placed, and of its tensor's ways to readers before ``level``: by shares while some are left.

    What a reader costs is counted with it; a tensor goes to each device once.
    """
    total = graph.cost[node, path.at[node]] if node > 0 else 0.0
    first, last = graph.first_reader[node], graph.first_reader[node + 1]
    if graph.readers[last - 1] < level:
        return float(total + _ways(graph, path, node))
    for place in range(first, last):
        if graph.readers[place] < level:
            total += graph.send[node, path.at[node], path.at[graph.readers[place]]] / (last - first)
    return float(total)


@jit.helper
def _ways(graph: Graph, path: _Path, node: int) -> float:
    """Joules of a tensor's ways to all its readers, all of them placed; to each device once."""
    total = 0.0
    first, last = graph.first_reader[node], graph.first_reader[node + 1]
    for place in range(first, last):
        head = path.at[graph.readers[place]]
        sent = False
        if graph.readers[place] < len(graph.send) or graph.end_is_station:
            for other in range(first, place):
                sent = sent or graph.device[path.at[graph.readers[other]]] == graph.device[head]
        if not sent:
            total += graph.send[node, path.at[node], head]
    return float(total)


@jit.helper
def _added(graph: Graph, path: _Path, level: int, station: int) -> float:
    """Joules that a layer adds on a station: its own, and its shares of the ways of what it reads."""
    total = graph.cost[level, station]
    for place in range(graph.first_source[level], graph.first_source[level + 1]):
        maker = graph.sources[place]
        readers = graph.first_reader[maker + 1] - graph.first_reader[maker]
        total += graph.send[maker, path.at[maker], station] / readers
    return float(total)


@jit.helper
def _after(graph: Graph, pairs: Pairs, node: int, station: int, column: int) -> float:
    """What is certain to follow a layer on a station."""
    total = 0.0
    for place in range(graph.first_reader[node], graph.first_reader[node + 1]):
        rest = pairs.rest[graph.edges[place], station, column]
        total = max(total, rest) if graph.serial else total + rest
    return float(total)


@jit.helper
def _end_of(graph: Graph, path: _Path, level: int, station: int) -> float:
    """When a layer ends on a station at the earliest: after what it reads is there."""
    ready = 0.0
    for place in range(graph.first_source[level], graph.first_source[level + 1]):
        maker = graph.sources[place]
        ready = max(ready, path.done[maker] + graph.send[maker, path.at[maker], station])
    return float(ready + graph.cost[level, station])


@jit.helper
def _machine(graph: Graph, pairs: Pairs, path: _Path, level: int, station: int, column: int, end: float) -> float:
    """Work of a station with a layer that ends at ``end``, between the first arrival and the least rest."""
    load = graph.cost[level, station]
    first, rest = end - load, _after(graph, pairs, level, station, column)
    for node in range(1, level):
        if path.at[node] == station:
            load += graph.cost[node, station]
            first = min(first, path.done[node] - graph.cost[node, station])
            rest = min(rest, _after(graph, pairs, node, station, column))
    return float(first + load / graph.servers[station] + rest)


@jit.helper
def _makespan(graph: Graph, place_of: Ints) -> float:
    """Seconds of a stretch whose nodes are placed, shape (n + 2,)."""
    end = len(graph.send)
    nodes = end + 1 if graph.end_is_station else end
    places = graph.first_source[nodes]
    at, seconds, way = place_of[:nodes].copy(), np.zeros(nodes), np.zeros(places)
    servers, sent, done = graph.servers[at], np.zeros(nodes, np.bool_), np.zeros(nodes)
    if not graph.start_is_station:
        at[0] = -1
    for node in range(1, nodes):
        seconds[node] = graph.cost[node, at[node]]
        for place in range(graph.first_source[node], graph.first_source[node + 1]):
            maker = graph.sources[place]
            way[place] = graph.send[maker, place_of[maker], at[node]]
    if not graph.end_is_station:
        for place in range(graph.first_source[end], graph.first_source[end + 1]):
            sent[graph.sources[place]] = True
    run_by_readiness(graph.first_source[: nodes + 1], graph.sources[:places], at, servers, sent, seconds, way, done)
    if graph.end_is_station:
        return float(done[end])
    decision = 0.0
    for place in range(graph.first_source[end], graph.first_source[end + 1]):
        maker = graph.sources[place]
        decision = max(decision, done[maker] + graph.send[maker, place_of[maker], place_of[end]])
    return float(decision + graph.cost[end, place_of[end]])


@jit.helper
def _joules(graph: Graph, path: _Path) -> float:
    """Joules of a stretch whose inner layers are placed."""
    end = len(graph.send)
    total = graph.cost[end, path.at[end]]
    for node in range(end):
        total += _ways(graph, path, node)
        if node > 0:
            total += graph.cost[node, path.at[node]]
    return float(total)
