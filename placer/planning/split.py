"""Neurosurgeon and DADS as planners: every service is split between its source device and one other station.

Each service takes the server (and the compute unit of its source) that serves it best when it is alone; where that
breaks a limit, services are moved to single splits in turn until the evaluator finds none broken. Nothing is proven
about the whole: the plan is heuristic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from placer.errors import InfeasibleError, UnansweredError
from placer.evaluation.evaluate import evaluate_placement
from placer.evaluation.evaluation import Evaluation
from placer.instance.compiled import Compiled
from placer.instance.topology import Routes
from placer.plan.placement import Placement
from placer.plan.plan import Certificate
from placer.planning.domains import Domain, accurate_enough, domain_of
from placer.planning.outcome import Outcome
from placer.planning.request import Request
from placer.planning.stating import Claim, stated
from placer.solver.countdown import Countdown
from placer.solver.progress import Limits, Listener
from placer.splitting.bottleneck import best_bottleneck
from placer.splitting.costs import Cut, Plane, SplitCosts, Way, stages
from placer.splitting.dads import decide
from placer.splitting.neurosurgeon import best_split, best_throughput_split, single_splits
from placer.splitting.pricing import crossing_chance

Floats = NDArray[np.float64]

_MOST_CANDIDATES = 60
_ROUNDS = 4


@dataclass(frozen=True)
class _Candidate:
    """One way to run a service: what it costs alone, its variant and its stations."""

    cost: float
    choice: int
    stations: tuple[int, ...]


def neurosurgeon(compiled: Compiled, request: Request | None = None, listener: Listener | None = None) -> Outcome:
    """Plan by the best single split of every service.

    Raises:
        UnansweredError: when no feasible placement was found.
    """
    return _plan(compiled, request or Request(), "neurosurgeon")


def dads(compiled: Compiled, request: Request | None = None, listener: Listener | None = None) -> Outcome:
    """Plan by the minimum cut of every service, or its smallest bottleneck where its arrivals make the load heavy.

    Raises:
        UnansweredError: when no feasible placement was found.
    """
    return _plan(compiled, request or Request(), "dads")


def _plan(compiled: Compiled, request: Request, method: str) -> Outcome:
    countdown = request.limits.start()
    objectives = request.objectives or tuple(compiled.instance.file.objective)
    groups = [
        list(_best_of(compiled, service, objectives[0], method, request.limits, countdown))
        for service in _services(compiled)
    ]
    for service, group in zip(compiled.instance.services, groups, strict=True):
        if not group:
            raise UnansweredError(
                f"service '{service.name}' cannot be split between its source and one other station",
                tip="--method ilp looks at all placements",
            )
        group.sort(key=lambda candidate: candidate.cost)
    placement = _repair(compiled, groups, objectives[0], countdown)
    certificate = Certificate(
        method=method,
        termination="heuristic",
        objectives=(),
        seconds=countdown.spent,
        seed=request.limits.seed,
        options={"time_limit": request.limits.seconds},
    )
    return stated(compiled, placement, certificate, map(Claim, objectives), request)


def _services(compiled: Compiled) -> range:
    return range(len(compiled.service_variants))


def _best_of(
    compiled: Compiled, service: int, objective: str, method: str, limits: Limits, countdown: Countdown
) -> Iterator[_Candidate]:
    """Yield candidates of a service over its variants, units of the source and servers.

    Raises:
        TimeIsUpError: the countdown ended before the last one: what is best is not known.
    """
    for choice in compiled.service_variants[service]:
        variant = compiled.variants[choice]
        domain = domain_of(compiled, variant)
        if not domain.possible or not accurate_enough(compiled, variant):
            continue
        source = int(compiled.source[service])
        homes = [s for s, device in enumerate(compiled.station_device) if device == source]
        others = range(len(compiled.stations))
        # without a compute unit at the source any station stands for it: it runs nothing
        for home in homes or [-1]:
            for server in others:
                if server == home:
                    continue
                countdown.check(f"{method} before every split was looked at")
                costs = _costs(compiled, domain, home, server, objective)
                yield from _cuts(
                    costs, choice, home, server, objective, method, compiled.rate[service], limits.within(countdown)
                )


def _cuts(
    costs: SplitCosts,
    choice: int,
    home: int,
    server: int,
    objective: str,
    method: str,
    rate: float,
    limits: Limits,
) -> Iterator[_Candidate]:
    def candidate(cut: Cut) -> _Candidate:
        busy = stages(costs, cut, 1.0, 1.0)
        cost = busy.largest if objective == "throughput" else cut.value(1.0, 1.0)
        return _Candidate(cost, choice, tuple(server if far else home for far in cut.on_server))

    try:
        if objective == "throughput":
            exact = method == "dads"
            cut = best_bottleneck(costs, 1.0, 1.0, limits).cut if exact else best_throughput_split(costs, 1.0, 1.0)[0]
        elif method == "dads":
            cut = decide(costs, 1.0, 1.0, None if math.isnan(rate) else rate, limits=limits).cut
        else:
            cut = best_split(costs, 1.0, 1.0)
    except InfeasibleError:
        return
    best = candidate(cut)
    yield best
    # what the services fall back on where they clash: the single splits, whatever the method
    yield from (other for split in single_splits(costs, 1.0, 1.0) if (other := candidate(split)) != best)


def _costs(compiled: Compiled, domain: Domain, home: int, server: int, objective: str) -> SplitCosts:
    """Costs between two stations of an instance, at x = 1: routes depend on size, so bytes stand for seconds here."""
    variant, at = domain.variant, compiled.station_device
    energy = objective == "energy"
    source, sink = int(compiled.source[variant.service]), int(compiled.sink[variant.service])
    here = source if home < 0 else int(at[home])
    there = int(at[server])
    never = np.full(len(variant), np.inf)

    def spent(figures: Floats) -> list[Floats]:
        usable = domain.usable
        return [
            never if s < 0 else np.where(usable[:, s], variant.run * np.where(usable[:, s], figures[:, s], 0.0), np.inf)
            for s in (home, server)
        ]

    busy = spent(variant.time)
    spend = spent(variant.joules) if energy else busy
    chance = crossing_chance(variant)
    ways = []
    for tensor in [*range(len(variant)), -1]:
        routes = compiled.topology.routes(variant.tensor_size(tensor), compiled.tensor_zone(variant, tensor))
        cost = _way(routes, here, there, energy)
        p = float(chance[tensor])
        seconds = p * _occupied(routes, here, there) if p else 0.0
        ways.append((Way(Plane(p * cost if p else 0.0, 0.0, 0.0), 0.0, seconds, 0.0, ""),))
    results = [compiled.topology.routes(variant.result_size(layer)) for layer in range(len(variant))]
    leave = [float(share) for share in variant.leave]
    return SplitCosts(
        names=variant.layers,
        predecessors=variant.predecessors,
        device=spend[0],
        server=spend[1],
        home=np.array([p * _way(r, here, sink, energy) if p else 0.0 for p, r in zip(leave, results, strict=True)]),
        back=tuple(
            Plane(p * _way(r, there, sink, energy) if p else 0.0, 0.0, 0.0) for p, r in zip(leave, results, strict=True)
        ),
        ways=tuple(ways),
        device_seconds=busy[0],
        server_seconds=busy[1],
        unit="J" if energy else "s",
    )


def _way(routes: Routes, tail: int, head: int, energy: bool) -> float:
    if tail == head:
        return 0.0
    return float(routes.joules[tail, head] if energy else routes.seconds[tail, head])


def _occupied(routes: Routes, tail: int, head: int) -> float:
    """Seconds that a tensor keeps the busiest hop of its route busy: latency is not among them."""
    if tail == head or not np.isfinite(routes.seconds[tail, head]):
        return 0.0 if tail == head else math.inf
    return max(routes.size / routes.arcs[arc].rate for arc in routes.arcs_of(tail, head))


def _repair(compiled: Compiled, groups: list[list[_Candidate]], objective: str, countdown: Countdown) -> Placement:
    """Return the best candidates, moved in turn until no limit is broken.

    Raises:
        UnansweredError: some limits still are, at the end of the moves or of the time.
    """
    chosen = [group[0] for group in groups]
    placement = _placement(chosen)
    evaluation = evaluate_placement(compiled, placement)
    for _ in range(_ROUNDS):
        if evaluation.feasible:
            return placement
        before = _rank(evaluation, objective)
        for service, group in enumerate(groups):
            for other in group[:_MOST_CANDIDATES]:
                if countdown.over:
                    break
                trial = [*chosen[:service], other, *chosen[service + 1 :]]
                moved = evaluate_placement(compiled, _placement(trial))
                if _rank(moved, objective) < _rank(evaluation, objective):
                    chosen, placement, evaluation = trial, _placement(trial), moved
        if _rank(evaluation, objective) == before:
            break
    if evaluation.feasible:
        return placement
    raise UnansweredError(
        f"no feasible placement was found: {evaluation.violations[0].message}",
        tip="--method ilp decides whether one exists",
    )


def _rank(evaluation: Evaluation, objective: str) -> tuple[float, float]:
    """How badly limits are broken, and the objective."""
    return evaluation.excess, evaluation.costs[objective]


def _placement(chosen: Sequence[_Candidate]) -> Placement:
    return Placement(tuple(c.choice for c in chosen), tuple(c.stations for c in chosen))
