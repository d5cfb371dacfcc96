"""Shortest paths between all pairs of devices.

Dijkstra from all sources in step: dense arrays and no library for the networks that people draw; the library's sparse
version where a network is so large that loading it (a sixth of a second) pays.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Pointers = NDArray[np.int32]

NO_DEVICE = -9999
"""Stands in ``previous`` where nothing lies before: at the source, and where there is no way."""

LARGEST_DENSE = 64
"""With more devices the sparse version is taken: there it saves more on a few dozen sizes of tensors than it costs."""


def shortest_paths(weights: Floats) -> tuple[Floats, Pointers]:
    """Return the least sums of weights along paths, and the device before each on its path.

    Args:
        weights: shape (D, D), nonnegative weight of the step from row to column; inf where there is none.

    Returns:
        (sums of shape (D, D), inf where there is no path and 0 on the diagonal; devices of shape (D, D),
        ``NO_DEVICE`` where nothing lies before).
    """
    return _in_step(weights) if len(weights) <= LARGEST_DENSE else _sparse(weights)


def _in_step(weights: Floats) -> tuple[Floats, Pointers]:
    """Each step settles, for every source, the nearest device that is still open; O(D^3) in all."""
    count = len(weights)
    sums, previous = np.full((count, count), np.inf), np.full((count, count), NO_DEVICE, dtype=np.int32)
    np.fill_diagonal(sums, 0.0)
    still_open = sums.copy()
    sources = np.arange(count)
    for _ in range(count):
        nearest = still_open.argmin(axis=1)
        least = still_open[sources, nearest]
        if not np.isfinite(least).any():
            break
        still_open[sources, nearest] = np.inf
        through = least[:, None] + weights[nearest]
        # no step to a settled device is shorter, as weights are not negative: what is settled stays so
        shorter = through < sums
        sums, still_open = np.where(shorter, through, sums), np.where(shorter, through, still_open)
        previous = np.where(shorter, nearest[:, None], previous)
    return sums, previous


def _sparse(weights: Floats) -> tuple[Floats, Pointers]:
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    rows, columns = np.nonzero(np.isfinite(weights))
    graph = csr_array((weights[rows, columns], (rows, columns)), shape=weights.shape)
    sums, previous = dijkstra(graph, directed=True, return_predecessors=True)
    return cast(Floats, sums), np.asarray(previous, dtype=np.int32)
