"""The best way to add one service to placements of the others: a dynamic programme over its runs of layers.

A run of layers a…b on one station is one job there, admitted once. With the others in place the loss of each station
is a formula of what would come to it, so the programme weighs, for every run on every station, what the service loses
there and what it takes from the services that pass there already, plus an additive cost (latency, energy). Labels carry
the flow that is left; keeping the best label per last run and station is a heuristic (flows and costs trade off), exact
when nothing is lost before the last run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.instance.compiled import Compiled, Floats, Ints
from placer.instance.variant import Truths, Variant
from placer.planning.domains import Domain
from placer.planning.ilp.paths import Costs
from placer.planning.loss.search.screening import ENDLESS, Screened, station_loss
from placer.planning.resources import Resources, Room
from placer.queueing.network import UNLIMITED
from placer.queueing.variability import departure_scv, split_scv

SLACK = 1e-9


@dataclass(frozen=True, eq=False)
class Stay:
    """What others bring to the stations, S of them, when a service is to be inserted.

    Attributes:
        rate, load, second, regular: shape (S,), Σ f, Σ f s, Σ f E[s²], Σ f s² (1 - c²).
        loss: shape (S,).
        completing: shape (S,), weighted flow that passes the station and completes.
        places: shape (S,), K.
        availability: shape (S,).
    """

    rate: Floats
    load: Floats
    second: Floats
    regular: Floats
    loss: Floats
    completing: Floats
    places: Floats
    availability: Floats


@dataclass(frozen=True, eq=False)
class Insertion:
    """Stations for the layers of a variant, and the estimated weighted loss and cost of that choice."""

    stations: tuple[int, ...]
    cost: float


def stay_of(screened: Screened, capacity: Ints, availability: Floats) -> Stay:
    """What placed services bring to the stations of the instance."""
    units = len(availability)
    places = np.where(capacity == UNLIMITED, ENDLESS, capacity)[:units].astype(np.float64)
    return Stay(
        rate=screened.rate[:units],
        load=screened.load[:units],
        second=screened.second[:units],
        regular=screened.regular[:units],
        loss=screened.station_loss[:units],
        completing=screened.completing[:units],
        places=places,
        availability=availability,
    )


class Inserter:
    """The dynamic programme for one variant.

    Attributes:
        variant: M layers on N stations.
        costs: additive costs.
        swiftness: shape (N,), speed of each station against the fastest, mean over the layers.
    """

    def __init__(self, compiled: Compiled, resources: Resources, domain: Domain, costs: Costs) -> None:
        self.compiled, self.resources, self.domain, self.costs = compiled, resources, domain, costs
        self.variant: Variant = domain.variant
        variant = self.variant
        seconds = np.where(domain.usable, variant.time, 0.0)
        self.work = _cumulative(variant.run[:, None] * seconds)
        self.variance = _cumulative(variant.run[:, None] * variant.scv * seconds**2)
        self.unary = _cumulative(np.where(np.isfinite(costs.unary), costs.unary, 0.0))
        self.banned = _cumulative((~domain.usable | ~np.isfinite(costs.unary)).astype(np.float64))
        self.macs = np.append(0.0, np.cumsum(variant.macs))
        with np.errstate(divide="ignore", invalid="ignore"):
            best = np.where(domain.usable, variant.time, np.inf).min(axis=1)[:, None]
            swift = np.where(domain.usable & (variant.time > 0), best / variant.time, 1.0)
        self.swiftness = np.asarray(swift.mean(axis=0))
        self.nothing = np.zeros((len(compiled.stations), len(compiled.stations)))

    def insert(
        self,
        stay: Stay,
        room: Room,
        loading: tuple[Floats, Floats],
        stream: tuple[float, float],
        weight: float,
        cost_factor: float,
        once: bool = True,
        price: Floats | None = None,
        barred: Truths | None = None,
    ) -> Insertion | None:
        """Return stations for all layers, or None when no way fits.

        Args:
            stay: what others bring.
            room: what memory and other limits leave.
            loading: bytes of each layer, shape (M, N), and of the runtime, shape (N,), that are not there yet.
            stream: offered rate, 1/s, and scv of the times between them.
            weight: of a lost request against the additive cost.
            cost_factor: of the additive cost.
            price: shape (N,), added for every run on a station: keeps the best stations for those who need them.
            once: never come back to a station that was left.
            barred: shape (M, N), layers that must not go to a station.
        """
        rate, arrival_scv = stream
        layers, units = len(self.variant), len(self.compiled.stations)
        weights, runtime = _cumulative(loading[0]), loading[1]
        banned = self.banned if barred is None else self.banned + _cumulative(barred.astype(np.float64))
        cost = np.full((layers, units), np.inf)
        flow, scv = np.zeros((layers, units)), np.ones((layers, units))
        start = np.zeros((layers, units), dtype=np.int64)
        came = np.full((layers, units), -1, dtype=np.int64)
        # stations that a label has used: coming back would need memory that is no longer there
        used = np.zeros((layers, units, units), dtype=bool)
        here = np.eye(units, dtype=bool)
        for a in range(layers):
            if a == 0:
                enter_cost, enter_flow, enter_scv = np.zeros(units), np.full(units, rate), np.full(units, arrival_scv)
                before = np.full(units, -1, dtype=np.int64)
                path = here
            else:
                enter_cost, before = self._entry(a, cost, used[a - 1] if once else here, cost_factor)
                enter_flow, enter_scv = flow[a - 1][before], scv[a - 1][before]
                path = used[a - 1][before] | here
            ends = np.arange(a, layers)
            fits = self._fits(a, ends, room, (weights, runtime), rate) & (banned[ends + 1] - banned[a] <= 0.0)
            fits &= np.isfinite(enter_cost)[None, :]
            if not fits.any():
                continue
            total, out, left = self._run(a, ends, stay, (enter_flow, enter_scv), weight, cost_factor)
            if price is not None:
                total = total + price
            total = np.where(fits, total + enter_cost[None, :], np.inf)
            better = total < cost[a:]
            cost[a:][better], flow[a:][better], scv[a:][better] = total[better], out[better], left[better]
            start[a:][better] = a
            came[a:][better] = np.broadcast_to(before, better.shape)[better]
            rows, columns = np.nonzero(better)
            used[a + rows, columns] = path[columns]
        last = int(np.argmin(cost[-1]))
        if not np.isfinite(cost[-1, last]):
            return None
        return Insertion(_trace(start, came, layers, last), float(cost[-1, last]))

    def _entry(self, a: int, cost: Floats, used: Truths, factor: float) -> tuple[Floats, Ints]:
        """Best way to come to layer ``a`` on each station from another one: (cost, from where)."""
        pair = self.costs.pair.get((a - 1, a), self.nothing)
        ways = cost[a - 1][:, None] + factor * pair if factor > 0 else np.repeat(cost[a - 1][:, None], len(pair), 1)
        if factor <= 0:
            ways = np.where(np.isfinite(pair), ways, np.inf)
        ways = np.where(used, np.inf, ways)
        before = np.argmin(ways, axis=0)
        columns = np.arange(len(before))
        return ways[before, columns], before

    def _run(
        self, a: int, ends: Ints, stay: Stay, stream: tuple[Floats, Floats], weight: float, factor: float
    ) -> tuple[Floats, Floats, Floats]:
        """Cost of the runs a…b, flow and scv after them, shape (ends, N); see the module's head."""
        enter, scv = stream
        run = max(float(self.variant.run[a]), 1e-12)
        mean = (self.work[ends + 1] - self.work[a]) / run / self.compiled.servers  # as in the estimate
        spread = np.maximum(self.variance[ends + 1] - self.variance[a], 0.0) / run / self.compiled.servers**2
        second = mean**2 + spread
        rate = stay.rate + enter
        load = stay.load + enter * mean
        regular = stay.regular + enter * (1.0 - scv) * mean**2
        loss = station_loss(np.broadcast_to(rate, mean.shape), load, stay.second + enter * second, regular, stay.places)
        accept = (1.0 - loss) * stay.availability
        goes_on = np.append(self.variant.run, 1.0)[ends + 1] if len(ends) else np.zeros(0)
        goes_on = np.where(ends + 1 < len(self.variant), goes_on / run, 1.0)
        taken = stay.completing * np.maximum(loss - stay.loss, 0.0) / np.maximum(1.0 - stay.loss, 1e-4)
        total = weight * enter * (1.0 - accept) + taken
        if factor > 0:
            total = total + factor * (self.unary[ends + 1] - self.unary[a])
        share = enter / np.maximum(rate, 1e-300)
        busy = np.minimum(load * (1.0 - loss), 1.0)
        mixture = np.maximum((stay.second + enter * second) * rate / np.maximum(load, 1e-150) ** 2 - 1.0, 0.0)
        left = split_scv(share, departure_scv(busy, mixture, share * scv + 1.0 - share), scv, 1.0 - loss)
        return total, enter * accept * goes_on[:, None], left

    def _fits(self, a: int, ends: Ints, room: Room, loading: tuple[Floats, Floats], rate: float) -> Truths:
        """Which runs a…b fit what is left, shape (ends, N); ``loading`` has the weights of the first n layers."""
        compiled, variant, at = self.compiled, self.variant, self.compiled.station_device
        weights = loading[0][ends + 1] - loading[0][a]
        peak = np.maximum.accumulate(variant.activations[a:], axis=0)[: len(ends)]
        more = np.maximum(peak - room.peak[None, :], 0.0)
        stores = self.resources.stores
        ok = stores.fitting(_eased(room.stores, stores.capacity), weights, more, loading[1])
        ok &= (ends - a + 1)[:, None] <= room.layers[at]
        ok &= (self.macs[ends + 1] - self.macs[a])[:, None] <= _eased(room.compute, compiled.max_compute)[at]
        ok &= rate * (self.work[ends + 1] - self.work[a]) <= room.work + SLACK
        return np.asarray(ok)


def _eased(left: Floats, limit: Floats) -> Floats:
    return np.asarray(left + SLACK * np.where(np.isfinite(limit), limit, 0.0))


def _cumulative(values: Floats) -> Floats:
    """Sums of the first n rows, shape (M+1, N)."""
    return np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])


def _trace(start: Ints, came: Ints, layers: int, last: int) -> tuple[int, ...]:
    stations = [0] * layers
    end, station = layers - 1, last
    while end >= 0:
        first = int(start[end, station])
        stations[first : end + 1] = [station] * (end + 1 - first)
        end, station = first - 1, int(came[end, station])
    return tuple(stations)
