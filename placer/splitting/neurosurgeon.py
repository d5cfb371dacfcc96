"""The best single split of a network (Kang et al., Neurosurgeon, ASPLOS 2017).

A single split is a prefix of the layers on the device and the rest on the server, at a point where just one tensor
crosses: after a *gate*, a layer through which every path goes. On a chain every layer is one; on a DAG the parallel
branches between two gates stay whole, which is what linearising the network amounts to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from placer.errors import InfeasibleError
from placer.instance.model import gate_layers
from placer.splitting.costs import Cut, SplitCosts, Stages, crossing_tensors, make_cut, stages, with_ways

Score = Callable[[Cut], float]


def single_splits(costs: SplitCosts, x: float, load: float) -> Iterator[Cut]:
    """Yield every single split, its tensor in the cheapest way at (x, load), all on the device last.

    Splits that put a layer where it cannot run are left out.
    """
    for remote in _prefixes(costs):
        yield make_cut(costs, remote, x, load)


def _prefixes(costs: SplitCosts) -> Iterator[list[bool]]:
    count = len(costs)
    able_device, able_server = np.isfinite(costs.device), np.isfinite(costs.server)
    gates = {layer + 1 for layer in gate_layers([list(sources) for sources in costs.predecessors])}
    for position in sorted({0, count} | gates):
        if able_device[:position].all() and able_server[position:].all():
            yield [False] * position + [True] * (count - position)


def _in_every_way(costs: SplitCosts) -> Iterator[Cut]:
    """Yield every single split in every way that its tensor can take: just one tensor crosses."""
    for remote in _prefixes(costs):
        tensors = crossing_tensors(costs, remote)
        for way in costs.ways[tensors[0]] if tensors else (None,):
            yield with_ways(costs, remote, [way] * (len(costs) + 1))


def best_split(costs: SplitCosts, x: float, load: float) -> Cut:
    """Return the single split of least cost; of equal ones the one with most layers on the device.

    Raises:
        InfeasibleError: when no single split puts every layer where it can run.
    """
    return _best(single_splits(costs, x, load), lambda cut: cut.value(x, load))


def best_throughput_split(costs: SplitCosts, x: float, load: float) -> tuple[Cut, Stages]:
    """Return the single split with the smallest bottleneck stage, and its stages.

    Raises:
        InfeasibleError: when no single split puts every layer where it can run.
    """
    cut = _best(_in_every_way(costs), lambda cut: stages(costs, cut, x, load).largest)
    return cut, stages(costs, cut, x, load)


def _best(cuts: Iterator[Cut], score: Score) -> Cut:
    found: tuple[float, Cut] | None = None
    for cut in cuts:
        value = score(cut)
        # a tensor that may not cross makes a split infinitely dear: that is none
        if np.isfinite(value) and (found is None or value <= found[0]):
            found = (value, cut)
    if found is None:
        raise InfeasibleError(
            "no single split puts every layer where it can run",
            tip="--method dads looks at all cuts, not prefixes only",
        )
    return found[1]
