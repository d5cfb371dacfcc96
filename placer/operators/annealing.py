"""Simulated annealing of an assignment towards a target load, in the subset of Python that numba compiles.

The energy is what the loads exceed the target by (relative to it), plus what the bytes exceed the memory by.
Moving unit u from device a to b changes the loads of a and b alone: a net of u with ``size`` pins, of which
a holds x (u among them) and b holds y, costs a ``(x > 1) - (x < size)`` more and b ``(y + 1 < size) - (y > 0)``.
Energy 0 means that the target is met. Without numba the same function runs as it stands, slower.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.jit import have_numba, version
from placer.operators.graph import Floats, Ints, OperatorGraph
from placer.operators.units import Units


def anneal(
    at: Ints,
    target: float,
    hot: float,
    cold: float,
    steps: int,
    chain: bool,
    accelerators: int,
    memory: float,
    work: Floats,
    host: Floats,
    size: Floats,
    supported: Ints,
    net_start: Ints,
    net_pins: Ints,
    net_cost: Floats,
    unit_start: Ints,
    unit_nets: Ints,
    before_start: Ints,
    before: Ints,
    after_start: Ints,
    after: Ints,
    place: Ints,
    held: Ints,
    load: Floats,
    used: Floats,
    random: Floats,
) -> float:
    """Change ``at`` (device of each unit) by at most ``steps`` moves, and return its energy.

    Args:
        at: device of each unit; changed.
        target: load that no device should exceed.
        hot, cold: temperatures at the first and the last step; geometric between them.
        steps: number of moves tried.
        chain: whether arcs must not run back in the row of the devices (``place``).
        accelerators, memory: of the graph.
        work, host, size, supported: of the units.
        net_start, net_pins, net_cost, unit_start, unit_nets: the nets, and the nets of each unit (CSR).
        before_start, before, after_start, after: the arcs (CSR).
        place: shape (D,), place of each device in the row.
        held: shape (H·D,), scratch: pins of each net on each device.
        load, used: shape (D,), scratch.
        random: shape (4·steps,), uniform in [0, 1).
    """
    units, devices, nets = len(at), len(load), len(net_cost)
    for d in range(devices):
        load[d] = 0.0
        used[d] = 0.0
    for h in range(nets * devices):
        held[h] = 0
    for u in range(units):
        d = at[u]
        load[d] += work[u] if d < accelerators else host[u]
        used[d] += size[u]
    for h in range(nets):
        pins = net_start[h + 1] - net_start[h]
        for p in range(net_start[h], net_start[h + 1]):
            held[h * devices + at[net_pins[p]]] += 1
        for d in range(accelerators):
            if 0 < held[h * devices + d] < pins:
                load[d] += net_cost[h]
    energy = 0.0
    for d in range(devices):
        energy += max(load[d] / target - 1.0, 0.0)
        if d < accelerators:
            energy += max(used[d] - memory, 0.0) / (memory + 1.0)
    temperature = hot
    factor = (cold / hot) ** (1.0 / max(steps, 1))
    for step in range(steps):
        if energy <= 1e-12:
            break
        temperature *= factor
        u = int(random[4 * step] * units)
        a = at[u]
        b = a
        pick = random[4 * step + 1]
        count = unit_start[u + 1] - unit_start[u]
        if pick < 0.8 and count > 0:
            h = unit_nets[unit_start[u] + int(pick / 0.8 * count)]
            pins = net_start[h + 1] - net_start[h]
            b = at[net_pins[net_start[h] + int(random[4 * step + 2] * pins)]]
        else:
            b = int(random[4 * step + 2] * devices)
        if a == b or (b < accelerators and supported[u] == 0):
            continue
        if chain:
            allowed = True
            for p in range(before_start[u], before_start[u + 1]):
                if place[at[before[p]]] > place[b]:
                    allowed = False
                    break
            if allowed:
                for p in range(after_start[u], after_start[u + 1]):
                    if place[at[after[p]]] < place[b]:
                        allowed = False
                        break
            if not allowed:
                continue
        less = -(work[u] if a < accelerators else host[u])
        more = work[u] if b < accelerators else host[u]
        for p in range(unit_start[u], unit_start[u + 1]):
            h = unit_nets[p]
            pins = net_start[h + 1] - net_start[h]
            if a < accelerators:
                x = held[h * devices + a]
                less += net_cost[h] * ((1 if x > 1 else 0) - (1 if x < pins else 0))
            if b < accelerators:
                y = held[h * devices + b]
                more += net_cost[h] * ((1 if y + 1 < pins else 0) - (1 if y > 0 else 0))
        change = (
            max((load[a] + less) / target - 1.0, 0.0)
            - max(load[a] / target - 1.0, 0.0)
            + max((load[b] + more) / target - 1.0, 0.0)
            - max(load[b] / target - 1.0, 0.0)
        )
        if a < accelerators:
            change += (max(used[a] - size[u] - memory, 0.0) - max(used[a] - memory, 0.0)) / (memory + 1.0)
        if b < accelerators:
            change += (max(used[b] + size[u] - memory, 0.0) - max(used[b] - memory, 0.0)) / (memory + 1.0)
        if change > 0.0 and random[4 * step + 3] >= np.exp(-change / temperature):
            continue
        at[u] = b
        load[a] += less
        load[b] += more
        used[a] -= size[u]
        used[b] += size[u]
        energy += change
        for p in range(unit_start[u], unit_start[u + 1]):
            h = unit_nets[p]
            held[h * devices + a] -= 1
            held[h * devices + b] += 1
    return energy


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

    def run(
        self, at: Ints, target: float, rng: np.random.Generator, steps: int, hot: float, place: Ints | None = None
    ) -> tuple[Ints, bool]:
        """Return what ``at`` becomes and whether all its loads are within ``target``."""
        units, devices = self.units, self.graph.accelerators + self.graph.cpus
        place = np.arange(devices) if place is None else place
        at = at.copy()
        energy = version(anneal)(
            at,
            target,
            hot,
            hot / 100.0,
            steps,
            self.chain,
            self.graph.accelerators,
            self.graph.memory,
            units.accelerator,
            units.cpu,
            units.size,
            units.supported.astype(np.int64),
            *_csr(units.nets),
            units.cost,
            *_csr(units.nets_of),
            *_csr(units.before),
            *_csr(units.after),
            place.astype(np.int64),
            np.zeros(len(units.nets) * devices, dtype=np.int64),
            np.zeros(devices),
            np.zeros(devices),
            rng.random(4 * steps),
        )
        return at, bool(energy <= 1e-12)


def steps_per_run() -> int:
    """Moves of one run: about a quarter of a second, compiled or not."""
    return 400_000 if have_numba() else 20_000
