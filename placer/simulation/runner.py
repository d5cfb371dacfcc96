"""Simulate a network: replications on any executor, intervals, sequential stopping.

Replication i of a seed draws from the stream that numpy's ``SeedSequence`` spawns with key i. How many
replications
run depends only on what they measured, never on how many workers there are: same seed, same numbers,
    anywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool

import numpy as np

from placer.errors import InputError, UnansweredError
from placer.jit import have_numba
from placer.queueing.network import Floats, QueueNetwork
from placer.simulation.core import MSER, Replication, replicate
from placer.simulation.executors import SerialExecutor
from placer.simulation.results import ClassResults, SimulationResult, StationResults, TaskResults
from placer.simulation.statistics import Estimate, estimate, replications_missing, widened
from placer.simulation.tables import Tables, tabulate

Progress = Callable[[int, int], None]
"""Called with the replications done and the replications now planned."""

DEFAULT_JOBS = 100_000
DEFAULT_WARMUP = 0.1
LOSS_FLOOR = 1e-5
WATCHED = ("loss_ratio", "end_to_end")
RATIOS = frozenset({"loss_ratio", "total_loss_ratio", "station_loss_ratio", "utilisation", "full"})


def simulate(
    network: QueueNetwork,
    *,
    jobs: int | None = None,
    horizon: float | None = None,
    warmup: float | str = DEFAULT_WARMUP,
    replications: int = 10,
    seed: int | None = None,
    level: float = 0.99,
    relative_half_width: float | None = None,
    watch: Sequence[str] = WATCHED,
    loss_floor: float = LOSS_FLOOR,
    max_replications: int = 1000,
    executor: Executor | None = None,
    progress: Progress | None = None,
    compiled: bool | None = None,
    keep_finished: bool = False,
) -> SimulationResult:
    """Estimate the steady state of ``network``.

    Args:
        network: what to simulate; each replication starts empty.
        jobs: arrivals expected per replication, all classes and the warm-up included (default 100,000).
        horizon: length of a replication in s, instead of ``jobs``.
        warmup: fraction of the horizon to cut off (default 0.1), or ``"mser"``: MSER-5 on the number in the
            stations.
        replications: how many to run, or to start with. One: a single long run, intervals by 20 batch means.
        seed: None draws one, which the result names.
        level: confidence of the intervals.
        relative_half_width: run more replications until each watched half-width is at most this share of its
            mean.
        watch: names of measures (see :func:`placer.simulation.core.measure`) that must become that sure.
        loss_floor: a half-width of a loss ratio or another share of at most this is always sure enough.
        max_replications: never run more; what would be missing is in the result.
        executor: where the replications run; None is here, one after the other.
        progress: called after each replication.
        compiled: True needs numba, False runs plain Python, None takes what is there; the numbers are the
            same.
        keep_finished: on an interruption return what the replications that are done say, where there are two at
            least; the result then has fewer than ``planned``.

    Raises:
        InputError: the network or an argument cannot be simulated.
        UnansweredError: a worker process died.
    """
    started = time.perf_counter()
    _check(jobs, horizon, warmup, replications, level, relative_half_width)
    net = tabulate(network)
    length = horizon if horizon is not None else (jobs or DEFAULT_JOBS) / _total_rate(network)
    entropy = seed if seed is not None else int(np.random.SeedSequence().generate_state(2, np.uint64)[0])
    single = replications == 1 and relative_half_width is None
    done: list[Replication] = []
    planned = replications if relative_half_width is None else max(replications, 3)
    precise: bool | None = None
    missing = 0
    pool = executor if executor is not None else SerialExecutor()
    try:
        while True:
            _run(pool, net, entropy, done, planned, (length, warmup, single, compiled), progress)
            if relative_half_width is None:
                break
            missing = _missing(done, watch, level, relative_half_width, loss_floor)
            precise = missing == 0
            if precise or planned >= max_replications:
                break
            # The deviation of a few replications is itself uncertain: at most double, so as not to overshoot.
            planned = min(planned + min(missing, planned), max_replications)
    except KeyboardInterrupt:
        if not keep_finished or len(done) < 2:
            raise
        precise = None if relative_half_width is None else False
    rows = [batch_rows(done[0])] if single else [[rep.measures for rep in done]]
    values = {name: np.array([row[name] for row in rows[0]]) for name in done[0].measures}
    return _result(
        done,
        values,
        level,
        single,
        precise=precise,
        missing=missing,
        planned=planned,
        seed=entropy,
        compiled=have_numba() if compiled is None else compiled,
        seconds=time.perf_counter() - started,
    )


def batch_rows(replication: Replication) -> list[dict[str, Floats]]:
    """The batches of a single run, one dictionary of measures each."""
    count = len(next(iter(replication.batches.values())))
    return [{name: rows[i] for name, rows in replication.batches.items()} for i in range(count)]


def _check(
    jobs: int | None,
    horizon: float | None,
    warmup: float | str,
    replications: int,
    level: float,
    relative: float | None,
) -> None:
    if jobs is not None and horizon is not None:
        raise InputError("jobs and horizon are both given: give one")
    if (jobs is not None and jobs < 1) or (horizon is not None and not 0 < horizon < np.inf):
        raise InputError("jobs and horizon must be positive")
    if warmup != MSER and not (isinstance(warmup, (int, float)) and 0 <= warmup < 1):
        raise InputError(f"warm-up {warmup!r} must be a fraction from 0 to below 1, or '{MSER}'")
    if replications < 1:
        raise InputError(f"{replications} replications, at least 1 is needed")
    if not 0 < level < 1:
        raise InputError(f"level {level} must lie between 0 and 1")
    if relative is not None and relative <= 0:
        raise InputError(f"relative half-width {relative} must be positive")


def _total_rate(network: QueueNetwork) -> float:
    total = float(network.rates.sum())
    if total <= 0:
        raise InputError("no class has arrivals", tip="give a horizon to simulate an idle network")
    return total


def _run(
    pool: Executor,
    net: Tables,
    entropy: int,
    done: list[Replication],
    stop: int,
    options: tuple[float, float | str, bool, bool | None],
    progress: Progress | None,
) -> None:
    """Add replications ``len(done)`` to ``stop - 1``, in order whatever the order they end in.

    Where this is interrupted, those that have ended are added all the same.
    """
    length, warmup, batches, compiled = options
    start = len(done)
    futures: list[Future[Replication]] = []
    told = start

    def tell(count: int) -> None:
        nonlocal told
        if progress is not None and count > told:
            told = count
            progress(count, stop)

    try:
        for index in range(start, stop):
            seed = np.random.SeedSequence(entropy, spawn_key=(index,))
            futures.append(pool.submit(replicate, net, seed, length, warmup, batches=batches, compiled=compiled))
            if told == index and futures[-1].done():  # by an executor that answers at once
                tell(index + 1)
        for index, future in enumerate(futures, start + 1):
            future.result()
            tell(index)
    except BrokenProcessPool as error:
        raise UnansweredError(
            "a worker process died",
            tip="it may have run out of memory: use fewer workers or --executor serial",
        ) from error
    finally:
        for future in futures:
            future.cancel()
        ended = [future for future in futures if future.done() and not future.cancelled()]
        done += [future.result() for future in ended if future.exception() is None]


def _missing(done: list[Replication], watch: Sequence[str], level: float, relative: float, loss_floor: float) -> int:
    most = 0
    for name in watch:
        if name not in done[0].measures:
            raise InputError(f"no measure is called {name!r}: there are {', '.join(sorted(done[0].measures))}")
        figure = estimate(np.array([rep.measures[name] for rep in done]), level)
        most = max(most, replications_missing(figure, relative, loss_floor if name in RATIOS else 0.0))
    return most


def _result(
    done: list[Replication],
    values: dict[str, Floats],
    level: float,
    single: bool,
    *,
    precise: bool | None,
    missing: int,
    planned: int,
    seed: int,
    compiled: bool,
    seconds: float,
) -> SimulationResult:
    def sure(name: str) -> Estimate:
        return estimate(values[name], level, done[0].measures[name] if single else None)

    def total(name: str) -> Floats:
        return np.asarray(np.sum([rep.measures[name] for rep in done], axis=0))

    return SimulationResult(
        classes=ClassResults(
            offered=total("offered"),
            completed=total("completed"),
            lost=total("lost"),
            in_system_start=total("in_system_start"),
            in_system_end=total("in_system_end"),
            loss_ratio=widened(sure("loss_ratio"), values["lost"], values["offered"]),
            throughput=sure("throughput"),
            sum_of_sojourns=sure("sum_of_sojourns"),
            end_to_end=sure("end_to_end"),
            p50=sure("p50"),
            p95=sure("p95"),
            p99=sure("p99"),
        ),
        stations=StationResults(
            utilisation=sure("utilisation"),
            number=sure("number"),
            full=sure("full"),
            availability=sure("availability"),
            arrivals=sure("station_arrivals"),
            loss_ratio=sure("station_loss_ratio"),
            lost=total("station_losses"),
        ),
        tasks=TaskResults(
            arrived=total("arrived"),
            dropped=total("dropped"),
            killed=total("killed"),
            ended=total("ended"),
            sojourn=sure("task_sojourn"),
        ),
        outcomes=total("outcome"),
        total_loss_ratio=widened(sure("total_loss_ratio"), values["lost"].sum(axis=1), values["offered"].sum(axis=1)),
        level=level,
        replications=len(done),
        precise=precise,
        missing=missing,
        planned=planned,
        events=sum(rep.events for rep in done),
        horizon=float(np.mean([rep.horizon for rep in done])),
        warmup=float(np.mean([rep.warmup for rep in done])),
        seed=seed,
        compiled=compiled,
        seconds=seconds,
        values=values,
    )
