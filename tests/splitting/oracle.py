"""Random networks and all their cuts, by enumeration."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from placer.splitting.costs import Cut, Plane, SplitCosts, Way, crossing_tensors, with_ways

NONE = Plane(0.0, 0.0, 0.0)


def random_dag(rng: np.random.Generator, layers: int, width: int = 3) -> tuple[tuple[int, ...], ...]:
    """Each layer reads up to ``width`` of what is there before it."""
    return tuple(
        tuple(
            sorted(
                int(u)
                for u in rng.choice(
                    np.arange(-1, layer), size=min(layer + 1, int(rng.integers(1, width + 1))), replace=False
                )
            )
        )
        for layer in range(layers)
    )


def chain(layers: int) -> tuple[tuple[int, ...], ...]:
    return tuple((layer - 1,) for layer in range(layers))


def random_costs(
    rng: np.random.Generator, predecessors: tuple[tuple[int, ...], ...], ways: int = 1, pinned: float = 0.0
) -> SplitCosts:
    """Random times, bytes and ways; with ``pinned``, that share of layers cannot run on one of the two."""
    count = len(predecessors)
    device, server = rng.exponential(0.05, count), rng.exponential(0.01, count)
    device[rng.random(count) < pinned] = np.inf
    server[rng.random(count) < pinned] = np.inf
    size = rng.exponential(1e5, count + 1)
    leaves = set(range(count)) - {u for sources in predecessors for u in sources}
    back = tuple(Plane(0.002, 4e3, 0.0) if layer in leaves else NONE for layer in range(count))
    options = []
    for tensor in range(count + 1):
        found = [Way(Plane(0.005, size[tensor], 0.0), 0.0, size[tensor], 0.0, "")]
        for extra in range(int(rng.integers(0, ways))):
            ratio, encode, decode = 2.0 ** (extra + 1), rng.exponential(0.01), rng.exponential(0.002)
            small = size[tensor] / ratio
            found.append(Way(Plane(0.005 + encode, small, decode), encode, small, decode, f"c{extra}"))
        options.append(tuple(found))
    return SplitCosts(
        names=tuple(f"l{layer}" for layer in range(count)),
        predecessors=predecessors,
        device=device,
        server=server,
        home=np.zeros(count),
        back=back,
        ways=tuple(options),
        device_seconds=device,
        server_seconds=server,
    )


def every_cut(costs: SplitCosts) -> Iterator[Cut]:
    """Every valid cut in every combination of ways."""
    count = len(costs)
    for bits in itertools.product((False, True), repeat=count):
        if any(u >= 0 and bits[u] and not bits[v] for v, us in enumerate(costs.predecessors) for u in us):
            continue
        if any(not np.isfinite(costs.server[v] if far else costs.device[v]) for v, far in enumerate(bits)):
            continue
        tensors = crossing_tensors(costs, bits)
        for combination in itertools.product(*(costs.ways[tensor] for tensor in tensors)):
            chosen: list[Way | None] = [None] * (count + 1)
            for tensor, way in zip(tensors, combination, strict=True):
                chosen[tensor] = way
            yield with_ways(costs, bits, chosen)


def is_valid(costs: SplitCosts, cut: Cut) -> bool:
    """Whether nothing returns from the server."""
    far = cut.on_server
    return not any(u >= 0 and far[u] and not far[v] for v, us in enumerate(costs.predecessors) for u in us)
