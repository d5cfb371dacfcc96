"""Services kept whole: each on one node of its own choice, or everything in the cloud.

Which node takes which service is an assignment: what a service costs on a node does not depend on where the others
are, except by what they take from shared devices. It is searched depth first with that cost as a bound; no flow model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from placer.errors import InfeasibleError, TimeIsUpError
from placer.evaluation.deterministic import RouteBook, service_metrics
from placer.evaluation.stages import bottleneck
from placer.instance.compiled import Compiled
from placer.instance.units import show_bytes
from placer.plan.placement import Placement
from placer.plan.plan import Certificate
from placer.planning.domains import Choices, Truths, choices_of
from placer.planning.outcome import Baseline, Outcome
from placer.planning.request import Request
from placer.planning.resources import Resources
from placer.planning.stating import stated
from placer.solver.countdown import Countdown

NODES = 20_000
"""Partial assignments looked at; beyond them the best one so far is taken."""


@dataclass(frozen=True, order=True)
class _Whole:
    """One way to keep a service whole: what it costs alone, its variant and its station."""

    cost: float
    choice: int
    station: int


def whole_baselines(
    compiled: Compiled, objective: str, countdown: Countdown | None = None, request: Request | None = None
) -> list[Baseline]:
    """What stands beside a plan for an objective without waiting: no service split.

    Limits on layers per device and deadlines are left out in the choice, so that the comparison says what splitting
    costs; what is broken shows in the evaluation. An interruption ends these, not the plan that is there already.

    Args:
        compiled: the instance.
        objective: what is good.
        countdown: when to stop, with the best assignment so far or with none.
        request: who judges what is found.
    """
    makers = {
        ("single_node", "each service whole on one node"): _best_whole,
        ("cloud", "everything in the cloud"): _in_the_cloud,
    }
    found, stopped = [], False
    for (key, title), maker in makers.items():
        try:
            if not stopped:
                found.append(maker(compiled, objective, request or Request(), countdown))
        except TimeIsUpError as error:
            found.append(Baseline(key, title, None, error.message))
        except KeyboardInterrupt:  # the plan itself is there, and stays the answer
            stopped = True
        if stopped:
            found.append(Baseline(key, title, None, "interrupted"))
    return found


def _best_whole(compiled: Compiled, objective: str, request: Request, countdown: Countdown | None) -> Baseline:
    key, title = "single_node", "each service whole on one node"
    try:
        choices = choices_of(compiled)
    except InfeasibleError as error:
        return Baseline(key, title, None, error.message)
    options = [
        sorted(_ways(compiled, choices, service, objective, range(len(compiled.stations)), countdown))
        for service in range(len(choices.groups))
    ]
    for service, found in enumerate(options):
        if not found:
            return Baseline(key, title, None, _no_node(compiled, service))
    found_whole = _Assignment(compiled, objective, options, countdown).best()
    if found_whole is None:
        return Baseline(key, title, None, "no nodes have room for all services whole")
    return Baseline(key, title, _outcome(compiled, found_whole, "single-node", request))


def quick_whole(compiled: Compiled, choices: Choices, countdown: Countdown) -> Placement | None:
    """Each service whole on the quickest station with room, the largest first: a placement within moments, if any."""
    resources = Resources(compiled)
    chosen: dict[int, tuple[int, int]] = {}
    options = [_quickest(compiled, choices, group) for group in choices.groups]
    for service in sorted(
        range(len(options)), key=lambda service: -options[service][0][0] if options[service] else 0.0
    ):
        for _, choice, station in options[service]:
            if countdown.over:
                return None
            trial = {**chosen, service: (choice, station)}
            order = sorted(trial)
            stations = tuple((trial[one][1],) * len(compiled.variants[trial[one][0]]) for one in order)
            if resources.overdrawn(Placement(tuple(trial[one][0] for one in order), stations)) == 0.0:
                chosen = trial
                break
        if service not in chosen:
            return None
    stations = tuple((chosen[s][1],) * len(compiled.variants[chosen[s][0]]) for s in range(len(options)))
    return Placement(tuple(chosen[s][0] for s in range(len(options))), stations)


def _quickest(compiled: Compiled, choices: Choices, group: Sequence[int]) -> list[tuple[float, int, int]]:
    """Seconds of a service whole on each station, its layers in turn; variant and station; the least first."""
    found = []
    for choice in group:
        variant = compiled.variants[choice]
        usable = choices.domains[choice].usable.all(axis=0)
        busy = (variant.run[:, None] * np.where(choices.domains[choice].usable, variant.time, 0.0)).sum(axis=0)
        seconds = compiled.fetch(variant) + busy + compiled.deliver(variant, len(variant) - 1)
        stations = np.flatnonzero(usable & np.isfinite(seconds)).tolist()
        found += [(float(seconds[station]), choice, station) for station in stations]
    return sorted(found)


def _in_the_cloud(compiled: Compiled, objective: str, request: Request, countdown: Countdown | None) -> Baseline:
    """Everything on the best device of the cloud tier."""
    key, title = "cloud", "everything in the cloud"
    clouds = [station for station in range(len(compiled.stations)) if _tier(compiled, station) == "cloud"]
    if not clouds:
        return Baseline(key, title, None, "no cloud device")
    try:
        choices = choices_of(compiled)
    except InfeasibleError as error:
        return Baseline(key, title, None, error.message)
    best: tuple[float, Placement] | None = None
    for station in clouds:
        ways = [
            sorted(_ways(compiled, choices, s, objective, [station], countdown)) for s in range(len(choices.groups))
        ]
        if not all(ways):
            continue
        placement = _placement(compiled, [one[0] for one in ways])
        value = _joint(compiled, objective, [one[0] for one in ways], placement)
        if best is None or value < best[0]:
            best = value, placement
    if best is None:
        return Baseline(key, title, None, "pins, zones, range or memory keep services out of the cloud")
    return Baseline(key, title, _outcome(compiled, best[1], "cloud", request))


def _tier(compiled: Compiled, station: int) -> str | None:
    device = compiled.instance.devices[compiled.stations[station].device]
    return device.tier or compiled.instance.device_type(device).tier


def _ways(
    compiled: Compiled,
    choices: Choices,
    service: int,
    objective: str,
    stations: Iterable[int],
    countdown: Countdown | None,
) -> Iterator[_Whole]:
    """Ways to keep a service whole on a station that would take it alone."""
    book, resources = RouteBook(compiled), Resources(_without_layer_limits(compiled))
    for choice in choices.groups[service]:
        variant = compiled.variants[choice]
        usable: Truths = np.logical_and.reduce(choices.domains[choice].usable, axis=0)
        for station in stations:
            if countdown is not None:
                countdown.check("the search for services kept whole")
            if not usable[station]:
                continue
            alone = Placement((choice,), ((station,) * len(variant),))
            if resources.overdrawn(alone) > 0.0:
                continue
            if objective == "throughput":
                yield _Whole(bottleneck(compiled, alone, book).load, choice, station)
                continue
            metrics = service_metrics(compiled, variant, alone.stations[0], book)
            cost = metrics.energy if objective == "energy" else metrics.latency
            weight = 1.0 if objective == "latency-worst" else float(compiled.weight[service])
            yield _Whole(weight * cost, choice, station)


class _Assignment:
    """Depth-first search over the services, the one with least choice first."""

    def __init__(
        self, compiled: Compiled, objective: str, options: list[list[_Whole]], countdown: Countdown | None
    ) -> None:
        self.countdown = countdown
        self.compiled, self.objective, self.options = compiled, objective, options
        self.resources = Resources(_without_layer_limits(compiled))
        self.order = sorted(range(len(options)), key=lambda service: len(options[service]))
        self.largest = objective in ("throughput", "latency-worst")
        least = [options[service][0].cost for service in self.order]
        self.rest = [self._sum(least[depth:]) for depth in range(len(least) + 1)]
        self.value, self.nodes = np.inf, 0
        self.found: Placement | None = None

    def best(self) -> Placement | None:
        """The best assignment found; None when none keeps memory and rates."""
        self._descend(0, {})
        return self.found

    def _sum(self, costs: list[float]) -> float:
        return max(costs, default=0.0) if self.largest else float(sum(costs))

    def _descend(self, depth: int, chosen: dict[int, _Whole]) -> None:
        if depth == len(self.order):
            ways = [chosen[service] for service in range(len(self.options))]
            placement = _placement(self.compiled, ways)
            value = _joint(self.compiled, self.objective, ways, placement)
            if value < self.value:
                self.value, self.found = value, placement
            return
        service = self.order[depth]
        for way in self.options[service]:
            self.nodes += 1
            if self.nodes > NODES or (self.countdown is not None and self.countdown.over):
                return
            trial = {**chosen, service: way}
            bound = self._sum([*(one.cost for one in trial.values()), self.rest[depth + 1]])
            if bound >= self.value:
                return  # the others cost more
            ways = list(trial.values())
            if self.resources.overdrawn(_placement(self.compiled, ways)) == 0.0:
                self._descend(depth + 1, trial)


def _without_layer_limits(compiled: Compiled) -> Compiled:
    return replace(compiled, max_layers=np.full(len(compiled.device_names), np.inf))


def _placement(compiled: Compiled, ways: list[_Whole]) -> Placement:
    stations = tuple((way.station,) * len(compiled.variants[way.choice]) for way in ways)
    return Placement(tuple(way.choice for way in ways), stations)


def _joint(compiled: Compiled, objective: str, ways: list[_Whole], placement: Placement) -> float:
    if objective == "throughput":
        return bottleneck(compiled, placement, RouteBook(compiled)).load
    costs = [way.cost for way in ways]
    return max(costs) if objective == "latency-worst" else float(sum(costs))


def _no_node(compiled: Compiled, service: int) -> str:
    """Why a service cannot be kept whole, in the user's words."""
    name = compiled.instance.services[service].name
    sizes = np.array(
        [
            v.weights.sum() + v.activations.max(axis=0) + v.runtime_memory
            for v in (compiled.variants[index] for index in compiled.service_variants[service])
        ]
    )
    if (sizes > compiled.memory[compiled.station_device]).all():
        return f"no node is large enough for {name} ({show_bytes(float(sizes.min()))})"
    return f"no node takes all of {name}: memory, pins, zones, range or rates are in the way"


def _outcome(compiled: Compiled, placement: Placement, method: str, request: Request) -> Outcome:
    certificate = Certificate(method=method, termination="given", objectives=(), seconds=0.0, seed=0)
    return stated(compiled, placement, certificate, (), request)
