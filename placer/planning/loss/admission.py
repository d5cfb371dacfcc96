"""Rate limits at the sources, chosen for a placement: work on a request that is dropped later is wasted.

Each service may get a token bucket of one token; the part of its requests that is let in is found by coordinate
descent with the analytic evaluator, a grid of parts at a time. No limit is the first candidate, so by that evaluator
the result never loses more than without; the simulation confirms it (:mod:`placer.planning.loss.selection`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from placer.plan.placement import Placement
from placer.planning.loss.problem import Problem, spacing_of_part
from placer.planning.loss.scoring import Score, Scorer
from placer.queueing.network import Process
from placer.solver.countdown import Countdown

LEAST = 0.02
"""No service is shut out: at least this part of its requests is let in."""

ROUNDS = 4
STEPS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0)
FINE = (0.9, 0.95, 0.98, 1.02, 1.05, 1.1)
GAIN = 1e-5
"""A smaller gain in the loss ratio is none."""


def limitable(problem: Problem) -> list[int]:
    """Services whose arrivals are Poisson: for others no limit is planned."""
    return [s for s in problem.served if problem.builder.arrivals[s].process == Process.POISSON]


def choose_limits(
    problem: Problem,
    placement: Placement,
    countdown: Countdown | None = None,
    planned: dict[int, float] | None = None,
) -> tuple[dict[int, float], Score]:
    """Return the best rate limits found for a placement (least spacing in s by service), and its score with them.

    Args:
        problem: the problem; its own limits are where the search starts.
        placement: which station runs each layer.
        countdown: when to stop with what there is; None for never.
        planned: parts by service to try first, as a fluid model plans them.
    """
    parts = dict.fromkeys(limitable(problem), 1.0)
    best = _scores(problem, placement, [parts])[0]
    if planned is not None:
        trial = {s: float(np.clip(planned.get(s, 1.0), LEAST, 1.0)) for s in parts}
        score = _scores(problem, placement, [trial])[0]
        if score.key < best.key:
            parts, best = trial, score
    for round_number in range(ROUNDS):
        before = best.objective
        order = sorted(parts, key=lambda s: -problem.compiled.rate[s])
        for service in order:
            if countdown is not None and countdown.over:
                break
            values = STEPS if round_number == 0 else tuple(parts[service] * factor for factor in FINE)
            fresh = dict.fromkeys(float(np.clip(v, LEAST, 1.0)) for v in values if v != parts[service])
            trials = [{**parts, service: value} for value in fresh]
            for trial, score in zip(trials, _scores(problem, placement, trials), strict=True):
                if score.key[:2] < (best.key[0], best.key[1] - GAIN):
                    parts, best = trial, score
        if before - best.objective < GAIN:
            break
    return spacing_of_parts(problem, parts), best


def spacing_of_parts(problem: Problem, parts: dict[int, float]) -> dict[int, float]:
    """Gaps in s of the services that are limited at all."""
    return {s: spacing_of_part(float(problem.compiled.rate[s]), part) for s, part in parts.items() if part < 1.0}


def _scores(problem: Problem, placement: Placement, parts: list[dict[int, float]]) -> list[Score]:
    limits = [spacing_of_parts(problem, own) for own in parts]
    scores = Scorer(problem).score([placement] * len(parts), exact=True, limits=limits)
    return [replace(score, memory=(), blocks=()) for score in scores]
