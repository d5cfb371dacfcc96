"""Simulated annealing of an assignment towards a target load, in the subset of Python that numba compiles.

The energy is what the loads exceed the target by (relative to it), plus what the bytes exceed the memory by.
Moving unit u from device a to b changes the loads of a and b alone: a net of u with ``size`` pins, of which
a holds x (u among them) and b holds y, costs a ``(x > 1) - (x < size)`` more and b ``(y + 1 < size) - (y > 0)``.
Energy 0 means that the target is met. Without numba the same function runs as it stands, slower.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from placer.jit import have_numba, helper, version
from placer.operators.graph import Floats, Ints, OperatorGraph
from placer.operators.units import Units


class Rows(NamedTuple):
    """A graph as the kernel reads it: U units, H nets, A accelerators, then CPUs: D devices.

    Attributes:
        accelerators, memory: of the graph.
        chain: whether arcs must not run back in the row of the devices (``place``).
        work, host, size, supported: of the units, shape (U,).
        net_start, net_pins, net_cost, unit_start, unit_nets: the nets, and the nets of each unit (CSR).
        before_start, before, after_start, after: the arcs (CSR).
        place: shape (D,), place of each device in the row.
    """

    accelerators: int
    memory: float
    chain: bool
    work: Floats
    host: Floats
    size: Floats
    supported: Ints
    net_start: Ints
    net_pins: Ints
    net_cost: Floats
    unit_start: Ints
    unit_nets: Ints
    before_start: Ints
    before: Ints
    after_start: Ints
    after: Ints
    place: Ints


class Loads(NamedTuple):
    """What the devices carry.

    Attributes:
        held: pins of each net on each device, shape (H·D,).
        load, used: work with transfers, and bytes, of each device, shape (D,).
    """

    held: Ints
    load: Floats
    used: Floats


def anneal(rows: Rows, at: Ints, target: float, hot: float, cold: float, random: Floats) -> float:
    """Change ``at`` (device of each unit) by moves of one unit, and return its energy.

    Args:
        rows: the graph.
        at: device of each unit; changed.
        target: load that no device should exceed.
        hot, cold: temperatures at the first and the last step; geometric between them.
        random: uniform in [0, 1), shape (4·steps,): one step is one move tried.
    """
    steps, devices = len(random) // 4, len(rows.place)
    # most steps end before a helper is called: those read these
    unit_start, unit_nets, net_start, net_pins = rows.unit_start, rows.unit_nets, rows.net_start, rows.net_pins
    accelerators, supported, chain = rows.accelerators, rows.supported, rows.chain
    loads = _loads(rows, at)
    energy = _energy(rows, loads, target)
    temperature = hot
    factor = (cold / hot) ** (1.0 / max(steps, 1))
    for step in range(steps):
        if energy <= 1e-12:
            break
        temperature *= factor
        u = int(random[4 * step] * len(at))
        a = at[u]
        # mostly where another pin of one of its nets is, else anywhere
        b = int(random[4 * step + 2] * devices)
        pick, count = random[4 * step + 1], unit_start[u + 1] - unit_start[u]
        if pick < 0.8 and count > 0:
            h = unit_nets[unit_start[u] + int(pick / 0.8 * count)]
            pins = net_start[h + 1] - net_start[h]
            b = at[net_pins[net_start[h] + int(random[4 * step + 2] * pins)]]
        if a == b or (b < accelerators and supported[u] == 0):
            continue
        if chain and not _in_order(rows, at, u, b):
            continue
        less, more = _shifts(rows, loads, u, a, b)
        change = _change(rows, loads, u, a, less, b, more, target)
        if change > 0.0 and random[4 * step + 3] >= np.exp(-change / temperature):
            continue
        at[u] = b
        _move(rows, loads, u, a, less, b, more)
        energy += change
    return energy


@helper
def _loads(rows: Rows, at: Ints) -> Loads:
    """What the devices carry under ``at``."""
    devices, nets = len(rows.place), len(rows.net_cost)
    loads = Loads(np.zeros(nets * devices, dtype=np.int64), np.zeros(devices), np.zeros(devices))
    for u in range(len(at)):
        d = at[u]
        loads.load[d] += rows.work[u] if d < rows.accelerators else rows.host[u]
        loads.used[d] += rows.size[u]
    for h in range(nets):
        pins = rows.net_start[h + 1] - rows.net_start[h]
        for p in range(rows.net_start[h], rows.net_start[h + 1]):
            loads.held[h * devices + at[rows.net_pins[p]]] += 1
        for d in range(rows.accelerators):
            if 0 < loads.held[h * devices + d] < pins:
                loads.load[d] += rows.net_cost[h]
    return loads


@helper
def _energy(rows: Rows, loads: Loads, target: float) -> float:
    energy = 0.0
    for d in range(len(rows.place)):
        energy += max(loads.load[d] / target - 1.0, 0.0)
        if d < rows.accelerators:
            energy += max(loads.used[d] - rows.memory, 0.0) / (rows.memory + 1.0)
    return energy


@helper
def _in_order(rows: Rows, at: Ints, u: int, b: int) -> bool:
    """Whether no arc of the unit runs back in the row of the devices when the unit is on device b."""
    for p in range(rows.before_start[u], rows.before_start[u + 1]):
        if rows.place[at[rows.before[p]]] > rows.place[b]:
            return False
    for p in range(rows.after_start[u], rows.after_start[u + 1]):
        if rows.place[at[rows.after[p]]] < rows.place[b]:
            return False
    return True


@helper
def _shifts(rows: Rows, loads: Loads, u: int, a: int, b: int) -> tuple[float, float]:
    """What the loads of devices a and b change by when unit u goes from a to b."""
    devices = len(rows.place)
    less = -(rows.work[u] if a < rows.accelerators else rows.host[u])
    more = rows.work[u] if b < rows.accelerators else rows.host[u]
    for p in range(rows.unit_start[u], rows.unit_start[u + 1]):
        h = rows.unit_nets[p]
        pins = rows.net_start[h + 1] - rows.net_start[h]
        if a < rows.accelerators:
            x = loads.held[h * devices + a]
            less += rows.net_cost[h] * ((1 if x > 1 else 0) - (1 if x < pins else 0))
        if b < rows.accelerators:
            y = loads.held[h * devices + b]
            more += rows.net_cost[h] * ((1 if y + 1 < pins else 0) - (1 if y > 0 else 0))
    return less, more


@helper
def _change(rows: Rows, loads: Loads, u: int, a: int, less: float, b: int, more: float, target: float) -> float:
    """What the energy changes by when unit u goes from device a, whose load changes by less, to b."""
    load, used, memory = loads.load, loads.used, rows.memory
    change: float = (
        max((load[a] + less) / target - 1.0, 0.0)
        - max(load[a] / target - 1.0, 0.0)
        + max((load[b] + more) / target - 1.0, 0.0)
        - max(load[b] / target - 1.0, 0.0)
    )
    if a < rows.accelerators:
        change += (max(used[a] - rows.size[u] - memory, 0.0) - max(used[a] - memory, 0.0)) / (memory + 1.0)
    if b < rows.accelerators:
        change += (max(used[b] + rows.size[u] - memory, 0.0) - max(used[b] - memory, 0.0)) / (memory + 1.0)
    return change


@helper
def _move(rows: Rows, loads: Loads, u: int, a: int, less: float, b: int, more: float) -> None:
    loads.load[a] += less
    loads.load[b] += more
    loads.used[a] -= rows.size[u]
    loads.used[b] += rows.size[u]
    devices = len(rows.place)
    for p in range(rows.unit_start[u], rows.unit_start[u + 1]):
        h = rows.unit_nets[p]
        loads.held[h * devices + a] -= 1
        loads.held[h * devices + b] += 1


def _csr(lists: tuple[tuple[int, ...], ...]) -> tuple[Ints, Ints]:
    start = np.concatenate([[0], np.cumsum([len(found) for found in lists])]).astype(np.int64)
    return start, np.array([item for found in lists for item in found], dtype=np.int64)


@dataclass(frozen=True)
class Annealer:
    """The units of one graph, ready for :func:`anneal`.

    Attributes:
        graph, units: what is placed.
        chain: whether arcs bind.
    """

    graph: OperatorGraph
    units: Units
    chain: bool

    @cached_property
    def _rows(self) -> Rows:
        units = self.units
        net_start, net_pins = _csr(units.nets)
        unit_start, unit_nets = _csr(units.nets_of)
        before_start, before = _csr(units.before)
        after_start, after = _csr(units.after)
        return Rows(
            accelerators=self.graph.accelerators,
            memory=float(self.graph.memory),
            chain=self.chain,
            work=units.accelerator,
            host=units.cpu,
            size=units.size,
            supported=units.supported.astype(np.int64),
            net_start=net_start,
            net_pins=net_pins,
            net_cost=units.cost,
            unit_start=unit_start,
            unit_nets=unit_nets,
            before_start=before_start,
            before=before,
            after_start=after_start,
            after=after,
            place=np.zeros(0, dtype=np.int64),
        )

    def run(
        self, at: Ints, target: float, rng: np.random.Generator, steps: int, hot: float, place: Ints | None = None
    ) -> tuple[Ints, bool]:
        """Return what ``at`` becomes and whether all its loads are within ``target``."""
        place = np.arange(self.graph.accelerators + self.graph.cpus) if place is None else place
        at = at.copy()
        rows = self._rows._replace(place=place.astype(np.int64))
        energy = version(anneal)(rows, at, target, hot, hot / 100.0, rng.random(4 * steps))
        return at, bool(energy <= 1e-12)


def steps_per_run() -> int:
    """Moves of one run: about a quarter of a second, compiled or not."""
    return 400_000 if have_numba() else 20_000
