"""Walks through placements by the quick estimate: services rebuilt, states annealed side by side, neighbours sorted."""

from __future__ import annotations

import math

import numpy as np

from placer.instance.compiled import Floats
from placer.plan.placement import Placement
from placer.planning.loss.problem import LOSS, Problem
from placer.planning.loss.search.neighbours import (
    Assigned,
    Rebuilder,
    as_assigned,
    as_placement,
    moves,
    random_move,
    swaps,
)
from placer.solver.countdown import Countdown

REBUILDS = 48
"""Steps of one walk of rebuilding."""

CHAINS, STEPS = 16, 60
"""States side by side and steps of one annealing."""

HOT, COLD = 0.03, 0.0005
"""First and last temperature of an annealing, as shares of the value it starts from."""

SMALL_NEIGHBOURHOOD = 400
"""Up to so many pairs of layer and station, all neighbours of one move are looked at."""

SOME_NEIGHBOURS = 256
"""Of a larger neighbourhood so many are drawn."""

PENALTY = 10.0
"""Of a loss ratio above its limit, against the objective."""


class Walks:
    """Walks of one search.

    Attributes:
        problem: the problem.
        rebuilder: puts services back by dynamic programming.
        rng: of all draws.
        small: whether neighbourhoods are looked at as a whole.
        scale: what a deterministic objective is divided by, so that penalties compare.
    """

    def __init__(self, problem: Problem, rebuilder: Rebuilder, rng: np.random.Generator) -> None:
        self.problem, self.rebuilder, self.rng = problem, rebuilder, rng
        layers = sum(len(problem.compiled.variants[group[0]]) for group in problem.groups)
        self.small = layers * len(problem.compiled.stations) <= SMALL_NEIGHBOURHOOD
        self.scale = 1.0
        offered = np.nan_to_num(problem.compiled.rate, nan=0.0) * problem.compiled.weight
        self._offered = offered
        self._tie = 1e-6 * max(float(offered.sum()), 1e-9)

    def cost_factor(self) -> float:
        """Weight of the additive cost against a lost request per second in an insertion.

        A tie-break where loss is the objective; drawn anew each time where it is a limit.
        """
        return self._tie if self.problem.objective == LOSS else float(10.0 ** self.rng.uniform(-4.0, 1.5))

    def energies(self, placements: list[Placement]) -> tuple[Floats, Floats]:
        """What a walk minimises, by the estimate, shape (B,), and the loss ratios, shape (B, C)."""
        problem = self.problem
        totals, losses = self.rebuilder.screen.totals(placements)
        excess = np.maximum(losses - problem.max_loss, 0.0).sum(axis=1)
        if problem.objective != LOSS:
            values = [problem.deterministic(placement, problem.objective) for placement in placements]
            totals = np.array(values) / self.scale
        return totals + PENALTY * excess, losses

    def fits(self, assigned: Assigned | None) -> Placement | None:
        """The placement of an assignment that keeps all exact limits."""
        if assigned is None:
            return None
        placement = as_placement(assigned)
        return placement if self.problem.resources.overdrawn(placement) == 0.0 else None

    def rebuild(self, current: Assigned, countdown: Countdown) -> dict[Placement, float]:
        """Take out and put back a few services at a time, accepting what is not much worse; all that came by."""
        rng = self.rng
        values, losses = self.energies([as_placement(current)])
        best, loss = float(values[0]), losses[0]
        seen: dict[Placement, float] = {}
        for step in range(REBUILDS):
            if countdown.over:
                break
            count = min(1 + int(rng.integers(0, 3)), len(current))
            removed = rng.choice(len(current), size=count, replace=False, p=self._shares(loss))
            noise = float(rng.choice([0.0, 0.05, 0.1, 0.3, 0.6], p=[0.1, 0.2, 0.25, 0.25, 0.2]))
            order = [int(service) for service in removed]
            trial = self.rebuilder.rebuild(current, order, rng, noise, self.cost_factor())
            if trial is None:
                continue
            placement = as_placement(trial)
            values, losses = self.energies([placement])
            value = float(values[0])
            seen[placement] = value
            if value <= best + 0.05 * (1.0 - step / REBUILDS) * max(abs(best), 1e-3):
                current, loss = trial, losses[0]
            best = min(best, value)
        return seen

    def _shares(self, loss: Floats) -> Floats:
        """How often each service is taken out: mostly those that lose most."""
        lost = np.zeros(len(self._offered))
        lost[list(self.problem.served)] = loss
        weight = lost * self._offered + 1e-3 * self._offered.max()
        return np.asarray(0.7 * weight / weight.sum() + 0.3 / len(weight))

    def anneal(self, current: Assigned, countdown: Countdown) -> dict[Placement, float]:
        """Anneal several copies of a state side by side; all that came by."""
        start = as_placement(current)
        value = float(self.energies([start])[0][0])
        states = [current] * CHAINS
        values = np.full(CHAINS, value)
        scale = max(abs(value), 1e-4)
        seen: dict[Placement, float] = {}
        for step in range(STEPS):
            if countdown.over:
                break
            temperature = scale * HOT * (COLD / HOT) ** (step / STEPS)
            proposed = [self.fits(random_move(self.problem, state, self.rng)) for state in states]
            owners = [chain for chain, placement in enumerate(proposed) if placement is not None]
            trials = [placement for placement in proposed if placement is not None]
            if not trials:
                continue
            found = self.energies(trials)[0]
            for chain, placement, energy in zip(owners, trials, found.tolist(), strict=True):
                seen[placement] = energy
                worse = energy - values[chain]
                if worse <= 0.0 or self.rng.random() < math.exp(-worse / temperature):
                    states[chain], values[chain] = as_assigned(self.problem, placement), energy
        return seen

    def neighbours(self, assigned: Assigned) -> dict[Placement, float]:
        """Neighbours of one move that keep all exact limits: all, or some drawn at random."""
        if self.small:
            every = (*moves(self.problem, assigned), *swaps(self.problem, assigned))
        else:
            drawn = (random_move(self.problem, assigned, self.rng) for _ in range(SOME_NEIGHBOURS))
            every = tuple(one for one in drawn if one is not None)
        fitting = list(dict.fromkeys(p for p in map(self.fits, every) if p is not None))
        if not fitting:
            return {}
        return dict(zip(fitting, self.energies(fitting)[0].tolist(), strict=True))

    def shaken(self, assigned: Assigned) -> Assigned:
        """A few random moves away."""
        for _ in range(int(self.rng.integers(2, 6))):
            placement = self.fits(random_move(self.problem, assigned, self.rng))
            if placement is not None:
                assigned = as_assigned(self.problem, placement)
        return assigned
