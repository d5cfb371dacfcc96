"""What limits on loss and response times can hold together with all others under random arrivals, by the verdict.

Of a small instance every placement is looked at: in the order of the analytic evaluator, until the verdict finds one
that keeps the limits, or that none does. Of a larger one a plan is sought; where none is found, the fluid relaxation
may prove that there is none, and else it is not decided.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from placer.errors import InfeasibleError, UnansweredError
from placer.evaluation.checks import Check
from placer.evaluation.evaluate import evaluate_placement
from placer.evaluation.evaluation import Evaluation
from placer.evaluation.runs import Effort
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from placer.planning.clashes.changes import with_service
from placer.planning.clashes.choosing import chooses, chosen, eased
from placer.planning.clashes.deciding import decide
from placer.planning.clashes.deployed import Deployed
from placer.planning.clashes.families import MOVES, Group, families
from placer.planning.clashes.oracle import OF_WAYS, Oracle
from placer.planning.clashes.percentiles import is_constant, on_means
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
MOST_CHOSEN = 24
"""The same where the exits are chosen at each of them."""
EFFORT, SHARE, LEAST = 1.0, 0.1, 0.2
"""Seconds of simulation for a verdict, at most, and at most of the time left; and the least."""
FAR = 1.0
"""Relative: a placement that exceeds limits by so much in all by the analytic evaluator (by means, where percentiles
are limited) is taken to break them, and not simulated."""
NEARLY = 0.1
"""Relative: what is exceeded by more is exceeded by far."""
SHARE_OF_FIRST, SHARE_OF_PLAN, LONGEST_CHOICE = 0.5, 0.2, 3.0
"""Of the time left, for a plan of a larger instance with all of its limits, and with some; seconds at most where exits
are chosen."""


def waits(compiled: Compiled) -> bool:
    """Whether some limit of an instance depends on waiting."""
    return (
        chooses(compiled)
        or bool(waiting_families(compiled))
        or any(service.arrivals is not None and service.deadline is not None for service in compiled.instance.services)
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

    @cached_property
    def _seen(self) -> dict[Placement, dict[Group, str]]:
        return {}

    def verdict(self, compiled: Compiled, placement: Placement) -> Evaluation:
        """What a placement does, within a share of the time."""
        compiled = chosen(compiled, placement) if chooses(compiled) else compiled
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
        found = self._sought(compiled, held, found)
        if found is not None:
            self.known.insert(0, found)
        return found

    def _without_waiting(self, held: frozenset[Group]) -> Placement | None:
        """A placement that keeps the limits as far as they hold without waiting; None when there is none.

        Where every request takes its time and no other, 95 % of them are in time only if that time is.
        """
        late = [service for service in self.compiled.instance.services if ("deadline_p95", service.name) in held]
        late = [service for service in late if is_constant(self.compiled, service.name)]
        choosing = chooses(self.compiled)
        if not late and not choosing:
            return super()._decided(held)
        compiled = self.relaxed(held)
        if choosing:
            compiled = eased(compiled)
        for service in late:
            limits = [limit for limit in (service.deadline, service.deadline_p95) if limit is not None]
            if ("deadline", service.name) not in held:
                limits = limits[-1:]
            changed = with_service(compiled.instance, service.name, deadline=min(limits))
            compiled = replace(compiled, instance=changed)
        near = None if self.deployed is None else self.deployed.placement
        return decide(compiled, self.countdown, self.deployed if MOVES in held else None, near)

    def _kept(self, compiled: Compiled, placement: Placement, held: frozenset[Group]) -> bool | None:
        """Whether a placement keeps the limits that hold; None where that is not decided."""
        if self.deployed is not None and MOVES in held and self.deployed.moved(placement) > self.deployed.most:
            return False
        if self.trusting and far(compiled, placement):
            return False
        if self._is_usual(held):
            seen = self._seen_of(placement)
            if self.broken(placement) & held & self._others:
                return False
            statuses = {status for group, status in seen.items() if group in held}
        else:
            checks = self.verdict(compiled, placement).checks
            statuses = {str(check.status) for check in checks if _counts(check, held)}
        return False if "violated" in statuses else None if "undecided" in statuses else True

    def _is_usual(self, held: frozenset[Group]) -> bool:
        """Whether requests wait as they do with all limits, as ways, rooms and exits are the same."""
        ways = all(group in held for group in self.every if group[0] in OF_WAYS)
        rooms = all(device.buffer != "memory" for device in self.compiled.instance.devices)
        return ways and rooms and not chooses(self.compiled)

    def _seen_of(self, placement: Placement) -> dict[Group, str]:
        """What the verdict says of every limit on waiting at a placement."""
        if placement not in self._seen:
            checks = self.verdict(self.compiled, placement).checks
            self._seen[placement] = {(c.kind, c.subject): str(c.status) for c in checks if c.kind in WAITING}
        return self._seen[placement]

    def _sought(self, compiled: Compiled, held: frozenset[Group], start: Placement) -> Placement | None:
        """A placement that keeps the limits, none being known; ``start`` keeps those that hold without waiting.

        Raises:
            UnansweredError: it is not decided whether there is one.
        """
        try:
            problem = Problem(on_means(eased(compiled) if chooses(compiled) else compiled))
        except InfeasibleError:
            return None
        if count(problem) > (MOST_CHOSEN if chooses(compiled) else MOST_PLACEMENTS):
            return self._planned(compiled, held, start)
        doubtful, stable = False, all(group in held for group in self.every if group[0] == "stability")
        for excess, placement in self._in_order(problem):
            if excess > FAR and stable and not chooses(compiled):
                break  # and so are those that follow
            self.countdown.check("the search for a placement that keeps limits on loss and response times")
            kept = self._kept(compiled, placement, held)
            if kept:
                return placement
            doubtful |= kept is None
        if doubtful:
            raise UnansweredError("whether a placement keeps its limits is too close to tell by simulation in time")
        return None

    def _in_order(self, problem: Problem) -> Iterator[tuple[float, Placement]]:
        """Every placement that keeps the other limits, after how badly it breaks those on waiting; the least first."""
        scorer, every = Scorer(problem), placements(problem, self.countdown)
        scored: list[tuple[float, Placement]] = []
        while chunk := list(itertools.islice(every, CHUNK)):
            scores = scorer.score(chunk, exact=True)
            scored += [(score.excess, one) for score, one in zip(scores, chunk, strict=True)]
        order = np.argsort([excess for excess, _ in scored], kind="stable")
        return (scored[index] for index in order)

    def _planned(self, compiled: Compiled, held: frozenset[Group], start: Placement) -> Placement | None:
        """A plan of a larger instance.

        Raises:
            UnansweredError: neither a plan nor a proof that there is none was found.
        """
        share = self.countdown.part(SHARE_OF_FIRST if len(held) == len(self.every) else SHARE_OF_PLAN)
        if chooses(compiled):
            share = self.countdown.part(SHARE_OF_PLAN, LONGEST_CHOICE)
        limits = Limits(seconds=share.left)
        request = Request(("loss",), method="loss", limits=limits, keep=start, confirm=False)
        if chooses(compiled):
            request = Request(("accuracy",), limits=limits, confirm=False)
        try:
            found = plan(compiled, request)
        except InfeasibleError:
            return None
        counted = [check.status for check in found.evaluation.checks if _counts(check, held)]
        if "violated" not in counted and "undecided" not in counted:
            return found.placement
        if chooses(compiled) and "violated" in counted:
            self.searched = True
            return None
        broken = [check.message for check in (*found.evaluation.violations, *found.evaluation.undecided)]
        raise UnansweredError(
            f"no plan was found that keeps all limits, and no proof that there is none: {'; '.join(broken)}"
        )

    def best(self) -> Evaluation | None:
        """What the placement does that breaks limits on waiting least, of all where that is known."""
        compiled = self.compiled
        known = [one for one in self.known if chooses(compiled) or not self.broken(one) & self._others]
        try:
            problem = Problem(eased(compiled) if chooses(compiled) else compiled)
            if count(problem) <= MOST_PLACEMENTS and not chooses(compiled):
                known = [placement for _, placement in itertools.islice(self._in_order(problem), 1)]
        except (InfeasibleError, UnansweredError):
            pass  # as far as placements were met
        worlds = [(chosen(compiled, one) if chooses(compiled) else compiled, one) for one in known[:4]]
        judged = [evaluate_placement(world, one, "analytic") for world, one in worlds]
        return min(judged, key=lambda one: sum(check.relative_excess for check in one.violations), default=None)

    @property
    def _others(self) -> frozenset[Group]:
        return frozenset(group for group in self.every if group[0] not in WAITING)


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
    compiled = chosen(compiled, placement) if chooses(compiled) else compiled
    checks = evaluate_placement(compiled, placement, "analytic").violations
    return any(check.relative_excess > NEARLY for check in checks)


def keeps_all(compiled: Compiled, placement: Placement, deployed: Deployed | None = None) -> bool:
    """Whether the verdict finds that a placement keeps every limit."""
    if deployed is not None and deployed.moved(placement) > deployed.most:
        return False
    if far(compiled, placement):
        return False
    compiled = chosen(compiled, placement) if chooses(compiled) else compiled
    judged = evaluate_placement(compiled, placement, "verdict", effort=Effort(seconds=EFFORT))
    return judged.feasible and not judged.undecided


def names_in(clash: Sequence[Group], compiled: Compiled) -> list[str]:
    """The services whose limits on waiting clash."""
    named = [subject for kind, subject in clash if kind in WAITING and kind != "stability"]
    served = [service.name for service in compiled.instance.services if service.arrivals is not None]
    return list(dict.fromkeys(named)) or served
