"""Analytic model of a network of finite-buffer FIFO stations: a fixed point over acceptance probabilities.

Each station is an M/G/1/K station (:mod:`placer.queueing.mg1k_exact`) whose loss and queue are corrected for the
variability of its arrivals (:mod:`placer.queueing.stations`, :mod:`placer.queueing.variability`); jobs flow on
thinned by what was lost; classes that share a station in overload lose differently (:mod:`placer.queueing.class_loss`);
what is left is corrected by what was learned (:mod:`placer.queueing.correction`). Stations that serve several jobs at
once have a formula of their own (:mod:`placer.queueing.many_servers`) and none of the other rules.

Stations that arrival processes other than Poisson enter, that fail, or where the branches of a fork meet at one
instant are solved exactly (:mod:`placer.queueing.special_stations`). Beyond them such a process enters through its
scv (:func:`placer.queueing.flattened.arrival_scv`). Where that is not possible outages thin the arrivals by the
availability and drop the jobs held at their rate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from placer.queueing import class_loss, correction, loss_system, many_servers, mg1k
from placer.queueing.correction import Scope, scope
from placer.queueing.flattened import Batch, compile_batch
from placer.queueing.flows import Flows, flows_of, mean_waits
from placer.queueing.mg1k_exact import Exact, embedded
from placer.queueing.network import UNLIMITED, Floats, Ints, QueueNetwork
from placer.queueing.routing import reach
from placer.queueing.rules import Rules, Solution
from placer.queueing.solution import Flow, conclude
from placer.queueing.special_stations import SpecialStation, apply, special_stations
from placer.queueing.stations import corrected
from placer.queueing.sweep_state import Bools, Layout, Memory, State, arrange, start
from placer.queueing.variability import (
    TINY,
    departure_scv,
    fit_gaps,
    long_run_weights,
    merged_scv,
    split_scv,
    timescale_weight,
    work_scv,
)

MAX_SWEEPS = 28
FREE_SWEEPS, HALF_SWEEPS = 8, 16
"""Sweeps without damping (most networks have converged then); sweeps up to which a step is halved, then quartered."""

CHANGED = 1e-6
"""Relative change of an arrival rate (absolute of an scv) above which a station is solved again."""

TOKEN_LOAD = 0.8
"""Below this load classes lose so little that their differences do not matter."""

POISSON_SCV = 0.999
"""A station none of whose streams has a smaller scv is left to the exact Poisson values."""

TOKEN_STEPS = 4
"""Root-finding steps per sweep for the parameter of the token rule; the start is the last sweep's."""

TIMESCALE = 0.25
"""Fitted: factor of the ratio of relaxation times (``timescale_weight``); errors are flat from .1 to .3."""

ALL_RULES = Rules()


def solve(network: QueueNetwork, rules: Rules = ALL_RULES) -> Solution:
    """Solve one network.

    Args:
        network: the stations and the classes.
        rules: which rules to use.
    """
    return solve_batch([network], rules)


def solve_batch(
    networks: Sequence[QueueNetwork] | Batch,
    rules: Rules = ALL_RULES,
    memory: Memory | None = None,
    most_sweeps: int = MAX_SWEEPS,
) -> Solution:
    """Solve many networks at once; the arrays of the result hold all of them, split by its pointers.

    Args:
        networks: the networks, or what :func:`placer.queueing.flattened.compile_batch` made of them.
        rules: which rules to use.
        memory: of networks much like these: only stations whose arrivals differ, and what lies downstream of
            them, are solved. The fixed point is the same where it is unique and reached.
        most_sweeps: stop after so many.
    """
    batch = networks if isinstance(networks, Batch) else compile_batch(networks)
    layout = arrange(batch)
    state = start(batch, layout, memory)
    corrects = scope(batch, layout) if rules.corrects else None
    special = special_stations(batch, layout) if rules.special else ()
    if memory is not None:  # what is remembered has no streams in it
        state.stale[[one.station for one in special if one.hands_on]] = True
    passing = drained = np.ones(len(batch.mean))
    rate = batch.rate[batch.task_class]
    sweep, residual = 0, float("inf")
    for sweep in range(1, most_sweeps + 1):
        rate = batch.rate[batch.task_class] * reach(batch, drained)[: len(passing)]
        before = state.acceptance
        sweep_once(batch, layout, rules, (special, corrects), rate[layout.task], state)
        damping = 1.0 if sweep <= FREE_SWEEPS else 0.5 if sweep <= HALF_SWEEPS else 0.25
        state.acceptance = before + damping * (state.target - before)
        residual = float(np.max(np.abs(state.acceptance - before), initial=0.0))
        passing = batch.goes_on.copy()
        passing[layout.task] *= state.acceptance * _survival(batch, layout, rate[layout.task], state)
        drained = _drained(batch, layout, rate, passing)
        if residual < CHANGED and sweep > 1 and not state.stale.any():
            break
    flow = Flow(rate, passing, drained)
    return conclude(batch, layout, rules, flow, state, sweep, residual)


