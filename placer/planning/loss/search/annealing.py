"""Simulated annealing over single moves: what the literature does, with the analytic evaluator or with simulation.

Several chains of states run side by side, so that the analytic evaluator scores a batch; the simulation takes them one
by one. The temperature falls geometrically over the time given. The settings below were the best of a grid (chains 1,
4, 16; first temperature .03, .1, .3 of the first loss; last .001, .01 of the first; events 3,000, 10,000, 30,000) on
four instances that are not in the bench.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from placer.instance.compiled import Floats
from placer.plan.placement import Placement
from placer.planning.loss.problem import Problem
from placer.planning.loss.scoring import Score, Scorer
from placer.planning.loss.search.neighbours import Assigned, as_assigned, as_placement, random_move
from placer.planning.request import Request
from placer.queueing.network import QueueNetwork
from placer.simulation.quick import evaluate_chains, is_plain
from placer.simulation.runner import simulate
from placer.solver.countdown import Countdown

Rng = np.random.Generator


@dataclass(frozen=True)
class Settings:
    """How to anneal.

    Attributes:
        chains: states side by side.
        hot, cold: first and last temperature, as a share of the first value.
        events: arrivals and ends of tasks in a simulation.
    """

    chains: int = 16
    hot: float = 0.1
    cold: float = 0.001
    events: int = 10_000


Energies = Callable[[list[Placement], Sequence[int]], list[float]]
"""Values of placements, each proposed by the chain of that number."""


@dataclass(frozen=True)
class AnnealingResult:
    """The best state: the placement, its value by the evaluator that annealed, how many were evaluated, by what end."""

    placement: Placement
    value: float
    evaluations: int
    interrupted: bool = False


def anneal(
    problem: Problem,
    starts: list[Placement],
    energies: Energies,
    request: Request,
    settings: Settings,
    countdown: Countdown | None = None,
) -> AnnealingResult:
    """Anneal from feasible placements until the time is up, or as many placements were evaluated as asked for.

    Args:
        problem: the problem; limits on resources are never broken.
        starts: one state per chain.
        energies: the evaluator.
        request: wall time, evaluations at most (then the temperature falls with them) and the seed.
        settings: how to anneal; ``chains`` is the number of starts here.
        countdown: of the request's time limit, where it has begun before.
    """
    rng = np.random.default_rng(request.limits.seed)
    most = request.evaluations
    countdown = countdown or request.limits.start()
    begin, whole = countdown.spent, max(countdown.left, 1e-9)
    states: list[Assigned] = [as_assigned(problem, start) for start in starts]
    values = energies(starts, range(len(starts)))
    at = int(np.argmin(values))
    best, best_value, evaluations = starts[at], values[at], len(starts)
    scale = max(best_value, 1e-3)
    interrupted = False
    try:
        while (spent := (countdown.spent - begin) / whole) < 1.0 and (most is None or evaluations < most):
            part = spent if most is None else evaluations / most
            temperature = scale * settings.hot * (settings.cold / settings.hot) ** part
            proposals: list[Placement] = []
            owners: list[int] = []
            for chain, state in enumerate(states):
                trial = _feasible_move(problem, state, rng)
                if trial is not None:
                    proposals.append(trial)
                    owners.append(chain)
            if not proposals:
                continue
            evaluations += len(proposals)
            for placement, chain, value in zip(proposals, owners, energies(proposals, owners), strict=True):
                if value <= values[chain] or rng.random() < math.exp((values[chain] - value) / temperature):
                    states[chain], values[chain] = as_assigned(problem, placement), value
                if value < best_value:
                    best, best_value = placement, value
    except KeyboardInterrupt:
        interrupted = True
    return AnnealingResult(best, best_value, evaluations, interrupted)


def _feasible_move(problem: Problem, state: Assigned, rng: Rng) -> Placement | None:
    for _ in range(50):
        trial = random_move(problem, state, rng)
        if trial is not None:
            placement = as_placement(trial)
            if problem.resources.overdrawn(placement) == 0.0:
                return placement
    return None


def _penalised(loss: Floats, objective: float, problem: Problem) -> float:
    return objective + 10.0 * float(np.maximum(loss - problem.max_loss, 0.0).sum())


def analytic_energies(problem: Problem) -> Energies:
    """Values by the analytic evaluator, each batch starting from the scores of the chains' last proposals."""
    scorer = Scorer(problem)
    last: dict[int, Score] = {}

    def values(placements: list[Placement], owners: Sequence[int]) -> list[float]:
        known = [last[owner] for owner in owners] if all(owner in last for owner in owners) else None
        scores = scorer.score(placements, known)
        last.update(zip(owners, scores, strict=True))
        return [_penalised(score.loss, score.objective, problem) for score in scores]

    return values


def simulated_energies(problem: Problem, events: int, seed: int) -> Energies:
    """Values by one short simulation each, all with the same random numbers."""

    def values(placements: list[Placement], owners: Sequence[int]) -> list[float]:
        return [_simulated(problem, placement, events, seed) for placement in placements]

    return values


def _simulated(problem: Problem, placement: Placement, events: int, seed: int) -> float:
    network: QueueNetwork = problem.builder.network(placement, problem.arrivals(problem.scenarios[0]))
    if is_plain(network):
        ratio = next(iter(evaluate_chains([network], events=events, seed=seed))).throughput_ratio
    else:
        jobs = max(events // 4, 100)
        ratio = 1.0 - simulate(network, jobs=jobs, replications=1, seed=seed).classes.loss_ratio.mean
    loss = 1.0 - np.nan_to_num(ratio, nan=1.0)
    weight = problem.weights * problem.rates
    total = float(weight @ loss / weight.sum())
    objective = total if problem.objective == "loss" else problem.deterministic(placement, problem.objective)
    return _penalised(loss, objective, problem)
