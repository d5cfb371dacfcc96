"""The guide: placements that lose little when every station is an M/D/1/K station with thinned Poisson arrivals.

On top of the placement ILP, per layer j and station d and per λ run_j of the service: ``offered[j,d]`` = what is
offered at the entry of the run of layers that holds j there, ``ran[j,d]`` = what is executed. With F_j = Σ_d ran[j,d]

- offered ≤ alpha, offered[j,d] ≤ offered[p,d] + F_p − ran[p,d] for every predecessor p: a layer whose predecessor is on
  the same station belongs to its run and is offered what the run was; else what the predecessor hands on (a run is one
  job, admitted once: offering its second layer anew at the accepted flow is wrong: M/D, λ=1, s=.6+.6, K=5 has a
  throughput of .801, not .768);
- ran ≤ offered, F_j ≤ F_p, the exits of a layer take their share of F, the end the least of its leaves;
- per station, with ρ = Σ λ run t offered: Σ λ run t ran ≤ A · (each line above φ(ρ) = ρ (1 − L(ρ))) and ≤ A, with L the
  loss of M/D/1/K, the best case over the mixes of service times, and A the availability;
- ran[j,d] ≤ alpha[j,d] (1 − L(λ run t)): φ grows, so no other load can help.

The lines are proven to lie above φ (:mod:`placer.planning.loss.bounds.tangents`), enough of them to be within about
.002
of it at once, so that none has to be added later. The value is a bound **within the Poisson-thinned model only**. It is
none for the true system: departures are smoother than Poisson, and a deterministic tandem s = .9, K = 2 loses .235
where φ says .357. The model also sees no difference between classes that share a station: it may choose whom to drop.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pyomo.core as pyo

from placer.errors import InfeasibleError, TimeIsUpError
from placer.instance.compiled import Compiled, Floats
from placer.instance.variant import Variant
from placer.plan.placement import Placement
from placer.planning.ilp.formulation import Formulation, Terms, build, linear
from placer.planning.loss.bounds.candidates import PER_LAYER, narrowed
from placer.planning.loss.bounds.closed_form import ways_out
from placer.planning.loss.bounds.completion import add_loss_objective, completed_rates
from placer.planning.loss.bounds.effort import Effort, effort_of
from placer.planning.loss.bounds.fluid import LEAST_SECONDS, LossBound, Task, fluid_bound
from placer.planning.loss.bounds.fluid_model import SLACK, is_known, is_large
from placer.planning.loss.bounds.tangents import accepted_share, lines
from placer.solver.countdown import Countdown
from placer.solver.highs import Solver
from placer.solver.progress import Limits
from placer.solver.result import Values

MEDIUM = 300
"""Binaries from which on the search among few stations per layer comes first: HiGHS's own incumbents are poor there."""

ROUGH = 0.005
"""Gap at which a large fluid problem hands over to the guide."""

LEAST_ROUND = 2.0
"""Seconds of a round among few stations per layer."""

TERMS = "placements within the Poisson-thinned M/D/1/K model only"


def acceptance_guide(
    compiled: Compiled,
    limits: Limits,
    start: Placement | None = None,
    rates: Floats | None = None,
    *,
    max_loss: bool = False,
) -> LossBound:
    """Return the guide's placement, and its bound within its own model.

    From some hundred binaries on the placement comes from searches among few stations per layer, and where linear
    relaxations take seconds the bound is that of the fluid relaxation alone (then the status is that one's).

    Args:
        compiled: the instance.
        limits: of the solver; ``seconds`` is for the whole call.
        start: a placement to start from; the answer when nothing better is found.
        rates: arrivals per second instead of the instance's, NaN for none, shape (S,).
        max_loss: whether services must keep their ``max_loss`` in the model.
    """
    countdown = limits.start()
    if rates is not None:
        compiled = replace(compiled, rate=rates)
    found = LossBound(0.0, start, np.where(compiled.rate > 0, compiled.rate, np.nan), "none", 0.0)
    try:
        formulation = build(compiled, countdown=countdown)
        if len(formulation.model.alpha) >= MEDIUM:
            part = countdown.part(1.0 if is_large(formulation) else 0.5)
            found = _rounds(Task(compiled, limits, part, max_loss, False), formulation, start)
        if not is_large(formulation):
            model = GuideModel(formulation, effort_of(compiled, first_station=False), max_loss)
            found = _solve(model, limits, countdown, found)
    except TimeIsUpError:
        pass  # what was found before
    except InfeasibleError:
        found = LossBound(math.inf, None, np.full(len(compiled.rate), np.nan), "infeasible", 0.0)
    return replace(found, seconds=countdown.spent, terms=TERMS)


