"""What people do without a model of loss: take the lowest latency or load, deal layers out, anneal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from placer.errors import UnansweredError
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from placer.plan.plan import Certificate
from placer.planning.domains import choices_of
from placer.planning.loss.problem import Problem
from placer.planning.loss.search.annealing import Energies, Settings, analytic_energies, anneal, simulated_energies
from placer.planning.loss.search.neighbours import Assigned, as_placement
from placer.planning.loss.search.search import Search
from placer.planning.outcome import Outcome
from placer.planning.request import Request
from placer.planning.resources import Resources
from placer.planning.stating import Claim, stated
from placer.solver.countdown import Countdown
from placer.solver.progress import Listener

TRIES = 2_000

EVENTS_PER_LAYER = 600
"""A simulation must last until the queues of a large network are full, or annealing exploits that they are not."""


def round_robin(compiled: Compiled, request: Request, listener: Listener | None = None) -> Outcome:
    """Deal the layers out in turn, service by service; a device without memory for a layer is passed over.

    Whoever deals layers out does not compute loads: limits on utilisation are not looked at, and may be broken. Where
    a layer finds no device, the dealing starts anew one device later.
    """
    stations = len(compiled.stations)
    countdown = request.limits.start()
    dealer = _Dealer(replace(compiled, max_work=np.full(stations, np.inf)), countdown)
    for first in range(stations):
        turn = first

        def order(usable: list[int]) -> Iterator[int]:
            nonlocal turn
            for station in [(turn + step) % stations for step in range(stations)]:
                if station in usable:
                    turn = station + 1
                    yield station

        placement = dealer.fill(order)
        if placement is not None:
            break
    return _given(compiled, request, placement, "round-robin")


def random_placement(compiled: Compiled, request: Request, listener: Listener | None = None) -> Outcome:
    """Each layer on a random device with room."""
    dealer, rng = _Dealer(compiled, request.limits.start()), np.random.default_rng(request.limits.seed)

    def order(usable: list[int]) -> Iterator[int]:
        yield from rng.permutation(usable).tolist()

    for _ in range(TRIES):
        placement = dealer.fill(order)
        if placement is not None:
            return _given(compiled, request, placement, "random")
    return _given(compiled, request, None, "random")


def greedy_memory(compiled: Compiled, request: Request, listener: Listener | None = None) -> Outcome:
    """Each layer on the device with the most memory left."""
    dealer = _Dealer(compiled, request.limits.start())
    assigned: Assigned = {}

    def order(usable: list[int]) -> Iterator[int]:
        room = dealer.resources.room(as_placement(assigned)).memory
        yield from sorted(usable, key=lambda station: -room[compiled.station_device[station]])

    return _given(compiled, request, dealer.fill(order, assigned), "greedy-memory")


class _Dealer:
    """Places layer by layer: each service's first alternative that has a place for every layer.

    Raises:
        TimeIsUpError: on the way, when the countdown is over.
    """

    def __init__(self, compiled: Compiled, countdown: Countdown) -> None:
        self.countdown = countdown
        self.choices, self.resources = choices_of(compiled), Resources(compiled)

    def fill(self, order: Callable[[list[int]], Iterator[int]], assigned: Assigned | None = None) -> Placement | None:
        """Take for each layer the first station of ``order`` where everything so far fits; None where none does."""
        assigned = {} if assigned is None else assigned
        for service, group in enumerate(self.choices.groups):
            domain = self.choices.domains[group[0]]
            placed: tuple[int, ...] = ()
            for layer in range(len(domain.variant)):
                self.countdown.check("before a placement was found")
                for station in order(domain.stations(layer)):
                    trial = {**assigned, service: (group[0], (*placed, station))}
                    if self.resources.overdrawn(as_placement(trial)) == 0.0:
                        assigned[service] = trial[service]
                        placed = (*placed, station)
                        break
                else:
                    return None
        return as_placement(assigned)


def min_latency(compiled: Compiled, request: Request, listener: Listener | None = None) -> Outcome:
    """The latency ILP, blind to loss."""
    return _blind(compiled, request, "latency", listener)


def min_max_utilisation(compiled: Compiled, request: Request, listener: Listener | None = None) -> Outcome:
    """The ILP of the smallest bottleneck load: the linear proxy for loss."""
    return _blind(compiled, request, "throughput", listener)


def _blind(compiled: Compiled, request: Request, objective: str, listener: Listener | None) -> Outcome:
    """The ILP's plan for one objective, with the values of those asked for; only its own has a bound."""
    from placer.planning.ilp.planner import plan as plan_ilp

    found = plan_ilp(compiled, replace(request, objectives=(objective,), method="ilp"), listener)
    stated = found.plan.certificate
    (own,) = stated.objectives
    given = _given(compiled, request, found.placement, request.method, stated.seconds)
    results = tuple(own if result.name == objective else result for result in given.plan.certificate.objectives)
    certificate = stated.model_copy(update={"method": request.method, "objectives": results})
    return replace(given, plan=given.plan.model_copy(update={"certificate": certificate}))


def annealing(compiled: Compiled, request: Request, listener: Listener | None = None) -> Outcome:
    """Simulated annealing with the analytic evaluator."""
    return _annealed(compiled, request, analytic_energies, Settings(), "annealing")


def annealing_simulation(compiled: Compiled, request: Request, listener: Listener | None = None) -> Outcome:
    """Simulated annealing with short simulations."""
    settings = Settings(chains=1)
    seed = request.limits.seed

    def energies(problem: Problem) -> Energies:
        layers = sum(len(problem.compiled.variants[group[0]]) for group in problem.groups)
        return simulated_energies(problem, max(settings.events, EVENTS_PER_LAYER * layers), seed)

    return _annealed(compiled, request, energies, settings, "annealing-simulation")


def _annealed(
    compiled: Compiled, request: Request, energies: Callable[[Problem], Energies], settings: Settings, name: str
) -> Outcome:
    countdown = request.limits.start()
    problem = Problem(compiled)
    search = Search(problem, request.limits.seed, now=countdown.now)
    search.end_by(countdown)
    starts = [search.construct(noise=0.0 if chain == 0 else 0.5) for chain in range(settings.chains)]
    feasible = [as_placement(start) for start in starts if start is not None]
    if not feasible:
        countdown.check(f"{name} before it found a placement")
        return _given(compiled, request, None, name)
    found = anneal(problem, feasible, energies(problem), request, settings, countdown)
    return _given(compiled, request, found.placement, name, countdown.spent, found.interrupted)


def _given(
    compiled: Compiled,
    request: Request,
    placement: Placement | None,
    method: str,
    seconds: float = 0.0,
    interrupted: bool = False,
) -> Outcome:
    """A plan of a placement about which nothing is proven."""
    if placement is None:
        raise UnansweredError(f"{method} found no placement that fits; --method ilp decides whether one exists")
    names = request.objectives or tuple(compiled.instance.file.objective)
    certificate = Certificate(
        method=method,
        termination="interrupted" if interrupted else "heuristic",
        objectives=(),
        seconds=seconds,
        seed=request.limits.seed,
    )
    return stated(compiled, placement, certificate, map(Claim, names), request)
