"""Short simulations of many small networks of chains: a few percent of error in a millisecond each.

A budget of some thousand events is mostly spent on two errors that are not the network's: the queues have not
filled yet, and the arrivals of a short run are not at their rates. So the stations start near their mean
numbers (:func:`placer.simulation.quick_kernel.preload`) and the noise of the arrivals is taken out by theory
(:func:`placer.simulation.quick_kernel.conclude`). Both vanish as the budget grows: the estimates are
consistent, and for a budget of N events biased by O(1/N). For a verdict with an interval use
:func:`placer.simulation.simulate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf

import numpy as np

from placer.errors import InputError
from placer.jit import version
from placer.queueing.network import DELAY, Floats, Process, QueueNetwork
from placer.simulation import kernel, quick_kernel
from placer.simulation.core import as_lists
from placer.simulation.features import features_of
from placer.simulation.state import FIRST_POOL, GROW, State, grown, initial
from placer.simulation.tables import Row, Tables, tabulate

EVENTS = 10_000
WARMUP = 0.03
"""Share of the events that is cut off; small because the run starts near steady state. On the public ChainNet
validation samples the error at 10,000 events is flat from 0 to 0.1."""

ROOM = 1000
"""Jobs of an unlimited station that a run starts with room for."""


@dataclass(frozen=True)
class ChainEstimates:
    """Point estimates of one network, shape (C,) each.

    Attributes:
        throughput_ratio: completed / offered, that is 1 − loss ratio.
        response_time: Σ over the tasks of the mean sojourn of the jobs accepted there, s.
    """

    throughput_ratio: Floats
    response_time: Floats


def evaluate_chains(
    networks: Iterable[QueueNetwork], *, events: int = EVENTS, seed: int = 0, compiled: bool | None = None
) -> Iterator[ChainEstimates]:
    """Estimate each network by one short run.

    Args:
        networks: plain chains with Poisson arrivals and one outcome per task; no delays, no outages, one server a
            station.
        events: arrivals and ends of tasks per network, warm-up included.
        seed: network i draws from stream i of it.
        compiled: True needs numba, False runs plain Python, None takes what is there.

    Raises:
        InputError: a network is not of plain chains.
    """
    for index, network in enumerate(networks):
        _check(network, index)
        yield _evaluate(tabulate(network), np.random.SeedSequence(seed, spawn_key=(index,)), events, compiled)


def is_plain(network: QueueNetwork) -> bool:
    """Whether a network is of plain chains with Poisson arrivals: what :func:`evaluate_chains` takes."""
    tasks = len(network.task_station)
    return bool(
        len(network.outcome_mean) == tasks
        and (np.diff(network.pred_ptr) <= 1).all()
        and len(network.preds) == tasks - network.classes
        and (np.bincount(network.preds, minlength=1) <= 1).all()
        and (network.task_station != DELAY).all()
        and not network.up.any()
        and (network.at_once == 1).all()
        and not network.outcome_leaves.any()
        and all(a.process == Process.POISSON and a.rate > 0 and a.spacing == 0 for a in network.arrivals)
    )


def _check(network: QueueNetwork, index: int) -> None:
    if not is_plain(network):
        raise InputError(f"network {index} is not of plain chains with Poisson arrivals", tip="use simulate instead")


def _zeros(size: int, as_list: bool) -> Row:
    return [0.0] * size if as_list else np.zeros(size)


def _until(run: kernel.Loop, net: Tables, st: State, rng: np.random.Generator, events: int) -> State:
    while run(net, st, rng, inf, events) == GROW:
        st = grown(st)
    return st


def _evaluate(net: Tables, seed: np.random.SeedSequence, events: int, compiled: bool | None) -> ChainEstimates:
    plain = kernel.loop(features_of(net))
    run = version(plain, compiled)
    preload = version(quick_kernel.preload, compiled)
    conclude = version(quick_kernel.conclude, compiled)
    rng = np.random.Generator(np.random.PCG64(seed))
    S, C, T = (int(size) for size in net.dims[:3])
    st = initial(net, rng, 0, room=max(FIRST_POOL, int(np.minimum(net.capacity, ROOM).sum())))
    tables = net
    lists = run is plain
    if lists:
        tables, st = as_lists(net, st)
    preload(tables, st, rng, _zeros(2 * T + 2 * S, lists))
    st = _until(run, tables, st, rng, max(1, int(WARMUP * events)))
    counts, sums, start = np.array(st.counts), np.array(st.sums), st.clock[0]
    st = _until(run, tables, st, rng, events)
    counts, sums = st.counts - counts, st.sums - sums
    ratio, response = _zeros(C, lists), _zeros(C, lists)
    span = float(st.clock[0] - start)
    if lists:
        counts, sums = counts.tolist(), sums.tolist()
    conclude(tables, counts, sums, span, _zeros(4 * T + 6 * S, lists), ratio, response)
    return ChainEstimates(np.asarray(ratio), np.asarray(response))
