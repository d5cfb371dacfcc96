"""What the rules of the chain model leave: a learned correction of losses and waits, within bounds.

Decomposition treats a station by itself, with streams described by a few numbers. What is left is systematic: a job
behind a constant server meets the next one of its stream only after that service, few smooth streams meet less than
their variability says, losses thin streams unevenly. A small network over the streams of a station
(:mod:`placer.queueing.pair_network`) was fitted to simulations of random networks of our own
(:mod:`placer.recipes.loss_correction`); it moves the log-odds of each stream's loss by at most ``LOSS_BOUND`` and its
wait by a factor of at most ``exp(WAIT_BOUND)``.

It stays silent where the rules are exact or nearly (a station whose streams are all Poisson from outside; an unshared
stage that is no slower than the ones before it, or has one place; waits of unshared stages), and where it was not
fitted: other arrivals than Poisson, joins, outages, scv above 1, more than ``MOST_STREAMS`` streams. It fades out
between ``FULL_CAPACITY`` and ``LAST_CAPACITY`` places.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.queueing import pair_network
from placer.queueing.flattened import Batch
from placer.queueing.flows import Flows, mean_waits
from placer.queueing.network import UNLIMITED, Floats, Ints
from placer.queueing.sweep_state import Bools, Layout, State
from placer.queueing.variability import TINY, fit_gaps, runs

LOSS_BOUND = 6.0
"""Most that the log-odds of a loss ratio are moved."""

WAIT_BOUND = 2.0
"""Most that the logarithm of a wait is moved."""

MOST_STREAMS = 24
FULL_CAPACITY, LAST_CAPACITY = 60, 120
LARGEST_SCV = 1.0
LEAST_LOSS = 1e-7
"""Losses below it are taken as this large before they are corrected."""

LEAST_CORRECTED = 1e-6

MOST_WEIGHT = 2.0
"""Most that one stream weighs for another, in arrivals a mean service."""

FEATURES = 52


@dataclass(frozen=True)
class Scope:
    """Where the correction speaks.

    Attributes:
        gate, wait_gate: shape (P,), 0 where it is silent, 1 where it is whole; for losses and for waits.
        outside: shape (P,), True for streams that come from outside.
        plain: shape (S,), the station was within what the correction was fitted to.
    """

    gate: Floats
    wait_gate: Floats
    outside: Bools
    plain: Bools


def scope(batch: Batch, layout: Layout) -> Scope:
    """Work out where the correction speaks; does not change between the sweeps."""
    station, stations = layout.station, len(batch.capacity)
    up = layout.up
    joined = np.zeros(len(batch.rate), dtype=bool)
    tasks = len(batch.mean)
    for level in batch.levels:
        joined[batch.task_class[level.joins[level.joins < tasks]]] = True
        # a sink that joins several ends is a fork
        joined[level.joins[level.joins >= tasks] - tasks] = True
    odd = joined | (batch.arrival_scv != 1.0) | (batch.arrival_spacing > 0.0)
    strange = odd[batch.task_class[layout.task]] | (layout.scv > LARGEST_SCV + TINY) & ~_mixed(batch, layout)
    strange |= (batch.up[station] > 0.0) | (batch.servers[station] > 1)
    strange |= (up >= 0) & strange[up]
    size = np.bincount(station, minlength=stations)
    outside = up < 0
    fed = np.bincount(station, ~outside, minlength=stations) > 0
    unusual = np.bincount(station, strange, minlength=stations) > 0
    plain = ~unusual & (size <= MOST_STREAMS) & (batch.capacity != UNLIMITED) & (batch.servers == 1)
    fade = (LAST_CAPACITY - batch.capacity) / (LAST_CAPACITY - FULL_CAPACITY)
    gate = np.where(plain & fed, np.clip(fade, 0.0, 1.0), 0.0)[station]
    exact = layout.unshared & ~outside & ((layout.mean <= layout.slowest) | (batch.capacity[station] == 1))
    return Scope(np.where(exact, 0.0, gate), np.where(layout.unshared, 0.0, gate), outside, plain)


def _mixed(batch: Batch, layout: Layout) -> Bools:
    """Tasks with several outcomes: their scv may exceed 1 although that of no outcome does."""
    parts = np.bincount(layout.part_of, layout.part_scv > LARGEST_SCV + TINY, minlength=len(layout.task))
    several = np.diff(batch.outcome_ptr)[layout.task] > 1
    return np.asarray(several & (parts == 0))


def _squash(x: Floats) -> Floats:
    return x / (1.0 + x)


def log_odds(loss: Floats) -> Floats:
    """Log-odds of a loss ratio, within what the correction tells apart."""
    bounded = np.clip(loss, LEAST_LOSS, 1.0 - 1e-4)
    return np.asarray(np.log(bounded / (1.0 - bounded)))


def describe(
    batch: Batch, layout: Layout, scope: Scope, flows: Flows, state: State, pick: Ints
) -> pair_network.Singles:
    """Features of the streams ``pick``, without dimension; shape (n, FEATURES).

    Times are measured in the mean service time of the station. ``state.base`` must be up to date for ``pick``.
    """
    all_at, stations = layout.station, len(batch.capacity)
    kept = flows.rate * state.acceptance
    out = np.maximum(np.bincount(all_at, kept, minlength=stations), 1e-300)
    busy = np.minimum(np.bincount(all_at, kept * layout.mean, minlength=stations), 1.0)
    tau_of = np.maximum(flows.rho / np.maximum(flows.total, 1e-300), 1e-12)
    work = flows.rate * layout.mean / np.maximum(flows.rho, 1e-300)[all_at]
    outside_of = np.bincount(all_at, work * scope.outside, minlength=stations)
    evenness = np.bincount(all_at, flows.share**2, minlength=stations)
    together = np.bincount(layout.group, flows.rate)[layout.group]
    places = np.where(batch.capacity == UNLIMITED, LAST_CAPACITY, np.minimum(batch.capacity, LAST_CAPACITY))
    felt_of = np.clip(state.seen_scv, -1.0, 3.0)
    load_of = np.minimum(flows.rho, 3.0)
    log_load = np.log(np.maximum(flows.rho, 1e-9))

    wait_of = mean_waits(state, np.bincount(all_at, kept, minlength=stations))

    at, up, rate = all_at[pick], layout.up[pick], flows.rate[pick]
    fed = ~scope.outside[pick]
    source = all_at[up]
    tau = tau_of[at]
    share = flows.share[pick]
    crowd = np.maximum(together[pick] / np.maximum(flows.total, 1e-300)[at], 1e-300)
    mean = layout.mean[pick]
    of_stream = [
        np.clip(np.log(np.maximum(rate * tau, 1e-9)), -6.0, 3.0) / 3.0,
        np.clip(np.log(np.maximum(mean, 1e-12) / tau), -4.0, 3.0) / 2.0,
        _squash(layout.scv[pick]),
        share,
        scope.outside[pick],
        _squash(layout.spacing[pick] / tau),
        np.minimum(layout.spacing[pick] * rate, 1.0),
        np.clip(state.scv[pick], 0.0, 3.0),
        np.clip(state.long_scv[pick], 0.0, 3.0),
        state.upstream_load[pick],
        _squash(layout.slowest[pick] / tau),
        _squash(layout.before[pick] / tau),
        _squash(layout.widest[pick] / tau),
        _squash(state.jitter[pick] / tau),
        _squash(layout.widest[pick] / np.maximum(mean, 1e-12)),
        layout.alone[pick],
        layout.unshared[pick],
        short_gap(layout, flows, state, pick),
        share / crowd,
        crowd,
    ]
    own_load = np.minimum(flows.rate[up] * layout.mean[up], 3.0)
    other_load = np.maximum(flows.rho[source] - flows.rate[up] * layout.mean[up], 0.0)
    other_rate = np.maximum(flows.total[source] - flows.rate[up], 0.0)
    of_source = [
        own_load,
        np.minimum(other_load, 3.0),
        _squash(other_load / np.maximum(other_rate, 1e-9) / tau),
        _squash(wait_of[source] / tau),
        _squash(wait_of[source] * flows.rate[up]),
        close_gap(layout, flows, state, up, busy[source], wait_of[source], other_rate),
        busy[source],
        np.log(places[source]) / 4.0,
        load_of[source],
        _squash(flows.service_scv[source]),
        _squash(tau_of[source] / tau),
        _squash(layout.mean[up] / tau),
        _squash(layout.scv[up]),
        kept[up] / out[source],
        np.minimum(together[pick] / out[source], 1.0),
        felt_of[source],
        outside_of[source],
        evenness[source],
        state.acceptance[up],
        batch.goes_on[layout.task[up]],
    ]
    of_station = [
        np.log(places) / 4.0,
        load_of,
        np.clip(log_load, -3.0, 1.5),
        _squash(flows.service_scv),
        felt_of,
        outside_of,
        evenness,
        log_odds(state.poisson_loss) / 8.0,
        log_odds(state.loss) / 8.0,
        1.0 / places,
        np.clip(places * log_load, -20.0, 20.0) / 10.0,
    ]
    table = np.empty((len(pick), FEATURES), dtype=np.float32)
    table[:, : len(of_stream)] = np.array(of_stream).T
    table[:, len(of_stream) : len(of_stream) + len(of_source)] = np.where(fed, np.array(of_source), 0.0).T
    table[:, len(of_stream) + len(of_source) : -1] = np.array(of_station).T[at]
    table[:, -1] = log_odds(1.0 - state.base[pick]) / 8.0
    return table


def short_gap(layout: Layout, flows: Flows, state: State, pick: Ints) -> Floats:
    """Probability that two jobs of a stream come within a service of each other, as its gap law says."""
    gaps = fit_gaps(flows.rate[pick], state.scv[pick], layout.spacing[pick])
    beyond = layout.mean[pick] - gaps.spacing
    return np.where(beyond < 0.0, 0.0, 1.0 - gaps.loose * np.exp(-np.maximum(beyond, 0.0) * gaps.decay))


def close_gap(
    layout: Layout, flows: Flows, state: State, up: Ints, busy: Floats, wait: Floats, others: Floats
) -> Floats:
    """About the probability that a job came to the station before while the last of its stream was still there.

    The stay of the last one is taken as exponential with the mean of wait and service, a share ``busy`` of the time,
    and nobody of the others, rate ``others``, may come between.
    """
    gaps = fit_gaps(flows.rate[up], state.scv[up], layout.spacing[up])
    ends = 1.0 / np.maximum(wait + layout.mean[up], TINY) + others
    return np.asarray(busy * gaps.loose * gaps.decay / (gaps.decay + ends) * np.exp(-gaps.spacing * ends))


def apply(batch: Batch, layout: Layout, scope: Scope, flows: Flows, state: State, dirty: Bools) -> None:
    """Correct ``target`` at the stations that changed.

    A station that would lose less than ``LEAST_CORRECTED`` under Poisson arrivals is left alone. None is let accept
    more work than it can do.

    Args:
        batch, layout, scope: the networks.
        flows: of this sweep.
        state: with ``base`` and ``poisson_loss`` up to date; written.
        dirty: shape (S,), stations that changed.
    """
    station = layout.station
    state.target = np.where(dirty[station], state.base, state.target)
    speaks = np.bincount(station, scope.gate, minlength=len(dirty)) > 0.0
    speaks &= dirty & (state.poisson_loss > LEAST_CORRECTED)
    pick = np.flatnonzero(speaks[station] & (flows.rate > TINY))
    if len(pick) == 0:
        return
    move = _moves(batch, layout, scope, flows, state, pick)[:, 0]
    odds = log_odds(1.0 - state.base[pick]) + LOSS_BOUND * np.tanh(move / LOSS_BOUND)
    moved = 1.0 / (1.0 + np.exp(odds))
    accepted = state.base[pick] + scope.gate[pick] * (moved - state.base[pick])
    start, of = runs(station[pick])
    done = np.add.reduceat(flows.rate[pick] * layout.mean[pick] * accepted, start)
    state.target[pick] = accepted / np.maximum(done, 1.0)[of]


def stretch(batch: Batch, layout: Layout, flows: Flows, state: State) -> Floats:
    """Factors on the waits, shape (P,), at the end of the sweeps."""
    here = scope(batch, layout)
    result = np.ones(len(layout.task))
    speaks = np.bincount(layout.station, here.wait_gate, minlength=len(batch.capacity)) > 0.0
    pick = np.flatnonzero(speaks[layout.station] & (flows.rate > TINY))
    if len(pick):
        move = _moves(batch, layout, here, flows, state, pick)[:, 1]
        result[pick] = np.exp(here.wait_gate[pick] * WAIT_BOUND * np.tanh(move / WAIT_BOUND))
    return result


def _moves(batch: Batch, layout: Layout, scope: Scope, flows: Flows, state: State, pick: Ints) -> Floats:
    """What the network says of whole stations, shape (n, 2)."""
    features = describe(batch, layout, scope, flows, state, pick)
    pairs = pair_network.pair_up(layout.station[pick], layout.group[pick], layout.widest_at[pick])
    return pair_network.evaluate(pair_network.shipped(), features, pairs, influence(flows, layout.station, pick))


def influence(flows: Flows, station: Ints, pick: Ints) -> Floats:
    """What each of the streams ``pick`` weighs for the others: its arrivals in a mean service of the station."""
    at = station[pick]
    return np.minimum(flows.rate[pick] * flows.rho[at] / np.maximum(flows.total, 1e-300)[at], MOST_WEIGHT)
