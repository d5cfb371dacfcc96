"""What a solver says: why it stopped, what it found and what it proved, each apart."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any, Literal

Values = MutableMapping[Any, float]
"""Values of Pyomo variables: a ComponentMap, since a variable's ``==`` builds a constraint instead of comparing."""

Status = Literal[
    "optimal",
    "infeasible",
    "unbounded",
    "time-limit",
    "iteration-limit",
    "interrupted",
    "memory-limit",
    "unknown",
]


@dataclass(frozen=True)
class Result:
    """What a run says.

    Attributes:
        status: why it stopped.
        has_incumbent: whether ``values`` is a feasible point.
        objective: objective of the incumbent; NaN without one.
        bound: proven lower bound of the objective (minimisation); -inf when nothing is proven.
        seconds: wall time inside HiGHS.
        values: value of each Pyomo variable; empty without an incumbent.
        nodes: branch-and-bound nodes.
    """

    status: Status
    has_incumbent: bool
    objective: float
    bound: float
    seconds: float
    values: Values
    nodes: int
