"""What quick methods find: where an exact method starts, so that its answer is never worse than theirs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from placer.errors import PlacerError
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from placer.planning.baselines import greedy_memory, random_placement, round_robin
from placer.planning.request import Request
from placer.planning.split import dads, neurosurgeon
from placer.solver.countdown import Countdown

METHODS = (neurosurgeon, dads, greedy_memory, random_placement, round_robin)
SHARE = 0.05
"""Of the time left, for each method at most."""
LEAST, EACH, MOST = 0.1, 2e-5, 1.5
"""Seconds for each method at most on the smallest instance, for each pair of a layer and a station more, and ever."""


def quick_placements(compiled: Compiled, request: Request, countdown: Countdown) -> Iterator[Placement]:
    """Yield what each method finds within its share of the time; it may break limits that the method does not see."""
    longest = min(LEAST + EACH * sum(variant.time.size for variant in compiled.variants), MOST)
    for method in METHODS:
        if countdown.over:
            return
        limits = request.limits.within(countdown.part(SHARE, longest))
        try:
            outcome = method(compiled, replace(Request(request.objectives[:1]), limits=limits, by="analytic"))
        except PlacerError:
            continue  # it found nothing, or not in time
        yield outcome.placement
