"""A proven lower bound of the loss of every placement: the fluid relaxation as a MILP, and the first-station theorem.

Loss is 1 − completed/offered in the long run, weighted over the services with arrivals (jobs that wait forever at an
unlimited buffer in overload count as lost). For a placement (binary ``z`` and ``alpha`` of
:func:`placer.planning.ilp.formulation.build`) let λ be the rate of a service, x_k the completed jobs that leave by
exit k (the end is one) and y_jd the completed executions of layer j on station d, both per job offered (y_jd per
λ run_j). In the long run

(1) x_k ≤ share_k z: jobs draw their exit independently of everything before, as if it were known at the arrival;
(2) Σ_d run_j y_jd ≥ Σ_{k at or after j} x_k: a job that leaves by exit k has had every layer up to the gate executed,
    since everything listed after a gate depends on it and everything before is needed by it;
(3) Σ λ run_j τ_jd y_jd ≤ A_d: a station is busy at most while it is up, and a completed execution costs it τ on average
    (Wald; with outages the effective seconds of :mod:`placer.planning.loss.bounds.effort`);
(4) y_jd ≤ u_jd alpha_jd with u = min(1, A/(λ run τ)): (3) for one layer, which makes the linear relaxation tight.

None of this asks how jobs arrive (any stationary process with rate λ), what the buffers are, in which order jobs are
served, or which jobs are dropped: minimising Σ weight λ (1 − Σ_k x_k) bounds the loss from below. Left out: deadlines,
airtime, links that queue, and all work on jobs that are lost later.

**First-station theorem** (Poisson arrivals). Let E be the services whose first layer is on station d, with capacity K
and no outages, and whose inputs get there after a constant delay; each has one root. Then at most the share 1 − L(ρ) of
their jobs is completed, L the loss of M/D/1/K at ρ = Σ_E λ t (t: seconds of the first layer); so
Σ_E λ t y ≤ ρ(1 − L(ρ)) = φ(ρ), which lines above φ put into the MILP (:mod:`placer.planning.loss.bounds.tangents`).
*Proof.* System A is the station with the streams E alone, B the true one with whatever else arrives there. Delayed
Poisson streams are Poisson; merged, each arrival has a class that is independent of the past, and a rejected job of E
has done nothing anywhere. So classes and service times may be drawn at acceptance: the m-th *accepted* job of E gets
the same class and service time in A and B, which changes neither law. Let N_A, N_B count accepted jobs of E, D_A, D_B
those that have left. Claim: N_B ≤ N_A at all times. While it holds, the m-th accepted job of E comes to B no earlier
than to A, waits for all that are ahead in E and perhaps for more, so it leaves B no earlier: D_B ≤ D_A. It can only
fail at an arrival that A rejects and B accepts; there A is full, N_A = D_A + K, and B is not, N_B ≤ D_B + K − 1 < N_A,
so that N_B ≤ N_A also afterwards. Hence E is accepted at most at the rate of an M/G/1/K station, each class at the same
share (classes are independent of acceptance); L is smallest for deterministic service of the same mean (Miyazawa and
Shanthikumar, Monotonicity of the loss probabilities of single server finite queues with respect to convex order of
arrival or service processes, Probability in the Engineering and Informational Sciences 5, 1991), and does not grow when
ρ counts the first layers only, instead of whole fragments. ∎
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np
import pyomo.environ as pyo

from placer.errors import InfeasibleError
from placer.instance.compiled import Compiled, Floats
from placer.plan.placement import Placement
from placer.planning.ilp.formulation import Formulation, Terms, build, linear
from placer.planning.loss.bounds.candidates import narrowed
from placer.planning.loss.bounds.closed_form import best_shares, loss_of, ways_out
from placer.planning.loss.bounds.completion import add_loss_objective, completed_rates
from placer.planning.loss.bounds.effort import Effort, effort_of
from placer.planning.loss.bounds.tangents import lines
from placer.solver.highs import Result, Solver
from placer.solver.progress import Limits

SLACK = 1e-7
"""Taken off what the solver proves: its tolerances."""

LP_FIRST = 3000
"""Binaries from which on the linear relaxation is solved by itself before branch and bound."""


LEAST_SECONDS = 0.5
"""Left over, below which a large model is not started."""


@dataclass(frozen=True)
class LossBound:
    """What a relaxation says about the loss of an instance.

    Attributes:
        value: lower bound of the weighted loss ratio; inf when it is proven that no placement exists.
        placement: of the incumbent, else the start; None when there is none.
        admitted: planned completed rate of each service in 1/s, NaN without arrivals, shape (S,): those of the
            incumbent, else (``estimate`` is NaN) of the relaxation.
        status: how the value was obtained: ``milp`` (optimum), ``milp-bound`` (ended early), ``lp``, ``closed-form``,
            ``none`` (nothing is proven) or ``infeasible``.
        seconds: wall time.
        estimate: the relaxation's loss at the incumbent; NaN without one.
        terms: what the value bounds, in words.
    """

    value: float
    placement: Placement | None
    admitted: Floats
    status: str
    seconds: float
    estimate: float = math.nan
    terms: str = "every placement of the true system"


def fluid_bound(
    compiled: Compiled,
    limits: Limits,
    start: Placement | None = None,
    rates: Floats | None = None,
    *,
    max_loss: bool = False,
    first_station: bool = True,
    relaxed: bool = False,
) -> LossBound:
    """Return a proven lower bound of the loss of every placement that keeps the exact limits.

    Args:
        compiled: the instance.
        limits: of the solver; ``seconds`` is for the whole call, model building included.
        start: a placement to start from.
        rates: arrivals per second instead of the instance's, NaN for none, shape (S,).
        max_loss: whether services must keep their ``max_loss``; an ``infeasible`` answer then proves that none can.
        first_station: whether the first-station theorem is used (it needs Poisson arrivals; the rest does not).
        relaxed: stop after the linear relaxation.
    """
    begin = time.monotonic()
    if rates is not None:
        compiled = replace(compiled, rate=rates)
    problem = Problem(compiled, limits, begin, max_loss, first_station)
    formulation = build(compiled)
    if any(all(index not in formulation.domains for index in group) for group in compiled.service_variants):
        return _infeasible(compiled, begin)
    effort = effort_of(compiled, first_station)
    shares = best_shares(compiled, effort, formulation.domains)
    if max_loss and _fails(compiled, shares):
        return _infeasible(compiled, begin)
    found = LossBound(loss_of(compiled, shares), start, shares * compiled.rate, "closed-form", 0.0)
    model = FluidModel(formulation, effort, max_loss)
    try:
        found = _stages(problem, model, found, relaxed)
    except InfeasibleError:
        return _infeasible(compiled, begin)
    return replace(found, value=max(found.value - SLACK, 0.0), seconds=time.monotonic() - begin)


@dataclass(frozen=True)
class Problem:
    """What a call asks for: the instance, when to stop, when it began (monotonic s), and which constraints hold."""

    compiled: Compiled
    limits: Limits
    begin: float
    max_loss: bool
    first_station: bool

    @property
    def left(self) -> float:
        """Seconds left."""
        return self.limits.seconds - (time.monotonic() - self.begin)


def _stages(problem: Problem, model: FluidModel, found: LossBound, relaxed: bool) -> LossBound:
    """Linear relaxation, a narrow MILP for a placement, the whole MILP: as far as the size asks and the time allows.

    Raises:
        InfeasibleError: no placement exists.
    """
    large = is_large(model.formulation)
    if (large or relaxed) and problem.left > (LEAST_SECONDS if large else 0.02):
        result = solve_relaxed(model, problem)
        found = _improved(found, model, result, "lp")
        if large and not relaxed and result.has_incumbent and problem.left > LEAST_SECONDS:
            found = _narrow(problem, model, result, found)
    if relaxed or problem.left < (LEAST_SECONDS if large else 0.02):
        return found
    if math.isfinite(found.estimate) and found.estimate - found.value <= max(SLACK, problem.limits.gap):
        return replace(found, status="milp")
    return _improved(found, model, _solve(model, problem, found.placement), "milp")


def _narrow(problem: Problem, model: FluidModel, relaxation: Result, found: LossBound) -> LossBound:
    """Look for a placement among few stations per layer; proves nothing."""
    try:
        few = narrowed(model.formulation, relaxation.values, [found.placement] if found.placement else [])
        narrow = FluidModel(build(few), effort_of(few, problem.first_station), problem.max_loss)
        half = replace(problem, limits=replace(problem.limits, seconds=problem.limits.seconds - problem.left / 2))
        result = _solve(narrow, half, found.placement)
    except InfeasibleError:
        return found  # of the narrow problem only
    if not result.has_incumbent:
        return found
    placement = narrow.formulation.placement(result.values)
    return replace(found, placement=placement, admitted=narrow.rates(result.values), estimate=result.objective)


def _fails(compiled: Compiled, shares: Floats) -> bool:
    return any(
        service.max_loss is not None and shares[i] < 1.0 - service.max_loss - SLACK
        for i, service in enumerate(compiled.instance.services)
    )


def _infeasible(compiled: Compiled, begin: float) -> LossBound:
    nothing = np.full(len(compiled.rate), np.nan)
    return LossBound(math.inf, None, nothing, "infeasible", time.monotonic() - begin)


def _improved(best: LossBound, model: FluidModel, result: Result, stage: str) -> LossBound:
    """Take over what a run proves and finds; the incumbent of the linear relaxation is no placement."""
    value = best.value
    status = best.status
    if result.bound > best.value:
        value, status = result.bound, stage
        if stage == "milp" and result.status != "optimal":
            status = "milp-bound"
    if stage == "milp" and result.status == "optimal":
        status = "milp"
    if not result.has_incumbent:
        return replace(best, value=value, status=status)
    admitted = model.rates(result.values)
    if stage == "lp":
        return replace(best, value=value, status=status, admitted=admitted)
    placement = model.formulation.placement(result.values)
    return replace(best, value=value, status=status, placement=placement, admitted=admitted, estimate=result.objective)


def is_large(f: Formulation) -> bool:
    """Whether linear relaxations take seconds."""
    return len(f.model.alpha) >= LP_FIRST


def solve_relaxed(model: FluidModel, problem: Problem) -> Result:
    """Solve the linear relaxation.

    Raises:
        InfeasibleError: it has no point, so there is no placement.
    """
    return _solve(model, problem, None, relaxed=True)


def _solve(model: FluidModel, problem: Problem, start: Placement | None, relaxed: bool = False) -> Result:
    m = model.formulation.model
    domain = pyo.UnitInterval if relaxed else pyo.Binary
    for variable in (*m.z.values(), *m.alpha.values()):
        variable.domain = domain
    solver = Solver.of(m)
    if is_large(model.formulation):
        solver.use_primal_simplex()  # "nothing is executed" is feasible; the dual method takes over 10 s at 80 devices
    if start is not None and is_known(model.formulation, start):
        solver.start_from(model.formulation.start(start))
    result = solver.solve(replace(problem.limits, seconds=problem.left))
    if result.status == "infeasible":
        raise InfeasibleError("no placement satisfies the instance (proven)")
    return result


def is_known(f: Formulation, placement: Placement) -> bool:
    """Whether every layer is where its domain allows it."""
    return all(
        index in f.domains and all(f.domains[index].usable[layer, i] for layer, i in enumerate(stations))
        for index, stations in zip(placement.choice, placement.stations, strict=True)
    )


class FluidModel:
    """The flow part on top of the assignment part.

    Attributes:
        formulation: the assignment part, extended.
        completed: per service the terms of its completed share.
    """

    def __init__(self, formulation: Formulation, effort: Effort, max_loss: bool) -> None:
        self.formulation = formulation
        self.compiled = formulation.compiled
        self.effort = effort
        m = formulation.model
        m.done = pyo.Var(pyo.Any, domain=pyo.NonNegativeReals, dense=False)
        m.ran = pyo.Var(pyo.Any, domain=pyo.NonNegativeReals, dense=False)
        m.ways_out = pyo.Constraint(pyo.Any)
        m.executed = pyo.Constraint(pyo.Any)
        m.placed_here = pyo.Constraint(pyo.Any)
        m.busy = pyo.Constraint(pyo.Any)
        m.first_station = pyo.Constraint(pyo.Any)
        m.max_loss = pyo.Constraint(pyo.Any)
        self.completed: dict[int, Terms] = defaultdict(list)
        self.busy: dict[int, Terms] = defaultdict(list)
        self.offered: dict[int, Terms] = defaultdict(list)
        self.accepted: dict[int, Terms] = defaultdict(list)
        for index in formulation.domains:
            if self.compiled.rate[self.compiled.variants[index].service] > 0:
                self._add(index)
        self._stations()
        add_loss_objective(self.formulation.model, self.compiled, self.completed, max_loss, SLACK)

    def _add(self, index: int) -> None:
        f, m = self.formulation, self.formulation.model
        domain, name = f.domains[index], f.network(index)
        variant = domain.variant
        rate = float(self.compiled.rate[variant.service])
        ways = ways_out(variant)
        for k, (_, share) in enumerate(ways):
            m.ways_out[name, k] = linear([(1.0, m.done[name, k]), (-share, m.z[name])]) <= 0
            self.completed[variant.service].append((1.0, m.done[name, k]))
        for layer in range(len(variant)):
            if variant.run[layer] <= 0:
                continue
            later: Terms = [(-1.0, m.done[name, k]) for k, (last, _) in enumerate(ways) if last >= layer]
            here: Terms = []
            for station in domain.stations(layer):
                ran, alpha = m.ran[name, layer, station], f.alpha(index, layer, station)
                most = float(self.effort.ceiling[index][layer, station])
                m.placed_here[name, layer, station] = linear([(1.0, ran), (-most, alpha)]) <= 0
                here.append((float(variant.run[layer]), ran))
                load = rate * float(variant.run[layer] * self.effort.seconds[index][layer, station])
                if load > 0:
                    self.busy[station].append((load, ran))
                    if layer == 0 and self.effort.entry[index][station]:
                        self.accepted[station].append((load, ran))
                        self.offered[station].append((load, alpha))
            m.executed[name, layer] = linear([*here, *later]) >= 0

    def _stations(self) -> None:
        m = self.formulation.model
        for station, terms in self.busy.items():
            name = self.compiled.stations[station].name
            m.busy[name] = linear(terms) <= float(self.effort.availability[station])
            for number, (slope, intercept) in enumerate(lines(int(self.effort.places[station]))):
                if self.offered[station]:
                    row = linear([*self.accepted[station], *((-slope * c, v) for c, v in self.offered[station])])
                    m.first_station[name, number] = row <= intercept

    def rates(self, values: dict[int, float]) -> Floats:
        """Planned completed rates of a solution, shape (S,)."""
        return completed_rates(self.compiled, self.completed, values)
