"""Scores of placements by the analytic evaluator, many at once, starting from what is known of one much like them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from placer.evaluation.blocks import Block
from placer.evaluation.checks import excess_of
from placer.evaluation.objectives import weighted_loss
from placer.evaluation.queues import renumbered, used_carriers
from placer.instance.compiled import Floats
from placer.plan.placement import Placement
from placer.planning.loss.problem import LOSS, Problem
from placer.planning.request import Scenario
from placer.queueing.network import Arrivals, QueueNetwork
from placer.queueing.rules import Solution
from placer.queueing.solve import MAX_SWEEPS, solve_batch
from placer.queueing.sweep_state import Memory

QUICK_SWEEPS = 10
"""Sweeps when a memory is at hand: only what changed moves, and what lies downstream."""


@dataclass(frozen=True, eq=False)
class Score:
    """What the analytic evaluator says of a placement, over all scenarios.

    Attributes:
        excess: how badly ``max_loss``, deadlines and stability are broken, see
            :func:`placer.evaluation.checks.excess_of`.
        objective: to be minimised.
        second: decides between placements that are as good: latency where the objective is loss.
        sharp: whether the smallest difference in the objective counts; losses are compared to 1e-6.
        loss: shape (C,), loss ratio per served service, of what is offered; the weighted mean over scenarios, or
            the scenario that was worst.
        total: weighted loss ratio.
        response: shape (C,), mean response time of completed jobs in s.
        memory: per scenario where the solution ended.
        blocks: of the served services.
    """

    excess: float
    objective: float
    second: float
    sharp: bool
    loss: Floats
    total: float
    response: Floats
    memory: tuple[Memory, ...]
    blocks: tuple[Block, ...]

    @property
    def key(self) -> tuple[float, float, float]:
        """What is compared: first feasible, then good, then the second objective."""
        return (round(self.excess, 9), self.objective if self.sharp else round(self.objective, 6), self.second)


@dataclass(frozen=True)
class _Aggregate:
    """Loss and response per class of one placement in one scenario, and how far stations are from stable.

    What an unlimited station in overload does not get done counts as lost here, so that the search has a slope.
    """

    loss: Floats
    total: float
    response: Floats
    unstable: float


class Scorer:
    """Scores placements of one problem.

    Attributes:
        problem: the problem.
        evaluations: placements scored so far.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.evaluations = 0
        self._arrivals = [problem.arrivals(scenario) for scenario in problem.scenarios]
        self._offered = [problem.offered(scenario) for scenario in problem.scenarios]

    def score(
        self,
        placements: Sequence[Placement],
        near: Score | Sequence[Score] | None = None,
        exact: bool = False,
        limits: Sequence[Mapping[int, float]] | None = None,
    ) -> list[Score]:
        """Score placements.

        Args:
            placements: at least one.
            near: the score of a placement much like all of these, or one for each, to start from.
            exact: solve until the fixed point, whatever it costs; what a plan states comes from here.
            limits: rate limits of each placement; those of the problem when None.
        """
        self.evaluations += len(placements)
        problem = self.problem
        blocks = [tuple(problem.builder.blocks(placement)) for placement in placements]
        seen: list[list[_Aggregate]] = [[] for _ in placements]
        memories: list[list[Memory]] = [[] for _ in placements]
        for index, scenario in enumerate(problem.scenarios):
            streams = [self._arrivals[index]] * len(placements)
            if limits is not None:
                streams = [problem.with_limits(own).arrivals(scenario) for own in limits]
            networks = [self._network(p, own, scenario) for p, own in zip(placements, streams, strict=True)]
            start = None
            if near is not None and not exact:
                parents = [near] * len(blocks) if isinstance(near, Score) else near
                start = _joined([_carried(problem, p, index, own) for p, own in zip(parents, blocks, strict=True)])
            sweeps = MAX_SWEEPS if start is None else QUICK_SWEEPS
            solution = solve_batch(networks, memory=start, most_sweeps=sweeps)
            for k in range(len(placements)):
                seen[k].append(self._aggregate(solution, k, index))
                memories[k].append(_slice(solution, k))
        return [
            self._score(placement, seen[k], tuple(memories[k]), blocks[k]) for k, placement in enumerate(placements)
        ]

    def _network(self, placement: Placement, streams: tuple[Arrivals, ...], scenario: Scenario) -> QueueNetwork:
        return self.problem.builder.network(placement, streams, scenario.down)

    def _aggregate(self, solution: Solution, k: int, index: int) -> _Aggregate:
        classes = slice(int(solution.class_ptr[k]), int(solution.class_ptr[k + 1]))
        offered = self._offered[index]
        with np.errstate(divide="ignore", invalid="ignore"):
            loss = np.where(offered > 0, 1.0 - solution.throughput[classes] / offered, 0.0)
        loss = np.clip(loss, 0.0, 1.0)
        total = weighted_loss(self.problem.weights, offered, loss)
        stations = slice(int(solution.station_ptr[k]), int(solution.station_ptr[k + 1]))
        load = solution.station_load[stations][solution.station_unstable[stations]]
        response = np.nan_to_num(solution.end_to_end[classes], nan=np.inf)
        return _Aggregate(loss, total, response, float(excess_of(load, 1.0).sum()))

    def _score(
        self, placement: Placement, seen: list[_Aggregate], memory: tuple[Memory, ...], blocks: tuple[Block, ...]
    ) -> Score:
        problem = self.problem
        if problem.worst:
            chosen = max(seen, key=lambda one: one.total)
        elif len(seen) == 1:
            chosen = seen[0]
        else:
            shares = np.array([scenario.weight for scenario in problem.scenarios])
            shares = shares / shares.sum()
            chosen = _Aggregate(
                np.einsum("s,sc->c", shares, np.array([one.loss for one in seen])),
                float(shares @ np.array([one.total for one in seen])),
                _largest([one.response for one in seen]),
                max(one.unstable for one in seen),
            )
        excess = excess_of(chosen.loss, problem.max_loss).sum() + excess_of(chosen.response, problem.deadline).sum()
        excess += chosen.unstable
        sharp = problem.objective != LOSS
        objective = problem.deterministic(placement, problem.objective) if sharp else chosen.total
        second = chosen.total if problem.second == LOSS else problem.deterministic(placement, problem.second)
        return Score(
            excess=float(excess),
            objective=float(objective),
            second=second,
            sharp=sharp,
            loss=chosen.loss,
            total=chosen.total,
            response=chosen.response,
            memory=memory,
            blocks=blocks,
        )


