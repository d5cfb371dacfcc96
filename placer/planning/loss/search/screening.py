"""A quick estimate of what a placement loses, to steer a search: two moments of streams and services, no classes.

Each station has the two-moment loss (:func:`placer.queueing.mg1k.loss`) for the mixture of what comes to it, with the
arrival scv that the work brought has (:func:`placer.queueing.variability.work_scv`); flows are thinned by what was lost
before, and leave a station as regular as Marshall's formula says. The tasks of a DAG are thinned as if they ran in a
row. What the search finds this way is judged by the analytic evaluator, which knows better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from placer.evaluation.blocks import Block
from placer.evaluation.queues import NetworkBuilder, renumbered, used_carriers
from placer.instance.compiled import Floats, Ints
from placer.plan.placement import Placement
from placer.queueing import mg1k
from placer.queueing.network import UNLIMITED
from placer.queueing.variability import departure_scv, split_scv

SWEEPS = 12
CLOSE = 1e-4
ENDLESS = 10**6
"""Places of an unlimited station: it still passes no more than it can serve."""


@dataclass(frozen=True, eq=False)
class Path:
    """The stations that jobs of one class visit.

    Attributes:
        station: shape (n,).
        mean, second: shape (n,), moments of the service time in s and s².
        come: shape (n,), probability that a job of the class comes there when nothing is lost (exits).
    """

    station: Ints
    mean: Floats
    second: Floats
    come: Floats


@dataclass(frozen=True, eq=False)
class Screened:
    """What the estimate says of a placement: C classes, S stations.

    Attributes:
        classes: shape (C,), which of the served services.
        loss: shape (C,), loss ratio of each class.
        total: weighted loss ratio.
        station_loss: shape (S,).
        rate, load, second: shape (S,), per station Σ f, Σ f s and Σ f E[s²] over what comes.
        regular: shape (S,), Σ f s² (1 - c²), c² the scv of each stream.
        completing: shape (S,), what passes the station and is lost nowhere later, weighted, 1/s.
    """

    classes: Ints
    loss: Floats
    total: float
    station_loss: Floats
    rate: Floats
    load: Floats
    second: Floats
    regular: Floats
    completing: Floats


class Screen:
    """The estimate for one instance.

    Attributes:
        builder: gives the tasks of the services.
        rates, arrival_scv: shape (C,), arrivals of the served services, 1/s, and the scv of the times between them.
        weights: shape (C,).
        availability: shape (N,), part of the time that a compute unit is there.
    """

    def __init__(self, builder: NetworkBuilder, rates: Floats, arrival_scv: Floats, availability: Floats) -> None:
        compiled = builder.compiled
        self.builder = builder
        self.rates = rates
        self.arrival_scv = arrival_scv
        self.weights = compiled.weight[list(builder.served)]
        self.offered = float(self.weights @ rates)
        self.availability = availability
        self.servers = compiled.servers
        self._class = {service: position for position, service in enumerate(builder.served)}
        self._paths: dict[int, tuple[Block, Path]] = {}

    def path(self, block: Block) -> Path:
        """The stations that a block visits, in the order of its tasks."""
        found = self._paths.get(id(block))
        if found is not None and found[0] is block:
            return found[1]
        if len(self._paths) > 20_000:
            self._paths.clear()
        made = _path_of(block, self.servers)
        self._paths[id(block)] = (block, made)
        return made

    def of(self, placement: Placement, guess: Floats | None = None) -> Screened:
        """Estimate a placement, of some or all of the services.

        Args:
            placement: which station runs each layer.
            guess: loss per station from which the fixed point is sought: that of a placement much like this one.
        """
        builder = self.builder
        classes, paths = [], []
        for choice, stations in zip(placement.choice, placement.stations, strict=True):
            position = self._class.get(builder.compiled.variants[choice].service)
            if position is not None:
                classes.append(position)
                paths.append(self.path(builder.block(choice, stations)))
        return self._of_paths(np.array(classes, dtype=np.int64), tuple(paths), builder.capacity(placement), guess)

    def totals(self, placements: Sequence[Placement]) -> tuple[Floats, Floats]:
        """Estimate many complete placements at once.

        Returns:
            Weighted loss ratio of each, shape (B,), and the loss ratios of the classes, shape (B, C).
        """
        builder = self.builder
        count = len(builder.served)
        paths: list[Path] = []
        for placement in placements:
            paths += [self.path(builder.block(placement.choice[s], placement.stations[s])) for s in builder.served]
        capacities = [builder.capacity(placement) for placement in placements]
        classes = np.tile(np.arange(count), len(placements))
        screened = self._of_paths(classes, tuple(paths), np.concatenate(capacities), None, len(placements))
        loss = screened.loss.reshape(len(placements), count)
        share = self.weights * self.rates
        return np.asarray(loss @ share / max(self.offered, 1e-300)), loss

    def _of_paths(
        self, classes: Ints, paths: tuple[Path, ...], capacity: Ints, guess: Floats | None, copies: int = 1
    ) -> Screened:
        """Estimate some networks side by side: ``copies`` of them, with as many classes and stations each.

        ``capacity`` is that of the compute units, one network after the other; carriers that any path uses follow them.
        """
        rates, weights = self.rates[classes], self.weights[classes]
        compiled = self.builder.compiled
        carriers = used_carriers(compiled, paths)
        queues = np.array([compiled.topology.carrier(int(c)).queue for c in carriers], dtype=np.int64)
        places = np.hstack([capacity.reshape(copies, -1), np.tile(queues, (copies, 1))]).ravel()
        size = len(places)
        places = np.where(places == UNLIMITED, ENDLESS, places)
        up = np.tile(np.append(self.availability, np.ones(len(carriers))), copies)
        lengths = np.array([len(path.station) for path in paths])
        widest = int(lengths.max(initial=1))
        shape = (len(paths), widest)
        if not paths:
            nothing = np.zeros(size)
            return Screened(classes, nothing[:0], 0.0, nothing, nothing, nothing, nothing, nothing, nothing)
        there = np.arange(widest)[None, :] < lengths[:, None]
        station = np.zeros(shape, dtype=np.int64)
        mean, second, come = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        for array, name in ((station, "station"), (mean, "mean"), (second, "second"), (come, "come")):
            array[there] = np.concatenate([getattr(path, name) for path in paths])
        station = renumbered(compiled, station, carriers)
        if copies > 1:
            station += np.repeat(np.arange(copies) * (size // copies), len(paths) // copies)[:, None]
        base = rates[:, None] * come
        loss = np.zeros(size)
        if guess is not None:
            units = len(self.availability)
            loss[:units] = guess[:units]
        flow = base
        rate = load = moment = regular = loss
        scv = np.ones(shape)
        scv[:, 0] = self.arrival_scv[classes]
        for sweep in range(SWEEPS):
            accept = np.where(there, (1.0 - loss)[station] * up[station], 1.0)
            reached = np.ones(shape)
            np.cumprod(accept[:, :-1], axis=1, out=reached[:, 1:])
            flow = base * reached
            rate = total(station, flow, size)
            load, moment = total(station, flow * mean, size), total(station, flow * second, size)
            regular = total(station, flow * mean**2 * (1.0 - scv), size)
            new = station_loss(rate, load, moment, regular, places)
            _pass_on(station, flow, scv, (rate, load, moment), new)
            change = float(np.abs(new - loss).max(initial=0.0))
            loss = new if sweep < 4 else 0.5 * (loss + new)
            if change < CLOSE:
                break
        accept = np.where(there, (1.0 - loss)[station] * up[station], 1.0)
        through = accept.prod(axis=1)
        # completing: what comes to a task and passes it and all that follow
        after = np.cumprod(accept[:, ::-1], axis=1)[:, ::-1]
        worth = flow * after * weights[:, None]
        completing = total(station, worth, size)
        lost = 1.0 - through
        return Screened(
            classes=classes,
            loss=lost,
            total=float((weights * rates) @ lost / self.offered) if self.offered > 0 else 0.0,
            station_loss=loss,
            rate=rate,
            load=load,
            second=moment,
            regular=regular,
            completing=completing,
        )


def total(where: Ints, values: Floats, size: int) -> Floats:
    """Sum of the values at each of ``size`` places."""
    return np.bincount(where.ravel(), values.ravel(), minlength=size).astype(np.float64)


def _pass_on(station: Ints, flow: Floats, scv: Floats, sums: tuple[Floats, Floats, Floats], loss: Floats) -> None:
    """Hand the scv of the streams that leave each station to the next tasks, in place; shape (C, n)."""
    rate, load, second = sums
    size = len(loss)
    ratio = rate / np.maximum(load, 1e-150) ** 2
    service = np.maximum(second * ratio - 1.0, 0.0)
    merged = total(station, flow * scv, size) / np.maximum(rate, 1e-300)
    left = departure_scv(np.minimum(load * (1.0 - loss), 1.0), service, merged)[station]
    share = flow / np.maximum(rate, 1e-300)[station]
    out = split_scv(share, left, scv, 1.0 - loss[station])
    scv[:, 1:] = out[:, :-1]


def station_loss(rate: Floats, load: Floats, second: Floats, regular: Floats, places: Floats | Ints) -> Floats:
    """Two-moment loss of stations from Σ f, Σ f s, Σ f E[s²] and Σ f s² (1 - c²); any broadcastable shape."""
    ratio = rate / np.maximum(load, 1e-150) ** 2
    scv = np.where(load > 0.0, np.maximum(second * ratio - 1.0, 0.0), 0.0)
    arrival = np.where(load > 0.0, np.maximum(1.0 - regular * ratio, 0.0), 1.0)
    value = mg1k.loss(load, scv, places, arrival, clip=True)
    return np.asarray(np.clip(value, 0.0, 0.9999))


def _path_of(block: Block, servers: Ints) -> Path:
    """The served tasks of a block; exits thin what follows. Of c servers the estimate makes one, c times as fast."""
    owner = np.repeat(np.arange(block.tasks), np.diff(block.outcome_ptr))
    probability, mean = block.outcomes["outcome_probability"], block.outcomes["outcome_mean"]
    scv, leaves = block.outcomes["outcome_scv"], block.outcomes["outcome_leaves"]
    first = total(owner, probability * mean, block.tasks)
    second = total(owner, probability * mean**2 * (1.0 + scv), block.tasks)
    goes_on = 1.0 - total(owner, probability * leaves, block.tasks)
    come = np.concatenate([[1.0], np.cumprod(goes_on)[:-1]])
    served = block.station >= 0
    station = block.station[served]
    faster = np.append(servers, 1)[np.minimum(station, len(servers))]
    return Path(station, first[served] / faster, second[served] / faster**2, come[served])
