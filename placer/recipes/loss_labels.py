"""What the learned correction of the chain model is fitted to: features of streams, and what simulation says of them.

The features are taken at the flows that the simulation saw, so that errors upstream do not blur what is to be learned
at a station.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import inf
from typing import Any

import numpy as np

from placer.jit import version
from placer.queueing import correction
from placer.queueing.flattened import compile_batch
from placer.queueing.flows import flows_of
from placer.queueing.network import Floats, Ints, QueueNetwork
from placer.queueing.pair_network import Singles
from placer.queueing.routing import reach
from placer.queueing.rules import Rules
from placer.queueing.solution import waiting_times
from placer.queueing.solve import poisson_values, sweep_once
from placer.queueing.sweep_state import arrange, start
from placer.simulation import kernel
from placer.simulation.features import features_of
from placer.simulation.state import GROW, State, grown, initial, layout
from placer.simulation.tables import tabulate

WARMUP_EVENTS = 30_000
LONGEST_START = 1000
SWEEPS = 14
BASE = Rules(correction=False)


@dataclass(frozen=True)
class Label:
    """What a run counted, per task of a network.

    Attributes:
        arrived, dropped: jobs.
        sojourn: s, mean over the jobs that ended.
    """

    arrived: Floats
    dropped: Floats
    sojourn: Floats


@dataclass(frozen=True)
class Streams:
    """Streams to learn from, sorted by station; R rows.

    Attributes:
        features: shape (R, F).
        odds: log-odds of the loss by the rules.
        weight: what the stream weighs for others at its station.
        station, group, widest_at: labels, see :func:`placer.queueing.pair_network.pair_up`.
        gate, wait_gate: how far the correction speaks.
        arrived, dropped: jobs in the simulation.
        wait, true_wait: s, mean wait by the rules and in the simulation.
        service: s, mean.
    """

    features: Singles
    odds: Floats
    weight: Floats
    station: Ints
    group: Ints
    widest_at: Ints
    gate: Floats
    wait_gate: Floats
    arrived: Floats
    dropped: Floats
    wait: Floats
    true_wait: Floats
    service: Floats

    def take(self, rows: Ints) -> Streams:
        """Some of the rows."""
        columns: dict[str, Any] = {field.name: getattr(self, field.name)[rows] for field in fields(self)}
        return Streams(**columns)


def joined(parts: Sequence[Streams]) -> Streams:
    """Several tables as one, their labels kept apart."""
    columns: dict[str, list[Any]] = {field.name: [] for field in fields(Streams)}
    shift = dict.fromkeys(("station", "group", "widest_at"), 0)
    for part in parts:
        for name, column in columns.items():
            column.append(getattr(part, name) + shift.get(name, 0))
        for name in shift:
            values = getattr(part, name)
            # labels of widest_at may be negative down to the number of rows
            shift[name] += int(values.max(initial=0)) + len(values) + 1
    whole: dict[str, Any] = {name: np.concatenate(column) for name, column in columns.items()}
    return Streams(**whole)


def label(network: QueueNetwork, seed: Sequence[int], events: int) -> Label:
    """Simulate a network by the compiled loop.

    Args:
        network: plain chains or chains with exits, Poisson arrivals.
        seed: of the run.
        events: arrivals and ends of tasks, warm-up included.
    """
    tables = tabulate(network)
    run = version(kernel.loop(features_of(tables)), True)
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
    state = initial(tables, rng, 0, room=int(np.minimum(tables.capacity, LONGEST_START).sum()))

    def until(state: State, count: int) -> State:
        while run(tables, state, rng, inf, count) == GROW:
            state = grown(state)
        return state

    state = until(state, WARMUP_EVENTS)
    counts, sums = state.counts.copy(), state.sums.copy()
    state = until(state, events)
    where = layout(tables)
    counted, summed = state.counts - counts, state.sums - sums
    at, of = where.counts(), where.sums()
    sojourn = summed[of["sojourn"]] / np.maximum(counted[at["ended"]], 1)
    return Label(counted[at["arrived"]].astype(float), counted[at["dropped"]].astype(float), sojourn)


def streams(networks: Sequence[QueueNetwork], labels: Sequence[Label]) -> Streams:
    """Features and labels of all streams of simulated networks."""
    arrived = np.concatenate([one.arrived for one in labels])
    dropped = np.concatenate([one.dropped for one in labels])
    sojourn = np.concatenate([one.sojourn for one in labels])
    batch = compile_batch(networks)
    laid = arrange(batch)
    state = start(batch, laid)
    accepted = (1.0 - dropped / np.maximum(arrived, 1.0))[laid.task]
    passing = batch.goes_on.copy()
    passing[laid.task] *= accepted
    rate = (batch.rate[batch.task_class] * reach(batch, passing)[: len(passing)])[laid.task]
    state.acceptance = accepted
    for _ in range(SWEEPS):
        sweep_once(batch, laid, BASE, ((), None), rate, state)
    stations = len(batch.capacity)
    flows = flows_of(laid, batch.servers, rate)
    state.poisson_loss = poisson_values(batch.capacity, laid, np.arange(stations), flows).loss
    scope = correction.scope(batch, laid)
    every = np.arange(len(laid.task))
    return Streams(
        features=correction.describe(batch, laid, scope, flows, state, every),
        odds=correction.log_odds(1.0 - state.base),
        weight=correction.influence(flows, laid.station, every),
        station=laid.station,
        group=laid.group,
        widest_at=laid.widest_at,
        gate=scope.gate,
        wait_gate=scope.wait_gate,
        arrived=arrived[laid.task],
        dropped=dropped[laid.task],
        wait=waiting_times(batch, laid, BASE, rate, flows.rho, state),
        true_wait=np.maximum(sojourn[laid.task] - laid.mean, 0.0),
        service=laid.mean,
    )