def _drained(batch: Batch, layout: Layout, rate: Floats, passing: Floats) -> Floats:
    """What passes per second where an unlimited station is overloaded: jobs at its service rate, the rest stays."""
    endless = batch.capacity == UNLIMITED
    if not endless.any():
        return passing
    rho = np.bincount(layout.station, rate[layout.task] * layout.mean, minlength=len(batch.capacity)) / batch.servers
    part = np.where(endless, 1.0 / np.maximum(rho, 1.0), 1.0)
    drained = passing.copy()
    drained[layout.task] *= part[layout.station]
    return drained


def sweep_once(
    batch: Batch,
    layout: Layout,
    rules: Rules,
    extras: tuple[tuple[SpecialStation, ...], Scope | None],
    rate: Floats,
    state: State,
) -> None:
    """One pass: loss and queue of the stations that changed, acceptance of their classes, the streams.

    Args:
        batch, layout, rules: what is solved.
        extras: stations that are solved exactly, and where the learned correction speaks; None for nowhere.
        rate: shape (P,), arrivals in 1/s at the served tasks.
        state: written.
    """
    special, corrects = extras
    station, stations = layout.station, len(batch.capacity)
    flows = flows_of(layout, batch.servers, rate)
    felt = _felt_scv(batch, layout, rules, flows.share, flows.rho, state)
    moved = np.abs(rate - state.seen_rate) > CHANGED * rate
    dirty = np.bincount(station, moved, minlength=stations) > 0
    dirty |= (np.abs(felt - state.seen_scv) > CHANGED) & (flows.total > 0.0)
    todo = np.flatnonzero(dirty)
    state.seen_rate = np.where(dirty[station], rate, state.seen_rate)
    state.seen_scv = np.where(dirty, felt, state.seen_scv)
    if len(todo) or state.stale.any():
        poisson = poisson_values(batch.capacity, layout, todo, flows) if rules.exact_core else None
        state.loss[todo], state.queue[todo] = corrected(
            batch.capacity[todo], flows.rho[todo], flows.service_scv[todo], felt[todo], poisson
        )
        several = todo[batch.servers[todo] > 1]
        state.loss[several], state.queue[several] = many_servers.corrected(batch, several, flows, felt)
        state.base = _acceptance(batch, layout, rules, dirty, rate, flows.rho, state)
        if corrects is not None and poisson is not None:
            state.poisson_loss[todo] = poisson.loss
            correction.apply(batch, layout, corrects, flows, state, dirty)
        else:
            state.target = np.where(dirty[station], state.base, state.target)
        apply(special, dirty, rate, state)
    if rules.variability:
        _streams(batch, layout, flows, state)


def _felt_scv(batch: Batch, layout: Layout, rules: Rules, share: Floats, rho: Floats, state: State) -> Floats:
    """The arrival scv by which the loss and the queue of each station are corrected."""
    stations = len(rho)
    if not rules.variability:
        return np.ones(stations)
    scv = state.scv
    if rules.long_run:
        at = layout.station
        weight = timescale_weight(state.upstream_load, rho[at], _places(batch)[at], TIMESCALE)
        scv = weight * state.long_scv + (1.0 - weight) * state.scv
    if rules.work_weights:
        return work_scv(share, layout.mean, scv, layout.station, stations)
    return merged_scv(share, scv, layout.station, stations)


def _places(batch: Batch) -> Floats:
    """K as a float; an unlimited station has very many places."""
    return np.where(batch.capacity == UNLIMITED, 1e9, batch.capacity).astype(np.float64)


def poisson_values(capacity: Ints, layout: Layout, todo: Ints, flows: Flows) -> Exact:
    """Exact values of the stations ``todo``, as if their arrivals were Poisson."""
    label = np.full(len(capacity), -1, dtype=np.int64)
    label[todo] = np.arange(len(todo))
    item = label[layout.station[layout.part_of]]
    pick = np.flatnonzero(item >= 0)
    task = layout.part_of[pick]
    flow = flows.total[layout.station[task]]
    weight = layout.part_weight[pick] * flows.rate[task] / np.maximum(flow, 1e-300)
    return embedded(
        np.maximum(capacity[todo], 1),
        item[pick],
        weight,
        flow * layout.part_mean[pick],
        layout.part_scv[pick],
    )


