"""Which cut is best at which uplink rate and server load: exactly, without a grid.

Every cut is a plane c + cx x + ck k over (x, k) = (inverse rate, load), and the best cost is the lower envelope of
the planes of all cuts: concave and piecewise linear. Only the few planes on it matter. They are found by asking the
minimum cut (or the list of single splits) for the best cut at every vertex of the envelope known so far: a vertex whose
value it confirms is one of the true envelope's, otherwise its cut is a new plane. When all vertices are confirmed the
envelope is complete (Eisner and Severance 1976 for one parameter; the same argument holds for two).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import HalfspaceIntersection

from placer.splitting.costs import Cut, Plane

Best = Callable[[float, float], Cut]
"""The best cut at (x, load)."""

_SAME = 1e-11
"""Relative difference below which two costs are the same: min cut counts to 2**-44 of the sum of all costs."""


@dataclass(frozen=True)
class Region:
    """Inverse rates in s/byte and loads that a table covers."""

    x_low: float
    x_high: float
    load_low: float = 1.0
    load_high: float = 1.0


def envelope(best: Best, region: Region) -> list[Cut]:
    """Return the cuts on the lower envelope over a region, those for the slowest uplink first.

    Args:
        best: the best cut at a point.
        region: where.
    """
    cuts: dict[Plane, Cut] = {}
    confirmed: set[tuple[float, float]] = set()
    todo: list[tuple[float, float]] = [(x, k) for x in _ends(region.x_low, region.x_high) for k in _loads(region)]
    while todo:
        grown = False
        for point in todo:
            confirmed.add(point)
            cut = best(*point)
            value = cut.value(*point)
            known = min((plane.at(*point) for plane in cuts), default=np.inf)
            if value < known - _SAME * max(abs(value), abs(known) if np.isfinite(known) else 0.0):
                cuts[cut.plane] = cut
                grown = True
        if not grown:
            break
        todo = [point for point in _vertices(list(cuts), region) if point not in confirmed]
    kept = _on_envelope(list(cuts), region)
    return sorted((cuts[plane] for plane in kept), key=lambda cut: (cut.plane.cx, cut.plane.ck))


def _ends(low: float, high: float) -> list[float]:
    return [low] if low == high else [low, high]


def _loads(region: Region) -> list[float]:
    return _ends(region.load_low, region.load_high)


def _vertices(planes: list[Plane], region: Region) -> list[tuple[float, float]]:
    """Points of the region where the envelope of some planes has its corners, those on the border included."""
    found: list[tuple[float, float]] = []
    for load in _loads(region):
        found += [(x, load) for x in breaks(planes, load, region.x_low, region.x_high)]
    if region.load_low < region.load_high:
        for x in _ends(region.x_low, region.x_high):
            turned = [Plane(plane.c + plane.cx * x, plane.ck, 0.0) for plane in planes]
            found += [(x, load) for load in breaks(turned, 0.0, region.load_low, region.load_high)]
        found += _inner(planes, region)
    return found


def _inner(planes: list[Plane], region: Region) -> list[tuple[float, float]]:
    """Corners of the envelope inside the region: vertices of the body below all planes, over the region."""
    if len(planes) < 3 or region.x_low == region.x_high:
        return []
    # the region is stretched to a square of side one and the values to one, so that the hull is well scaled
    width, height = region.x_high - region.x_low, region.load_high - region.load_low
    moved = np.array(
        [[p.c + p.cx * region.x_low + p.ck * region.load_low, p.cx * width, p.ck * height] for p in planes]
    )
    scale = np.abs(moved).sum(axis=1).max()
    moved /= scale or 1.0
    depth = moved.sum(axis=1).min(initial=0.0) - 1.0
    below = np.column_stack([-moved[:, 1], -moved[:, 2], np.ones(len(planes)), -moved[:, 0]])
    box = [[-1, 0, 0, 0], [1, 0, 0, -1], [0, -1, 0, 0], [0, 1, 0, -1], [0, 0, -1, depth]]
    body = HalfspaceIntersection(np.vstack([below, np.array(box, dtype=float)]), np.array([0.5, 0.5, depth + 0.5]))
    corners = np.unique(np.round(body.intersections, 13), axis=0)
    inside = corners[(corners[:, 2] > depth + 0.25) & (np.abs(corners[:, :2] - 0.5) < 0.5 - 1e-12).all(axis=1)]
    return [(region.x_low + x * width, region.load_low + k * height) for x, k, _ in inside.tolist()]


def _on_envelope(planes: list[Plane], region: Region) -> list[Plane]:
    """Planes that are lowest somewhere in the region, judged at the corners of the envelope."""
    corners = _vertices(planes, region)
    corners += [(x, k) for x in _ends(region.x_low, region.x_high) for k in _loads(region)]
    lowest = {corner: min(plane.at(*corner) for plane in planes) for corner in corners}
    return [
        plane
        for plane in planes
        if any(plane.at(*corner) <= value + 1e-9 * abs(value) for corner, value in lowest.items())
    ]


def breaks(planes: Iterable[Plane], load: float, x_low: float, x_high: float) -> list[float]:
    """Return the x strictly between the ends where the lower envelope at a load changes its plane, increasing."""
    return [x for x, _ in pieces(planes, load, x_low, x_high)[1:]]


def pieces(planes: Iterable[Plane], load: float, x_low: float, x_high: float) -> list[tuple[float, Plane]]:
    """Return (start, plane) of each piece of the lower envelope at a load, from ``x_low`` upwards.

    Planes that are lowest at a single point have no piece.
    """
    lines = list(planes)
    at = x_low
    # lowest now, and lowest right after it: the least slope among equals
    current = min(lines, key=lambda plane: (plane.at(at, load), plane.cx))
    near = [p for p in lines if p.at(at, load) <= current.at(at, load) * (1 + 1e-15)]
    current = min(near, key=lambda plane: (plane.cx, plane.c))
    found = [(at, current)]
    while True:
        crossings = []
        for plane in lines:
            if plane.cx < current.cx:
                gap = plane.c + plane.ck * load - current.c - current.ck * load
                crossings.append((max(gap / (current.cx - plane.cx), at), plane.cx, plane))
        if not crossings:
            return found
        x, _, plane = min(crossings, key=lambda item: item[:2])
        if x >= x_high:
            return found
        current, at = plane, x
        if x <= found[-1][0]:
            found[-1] = (x, plane)
        else:
            found.append((x, plane))
