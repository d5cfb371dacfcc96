"""From the converged state of the chain model to what it says of stations and classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.queueing.correction import stretch
from placer.queueing.flattened import Batch
from placer.queueing.flows import flows_of
from placer.queueing.network import UNLIMITED, Floats
from placer.queueing.routing import reach, responses
from placer.queueing.rules import Rules, Solution
from placer.queueing.stations import tandem_waiting
from placer.queueing.sweep_state import Layout, State, remember
from placer.queueing.variability import crowding


@dataclass(frozen=True)
class Flow:
    """How jobs flow through the T tasks in the end.

    Attributes:
        rate: shape (T,), arrivals at the tasks, 1/s.
        passing: shape (T,), probability that a job passes the task sooner or later.
        drained: shape (T,), the same per second: an unlimited station in overload passes jobs at its service rate.
    """

    rate: Floats
    passing: Floats
    drained: Floats


def conclude(
    batch: Batch, layout: Layout, rules: Rules, flow: Flow, state: State, sweeps: int, residual: float
) -> Solution:
    """Assemble the solution.

    Args:
        batch, layout, rules: what was solved.
        flow: of the jobs, after the last sweep.
        state: of the last sweep.
        sweeps, residual: how it converged.
    """
    station, stations = layout.station, len(batch.capacity)
    rate, passing = flow.rate, flow.passing
    at = rate[layout.task]
    total = np.bincount(station, at, minlength=stations).astype(np.float64)
    rho = np.bincount(station, at * layout.mean, minlength=stations) / batch.servers
    waiting, acceptance = np.zeros(len(rate)), np.ones(len(rate))
    served_waiting = waiting_times(batch, layout, rules, at, rho, state)
    if rules.corrects:
        served_waiting *= stretch(batch, layout, flows_of(layout, batch.servers, at), state)
    waiting[layout.task] = served_waiting
    goes_on = batch.goes_on[layout.task]
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.where(goes_on > 0.0, passing[layout.task] / goes_on, state.acceptance)
    acceptance[layout.task] = kept
    sojourn = waiting + batch.mean
    ratio, end_to_end = responses(batch, reach(batch, flow.drained), acceptance, waiting, sojourn)
    lost_ratio = 1.0 - ratio
    if flow.drained is not passing:
        lost_ratio = 1.0 - responses(batch, reach(batch, passing), acceptance, waiting, sojourn)[0]
    low, high = _spread(batch, layout, state, lost_ratio)
    endless = (batch.capacity == UNLIMITED) & (rho >= 1.0 - 1e-9)
    admitted = at * kept
    work = np.bincount(station, admitted * layout.mean, minlength=stations) / batch.servers
    lost = total - np.bincount(station, admitted, minlength=stations)
    stay = np.bincount(batch.task_class[layout.task], sojourn[layout.task], minlength=len(batch.rate))
    with np.errstate(invalid="ignore"):
        number = np.bincount(station, admitted * (served_waiting + layout.mean), minlength=stations)
    return Solution(
        station_ptr=batch.station_ptr,
        class_ptr=batch.class_ptr,
        task_ptr=batch.task_ptr,
        task_rate=rate,
        task_acceptance=acceptance,
        task_waiting=waiting,
        task_sojourn=sojourn,
        station_rate=total,
        station_utilisation=np.minimum(work, 1.0),
        station_loss=np.where(total > 0.0, np.maximum(lost, 0.0) / np.maximum(total, 1e-300), 0.0),
        station_number=np.asarray(number, dtype=np.float64),
        throughput=batch.rate * ratio,
        throughput_ratio=ratio,
        loss_ratio=lost_ratio,
        loss_low=low,
        loss_high=high,
        station_unstable=endless & (rho > 0.0),
        station_load=rho,
        sum_of_sojourns=stay.astype(np.float64),
        end_to_end=end_to_end,
        sweeps=sweeps,
        residual=residual,
        memory=remember(layout, state, len(rate)),
    )


def _spread(batch: Batch, layout: Layout, state: State, loss: Floats) -> tuple[Floats, Floats]:
    """Least and largest loss of each class over phases that nobody states, at the stations where they matter."""
    known = np.flatnonzero(~np.isnan(state.spread_low))
    bounds = []
    for spread in (state.spread_low, state.spread_high):
        kept = 1.0 - loss
        for p in known.tolist():
            owner = int(batch.task_class[layout.task[p]])
            accepted = state.target[p]
            kept[owner] *= (1.0 - spread[p]) / accepted if accepted > 0.0 else 1.0
        bounds.append(np.clip(1.0 - kept, 0.0, 1.0))
    return bounds[0], bounds[1]


def waiting_times(batch: Batch, layout: Layout, rules: Rules, rate: Floats, rho: Floats, state: State) -> Floats:
    """Mean wait in s of the jobs admitted to each served task."""
    station, stations = layout.station, len(rho)
    admitted = np.bincount(station, rate * state.acceptance, minlength=stations)
    wait = np.where(admitted > 0.0, state.queue / np.maximum(admitted, 1e-300), 0.0)
    if rules.crowding:
        share = rate / np.maximum(np.bincount(station, rate, minlength=stations), 1e-300)[station]
        meets = np.maximum(crowding(share, layout.spacing, layout.mean, rho, station), 0.0)
        wait = wait * np.where(batch.servers == 1, meets, 1.0)
    waiting = np.asarray(wait[station], dtype=np.float64)
    after = layout.unshared & (layout.up >= 0)
    if rules.spacing:
        waiting[after & (layout.mean <= layout.slowest)] = 0.0
    if rules.virtual_tandem:
        finite = (batch.capacity != UNLIMITED)[station] & (batch.servers == 1)[station]
        pick = np.flatnonzero(after & layout.plain & (layout.mean > layout.slowest) & (rho[station] < 1.0) & finite)
        waiting[pick] = tandem_waiting(
            batch.capacity[station[pick]], rate[pick], layout.mean[pick], layout.slowest[pick]
        )
    return np.where(np.isnan(state.own_waiting), waiting, state.own_waiting)
