"""Suite ``simulator``: our event loop, compiled and plain, against simpy and ciw on a tandem with tail drop.

The tandem is T1: Poisson arrivals of rate 1, three single servers with exponential service of rates 1.2, 1.1,
1.0, each holding five jobs; a job that finds a station full is lost. Its exact loss is 0.241388 (Markov
chain). Every simulator counts the same events, arrivals and ends of service, and is timed over the same kind
of replications in the same process; compiling and importing come before the clock starts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from placer import optional
from placer.errors import InputError, MissingExtraError
from placer.queueing.network import Law, chains
from placer.simulation import simulate
from placer.simulation.statistics import estimate

SUITE = "simulator"
INSTANCE = "tandem-3-exponential-K5"
EXACT_LOSS = 0.241388
RATE = 1.0
SERVICE_RATES = (1.2, 1.1, 1.0)
CAPACITY = 5
REPLICATIONS = 10
LEVEL = 0.99
WARMUP = 0.1

Outcome = tuple[int, list[float]]
"""Events, and the loss ratio of each replication after its warm-up."""


def run(
    *, methods: Sequence[str] | None = None, scale: float = 1.0, seed: int = 0, **_: Any
) -> Iterator[dict[str, Any]]:
    """Yield one row per simulator, then the summary.

    Args:
        methods: some of ``METHODS``; None runs all.
        scale: factor on the jobs that each simulator is given; 1 takes about fifteen seconds in all.
        seed: of every simulator's random numbers.

    Raises:
        InputError: an unknown method.
    """
    chosen = list(METHODS) if methods is None else list(methods)
    for name in chosen:
        if name not in METHODS:
            raise InputError(f"method {name!r}: suite {SUITE} has {', '.join(METHODS)}")
    rows = []
    for name in chosen:
        row = _row(name, scale, seed)
        rows.append(row)
        yield row
    yield {"summary": _summary(rows)}


def _row(name: str, scale: float, seed: int) -> dict[str, Any]:
    needs, jobs, method = METHODS[name]
    row: dict[str, Any] = {"suite": SUITE, "instance": INSTANCE, "method": name, "status": "ok"}
    figures = ("objective", "seconds", "events_per_second", "loss", "loss_half_width")
    if needs is not None:
        try:
            optional.load(needs, f"the method {name}", "fast" if needs == "numba" else "test")
        except MissingExtraError as error:
            return row | {"status": "skipped", "reason": error.message} | dict.fromkeys(figures)
    method(200, seed)
    started = time.perf_counter()
    events, losses = method(max(200, int(jobs * scale)), seed)
    seconds = time.perf_counter() - started
    figure = estimate(np.array(losses), LEVEL)
    values = (float(figure.mean), seconds, events / seconds, float(figure.mean), float(figure.half_width))
    return row | dict(zip(figures, values, strict=True)) | {"events": events}


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    done = [row for row in rows if row["status"] == "ok"]
    speed = {row["method"]: row["events_per_second"] for row in done}
    summary: dict[str, Any] = {"events_per_second": speed, "exact_loss": EXACT_LOSS}
    first = "compiled" if "compiled" in speed else "plain"
    if first in speed:
        summary["ratio"] = {f"{first}/{name}": speed[first] / speed[name] for name in speed if name != first}
    summary["exact_within_interval"] = {
        row["method"]: abs(row["loss"] - EXACT_LOSS) <= row["loss_half_width"] for row in done
    }
    # Two intervals that overlap: no simulator contradicts another.
    summary["losses_agree"] = all(
        abs(a["loss"] - b["loss"]) <= a["loss_half_width"] + b["loss_half_width"] for a in done for b in done
    )
    return summary


def _ours(compiled: bool) -> Callable[[int, int], Outcome]:
    def method(jobs: int, seed: int) -> Outcome:
        net = chains(
            np.full(len(SERVICE_RATES), CAPACITY),
            np.array([RATE]),
            [list(range(len(SERVICE_RATES)))],
            [[1 / rate for rate in SERVICE_RATES]],
            law=Law.EXPONENTIAL,
        )
        result = simulate(
            net, horizon=jobs / RATE, warmup=WARMUP, replications=REPLICATIONS, seed=seed, compiled=compiled
        )
        return result.events, [float(loss) for loss in result.values["total_loss_ratio"]]

    return method


def _simpy(jobs: int, seed: int) -> Outcome:
    """simpy, as its users write it: a process per job, a ``Resource`` per station."""
    simpy: Any = optional.load("simpy", "the method simpy", "test")
    events, losses = 0, []
    for stream in np.random.SeedSequence(seed).spawn(REPLICATIONS):
        rng = np.random.default_rng(stream)
        environment = simpy.Environment()
        stations = [simpy.Resource(environment) for _ in SERVICE_RATES]
        offered = lost = 0

        def job(environment: Any = environment, stations: Any = stations, rng: Any = rng) -> Iterator[Any]:
            nonlocal events, lost
            for station, rate in zip(stations, SERVICE_RATES, strict=True):
                if len(station.queue) + station.count >= CAPACITY:
                    lost += environment.now >= WARMUP * jobs
                    return
                with station.request() as request:
                    yield request
                    yield environment.timeout(rng.standard_exponential() / rate)
                events += 1

        def source(environment: Any = environment, job: Any = job, rng: Any = rng) -> Iterator[Any]:
            nonlocal events, offered
            while True:
                yield environment.timeout(rng.standard_exponential() / RATE)
                events += 1
                offered += environment.now >= WARMUP * jobs
                environment.process(job())

        environment.process(source())
        environment.run(until=jobs / RATE)
        losses.append(lost / offered)
    return events, losses


def _ciw(jobs: int, seed: int) -> Outcome:
    """ciw, with a router that sends a job away when the next node is full: by itself ciw would block."""
    ciw: Any = optional.load("ciw", "the method ciw", "test")

    class TailDrop(ciw.routing.NodeRouting):  # type: ignore[misc]
        """To the next node if it has room, else out."""

        def next_node(self, individual: Any) -> Any:
            """Node that follows; the exit stands last in ``simulation.nodes``."""
            nodes = self.simulation.nodes
            target = nodes[self.node.id_number + 1]
            if self.node.id_number == len(SERVICE_RATES):
                return nodes[-1]
            if target.number_of_individuals >= target.node_capacity:
                self.simulation.turned_away += self.simulation.current_time >= WARMUP * jobs
                return nodes[-1]
            return target

    events, losses = 0, []
    count = len(SERVICE_RATES)
    for index in range(REPLICATIONS):
        ciw.seed(seed * REPLICATIONS + index)
        network = ciw.create_network(
            arrival_distributions=[ciw.dists.Exponential(RATE), *[None] * (count - 1)],
            service_distributions=[ciw.dists.Exponential(rate) for rate in SERVICE_RATES],
            number_of_servers=[1] * count,
            queue_capacities=[CAPACITY - 1] * count,
            routing=ciw.routing.NetworkRouting([TailDrop() for _ in range(count)]),
        )
        simulation = ciw.Simulation(network)
        simulation.turned_away = 0
        simulation.simulate_until_max_time(jobs / RATE)
        warm = WARMUP * jobs
        records = simulation.get_all_records()
        served = [record for record in records if record.record_type == "service"]
        refused = [record for record in records if record.record_type == "rejection"]
        entered = [record.arrival_date for record in served if record.node == 1]
        entered += [item.arrival_date for item in simulation.nodes[1].all_individuals]
        turned = sum(record.arrival_date >= warm for record in refused)
        offered = sum(date >= warm for date in entered) + turned
        losses.append((turned + simulation.turned_away) / offered)
        events += len(entered) + len(refused) + len(served)
    return events, losses


METHODS: dict[str, tuple[str | None, int, Callable[[int, int], Outcome]]] = {
    "compiled": ("numba", 400_000, _ours(True)),
    "plain": (None, 20_000, _ours(False)),
    "simpy": ("simpy", 8_000, _simpy),
    "ciw": ("ciw", 4_000, _ciw),
}
"""Name to the package it needs, jobs per replication, and the function of (jobs, seed)."""
