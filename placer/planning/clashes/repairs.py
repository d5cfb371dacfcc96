"""What single change of one limit repairs an infeasible instance, with its figure.

A placement that breaks nothing but the limit says what is enough; whether less is, is looked for by bisection. Figures
are rounded away from the limit to the digits that are printed, and the changed instance, which holds the printed
figure, is decided by the evaluator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from placer.errors import UnansweredError
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.instance import Instance
from placer.plan.placement import Placement
from placer.planning.clashes.changes import Change, Edit, with_limits, with_service
from placer.planning.clashes.deciding import keeps
from placer.planning.clashes.deployed import Deployed
from placer.planning.clashes.families import Group
from placer.planning.clashes.knobs import Knob, knobs_of
from placer.planning.clashes.oracle import REMEMBERED, Oracle
from placer.planning.clashes.substitutes import fewer_requests, link_to, more_servers
from placer.solver.countdown import Countdown

TOLERANCE = 1e-3
"""Of figures that no simulation decides."""
DOUBLINGS, NEARBY = 20, (1.0, 1.03, 1.1)
"""How often a figure is doubled, and what a placement needs is multiplied with, until that is enough."""
STEP = 0.4, 2.0
"""Of the time left, to see whether less is enough, and seconds at most: what is not decided in it may be more."""
Judge = Callable[[Compiled, Countdown, Deployed | None], Placement | None]
"""Finds a placement that keeps every limit of an instance; None when there is none."""
Keeps = Callable[[Compiled, Placement, Deployed | None], bool]
Knobs = Callable[[Compiled, Group, Deployed | None], list[Knob]]


@dataclass(frozen=True, eq=False)
class Workshop:
    """What repairs are made with.

    Attributes:
        oracle: knows the instance and the placements met.
        judge: decides changed instances.
        countdown: for all of it.
        keeps: whether a placement keeps every limit of an instance.
        knobs: the figures of a limit that can be raised.
        tolerance: relative: a printed figure is at most so much more than what is just enough.
        remembered: placements met that a changed instance is tried with first.
        remedies: what else is known of a clash: its words, and repairs that raise no limit of it.
    """

    oracle: Oracle
    judge: Judge
    countdown: Countdown
    keeps: Keeps = keeps
    knobs: Knobs = knobs_of
    tolerance: float = TOLERANCE
    remedies: Callable[[Workshop, Sequence[Group], Sequence[str]], tuple[list[str], list[Repair]]] | None = None
    remembered: int = REMEMBERED

    @property
    def compiled(self) -> Compiled:
        """The instance."""
        return self.oracle.compiled

    def holds(self, change: Change, countdown: Countdown) -> Placement | None:
        """A placement of a changed instance; None when there is none.

        Raises:
            UnansweredError: it is not decided.
        """
        deployed = self.oracle.deployed
        if deployed is not None and change.moves is not None:
            deployed = Deployed(deployed.placement, change.moves)
        compiled = compile_instance(change.instance)
        for placement in self.oracle.known[: self.remembered]:
            countdown.check("the search for repairs")
            if self.keeps(compiled, placement, deployed):
                return placement
        countdown.check("the search for repairs")
        found = self.judge(compiled, countdown, deployed)
        if found is not None:
            self.oracle.known.insert(0, found)
        return found


@dataclass(frozen=True)
class Repair:
    """What is known of one limit of a clash.

    Attributes:
        group: the limit.
        change: the single change of it after which there is a plan; None where none was found.
        decided: whether it is known that there is such a change, or that there is none.
        alone: whether without the limit there is a plan.
    """

    group: Group
    change: Change | None
    decided: bool = True
    alone: bool = False


def repairs(shop: Workshop, clash: Sequence[Group]) -> Iterator[Repair]:
    """Yield what single change of each limit of a clash makes a plan possible."""
    for position, group in enumerate(clash):
        share = shop.countdown.part(1.0 / (len(clash) - position))
        others = [one for one in shop.oracle.every if one != group]
        placement = None
        try:
            placement = shop.oracle.placement(others)
            change = None if placement is None else _repair(shop, group, placement, share)
            yield Repair(group, change, True, placement is not None)
        except UnansweredError:
            yield Repair(group, None, False, placement is not None)


def _repair(shop: Workshop, group: Group, placement: Placement, share: Countdown) -> Change | None:
    """The first figure of a limit that is enough alone; all of them together, or fewer requests, where none is."""
    knobs = shop.knobs(shop.compiled, group, shop.oracle.deployed)
    for knob in knobs:
        found = least(shop, knob, placement, share)
        if found is not None:
            return found
    for change in _plain(shop.compiled, group, placement):
        if shop.holds(change, share) is not None:
            return change
    if len(knobs) > 1 and (found := _together(shop, group, placement, share)) is not None:
        return found
    return _otherwise(shop, group, placement, share)


def least(shop: Workshop, knob: Knob, placement: Placement | None, share: Countdown) -> Change | None:
    """The least value of a figure that is enough, as far as the time allows to look; None where none is.

    Args:
        shop: with what.
        knob: the figure.
        placement: one that keeps all other limits, to start from.
        share: when to stop; what is known to be enough by then is the answer.

    Raises:
        UnansweredError: it is not decided whether some value is enough.
    """
    low, found = _enough(shop, knob, placement, share)
    if found is None:
        return None
    high, change = found
    while high - low > (1 if knob.whole else shop.tolerance * high) and not share.over:
        middle = float(np.floor(0.5 * (low + high))) if knob.whole else 0.5 * (low + high)
        trial = knob.change(middle)
        placement = _surely(shop, trial, share.part(*STEP))
        if placement is None:
            low = middle
            continue
        # what the placement needs may be less than what was given
        high, change = middle, trial
        need = knob.need(placement)
        if low < need < middle and _surely(shop, closer := knob.change(need), share.part(*STEP)) is not None:
            high, change = need, closer
    return change


def _surely(shop: Workshop, change: Change, share: Countdown) -> Placement | None:
    """A placement of a changed instance; None when there is none or that is not decided: then more is printed."""
    try:
        return shop.holds(change, share)
    except UnansweredError:
        return None


def _enough(
    shop: Workshop, knob: Knob, placement: Placement | None, share: Countdown
) -> tuple[float, tuple[float, Change] | None]:
    """A value that is not enough, and one that is with its change; None where none is.

    Raises:
        UnansweredError: it is not decided whether some value is enough.
    """
    low, doubt = knob.now, None
    for value in _values(knob, placement):
        change = knob.change(value)
        try:
            if shop.holds(change, share) is not None:
                return low, (value, change)
        except UnansweredError as error:
            doubt = error
        if share.over:
            break
        low = value
    if doubt is not None:
        raise doubt
    return low, None


def _values(knob: Knob, placement: Placement | None) -> Iterator[float]:
    """Values to try: what a placement needs, as a verdict may be too close to tell a little more, then ever more."""
    low = knob.now
    need = np.inf if placement is None else knob.need(placement)
    for factor in NEARBY if np.isfinite(need) else ():
        if low < factor * need <= knob.most:
            low = factor * need
            yield low
    low = max(low, 1e-6)
    for _ in range(DOUBLINGS):
        if low >= knob.most:
            return
        low = min(2.0 * low, knob.most)
        yield low


def _together(shop: Workshop, group: Group, placement: Placement, share: Countdown) -> Change | None:
    """All figures of a limit at what a placement needs: the memory of a device and that of its units."""
    compiled, made = shop.compiled, None
    for position in range(len(shop.knobs(compiled, group, None))):
        knob = shop.knobs(compiled, group, None)[position]
        if knob.need(placement) <= knob.now:
            continue
        change = knob.change(knob.need(placement))
        if made is not None:
            change = Change(change.instance, f"{made.text} and {change.text}", (*made.edits, *change.edits))
        compiled, made = compile_instance(change.instance), change
    return made if made is not None and shop.holds(made, share) is not None else None


def _otherwise(shop: Workshop, group: Group, placement: Placement, share: Countdown) -> Change | None:
    """What does instead where a limit cannot be raised as far as needed: servers, fewer requests, a link."""
    kind, subject = group
    names = [service.name for service in shop.compiled.instance.services]
    knobs: list[Knob | None] = []
    if kind == "utilisation":
        knobs.append(more_servers(shop.compiled, subject))
    if kind in ("utilisation", "airtime", "link"):
        knobs += [fewer_requests(shop.compiled, [name]) for name in names]
        knobs.append(fewer_requests(shop.compiled, names))
    if kind == "range":
        knobs.append(link_to(shop.compiled, subject, placement))
    for knob in knobs:
        if knob is not None and (found := least(shop, knob, None, share)) is not None:
            return found
    return None


def _plain(compiled: Compiled, group: Group, placement: Placement) -> Iterator[Change]:
    """Changes that are no raised figure."""
    kind, subject = group
    instance = compiled.instance
    path = f"services.{subject}"
    if kind == "contiguous":
        made = with_service(instance, subject, contiguous=False)
        yield Change(made, f"let service {subject} come back to a device", (Edit(f"{path}.contiguous", False),))
    if kind in ("airtime", "link"):
        field = "airtime" if kind == "airtime" else "links"
        made = with_limits(instance, **{field: None})
        words = f"drop the limit (limits: {{{field}: none}}): no load up to 100 % is enough"
        yield Change(made, words, (Edit(f"limits.{field}", "none"),))
    if kind == "min_accuracy":
        yield from _less_accurate(compiled, subject)
    if kind == "allowed":
        yield from _freer(instance, subject)


def _less_accurate(compiled: Compiled, name: str) -> Iterator[Change]:
    """The accuracies of the alternatives, the most accurate first, and none at all."""
    instance = compiled.instance
    position = next(k for k, service in enumerate(instance.services) if service.name == name)
    now = instance.services[position].min_accuracy or 0.0
    known = {float(compiled.variants[index].accuracy) for index in compiled.service_variants[position]}
    for accuracy in sorted((a for a in known if a < now), reverse=True):
        value = float(np.floor(accuracy * 1e4) / 1e4)
        words = f"accept an accuracy of {value:g} of service {name} (now {now:g})"
        edits = (Edit(f"services.{name}.min_accuracy", value),)
        yield Change(with_service(instance, name, min_accuracy=value), words, edits)
    if any(np.isnan(one) for one in known):
        words = f"ask no accuracy of service {name} (now {now:g}): that of an alternative is unknown"
        edits = (Edit(f"services.{name}.min_accuracy", None),)
        yield Change(with_service(instance, name, min_accuracy=None), words, edits)


def _freer(instance: Instance, name: str) -> Iterator[Change]:
    """A service without its pins, its forbidden pairs, its privacy, or all of them."""
    service = next(one for one in instance.services if one.name == name)
    without: dict[str, Any] = {"pins": {}, "forbid": {}, "privacy": None}
    words = {"pins": "the pins", "forbid": "the forbidden pairs", "privacy": "the privacy"}
    given = [field for field in without if getattr(service, field)]
    for fields in [*([one] for one in given), *([given] if len(given) > 1 else [])]:
        made = with_service(instance, name, **{field: without[field] for field in fields})
        text = " and ".join([", ".join(words[one] for one in fields[:-1]), words[fields[-1]]][len(fields) == 1 :])
        yield Change(made, f"drop {text} of service {name}", tuple(Edit(f"services.{name}.{f}", None) for f in fields))
