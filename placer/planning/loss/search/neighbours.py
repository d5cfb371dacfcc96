"""Neighbours of a placement: runs of layers moved, places swapped, services inserted anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from placer.errors import TimeIsUpError
from placer.instance.compiled import Floats, Ints
from placer.instance.variant import Truths
from placer.plan.placement import Placement
from placer.planning.loss.problem import LOSS, Problem
from placer.planning.loss.search.insertion import Inserter, Insertion, Stay, stay_of
from placer.planning.loss.search.screening import Screen
from placer.queueing.flattened import arrival_scv
from placer.solver.countdown import Countdown

Rng = np.random.Generator
Assigned = dict[int, tuple[int, tuple[int, ...]]]
"""Per service its variant and the stations of its layers; services that are not placed are absent."""

TRIES = 3

PRICES = (1e-4, 1e-3, 1e-2)
"""Prices per run on the fastest station that a careful insertion tries, as shares of the offered rate."""

Figures = tuple[tuple[float, float], float, float, bool, Floats | None]
"""What an insertion needs beside the others: stream, weight, cost factor, once, price."""


def as_placement(assigned: Assigned) -> Placement:
    """The placement of the services that are there."""
    keys = sorted(assigned)
    return Placement(tuple(assigned[key][0] for key in keys), tuple(assigned[key][1] for key in keys))


def as_assigned(problem: Problem, placement: Placement) -> Assigned:
    """The same by service."""
    pairs = zip(placement.choice, placement.stations, strict=True)
    return {problem.compiled.variants[choice].service: (choice, stations) for choice, stations in pairs}


class Rebuilder:
    """Takes services out of a placement and puts them back one after the other, each by its dynamic programme.

    Attributes:
        problem: the problem.
        screen: the estimate by which it steers.
        countdown: when it gives up; None for never.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.countdown: Countdown | None = None
        streams = problem.arrivals(problem.scenarios[0])
        variability = np.array([arrival_scv(stream) for stream in streams])
        self.screen = Screen(problem.builder, problem.mean_rates(), variability, problem.availability())
        resources = problem.resources
        self.inserters = {
            index: Inserter(problem.compiled, resources, domain, problem.costs[index])
            for index, domain in problem.domains.items()
        }
        self._class = {service: position for position, service in enumerate(problem.served)}
        self._guess: Floats | None = None

    def rebuild(
        self, assigned: Assigned, removed: Sequence[int], rng: Rng, noise: float, cost_factor: float
    ) -> Assigned | None:
        """Insert ``removed`` in this order into what is left; None when one finds no place or the time is over.

        Args:
            assigned: where to start from.
            removed: services to take out and put back.
            rng: of the noise.
            noise: standard deviation of the logarithm of what others are worth: 0 is greedy.
            cost_factor: weight of the additive cost against a lost request per second.
        """
        left = {service: entry for service, entry in assigned.items() if service not in set(removed)}
        for service in removed:
            try:
                entry = self._insert(left, service, rng, noise, cost_factor)
            except TimeIsUpError:
                return None
            if entry is None:
                return None
            left[service] = entry
        return left

    def _insert(
        self, assigned: Assigned, service: int, rng: Rng, noise: float, cost_factor: float
    ) -> tuple[int, tuple[int, ...]] | None:
        problem = self.problem
        partial = as_placement(assigned)
        capacity = problem.builder.capacity(partial)
        screened = self.screen.of(partial, self._guess)
        self._guess = screened.station_loss
        stay = stay_of(screened, capacity, self.screen.availability)
        if noise > 0:
            factor = np.exp(noise * rng.standard_normal(len(stay.completing)))
            stay = replace(stay, completing=stay.completing * factor)
        position = self._class.get(service)
        stream, weight = (0.0, 1.0), 1.0
        if position is not None:
            stream = (float(self.screen.rates[position]), float(self.screen.arrival_scv[position]))
            weight = float(self.screen.weights[position])
        offered = stream[0] * weight
        if noise == 0.0:
            return self._best_insertion(stay, assigned, service, stream, weight, cost_factor)
        once = bool(rng.random() < 0.5)
        best: tuple[float, int, tuple[int, ...]] | None = None
        for index in problem.groups[service]:
            price = self._price(index, offered, rng)
            found = self._fitting(index, stay, assigned, service, (stream, weight, cost_factor, once, price))
            if found is not None and (best is None or found.cost < best[0]):
                best = (found.cost, index, found.stations)
        return None if best is None else best[1:]

    def _best_insertion(
        self,
        stay: Stay,
        assigned: Assigned,
        service: int,
        stream: tuple[float, float],
        weight: float,
        cost_factor: float,
    ) -> tuple[int, tuple[int, ...]] | None:
        """The best of several insertions by the estimate, or by their own cost where loss is not the objective.

        One programme keeps one label per station, which may have spent the fastest station on a layer that did not
        need it; prices on fast stations, with and without coming back, give it other ways to end.
        """
        problem = self.problem
        options: list[tuple[float, int, tuple[int, ...]]] = []
        for index in problem.groups[service]:
            for once in (True, False):
                for scale in (0.0, *PRICES):
                    price = scale * stream[0] * weight * self.inserters[index].swiftness if scale else None
                    figures: Figures = (stream, weight, cost_factor, once, price)
                    found = self._fitting(index, stay, assigned, service, figures)
                    if found is not None:
                        options.append((found.cost, index, found.stations))
        if not options:
            return None
        if problem.objective != LOSS or stream[0] == 0.0:
            return min(options)[1:]
        entries = list(dict.fromkeys(option[1:] for option in options))
        totals = [self.screen.of(as_placement({**assigned, service: entry})).total for entry in entries]
        return entries[int(np.argmin(totals))]

    def _price(self, index: int, offered: float, rng: Rng) -> Floats | None:
        """A small price on fast stations, or on random ones, for what may as well go elsewhere."""
        kind = rng.random()
        if kind < 0.25:
            return None
        scale = offered * 10.0 ** rng.uniform(-5.0, -1.5)
        swiftness = self.inserters[index].swiftness
        return np.asarray(scale * (swiftness if kind < 0.75 else rng.random(len(swiftness))))

    def _fitting(
        self,
        index: int,
        stay: Stay,
        assigned: Assigned,
        service: int,
        figures: Figures,
    ) -> Insertion | None:
        """The best insertion that fits even where two runs share a device; longer runs keep it."""
        problem = self.problem
        others = as_placement(assigned)
        room = problem.resources.room(others)
        loading = problem.compiled.sharing.to_load(index, others.choice, others.stations)
        barred = None
        for _ in range(TRIES):
            if self.countdown is not None:
                self.countdown.check("the search")
            found = self.inserters[index].insert(stay, room, loading, *figures, barred)
            if found is None:
                return None
            together = as_placement({**assigned, service: (index, found.stations)})
            if problem.resources.overdrawn(together) == 0.0:
                return found
            if barred is None:
                barred = np.zeros(problem.domains[index].usable.shape, dtype=bool)
            _bar_repeats(np.array(found.stations), barred)
        return None


