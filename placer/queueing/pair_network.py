"""A small neural network over the streams that meet at a station, and its weights.

Each stream i of a station has features x_i. Every ordered pair (i, j) of streams of one station, i = j included, gives
``z_ij = tanh(W2 tanh(A x_i + B x_j + together_ij g + related_ij r + same_ij s + b) + c)``, where *together* says that
both come from one upstream station, *related* that both met their longest service at one, and *same* that i = j. What
i meets is ``m_i = sum_j w_j z_ij`` with the weight of j. Two more layers of tanh on (x_i, m_i) end in two numbers per
stream. The order of the streams does not matter, nor how many there are.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from placer.queueing.network import Floats, Ints

Singles = NDArray[np.float32]


@dataclass(frozen=True)
class Pairs:
    """Ordered pairs of streams of the same station, sorted by the first.

    Attributes:
        first, second: shape (Q,), positions.
        together, related, same: shape (Q,), 1 where the two come from one upstream station; where they met their
            longest service at one; where they are one.
        start: shape (P,), first pair of each stream.
    """

    first: Ints
    second: Ints
    together: Singles
    related: Singles
    same: Singles
    start: Ints


def pair_up(station: Ints, group: Ints, widest_at: Ints) -> Pairs:
    """All ordered pairs.

    Args:
        station: shape (P,), labels by which the streams are sorted.
        group: shape (P,), equal for streams of a station that come from one upstream station.
        widest_at: shape (P,), equal for streams that met their longest service at one station.
    """
    count = len(station)
    begins = np.ones(count, dtype=bool)
    begins[1:] = station[1:] != station[:-1]
    start = np.flatnonzero(begins)
    of = np.cumsum(begins) - 1
    size = np.bincount(of)[of]
    at = np.cumsum(size) - size
    first = np.repeat(np.arange(count), size)
    second = start[of[first]] + np.arange(len(first)) - at[first]
    same = first == second
    together = (group[first] == group[second]) & ~same
    related = (widest_at[first] == widest_at[second]) & ~same
    one = np.float32
    return Pairs(first, second, together.astype(one), related.astype(one), same.astype(one), at.astype(np.int64))


@dataclass(frozen=True)
class Weights:
    """The weights, single precision; F features, H and G units.

    Attributes:
        receive, send: shape (F, H), A and B.
        together, related, same, pair_bias: shape (H,), g, r, s and b.
        mix, mix_bias: shape (H, H) and (H,).
        own, met, own_bias: shape (F, G), (H, G) and (G,).
        deep, deep_bias: shape (G, G) and (G,).
        out, out_bias: shape (G, 2) and (2,).
    """

    receive: Singles
    send: Singles
    together: Singles
    related: Singles
    same: Singles
    pair_bias: Singles
    mix: Singles
    mix_bias: Singles
    own: Singles
    met: Singles
    own_bias: Singles
    deep: Singles
    deep_bias: Singles
    out: Singles
    out_bias: Singles


WEIGHT_NAMES = tuple(field.name for field in fields(Weights))
SHIPPED = "loss_correction.npz"


@cache
def shipped() -> Weights:
    """The weights that travel with the package (made by :mod:`placer.recipes.loss_correction`)."""
    with files("placer.queueing").joinpath(SHIPPED).open("rb") as file, np.load(file) as data:
        return Weights(**{name: data[name] for name in WEIGHT_NAMES})


def evaluate(weights: Weights, features: Singles, pairs: Pairs, weight: Floats) -> Floats:
    """The two numbers of each stream, shape (P, 2).

    Args:
        weights: of the network.
        features: shape (P, F).
        pairs: of the streams.
        weight: shape (P,), w_j.
    """
    if len(features) == 0:
        return np.zeros((0, 2))
    receive, send = features @ weights.receive + weights.pair_bias, features @ weights.send
    pair = receive[pairs.first] + send[pairs.second]
    pair += pairs.together[:, None] * weights.together + pairs.same[:, None] * weights.same
    pair += pairs.related[:, None] * weights.related
    pair = np.tanh(np.tanh(pair) @ weights.mix + weights.mix_bias)
    pair *= weight.astype(np.float32)[pairs.second][:, None]
    met = np.add.reduceat(pair, pairs.start, axis=0)
    own = np.tanh(features @ weights.own + met @ weights.met + weights.own_bias)
    deep = np.tanh(own @ weights.deep + weights.deep_bias)
    return np.asarray(deep @ weights.out + weights.out_bias, dtype=np.float64)
