"""The placement ILP of Disabato, Roveri, Alippi (IEEE Trans. Computers 70(8), 2021), and what placer adds to it.

In the paper's terms: ``alpha[u,j,i]`` = layer j of network u runs on node i; p = probability that a layer runs, g =
probability that a job leaves after it, K = bytes of a tensor, m = memory, c = work, L = layers per node, d = distance.
A node is a compute unit of a device here, d[i,k]·K/ρ is the time of the best route, and a network is one alternative
of a service, of which ``z`` picks one. Products alpha·alpha are linearised by flows (the first-level RLT):
``y[u,j,l,i,k]`` = the tensor from layer j to layer l goes from node i to node k, Σ_k y = alpha[u,j,i],
Σ_i y = alpha[u,l,k]; y is continuous. On the stretches of a DAG that are no chain the latency is a longest path
(see :mod:`placer.planning.ilp.schedule`).

Times in ms, sizes in MB, work in MMAC: solvers dislike seconds beside bytes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyomo.core as pyo
from pyomo.common.collections import ComponentMap
from pyomo.core.expr.numeric_expr import LinearExpression

from placer.instance.compiled import Compiled
from placer.instance.variant import Variant
from placer.plan.placement import Placement
from placer.planning.domains import Domain, accurate_enough, domain_of
from placer.solver.countdown import Countdown
from placer.solver.result import Values

MS, MB, MMAC = 1e3, 1e-6, 1e-6

A_VARIABLE = 5e-6
"""Seconds that Pyomo takes at least to declare a variable; many are declared in one go."""

Terms = list[tuple[float, Any]]
"""A linear expression as (coefficient, variable) pairs."""


@dataclass
class Formulation:
    """A Pyomo model and how to read it.

    Attributes:
        compiled: the instance.
        model: the Pyomo model.
        domains: per variant the usable stations; variants that cannot run are absent.
        latency: per service its expected latency in ms, as terms and a constant.
        scale: what an objective value is divided by to be in SI units.
        countdown: when the making of the model ends, finished or not; None for never.
    """

    compiled: Compiled
    model: Any
    domains: dict[int, Domain]
    latency: dict[int, Terms] = field(default_factory=dict)
    scale: float = 1.0
    countdown: Countdown | None = None

    def check(self, variables: int = 0) -> None:
        """Go on only where there is time for so many variables.

        Raises:
            TimeIsUpError: there is not.
        """
        if self.countdown is not None:
            self.countdown.check("the making of the model", A_VARIABLE * variables)

    def network(self, index: int) -> str:
        """Name of a variant in the model: its service's, and the alternative's where there are several."""
        variant = self.compiled.variants[index]
        name = self.compiled.instance.services[variant.service].name
        several = len(self.compiled.service_variants[variant.service]) > 1
        return f"{name}.{variant.name}" if several else name

    def alpha(self, index: int, layer: int, station: int) -> Any:
        """The variable of a layer on a station."""
        variant = self.compiled.variants[index]
        return self.model.alpha[self.network(index), variant.layers[layer], self.compiled.stations[station].name]

    def placement(self, values: Values) -> Placement:
        """Read a placement from the values of a solution."""
        choice, stations = [], []
        for group in self.compiled.service_variants:
            chosen = max(
                (index for index in group if index in self.domains),
                key=lambda index: values.get(self.model.z[self.network(index)], 0.0),
            )
            domain = self.domains[chosen]
            choice.append(chosen)
            stations.append(
                tuple(
                    max(
                        domain.stations(layer),
                        key=lambda i: values.get(self.alpha(chosen, layer, i), 0.0),
                    )
                    for layer in range(len(domain.variant))
                )
            )
        return Placement(tuple(choice), tuple(stations))

    def start(self, placement: Placement) -> Values:
        """Values of z and alpha for a placement, to start a solver from."""
        values: Values = ComponentMap(
            (variable, 0.0) for variable in (*self.model.z.values(), *self.model.alpha.values())
        )
        for index, stations in zip(placement.choice, placement.stations, strict=True):
            values[self.model.z[self.network(index)]] = 1.0
            for layer, station in enumerate(stations):
                values[self.alpha(index, layer, station)] = 1.0
        return values


def linear(terms: Iterable[tuple[float, Any]], constant: float = 0.0) -> Any:
    """Return Pyomo's compact linear expression."""
    pairs = list(terms)
    return LinearExpression(
        constant=constant, linear_coefs=[float(c) for c, _ in pairs], linear_vars=[v for _, v in pairs]
    )


