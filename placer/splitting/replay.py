"""Replay of re-splitting policies against a bandwidth trace, with their regret against an oracle.

One request starts with each row of the trace and sees that row's rate throughout. A policy knows the rate that the
request before it saw, with measurement noise; the oracle knows the rate itself and switches for free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from placer.splitting.bandit import UplinkBandit
from placer.splitting.costs import Plane
from placer.splitting.interpreter import Chooser, choose
from placer.splitting.trace import Trace

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
POLICIES = ("oracle", "best fixed cut", "table", "table with hysteresis", "bandit")


@dataclass(frozen=True)
class Settings:
    """How to replay.

    Attributes:
        load: factor on the server's times.
        noise: standard deviation of the logarithm of a measured rate over the true one.
        margin, memory: hysteresis, see :class:`placer.splitting.interpreter.Chooser`.
        switch_cost: cost of a change of the cut, in the objective's unit.
        seed: of the noise.
    """

    load: float = 1.0
    noise: float = 0.2
    margin: float = 0.05
    memory: float = 0.5
    switch_cost: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Score:
    """How a policy did.

    Attributes:
        policy: its name.
        mean: mean cost of a request, switches included.
        regret: mean cost above the oracle's.
        worst: largest cost of a request, switches left out.
        switches: how often the cut changed.
    """

    policy: str
    mean: float
    regret: float
    worst: float
    switches: int


def replay(table: dict[str, Any], trace: Trace, settings: Settings | None = None) -> list[Score]:
    """Run every policy over a trace.

    Args:
        table: a split table.
        trace: the uplink.
        settings: how.
    """
    settings = settings or Settings()
    planes = [Plane(**cut["plane"]) for cut in table["cuts"]]
    cost = np.array([[plane.at(1.0 / rate, settings.load) for plane in planes] for rate in trace.rates])
    noise = np.random.default_rng(settings.seed).standard_normal(len(trace.rates))
    measured = trace.rates * np.exp(settings.noise * noise)
    seen = np.concatenate([measured[:1], measured[:-1]])  # the first request measures before it starts
    oracle = cost.argmin(axis=1)
    chosen = {
        "oracle": oracle,
        "best fixed cut": np.full(len(cost), int(cost.sum(axis=0).argmin())),
        "table": np.array([choose(table, rate, settings.load) for rate in seen]),
        "table with hysteresis": _hysteresis(table, seen, settings),
        "bandit": _bandit(planes, cost, table, settings),
    }
    best = float(cost.min(axis=1).mean())
    return [_score(name, chosen[name], cost, best, settings) for name in POLICIES]


def _hysteresis(table: dict[str, Any], seen: Floats, settings: Settings) -> Ints:
    chooser = Chooser(table, settings.margin, settings.memory)
    return np.array([chooser.update(rate, settings.load) for rate in seen])


def _bandit(planes: list[Plane], cost: Floats, table: dict[str, Any], settings: Settings) -> Ints:
    bandit = UplinkBandit(planes, settings.load, 1.0 / table["rate"]["high"], 1.0 / table["rate"]["low"])
    chosen = np.empty(len(cost), dtype=np.int64)
    for request in range(len(cost)):
        index = bandit.choose()
        chosen[request] = index
        bandit.observe(index, float(cost[request, index]))
    return chosen


def _score(name: str, chosen: Ints, cost: Floats, best: float, settings: Settings) -> Score:
    paid = cost[np.arange(len(cost)), chosen]
    switches = int(np.count_nonzero(np.diff(chosen)))
    mean = float(paid.mean())
    if name != "oracle":
        mean += switches * settings.switch_cost / len(cost)
    return Score(name, mean, max(mean - best, 0.0), float(paid.max()), switches)
