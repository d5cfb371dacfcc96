"""How it is asked: objectives, method, limits, what is deployed, scenarios."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from placer.evaluation.evaluate import By
from placer.evaluation.runs import Effort
from placer.files import Output
from placer.plan.placement import Placement
from placer.solver.progress import Limits


@dataclass(frozen=True, eq=False)
class Scenario:
    """One state of the world.

    Attributes:
        name: for reports.
        weight: share of the time.
        factors: what the arrival rate of a service is multiplied with, by service index.
        down: devices that are not there.
    """

    name: str = "as given"
    weight: float = 1.0
    factors: Mapping[int, float] = field(default_factory=dict)
    down: frozenset[int] = frozenset()


SHARE_OF_VERDICT, LEAST_VERDICT = 0.15, 2.0
"""Of the time limit, for the simulation of a verdict; seconds that it has where that is less."""


@dataclass(frozen=True)
class Request:
    """How to plan. :func:`placer.planning.registry.resolve` checks it and fills in what depends on the instance.

    Every method takes objectives, a time limit and a seed; of the rest it takes what it declares in
    :mod:`placer.planning.methods`, and whatever else is asked for is refused.

    Attributes:
        objectives: in lexicographic order; those of the instance when empty.
        method: a name of the registry.
        limits: when to stop: wall time, and for methods that solve models relative gap, threads and nodes.
        rounds: rounds of a search (repeatable, unlike the clock).
        evaluations: networks or candidates that a search evaluates at most (repeatable, unlike the clock).
        keep: what is deployed: its placement is a start.
        max_moves: layers at most that may move away from ``keep``.
        write_model: file to write the formulation to before it is solved (.mps or .lp).
        scenarios: states of the world that one plan must serve; the instance as it is when empty.
        worst: judge by the worst scenario instead of the weighted mean.
        admission: choose rate limits at the sources with the placement.
        confirm: let the simulation choose among candidates that the analytic evaluator finds alike; None as True.
        shortcut: False solves by the ILP even what shortest paths would prove.
        by: who judges limits on loss and response time: ``verdict``, ``analytic`` or ``simulation``.
        path: how the plan names the instance file.
    """

    objectives: tuple[str, ...] = ()
    method: str = "auto"
    limits: Limits = field(default_factory=Limits)
    rounds: int | None = None
    evaluations: int | None = None
    keep: Placement | None = None
    max_moves: int | None = None
    write_model: Output | None = None
    scenarios: tuple[Scenario, ...] = ()
    worst: bool = False
    admission: bool = False
    confirm: bool | None = None
    shortcut: bool = True
    by: By = "verdict"
    path: str | None = None

    @property
    def effort(self) -> Effort:
        """How much simulation a verdict may take: its share of the time limit, and long enough to load."""
        return Effort(seconds=max(SHARE_OF_VERDICT * self.limits.seconds, LEAST_VERDICT), seed=self.limits.seed)

    @property
    def asked(self) -> frozenset[str]:
        """Options that differ from their defaults, by the names of :data:`SPELLINGS`."""
        own = {one.name for one in fields(self) if getattr(self, one.name) != one.default}
        usual = Limits()
        within = {name for name in ("gap", "threads", "nodes") if getattr(self.limits, name) != getattr(usual, name)}
        return frozenset((own | within) & SPELLINGS.keys())


SPELLINGS = {
    "gap": "--gap",
    "threads": "--threads",
    "nodes": "--nodes",
    "rounds": "--rounds",
    "evaluations": "--evaluations",
    "keep": "--keep",
    "max_moves": "--max-moves",
    "write_model": "--write-model",
    "scenarios": "--scenarios",
    "worst": "--robust worst",
    "admission": "--admission",
    "confirm": "--confirm/--no-confirm",
    "shortcut": "shortcut",
}
"""Options that not every method takes, and how people write them."""
