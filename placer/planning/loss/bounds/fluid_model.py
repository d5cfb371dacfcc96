"""The fluid relaxation as a MILP, whose optimum bounds the loss of every placement; and the first-station theorem.

Loss is 1 − completed/offered in the long run, weighted over the services with arrivals (jobs that wait forever at an
unlimited buffer in overload count as lost). For a placement (binary ``z`` and ``alpha`` of
:func:`placer.planning.ilp.formulation.build`) let λ be the rate of a service, x_k the completed jobs that leave by
exit k (the end is one) and y_jd the completed executions of layer j on station d, both per job offered (y_jd per
λ run_j). In the long run

(1) x_k ≤ share_k z: jobs draw their exit independently of everything before, as if it were known at the arrival;
(2) Σ_d run_j y_jd ≥ Σ_{k at or after j} x_k: a job that leaves by exit k has had every layer up to the gate executed,
    since everything listed after a gate depends on it and everything before is needed by it;
(3) Σ λ run_j τ_jd y_jd ≤ A_d: a server is busy at most while its station is up (A_d: that share of the time, times the
    servers of the station), and a completed execution costs it τ on average
    (Wald; with outages the effective seconds of :mod:`placer.planning.loss.bounds.effort`);
(4) y_jd ≤ u_jd alpha_jd with u = min(1, A/(λ run τ)): (3) for one layer, which makes the linear relaxation tight.

None of this asks how jobs arrive (any stationary process with rate λ), what the buffers are, in which order jobs are
served, or which jobs are dropped: minimising Σ weight λ (1 − Σ_k x_k) bounds the loss from below. Left out: deadlines,
airtime, links that queue, and all work on jobs that are lost later.

**First-station theorem** (Poisson arrivals). Let E be the services whose first layer is on station d, with one server,
capacity K and no outages, and whose inputs get there after a constant delay; each has one root. Then at most the share
1 − L(ρ) of their jobs is completed, L the loss of M/D/1/K at ρ = Σ_E λ t (t: seconds of the first layer); so
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

from collections import defaultdict

import pyomo.core as pyo

from placer.instance.compiled import Floats
from placer.plan.placement import Placement
from placer.planning.ilp.formulation import Formulation, Terms, linear
from placer.planning.loss.bounds.closed_form import ways_out
from placer.planning.loss.bounds.completion import add_loss_objective, completed_rates
from placer.planning.loss.bounds.effort import Effort
from placer.planning.loss.bounds.tangents import lines
from placer.solver.result import Values

SLACK = 1e-7
"""Taken off what the solver proves: its tolerances."""

LP_FIRST = 3000
"""Binaries from which on the linear relaxation is solved by itself before branch and bound."""


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
            f.check()
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
            m.busy[name] = linear(terms) <= float(self.effort.room[station])
            for number, (slope, intercept) in enumerate(lines(int(self.effort.places[station]))):
                if self.offered[station]:
                    row = linear([*self.accepted[station], *((-slope * c, v) for c, v in self.offered[station])])
                    m.first_station[name, number] = row <= intercept

    def rates(self, values: Values) -> Floats:
        """Planned completed rates of a solution, shape (S,)."""
        return completed_rates(self.compiled, self.completed, values)


def is_large(f: Formulation) -> bool:
    """Whether linear relaxations take seconds."""
    return len(f.model.alpha) >= LP_FIRST


def is_known(f: Formulation, placement: Placement) -> bool:
    """Whether every layer is where its domain allows it."""
    return all(
        index in f.domains and all(f.domains[index].usable[layer, i] for layer, i in enumerate(stations))
        for index, stations in zip(placement.choice, placement.stations, strict=True)
    )
