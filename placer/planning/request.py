"""How it is asked: objectives, method, limits, what is deployed, scenarios."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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


@dataclass(frozen=True)
class Options:
    """How to plan.

    Attributes:
        objectives: in lexicographic order; those of the instance when empty.
        method: ``ilp`` (proven) or ``warm-start`` (the heuristic alone).
        limits: when to stop.
        keep: what is deployed, with ``max_moves`` layers at most that may move.
        write_model: file to write the formulation to before it is solved (.mps or .lp).
        path: how the plan names the instance file.
        shortcut: whether chains that nothing couples are solved by shortest path instead of the ILP.
        scenarios: states of the world that one plan must serve; the instance as it is when empty.
        worst: judge by the worst scenario instead of the weighted mean.
        admission: choose rate limits at the sources with the placement.
        confirm: let the simulation choose among candidates that the analytic evaluator finds alike.
    """

    objectives: tuple[str, ...] = ()
    method: str = "ilp"
    limits: Limits = field(default_factory=Limits)
    keep: Placement | None = None
    max_moves: int | None = None
    write_model: Output | None = None
    path: str | None = None
    shortcut: bool = True
    scenarios: tuple[Scenario, ...] = ()
    worst: bool = False
    admission: bool = False
    confirm: bool = True