def _bar_repeats(stations: Ints, barred: Truths) -> None:
    """Keep the longest run of each station that is visited twice, and bar the station for the other layers."""
    cuts = np.flatnonzero(np.diff(stations)) + 1
    runs = np.split(np.arange(len(stations)), cuts)
    for station in np.unique(stations):
        mine = [run for run in runs if stations[run[0]] == station]
        keep = max(mine, key=len)
        outside = np.setdiff1d(np.arange(len(stations)), keep)
        barred[outside, station] = True


def moves(problem: Problem, assigned: Assigned) -> Iterator[Assigned]:
    """Every run of layers of a service on every other station that it may use."""
    for service, (choice, stations) in assigned.items():
        usable = problem.domains[choice].usable
        for a in range(len(stations)):
            for b in range(a, len(stations)):
                for station in np.flatnonzero(usable[a : b + 1].all(axis=0)).tolist():
                    moved = stations[:a] + (station,) * (b + 1 - a) + stations[b + 1 :]
                    if moved != stations:
                        yield {**assigned, service: (choice, moved)}


def swaps(problem: Problem, assigned: Assigned) -> Iterator[Assigned]:
    """Every two layers on different stations, with places exchanged."""
    spots = [(s, j) for s, (_, stations) in assigned.items() for j in range(len(stations))]
    for x, (s, i) in enumerate(spots):
        for t, j in spots[x + 1 :]:
            swapped = _swapped(problem, assigned, (s, i), (t, j))
            if swapped is not None:
                yield swapped


def _swapped(problem: Problem, assigned: Assigned, one: tuple[int, int], other: tuple[int, int]) -> Assigned | None:
    (s, i), (t, j) = one, other
    here, there = assigned[s][1][i], assigned[t][1][j]
    if here == there:
        return None
    if not (problem.domains[assigned[s][0]].usable[i, there] and problem.domains[assigned[t][0]].usable[j, here]):
        return None
    result = dict(assigned)
    result[s] = (result[s][0], _put(result[s][1], i, there))
    result[t] = (result[t][0], _put(result[t][1], j, here))
    return result


def _put(stations: tuple[int, ...], layer: int, station: int) -> tuple[int, ...]:
    return (*stations[:layer], station, *stations[layer + 1 :])


def random_move(problem: Problem, assigned: Assigned, rng: Rng, shares: Floats | None = None) -> Assigned | None:
    """One random neighbour: mostly a run of layers moved, else two layers swapped or another alternative.

    Args:
        problem: the problem.
        assigned: a complete assignment.
        rng: of the choice.
        shares: shape (services,), how often each service is picked; evenly when None.
    """
    services = list(assigned)
    service = int(rng.choice(services, p=shares))
    choice, stations = assigned[service]
    kind = rng.random()
    group = problem.groups[service]
    if len(group) > 1 and kind < 0.1:
        other = int(rng.choice([index for index in group if index != choice]))
        usable = problem.domains[other].usable
        return {**assigned, service: (other, tuple(int(rng.choice(np.flatnonzero(row))) for row in usable))}
    if kind < 0.35:
        other = int(rng.choice(services, p=shares))
        spot = (other, int(rng.integers(len(assigned[other][1]))))
        return _swapped(problem, assigned, (service, int(rng.integers(len(stations)))), spot)
    a = int(rng.integers(len(stations)))
    b = min(len(stations) - 1, a + int(rng.geometric(0.6)) - 1)
    options = np.flatnonzero(problem.domains[choice].usable[a : b + 1].all(axis=0))
    if not len(options):
        return None
    station = int(rng.choice(options))
    moved = stations[:a] + (station,) * (b + 1 - a) + stations[b + 1 :]
    return None if moved == stations else {**assigned, service: (choice, moved)}
