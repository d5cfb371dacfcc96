"""Search for contiguous answers: cuts of many rows, and annealing of the chain."""

from __future__ import annotations

import numpy as np

from placer.operators.annealing import Annealer, steps_per_run
from placer.operators.answer import Record
from placer.operators.graph import Ints, OperatorGraph
from placer.operators.intervals import best_cut, can_beat, interval_loads
from placer.operators.rows import first_rows, row_by, shaken
from placer.operators.units import Units

FIRST = 12
"""Random rows among the first."""


def stages_to_devices(graph: OperatorGraph, row: list[int], stages: tuple[tuple[int, int, bool], ...]) -> Ints:
    """Return the device of each unit: accelerators and CPUs numbered along the row."""
    at = np.zeros(len(row), dtype=np.int64)
    accelerator, cpu = 0, graph.accelerators
    for start, end, host in stages:
        at[np.asarray(row[start:end])] = cpu if host else accelerator
        cpu, accelerator = cpu + host, accelerator + (not host)
    return at


class ChainSearch:
    """Local search over rows and over chains; all answers go through the record."""

    def __init__(self, record: Record, units: Units, rng: np.random.Generator) -> None:
        self.record, self.units, self.rng = record, units, rng
        self.graph = record.graph
        self.cpus = min(self.graph.cpus, len(units))
        self.accelerators = min(self.graph.accelerators, len(units))
        self.annealer = Annealer(self.graph, units, chain=True)
        self.row: list[int] = []
        self.at: Ints | None = None
        self.place: Ints = np.arange(self.graph.accelerators + self.graph.cpus)

    def try_row(self, row: list[int], by: str) -> bool:
        """Cut a row where that beats the best; say whether it did."""
        loads = interval_loads(self.graph, self.units, row)
        if self.row and not can_beat(loads, self.accelerators, self.cpus, self.record.value * (1 - 1e-9)):
            return False
        cut = best_cut(loads, self.accelerators, self.cpus)
        if not cut.stages:
            return False
        at = stages_to_devices(self.graph, row, cut.stages)
        if not self.record.offer(self.units.spread(at), by):
            return False
        self._remember(row, at)
        return True

    def _remember(self, row: list[int], at: Ints) -> None:
        self.row, self.at = row, at
        seen = list(dict.fromkeys(int(at[unit]) for unit in row))
        rest = [d for d in range(len(self.place)) if d not in seen]
        self.place[np.asarray(seen + rest)] = np.arange(len(self.place))

    def start(self) -> None:
        """Cut the first rows."""
        for row in first_rows(self.units, self.rng, FIRST):
            self.try_row(row, "row")

    def shake(self, tries: int) -> bool:
        """Cut rows near the best one."""
        found = False
        for _ in range(tries):
            if self.record.left <= 0.0 or not self.row:
                break
            width = float(np.exp(self.rng.uniform(np.log(0.7), np.log(max(len(self.row) / 4, 2.0)))))
            found |= self.try_row(shaken(self.units, self.row, self.rng, width), "row")
        return found

    def anneal(self) -> bool:
        """Move units between the stages of the best chain; cut the row that comes out."""
        if self.at is None:
            return False
        target = self.record.value * (1 - 10 ** self.rng.uniform(-4.5, -2))
        hot = 10 ** self.rng.uniform(-4, -1.5)
        place = self.place.copy()
        if self.rng.random() < 0.3:
            self._move_cpu(place)
        at, _ = self.annealer.run(self.at, target, self.rng, steps_per_run(), hot, place)
        key = place[at] * len(at) + np.argsort(np.argsort(self.row))
        row = row_by(self.units.before, self.units.after, key.astype(np.float64))
        found = self.record.offer(self.units.spread(at), "annealing")
        if found:
            self.place = place
            self._remember(row, at)
        return self.try_row(row, "annealing") or found

    def _move_cpu(self, place: Ints) -> None:
        """Swap the place of a device that holds nothing with another's, so that it can be used there."""
        assert self.at is not None
        empty = [d for d in range(len(place)) if not (self.at == d).any()]
        if empty:
            d = int(self.rng.choice(empty))
            order = [int(e) for e in np.argsort(place) if e != d]
            order.insert(int(self.rng.integers(len(order) + 1)), d)
            place[np.asarray(order)] = np.arange(len(place))


def search_chain(record: Record, units: Units, rng: np.random.Generator, seconds: float, patience: float) -> None:
    """Search until ``seconds`` have passed, or ``patience`` seconds without a better answer."""
    search = ChainSearch(record, units, rng)
    search.start()
    begin = last = record.spent
    while search.row and record.spent - begin < seconds and record.spent - last < patience and record.left > 0.0:
        if search.shake(20) | search.anneal():
            last = record.spent
        if record.proven:
            return
