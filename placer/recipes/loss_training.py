"""Fitting the network of :mod:`placer.queueing.pair_network` to simulated streams: gradients by hand, Adam, numpy only.

The loss ratio of a stream is fitted by the binomial deviance of its drops, weighted so that a stream of few drops
counts by how sure its label is (``DISPERSION`` drops of a clump are worth one) and one of many by the relative error
(``NEAR``) of its loss or, where most are lost, of what it keeps; the wait by its error relative to the time in the
station, squared where it is small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from placer.queueing import correction
from placer.queueing.network import Floats, Ints
from placer.queueing.pair_network import WEIGHT_NAMES, Pairs, Singles, Weights, pair_up
from placer.recipes.loss_labels import Streams

NEAR = 0.06
DISPERSION = 3.0
WAIT_SHARE, WAIT_NEAR = 100.0, 0.05
"""Weight of the waits, and the relative error above which their cost grows linearly."""

FEWEST_ARRIVALS = 300
TRIVIAL = 1e-4
"""Stations where neither the rules nor the simulation see a larger loss: most are left out."""

KEPT_TRIVIAL = 0.15
STATIONS = 256
STEEPEST = 500.0
RATE, DECAY, WARM_STEPS = 3e-3, 2e-4, 200

Rows = dict[str, Any]
"""Weights or gradients by name."""


@dataclass(frozen=True)
class Plan:
    """How to train: units of the two widths, passes over the data, seed."""

    pair_units: int = 48
    units: int = 96
    epochs: int = 100
    seed: int = 1


def train(data: Streams, plan: Plan, tell: Callable[[int, float], None] | None = None) -> Weights:
    """Fit the weights.

    Args:
        data: the streams.
        plan: how.
        tell: called with the epoch and its mean cost.
    """
    rng = np.random.default_rng(plan.seed)
    data = _telling(data, rng)
    weights = start_weights(data.features.shape[1], plan, rng)
    first, second = ({name: np.zeros_like(value) for name, value in weights.items()} for _ in range(2))
    begin, size = _stations(data)
    total = plan.epochs * -(-len(begin) // STATIONS)
    step = 0
    for epoch in range(plan.epochs):
        cost = 0.0
        for rows in _batches(begin, size, rng):
            part = data.take(rows)
            value, slopes = gradient(weights, part)
            cost += value
            step += 1
            rate = RATE * 0.5 * (1.0 + np.cos(np.pi * step / total)) * min(1.0, step / WARM_STEPS)
            for name, slope in slopes.items():
                first[name] = 0.9 * first[name] + 0.1 * slope
                second[name] = 0.999 * second[name] + 0.001 * slope**2
                move = first[name] / (1 - 0.9**step) / (np.sqrt(second[name] / (1 - 0.999**step)) + 1e-8)
                shrink = DECAY * weights[name] if weights[name].ndim == 2 else 0.0
                weights[name] = (weights[name] - rate * (move + shrink)).astype(np.float32)
        if tell is not None:
            tell(epoch, cost / len(data.odds))
    return Weights(**weights)


def _telling(data: Streams, rng: np.random.Generator) -> Streams:
    """Rows of stations where the correction speaks and something is lost, and some of the others."""
    stations = int(data.station.max()) + 1
    most = np.zeros(stations)
    empirical = data.dropped / np.maximum(data.arrived, 1.0)
    np.maximum.at(most, data.station, np.maximum(empirical, 1.0 / (1.0 + np.exp(-data.odds))))
    speaks = np.bincount(data.station, data.gate, minlength=stations) > 0.0
    wanted = speaks & ((most > TRIVIAL) | (rng.random(stations) < KEPT_TRIVIAL))
    return data.take(np.flatnonzero(wanted[data.station]))


def start_weights(features: int, plan: Plan, rng: np.random.Generator) -> Rows:
    """Random weights, by which every stream begins nearly uncorrected."""
    h, g = plan.pair_units, plan.units
    shapes = {
        "receive": (features, h), "send": (features, h), "together": (h,), "related": (h,), "same": (h,),
        "pair_bias": (h,), "mix": (h, h), "mix_bias": (h,), "own": (features, g), "met": (h, g), "own_bias": (g,),
        "deep": (g, g), "deep_bias": (g,), "out": (g, 2), "out_bias": (2,),
    }  # fmt: skip
    rows: Rows = {}
    for name in WEIGHT_NAMES:
        shape = shapes[name]
        scale = (0.1 if name == "out" else 1.0) / np.sqrt(shape[0])
        drawn = rng.standard_normal(shape) * scale if len(shape) == 2 else np.zeros(shape)
        rows[name] = drawn.astype(np.float32)
    return rows


def _stations(data: Streams) -> tuple[Ints, Ints]:
    new = np.ones(len(data.station), dtype=bool)
    new[1:] = data.station[1:] != data.station[:-1]
    begin = np.flatnonzero(new)
    return begin, np.diff(np.append(begin, len(new)))


def _batches(begin: Ints, size: Ints, rng: np.random.Generator) -> Iterator[Ints]:
    """Rows of the stations of each batch."""
    order = rng.permutation(len(begin))
    for first in range(0, len(order), STATIONS):
        chosen = order[first : first + STATIONS]
        count = size[chosen]
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        yield np.repeat(begin[chosen], count) + within


def gradient(weights: Rows, data: Streams) -> tuple[float, Rows]:
    """Cost of a batch and the gradient of its mean."""
    # a station may be left and right of another one in a batch: labels anew
    begin, size = _stations(data)
    station = np.repeat(np.arange(len(begin)), size)
    pairs = pair_up(station, data.group, data.widest_at)
    layers = _forward(weights, data.features, pairs, data.weight.astype(np.float32))
    cost, slope = cost_of(layers[-1].astype(np.float64), data)
    slope = np.clip(slope, -STEEPEST, STEEPEST) / len(data.odds)
    return cost, _backward(weights, data, pairs, layers, slope.astype(np.float32))


def cost_of(move: Floats, data: Streams) -> tuple[float, Floats]:
    """Summed cost of what the network says, and its slope; ``move`` as in :func:`pair_network.evaluate`."""
    bound, stretch = correction.LOSS_BOUND, correction.WAIT_BOUND
    bend, bend_wait = np.tanh(move[:, 0] / bound), np.tanh(move[:, 1] / stretch)
    speaks = data.gate > 0.0
    odds = data.odds + speaks * bound * bend
    sure = speaks & (data.arrived > FEWEST_ARRIVALS)
    rarer = np.minimum(data.dropped, data.arrived - data.dropped)
    weight = sure / (DISPERSION + NEAR**2 * rarer)
    share = np.clip(data.dropped / np.maximum(data.arrived, 1.0), 1e-12, 1.0 - 1e-12)
    best = -np.where(
        data.dropped > 0, data.dropped * np.log(share) + (data.arrived - data.dropped) * np.log1p(-share), 0.0
    )
    deviance = np.logaddexp(0.0, odds) * data.arrived - data.dropped * odds - best
    slope = (data.arrived / (1.0 + np.exp(-odds)) - data.dropped) * weight * (1.0 - bend**2)
    waits = (data.wait_gate > 0.0) & (data.wait > 1e-9) & (data.arrived > FEWEST_ARRIVALS)
    wait = data.wait * np.exp(waits * stretch * bend_wait)
    scale = data.service + data.true_wait
    error = waits * (wait - data.true_wait) / np.maximum(scale, 1e-12)
    size = np.sqrt(1.0 + (error / WAIT_NEAR) ** 2)
    slope_wait = WAIT_SHARE * error / size * wait / np.maximum(scale, 1e-12) * (1.0 - bend_wait**2)
    cost = float((deviance * weight).sum() + WAIT_SHARE * WAIT_NEAR**2 * (size - 1.0).sum())
    return cost, np.column_stack([slope, slope_wait])


def _forward(weights: Rows, x: Singles, pairs: Pairs, influence: Singles) -> tuple[Singles, ...]:
    """The layers: pairs twice, what is met, own, deep, out; as :func:`pair_network.evaluate`."""
    receive, send = x @ weights["receive"] + weights["pair_bias"], x @ weights["send"]
    pair = receive[pairs.first] + send[pairs.second]
    for name in ("together", "related", "same"):
        pair += getattr(pairs, name)[:, None] * weights[name]
    pair = np.tanh(pair)
    mixed = np.tanh(pair @ weights["mix"] + weights["mix_bias"])
    met = np.add.reduceat(mixed * influence[pairs.second][:, None], pairs.start, axis=0)
    own = np.tanh(x @ weights["own"] + met @ weights["met"] + weights["own_bias"])
    deep = np.tanh(own @ weights["deep"] + weights["deep_bias"])
    return pair, mixed, met, own, deep, deep @ weights["out"] + weights["out_bias"]


def _backward(weights: Rows, data: Streams, pairs: Pairs, layers: tuple[Singles, ...], slope: Singles) -> Rows:
    """Gradient of all weights from the slope at the output, shape (R, 2)."""
    x = data.features
    pair, mixed, met, own, deep, _ = layers
    rows: Rows = {"out": deep.T @ slope, "out_bias": slope.sum(axis=0)}
    back = (slope @ weights["out"].T) * (1 - deep**2)
    rows["deep"], rows["deep_bias"] = own.T @ back, back.sum(axis=0)
    back = (back @ weights["deep"].T) * (1 - own**2)
    rows["own"], rows["met"], rows["own_bias"] = x.T @ back, met.T @ back, back.sum(axis=0)
    heard = (back @ weights["met"].T)[pairs.first]
    back = heard * data.weight.astype(np.float32)[pairs.second][:, None] * (1 - mixed**2)
    rows["mix"], rows["mix_bias"] = pair.T @ back, back.sum(axis=0)
    back = (back @ weights["mix"].T) * (1 - pair**2)
    rows["pair_bias"] = back.sum(axis=0)
    for name in ("together", "related", "same"):
        rows[name] = getattr(pairs, name) @ back
    rows["receive"] = x.T @ np.add.reduceat(back, pairs.start, axis=0)
    # pairs of a station are all with all, so sorting by the second is a transposition
    order = np.argsort(pairs.second, kind="stable")
    rows["send"] = x.T @ np.add.reduceat(back[order], pairs.start, axis=0)
    return rows
