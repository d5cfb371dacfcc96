"""Random networks by regime: what an evaluator of loss is measured on.

A regime says how jobs arrive, how variable service is, how loaded the busiest station is, how the chains share
stations, and how many places the stations have. The networks of a regime are drawn by a seed and differ in all the
rest: number of chains and stations, paths, rates, service times.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from placer.queueing.network import Arrivals, Floats, Law, Process, QueueNetwork, chains

POISSON, PERIODIC, MMPP = "poisson", "periodic", "mmpp"
PROCESSES = (POISSON, PERIODIC, MMPP)
SCVS = (0.0, 0.25, 0.5, 1.0, 4.0)
LOADS = (0.5, 0.7, 0.85, 1.0, 1.2)
SINGLE, TANDEM, SHARED, FUNNEL = "single", "tandem", "shared", "funnel"
TOPOLOGIES = (SINGLE, TANDEM, SHARED, FUNNEL)
PLACES = ((1, 2), (3, 6), (7, 16), (17, 50))
MOST_CHAINS = 12
SPREAD = 4.0
"""Ratio of the largest to the smallest service time, and of the rates before they are scaled."""

BURST_RATIO, BURST_SHARE, BURST_JOBS = 8.0, 0.2, 20.0
"""An MMPP of two states: rate in bursts over the rate between them, share of time, jobs that a burst brings."""


@dataclass(frozen=True)
class Regime:
    """What the networks of a cell have in common.

    Attributes:
        process: of the arrivals, one of ``PROCESSES``.
        scv: of all service times; 0 is constant, above 1 hyperexponential.
        load: of the busiest station, if nothing were lost before it.
        topology: ``single`` stations; a ``tandem`` that all chains walk along; ``shared``: paths at random over few
            stations; ``funnel``: own stations first, then a common end.
        places: least and most K of a station.
    """

    process: str
    scv: float
    load: float
    topology: str
    places: tuple[int, int]

    @property
    def name(self) -> str:
        """The regime in words."""
        least, most = self.places
        return f"{self.process} scv {self.scv:g} load {self.load:g} {self.topology} K {least}-{most}"


def regimes(
    processes: tuple[str, ...] = PROCESSES,
    scvs: tuple[float, ...] = SCVS,
    topologies: tuple[str, ...] = TOPOLOGIES,
) -> list[Regime]:
    """All regimes of some processes, scvs and topologies."""
    return [Regime(*one) for one in product(processes, scvs, LOADS, topologies, PLACES)]


def instances(cells: list[Regime], seed: int, count: int) -> Iterator[tuple[Regime, QueueNetwork]]:
    """Draw networks: the cells in an order of the seed, again from the first when they end.

    Args:
        cells: at least one.
        seed: same seed, same networks.
        count: how many; the first n of a larger count are the same.
    """
    order = np.random.default_rng([seed, 0]).permutation(len(cells))
    for index in range(count):
        cell = cells[order[index % len(cells)]]
        yield cell, draw(cell, np.random.default_rng([seed, 1, index]))


def draw(regime: Regime, rng: np.random.Generator) -> QueueNetwork:
    """One network of a regime."""
    paths = _paths(regime.topology, rng)
    stations = max(step for path in paths for step in path) + 1
    capacity = rng.integers(regime.places[0], regime.places[1] + 1, stations)
    service = [np.exp(rng.uniform(0.0, np.log(SPREAD), len(path))) / 2.0 for path in paths]
    rates = np.exp(rng.uniform(0.0, np.log(SPREAD), len(paths)))
    load = np.zeros(stations)
    for rate, path, times in zip(rates, paths, service, strict=True):
        np.add.at(load, path, rate * times)
    rates = rates * regime.load / load.max()
    law = Law.HYPEREXPONENTIAL if regime.scv > 1.0 else Law.GAMMA
    if regime.scv in (0.0, 1.0):
        law = Law.DETERMINISTIC if regime.scv == 0.0 else Law.EXPONENTIAL
    scv = [[regime.scv] * len(path) for path in paths]
    network = chains(capacity, rates, paths, [times.tolist() for times in service], scv, law)
    return replace(network, arrivals=tuple(_arrivals(regime.process, float(rate)) for rate in rates))


def _paths(topology: str, rng: np.random.Generator) -> list[list[int]]:
    """Stations that each chain visits, numbered without holes."""
    count = int(rng.choice([1, 2, 3, 4, 6, 8, MOST_CHAINS]))
    if topology == SINGLE:
        return [[0] for _ in range(count)]
    if topology == TANDEM:
        length = int(rng.integers(2, 6))
        return [list(range(length)) for _ in range(count)]
    if topology == FUNNEL:
        own = max(count, 2)
        return [[c, own, own + 1][: int(rng.integers(2, 4))] for c in range(own)]
    stations = int(rng.integers(2, 7))
    count = max(count, 2)
    drawn = [rng.permutation(stations)[: int(rng.integers(2, stations + 1))].tolist() for _ in range(count)]
    used = sorted({step for path in drawn for step in path})
    return [[used.index(step) for step in path] for path in drawn]


def _arrivals(process: str, rate: float) -> Arrivals:
    if process == POISSON:
        return Arrivals(Process.POISSON, rate)
    if process == PERIODIC:
        return Arrivals(Process.PERIODIC, rate)
    calm = rate / (1.0 - BURST_SHARE + BURST_SHARE * BURST_RATIO)
    busy = calm * BURST_RATIO
    ends = busy / BURST_JOBS
    begins = ends * BURST_SHARE / (1.0 - BURST_SHARE)
    generator: Floats = np.array([[-begins, begins], [ends, -ends]])
    return Arrivals(Process.MMPP, rate, rates=np.array([calm, busy]), generator=generator)
