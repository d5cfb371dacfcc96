"""Which class loses how much at a station in overload: the token rule.

A station that is nearly full is the mirror image of a lightly loaded one. Every service completion puts down
a *token*, a free place; an arrival takes one if there is one, and is lost otherwise. Looked at from an
arrival of class i, with a the time since the last completion: if the number of tokens just after a completion
is geometric with parameter eta,

    P(i accepted) = E[ eta^{N_i(a)} ],    a uniform over a service,

N_i(a) being the arrivals in the time a before that of i. For Poisson arrivals the tokens are the queue of a
D/M/1 (the arrivals serve them), whose number is geometric with eta = exp(-rho (1 - eta)), and the formula
gives exactly 1/rho for every class. For other streams eta is chosen such that the work accepted is what the
station does, so that only the *differences between classes* come from the rule: a job that follows another
one closely loses more, one that comes with a guaranteed gap behind the last (a spaced stream, or the
previous job of the same upstream server) loses less.

``E[eta^N]`` of a stream is the probability that none of its arrivals is left when each is kept with
probability 1 - eta: a renewal equation on a grid, ``f(a) = G(a) + eta int dG(y) f(a - y)`` seen from an
arrival, and ``1 - (1 - eta) rate int f`` seen from an arbitrary instant (Palm inversion). Streams of
different origin are independent; those that come from the same upstream server form one group, in which the
gap before a job is that of its own class. The rule is derived here, not taken from a publication; the tests
hold it to the special cases that are known exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.queueing.network import Floats, Ints
from placer.queueing.variability import TINY, Gaps, runs

GRID = 32
"""Cells of the grid over one service."""

REACH = 6.0
"""The grid ends after this many mean interarrival times of the station if a service is longer than that."""


@dataclass(frozen=True)
class TokenStations:
    """Streams of multi-class stations in overload, sorted by (station, group), and the grids prepared for
    them.

    Attributes:
        rate, service: shape (T,), 1/s and s.
        group_start, group_of: runs of equal groups; shape (G,) and (T,).
        station_start, station_of: runs of equal stations; shape (S,) and (T,).
        first_group: shape (S,), first group of each station.
        station_of_group: shape (G,).
        group_rate: shape (G,), 1/s.
        share: shape (T,), part of the stream in its group.
        cell: shape (T,), width of a grid cell in s.
        survival: shape (GRID+1, T), probability that the gap before a job exceeds the grid time.
        inside: shape (GRID+1, T), quadrature weight of the grid times that lie within a service of the class.
    """

    rate: Floats
    service: Floats
    group_start: Ints
    group_of: Ints
    station_start: Ints
    station_of: Ints
    first_group: Ints
    station_of_group: Ints
    group_rate: Floats
    share: Floats
    cell: Floats
    survival: Floats
    inside: Floats


def prepare(
    station: Ints, group: Ints, gaps: Gaps, own_spacing: Floats, follows: Floats, service: Floats
) -> TokenStations:
    """Set up the streams of a set of stations.

    Args:
        station, group: shape (T,), labels by which the streams are sorted; equal groups come from one
            upstream server.
        gaps: gap laws of the streams.
        own_spacing: shape (T,), s, service time at the upstream server; what counts within a group of
            several.
        follows: shape (T,), probability that the job before at that server went here too and was followed at
            once.
        service: shape (T,), s, mean service time at the station.
    """
    group_start, group_of = runs(group)
    station_start, station_of = runs(station)
    first_group, station_of_group = runs(station[group_start])
    rate = gaps.rate
    group_rate = np.add.reduceat(rate, group_start)
    several = np.bincount(group_of)[group_of] > 1
    spacing = np.where(several, np.minimum(own_spacing, (1.0 - 1e-4) / rate), gaps.spacing)
    loose = np.where(several, 1.0 - np.clip(follows, 0.0, 0.999), gaps.loose)
    # one excess for the whole group, so that its mean gap is right
    busy = np.minimum(np.add.reduceat(rate * spacing, group_start), 1.0 - 1e-4)
    excess = np.where(several, ((1.0 - busy) / group_rate)[group_of], gaps.excess)
    span = np.maximum.reduceat(service, station_start)
    span = np.minimum(span, REACH / np.add.reduceat(rate, station_start))[station_of]
    cell = np.maximum(span, TINY) / GRID
    x = np.arange(GRID + 1)[:, None] * cell
    beyond = x - spacing
    # the step at d is a ramp of one cell, so that sums over the grid see its place and not its cell
    ramp = np.where(spacing > 0.0, np.clip(beyond / cell + 0.5, 0.0, 1.0), 1.0)
    survival = 1.0 - ramp * (1.0 - loose * np.exp(-np.maximum(beyond, 0.0) * (loose / excess)))
    survival[0] = 1.0
    inside = np.clip((service - x) / cell + 0.5, 0.0, 1.0)
    inside[0] = 0.5
    inside[-1] *= 0.5
    return TokenStations(
        rate, service, group_start, group_of, station_start, station_of, first_group, station_of_group,
        group_rate, rate / group_rate[group_of], cell, survival, inside,
    )  # fmt: skip


def acceptance(tokens: TokenStations, eta: Floats, accepted: Floats) -> Floats:
    """Acceptance probability of each stream for given token parameters.

    Args:
        tokens: the streams.
        eta: shape (S,), in [0, 1].
        accepted: shape (T,), acceptance by which the classes are weighted in the time since the last
            completion.
    """
    g, start = tokens.group_of, tokens.group_start
    keep = eta[tokens.station_of]
    keep_group = eta[tokens.station_of_group]
    step = tokens.survival[:-1] - tokens.survival[1:]
    single = len(start) == len(g)
    seen = np.ones((GRID + 1, len(g)))
    mean = np.ones((GRID + 1, len(start)))
    middle = np.empty((GRID, len(start)))
    spread = middle if single else np.empty((GRID, len(g)))
    implicit = 0.5 * keep * step[0]
    implicit_mean = implicit if single else np.add.reduceat(tokens.share * implicit, start)
    for j in range(1, GRID + 1):
        known = tokens.survival[j] + implicit * (mean[j - 1] if single else mean[j - 1][g])
        if j > 1:
            known += keep * np.einsum("kt,kt->t", step[1:j], spread[j - 2 :: -1])
        known_mean = known if single else np.add.reduceat(tokens.share * known, start)
        mean[j] = known_mean / (1.0 - implicit_mean)
        seen[j] = known + implicit * (mean[j] if single else mean[j][g])
        middle[j - 1] = 0.5 * (mean[j] + mean[j - 1])
        if not single:
            spread[j - 1] = middle[j - 1][g]
    instant = np.ones_like(mean)
    instant[1:] -= (1.0 - keep_group) * tokens.group_rate * tokens.cell[start] * np.cumsum(middle, axis=0)
    instant = np.maximum(instant, 1e-12)
    others = np.multiply.reduceat(instant, tokens.first_group, axis=1)[:, tokens.station_of_group] / instant
    flow = tokens.rate * accepted
    window = np.add.reduceat(tokens.inside * flow, tokens.station_start, axis=1)
    window /= np.maximum(np.add.reduceat(flow * tokens.service, tokens.station_start), TINY)
    total = np.einsum("kt,kt,kt->t", seen, others[:, g], window[:, tokens.station_of])
    return np.asarray(total * tokens.cell)


def share_loss(tokens: TokenStations, work: Floats, accepted: Floats, eta: Floats, steps: int) -> tuple[Floats, Floats]:
    """Choose eta such that the work accepted is ``work``, and return (acceptance, eta).

    The work accepted rises with eta: bisection, sped up by a secant step while the bracket allows (Illinois).

    Args:
        tokens: the streams.
        work: shape (S,), utilisation that the station reaches, sum of rate x service x acceptance.
        accepted: shape (T,), acceptance of the last sweep.
        eta: shape (S,), start.
        steps: number of evaluations.
    """
    low, high = np.zeros(len(eta)), np.ones(len(eta))
    offered = np.add.reduceat(tokens.rate * tokens.service, tokens.station_start)
    value_low, value_high = np.full(len(eta), np.nan), offered - work
    for _ in range(steps):
        value = acceptance(tokens, eta, accepted)
        excess = np.add.reduceat(tokens.rate * tokens.service * value, tokens.station_start) - work
        under = excess < 0.0
        low, value_low = np.where(under, eta, low), np.where(under, excess, value_low)
        high, value_high = np.where(under, high, eta), np.where(under, value_high, excess)
        last = eta
        with np.errstate(divide="ignore", invalid="ignore"):
            secant = low - value_low * (high - low) / (value_high - value_low)
        usable = np.isfinite(secant) & (secant > low) & (secant < high)
        eta = np.where(usable, secant, 0.5 * (low + high))
    return normalise(tokens, value, work), last


def normalise(tokens: TokenStations, value: Floats, work: Floats) -> Floats:
    """Scale acceptances so that the work is met, none above 1 (the surplus goes to the other classes)."""
    scale = np.ones(len(work))
    for _ in range(6):
        bounded = np.minimum(value * scale[tokens.station_of], 1.0)
        done = np.add.reduceat(tokens.rate * tokens.service * bounded, tokens.station_start)
        scale *= np.where(done > 0.0, work / np.maximum(done, TINY), 1.0)
    return np.asarray(np.minimum(value * scale[tokens.station_of], 1.0))
