"""The question of a loss-aware search: what is best, under which limits, in which scenarios, with which rate limits."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace

import numpy as np

from placer.errors import InputError
from placer.evaluation.deterministic import RouteBook, ServiceMetrics, service_metrics
from placer.evaluation.objectives import OBJECTIVES
from placer.evaluation.queues import NetworkBuilder, behind_limit
from placer.instance.compiled import Compiled, Floats
from placer.plan.placement import Placement
from placer.planning.domains import Domain, choices_of
from placer.planning.ilp.paths import Costs, additive_costs
from placer.planning.request import Scenario
from placer.planning.resources import Resources
from placer.queueing.network import Arrivals, Process

LOSS = "loss"


NOMINAL = (Scenario(),)


@dataclass(eq=False)
class Problem:
    """What a search works on.

    Attributes:
        compiled: the instance.
        objective: ``loss``, or an objective of the evaluator.
        second: what decides between placements that are as good by it.
        scenarios: states of the world; one is the usual case.
        worst: judge by the worst scenario instead of the weighted mean.
        limits: rate limits at the sources, as the least time in s between admitted requests, by service index.
    """

    compiled: Compiled
    objective: str = LOSS
    scenarios: tuple[Scenario, ...] = NOMINAL
    worst: bool = False
    limits: Mapping[int, float] = field(default_factory=dict)
    second: str = "latency"

    def __post_init__(self) -> None:
        compiled = self.compiled
        self.builder = NetworkBuilder(compiled)
        self.book: RouteBook = self.builder.book
        self.resources = Resources(compiled)
        self.served = self.builder.served
        if not self.served:
            raise InputError("no service has arrivals: there is nothing to lose", tip="give services 'arrivals'")
        self.all_poisson = all(stream.process == Process.POISSON for stream in self.builder.arrivals.values())
        choices = choices_of(compiled)
        self.domains: dict[int, Domain] = choices.domains
        self.groups = choices.groups
        guide = "energy" if self.objective == "energy" else "latency"
        self.costs: dict[int, Costs] = {i: additive_costs(compiled, d, guide) for i, d in self.domains.items()}
        self.rates: Floats = compiled.rate[list(self.served)]
        self.weights: Floats = compiled.weight[list(self.served)]
        services = [compiled.instance.services[s] for s in self.served]
        self.max_loss = np.array([np.inf if s.max_loss is None else s.max_loss for s in services])
        self.deadline = np.array([np.inf if s.deadline is None else s.deadline for s in services])
        self._metrics: dict[tuple[int, tuple[int, ...]], ServiceMetrics] = {}

    def with_limits(self, limits: Mapping[int, float]) -> Problem:
        """The same question with other rate limits."""
        other = copy(self)
        other.limits = dict(limits)
        return other

    def arrivals(self, scenario: Scenario) -> tuple[Arrivals, ...]:
        """Arrival processes of the served services in a scenario, after their rate limits."""
        result = []
        for service in self.served:
            stream = scaled(self.builder.arrivals[service], scenario.factors.get(service, 1.0))
            result.append(behind_limit(stream, self.limits.get(service, 0.0)))
        return tuple(result)

    def offered(self, scenario: Scenario) -> Floats:
        """Offered rates of the served services in a scenario, 1/s."""
        return np.asarray(self.rates * np.array([scenario.factors.get(service, 1.0) for service in self.served]))

    def mean_rates(self) -> Floats:
        """Admitted rates by which a search steers: the mean over the scenarios, or the largest for the worst case."""
        rows = np.array([[stream.rate for stream in self.arrivals(scenario)] for scenario in self.scenarios])
        if self.worst:
            return np.asarray(rows.max(axis=0))
        shares = np.array([scenario.weight for scenario in self.scenarios])
        return np.asarray(shares @ rows / shares.sum())

    def availability(self) -> Floats:
        """Part of the time that each station is there: outages, and the scenarios in which its device is down."""
        devices = self.compiled.instance.devices
        total = sum(scenario.weight for scenario in self.scenarios)
        result = []
        for place in self.compiled.stations:
            outages = devices[place.device].outages
            up = 1.0 if outages is None else outages.up / (outages.up + outages.down)
            gone = [scenario.weight for scenario in self.scenarios if place.device in scenario.down]
            result.append(up * (0.0 if self.worst and gone else 1.0 - sum(gone) / total))
        return np.array(result)

    def metrics(self, choice: int, stations: tuple[int, ...]) -> ServiceMetrics:
        """Metrics of one service without waiting; computed once."""
        key = (choice, stations)
        found = self._metrics.get(key)
        if found is None:
            if len(self._metrics) > 20_000:
                self._metrics.clear()
            found = service_metrics(self.compiled, self.compiled.variants[choice], stations, self.book)
            self._metrics[key] = found
        return found

    def deterministic(self, placement: Placement, name: str) -> float:
        """A deterministic objective of a placement."""
        pairs = zip(placement.choice, placement.stations, strict=True)
        metrics = [self.metrics(choice, stations) for choice, stations in pairs]
        return float(OBJECTIVES[name].cost(self.compiled, placement, self.book, metrics))


def scaled(stream: Arrivals, factor: float) -> Arrivals:
    """An arrival process sped up by a factor."""
    if factor == 1.0:
        return stream
    return replace(
        stream,
        rate=stream.rate * factor,
        rates=stream.rates * factor,
        generator=stream.generator,
        times=stream.times / max(factor, 1e-12),
    )


def spacing_of_part(rate: float, part: float) -> float:
    """Least time in s between admitted requests such that ``part`` of a Poisson stream is admitted."""
    return (1.0 / part - 1.0) / rate
