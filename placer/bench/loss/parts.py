"""What ``placer bench loss`` measures, part by part; each part yields rows."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from placer.bench.loss.instances import Spec, generate
from placer.errors import PlacerError
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from placer.planning.baselines import (
    annealing,
    annealing_simulation,
    greedy_memory,
    min_latency,
    min_max_utilisation,
    random_placement,
    round_robin,
)
from placer.planning.loss.bounds.fluid import fluid_bound
from placer.planning.loss.enumeration import count, enumerate_all
from placer.planning.loss.planner import plan_loss
from placer.planning.loss.problem import LOSS, Problem
from placer.planning.loss.scoring import Scorer
from placer.planning.loss.search.search import Budget, Search
from placer.planning.loss.selection import Selection, select
from placer.planning.outcome import Outcome
from placer.planning.request import Request
from placer.solver.progress import Limits, Progress

SUITE = "loss"
Row = dict[str, Any]
Planner = Callable[..., Outcome]

JUDGE_SEED = 20_241_124
"""Seed of the simulations that judge: no planner has seen it."""

JUDGE_JOBS = 200_000
LOSS_LIMIT = 100_000
"""Largest number of placements that is enumerated."""

MAIN = [Spec(seed, *size) for size in ((5, 4, (2, 6)), (20, 8, (2, 8)), (80, 12, (2, 12))) for seed in range(101, 105)]
"""The instances of the comparison: 5, 20 and 80 devices."""

METHODS: dict[str, Planner] = {
    "loss": plan_loss,
    "annealing": annealing,
    "annealing-simulation": annealing_simulation,
    "min-max-utilisation": min_max_utilisation,
    "min-latency": min_latency,
    "round-robin": round_robin,
    "greedy-memory": greedy_memory,
    "random": random_placement,
}


def judged(problem: Problem, placement: Placement, gaps: dict[int, float] | None = None) -> Selection:
    """Simulate a placement with fresh seeds."""
    return select(problem, [placement], None, JUDGE_SEED, limits=[gaps or {}], jobs=JUDGE_JOBS)


def small_specs() -> Iterator[Spec]:
    """Specifications of instances that can be enumerated, 120 of them."""
    shapes = ((3, 2, (2, 3)), (3, 3, (2, 2)), (4, 2, (2, 3)), (4, 3, (2, 2)), (5, 2, (2, 3)), (6, 2, (2, 2)))
    for seed in range(20):
        for shape in shapes:
            yield Spec(seed, *shape)


def enumeration_rows(limit: int | None) -> Iterator[Row]:
    """The search, with enumeration switched off, against the optimum under the same evaluator."""
    for number, spec in enumerate(small_specs()):
        if limit is not None and number >= limit:
            return
        problem = Problem(generate(spec))
        placements = count(problem)
        if placements > LOSS_LIMIT:
            continue
        best = enumerate_all(problem)
        if best is None:
            continue
        begin = time.perf_counter()
        found = Search(problem, 0).run(Budget(seconds=30.0, stale=12))
        exact = min(score.key for score in Scorer(problem).score([c.placement for c in found.elite], exact=True))
        seconds = time.perf_counter() - begin
        optimum = best.score.key
        yield {
            "suite": SUITE,
            "part": "enumeration",
            "instance": spec.name,
            "method": "loss",
            "status": "equal" if exact[1] <= optimum[1] + 1e-9 else "worse",
            "objective": exact[1],
            "bound": optimum[1],
            "gap": exact[1] - optimum[1],
            "relative": (exact[1] - optimum[1]) / max(optimum[1], 1e-9),
            "placements": placements,
            "seconds": seconds,
        }


def comparison_rows(seconds: float, limit: int | None, methods: tuple[str, ...] | None) -> Iterator[Row]:
    """All planners at equal wall time on the same instances, judged by simulation with fresh seeds."""
    _start_up()
    specs = MAIN if limit is None else [spec for k in range(3) for spec in MAIN[4 * k : 4 * k + limit]]
    for spec in specs:
        compiled = generate(spec)
        problem = Problem(compiled, LOSS)
        fluid = fluid_bound(compiled, Limits(seconds=min(seconds, 20.0)))
        for method in methods or tuple(METHODS):
            yield _planned(spec, compiled, problem, method, seconds, fluid.value)


def _planned(spec: Spec, compiled: Compiled, problem: Problem, method: str, seconds: float, fluid: float) -> Row:
    options = Request(objectives=(LOSS,), limits=Limits(seconds=seconds))
    row: Row = {"suite": SUITE, "part": "comparison", "instance": spec.name, "method": method, "limit": seconds}
    begin = time.perf_counter()
    try:
        found = METHODS[method](compiled, options)
    except PlacerError as error:
        return {**row, "status": f"none: {error.message}", "seconds": time.perf_counter() - begin}
    spent = time.perf_counter() - begin
    promise = Scorer(problem).score([found.placement], exact=True)[0].total
    seen = judged(problem, found.placement)
    acceptance = [bound.value for bound in found.plan.certificate.bounds if bound.name == "acceptance"]
    return {
        **row,
        "status": found.plan.certificate.termination,
        "objective": promise,
        "bound": fluid,
        "gap": promise - fluid,
        "acceptance_bound": acceptance[0] if acceptance else None,
        "admission_gain": found.plan.certificate.admission_gain,
        "simulated": seen.value,
        "half_width": seen.half_width,
        "devices": spec.devices,
        "seconds": spent,
        "promise_kept": kept(promise, seen.value),
    }


def kept(promise: float, simulated: float) -> bool:
    """Whether an analytic loss is within 10 % or .005 of the simulated one."""
    return abs(promise - simulated) <= max(0.1 * simulated, 0.005)


def admission_rows(seconds: float, limit: int | None) -> Iterator[Row]:
    """Rate limits at the source on overloaded instances: the planned placement with and without them, simulated.

    Both with the same random numbers; a second plan, made without them, stands beside.
    """
    _start_up()
    for spec in MAIN[: limit or len(MAIN)]:
        compiled = generate(spec)
        if fluid_bound(compiled, Limits(seconds=5.0)).value <= 1e-6:
            continue
        problem = Problem(compiled, LOSS)
        options = Request(objectives=(LOSS,), limits=Limits(seconds=seconds))
        without = plan_loss(compiled, options)
        limited = plan_loss(compiled, replace(options, admission=True))
        services = {service.name: index for index, service in enumerate(compiled.instance.services)}
        gaps = {services[s.service]: s.min_gap for s in limited.plan.services if s.min_gap is not None}
        plain, better = judged(problem, limited.placement), judged(problem, limited.placement, gaps)
        apart = judged(problem, without.placement)
        yield {
            "suite": SUITE,
            "part": "admission",
            "instance": spec.name,
            "method": "loss+admission",
            "status": "ok" if better.value <= plain.value else "worse",
            "objective": limited.plan.certificate.objectives[0].value,
            "bound": limited.plan.certificate.objectives[0].bound,
            "simulated": better.value,
            "simulated_without": plain.value,
            "simulated_plan_without": apart.value,
            "half_width": better.half_width,
            "limited_services": len(gaps),
            "seconds": limited.plan.certificate.seconds,
        }


def scale_rows(seconds: float) -> Iterator[Row]:
    """80 devices × 12 chains × 12 fragments: first feasible placement, improvements, memory."""
    _start_up()
    for seed in (1, 2):
        spec = Spec(seed, 80, 12, (12, 12))
        compiled = generate(spec)
        seen: list[Progress] = []
        begin = time.perf_counter()
        problem = Problem(compiled, LOSS)
        search = Search(problem, 0, seen.append)
        found = search.run(Budget(seconds, stale=None))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if sys.platform != "darwin" else 1)
        yield {
            "suite": SUITE,
            "part": "scale",
            "instance": spec.name,
            "method": "loss",
            "status": found.ended,
            "objective": found.elite[0].score.total,
            "first": seen[0].incumbent,
            "first_seconds": seen[0].seconds,
            "improvements": len(seen),
            "last_improvement": seen[-1].seconds,
            "peak_bytes": peak,
            "seconds": time.perf_counter() - begin,
        }


def _start_up() -> None:
    """Compile and import what the first run would, so that it does not count."""
    compiled = generate(Spec(0, 3, 2, (2, 2)))
    problem = Problem(compiled, LOSS)
    found = Search(problem, 0).run(Budget(seconds=5.0, rounds=1))
    judged(problem, found.elite[0].placement)
    fluid_bound(compiled, Limits(seconds=1.0))
    annealing_simulation(compiled, Request(objectives=(LOSS,), limits=Limits(seconds=0.2)))
    np.random.default_rng(0)