def _acceptance(
    batch: Batch, layout: Layout, rules: Rules, dirty: Bools, rate: Floats, rho: Floats, state: State
) -> Floats:
    """Acceptance per task; what it was at the stations that did not change."""
    station = layout.station
    changed = dirty[station]
    acceptance = np.where(changed, 1.0 - state.loss[station], state.base)
    flowing = changed & (rate > TINY)
    regular = (np.bincount(station, state.scv < POISSON_SCV, minlength=len(rho)) > 0) & (batch.servers == 1)
    if rules.loss_system:
        pick = np.flatnonzero(flowing & regular[station] & (batch.capacity[station] == 1))
        if len(pick):
            gaps = fit_gaps(rate[pick], state.scv[pick], layout.spacing[pick])
            acceptance[pick] = loss_system.acceptance(station[pick], gaps, layout.mean[pick])
    if rules.class_loss:
        usable = regular & (rho > TOKEN_LOAD) & (state.loss > 1e-5)
        if rules.loss_system:
            usable &= batch.capacity > 1
        pick = np.flatnonzero(flowing & usable[station] & ~layout.alone)
        if len(pick):
            acceptance[pick] = _token_rule(layout, rules, pick, rate, rho, state)
    if rules.spacing:
        # no job meets another one: they come no closer together than the slowest stage before let them
        free = layout.unshared & (layout.up >= 0) & (layout.mean <= layout.slowest)
        acceptance[free] = 1.0
    return acceptance


def _token_rule(layout: Layout, rules: Rules, pick: Ints, rate: Floats, rho: Floats, state: State) -> Floats:
    """Prepare the streams ``pick`` for :mod:`placer.queueing.class_loss` and apply the rule."""
    station, up, stations = layout.station[pick], layout.up[pick], len(rho)
    group = layout.group[pick] if rules.shared_upstream else np.arange(len(pick))
    out = np.bincount(layout.station, rate * state.acceptance, minlength=stations)
    together = np.bincount(layout.group, rate)[layout.group[pick]]
    source = layout.station[up]
    busy = np.minimum(rho * (1.0 - state.loss), 0.999)
    # at once: the server was busy, and its next job was of the group
    follows = np.where(up >= 0, busy[source] * together / np.maximum(out[source], TINY), 0.0)
    gaps = fit_gaps(rate[pick], state.scv[pick], layout.spacing[pick])
    streams = class_loss.prepare(station, group, gaps, layout.before[pick], follows, layout.mean[pick])
    at = station[streams.station_start]
    work = np.minimum(rho[at] * (1.0 - state.loss[at]), 1.0)
    value, state.eta[at] = class_loss.share_loss(streams, work, state.acceptance[pick], state.eta[at], TOKEN_STEPS)
    return value


def _streams(batch: Batch, layout: Layout, flows: Flows, state: State) -> None:
    """Variability of the streams that leave the stations, handed to the tasks that follow."""
    station, stations = layout.station, len(flows.rho)
    rate, rho, service_scv, share = flows.rate, flows.rho, flows.service_scv, flows.share
    kept = state.acceptance
    out = rate * kept
    portion = out / np.maximum(np.bincount(station, out, minlength=stations), 1e-300)[station]
    utilisation = np.minimum(rho * (1.0 - state.loss), 1.0)
    gap = merged_scv(share, state.scv, station, stations)
    short = split_scv(portion, departure_scv(utilisation, service_scv, gap)[station], state.scv, kept)
    # jobs that never meet leave as they came
    short = np.where(layout.alone & (layout.scv == 0.0) & (layout.spacing >= layout.mean), state.scv, short)
    slow = merged_scv(share, state.long_scv, station, stations)
    b = np.maximum(mg1k.spread(rho, service_scv, slow, clip=True), 1e-3)
    arrivals, services = long_run_weights(rho, 1.0 + 2.0 * (_places(batch) - 1.0) / b)
    passed = arrivals * slow + services * service_scv
    # in the long run a station that loses nothing passes the counts of each class unchanged
    mixed = split_scv(portion, passed[station], state.long_scv, kept)
    long = arrivals[station] * state.long_scv + (1.0 - arrivals[station]) * mixed
    fed = np.flatnonzero(layout.up >= 0)
    source = layout.up[fed]
    goes_on = batch.goes_on[layout.task[source]]
    state.scv[fed] = goes_on * short[source] + 1.0 - goes_on
    state.long_scv[fed] = goes_on * long[source] + 1.0 - goes_on
    state.upstream_load[fed] = np.maximum(state.upstream_load, utilisation[station])[source]
    wait = mean_waits(state, np.bincount(station, out, minlength=stations))
    pushed = state.jitter + (1.0 - portion) * wait[station] + layout.mean * np.sqrt(layout.scv)
    state.jitter[fed] = np.where(layout.before[fed] >= layout.widest[fed], 0.0, pushed[source])


def _survival(batch: Batch, layout: Layout, rate: Floats, state: State) -> Floats:
    """Probability that an admitted job meets no outage: the station is up, and stays up while it holds it."""
    station = layout.station
    up, down = batch.up[station], batch.down[station]
    fails = up > 0.0
    if not fails.any():
        return np.ones(len(station))
    flow = np.bincount(station, rate * state.acceptance, minlength=len(batch.capacity))
    held = layout.mean + (state.queue / np.maximum(flow, TINY))[station]
    with np.errstate(divide="ignore", invalid="ignore"):
        survives = up / (up + down) * up / (up + held)
    survives = np.where(fails, survives, 1.0)
    return np.asarray(np.where(np.isnan(state.own_survival), survives, state.own_survival))