def build(compiled: Compiled, countdown: Countdown | None = None) -> Formulation:
    """Return the ILP with every constraint but no objective.

    Args:
        compiled: the instance.
        countdown: when to give up.

    Raises:
        TimeIsUpError: the countdown ended before the model was made.
    """
    domains = possible_domains(compiled)
    model = pyo.ConcreteModel("placement")
    model.objective_is_bounded = True
    formulation = Formulation(compiled, model, domains, countdown=countdown)
    _assignment(formulation)
    _node_limits(formulation)
    _memory(formulation)
    return formulation


def possible_domains(compiled: Compiled) -> dict[int, Domain]:
    """The usable stations of the variants that can run and are accurate enough, by index."""
    domains = {}
    for index, variant in enumerate(compiled.variants):
        domain = domain_of(compiled, variant)
        if domain.possible and accurate_enough(compiled, variant):
            domains[index] = domain
    return domains


def _assignment(f: Formulation) -> None:
    """Σ_i alpha[u,j,i] = z[u]: every layer of the alternative chosen runs on one node; one alternative a service."""
    m, compiled = f.model, f.compiled
    f.check(sum(int(domain.usable.sum()) for domain in f.domains.values()))
    m.z = pyo.Var([f.network(index) for index in f.domains], domain=pyo.Binary)
    m.alpha = pyo.Var(
        [
            (f.network(index), domain.variant.layers[layer], compiled.stations[station].name)
            for index, domain in f.domains.items()
            for layer in range(len(domain.variant))
            for station in domain.stations(layer)
        ],
        domain=pyo.Binary,
    )
    m.alternative = pyo.Constraint([service.name for service in compiled.instance.services])
    for service, group in zip(compiled.instance.services, compiled.service_variants, strict=True):
        options = [m.z[f.network(index)] for index in group if index in f.domains]
        m.alternative[service.name] = linear([(1.0, z) for z in options]) == 1 if options else pyo.Constraint.Infeasible
    m.layer_order = pyo.Constraint(pyo.Any)
    for index, domain in f.domains.items():
        network = f.network(index)
        for layer in range(len(domain.variant)):
            f.check()
            terms: Terms = [(1.0, f.alpha(index, layer, i)) for i in domain.stations(layer)]
            m.layer_order[network, domain.variant.layers[layer]] = linear([*terms, (-1.0, m.z[network])]) == 0


def placed(f: Formulation) -> Iterator[tuple[int, Variant, int, int, Any]]:
    """Yield (variant index, variant, layer, station, alpha) of every variable alpha."""
    for index, domain in f.domains.items():
        for layer in range(len(domain.variant)):
            f.check()
            for station in domain.stations(layer):
                yield index, domain.variant, layer, station, f.alpha(index, layer, station)


def _node_limits(f: Formulation) -> None:
    """At most L layers a device; Σ alpha·c ≤ compute; Σ λ·p·t·alpha ≤ the utilisation limit of a unit."""
    m, compiled = f.model, f.compiled
    count: dict[int, Terms] = defaultdict(list)
    work: dict[int, Terms] = defaultdict(list)
    busy: dict[int, Terms] = defaultdict(list)
    rate = np.nan_to_num(compiled.rate)
    for _, variant, layer, station, alpha in placed(f):
        device = int(compiled.station_device[station])
        count[device].append((1.0, alpha))
        work[device].append((variant.macs[layer] * MMAC, alpha))
        load = rate[variant.service] * variant.run[layer] * variant.time[layer, station]
        if load > 0:
            busy[station].append((load, alpha))
    m.layers_per_node = pyo.Constraint(pyo.Any)
    m.processing = pyo.Constraint(pyo.Any)
    m.utilisation = pyo.Constraint(pyo.Any)
    for device, name in enumerate(compiled.device_names):
        limit, most = compiled.max_layers[device], compiled.max_compute[device]
        if np.isfinite(limit) and len(count[device]) > limit:
            m.layers_per_node[name] = linear(count[device]) <= limit
        if np.isfinite(most) and work[device]:
            m.processing[name] = linear(work[device]) <= most * MMAC
    for station, place in enumerate(compiled.stations):
        limit = compiled.max_work[station]
        if np.isfinite(limit) and busy[station]:
            m.utilisation[place.name] = linear(busy[station]) <= limit


