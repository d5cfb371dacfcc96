"""What a completed job costs each station, and which share of the arrivals a station can complete at most.

Everything here holds in the long run for the system that :mod:`placer.evaluation.queues` describes; the bounds of
:mod:`placer.planning.loss.bounds.fluid_model` are built on it.

**Effective seconds.** Without outages a service that starts ends, so by Wald's identity the busy time per execution is
its mean t. With outages (up and down times exponential) a failure drops the job in service. With f = 1/up the
failure rate and S the service time of a fragment (drawn when it starts), a start keeps the station busy for
E[min(S, F)] = (1 − E e^(−fS))/f on average and is completed with probability E e^(−fS), so a completion costs
(1/E e^(−fS) − 1)/f. For a gamma law of mean m and scv c that is h(m) = ((1 + f m c)^(1/c) − 1)/f, or
(e^(fm) − 1)/f for c = 0: more than m for c < 1 and *less* for c > 1 (short services survive). h falls with c, and the
scv of a fragment is at most the largest scv c* of its layers. For c* ≤ 1, h is convex with h(0) = 0, hence
superadditive and Σ h(t_j) ≤ h(Σ t_j); for c* > 1 it is concave, and t_j h(M)/M with M = Σ of all layers' times does it.

**Shares.** A layer alone on a station without outages is executed at most 1/t times per second. The first layer of a
service whose Poisson stream reaches the station after a constant delay is met by what the first-station theorem says
(see :mod:`placer.planning.loss.bounds.fluid_model`), and with outages by the availability: arrivals are independent of
failures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.instance.compiled import Compiled
from placer.instance.variant import Floats, Truths, Variant
from placer.planning.loss.bounds.tangents import LARGEST, accepted_share
from placer.queueing.network import UNLIMITED, Ints

LARGEST_EXPONENT = 50.0
"""Of e^(ft): less than the truth beyond, which keeps the bounds."""


@dataclass(frozen=True, eq=False)
class Effort:
    """Costs and ceilings of N stations for the variants of an instance.

    Attributes:
        room: shape (N,), seconds of work that a station can do per second: the long-run share of the time that it is
            up, times its servers.
        places: shape (N,), K of each station as far as a placement cannot change it; ``UNLIMITED`` otherwise.
        seconds: per variant shape (M, N), effective seconds of a completed execution; inf where none can run.
        ceiling: per variant shape (M, N), largest share of λ·run executions that the station can complete when the
            layer is placed there; 1 for a service without arrivals, 0 where it cannot run.
        entry: per variant shape (N,), whether the first layer is met there by the service's own Poisson stream
            (no outages, finite K, one server).
    """

    room: Floats
    places: Ints
    seconds: tuple[Floats, ...]
    ceiling: tuple[Floats, ...]
    entry: tuple[Truths, ...]


def effort_of(compiled: Compiled, first_station: bool = True) -> Effort:
    """Return what executions cost and which shares are possible.

    Args:
        compiled: the instance; its ``rate`` counts.
        first_station: whether the first-station theorem is used.
    """
    up, down = _outages(compiled)
    availability = np.where(up > 0, up / np.maximum(up + down, 1e-300), 1.0)
    places = _places(compiled)
    steady = (up <= 0) & (compiled.servers == 1)
    room = availability * compiled.servers.astype(np.float64)
    seconds = tuple(_effective(variant, up) for variant in compiled.variants)
    entry = tuple(
        _entry(compiled, variant) & steady & (places != UNLIMITED) & first_station for variant in compiled.variants
    )
    ceiling = tuple(
        _ceiling(compiled, variant, cost, (availability, room), places, met)
        for variant, cost, met in zip(compiled.variants, seconds, entry, strict=True)
    )
    return Effort(room, places, seconds, ceiling, entry)


def _outages(compiled: Compiled) -> tuple[Floats, Floats]:
    found = [compiled.instance.devices[place.device].outages for place in compiled.stations]
    up = np.array([0.0 if outages is None else outages.up for outages in found])
    down = np.array([0.0 if outages is None else outages.down for outages in found])
    return up, down


def _places(compiled: Compiled) -> Ints:
    buffers = [compiled.instance.devices[place.device].buffer for place in compiled.stations]
    return np.array([K if isinstance(K, int) and K <= LARGEST else UNLIMITED for K in buffers], dtype=np.int64)


def _effective(variant: Variant, up: Floats) -> Floats:
    """Effective seconds, shape (M, N); see the module's docstring."""
    cost = variant.time.copy()
    for station in np.flatnonzero(up > 0):
        runs = np.isfinite(variant.time[:, station])
        if not runs.any():
            continue
        time, f = variant.time[runs, station], 1.0 / up[station]
        c = float(variant.scv[runs, station].max())
        if c <= 1.0:
            cost[runs, station] = _completion_cost(time, c, f)
        elif time.sum() > 0:
            cost[runs, station] = time * _completion_cost(time.sum(), c, f) / time.sum()
    return cost


def _completion_cost(mean: Floats, scv: float, f: float) -> Floats:
    """h(m) of the module's docstring, in s."""
    exponent = np.log1p(f * mean * scv) / scv if scv > 0 else f * mean
    cost: Floats = np.expm1(np.minimum(exponent, LARGEST_EXPONENT)) / f
    return cost


def root_layers(variant: Variant) -> list[int]:
    """Layers that read the input alone: each starts a fragment, as soon as the input is there."""
    return [layer for layer, sources in enumerate(variant.predecessors) if sources == (-1,)]


def _constant_way(compiled: Compiled, variant: Variant) -> Truths:
    """Stations that the input reaches after a constant delay, shape (N,): where it waits for no carrier."""
    if variant.input > 0:
        here: Truths = compiled.station_device == compiled.source[variant.service]
        return here
    return np.ones(len(compiled.stations), dtype=bool)


def _entry(compiled: Compiled, variant: Variant) -> Truths:
    """Where the first layer is met by a Poisson stream of jobs that have done nothing elsewhere, shape (N,)."""
    arrivals = compiled.instance.services[variant.service].arrivals
    alone = variant.roots == (0,) and variant.predecessors[0] == (-1,)
    if arrivals is None or arrivals.process != "poisson" or not alone:
        return np.zeros(len(compiled.stations), dtype=bool)
    return _constant_way(compiled, variant)


def _ceiling(
    compiled: Compiled,
    variant: Variant,
    cost: Floats,
    stations: tuple[Floats, Floats],
    places: Ints,
    entry: Truths,
) -> Floats:
    """Largest shares that can be completed; ``stations`` are up so much of the time, and have so much room."""
    availability, room = stations
    runs = np.isfinite(variant.time)
    rate = float(np.nan_to_num(compiled.rate[variant.service]))
    load = rate * variant.run[:, None] * np.where(runs, cost, 0.0)
    share = np.minimum(1.0, room / np.maximum(load, 1e-300))
    if rate > 0:
        reached = np.where(_constant_way(compiled, variant), availability, 1.0)
        for layer in root_layers(variant):
            share[layer] = np.minimum(share[layer], reached)
        at = np.flatnonzero(entry)
        share[0, at] = np.minimum(share[0, at], accepted_share(places[at], load[0, at]))
    result: Floats = np.where(runs, share, 0.0)
    return result
