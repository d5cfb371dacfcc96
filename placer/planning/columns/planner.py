"""The method ``decomposition``: every service by itself, and by column generation where limits couple them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from placer.errors import InfeasibleError, UnansweredError
from placer.evaluation.evaluate import evaluate_placement
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from placer.plan.plan import Certificate, Termination
from placer.planning.decomposition.relaxation import CLOSED, OBJECTIVES, method_of, relax, termination_of
from placer.planning.domains import choices_of
from placer.planning.outcome import Outcome
from placer.planning.request import Request
from placer.planning.stating import Claim, in_values, stated
from placer.planning.throughput import best_stages
from placer.planning.tidying import tidied
from placer.planning.ways import ways_of
from placer.planning.whole import quick_whole
from placer.solver.countdown import Countdown
from placer.solver.progress import Limits, Listener, Progress, relative_gap

if TYPE_CHECKING:
    from placer.planning.columns.rounds import Rounds

SHARE = 0.9
"""Of the time limit, for planning; the rest is for the evaluation."""
RELAXED = 0.4
"""Of the time left, for every service by itself."""
STAGED = 0.2
"""Of the time, for contiguous stages where the slowest one counts."""
TIDYING = 0.3
"""Of the time left, for fewer fragments: a second at most."""
LARGE = 5_000
"""Pairs of a layer and a station from which on quick methods come first; before, only where something is left open."""
NAME = "column-generation"


@dataclass(frozen=True)
class Found:
    """What column generation knows in the end.

    Attributes:
        method: what found it.
        placement: the best; None while there is none.
        value, bound: its cost, and what no placement costs less than.
        termination: why it ended.
        limited: whether limits that couple services were weighed.
        narrowed: the instance with what no better placement uses taken away; None where that is not known.
    """

    method: str
    placement: Placement | None
    value: float
    bound: float
    termination: Termination
    limited: bool
    narrowed: Compiled | None = None

    @property
    def gap(self) -> float:
        """Relative gap."""
        return relative_gap(self.value, self.bound)


def plan(compiled: Compiled, request: Request, listener: Listener | None = None) -> Outcome:
    """Return the best placement found within the limits, with a bound on all.

    Raises:
        InfeasibleError: when there is no placement (proven).
        UnansweredError: when the limits ended the search before any placement was found.
    """
    countdown = request.limits.start()
    return answer(compiled, request, found_by(compiled, request, listener, countdown.part(SHARE)), countdown)


def answer(compiled: Compiled, request: Request, found: Found, countdown: Countdown) -> Outcome:
    """State what was found.

    Raises:
        UnansweredError: when nothing was.
    """
    (objective,) = request.objectives
    if found.placement is None:
        raise UnansweredError(
            f"no placement was found within the limits ({found.termination})",
            tip=f"no plan costs less than {found.bound:.6g} in {objective}; placer explain says what clashes",
        )
    placement = found.placement
    if request.keep is None:  # what is deployed stays where it is
        placement = tidied(compiled, placement, request.objectives, countdown.part(TIDYING, 1.0))
    judged = evaluate_placement(compiled, placement, "deterministic")
    if not judged.feasible:
        raise UnansweredError(
            "internal error: the placement of column generation fails the evaluator: " + judged.violations[0].message
        )
    certificate = Certificate(
        method=found.method,
        termination=found.termination,
        objectives=(),
        seconds=countdown.spent,
        seed=request.limits.seed,
        options={"time_limit": request.limits.seconds, "gap": request.limits.gap},
    )
    claim = Claim(objective, found.bound, ways_of(compiled, objective, limited=found.limited))
    return stated(compiled, placement, certificate, [claim], request)


def found_by(
    compiled: Compiled, request: Request, listener: Listener | None, countdown: Countdown, on: bool = True
) -> Found:
    """Plan: every service by itself, then quick methods and column generation; ``on`` searches until the time is over.

    Raises:
        InfeasibleError: when there is no placement (proven).
    """
    (objective,) = request.objectives
    listener, floor, alone = in_values(compiled, objective, listener), 0.0, None
    offered = _at_once(compiled, objective, listener, countdown) if request.keep is None else []
    moves = request.keep is not None and request.max_moves is not None
    if objective in OBJECTIVES:
        share = Limits(seconds=RELAXED * countdown.left, gap=request.limits.gap)
        alone = relax(compiled, objective, share, listener, countdown)
        floor = alone.bound
        if not moves and evaluate_placement(compiled, alone.placement, "deterministic").feasible:
            method, termination = method_of(compiled), termination_of(alone)
            return Found(method, alone.placement, alone.value, alone.bound, termination, method != "shortest-path")
    if objective == "throughput" and not moves:
        staged = best_stages(compiled, choices_of(compiled), countdown.part(STAGED))
        floor = staged.bound
        if floor == math.inf:
            raise infeasible(compiled)
        if staged.placement is not None and staged.cost <= floor * (1 + CLOSED):
            return Found("stages", staged.placement, staged.cost, floor, "optimal", True)
        offered += [] if staged.placement is None else [staged.placement]
    return _coupled(compiled, request, listener, countdown, floor, on, offered)


def _large(compiled: Compiled) -> bool:
    return sum(variant.time.size for variant in compiled.variants) > LARGE


def _at_once(compiled: Compiled, objective: str, listener: Listener | None, countdown: Countdown) -> list[Placement]:
    """On large instances, services kept whole: an answer within moments, and a start."""
    if not _large(compiled):
        return []
    found = quick_whole(compiled, choices_of(compiled), countdown.part(STAGED))
    if found is None:
        return []
    judged = evaluate_placement(compiled, found, "deterministic")
    if not judged.feasible:
        return []
    if listener is not None:
        listener(Progress(countdown.spent, judged.costs[objective], 0.0, "services kept whole"))
    return [found]


def _coupled(
    compiled: Compiled,
    request: Request,
    listener: Listener | None,
    countdown: Countdown,
    floor: float,
    on: bool,
    offered: Sequence[Placement],
) -> Found:
    """Quick methods and column generation, with placements that are known."""
    # here, as the solver is not loaded where every service by itself is the answer
    from placer.planning.columns.coupling import Coupling
    from placer.planning.columns.rounds import Rounds
    from placer.planning.columns.sites import Sites

    (objective,) = request.objectives
    coupling = Coupling(compiled, objective, request.keep, request.max_moves)
    limits = _limits(request)
    rounds = Rounds(coupling, Sites.of(coupling), floor, limits, countdown, listener)
    for known in (*offered, *([] if request.keep is None else [request.keep])):
        rounds.offer(known)
    large = _large(compiled)
    if large:
        rounds.first()
        _quick(compiled, request, rounds)
    rounds.run()
    if not rounds.good:
        if not large:
            _quick(compiled, request, rounds)
        if on:
            rounds.go_on()
    if rounds.state.infeasible:
        raise infeasible(compiled)
    return _result(rounds)


def _limits(request: Request) -> Limits:
    """Within a gap g of the requests per second is within g / (1 + g) of the load."""
    gap = request.limits.gap
    return Limits(gap=gap / (1 + gap) if request.objectives == ("throughput",) else gap, seed=request.limits.seed)


def _quick(compiled: Compiled, request: Request, rounds: Rounds) -> None:
    """Start from what quick methods find: no answer is worse than theirs."""
    from placer.planning.portfolio import quick_placements

    for placement in quick_placements(compiled, request, rounds.countdown):
        rounds.offer(placement)


def infeasible(compiled: Compiled) -> InfeasibleError:
    """What is said where no placement keeps every limit."""
    ways = " for tensors that take the ways of least time" if ways_of(compiled, "latency") else ""
    return InfeasibleError(
        f"no placement satisfies the instance (proven{ways})", tip="placer explain says what clashes"
    )


def _result(rounds: Rounds) -> Found:
    from placer.planning.columns.fixing import narrowed

    search, bound = rounds.search, rounds.state.bound
    placement = None
    if search.best:
        placement = Placement(tuple(c.choice for c in search.best), tuple(c.stations for c in search.best))
    if rounds.gap <= CLOSED:
        return Found(NAME, placement, search.value, bound, "optimal", True)
    if rounds.ended == "done":
        ended: Termination = "gap-reached" if rounds.gap <= rounds.limits.gap else "heuristic"
    else:
        ended = rounds.ended
    return Found(NAME, placement, search.value, bound, ended, True, narrowed(rounds))
