"""What people do without a model of loss: deal layers out, fill memory, take the lowest latency or load."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from placer.errors import InfeasibleError, UnansweredError
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from placer.plan.plan import Certificate
from placer.planning.ilp.formulation import build, forbid_splitting
from placer.planning.ilp.goals import add_goal_limits, add_objective
from placer.planning.ilp.planner import plan as plan_ilp
from placer.planning.loss.problem import LOSS, Problem
from placer.planning.loss.search.annealing import Energies, Settings, analytic_energies, anneal, simulated_energies
from placer.planning.loss.search.neighbours import Assigned, as_placement
from placer.planning.loss.search.search import Search
from placer.planning.outcome import Outcome
from placer.planning.request import Options
from placer.planning.stating import Claim, stated
from placer.solver.highs import Solver
from placer.solver.progress import Limits, Listener

TRIES = 2_000

EVENTS_PER_LAYER = 600
"""A simulation must last until the queues of a large network are full, or annealing exploits that they are not."""


def round_robin(compiled: Compiled, options: Options, listener: Listener | None = None) -> Outcome:
    """Deal the layers out in turn, service by service; a device without memory for a layer is passed over.

    Whoever deals layers out does not compute loads: limits on utilisation are not looked at, and may be broken. Where
    a layer finds no device, the dealing starts anew one device later.
    """
    stations = len(compiled.stations)
    problem = Problem(replace(compiled, max_utilisation=np.full(stations, np.inf)))
    for first in range(stations):
        turn = first

        def order(usable: list[int]) -> Iterator[int]:
            nonlocal turn
            for station in [(turn + step) % stations for step in range(stations)]:
                if station in usable:
                    turn = station + 1
                    yield station

        placement = _filled(problem, order)
        if placement is not None:
            break
    return _given(compiled, options, placement, "round-robin")


def random_placement(compiled: Compiled, options: Options, listener: Listener | None = None) -> Outcome:
    """Each layer on a random device with room."""
    problem, rng = Problem(compiled), np.random.default_rng(options.limits.seed)

    def order(usable: list[int]) -> Iterator[int]:
        yield from rng.permutation(usable).tolist()

    for _ in range(TRIES):
        placement = _filled(problem, order)
        if placement is not None:
            return _given(compiled, options, placement, "random")
    return _given(compiled, options, None, "random")


def greedy_memory(compiled: Compiled, options: Options, listener: Listener | None = None) -> Outcome:
    """Each layer on the device with the most memory left."""
    problem = Problem(compiled)
    assigned: Assigned = {}

    def order(usable: list[int]) -> Iterator[int]:
        room = problem.resources.room(as_placement(assigned)).memory
        yield from sorted(usable, key=lambda station: -room[compiled.station_device[station]])

    return _given(compiled, options, _filled(problem, order, assigned), "greedy-memory")


def _filled(
    problem: Problem, order: Callable[[list[int]], Iterator[int]], assigned: Assigned | None = None
) -> Placement | None:
    """Place layer by layer on the first station of ``order`` where everything so far fits."""
    assigned = {} if assigned is None else assigned
    for service, group in enumerate(problem.groups):
        domain = problem.domains[group[0]]
        placed: tuple[int, ...] = ()
        for layer in range(len(domain.variant)):
            for station in order(domain.stations(layer)):
                trial = {**assigned, service: (group[0], (*placed, station))}
                if problem.resources.overdrawn(as_placement(trial)) == 0.0:
                    assigned[service] = trial[service]
                    placed = (*placed, station)
                    break
            else:
                return None
    return as_placement(assigned)


def min_latency(compiled: Compiled, options: Options, listener: Listener | None = None) -> Outcome:
    """The latency ILP, blind to loss."""
    return _ilp(compiled, options, "latency", listener)


def min_max_utilisation(compiled: Compiled, options: Options, listener: Listener | None = None) -> Outcome:
    """The ILP of the smallest bottleneck load: the linear proxy for loss."""
    return _ilp(compiled, options, "throughput", listener)


def _ilp(compiled: Compiled, options: Options, objective: str, listener: Listener | None) -> Outcome:
    found = plan_ilp(compiled, replace(options, objectives=(objective,), method="ilp"), listener)
    name = {"latency": "min-latency", "throughput": "min-max-utilisation"}[objective]
    certificate = found.plan.certificate
    return replace(
        found, plan=found.plan.model_copy(update={"certificate": certificate.model_copy(update={"method": name})})
    )


def annealing(compiled: Compiled, options: Options, listener: Listener | None = None) -> Outcome:
    """Simulated annealing with the analytic evaluator."""
    return _annealed(compiled, options, analytic_energies, Settings(), "annealing")


def annealing_simulation(compiled: Compiled, options: Options, listener: Listener | None = None) -> Outcome:
    """Simulated annealing with short simulations."""
    settings = Settings(chains=1)
    seed = options.limits.seed

    def energies(problem: Problem) -> Energies:
        layers = sum(len(problem.compiled.variants[group[0]]) for group in problem.groups)
        return simulated_energies(problem, max(settings.events, EVENTS_PER_LAYER * layers), seed)

    return _annealed(compiled, options, energies, settings, "annealing-simulation")


def _annealed(
    compiled: Compiled, options: Options, energies: Callable[[Problem], Energies], settings: Settings, name: str
) -> Outcome:
    begin = time.monotonic()
    objectives = options.objectives or compiled.instance.file.objective
    problem = Problem(compiled, objectives[0])
    search = Search(problem, options.limits.seed)
    starts = [search.construct(noise=0.0 if chain == 0 else 0.5) for chain in range(settings.chains)]
    feasible = [as_placement(start) for start in starts if start is not None]
    if not feasible:
        return _given(compiled, options, None, name)
    found = anneal(problem, feasible, energies(problem), options.limits.seconds, options.limits.seed, settings)
    return _given(compiled, options, found.placement, name, time.monotonic() - begin)


def loss_baselines(compiled: Compiled, options: Options) -> dict[str, Outcome | None]:
    """What stands beside a plan for little loss: layers dealt out in turn, and the plan of least latency.

    None where such a placement was not found; the ILP gets a sixth of the time.
    """
    limits = replace(options.limits, seconds=min(options.limits.seconds / 6, 20.0), nodes=None)
    asked = Options(objectives=(LOSS,), limits=limits)
    result: dict[str, Outcome | None] = {}
    for title, baseline in (("round robin", round_robin), ("least latency (ILP)", min_latency)):
        try:
            result[title] = baseline(compiled, asked, None)
        except (InfeasibleError, UnansweredError):
            result[title] = None
    return result


def _given(
    compiled: Compiled, options: Options, placement: Placement | None, method: str, seconds: float = 0.0
) -> Outcome:
    """A plan of a placement about which nothing is proven."""
    if placement is None:
        raise UnansweredError(f"{method} found no placement that fits; --method ilp decides whether one exists")
    names = options.objectives or compiled.instance.file.objective
    certificate = Certificate(
        method=method, termination="heuristic", objectives=(), seconds=seconds, seed=options.limits.seed
    )
    return stated(compiled, placement, certificate, map(Claim, names), options.path)


def best_whole(compiled: Compiled, objective: str, limits: Limits) -> Outcome | None:
    """The single-node baseline: every service on one node of its own choice; None when nothing fits.

    Limits on layers per device are left out, so that the comparison says what splitting costs.
    """
    formulation = build(compiled, lambda kind, subject: kind not in ("layers", "deadline"))
    try:
        add_goal_limits(formulation)
        forbid_splitting(formulation)
        add_objective(formulation, objective)
        result = Solver.of(formulation.model).solve(limits)
    except InfeasibleError:
        return None
    if not result.has_incumbent:
        return None
    placement = formulation.placement(result.values)
    return _baseline(compiled, placement, "single-node")


def all_in_the_cloud(compiled: Compiled, objective: str) -> Outcome | None:
    """Everything on the best device of the cloud tier; None without one."""
    best: Outcome | None = None
    for station, place in enumerate(compiled.stations):
        device = compiled.instance.devices[place.device]
        if (device.tier or compiled.instance.device_type(device).tier) != "cloud":
            continue
        choice = tuple(group[0] for group in compiled.service_variants)
        stations = tuple((station,) * len(compiled.variants[index]) for index in choice)
        outcome = _baseline(compiled, Placement(choice, stations), "cloud")
        if best is None or outcome.evaluation.costs[objective] < best.evaluation.costs[objective]:
            best = outcome
    return best


def _baseline(compiled: Compiled, placement: Placement, method: str) -> Outcome:
    certificate = Certificate(method=method, termination="given", objectives=(), seconds=0.0, seed=0)
    return stated(compiled, placement, certificate, ())
