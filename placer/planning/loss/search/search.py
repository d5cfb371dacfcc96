"""Large-neighbourhood search for placements that lose little.

Three levels of fidelity: services are taken out and put back by a dynamic programme and judged by a quick estimate;
what looks best goes, in batches, to the analytic evaluator; around the best of these the neighbours of one move are
tried, again estimate first. The simulation has the last word (:mod:`placer.planning.loss.selection`).
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from placer.plan.placement import Placement
from placer.planning.loss.problem import LOSS, Problem
from placer.planning.loss.scoring import Score, Scorer
from placer.planning.loss.search.neighbours import Assigned, Rebuilder, as_assigned, as_placement
from placer.planning.loss.search.walks import Walks
from placer.solver.countdown import Countdown, Now
from placer.solver.progress import Progress, relative_gap

BATCH = 24
"""Placements that the analytic evaluator sees at once."""

ELITE = 8
"""Best placements that are kept for the last word."""

POLISHING = 4
"""Steps of one polishing."""

LEARNING = 0.1
"""Weight of the last round in what a walk is held to be worth."""

SCORED_LAYERS = 600
"""Layers of all placements of a round that the analytic evaluator sees: it should not take longer than the walk."""

PATIENCE = 6
"""Rounds without a better placement before the search starts from a new one."""


@dataclass(frozen=True)
class Budget:
    """When a search stops.

    Attributes:
        seconds: wall time from its start.
        rounds: rounds of rebuilding and polishing; None for as many as the time allows.
        stale: stop when so many rounds in a row have found nothing better; None never.
        gap: stop when the best that keeps all limits is proven to be within this relative gap; 0 never.
    """

    seconds: float = 10.0
    rounds: int | None = None
    stale: int | None = 40
    gap: float = 0.0


@dataclass(frozen=True, eq=False)
class Candidate:
    """A complete placement with its analytic score."""

    placement: Placement
    score: Score


@dataclass(frozen=True, eq=False)
class SearchResult:
    """What a search ends with.

    Attributes:
        elite: best first, all different.
        rounds: rounds done.
        ended: ``gap``, ``stale``, ``rounds``, ``time`` or ``interrupted``.
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
        self,
        problem: Problem,
        seed: int = 0,
        listener: Callable[[Progress], None] | None = None,
        bound: float = 0.0,
        now: Now = time.monotonic,
    ) -> None:
        self.problem = problem
        self.rng = np.random.default_rng(seed)
        self.scorer = Scorer(problem)
        self.rebuilder = Rebuilder(problem)
        self.walks = Walks(problem, self.rebuilder, self.rng)
        self.elite: list[Candidate] = []
        self.listener, self.bound = listener, bound
        self.begin, self.now = now(), now
        self.countdown = Countdown(self.begin, math.inf, now)
        self._scored: set[Placement] = set()
        layers = sum(len(problem.compiled.variants[group[0]]) for group in problem.groups)
        self._some = int(np.clip(SCORED_LAYERS // max(layers, 1), 4, BATCH))
        self._explored: set[Placement] = set()
        self._worth = {"rebuild": 0.1, "anneal": 0.1}

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
            found = self.rebuilder.rebuild({}, [int(s) for s in order], self.rng, noise, self.walks.cost_factor())
            if found is not None:
                return found
        return None

    def offer(self, placements: list[Placement], near: Score | None = None) -> Candidate | None:
        """Score placements not seen before and keep the best; returns the best of the new ones."""
        fresh = [p for p in dict.fromkeys(placements) if p not in self._scored]
        self._scored.update(fresh)
        before = self.best_key
        top: Candidate | None = None
        for start in range(0, len(fresh), BATCH):
            if start and self.countdown.over:
                break
            some = fresh[start : start + BATCH]
            for candidate in self._candidates(some, near):
                self._keep(candidate)
                if top is None or candidate.score.key < top.score.key:
                    top = candidate
        if self.best_key < before and self.listener is not None:
            best = self.elite[0].score
            self.listener(Progress(self.now() - self.begin, best.objective, self.bound, "search"))
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

    def end_by(self, countdown: Countdown) -> None:
        """Stop with what there is when the countdown is over, in constructions too."""
        self.countdown = self.rebuilder.countdown = countdown

    @property
    def best_key(self) -> tuple[float, float, float]:
        """Key of the best placement so far; infinite before there is one."""
        return self.elite[0].score.key if self.elite else (math.inf, math.inf, math.inf)

    @property
    def gap(self) -> float:
        """Relative gap of the best placement that keeps all limits to the proven bound; infinite without one."""
        if not self.elite or self.elite[0].score.excess > 0.0:
            return math.inf
        return relative_gap(self.elite[0].score.objective, self.bound)

    def _keep(self, candidate: Candidate) -> None:
        if len(self.elite) == ELITE and candidate.score.key >= self.elite[-1].score.key:
            return
        self.elite.append(candidate)
        self.elite.sort(key=lambda one: one.score.key)
        del self.elite[ELITE:]

    def run(self, budget: Budget, starts: list[Placement] | None = None) -> SearchResult:
        """Search until the budget is spent.

        Args:
            budget: when to stop.
            starts: placements found otherwise (feasible ones), to begin with.
        """
        ended, done, stale = "rounds", 0, 0
        countdown = Countdown(self.begin, self.begin + budget.seconds, self.now)
        self.end_by(countdown)
        try:
            current = self._first([p for p in starts or [] if self.problem.resources.overdrawn(p) == 0.0])
            if current is None:
                return SearchResult((), 0, "nothing", self.scorer.evaluations)
            while budget.rounds is None or done < budget.rounds:
                if countdown.over:
                    ended = "time"
                    break
                if budget.gap > 0.0 and self.gap <= budget.gap:  # at 0 the second objective is still looked for
                    ended = "gap"
                    break
                before = self.best_key
                self._round(current)
                done, stale = done + 1, 0 if self.best_key < before else stale + 1
                if budget.stale is not None and stale >= budget.stale:
                    ended = "stale"
                    break
                if stale and stale % PATIENCE == 0:
                    current = self.construct(noise=0.5) or current
                elif self.walks.small and stale % 2:
                    current = self.walks.shaken(current)
                else:
                    pick = int(min(self.rng.geometric(0.5) - 1, len(self.elite) - 1))
                    current = as_assigned(self.problem, self.elite[pick].placement)
        except KeyboardInterrupt:
            ended = "interrupted"
        return SearchResult(tuple(self.elite), done, ended, self.scorer.evaluations)

    def _first(self, starts: list[Placement]) -> Assigned | None:
        self.walks.scale = self._value(starts[0]) if starts else 1.0
        # quickly first, so that there is an answer; carefully right after
        built = self.construct(noise=0.05)
        for _ in range(20):
            if built is not None or starts or self.countdown.over:
                break
            built = self.construct(noise=1.0)
        if built is not None:
            if not starts:
                self.walks.scale = self._value(as_placement(built))
            starts = [*starts, as_placement(built)]
        if not starts:
            return None
        self.offer(starts)
        careful = None if self.countdown.over else self.construct()
        if careful is not None:
            self.offer([as_placement(careful)])
        return as_assigned(self.problem, self.elite[0].placement)

    def _value(self, placement: Placement) -> float:
        """The deterministic objective of a placement as a scale; 1 where the objective is loss."""
        if self.problem.objective == LOSS:
            return 1.0
        return max(abs(self.problem.deterministic(placement, self.problem.objective)), 1e-12)

    def _round(self, current: Assigned) -> None:
        """Walk from ``current``, score what looks best by the estimate, polish the best of it.

        Which walk is drawn by what each has brought so far. The whole neighbourhood of the best placement of a small
        instance is looked at once.
        """
        before = self.elite[0].score
        kind = str(self.rng.choice(list(self._worth), p=self._odds()))
        walk = self.walks.rebuild if kind == "rebuild" else self.walks.anneal
        self._improve(walk(current, self.countdown))
        best = self.elite[0]
        gain = max(before.excess - best.score.excess, 0.0)
        gain += max(before.objective - best.score.objective, 0.0) / max(abs(before.objective), 1e-6)
        self._worth[kind] += LEARNING * (min(gain, 1.0) - self._worth[kind])
        if self.walks.small and gain == 0.0 and not self.countdown.over and best.placement not in self._explored:
            self._explored.add(best.placement)
            self.offer(list(self.walks.neighbours(as_assigned(self.problem, best.placement))), best.score)

    def _odds(self) -> list[float]:
        """How often each walk is drawn: a third of the time evenly, else by its worth."""
        total = sum(self._worth.values())
        even = 1.0 / len(self._worth)
        return [even if total <= 0 else 0.33 * even + 0.67 * worth / total for worth in self._worth.values()]

    def _improve(self, seen: dict[Placement, float]) -> None:
        """Score the best of what a walk has seen, and polish what turns out best."""
        top = self.offer(self._promising(seen), self.elite[0].score)
        if top is not None and (self.walks.small or top.score.key <= self.best_key):
            self._polish(top)

    def _promising(self, seen: dict[Placement, float]) -> list[Placement]:
        """The best by the estimate of those that were not scored yet."""
        fresh = (placement for placement in seen if placement not in self._scored)
        return heapq.nsmallest(self._some, fresh, key=lambda placement: seen[placement])

    def _polish(self, candidate: Candidate) -> None:
        """Neighbours of a placement, while they improve it; in a small instance down to a local optimum."""
        steps = 0
        while (self.walks.small or steps < POLISHING) and not self.countdown.over:
            around = self.walks.neighbours(as_assigned(self.problem, candidate.placement))
            top = self.offer(self._promising(around), candidate.score)
            if top is None or top.score.key >= candidate.score.key:
                break
            candidate = top
            steps += 1