def _solve(model: GuideModel, limits: Limits, countdown: Countdown, best: LossBound) -> LossBound:
    """Improve on ``best`` (whose placement is the start).

    Raises:
        InfeasibleError: the model has no placement.
        TimeIsUpError: the countdown ended before the solver began.
    """
    solver = Solver.of(model.formulation.model, countdown)
    if best.placement is not None and is_known(model.formulation, best.placement):
        solver.start_from(model.formulation.start(best.placement))
    result = solver.solve(limits.within(countdown))
    if result.status == "infeasible":
        raise InfeasibleError("no placement satisfies the instance within the guide's model")
    value = max(result.bound - SLACK, best.value)
    status = "milp" if result.status == "optimal" else "milp-bound" if value > best.value else best.status
    found = replace(best, value=value, status=status)
    if not result.has_incumbent or result.objective > best.estimate:
        return found
    placement, admitted = model.formulation.placement(result.values), model.rates(result.values)
    return replace(found, placement=placement, admitted=admitted, estimate=result.objective)


def _rounds(task: Task, formulation: Formulation, start: Placement | None) -> LossBound:
    """Bound by the fluid relaxation, which holds in the guide's model too; search among few stations per layer.

    Each round keeps the stations of the best placement so far and draws others.
    """
    compiled, limits = task.compiled, task.limits
    rough = replace(limits, seconds=0.7 * task.left, gap=max(limits.gap, ROUGH))
    fluid = fluid_bound(compiled, rough, start, max_loss=task.max_loss, first_station=False)
    if fluid.status == "infeasible":
        raise InfeasibleError("no placement satisfies the instance (proven)")
    best = replace(fluid, estimate=math.inf)
    bases = [p for p in (start, fluid.placement) if p is not None]
    seed = 0
    while task.left > LEAST_SECONDS and best.estimate > best.value + max(SLACK, limits.gap):
        few = narrowed(formulation, None, bases, PER_LAYER if bases else 2 * PER_LAYER, seed)
        part = task.countdown.part(1.0, max(task.left / 3, LEAST_ROUND))
        try:
            model = GuideModel(build(few, countdown=part), effort_of(few, first_station=False), task.max_loss)
            found = _solve(model, limits, part, best)
        except (InfeasibleError, TimeIsUpError):
            found = best  # of the narrow problem only
        if found.estimate < best.estimate:
            best = replace(found, value=best.value, status=best.status)
        bases = [best.placement] if best.placement is not None else bases
        seed += 1
    return replace(best, estimate=best.estimate if math.isfinite(best.estimate) else math.nan)