def _memory(f: Formulation) -> None:
    """Σ alpha·m + working memory + runtimes ≤ memory; weights in flash where a device has one; own memory of units.

    What services share is counted once: a variable ``loaded`` that is at least each of their alpha, a ``resident``.
    """
    m, compiled, stores = f.model, f.compiled, f.compiled.stores
    held: dict[int, Terms] = defaultdict(list)
    m.working = pyo.Var(pyo.Any, domain=pyo.NonNegativeReals, dense=False)
    m.working_memory = pyo.Constraint(pyo.Any)
    m.resident = pyo.Var(pyo.Any, domain=pyo.NonNegativeReals, bounds=(0, 1), dense=False)
    m.runtime = pyo.Constraint(pyo.Any)
    m.loaded = pyo.Var(pyo.Any, domain=pyo.NonNegativeReals, bounds=(0, 1), dense=False)
    m.weights_once = pyo.Constraint(pyo.Any)
    for index, variant, layer, station, alpha in placed(f):
        name, unit_name = variant.layers[layer], compiled.stations[station].name
        owner = f.network(compiled.sharing.first[index])
        if variant.weights[layer] > 0:
            if compiled.sharing.alone[index]:
                held[stores.weights[station]].append((variant.weights[layer] * MB, alpha))
            else:
                here = (owner, name, unit_name)
                if here not in m.loaded:
                    held[stores.weights[station]].append((variant.weights[layer] * MB, m.loaded[here]))
                row = linear([(1.0, alpha), (-1.0, m.loaded[here])])
                m.weights_once[(f.network(index), name, unit_name)] = row <= 0
        if variant.activations[layer, station] > 0:
            if unit_name not in m.working:
                held[stores.working[station]].append((float(stores.servers[station]), m.working[unit_name]))
            row = linear([(variant.activations[layer, station] * MB, alpha), (-1.0, m.working[unit_name])])
            m.working_memory[f.network(index), name, unit_name] = row <= 0
        if variant.runtime_memory[station] > 0:
            process = (owner, compiled.device_names[compiled.station_device[station]])
            if process not in m.resident:
                held[stores.runtime[station]].append((variant.runtime_memory[station] * MB, m.resident[process]))
            row = linear([(1.0, alpha), (-1.0, m.resident[process])])
            m.runtime[f.network(index), name, unit_name] = row <= 0
    m.memory = pyo.Constraint(pyo.Any)
    m.flash = pyo.Constraint(pyo.Any)
    own = 2 * stores.devices
    for store in sorted(held):
        family, size = stores.family(store), stores.capacity[store] * MB
        unit = compiled.stations[store - own] if store >= own else None
        device = compiled.device_names[store % stores.devices if unit is None else unit.device]
        key = device if unit is None else (unit.name, "own")
        if np.isfinite(size):
            (m.flash if family == "flash" else m.memory)[key] = linear(held[store]) <= size


def limit_moves(f: Formulation, old: Placement, most: int) -> None:
    """Σ (1 − alpha[old]) ≤ most: at most so many layers move away from where they are deployed."""
    f.model.moves = pyo.Constraint(pyo.Any)
    stay: Terms = []
    layers = 0
    for index, stations in zip(old.choice, old.stations, strict=True):
        layers += len(stations)
        domain = f.domains.get(index)
        for layer, station in enumerate(stations):
            if domain is not None and domain.usable[layer, station]:
                stay.append((1.0, f.alpha(index, layer, station)))
    f.model.moves["most"] = linear(stay) >= layers - most if stay else pyo.Constraint.Infeasible


def forbid_splitting(f: Formulation) -> None:
    """All layers of a service on one node: the single-node baseline."""
    f.model.whole = pyo.Constraint(pyo.Any)
    for index, domain in f.domains.items():
        variant, network = domain.variant, f.network(index)
        for station, place in enumerate(f.compiled.stations):
            for layer in range(1, len(variant)):
                here: Terms = []
                if domain.usable[layer, station]:
                    here.append((1.0, f.alpha(index, layer, station)))
                if domain.usable[layer - 1, station]:
                    here.append((-1.0, f.alpha(index, layer - 1, station)))
                if here:
                    f.model.whole[network, variant.layers[layer], place.name] = linear(here) == 0
