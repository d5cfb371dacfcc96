"""Suite ``intervals``: how often the simulator's intervals hold the exact value.

Five systems whose loss ratio and mean response time are known exactly, small losses among them, are simulated many
times with the defaults of ``simulate`` and fewer jobs; an interval of level 95% should hold the exact value in 95% of
the runs.
Every exact value comes from a chain that is built here from the parameters alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import exp
from typing import Any

import numpy as np

from placer.errors import InputError
from placer.queueing.network import Arrivals, Floats, Law, Process, QueueNetwork, chains
from placer.simulation import simulate

SUITE = "intervals"
LEVEL = 0.95
RUNS = 1000
JOBS = 10_000
"""Per replication; ten replications a run."""


@dataclass(frozen=True)
class Exact:
    """A system with its loss ratio and the mean response time of its completed jobs in s."""

    network: QueueNetwork
    loss: float
    response: float


def run(
    *, methods: Sequence[str] | None = None, runs: int = RUNS, jobs: int = JOBS, seed: int = 0, **_: Any
) -> Iterator[dict[str, Any]]:
    """Yield one row per system, then the summary.

    Args:
        methods: some of ``SYSTEMS``; None takes all.
        runs: per system.
        jobs: per replication.
        seed: of the first run.

    Raises:
        InputError: an unknown system.
    """
    chosen = list(SYSTEMS) if methods is None else list(methods)
    for name in chosen:
        if name not in SYSTEMS:
            raise InputError(f"method {name!r}: suite {SUITE} has {', '.join(SYSTEMS)}")
    rows = []
    for name in chosen:
        row = _row(name, SYSTEMS[name](), runs, jobs, seed)
        rows.append(row)
        yield row
    shares = [row[key] for row in rows for key in ("loss_covered", "response_covered")]
    yield {"summary": {"level": LEVEL, "least_covered": min(shares), "most_covered": max(shares)}}


def _row(name: str, system: Exact, runs: int, jobs: int, seed: int) -> dict[str, Any]:
    loss = response = events = 0
    seconds = 0.0
    for index in range(runs):
        result = simulate(system.network, jobs=jobs, replications=10, seed=seed + index, level=LEVEL)
        figures = ((result.classes.loss_ratio.at(0), system.loss), (result.classes.end_to_end.at(0), system.response))
        held = [abs(float(figure.mean) - exact) <= float(figure.half_width) for figure, exact in figures]
        loss, response = loss + held[0], response + held[1]
        events, seconds = events + result.events, seconds + result.seconds
    return {
        "suite": SUITE,
        "instance": name,
        "method": "simulate",
        "status": "ok",
        "runs": runs,
        "loss": system.loss,
        "response_time": system.response,
        "loss_covered": loss / runs,
        "response_covered": response / runs,
        "events": events,
        "seconds": seconds,
    }


def _stationary(transition: Floats) -> Floats:
    """Stationary distribution of a chain from its generator, shape (n, n)."""
    system = transition.T.copy()
    system[-1] = 1.0
    shares: Floats = np.linalg.solve(system, np.eye(len(system))[-1])
    return shares


def _one(mean: float, capacity: int, rate: float, law: Law, arrivals: Arrivals | None = None) -> QueueNetwork:
    network = chains(np.array([capacity]), np.array([rate]), [[0]], [[mean]], law=law)
    return network if arrivals is None else replace(network, arrivals=(arrivals,))


def mm1k(rho: float = 0.5, capacity: int = 10) -> Exact:
    """M/M/1/K with mean service 1 s: the geometric law."""
    weight = rho ** np.arange(capacity + 1)
    share = weight / weight.sum()
    loss = float(share[-1])
    number = float(share @ np.arange(capacity + 1))
    return Exact(_one(1.0, capacity, rho, Law.EXPONENTIAL), loss, number / (rho * (1 - loss)))


def md1k(rho: float = 0.7, capacity: int = 8) -> Exact:
    """M/D/1/K with service 1 s: the chain embedded at departures."""
    arrive = [exp(-rho)]
    for j in range(1, capacity + 1):
        arrive.append(arrive[-1] * rho / j)
    move = np.zeros((capacity, capacity))
    for n in range(capacity):
        base = max(n - 1, 0)
        for j in range(capacity):
            if base + j < capacity - 1:
                move[n, base + j] += arrive[j]
        move[n, capacity - 1] = 1 - move[n].sum()
    left = _stationary(move - np.eye(capacity))
    present = left / (left[0] + rho)
    loss = float(1 - present.sum())
    number = float(present @ np.arange(capacity)) + loss * capacity
    return Exact(_one(1.0, capacity, rho, Law.DETERMINISTIC), loss, number / (rho * (1 - loss)))


def mmpp(capacity: int = 6) -> Exact:
    """MMPP/M/1/K with mean service 1 s: a quiet and a busy state."""
    rates, generator = np.array([0.3, 1.2]), np.array([[-0.05, 0.05], [0.2, -0.2]])
    size = capacity + 1
    chain = np.kron(generator, np.eye(size))
    for m, rate in enumerate(rates):
        for n in range(size):
            here = m * size + n
            if n < capacity:
                chain[here, here + 1] += rate
                chain[here, here] -= rate
            if n > 0:
                chain[here, here - 1] += 1.0
                chain[here, here] -= 1.0
    share = _stationary(chain).reshape(2, size)
    mean = float(rates @ share.sum(axis=1))
    loss = float(rates @ share[:, -1]) / mean
    number = float(share.sum(axis=0) @ np.arange(size))
    arrivals = Arrivals(Process.MMPP, mean, rates=rates, generator=generator)
    return Exact(_one(1.0, capacity, mean, Law.EXPONENTIAL, arrivals), loss, number / (mean * (1 - loss)))


def dm1k(rho: float = 0.7, capacity: int = 6) -> Exact:
    """D/M/1/K with mean service 1 s: the chain embedded at arrivals."""
    gap = 1 / rho
    move = np.zeros((capacity + 1, capacity + 1))
    for n in range(capacity + 1):
        inside, chance, rest = min(n + 1, capacity), exp(-gap), 1.0
        for served in range(inside):
            move[n, inside - served] += chance
            rest -= chance
            chance *= gap / (served + 1)
        move[n, 0] += rest
    found = _stationary(move - np.eye(capacity + 1))
    loss = float(found[-1])
    response = float(found[:-1] @ np.arange(1, capacity + 1)) / (1 - loss)
    arrivals = Arrivals(Process.PERIODIC, rho)
    return Exact(_one(1.0, capacity, rho, Law.EXPONENTIAL, arrivals), loss, response)


def tandem(rate: float = 0.7, first: int = 5, second: int = 4, speed: float = 1.2) -> Exact:
    """Two exponential stations, the second of mean 1 s: the chain of both, and that of one job among the others."""
    sizes = (first + 1, second + 1)
    chain = np.zeros((*sizes, *sizes))
    for a in range(first + 1):
        for b in range(second + 1):
            moves = []
            if a < first:
                moves.append((rate, a + 1, b))
            if a > 0:
                moves.append((speed, a - 1, min(b + 1, second)))
            if b > 0:
                moves.append((1.0, a, b - 1))
            for pace, to, beside in moves:
                chain[a, b, to, beside] += pace
                chain[a, b, a, b] -= pace
    share = _stationary(chain.reshape(sizes[0] * sizes[1], -1)).reshape(sizes)
    # One job at place p of the first station, b jobs at the second: does it complete, and the time that takes if so.
    complete, seconds = np.zeros((first + 1, second + 1)), np.zeros((first + 1, second + 1))
    for place in range(1, first + 1):
        for b in range(second + 1):  # with b jobs there, only fewer can follow while the place stays
            pace = speed + (1.0 if b > 0 else 0.0)
            if place > 1:
                after = complete[place - 1, min(b + 1, second)], seconds[place - 1, min(b + 1, second)]
            else:
                after = (1.0, b + 1.0) if b < second else (0.0, 0.0)
            fewer = (complete[place, b - 1], seconds[place, b - 1]) if b > 0 else (0.0, 0.0)
            complete[place, b] = (speed * after[0] + (pace - speed) * fewer[0]) / pace
            seconds[place, b] = complete[place, b] / pace + (speed * after[1] + (pace - speed) * fewer[1]) / pace
    done = float((share[:-1] * complete[1:]).sum())
    network = chains(np.array([first, second]), np.array([rate]), [[0, 1]], [[1 / speed, 1.0]], law=Law.EXPONENTIAL)
    return Exact(network, 1 - done, float((share[:-1] * seconds[1:]).sum()) / done)


SYSTEMS: dict[str, Callable[[], Exact]] = {
    "M/M/1/10": mm1k,
    "M/D/1/8": md1k,
    "MMPP/M/1/6": mmpp,
    "tandem": tandem,
    "D/M/1/6": dm1k,
}
"""Name to the function that makes the system and its exact values."""