class GuideModel:
    """The flow part of the guide on top of the assignment part.

    Attributes:
        formulation: the assignment part, extended.
        completed: per service the terms of its completed share.
    """

    def __init__(self, formulation: Formulation, effort: Effort, max_loss: bool = False) -> None:
        self.formulation, self.effort, self.compiled = formulation, effort, formulation.compiled
        m = formulation.model
        for name in ("done", "ran", "offered", "flow"):
            setattr(m, name, pyo.Var(pyo.Any, domain=pyo.NonNegativeReals, dense=False))
        for name in ("is_placed", "is_offered", "is_accepted", "total", "order", "ways_out", "busy", "acceptance"):
            setattr(m, name, pyo.Constraint(pyo.Any))
        m.max_loss = pyo.Constraint(pyo.Any)
        self.completed: dict[int, Terms] = defaultdict(list)
        self._busy: dict[int, Terms] = defaultdict(list)
        self._offered: dict[int, Terms] = defaultdict(list)
        for index in formulation.domains:
            if self.compiled.rate[self.compiled.variants[index].service] > 0:
                self._layers(index)
                self._ways_out(index)
        self._stations()
        add_loss_objective(self.formulation.model, self.compiled, self.completed, max_loss, SLACK)

    def _layers(self, index: int) -> None:
        f, m = self.formulation, self.formulation.model
        name, domain = f.network(index), f.domains[index]
        variant = domain.variant
        ceiling = self._ceiling(index, variant)
        for layer in range(len(variant)):
            f.check()
            if variant.run[layer] <= 0:
                continue
            flow: Terms = [(-1.0, m.flow[name, layer])]
            for station in domain.stations(layer):
                key = (name, layer, station)
                ran, offered, alpha = m.ran[key], m.offered[key], f.alpha(index, layer, station)
                m.is_placed[key] = linear([(1.0, offered), (-1.0, alpha)]) <= 0
                m.is_accepted[key] = linear([(1.0, ran), (-1.0, offered)]) <= 0
                most = float(ceiling[layer, station])
                if most < 1.0:
                    m.is_accepted[(*key, "alone")] = linear([(1.0, ran), (-most, alpha)]) <= 0
                self._handed_on(index, layer, station)
                flow.append((1.0, ran))
                self._load(variant, index, layer, station)
            m.total[name, layer] = linear(flow) == 0
            for source in variant.predecessors[layer]:
                if source >= 0:
                    m.order[name, layer, source] = (
                        linear([(1.0, m.flow[name, layer]), (-1.0, m.flow[name, source])]) <= 0
                    )

    def _ceiling(self, index: int, variant: Variant) -> Floats:
        """Share that a station accepts of a layer that has it to itself, shape (M, N)."""
        effort, rate = self.effort, float(self.compiled.rate[variant.service])
        servers = self.compiled.servers
        load = rate * variant.run[:, None] * np.where(np.isfinite(variant.time), variant.time, 0.0) / servers
        places = np.broadcast_to(effort.places, load.shape)
        share = accepted_share(places.ravel(), load.ravel()).reshape(load.shape)
        result: Floats = np.minimum(effort.room / servers * share, effort.ceiling[index])
        return result

    def _handed_on(self, index: int, layer: int, station: int) -> None:
        """Σ of what comes: offered to the run here, or handed on by what ran elsewhere."""
        f, m = self.formulation, self.formulation.model
        name, domain = f.network(index), f.domains[index]
        for source in domain.variant.predecessors[layer]:
            if source < 0:
                continue
            row: Terms = [(1.0, m.offered[name, layer, station]), (-1.0, m.flow[name, source])]
            if domain.usable[source, station]:
                row += [(1.0, m.ran[name, source, station]), (-1.0, m.offered[name, source, station])]
            m.is_offered[name, layer, station, source] = linear(row) <= 0

    def _load(self, variant: Variant, index: int, layer: int, station: int) -> None:
        m, name = self.formulation.model, self.formulation.network(index)
        rate = float(self.compiled.rate[variant.service] * variant.run[layer])
        load = rate * float(variant.time[layer, station])
        if load > 0:
            self._busy[station].append((load, m.ran[name, layer, station]))
            self._offered[station].append((load, m.offered[name, layer, station]))

    def _ways_out(self, index: int) -> None:
        f, m = self.formulation, self.formulation.model
        name, variant = f.network(index), f.domains[index].variant
        ways = ways_out(variant)
        for k, (last, share) in enumerate(ways):
            done = m.done[name, k]
            self.completed[variant.service].append((1.0, done))
            if share <= 0:
                m.ways_out[name, k] = linear([(1.0, done)]) <= 0
                continue
            for layer in variant.leaves if k == len(ways) - 1 else (last,):
                m.ways_out[name, k, layer] = linear([(1.0, done), (-share, m.flow[name, layer])]) <= 0

    def _stations(self) -> None:
        m = self.formulation.model
        for station, terms in self._busy.items():
            name, room = self.compiled.stations[station].name, float(self.effort.room[station])
            up = room / float(self.compiled.servers[station])
            m.busy[name] = linear(terms) <= room
            for number, (slope, intercept) in enumerate(lines(int(self.effort.places[station]))):
                row = linear([*terms, *((-up * slope * c, v) for c, v in self._offered[station])])
                m.acceptance[name, number] = row <= room * intercept

    def rates(self, values: Values) -> Floats:
        """Planned completed rates of a solution in 1/s, NaN without arrivals, shape (S,)."""
        return completed_rates(self.compiled, self.completed, values)
