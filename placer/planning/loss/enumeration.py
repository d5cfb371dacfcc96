"""Every placement of a small instance: the optimum under the analytic evaluator, proven by exhaustion."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from placer.errors import InputError, TimeIsUpError
from placer.plan.placement import Placement
from placer.planning.loss.problem import Problem
from placer.planning.loss.scoring import Scorer
from placer.planning.loss.search.neighbours import Assigned, as_placement
from placer.planning.loss.search.search import Candidate
from placer.solver.countdown import Countdown

LARGEST = 1_000_000
CHUNK = 256


def count(problem: Problem) -> int:
    """How many placements there are before limits that couple layers."""
    total = 1
    for group in problem.groups:
        total *= sum(math.prod(int(n) for n in problem.domains[index].usable.sum(axis=1)) for index in group)
    return total


def placements(problem: Problem, countdown: Countdown | None = None) -> Iterator[Placement]:
    """Every placement that keeps the exact limits; a branch is cut where the services placed so far exceed one.

    Raises:
        TimeIsUpError: the countdown ended before the last one.
    """
    options = [
        [
            (index, stations)
            for index in group
            for stations in itertools.product(*(np.flatnonzero(row).tolist() for row in problem.domains[index].usable))
        ]
        for group in problem.groups
    ]

    def extend(assigned: Assigned, service: int) -> Iterator[Placement]:
        for choice in options[service]:
            if countdown is not None:
                countdown.check("the enumeration")
            assigned[service] = choice
            placement = as_placement(assigned)
            if problem.resources.overdrawn(placement) == 0.0:
                if service + 1 == len(options):
                    yield placement
                else:
                    yield from extend(assigned, service + 1)
            del assigned[service]

    yield from extend({}, 0)


def enumerate_all(problem: Problem, largest: int = LARGEST) -> Candidate | None:
    """The best placement of all; None when no placement keeps the exact limits.

    Raises:
        InputError: when there are more than ``largest``.
    """
    return enumerate_within(problem, None, largest)[0]


def enumerate_within(
    problem: Problem, countdown: Countdown | None, largest: int = LARGEST
) -> tuple[Candidate | None, bool]:
    """The best placement met before the time is over, and whether all were looked at.

    Args:
        problem: the problem.
        countdown: when to stop; None for never.
        largest: placements at most.

    Raises:
        InputError: when there are more than ``largest``.
    """
    total = count(problem)
    if total > largest:
        raise InputError(f"{total:.3g} placements are too many to enumerate (at most {largest})")
    scorer = Scorer(problem)
    best: Candidate | None = None
    every = placements(problem, countdown)
    try:
        while chunk := list(itertools.islice(every, CHUNK)):
            for placement, score in zip(chunk, scorer.score(chunk, exact=True), strict=True):
                if best is None or score.key < best.score.key:
                    best = Candidate(placement, score)
    except TimeIsUpError:
        return best, False
    return best, True
