"""What limits on loss and response times can hold together with all others under random arrivals, by the verdict.

Of a small instance every placement is looked at: in the order of the analytic evaluator, until the verdict finds one
that keeps the limits, or that none does. Of a larger one a plan is sought; where none is found, the fluid relaxation
may prove that there is none, and else it is not decided.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from placer.errors import InfeasibleError, UnansweredError
from placer.evaluation.checks import Check
from placer.evaluation.evaluate import evaluate_placement
from placer.evaluation.evaluation import Evaluation
from placer.evaluation.runs import Effort
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from placer.planning.clashes.changes import with_service
from placer.planning.clashes.deciding import decide
from placer.planning.clashes.deployed import Deployed
from placer.planning.clashes.families import MOVES, Group, families
from placer.planning.clashes.oracle import Oracle
from placer.planning.loss.enumeration import CHUNK, count, placements
from placer.planning.loss.problem import Problem
from placer.planning.loss.scoring import Scorer
from placer.planning.registry import plan
from placer.planning.request import Request
from placer.solver.countdown import Countdown
from placer.solver.progress import Limits

WAITING = ("stability", "deadline", "deadline_p95", "max_loss")
"""Kinds of limits that depend on waiting."""
MOST_PLACEMENTS = 5_000
"""Placements of an instance that is looked at whole."""
EFFORT, SHARE, LEAST = 1.0, 0.1, 0.2
"""Seconds of simulation for a verdict, at most, and at most of the time left; and the least."""
NEARLY = 0.1
"""Relative: what is exceeded by more is exceeded by far."""
SHARE_OF_FIRST, SHARE_OF_PLAN = 0.6, 0.2
"""Of the time left, for a plan of a larger instance with all of its limits, and with some."""


def waits(compiled: Compiled) -> bool:
    """Whether some limit of an instance depends on waiting."""
    return bool(waiting_families(compiled)) or any(
        service.arrivals is not None and service.deadline is not None for service in compiled.instance.services
    )


def waiting_families(compiled: Compiled) -> list[Group]:
    """The limits that only waiting can break: of deadlines those on means hold without it too."""
    served = [service for service in compiled.instance.services if service.arrivals is not None]
    endless = [compiled.instance.devices[place.device].buffer is None for place in compiled.stations]
    found: list[Group] = []
    if served:
        found += [("stability", s.name) for s, one in zip(compiled.stations, endless, strict=True) if one]
    found += [("max_loss", s.name) for s in served if s.max_loss is not None]
    return found + [("deadline_p95", s.name) for s in served if s.deadline_p95 is not None]


class WaitingOracle(Oracle):
    """Answers which limits some placement keeps together when requests wait for each other.

    Attributes:
        trusting: whether what the analytic evaluator finds far beyond a limit is not simulated: for a search of figures
            that are enough, which leaves out some that may be.
    """

    trusting = False

    @classmethod
    def of(cls, compiled: Compiled, countdown: Countdown, deployed: Deployed | None = None) -> WaitingOracle:
        """With all limits of an instance."""
        alone = families(compiled, deployed)
        late = [group for group in alone if group[0] == "deadline"]
        others = [group for group in alone if group[0] != "deadline"]
        return cls(compiled, [*others, *waiting_families(compiled), *late], countdown, deployed)

    def verdict(self, compiled: Compiled, placement: Placement) -> Evaluation:
        """What a placement does, within a share of the time."""
        seconds = max(min(EFFORT, SHARE * self.countdown.left), LEAST)
        return evaluate_placement(compiled, placement, "verdict", effort=Effort(seconds=seconds))

    def _decided(self, held: frozenset[Group]) -> Placement | None:
        compiled = self.relaxed(held)
        for placement in list(self.known):
            if self._kept(compiled, placement, held) is True:
                return placement
        found = self._without_waiting(held)
        if found is None or not any(kind in WAITING for kind, _ in held):
            return found
        if self._kept(compiled, found, held) is True:
            return found
        found = self._sought(compiled, held)
        if found is not None:
            self.known.insert(0, found)
        return found

    def _without_waiting(self, held: frozenset[Group]) -> Placement | None:
        """A placement that keeps the limits as far as they hold without waiting; None when there is none.

        Where every request takes its time and no other, 95 % of them are in time only if that time is.
        """
        late = [service for service in self.compiled.instance.services if ("deadline_p95", service.name) in held]
        late = [service for service in late if _is_constant(self.compiled, service.name)]
        if not late:
            return super()._decided(held)
        compiled = self.relaxed(held)
        for service in late:
            limits = [limit for limit in (service.deadline, service.deadline_p95) if limit is not None]
            if ("deadline", service.name) not in held:
                limits = limits[-1:]
            changed = with_service(compiled.instance, service.name, deadline=min(limits))
            compiled = replace(compiled, instance=changed)
        return decide(compiled, self.countdown, self.deployed if MOVES in held else None)

    def _kept(self, compiled: Compiled, placement: Placement, held: frozenset[Group]) -> bool | None:
        """Whether a placement keeps the limits that hold; None where that is not decided."""
        if self.deployed is not None and MOVES in held and self.deployed.moved(placement) > self.deployed.most:
            return False
        if self.trusting and far(compiled, placement):
            return False
        open_ = [check for check in self.verdict(compiled, placement).checks if _counts(check, held)]
        if any(check.status == "violated" for check in open_):
            return False
        return None if any(check.status == "undecided" for check in open_) else True

    def _sought(self, compiled: Compiled, held: frozenset[Group]) -> Placement | None:
        """A placement that keeps the limits, none being known.

        Raises:
            UnansweredError: it is not decided whether there is one.
        """
        try:
            problem = Problem(compiled)
        except InfeasibleError:
            return None
        if count(problem) > MOST_PLACEMENTS:
            return self._planned(compiled, held)
        doubtful = False
        for placement in self._in_order(problem):
            self.countdown.check("the search for a placement that keeps limits on loss and response times")
            kept = self._kept(compiled, placement, held)
            if kept:
                return placement
            doubtful |= kept is None
        if doubtful:
            raise UnansweredError("whether a placement keeps its limits is too close to tell by simulation in time")
        return None

    def _in_order(self, problem: Problem) -> Iterator[Placement]:
        """Every placement that keeps the other limits, that which breaks those on waiting least first."""
        scorer, every = Scorer(problem), placements(problem, self.countdown)
        scored: list[tuple[float, Placement]] = []
        while chunk := list(itertools.islice(every, CHUNK)):
            scores = scorer.score(chunk, exact=True)
            scored += [(score.excess, one) for score, one in zip(scores, chunk, strict=True)]
        order = np.argsort([excess for excess, _ in scored], kind="stable")
        return (scored[index][1] for index in order)

    def _planned(self, compiled: Compiled, held: frozenset[Group]) -> Placement | None:
        """A plan of a larger instance.

        Raises:
            UnansweredError: neither a plan nor a proof that there is none was found.
        """
        share = self.countdown.part(SHARE_OF_FIRST if len(held) == len(self.every) else SHARE_OF_PLAN)
        try:
            found = plan(compiled, Request(("latency",), limits=Limits(seconds=share.left), confirm=False))
        except InfeasibleError:
            return None
        if self._kept(compiled, found.placement, held) is True:
            return found.placement
        broken = [check.message for check in (*found.evaluation.violations, *found.evaluation.undecided)]
        raise UnansweredError(
            f"no plan was found that keeps all limits, and no proof that there is none: {'; '.join(broken)}"
        )

    def best(self) -> Evaluation | None:
        """What the placement does that breaks limits on waiting least, of all where that is known."""
        known = [one for one in self.known if not self.broken(one) & self._others]
        try:
            problem = Problem(self.compiled)
            if count(problem) <= MOST_PLACEMENTS:
                known = list(itertools.islice(self._in_order(problem), 1))
        except (InfeasibleError, UnansweredError):
            pass  # as far as placements were met
        judged = [evaluate_placement(self.compiled, one, "analytic") for one in known[:4]]
        return min(judged, key=lambda one: sum(check.relative_excess for check in one.violations), default=None)

    @property
    def _others(self) -> frozenset[Group]:
        return frozenset(group for group in self.every if group[0] not in WAITING)


def _is_constant(compiled: Compiled, name: str) -> bool:
    """Whether all requests of a service are alike: no exits, constant times of its layers wherever they run."""
    variants = [v for v in compiled.variants if compiled.instance.services[v.service].name == name]
    return all(not v.exits and not np.where(np.isfinite(v.time), v.scv, 0.0).any() for v in variants)


def _counts(check: Check, held: frozenset[Group]) -> bool:
    """Whether a check is about a limit that holds: what a station gets done is no field of the file to take out."""
    return check.kind != "stability" or (check.kind, check.subject) in held


def plan_for(compiled: Compiled, countdown: Countdown, deployed: Deployed | None = None) -> Placement | None:
    """Return a placement that keeps every limit by the verdict; None when none is found that does so but by far.

    Raises:
        UnansweredError: it is not decided.
    """
    oracle = WaitingOracle.of(compiled, countdown, deployed)
    oracle.trusting = True
    return oracle.placement(oracle.every)


def far(compiled: Compiled, placement: Placement) -> bool:
    """Whether the analytic evaluator finds that a placement breaks a limit by far."""
    checks = evaluate_placement(compiled, placement, "analytic").violations
    return any(check.relative_excess > NEARLY for check in checks)


def keeps_all(compiled: Compiled, placement: Placement, deployed: Deployed | None = None) -> bool:
    """Whether the verdict finds that a placement keeps every limit."""
    if deployed is not None and deployed.moved(placement) > deployed.most:
        return False
    if far(compiled, placement):
        return False
    judged = evaluate_placement(compiled, placement, "verdict", effort=Effort(seconds=EFFORT))
    return judged.feasible and not judged.undecided


def names_in(clash: Sequence[Group], compiled: Compiled) -> list[str]:
    """The services whose limits on waiting clash."""
    named = [subject for kind, subject in clash if kind in WAITING and kind != "stability"]
    served = [service.name for service in compiled.instance.services if service.arrivals is not None]
    return list(dict.fromkeys(named)) or served
