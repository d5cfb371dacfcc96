"""Dantzig-Wolfe: rounds of prices and placements, the bound of Lagrange at each, and what they leave proven.

With prices π ≥ 0 of the rows, Σ over services of the least (cost + price of what is taken) less π times the limits is a
bound on every placement that keeps the rows (Lagrangian relaxation; Dantzig and Wolfe, Operations Research 8, 1960).
Prices are a mean of those of the master programme and of the best bound's (smoothing: Wentges, 1997; Pessoa et al.,
2018), so that they do not jump from one extreme to the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from placer.errors import TimeIsUpError
from placer.plan.placement import Placement
from placer.planning.columns.beam import Walk
from placer.planning.columns.coupling import NOTHING, Column, Coupling
from placer.planning.columns.master import Master, Mixture
from placer.planning.columns.primal import Primal, alone
from placer.planning.columns.search import Search
from placer.planning.columns.sites import Answer, Sites
from placer.planning.columns.solution import worth
from placer.planning.columns.tariffs import Prices, fixed_price, mean, sound
from placer.planning.decomposition.relaxation import CLOSED
from placer.solver.countdown import Countdown
from placer.solver.progress import Limits, Listener, Progress, relative_gap

SMOOTH = 0.6
"""Share of the best bound's prices."""
ROUNDING = 2e-10
"""Relative, taken off every bound."""
PENALTY, RAISED = 3.0, 3
"""What exceeding a limit by all of it costs at first, in the objective's size, and how often that grows tenfold."""
TRIED = 5
"""Rounds after which prices are tried for a placement, while a mixture that keeps every row is sought."""
EXCEEDED = 1e-6
"""By so much of their limits rows must be exceeded for a proof that no placement keeps them."""
LISTED, MOST = 1_000_000, 20_000
"""Numbers in the table of a walk that lists all placements: places kept, times stations; and placements in all."""


@dataclass(eq=False)
class State:
    """What is known.

    Attributes:
        bound: no placement costs less.
        prices, services: at which it was found, and the least cost of each service there.
        infeasible: whether it is proven that there is no placement.
        closed: whether nothing better than the best placement can be left.
    """

    bound: float = -np.inf
    prices: Prices = field(default_factory=Prices)
    services: list[float] = field(default_factory=list)
    infeasible: bool = False
    closed: bool = False


