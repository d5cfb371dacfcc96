"""What a solver answers, and the clock and record that the solvers share."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import numpy as np

from placer.errors import InfeasibleError, UnansweredError
from placer.operators.checker import Judgement, Method, judge
from placer.operators.graph import Ints, OperatorGraph
from placer.solver.progress import relative_gap

PROVEN_GAP = 1e-6
"""Relative gap below which an answer counts as optimal (the solver's tolerances are not far below)."""


@dataclass(frozen=True)
class Answer:
    """An assignment with what is proven about it.

    Attributes:
        method: which problem it answers.
        assignment: device of each node (numbering of the checker).
        judgement: of the checker.
        bound: proven lower bound of the objective over all assignments that the method allows.
        bound_by: what proves it.
        found_by: what found the assignment.
        seconds: wall time.
    """

    method: Method
    assignment: tuple[int, ...]
    judgement: Judgement
    bound: float
    bound_by: str
    found_by: str
    seconds: float

    @property
    def gap(self) -> float:
        """Relative gap between objective and bound."""
        return relative_gap(self.judgement.objective, self.bound)

    @property
    def status(self) -> str:
        """``optimal`` where the bound meets the objective, else ``feasible``."""
        return "optimal" if self.gap <= PROVEN_GAP else "feasible"


@dataclass
class Record:
    """The best assignment and the best bound so far, and the clock.

    Attributes:
        graph, method: the problem.
        seconds: wall time that the solver has.
        value: objective of the best assignment; inf before there is one.
        nodes: its devices.
        bound: best proven lower bound.
    """

    graph: OperatorGraph
    method: Method
    seconds: float
    begin: float = field(default_factory=time.monotonic)
    value: float = math.inf
    nodes: Ints | None = None
    found_by: str = ""
    found_at: float = 0.0
    bound: float = 0.0
    bound_by: str = "nothing"

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.begin

    @property
    def left(self) -> float:
        """Seconds left."""
        return self.seconds - self.spent

    @property
    def proven(self) -> bool:
        """Whether the bound meets the value."""
        return relative_gap(self.value, self.bound) <= PROVEN_GAP

    def offer(self, nodes: Ints, found_by: str) -> bool:
        """Judge an assignment of the nodes and keep it if it is feasible and the best; say whether it was kept."""
        judgement = judge(self.graph, [int(d) for d in nodes], self.method)
        if not judgement.feasible or judgement.objective >= self.value:
            return False
        self.value, self.nodes, self.found_by, self.found_at = judgement.objective, nodes.copy(), found_by, self.spent
        return True

    def raise_bound(self, bound: float, by: str) -> None:
        """Keep a proven lower bound if it is the best."""
        if math.isfinite(bound) and bound > self.bound:
            self.bound, self.bound_by = float(bound), by

    def answer(self) -> Answer:
        """Return the answer.

        Raises:
            UnansweredError: when no feasible assignment was found.
            InternalError: never; a bound above the value is one of ours and is an UnansweredError too.
        """
        if self.nodes is None:
            raise UnansweredError(f"{self.graph.name}: no feasible assignment was found for method {self.method}")
        if self.bound > self.value * (1 + PROVEN_GAP) + 1e-9:
            raise UnansweredError(
                f"internal error: {self.graph.name}: bound {self.bound:.9g} ({self.bound_by}) above the value"
                f" {self.value:.9g} ({self.found_by})"
            )
        assignment = tuple(int(d) for d in self.nodes)
        judgement = judge(self.graph, assignment, self.method)
        bound = min(self.bound, self.value)
        return Answer(self.method, assignment, judgement, bound, self.bound_by, self.found_by, self.spent)


def check_room(graph: OperatorGraph) -> None:
    """Refuse graphs that fit on no devices.

    Raises:
        InfeasibleError: when there are no CPUs and the accelerators cannot hold all nodes, proven by bytes.
    """
    if graph.cpus == 0 and float(graph.size.sum()) > graph.memory * graph.accelerators * (1 + 1e-9):
        raise InfeasibleError(
            f"{graph.name}: {graph.size.sum():.0f} B do not fit into {graph.accelerators} accelerators of"
            f" {graph.memory:.0f} B, and there is no CPU"
        )


def balance_bound(work: np.ndarray, host: np.ndarray, supported: np.ndarray, accelerators: int, cpus: int) -> float:
    """Return the smallest load T at which the work fits when units may be divided and transfers are free.

    The CPUs take ``cpus``·T of host time, units that no accelerator runs first, then those that save most
    accelerator time for it; the rest must fit into ``accelerators``·T. Found by bisection, rounded down.
    """
    forced = float(host[~supported].sum())
    items = [(float(f), float(c)) for f, c in zip(work[supported], host[supported], strict=True) if f > 0.0]
    items.sort(key=lambda item: -math.inf if item[1] == 0.0 else -item[0] / item[1])
    total = sum(f for f, _ in items)

    def fits(limit: float) -> bool:
        room = cpus * limit - forced
        if room < 0.0:
            return False
        left = total
        for f, c in items if cpus else ():
            share = 1.0 if c <= room else room / c
            left -= f * share
            room -= c * share
            if share < 1.0:
                break
        return left <= accelerators * limit

    low, high = 0.0, total + forced + 1e-12
    if not cpus and not accelerators:
        return 0.0
    while not fits(high):
        high *= 2.0
    for _ in range(100):
        middle = (low + high) / 2.0
        low, high = (low, middle) if fits(middle) else (middle, high)
    return low
