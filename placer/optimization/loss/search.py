"""Large-neighbourhood search for placements that lose little.

Three levels of fidelity: services are taken out and put back by a dynamic programme and judged by a quick estimate;
what looks best goes, in batches, to the analytic evaluator; around the best of these the neighbours of one move are
tried, again estimate first. The simulation has the last word (:mod:`placer.optimization.loss.selection`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from placer.instance.compiled import Floats
from placer.optimization.bridge import Progress
from placer.optimization.loss.neighbours import (
    Assigned,
    Rebuilder,
    as_assigned,
    as_placement,
    moves,
    random_move,
    steering,
    swaps,
)
from placer.optimization.loss.problem import LOSS, Problem
from placer.optimization.loss.scoring import Score, Scorer
from placer.placement import Placement

BATCH = 24
"""Placements that the analytic evaluator sees at once."""

ELITE = 8
"""Best placements that are kept for the last word."""

SMALL_NEIGHBOURHOOD = 400
"""Up to so many neighbours are all judged by the analytic evaluator."""

KEPT_NEIGHBOURS = 96
"""Of a larger neighbourhood so many are judged, those best by the estimate."""

POLISHING = 4
"""Steps of one polishing."""

PATIENCE = 6
"""Rounds without a better placement before the search starts from a new one."""


@dataclass(frozen=True)
class Budget:
    """When a search stops.

    Attributes:
        seconds: wall time from its start.
        rounds: rounds of rebuilding and polishing; None for as many as the time allows.
        stale: stop when so many rounds in a row have found nothing better; None never.
    """

    seconds: float = 10.0
    rounds: int | None = None
    stale: int | None = 40


@dataclass(frozen=True, eq=False)
class Candidate:
    """A complete placement with its analytic score."""

    placement: Placement
    score: Score


@dataclass(frozen=True, eq=False)
class Found:
    """What a search ends with.

    Attributes:
        elite: best first, all different.
        rounds: rounds done.
        ended: ``stale``, ``rounds``, ``time`` or ``interrupted``.
        evaluations: placements that the analytic evaluator scored.
    """

    elite: tuple[Candidate, ...]
    rounds: int
    ended: str
    evaluations: int


class Search:
    """One search; see the module's head.

    Attributes:
        problem: the problem.
        scorer: the analytic evaluator in batches.
        elite: best placements so far, best first.
    """

    def __init__(
        self, problem: Problem, seed: int = 0, listener: Callable[[Progress], None] | None = None, bound: float = 0.0
    ) -> None:
        self.problem = problem
        self.rng = np.random.default_rng(seed)
        self.scorer = Scorer(problem)
        self.rebuilder = Rebuilder(problem)
        self.screen = self.rebuilder.screen
        self.elite: list[Candidate] = []
        self.listener, self.bound = listener, bound
        self.begin = time.monotonic()
        self._scored: set[Placement] = set()
        self._guess: Floats | None = None
        layers = sum(len(problem.compiled.variants[group[0]]) for group in problem.groups)
        self._small = layers * len(problem.compiled.stations) <= SMALL_NEIGHBOURHOOD
        self._scale = 1.0
        self._offered = np.nan_to_num(problem.compiled.rate, nan=0.0) * problem.compiled.weight
        self._cost_factor = self._first_factor()

    def _first_factor(self) -> float:
        """Cost per second of latency (or joule) against lost requests per second: a tie-break where loss is all."""
        offered = float(self.problem.weights @ self.problem.rates)
        return 1e-6 * max(offered, 1e-9) if self.problem.objective == LOSS else 1.0

    def construct(self, noise: float = 0.0) -> Assigned | None:
        """A placement from nothing: services by their work, the largest first, each by its dynamic programme."""
        problem = self.problem
        sizes = []
        for service, group in enumerate(problem.groups):
            variant = problem.compiled.variants[group[0]]
            memory = float(variant.weights.sum())
            work = float(np.nan_to_num(problem.compiled.rate[service], nan=0.0)) * float(variant.macs.sum() + 1.0)
            sizes.append((work, memory))
        for by in (0, 1):
            order = np.argsort([-size[by] * math.exp(noise * self.rng.standard_normal()) for size in sizes])
            found = self.rebuilder.rebuild({}, [int(s) for s in order], self.rng, noise, self._factor())
            if found is not None:
                return found
        return None

    def _factor(self) -> float:
        """Weight of the additive cost in an insertion: drawn anew where loss is a limit and not the objective."""
        if self.problem.objective == LOSS:
            return self._cost_factor
        return float(10.0 ** self.rng.uniform(-4.0, 1.5))

    def offer(self, placements: list[Placement], near: Score | None = None) -> Candidate | None:
        """Score placements not seen before and keep the best; returns the best of the new ones."""
        fresh = [p for p in dict.fromkeys(placements) if p not in self._scored]
        self._scored.update(fresh)
        before = self.best_key
        top: Candidate | None = None
        for start in range(0, len(fresh), BATCH):
            some = fresh[start : start + BATCH]
            for candidate in self._candidates(some, None if self._small else near):
                self._keep(candidate)
                if top is None or candidate.score.key < top.score.key:
                    top = candidate
        if self.best_key < before and self.listener is not None:
            best = self.elite[0].score
            self.listener(Progress(time.monotonic() - self.begin, best.objective, self.bound, "search"))
        return top

    def _candidates(self, placements: list[Placement], near: Score | None) -> list[Candidate]:
        """Scores of placements; what a quick score would bring into the elite is solved to the fixed point first."""
        found = list(map(Candidate, placements, self.scorer.score(placements, near)))
        if near is None:
            return found
        bar = self.elite[-1].score.key if len(self.elite) == ELITE else (math.inf, math.inf, math.inf)
        doubtful = [k for k, candidate in enumerate(found) if candidate.score.key < bar]
        if doubtful:
            chosen = [placements[k] for k in doubtful]
            for k, score in zip(doubtful, self.scorer.score(chosen, exact=True), strict=True):
                found[k] = Candidate(placements[k], score)
        return found

    @property
    def best_key(self) -> tuple[float, float, float]:
        """Key of the best placement so far; infinite before there is one."""
        return self.elite[0].score.key if self.elite else (math.inf, math.inf, math.inf)

    def _keep(self, candidate: Candidate) -> None:
        if len(self.elite) == ELITE and candidate.score.key >= self.elite[-1].score.key:
            return
        self.elite.append(candidate)
        self.elite.sort(key=lambda one: one.score.key)
        del self.elite[ELITE:]

    def run(self, budget: Budget, starts: list[Placement] | None = None) -> Found:
        """Search until the budget is spent.

        Args:
            budget: when to stop.
            starts: placements found otherwise (feasible ones), to begin with.
        """
        ended, done, stale = "rounds", 0, 0
        deadline = self.begin + budget.seconds
        try:
            current = self._first([p for p in starts or [] if self.problem.resources.overdrawn(p) == 0.0])
            if current is None:
                return Found((), 0, "nothing", self.scorer.evaluations)
            while budget.rounds is None or done < budget.rounds:
                if time.monotonic() >= deadline:
                    ended = "time"
                    break
                before = self.best_key
                self._round(current, deadline)
                done, stale = done + 1, 0 if self.best_key < before else stale + 1
                if budget.stale is not None and stale >= budget.stale:
                    ended = "stale"
                    break
                if stale and stale % PATIENCE == 0:
                    current = self.construct(noise=0.5) or current
                elif self._small and stale % 2:
                    current = self._shaken(current)
                else:
                    pick = int(min(self.rng.geometric(0.5) - 1, len(self.elite) - 1))
                    current = as_assigned(self.problem, self.elite[pick].placement)
        except KeyboardInterrupt:
            ended = "interrupted"
        return Found(tuple(self.elite), done, ended, self.scorer.evaluations)

    def _shaken(self, assigned: Assigned) -> Assigned:
        """A few random moves away."""
        for _ in range(int(self.rng.integers(2, 6))):
            trial = random_move(self.problem, assigned, self.rng)
            if trial is not None and self.problem.resources.overdrawn(as_placement(trial)) == 0.0:
                assigned = trial
        return assigned

    def _first(self, starts: list[Placement]) -> Assigned | None:
        self._scale = self._value(starts[0]) if starts else 1.0
        built = self.construct()
        for _ in range(20):
            if built is not None or starts:
                break
            built = self.construct(noise=1.0)
        if built is not None:
            if not starts:
                self._scale = self._value(as_placement(built))
            starts = [*starts, as_placement(built)]
        if not starts:
            return None
        self.offer(starts)
        return as_assigned(self.problem, self.elite[0].placement)

    def _value(self, placement: Placement) -> float:
        """The deterministic objective of a placement as a scale; 1 where the objective is loss."""
        if self.problem.objective == LOSS:
            return 1.0
        return max(abs(self.problem.deterministic(placement, self.problem.objective)), 1e-12)

    def _round(self, current: Assigned, deadline: float) -> None:
        """Rebuild from ``current`` for a while, score what came out, polish the best of it."""
        top = self.offer(self._rebuild_walk(current, deadline), self.elite[0].score)
        if top is not None and (self._small or top.score.key <= self.best_key):
            self._polish(top, deadline)
        elif not self._small:
            self._polish(self.elite[0], deadline)

    def _energy(self, assigned: Assigned) -> tuple[float, Placement, Floats]:
        placement = as_placement(assigned)
        screened = self.screen.of(placement, self._guess)
        self._guess = screened.station_loss
        loss = np.zeros(len(assigned))
        for position, value in zip(screened.classes, screened.loss, strict=True):
            loss[self.problem.served[position]] = value
        return steering(self.problem, screened, placement, self._scale), placement, loss

    def _rebuild_walk(self, current: Assigned, deadline: float) -> list[Placement]:
        """Take out and put back a few services at a time, accepting what is not much worse; the best that came by."""
        rng = self.rng
        energy, _, loss = self._energy(current)
        best = energy
        seen: dict[Placement, float] = {}
        steps = 2 * BATCH
        for step in range(steps):
            if time.monotonic() >= deadline:
                break
            count = min(1 + int(rng.integers(0, 3)), len(current))
            shares = loss * self._offered + 1e-3 * self._offered.max()
            shares = 0.7 * shares / shares.sum() + 0.3 / len(shares)
            removed = [int(s) for s in rng.choice(len(shares), size=count, replace=False, p=shares)]
            noise = float(rng.choice([0.0, 0.1, 0.3, 0.6]))
            trial = self.rebuilder.rebuild(current, removed, rng, noise, self._factor())
            if trial is None:
                continue
            value, placement, trial_loss = self._energy(trial)
            seen[placement] = value
            slack = 0.05 * (1.0 - step / steps) * max(abs(best), 1e-3)
            if value <= best + slack:
                current, loss = trial, trial_loss
            best = min(best, value)
        return sorted(seen, key=lambda placement: seen[placement])[:BATCH]

    def _polish(self, candidate: Candidate, deadline: float) -> None:
        """Neighbours of a placement, while they improve it; in a small instance down to a local optimum."""
        steps = 0
        while (self._small or steps < POLISHING) and time.monotonic() < deadline:
            around = self._neighbours(as_assigned(self.problem, candidate.placement), deadline)
            top = self.offer(around, candidate.score)
            if top is None or top.score.key >= candidate.score.key:
                break
            candidate = top
            steps += 1

    def _neighbours(self, assigned: Assigned, deadline: float) -> list[Placement]:
        problem = self.problem
        if self._small:
            every = [as_placement(one) for one in (*moves(problem, assigned), *swaps(problem, assigned))]
            return [p for p in every if p not in self._scored and problem.resources.overdrawn(p) == 0.0]
        energies: dict[Placement, float] = {}
        for _ in range(2 * KEPT_NEIGHBOURS):
            if time.monotonic() >= deadline:
                break
            trial = random_move(problem, assigned, self.rng)
            if trial is None:
                continue
            placement = as_placement(trial)
            if placement in self._scored or placement in energies or problem.resources.overdrawn(placement) > 0.0:
                continue
            energies[placement] = self._energy(trial)[0]
        return sorted(energies, key=lambda placement: energies[placement])[:BATCH]
