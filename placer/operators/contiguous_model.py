"""The contiguous problem as a MILP over prefixes (Tarnawski et al., with the CPU stages as slots of their own).

A chain has one slot for each accelerator and, before, between and behind them, slots for CPUs of which as
many as there are CPUs may be used. ``prefix[u, m]`` = unit u stands in slot m or an earlier one; it is
monotone in m and along the arcs; differences say where a unit is.
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
class ContiguousModel:
    """The Pyomo model and how to read it.

    Attributes:
        model: minimises ``largest``.
        slots: device kind of each slot: the accelerator's number, or -1 for a CPU.
    """

    model: Any
    graph: OperatorGraph
    units: Units
    slots: tuple[int, ...]

    def start(self, row_of_device: Ints, at: Ints) -> Values:
        """Return values of the prefix variables for an answer.

        Args:
            row_of_device: shape (D,), place of each device in the chain.
            at: shape (U,), device of each unit.
        """
        slot = self._slots_of(row_of_device, at)
        m = self.model
        values: Values = ComponentMap()
        for s in m.host_slots:
            values[m.used[s]] = float((slot == s).any())
        for u in m.units:
            for s in m.inner:
                values[m.prefix[u, s]] = float(slot[u] <= s)
        return values

    def _slots_of(self, row_of_device: Ints, at: Ints) -> Ints:
        slot_of: dict[int, int] = {}
        position = 0
        for device in np.argsort(row_of_device):
            if not (at == device).any():
                continue
            host = device >= self.graph.accelerators
            while (self.slots[position] < 0) != host:
                position += 1
            slot_of[int(device)] = position
            position += 1
        return np.array([slot_of[int(d)] for d in at], dtype=np.int64)

    def devices(self, values: Values) -> Ints:
        """Return the device of each unit from the values of a solution."""
        m = self.model
        inner = list(m.inner)
        slot = [sum(values.get(m.prefix[u, s], 0.0) < 0.5 for s in inner) for u in m.units]
        hosts = sorted({s for s in slot if self.slots[s] < 0})
        host_number = {s: self.graph.accelerators + number for number, s in enumerate(hosts)}
        return np.array([host_number[s] if s in host_number else self.slots[s] for s in slot], dtype=np.int64)


def contiguous_model(graph: OperatorGraph, units: Units, scale: float, limit: float | None) -> ContiguousModel:
    """Return the model of two or more devices.

    Args:
        graph, units: what is placed.
        scale: the model's loads are multiples of it, so that the solver's tolerances mean the same on all graphs.
        limit: multiples of ``scale`` that a load may have at most; None for no limit.
    """
    slots: list[int] = [-1] * graph.cpus
    for accelerator in range(graph.accelerators):
        slots += [accelerator, *([-1] * graph.cpus)]
    m = pyo.ConcreteModel()
    last = len(slots) - 1
    m.units = range(len(units))
    m.inner = range(last)
    m.host_slots = [s for s, kind in enumerate(slots) if kind < 0]
    m.call_slots = [s for s, kind in enumerate(slots) if kind >= 0]
    m.nets = range(len(units.nets))
    m.prefix = pyo.Var(m.units, m.inner, domain=pyo.Binary)
    m.used = pyo.Var(m.host_slots, domain=pyo.Binary)
    m.cut = pyo.Var(m.nets, m.call_slots, bounds=(0.0, 1.0))
    m.largest = pyo.Var(bounds=(0.0, limit))
    m.least = pyo.Objective(expr=m.largest)

    def prefix(u: int, s: int) -> Any:
        return 0.0 if s < 0 else (1.0 if s == last else m.prefix[u, s])

    def inside(u: int, s: int) -> Any:
        return prefix(u, s) - prefix(u, s - 1)

    _add_order(m, units, prefix)
    _add_loads(m, graph, units, inside, scale)
    for s in m.call_slots:
        for u in m.units:
            if not units.supported[u]:
                m.order.add(inside(u, s) == 0.0)
    return ContiguousModel(m, graph, units, tuple(slots))


def _add_order(m: Any, units: Units, prefix: Any) -> None:
    m.order = pyo.ConstraintList()
    for u in m.units:
        for s in list(m.inner)[1:]:
            m.order.add(prefix(u, s - 1) <= prefix(u, s))
    for first, second in units.arcs:
        for s in m.inner:
            m.order.add(prefix(int(first), s) >= prefix(int(second), s))


def _add_loads(m: Any, graph: OperatorGraph, units: Units, inside: Any, scale: float) -> None:
    accelerator, host, cost = units.accelerator / scale, units.cpu / scale, units.cost / scale
    m.cuts = pyo.ConstraintList()
    m.loads = pyo.ConstraintList()
    m.memory = pyo.ConstraintList()
    m.hosts = pyo.ConstraintList()
    tight = float(units.size.sum()) > graph.memory
    for s in m.call_slots:
        for h in m.nets:
            hub, *others = units.nets[h]
            for other in others:
                m.cuts.add(m.cut[h, s] >= inside(hub, s) - inside(other, s))
                m.cuts.add(m.cut[h, s] >= inside(other, s) - inside(hub, s))
        work = sum(float(accelerator[u]) * inside(u, s) for u in m.units)
        moved = sum(float(cost[h]) * m.cut[h, s] for h in m.nets)
        m.loads.add(work + moved <= m.largest)
        if tight:
            share = units.size / max(graph.memory, 1.0)
            m.memory.add(sum(float(share[u]) * inside(u, s) for u in m.units) <= (1.0 if graph.memory else 0.0))
    for s in m.host_slots:
        m.loads.add(sum(float(host[u]) * inside(u, s) for u in m.units) <= m.largest)
        for u in m.units:
            m.hosts.add(inside(u, s) <= m.used[s])
    if m.host_slots:
        m.hosts.add(sum(m.used[s] for s in m.host_slots) <= graph.cpus)
        total = sum(float(host[u]) * inside(u, s) for u in m.units for s in m.host_slots)
        m.loads.add(total <= graph.cpus * m.largest)
