"""How confidence thresholds are tuned on samples: coordinate ascent with restarts, and room for the samples' error.

Coordinate ascent looks at one threshold at a time: with the others fixed, all its values are evaluated at once from
sums over the sorted confidences.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from placer.errors import InfeasibleError
from placer.exits.samples import Split
from placer.exits.station import CLIP, Station
from placer.exits.thresholds import OFF, Costs, behaviour, exits_taken, times
from placer.instance.units import show_fraction
from placer.queueing import mg1k, mg1k_exact
from placer.queueing.network import Floats

LossModel = Literal["formula", "exact"]


@dataclass
class Search:
    """Coordinate ascent over thresholds; best means within the loss limit, then accurate, then little loss.

    Attributes:
        samples: what is tuned on.
        costs, station, max_loss: the task.
        model: the two-moment formula, or the exact chain (slower, no optimism for scv > 1).
        candidates: quantiles of the confidence that are tried at each exit.
        evaluations: threshold vectors evaluated so far.
    """

    samples: Split
    costs: Costs
    station: Station
    max_loss: float
    model: LossModel = "exact"
    candidates: int = 64
    evaluations: int = 0

    def losses(self, shares: Floats, mean: Floats) -> Floats:
        """Loss of several rows of shares and times, both (C, L) -> (C,)."""
        if self.model == "formula":
            first = (shares * mean).sum(axis=1)
            second = (shares * mean**2 * (1.0 + self.costs.scv)).sum(axis=1)
            spread = np.maximum(second / first**2 - 1.0, 0.0)
            return mg1k.loss(self.station.rate * first, spread, self.station.capacity, clip=CLIP)
        rows, exits = np.nonzero(shares > 0.0)
        places = np.full(len(shares), self.station.capacity, dtype=np.int64)
        load = self.station.rate * mean[rows, exits]
        return mg1k_exact.embedded(places, rows, shares[rows, exits], load, self.costs.scv[exits]).loss

    def score(self, thresholds: Floats) -> tuple[float, float, float]:
        """Sort key of thresholds: excess loss (negated), accuracy, loss (negated); larger is better."""
        self.evaluations += 1
        done = behaviour(thresholds, self.samples, self.costs)
        loss = float(self.losses(done.shares[None], done.mean[None])[0])
        return -max(loss - self.max_loss, 0.0), done.accuracy, -loss

    def line(self, thresholds: Floats, exit_: int) -> tuple[tuple[float, float, float], float]:
        """Best value of one threshold with the others fixed: its key and the value."""
        L = len(thresholds)
        reached = np.flatnonzero(exits_taken(np.where(np.arange(L) < exit_, thresholds, OFF), self.samples) >= exit_)
        beyond = np.where(np.arange(L) <= exit_, OFF, thresholds)
        rest = exits_taken(beyond, self.samples)[reached]
        before = exits_taken(thresholds, self.samples)
        early = np.ones(len(self.samples), dtype=bool)
        early[reached] = False
        rows = np.arange(len(self.samples))
        fixed_right = self.samples.correct[rows[early], before[early]].sum()
        fixed = np.bincount(before[early], minlength=L).astype(np.float64)
        seen = self.samples.confidence[reached, exit_]
        order = np.argsort(-seen)
        values = self._values(seen)
        # how many of the sorted samples leave at each candidate; the first candidate is "off"
        leave = np.searchsorted(-seen[order], -values, side="right")
        here = np.append(0, np.cumsum(self.samples.correct[reached[order], exit_]))
        there = np.append(0, np.cumsum(self.samples.correct[reached[order], rest[order]]))
        right = fixed_right + here[leave] + there[-1] - there[leave]
        gone = np.zeros((len(order) + 1, L))
        gone[np.arange(1, len(order) + 1), rest[order]] = 1.0
        gone = np.cumsum(gone, axis=0)
        counts = fixed + gone[-1] - gone[leave]
        counts[:, exit_] += leave
        mean = np.tile(times(np.where(np.arange(L) == exit_, OFF, thresholds), self.costs), (len(values), 1))
        mean[1:, exit_ + 1 :] += self.costs.classifier[exit_]
        self.evaluations += len(values)
        losses = self.losses(counts / len(self.samples), mean)
        excess = np.maximum(losses - self.max_loss, 0.0)
        best = int(np.lexsort((losses, -right, excess))[0])
        key = (-float(excess[best]), float(right[best]) / len(self.samples), -float(losses[best]))
        return key, float(values[best])

    def _values(self, seen: Floats) -> Floats:
        if len(seen) == 0:
            return np.array([OFF])
        quantiles = np.quantile(seen, np.linspace(0.0, 1.0, self.candidates), method="inverted_cdf")
        return np.append(OFF, np.unique(np.append(quantiles, 0.0))[::-1])

    def ascend(self, start: Floats, rng: np.random.Generator, rounds: int = 12) -> tuple[Floats, tuple[float, ...]]:
        """Improve one threshold at a time, in random order, until a round brings nothing."""
        thresholds, key = start.copy(), self.score(start)
        for _ in range(rounds):
            before = key
            for exit_ in rng.permutation(len(thresholds) - 1):
                found, value = self.line(thresholds, int(exit_))
                if found > key:
                    thresholds[exit_] = value
                    key = found
            if key == before:
                break
        return thresholds, key


@dataclass(frozen=True)
class Tuning:
    """Tuning thresholds.

    Attributes:
        thresholds: shape (L,).
        accuracy, loss: on the samples that they were tuned on, the loss by the model of the search.
        evaluations: threshold vectors evaluated.
        limit: loss limit that the search was given.
    """

    thresholds: Floats
    accuracy: float
    loss: float
    evaluations: int
    limit: float


def starts(exits: int, restarts: int, rng: np.random.Generator) -> list[Floats]:
    """Where ascents start: single exits, equal thresholds, random ones; the last threshold is 0."""
    result = []
    for only in np.linspace(0, exits - 1, 3).astype(int):
        single = np.full(exits, OFF)
        single[only] = 0.0
        result.append(single)
    result += [np.full(exits, level) for level in (0.5, 0.8, 0.95)]
    while len(result) < restarts:
        draw = rng.uniform(0.2, 1.0, exits)
        result.append(np.where(rng.random(exits) < 0.5, OFF, draw))
    for row in result:
        row[-1] = 0.0
    return result[:restarts]


def tune(
    samples: Split,
    costs: Costs,
    station: Station,
    max_loss: float,
    *,
    restarts: int = 12,
    model: LossModel = "exact",
    seed: int = 0,
) -> Tuning:
    """Tune thresholds by coordinate ascent with restarts.

    Args:
        samples: the calibration split; report on other samples.
        costs: times of the exits.
        station: arrivals and room.
        max_loss: Lmax.
        restarts: ascents.
        model: how the loss is judged.
        seed: of the random starts and orders.

    Raises:
        InfeasibleError: no ascent found thresholds within the limit.
    """
    rng = np.random.default_rng(seed)
    search = Search(samples, costs, station, max_loss, model)
    found = [search.ascend(start, rng) for start in starts(samples.correct.shape[1], restarts, rng)]
    thresholds, key = max(found, key=lambda one: one[1])
    if key[0] < 0.0:
        raise InfeasibleError(
            f"no thresholds were found that keep the loss at {show_fraction(max_loss)}: the least met is "
            f"{show_fraction(max_loss - key[0])}"
        )
    return Tuning(thresholds, float(key[1]), float(-key[2]), search.evaluations, max_loss)


def tune_safely(
    samples: Split,
    costs: Costs,
    station: Station,
    max_loss: float,
    *,
    level: float = 0.95,
    rounds: int = 4,
    restarts: int = 12,
    seed: int = 0,
) -> Tuning:
    """Tune with room for the calibration samples' own error.

    Thresholds that just meet a limit on the samples they were tuned on miss it half of the time on others. The
    limit given to the search is lowered until the upper ``level`` bootstrap bound of the exact loss meets the
    real one. Arguments as :func:`tune`.
    """
    limit, evaluations = max_loss, 0
    tuned: Tuning | None = None
    for _ in range(rounds):
        tuned = tune(samples, costs, station, limit, restarts=restarts, seed=seed)
        evaluations += tuned.evaluations
        _, high = bootstrap_loss(tuned.thresholds, samples, costs, station, level=2.0 * level - 1.0, seed=seed)
        if high <= max_loss:
            break
        limit *= max_loss / high
    assert tuned is not None
    return replace(tuned, evaluations=evaluations)


def bootstrap_loss(
    thresholds: Floats,
    samples: Split,
    costs: Costs,
    station: Station,
    *,
    level: float = 0.95,
    draws: int = 400,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of the exact loss over resamplings of the samples."""
    rng = np.random.default_rng(seed)
    taken = exits_taken(thresholds, samples)
    share = np.bincount(taken, minlength=len(thresholds)) / len(samples)
    rows = rng.multinomial(len(samples), share, size=draws) / len(samples)
    search = Search(samples, costs, station, 0.0)
    losses = search.losses(rows, np.tile(times(thresholds, costs), (draws, 1)))
    low, high = np.quantile(losses, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
