"""The master programme: which mixture, or which choice, of known placements is best under all rows.

A linear programme that grows: columns as they are found, rows once something breaks them. Rows may be exceeded at a
price, so that there are always prices to go by.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.instance.compiled import Floats
from placer.planning.columns.coupling import Column, Coupling
from placer.planning.columns.tariffs import Prices
from placer.solver.highs import LinearProgram
from placer.solver.progress import Limits

MB = 1e-6
BREAKS = 1e-7
"""A row is broken when it is exceeded by this."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """What the linear programme says.

    Attributes:
        value: its objective, with what exceeded rows cost.
        prices: of the rows.
        service: what a column of each service may cost to be worth it, shape (S,).
        weights: of the columns, in their order.
        exceeded: whether some row is.
    """

    value: float
    prices: Prices
    service: Floats
    weights: Floats
    exceeded: bool


class Master:
    """The columns known and the rows that matter.

    Attributes:
        coupling: all rows.
        columns: in the order in which they came.
    """

    def __init__(self, coupling: Coupling, penalty: float) -> None:
        self.coupling, self.penalty = coupling, penalty
        self.services = len(coupling.compiled.instance.services)
        self.columns: list[Column] = []
        self._known: set[tuple[int, tuple[int, ...]]] = set()
        empty = np.zeros((self.services, 0))
        self._lp = LinearProgram(np.zeros(0), empty, np.ones(self.services), np.ones(self.services))
        for service in range(self.services):
            self._lp.add_column(1e3 * penalty, np.inf, {service: 1.0})
        self._numbers: list[int] = []
        self._rows: dict[int, int] = {}
        self._shares: dict[tuple[int, int], int] = {}
        self._held: dict[int, int] = {}
        self._slack: list[int] = []
        self._largest = self._lp.add_column(1.0, np.inf, {}) if coupling.largest else -1

    def service_of(self, column: Column) -> int:
        """Whose placement a column is."""
        return self.coupling.compiled.variants[column.choice].service

    def add(self, column: Column) -> bool:
        """Take a column in; False when it is there."""
        key = column.choice, column.stations
        if key in self._known:
            return False
        self._known.add(key)
        service = self.service_of(column)
        entries = {service: 1.0}
        for row, taken in zip(column.rows.tolist(), column.taken.tolist(), strict=True):
            if row in self._rows:
                entries[self._rows[row]] = taken
            elif self.coupling.is_stage(row):
                self._add_row(row)
                entries[self._rows[row]] = taken
        for shared, size in column.shared.items():
            if (service, shared) in self._shares:
                entries[self._shares[service, shared]] = size * MB
        self.columns.append(column)
        self._numbers.append(self._lp.add_column(column.cost, np.inf, entries))
        return True

    def _add_row(self, row: int) -> None:
        coupling, entries = self.coupling, {}
        for number, column in zip(self._numbers, self.columns, strict=True):
            place = int(np.searchsorted(column.rows, row))
            if place < len(column.rows) and column.rows[place] == row:
                entries[number] = float(column.taken[place])
        if coupling.is_stage(row):
            entries[self._largest] = -1.0
        self._rows[row] = self._lp.add_row(-np.inf, coupling.right(row), entries)
        if not coupling.is_stage(row):
            self._slack.append(self._lp.add_column(self.penalty, np.inf, {self._rows[row]: -1.0}))

    def raise_penalty(self, factor: float) -> None:
        """Let exceeded rows cost more."""
        self.penalty *= factor
        for column in self._slack:
            self._lp.set_cost(column, self.penalty)
        for service in range(self.services):
            self._lp.set_cost(service, 1e3 * self.penalty)

    def solve(self) -> Mixture:
        """The best mixture; rows that it breaks are taken in until there are none."""
        while True:
            status, value, values = self._lp.solve()
            if status != "optimal":
                raise ArithmeticError(f"the master programme ended with status {status}")
            if not self._take_broken(values):
                break
        duals = np.maximum(-self._lp.duals(), 0.0)
        prices = Prices(
            {row: float(duals[number]) for row, number in self._rows.items() if duals[number] > 0},
            {key: float(duals[number]) * MB for key, number in self._shares.items() if duals[number] > 0},
        )
        service = self._lp.duals()[: self.services]
        exceeded = bool((values[self._slack] > BREAKS).any() or (values[: self.services] > BREAKS).any())
        return Mixture(value, prices, service, values[self._numbers], exceeded)

    def _take_broken(self, values: Floats) -> bool:
        """Add the rows that a mixture breaks; whether there were any."""
        weights = values[self._numbers]
        chosen = [(w, column) for w, column in zip(weights, self.columns, strict=True) if w > 1e-9]
        total: dict[int, float] = {}
        shares: dict[tuple[int, int], float] = {}
        for weight, column in chosen:
            service = self.service_of(column)
            for row, taken in zip(column.rows.tolist(), column.taken.tolist(), strict=True):
                total[row] = total.get(row, 0.0) + weight * taken
            for shared, size in column.shared.items():
                shares[service, shared] = shares.get((service, shared), 0.0) + weight * size
        held: dict[int, float] = {}
        for (_, shared), size in shares.items():
            held[shared] = max(held.get(shared, 0.0), size)
        for shared, size in held.items():
            store = self.coupling.store_of(shared)
            if np.isfinite(self.coupling.limit(store)):
                total[store] = total.get(store, 0.0) + size / self.coupling.scale(store)
        broken = {row for row, load in total.items() if load > self._right(row, values) + BREAKS}
        fresh = [row for row in sorted(broken) if row not in self._rows]
        for row in fresh:
            self._add_row(row)
        some = bool(fresh)
        for (service, shared), size in shares.items():
            if (service, shared) in self._shares or self.coupling.store_of(shared) not in broken:
                continue
            place = self._held.get(shared, len(values))
            known = float(values[place]) / MB if place < len(values) else 0.0
            if size > known * (1 + BREAKS):
                self._add_share(service, shared)
                some = True
        return some

    def _right(self, row: int, values: Floats) -> float:
        if self.coupling.is_stage(row):
            return float(values[self._largest])
        return self.coupling.right(row)

    def _add_share(self, service: int, shared: int) -> None:
        """What a service needs of something shared is at most what is held of it, which its memory counts."""
        if shared not in self._held:
            store = self.coupling.store_of(shared)
            if store not in self._rows:
                self._add_row(store)
            scale = 1.0 / (MB * self.coupling.scale(store))
            self._held[shared] = self._lp.add_column(0.0, np.inf, {self._rows[store]: scale})
        entries = {self._held[shared]: -1.0}
        for number, column in zip(self._numbers, self.columns, strict=True):
            if shared in column.shared and self.service_of(column) == service:
                entries[number] = column.shared[shared] * MB
        self._shares[service, shared] = self._lp.add_row(-np.inf, 0.0, entries)

    def choose(self, picked: list[Column], limits: Limits) -> tuple[float, list[Column] | None]:
        """One of ``picked`` for each service at the least cost: a bound for them, and the choice (None for none).

        Solved anew with rows that the choice breaks until it breaks none.
        """
        part = Master(self.coupling, self.penalty)
        countdown = limits.start()
        for column in picked:
            part.add(column)
        part.solve()
        for row in self._rows:
            if row not in part._rows:
                part._add_row(row)
        while True:
            for column in (*part._slack, *range(self.services)):
                part._lp.set_column(column, 0.0, 0.0)
            bound, values = part._lp.solve_integer(part._numbers, limits.within(countdown))
            if not len(values):
                return bound, None
            if not part._take_broken(values) or countdown.over:
                break
        chosen: list[Column | None] = [None] * self.services
        for number, column in zip(part._numbers, part.columns, strict=True):
            if values[number] > 0.5:
                chosen[self.service_of(column)] = column
        return bound, [column for column in chosen if column is not None]
