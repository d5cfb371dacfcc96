"""Every service by itself: the bound of an instance without what couples its services and layers, and a placement."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

import numpy as np

from placer.errors import InfeasibleError, PlacerError, UnansweredError
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from placer.plan.plan import Termination
from placer.planning.decomposition.programme import Programme, Tables, stages_of
from placer.planning.decomposition.stretches import Costs
from placer.planning.domains import choices_of
from placer.solver.countdown import Countdown
from placer.solver.progress import Limits, Listener, Progress, relative_gap

OBJECTIVES = ("latency", "latency-worst", "energy")
"""What adds up over stretches, and over services or is the largest of theirs."""


CLOSED = 1e-8
"""Relative gap that is rounding."""


@dataclass(frozen=True, eq=False)
class Relaxation:
    """What is known of an instance whose services do not hinder each other, nor their own layers.

    Attributes:
        bound: no placement costs less, whatever couples services.
        value: what the placement costs; ``placement`` may break limits.
        placement: of every service by itself.
        ended: why it is no better known.
    """

    bound: float
    value: float
    placement: Placement
    ended: Literal["done", "time-limit", "interrupted"]

    @property
    def gap(self) -> float:
        """Relative gap; 0 within rounding."""
        return relative_gap(self.value, self.bound)


@dataclass(eq=False)
class _Service:
    """The alternatives of one service: the least bound and the best placement so far."""

    bound: float = np.inf
    value: float = np.inf
    choice: int = -1
    stations: tuple[int, ...] = ()


class _Clock:
    """Says whether to go on; an interruption is remembered, and ends the work in order."""

    def __init__(self, seconds: float) -> None:
        self.begin = time.monotonic()
        self.end = self.begin + seconds
        self.ended: Literal["done", "time-limit", "interrupted"] = "done"

    def __call__(self) -> bool:
        if self.ended == "done" and time.monotonic() > self.end:
            self.ended = "time-limit"
        return self.ended == "done"


def relax(
    compiled: Compiled,
    objective: str,
    limits: Limits,
    listener: Listener | None = None,
    countdown: Countdown | None = None,
) -> Relaxation:
    """Plan every service by itself, as far as the time of ``limits`` reaches; a first placement may take ``countdown``.

    Dropping what couples services and layers can only make placements cheaper: the bound holds for all of them, and a
    placement that keeps every limit at the bound is optimal.

    Raises:
        InfeasibleError: when a service has nowhere to go, even by itself.
        UnansweredError: when the time ended before every service had a placement.
        ValueError: for an objective that does not add up.
    """
    if objective not in OBJECTIVES:
        raise ValueError(f"objective {objective} does not add up over layers (those that do: {', '.join(OBJECTIVES)})")
    choices, clock = choices_of(compiled), _Clock(limits.seconds)
    services = [_Service() for _ in choices.groups]
    tables: Tables = {}
    model = None
    for service in sorted(range(len(services)), key=lambda s: _model(compiled, s)):
        if _model(compiled, service) != model:
            tables, model = {}, _model(compiled, service)  # stretches of another model would only take memory
        found = services[service]
        for index in choices.groups[service]:
            if countdown is not None:
                countdown.check("the stretches before every service had a placement")
            programme = Programme(stages_of(Costs(compiled, choices.domains[index], objective == "energy"), tables))
            _tighten(programme, limits.gap, found.value, clock)
            found.bound = min(found.bound, programme.bound)
            if programme.value < found.value:
                found.value, found.choice, found.stations = programme.value, index, programme.stations()
        if found.choice < 0:
            raise _nowhere(compiled, service, found.bound)
        if listener is not None:
            _tell(compiled, objective, services, listener, clock)
    placement = Placement(tuple(s.choice for s in services), tuple(s.stations for s in services))
    bound = _joint(compiled, objective, [found.bound for found in services])
    return Relaxation(bound, _joint(compiled, objective, [s.value for s in services]), placement, clock.ended)


def _tighten(programme: Programme, gap: float, cutoff: float, clock: _Clock) -> None:
    try:
        programme.tighten(gap, cutoff, clock)
    except KeyboardInterrupt:
        clock.ended = "interrupted"


def _nowhere(compiled: Compiled, service: int, bound: float) -> PlacerError:
    name = compiled.instance.services[service].name
    if np.isfinite(bound):
        return UnansweredError(f"service {name}: no placement was found within the limits (time-limit)")
    return InfeasibleError(f"service {name}: no way leads through the devices that its layers may run on")


def _model(compiled: Compiled, service: int) -> str:
    return compiled.instance.services[service].model


def _joint(compiled: Compiled, objective: str, costs: list[float]) -> float:
    return max(costs) if objective == "latency-worst" else float(np.dot(compiled.weight, costs))


def _tell(compiled: Compiled, objective: str, services: list[_Service], listener: Listener, clock: _Clock) -> None:
    if all(found.choice >= 0 for found in services):
        value = _joint(compiled, objective, [found.value for found in services])
        bound = _joint(compiled, objective, [found.bound for found in services])
        listener(Progress(time.monotonic() - clock.begin, value, bound, "stretches"))


def method_of(compiled: Compiled) -> str:
    """What the programme is called: on chains alone it is a shortest path."""
    return "shortest-path" if all(variant.is_chain for variant in compiled.variants) else "decomposition"


def termination_of(found: Relaxation) -> Termination:
    """Why no more is known."""
    if found.gap == 0:
        return "optimal"
    return "gap-reached" if found.ended == "done" else found.ended
