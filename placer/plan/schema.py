"""The format of plans: what is answered, how sure, and from what. Knows nothing of how it was found."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from placer._version import __version__
from placer.instance.reading import Strict

PLAN_FORMAT = "placer/plan/2"
RESULT = "result"

Name = Annotated[str, Field(max_length=200)]
Sense = Literal["min", "max"]
Termination = Literal["optimal", "gap-reached", "time-limit", "iteration-limit", "interrupted", "heuristic", "given"]


class Fragment(Strict):
    """A run of layers that one compute unit serves as one job."""

    device: Name
    """The device."""
    unit: Name
    """Its compute unit."""
    layers: Annotated[tuple[Name, ...], Field(min_length=1)]
    """The layers, in the order in which they run."""


class Transfer(Strict):
    """A tensor on its way between two devices."""

    tensor: Name
    """The layer that made it, ``input``, or ``result`` for what goes to the sink."""
    after: Name | None = None
    """For a result: the layer after which the job leaves."""
    size: float
    """Bytes."""
    path: Annotated[tuple[Name, ...], Field(min_length=2, max_length=1000)]
    """Devices from sender to receiver, relays included."""
    technologies: tuple[Name, ...]
    """Radio or ``link`` of each hop."""


class ServicePlan(Strict):
    """What is planned for one service."""

    service: Name
    """Name of the service."""
    alternative: Name
    """The alternative of its model."""
    fragments: Annotated[tuple[Fragment, ...], Field(min_length=1)]
    """The fragments in topological order."""
    transfers: tuple[Transfer, ...]
    """The routes of tensors and results that leave a device."""
    exits: dict[Name, float] = Field(default_factory=dict)
    """Share of all jobs that leave at each early exit."""
    min_gap: Annotated[float, Field(gt=0)] | None = None
    """Rate limit at the source: a request that comes within this time in s of the last one let in is turned away."""


class ObjectiveResult(Strict):
    """One objective with what is proven about it."""

    name: Name
    """Name of the objective."""
    sense: Sense
    """Whether less (min) or more (max) is better."""
    value: float
    """Value of the plan, as people know it: accuracy is accuracy, throughput is requests per second."""
    value_of: Annotated[str, Field(max_length=300)] | None = None
    """For a value that the instance alone does not give: what it is the value of."""
    bound: float | None
    """No plan of the instance has a smaller value (a larger one where more is better); None when nothing is proven."""
    bound_of: Annotated[str, Field(max_length=300)] | None = None
    """For a value that an evaluator gives: what just the bound bounds."""
    gap: float | None
    """|value - bound| / |value|; None without a bound."""
    unit: Name
    """Unit of value and bound."""


class Bound(Strict):
    """One lower bound of the loss ratio, and what it is a bound of."""

    name: Name
    """fluid, acceptance or enumeration."""
    value: float
    """The bound."""
    holds_for: Annotated[str, Field(max_length=300)]
    """The system or model in which no placement loses less."""
    proven: bool
    """Whether it is proven for the true system, or by enumeration for the evaluator that it names."""


class Confirmation(Strict):
    """What the simulation says of the plan's loss ratio."""

    value: float
    """Mean weighted loss ratio."""
    half_width: float
    """Half-width of its confidence interval."""
    level: float
    """Confidence of the interval."""
    replications: int
    """Replications with common random numbers."""
    candidates: int
    """Placements that were compared."""
    selected: bool
    """Whether the ranking-and-selection rule came to its end: the choice is then right with the stated confidence."""


class Certificate(Strict):
    """How the plan was found and how sure it is."""

    method: Name
    """The planner."""
    termination: Termination
    """Why it stopped."""
    objectives: tuple[ObjectiveResult, ...]
    """In lexicographic order."""
    seconds: float
    """Wall time of the planner."""
    seed: int
    """Seed of the planner."""
    options: dict[str, float | int | str | None] = Field(default_factory=dict)
    """Limits that the planner was given."""
    bounds: tuple[Bound, ...] = ()
    """Bounds of the loss ratio, each with what it bounds."""
    confirmed: Confirmation | None = None
    """The simulation of the plan's loss."""
    admission_gain: float | None = None
    """How much less would be lost, by the analytic evaluator, with rate limits at the sources."""


class Origin(Strict):
    """What the plan was computed from."""

    name: Name
    """Name of the instance."""
    path: Annotated[str, Field(max_length=1000)] | None
    """Instance file relative to the plan's folder, or the shipped name; None for an instance made by code."""
    hash: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    """Hash of the instance's meaning."""


class Plan(Strict):
    """A complete answer."""

    format: Literal["placer/plan/2"] = "placer/plan/2"
    """Version of this format."""
    version: Name = __version__
    """Version of placer that made it."""
    instance: Origin
    """What it was computed from."""
    certificate: Certificate
    """How sure it is."""
    services: Annotated[tuple[ServicePlan, ...], Field(min_length=1)]
    """One entry per service."""
