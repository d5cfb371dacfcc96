"""Where devices stand in a picture: positions stretched to the page, the others beside, none on another."""

from __future__ import annotations

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from placer.instance.compiled import Compiled

Floats = NDArray[np.float64]
_ROUNDS = 400
_GAP = 0.16


def layout(compiled: Compiled, sizes: Floats, width: float, height: float) -> Floats:
    """Return the centres of the devices on a page, shape (D, 2), in the unit of ``sizes``.

    Args:
        compiled: the instance.
        sizes: width and height of each device's card, shape (D, 2).
        width: of the page.
        height: of the page.
    """
    devices = compiled.instance.devices
    points = np.full((len(devices), 2), np.nan)
    for index, device in enumerate(devices):
        if device.position is not None:
            points[index] = device.position[:2]
    placed = ~np.isnan(points[:, 0])
    if not placed.any():
        points, placed = _springs(compiled), np.ones(len(devices), dtype=bool)
    beside = np.flatnonzero(~placed)
    most = np.median(sizes, axis=0)
    column = float(sizes[beside, 0].max()) * 1.5 if len(beside) else 0.0
    low = most / 2 + _GAP
    high = np.array([width - column, height]) - most / 2 - _GAP
    points[placed] = _stretch(points[placed], low, high)
    # those without a position stand at the right edge, each near the height of its neighbours
    wanted = [_neighbour_height(compiled, int(index), points, height) for index in beside]
    for rank, choice in enumerate(np.argsort(wanted)):
        share = (rank + 0.5) / len(beside)
        y = wanted[choice] if len(beside) == 1 else height * share
        points[beside[choice]] = (width - sizes[beside[choice], 0] / 2 - _GAP, y)
    points = _apart(points, sizes, np.array([width, height]))
    if len(beside) == 1:
        _out_of_line(compiled, int(beside[0]), points, sizes, height)
    return points


def _springs(compiled: Compiled) -> Floats:
    graph: nx.Graph = nx.Graph()
    graph.add_nodes_from(range(len(compiled.device_names)))
    graph.add_edges_from((arc.tail, arc.head) for arc in compiled.topology.arcs)
    found = nx.spring_layout(graph, seed=0)
    return np.array([found[index] for index in range(len(graph))], dtype=float)


def _stretch(points: Floats, low: Floats, high: Floats) -> Floats:
    lowest, span = points.min(axis=0), np.ptp(points, axis=0)
    result = np.empty_like(points)
    for axis in range(2):
        if span[axis] == 0:
            result[:, axis] = (low[axis] + high[axis]) / 2
        else:
            share = (points[:, axis] - lowest[axis]) / span[axis]
            result[:, axis] = low[axis] + share * (high[axis] - low[axis])
    return result


def _neighbour_height(compiled: Compiled, index: int, points: Floats, height: float) -> float:
    heights = [points[arc.head][1] for arc in compiled.topology.arcs if arc.tail == index]
    known = [value for value in heights if not np.isnan(value)]
    return float(np.mean(known)) if known else height / 2


def _out_of_line(compiled: Compiled, index: int, points: Floats, sizes: Floats, height: float) -> None:
    """Move a device up or down until the lines to its neighbours cross as few cards as possible."""
    heads = sorted({arc.head for arc in compiled.topology.arcs if arc.tail == index})
    half = sizes[index, 1] / 2 + _GAP / 2
    steps = np.linspace(0.0, 1.0, 80)[:, None]
    others = [other for other in range(len(points)) if other != index]

    def crossed(y: float) -> int:
        here = np.array([points[index, 0], y])
        count = 0
        for head in heads:
            line = here + steps * (points[head] - here)
            for other in others:
                inside = np.abs(line - points[other]) < sizes[other] / 2 + _GAP / 2
                count += int(other != head and inside.all(axis=1).any())
        return count

    start = points[index, 1]
    heights = sorted(np.linspace(half, height - half, 25), key=lambda y: abs(y - start))
    points[index, 1] = min([start, *heights], key=crossed)


def _apart(points: Floats, sizes: Floats, page: Floats) -> Floats:
    """Push overlapping cards apart along the axis where less is needed, within the page."""
    least, most = sizes / 2 + _GAP / 2, page - sizes / 2 - _GAP / 2
    points = np.clip(points, least, most)
    need = (sizes[:, None, :] + sizes[None, :, :]) / 2 + _GAP
    order = np.arange(len(points))
    for _ in range(_ROUNDS):
        gap = points[:, None, :] - points[None, :, :]
        over = need - np.abs(gap)
        clash = np.asarray((over > 1e-9).all(axis=2))
        np.fill_diagonal(clash, False)
        if not clash.any():
            break
        # of two at the same place the one listed first goes one way and the other the other way
        side = np.where(gap != 0, np.sign(gap), np.sign(order[:, None] - order[None, :])[..., None])
        along = np.argmin(over, axis=2)
        push = np.where(clash, np.take_along_axis(over, along[..., None], axis=2)[..., 0], 0.0) * 0.5
        for axis in range(2):
            step = np.where(along == axis, push * side[..., axis], 0.0)
            points[:, axis] += step.sum(axis=1) * 0.6
        points = np.clip(points, least, most)
    return points
