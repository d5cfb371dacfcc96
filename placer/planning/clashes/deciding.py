"""Whether an instance has any placement without waiting: by each service alone, by column generation, by the ILP.

Cheap proofs come first. A service whose least latency exceeds its deadline settles it, as does a placement that the
evaluator finds feasible; what couples services is weighed by prices (phase one of Dantzig-Wolfe: what rows are
exceeded by is all that costs), and what even that leaves open goes to the ILP where that is small enough to be made.
"""

from __future__ import annotations

import numpy as np
import pyomo.core as pyo

from placer.errors import InfeasibleError, TimeIsUpError, UnansweredError
from placer.evaluation.checks import RELATIVE_TOLERANCE
from placer.evaluation.evaluate import evaluate_placement
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from placer.planning.clashes.deployed import Deployed
from placer.planning.columns.coupling import MOVES, NOTHING, Coupling
from placer.planning.columns.rounds import Rounds
from placer.planning.columns.search import Search
from placer.planning.columns.sites import Sites
from placer.planning.columns.solution import keeps as kept_by
from placer.planning.columns.solution import placement_of
from placer.planning.columns.tariffs import Prices
from placer.planning.decomposition.programme import Programme, Tables, stages_of
from placer.planning.decomposition.stretches import Costs
from placer.planning.domains import Domain, choices_of
from placer.planning.ilp.formulation import build, limit_moves
from placer.planning.ilp.goals import add_goal_limits
from placer.planning.ilp.planner import products_of
from placer.planning.ilp.readiness import solve
from placer.solver.countdown import Countdown
from placer.solver.progress import Limits

TINY, SMALL = 400, 300_000
"""Products of an edge's stations up to which the ILP comes first, and up to which it is made at all."""
SHARE = 0.6
"""Of the time left, for column generation where the ILP can follow."""
ANY = 1e300
"""Relative gap that any placement closes."""


def decide(
    compiled: Compiled, countdown: Countdown, deployed: Deployed | None = None, near: Placement | None = None
) -> Placement | None:
    """Return a placement that keeps every limit that is without waiting; None when there is none (proven).

    ``near``: what it should be like, where nothing says how many layers may move.

    Raises:
        UnansweredError: it is not decided within the time.
    """
    try:
        near = near if deployed is None else deployed.placement
        closest = None if near is None else nearest(compiled, near)
        if closest is not None and keeps(compiled, closest, deployed):
            return closest
        found = alone(compiled, countdown)
        if deployed is None and keeps(compiled, found):
            return found
        size = products_of(compiled)
        if size <= TINY:
            return _by_ilp(compiled, countdown, deployed)
        share = countdown.part(SHARE) if size <= SMALL else countdown
        rounds = _by_columns(compiled, share, deployed)
    except InfeasibleError:
        return None
    if rounds is not None:
        return rounds
    if size > SMALL:
        raise UnansweredError("whether there is a plan was not decided within the time limit")
    return _by_ilp(compiled, countdown, deployed)


def keeps(compiled: Compiled, placement: Placement, deployed: Deployed | None = None) -> bool:
    """Whether a placement keeps every limit that is without waiting; ranges as far as the instance has them."""
    if deployed is not None and deployed.moved(placement) > deployed.most:
        return False
    return evaluate_placement(compiled, placement, "deterministic").feasible


def alone(compiled: Compiled, countdown: Countdown) -> Placement:
    """A placement of every service that keeps what concerns it alone, as far as stretches know.

    Raises:
        InfeasibleError: a service has none.
        TimeIsUpError: that was not decided in time.
    """
    choices = choices_of(compiled)
    choice, stations = [], []
    tables: Tables = {}
    for service, group in enumerate(choices.groups):
        deadline = compiled.instance.services[service].deadline
        if deadline is None:
            choice.append(group[0])
            stations.append(_somewhere(choices.domains[group[0]]))
            continue
        limit = deadline + RELATIVE_TOLERANCE * max(deadline, 1e-12)
        best: tuple[float, int, tuple[int, ...]] = (np.inf, -1, ())
        for index in group:
            programme = Programme(stages_of(Costs(compiled, choices.domains[index], False), tables))
            _until(programme, limit, countdown)
            if programme.value < best[0]:
                best = programme.value, index, programme.stations()
        if best[0] > limit or best[1] < 0:
            name = compiled.instance.services[service].name
            raise InfeasibleError(f"service {name}: no placement is in time, even by itself")
        choice.append(best[1])
        stations.append(best[2])
    return Placement(tuple(choice), tuple(stations))


