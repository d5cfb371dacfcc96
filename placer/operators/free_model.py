"""The free problem as a MILP: every unit on any device.

Accelerators are alike, and so are CPUs: the r-th heaviest unit is kept off the accelerators (CPUs) behind the
r-th, which loses no answer but its renumberings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyomo.core as pyo
from pyomo.common.collections import ComponentMap

from placer.operators.graph import Ints, OperatorGraph
from placer.operators.units import Units
from placer.solver.result import Values


@dataclass(frozen=True)
class FreeModel:
    """The Pyomo model and how to read it.

    Attributes:
        model: minimises ``largest``, in multiples of the scale.
        graph, units: what is placed.
        rank: units, heaviest first.
    """

    model: Any
    graph: OperatorGraph
    units: Units
    rank: Ints

    def start(self, at: Ints) -> Values:
        """Return values of the placement variables for an answer, its devices renumbered by the ranks."""
        k = self.graph.accelerators
        new = np.full(k + self.graph.cpus, -1, dtype=np.int64)
        accelerator, cpu = 0, k
        for device in [int(d) for d in at[self.rank]]:
            if new[device] < 0:
                new[device] = accelerator if device < k else cpu
                accelerator, cpu = accelerator + (device < k), cpu + (device >= k)
        m = self.model
        values: Values = ComponentMap((m.on[u, d], float(new[at[u]] == d)) for u in m.units for d in m.devices)
        return values

    def devices(self, values: Values) -> Ints:
        """Return the device of each unit from the values of a solution."""
        m = self.model
        return np.array([max(m.devices, key=lambda d: values.get(m.on[u, d], 0.0)) for u in m.units], dtype=np.int64)


def free_model(graph: OperatorGraph, units: Units, scale: float, limit: float | None) -> FreeModel:
    """Return the model of two or more devices.

    Args:
        graph, units: what is placed.
        scale: the model's loads are multiples of it.
        limit: multiples of ``scale`` that a load may have at most; None for no limit.
    """
    m = pyo.ConcreteModel()
    k = graph.accelerators
    m.units = range(len(units))
    m.devices = range(k + graph.cpus)
    m.nets = range(len(units.nets))
    m.on = pyo.Var(m.units, m.devices, domain=pyo.Binary)
    m.cut = pyo.Var(m.nets, range(k), bounds=(0.0, 1.0))
    m.largest = pyo.Var(bounds=(0.0, limit))
    m.least = pyo.Objective(expr=m.largest)
    m.somewhere = pyo.Constraint(m.units, rule=lambda m, u: sum(m.on[u, d] for d in m.devices) == 1.0)
    rank = np.argsort(-units.accelerator, kind="stable")
    for position, u in enumerate(rank):
        for d in m.devices:
            if position < (d if d < k else d - k) or (d < k and not units.supported[u]):
                m.on[int(u), d].fix(0.0)
    _add_loads(m, graph, units, scale)
    return FreeModel(m, graph, units, rank)


def _add_loads(m: Any, graph: OperatorGraph, units: Units, scale: float) -> None:
    accelerator, host, cost = units.accelerator / scale, units.cpu / scale, units.cost / scale
    k = graph.accelerators
    m.cuts = pyo.ConstraintList()
    m.loads = pyo.ConstraintList()
    m.memory = pyo.ConstraintList()
    tight = float(units.size.sum()) > graph.memory
    share = units.size / max(graph.memory, 1.0)
    for d in m.devices:
        if d >= k:
            m.loads.add(sum(float(host[u]) * m.on[u, d] for u in m.units) <= m.largest)
            continue
        for h in m.nets:
            hub, *others = units.nets[h]
            for other in others:
                m.cuts.add(m.cut[h, d] >= m.on[hub, d] - m.on[other, d])
                m.cuts.add(m.cut[h, d] >= m.on[other, d] - m.on[hub, d])
        work = sum(float(accelerator[u]) * m.on[u, d] for u in m.units)
        m.loads.add(work + sum(float(cost[h]) * m.cut[h, d] for h in m.nets) <= m.largest)
        if tight:
            m.memory.add(sum(float(share[u]) * m.on[u, d] for u in m.units) <= (1.0 if graph.memory else 0.0))