class Rounds:
    """Column generation on one instance.

    Attributes:
        search: the best placement.
        state: what is proven.
        ended: why it ended.
    """

    def __init__(
        self,
        coupling: Coupling,
        sites: Sites,
        floor: float,
        limits: Limits,
        countdown: Countdown,
        listener: Listener | None,
    ) -> None:
        self.coupling, self.sites, self.limits, self.countdown = coupling, sites, limits, countdown
        self.listener = listener
        self.search = Search(coupling, sites, limits.seed)
        self.state = State(floor)
        self.floor = floor
        self.master = Master(coupling, PENALTY * self._scale())
        self.primal = Primal(coupling, sites, self.master, self.search, countdown)
        self.ended: Literal["done", "time-limit", "interrupted"] = "done"

    def _scale(self) -> float:
        """What the objective is like: that of every service at its cheapest, whatever breaks."""
        if self.coupling.objective == NOTHING:
            return 1.0
        answers = []
        for service in range(len(self.sites.choices.groups)):
            if self.countdown.over:  # what the floor says is near enough
                break
            answers.append(self.sites.answer(service, self.state.prices, self.countdown))
        columns = [self.coupling.column(a.choice, a.stations) for a in answers if a.choice >= 0]
        return max(abs(self.floor), worth(self.coupling, columns), 1e-12)

    def offer(self, placement: Placement) -> None:
        """Take a placement that is known."""
        columns = [self.coupling.column(c, s) for c, s in zip(placement.choice, placement.stations, strict=True)]
        for column in columns:
            self.master.add(column)
            self.sites.widen(column.choice, column.stations)
        self.search.offer(columns)

    @property
    def gap(self) -> float:
        """Relative gap of the best placement."""
        return relative_gap(self.search.value, self.state.bound)

    def run(self) -> None:
        """Until the gap is small enough, prices say no more or the time is over."""
        self._ending(self._run)

    def mixed(self) -> None:
        """Until a mixture keeps every row, or it is proven that none does: before placements are looked for at all."""
        self._ending(self._mixed)

    def first(self) -> None:
        """A placement at no prices, if services find room one after the other."""
        self._ending(lambda: self._tell("first placement") if self.primal.first() else None)

    def go_on(self) -> None:
        """Search on at the best bound's prices until the gap is small enough or the time is over."""
        self._ending(self._search_on)

    def _ending(self, work: Callable[[], None]) -> None:
        if self.ended != "done":
            return
        try:
            work()
        except TimeIsUpError:
            self.ended = "time-limit"
        except KeyboardInterrupt:
            self.ended = "interrupted"
        if self.ended == "done" and self.countdown.over and not self.good:
            self.ended = "time-limit"

    @property
    def good(self) -> bool:
        """Whether nothing is left to do."""
        return self.gap <= self.limits.gap or self.state.closed or self.state.infeasible

    def _run(self) -> None:
        if not self.search.best:
            self._primal(self.state.prices)
        self._tell("first placement")
        number, smooth, raised = 0, SMOOTH, 0
        while not self.good and not self.countdown.over:
            mixture = self.master.solve()
            prices = sound(self.coupling, mean(mixture.prices, self.state.prices, smooth) if number else mixture.prices)
            fresh, bettered = self._round(prices)
            number += 1
            if number % 4 == 1 or not fresh:
                self._primal(prices)
            self._tell("column generation")
            if fresh:
                smooth = SMOOTH if bettered else 0.9 * smooth
                continue
            if smooth > 0 and prices.row != mixture.prices.row:
                smooth = 0.0 if smooth < 0.1 else 0.3 * smooth
                continue
            if not self.sites.whole and self._everywhere(mixture):
                continue
            if mixture.exceeded and raised < RAISED:
                raised, smooth = raised + 1, SMOOTH
                self.master.raise_penalty(10.0)
                continue
            break
        self._close()

    def _mixed(self) -> None:
        self.primal.straight(self.state.prices)
        mixture, number = self.master.solve(), 0
        while mixture.exceeded and not self.good and not self.countdown.over:
            prices, number = sound(self.coupling, mixture.prices), number + 1
            fresh, _ = self._round(prices)
            if number % TRIED == 0 and not self.state.infeasible:
                self.primal.straight(prices)
            if not fresh and not self.state.infeasible and (self.sites.whole or not self._everywhere(mixture)):
                break
            mixture = self.master.solve()

    def _search_on(self) -> None:
        while not self.good and not self.countdown.over:
            before = self.search.value
            self._primal(self.state.prices)
            if self.search.value < before:
                self._close()
            self._tell("search")

    def _round(self, prices: Prices) -> tuple[bool, bool]:
        """Price every service: whether there was a new column, and whether the bound rose."""
        answers = []
        for service in range(len(self.sites.choices.groups)):
            self.countdown.check("a round of prices")
            answers.append(self.sites.answer(service, prices, self.countdown))
        fresh = self._take(answers)
        bettered = self.sites.whole and self._note(prices, answers)
        if not self.sites.whole:
            self.state.prices = prices
        return fresh, bettered

    def _everywhere(self, mixture: Mixture) -> bool:
        """Price every service on all stations: a bound; whether a new column came of it."""
        prices, answers = sound(self.coupling, mixture.prices), []
        for service in range(len(self.sites.choices.groups)):
            if self.countdown.over:
                return False
            answers.append(self.sites.answer(service, prices, self.countdown, everywhere=True))
        self._note(prices, answers)
        return self._take(answers)

    def _take(self, answers: list[Answer]) -> bool:
        some = False
        for answer in answers:
            if answer.choice >= 0:
                self.sites.widen(answer.choice, answer.stations)
                some |= self.master.add(self.coupling.column(answer.choice, answer.stations))
        return some

    def _note(self, prices: Prices, answers: list[Answer]) -> bool:
        """The bound of Lagrange; whether it is the best so far."""
        paid = sum(price * self.coupling.right(row) for row, price in prices.row.items())
        total = sum(answer.bound for answer in answers) - paid
        if total == np.inf or (self.coupling.objective == NOTHING and total > EXCEEDED):
            # a service has nowhere to go, even by itself; or rows are exceeded at any choice
            self.state.infeasible = True
            return False
        total -= ROUNDING * (abs(total) + paid)
        if total <= self.state.bound and self.state.services:
            return False
        self.state.bound = max(total, self.state.bound)
        self.state.prices, self.state.services = prices, [answer.bound for answer in answers]
        self.state.closed = self.gap <= CLOSED
        return True

    def _primal(self, prices: Prices) -> None:
        at = self.state.prices if self.state.services or not self.sites.whole else None
        self.primal.better(prices, at, self.limits.gap)

    def _close(self) -> None:
        """List every placement that a better choice could be made of, and choose: proven where all could be listed.

        What is better than the best placement by the bound's gap at most has columns whose prices exceed the least of
        their service by that gap at most.
        """
        if self.good or self.countdown.over or not self.sites.whole:
            return
        if not self.state.services:
            return
        slack = self.search.value - self.state.bound
        picked: list[Column] = []
        room = self.coupling.resources.room(Placement((), ()))
        width = max(LISTED // len(self.coupling.compiled.stations), 100)
        for service, group in enumerate(self.sites.choices.groups):
            cutoff = self.state.services[service] + slack
            cutoff += 1e-7 * abs(cutoff) if np.isfinite(cutoff) else 0.0
            for choice in group:
                if self.countdown.over:
                    return
                legs = self.sites.legs(choice, self.state.prices)
                fixed = fixed_price(self.coupling, choice, self.state.prices)
                loading = self.coupling.compiled.sharing.to_load(choice)
                walk = Walk(self.sites.site(choice), legs, room, loading, width, cutoff - fixed)
                listed = walk.run(self.countdown)
                if not walk.all_kept or len(picked) + len(listed) > MOST:
                    return
                picked += [self.coupling.column(choice, stations) for stations in listed]
        picked = [column for column in picked if alone(self.coupling, column)]
        self._prove(picked)

    def _prove(self, picked: list[Column]) -> None:
        groups = len(self.sites.choices.groups)
        if len({self.master.service_of(column) for column in picked}) < groups:
            bound: float = np.inf
        else:
            limits = Limits(seconds=self.countdown.left, gap=0.0)
            bound, chosen = self.master.choose(picked, limits)
            if chosen is not None and len(chosen) == groups:
                self.search.offer(chosen)
        if bound == np.inf and not self.search.best:
            self.state.infeasible = True
            return
        bound -= ROUNDING * abs(bound) if np.isfinite(bound) else 0.0
        self.state.bound = max(self.state.bound, min(bound, self.search.value))
        self.state.closed = self.gap <= CLOSED

    def _tell(self, stage: str) -> None:
        if self.listener is not None:
            self.listener(Progress(self.countdown.spent, self.search.value, self.state.bound, stage))