def _largest(response: list[Floats]) -> Floats:
    """The largest response times over scenarios, of those in which requests complete; inf where none ever does."""
    known = np.array([np.where(np.isfinite(one), one, -np.inf) for one in response]).max(axis=0)
    return np.where(np.isneginf(known), np.inf, known)


def _slice(solution: Solution, k: int) -> Memory:
    tasks = slice(int(solution.task_ptr[k]), int(solution.task_ptr[k + 1]))
    stations = slice(int(solution.station_ptr[k]), int(solution.station_ptr[k + 1]))
    m = solution.memory
    return Memory(
        m.acceptance[tasks], m.base[tasks], m.scv[tasks], m.long_scv[tasks], m.jitter[tasks],
        m.upstream_load[tasks], m.rate[tasks],
        m.loss[stations], m.queue[stations], m.poisson_loss[stations], m.eta[stations], m.felt_scv[stations],
        m.own_waiting[tasks], m.own_survival[tasks],
    )  # fmt: skip


def _joined(parts: list[Memory]) -> Memory:
    return Memory(*(np.concatenate([getattr(part, name) for part in parts]) for name in Memory.__dataclass_fields__))


def _carried(problem: Problem, near: Score, index: int, blocks: tuple[Block, ...]) -> Memory:
    """What is known of a placement from one whose services partly have the same blocks."""
    old, compiled = near.memory[index], problem.compiled
    before_carriers, carriers = used_carriers(compiled, near.blocks), used_carriers(compiled, blocks)
    units = len(compiled.stations)
    kept = np.searchsorted(before_carriers, carriers)
    known = np.append(before_carriers, -1)[kept] == carriers
    source = np.append(np.arange(units), np.where(known, units + kept, -1))

    def stations(values: Floats, blank: float) -> Floats:
        return np.where(source >= 0, np.append(values, blank)[source], blank)

    if problem.scenarios[index].down:
        source = np.append(source, -1)  # the station that stands for what is down
    loss, queue, poisson, eta, felt = (
        stations(values, blank)
        for values, blank in (
            (old.loss, 0.0),
            (old.queue, 0.0),
            (old.poisson_loss, 0.0),
            (old.eta, 0.3),
            (old.felt_scv, -1.0),
        )
    )
    unknown = {"rate", "own_waiting", "own_survival"}
    columns: dict[str, list[Floats]] = {
        name: [] for name in ("acceptance", "base", "scv", "long_scv", "jitter", "upstream_load", *sorted(unknown))
    }
    at = 0
    for before, now in zip(near.blocks, blocks, strict=True):
        if before is now:
            for name, column in columns.items():
                column.append(getattr(old, name)[at : at + before.tasks])
        else:
            touched = np.concatenate([before.station, now.station])
            touched = touched[(touched >= 0) & ((touched < units) | np.isin(touched - units, carriers))]
            felt[renumbered(compiled, touched, carriers)] = -1.0
            for name, column in columns.items():
                column.append(np.full(now.tasks, np.nan if name in unknown else 1.0))
        at += before.tasks
    return Memory(
        **{name: np.concatenate(column) for name, column in columns.items()},
        loss=loss, queue=queue, poisson_loss=poisson, eta=eta, felt_scv=felt,
    )  # fmt: skip
