"""The best shares of exits at a fixed placement: linear programs in a trust region of the analytic evaluator.

Accuracy is linear in the shares; loss and response times are not. Each step linearises them by differences, solves the
program within the region, looks along the step with the evaluator itself, and keeps the best point that it finds there:
what breaks the limits least, then what is most accurate. The region shrinks when no point is better. Jobs are sent to
exits without being looked at, so the accuracy of an exit does not depend on its share.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from placer.evaluation.checks import beyond, excess_of
from placer.evaluation.evaluate import evaluate_placement
from placer.evaluation.objectives import inaccuracy, weighted_loss
from placer.evaluation.queues import NetworkBuilder
from placer.evaluation.traffic import can_bind
from placer.instance.compiled import Compiled, Floats
from placer.plan.placement import Placement
from placer.plan.plan import with_chosen
from placer.planning.loss.problem import Problem
from placer.queueing.solve import solve_batch
from placer.solver.highs import LinearProgram

Shares = dict[int, tuple[float, ...]]
"""Shares of the exits by index of the variant, of variants whose service lets them be chosen."""

STEP = 1e-4
RADIUS, LEAST_RADIUS = 0.5, 1e-4
ALONG = (1.0, 0.9, 0.75, 0.5, 0.25, 0.1, 0.03)
PENALTY = 100.0
KEPT = 1e-9


@dataclass(frozen=True, eq=False)
class Point:
    """A placement with shares, judged.

    Attributes:
        placement, shares: what is decided.
        excess: how badly limits are broken, see :func:`placer.evaluation.checks.excess_of`.
        value: 1 - weighted accuracy.
        loss: weighted loss ratio.
        losses: shape (C,), of the services with arrivals.
        limits: what every limit is exceeded by, relative to it; negative when kept.
    """

    placement: Placement
    shares: Shares
    excess: float
    value: float
    loss: float
    losses: Floats
    limits: Floats

    @property
    def key(self) -> tuple[float, float, float]:
        """What is compared: limits kept, accuracy, loss."""
        return (round(self.excess, 9) if self.excess > KEPT else 0.0, round(self.value, 9), round(self.loss, 9))


class Judge:
    """Judges placements with shares by the analytic evaluator, and counts how often.

    Attributes:
        compiled: the instance.
        free: variants whose shares may be chosen.
        factors: what limits on loss are multiplied with, by service index; 1 where none is given.
        end: time.monotonic() after which a local search takes no further step.
        evaluations: networks solved so far.
        default: the shares of the instance.
        base: the question at these shares.
    """

    def __init__(self, compiled: Compiled, factors: Mapping[int, float] | None = None, end: float = math.inf) -> None:
        self.compiled, self.factors, self.evaluations, self.end = compiled, dict(factors or {}), 0, end
        services = compiled.instance.services
        self.free = [i for i, v in enumerate(compiled.variants) if services[v.service].choose_exits and v.exits]
        self.default: Shares = {i: tuple(share for _, share, _ in compiled.variants[i].exits) for i in self.free}
        finite = np.isfinite(compiled.max_work).any() or can_bind(compiled)
        unserved = any(s.deadline is not None and s.arrivals is None for s in services)
        self._exact = bool(finite or unserved)
        self._problems: dict[tuple[tuple[int, tuple[float, ...]], ...], Problem] = {}
        self.base = self.problem(self.default)

    def problem(self, shares: Shares) -> Problem:
        """The question of the loss-aware search at these shares; accuracy is no limit there, it is chosen here."""
        key = tuple(sorted(shares.items()))
        if key not in self._problems:
            if len(self._problems) > 200:
                self._problems.clear()
            self._problems[key] = Problem(self._loose(shares))
        return self._problems[key]

    def _loose(self, shares: Shares) -> Compiled:
        compiled = with_chosen(self.compiled, shares)
        file = compiled.instance.file
        services = []
        for index, service in enumerate(file.services):
            loss = None if service.max_loss is None else min(service.max_loss * self.factors.get(index, 1.0), 1.0)
            accuracy = None if service.choose_exits else service.min_accuracy
            services.append(service.model_copy(update={"max_loss": loss, "min_accuracy": accuracy}))
        changed = replace(compiled.instance, file=file.model_copy(update={"services": tuple(services)}))
        return replace(compiled, instance=changed)

    def judge(self, pairs: Sequence[tuple[Placement, Shares]]) -> list[Point]:
        """Judge placements with shares."""
        if not pairs:
            return []
        self.evaluations += len(pairs)
        worlds = [with_chosen(self.compiled, shares) for _, shares in pairs]
        networks = []
        for world, (placement, _) in zip(worlds, pairs, strict=True):
            network = NetworkBuilder(world).network(placement)
            networks.append(network)
        solution = solve_batch(networks)
        points = []
        for k, (world, (placement, shares)) in enumerate(zip(worlds, pairs, strict=True)):
            part = slice(int(solution.class_ptr[k]), int(solution.class_ptr[k + 1]))
            loss = np.clip(1.0 - solution.throughput[part] / self.base.rates, 0.0, 1.0)
            response = np.minimum(np.nan_to_num(solution.end_to_end[part], nan=np.inf), 1e12)
            points.append(self._point(world, placement, shares, loss, response))
        return points

    def _point(self, world: Compiled, placement: Placement, shares: Shares, loss: Floats, response: Floats) -> Point:
        """Judge a placement by its losses and response times, shape (C,), against every limit that shares can move."""
        base, services = self.base, self.compiled.instance.services
        lost, timed = np.isfinite(base.max_loss), np.isfinite(base.deadline)
        actual, limit = [*loss[lost], *response[timed]], [*base.max_loss[lost], *base.deadline[timed]]
        accuracy = [world.variants[choice].accuracy for choice in placement.choice]
        for service, value in zip(services, accuracy, strict=True):
            if service.min_accuracy is not None:
                actual.append(-value)
                limit.append(-service.min_accuracy)
        if self._exact:
            served = {services[s].name for s in base.served}
            for check in evaluate_placement(world, placement, "deterministic").checks:
                rate = check.kind in ("utilisation", "airtime", "link")
                if (rate or (check.kind == "deadline" and check.subject not in served)) and check.limit is not None:
                    actual.append(check.actual or 0.0)
                    limit.append(check.limit)
        total = weighted_loss(base.weights, base.rates, loss)
        value = inaccuracy(world, np.array(accuracy))
        excess = float(excess_of(actual, limit).sum())
        return Point(placement, shares, excess, value, total, loss, beyond(actual, limit))

    def improve(self, point: Point, steps: int = 12, radius: float = RADIUS) -> Point:
        """The best shares at the placement of ``point`` that a local search from its shares finds."""
        active = [i for i in point.placement.choice if i in self.free]
        if not active:
            return point
        slopes: tuple[Floats, Floats] | None = None
        for _ in range(steps):
            if time.monotonic() > self.end:
                break
            slopes = slopes or self._slopes(point, active)
            step = _step(point, active, radius, slopes)
            if step is None or np.abs(step).max(initial=0.0) < 1e-9:
                break  # no move of the linear program is better: a smaller region does not change that
            found = self.judge([(point.placement, _moved(point.shares, active, step * part)) for part in ALONG])
            best = min(found, key=lambda one: one.key)
            if best.key < point.key:
                still = best.excess <= KEPT and point.excess <= KEPT and point.value - best.value < 1e-8
                radius = min(2.0 * radius, 1.0) if best is found[0] else 0.5 * radius
                point, slopes = best, None
                if still:
                    break
            else:
                radius *= 0.25
            if radius < LEAST_RADIUS:
                break
        return point

    def _slopes(self, point: Point, active: list[int]) -> tuple[Floats, Floats]:
        """Slopes of the limits, shape (shares, limits), and of the value, shape (shares,), over those of ``active``."""
        columns = [(i, k) for i in active for k in range(len(point.shares[i]))]
        moves = _differences(point.shares, columns)
        judged = self.judge([(point.placement, _moved(point.shares, active, move)) for move in moves])
        ahead = np.array([one.limits - point.limits for one in judged])
        gain = np.array([one.value - point.value for one in judged])
        return np.linalg.solve(moves, ahead), np.linalg.solve(moves, gain)

    def best_at(self, placement: Placement, starts: Sequence[Shares]) -> Point:
        """The best of local searches from several shares, and from no early exit at all."""
        none: Shares = {i: (0.0,) * len(values) for i, values in self.default.items()}
        judged = self.judge([(placement, shares) for shares in (*starts, none)])
        return min((self.improve(point) for point in judged), key=lambda one: one.key)


def _step(point: Point, active: list[int], radius: float, slopes: tuple[Floats, Floats]) -> Floats | None:
    """The step of the linear program over the shares of ``active`` one after the other; limits at a price.

    Columns: the moves of the shares, then what each limit is exceeded by. Rows: the limits, then one per service.
    """
    columns = [(i, k) for i in active for k in range(len(point.shares[i]))]
    count, limits = len(columns), len(point.limits)
    rows, high = np.zeros((limits + len(active), count + limits)), np.empty(limits + len(active))
    rows[:limits, :count], high[:limits] = slopes[0].T, -point.limits
    rows[:limits, count:] = -np.eye(limits)
    now = np.array([point.shares[i][k] for i, k in columns])
    for row, i in enumerate(active, limits):
        rows[row, :count] = [1.0 if j == i else 0.0 for j, _ in columns]
        high[row] = 1.0 - sum(point.shares[i])
    least = np.concatenate([np.maximum(-radius, -now), np.zeros(limits)])
    most = np.concatenate([np.minimum(radius, 1.0 - now), np.full(limits, 1e6)])
    prices = np.concatenate([slopes[1], np.full(limits, PENALTY)])
    status, _, values = LinearProgram(prices, rows, -np.inf, high, least, most).solve()
    return np.asarray(values[:count]) if status == "optimal" else None


def _differences(shares: Shares, columns: list[tuple[int, int]]) -> Floats:
    """One small move per column that keeps shares at least 0 and at most 1 together; linearly independent."""
    moves = np.zeros((len(columns), len(columns)))
    for c, (i, k) in enumerate(columns):
        if sum(shares[i]) + STEP <= 1.0:
            moves[c, c] = STEP
            continue
        top = int(np.argmax(shares[i]))  # nothing is left for the last exit: take from the largest share
        moves[c, columns.index((i, top))] -= STEP
        if k != top:
            moves[c, c] += STEP
    return moves


def _moved(shares: Shares, active: list[int], step: Floats) -> Shares:
    """Shares after a step, at least 0 and at most 1 together."""
    result, at = dict(shares), 0
    for i in active:
        count = len(shares[i])
        values = np.maximum(np.array(shares[i]) + step[at : at + count], 0.0)
        values = values / max(float(values.sum()), 1.0)
        result[i] = tuple(float(value) for value in values)
        at += count
    return result
