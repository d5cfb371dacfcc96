"""Reduced-cost fixing: what no placement better than the best one uses is taken away before the ILP is built.

At the prices of the best bound, a placement of value v has services whose costs exceed the least ones by v - bound in
all. So a layer is on no station in it where the cheapest placement of its service through there exceeds the least by
more than what is left (Dantzig, Fulkerson and Johnson, Operations Research 2, 1954, on the Lagrangian bound).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from placer.instance.compiled import Compiled, Floats
from placer.instance.variant import Variant
from placer.planning.columns.rounds import Rounds
from placer.planning.columns.tariffs import fixed_price
from placer.planning.decomposition.programme import Stage, backward, forward

SLACK = 1e-6
"""Relative: stations are kept that rounding may decide about."""


def narrowed(rounds: Rounds) -> Compiled | None:
    """The instance with the stations left on which a better placement than the best may have its layers.

    The best placement's stay. None where prices say nothing: no bound or no placement, or not all stations are priced.
    """
    state, sites, best = rounds.state, rounds.sites, rounds.search.best
    if not sites.whole or not state.services or not best:
        return None
    compiled, slack = rounds.coupling.compiled, rounds.search.value - state.bound
    variants = list(compiled.variants)
    for service, group in enumerate(sites.choices.groups):
        most = state.services[service] + slack * (1 + SLACK)
        most += SLACK * abs(most) * 1e-3
        for choice in group:
            fixed = fixed_price(rounds.coupling, choice, state.prices)
            through = _through(variants[choice], sites.stages(choice, state.prices), len(compiled.stations))
            allowed = variants[choice].allowed & (through + fixed <= most)
            if best[service].choice == choice:
                allowed[np.arange(len(allowed)), list(best[service].stations)] = True
            variants[choice] = replace(variants[choice], allowed=allowed)
    return replace(compiled, variants=tuple(variants))


def _through(variant: Variant, stages: list[Stage], stations: int) -> Floats:
    """The least that a placement costs whose layer is on a station, shape (M, N); 0 for layers inside a stretch."""
    through = np.zeros((len(variant), stations))
    lower = [stage.costs(stage.table.lower) for stage in stages]
    for (_, layers), before, after in zip(variant.stretches, forward(lower), backward(lower), strict=True):
        if layers[-1] in variant.gates:
            through[layers[-1]] = before + after
    return through