def _somewhere(domain: Domain) -> tuple[int, ...]:
    """All layers on one station that may run most of them, the others where they may run."""
    most = np.argsort(-domain.usable.sum(axis=0), kind="stable")
    return tuple(most[np.argmax(domain.usable[:, most], axis=1)].tolist())


def _until(programme: Programme, limit: float, countdown: Countdown) -> None:
    """Work on a programme until a placement is within the limit, or it is proven that none is.

    Raises:
        TimeIsUpError: neither in time.
    """
    programme.tighten(0.0, limit, lambda: not countdown.over and programme.value > limit)
    if programme.value > limit and programme.bound < limit * (1 - 1e-9):
        countdown.check("the search for the least latency of a service")


def nearest(compiled: Compiled, old: Placement) -> Placement | None:
    """What is deployed, but for services that are in the way: these are placed anew, at a price of each layer moved."""
    coupling = Coupling(compiled, NOTHING, old, sum(len(stations) for stations in old.stations))
    choices = choices_of(compiled)
    search = Search(coupling, Sites(coupling, choices), 0)
    placed = {
        service: coupling.column(choice, stations)
        for service, (choice, stations) in enumerate(zip(old.choice, old.stations, strict=True))
        if choice in choices.domains and choices.domains[choice].usable[np.arange(len(stations)), stations].all()
    }

    def over(without: int) -> float:
        rest = [column for service, column in sorted(placed.items()) if service != without]
        return coupling.resources.overdrawn(placement_of(rest))

    placed = {service: column for service, column in placed.items() if kept_by(coupling, [column])}
    while placed and not kept_by(coupling, [column for _, column in sorted(placed.items())]):
        del placed[min(placed, key=over)]
    for service in range(len(old.choice)):
        if service not in placed:
            column = search.insert(service, placed, Prices({MOVES: 1.0}))
            if column is None:
                return None
            placed[service] = column
    return placement_of([column for _, column in sorted(placed.items())])


def _by_columns(compiled: Compiled, countdown: Countdown, deployed: Deployed | None) -> Placement | None:
    """A placement found by column generation; None when it is not decided.

    Raises:
        InfeasibleError: there is none (proven).
    """
    kept = (None, None) if deployed is None else (deployed.placement, deployed.most)
    coupling = Coupling(compiled, NOTHING, *kept)
    rounds = Rounds(coupling, Sites.of(coupling), 0.0, Limits(gap=ANY), countdown, None)
    if deployed is not None:
        rounds.offer(deployed.placement)
    rounds.mixed()
    if not rounds.good:
        rounds.first()
        rounds.run()
    if rounds.state.infeasible and not rounds.search.best:
        raise InfeasibleError("no placement satisfies the instance (proven)")
    if not rounds.search.best:
        return None
    best = rounds.search.best
    found = Placement(tuple(column.choice for column in best), tuple(column.stations for column in best))
    return found if keeps(compiled, found, deployed) else None


def _by_ilp(compiled: Compiled, countdown: Countdown, deployed: Deployed | None) -> Placement | None:
    """A placement found by the ILP; None when there is none (proven).

    Raises:
        UnansweredError: it is not decided within the time.
    """
    try:
        formulation = build(compiled, countdown)
        add_goal_limits(formulation)
        if deployed is not None:
            limit_moves(formulation, deployed.placement, deployed.most)
        formulation.model.objective = pyo.Objective(expr=0.0)
        found = solve(formulation, Limits(seconds=countdown.left), countdown)
    except InfeasibleError:
        return None
    if found.placement is not None and found.exact:
        if keeps(compiled, found.placement, deployed):
            return found.placement
        raise UnansweredError("internal error: the solver's placement fails the evaluator")
    result = found.result
    if result.status == "infeasible":
        return None
    if countdown.over:
        raise TimeIsUpError("whether there is a plan was not decided within the time limit")
    raise UnansweredError(f"a feasibility problem was not decided within the limits ({result.status})")
