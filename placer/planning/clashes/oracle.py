"""What limits can hold together, decided as seldom as possible: placements met and proofs found are remembered."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from placer.evaluation.evaluate import evaluate_placement
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from placer.planning.clashes.deciding import decide, keeps
from placer.planning.clashes.deployed import Deployed
from placer.planning.clashes.families import MOVES, Group
from placer.planning.clashes.relaxing import Relaxing
from placer.solver.countdown import Countdown

REMEMBERED = 12
"""Placements that are looked at before a new one is sought."""
OF_WAYS = ("allowed", "range")
"""Limits without which tensors take other ways."""


class Oracle:
    """Answers which limits of an instance some placement keeps together.

    Attributes:
        every: all families of limits.
        known: placements met, the last first.
        searched: whether some answer is what a search found, and no proof.
        impossible: limits proven to clash.
    """

    searched = False

    def __init__(
        self, compiled: Compiled, every: Sequence[Group], countdown: Countdown, deployed: Deployed | None = None
    ) -> None:
        self.compiled, self.every, self.countdown, self.deployed = compiled, tuple(every), countdown, deployed
        self._relaxing = Relaxing(compiled, every)
        self.known: list[Placement] = [] if deployed is None else [deployed.placement]
        self._answers: dict[frozenset[Group], Placement | None] = {}
        self._broken: dict[Placement, frozenset[Group]] = {}
        self.impossible: list[frozenset[Group]] = []

    @property
    def fewest(self) -> frozenset[Group]:
        """The smallest set of limits proven to clash."""
        return min(self.impossible, key=lambda held: (len(held), sorted(held)))

    def relaxed(self, held: Collection[Group]) -> Compiled:
        """The instance of which only these limits hold."""
        return self._relaxing.held(held)

    def possible(self, held: Collection[Group]) -> bool:
        """Whether some placement keeps these limits.

        Raises:
            UnansweredError: it is not decided within the time.
        """
        return self.placement(held) is not None

    def placement(self, held: Collection[Group]) -> Placement | None:
        """A placement that keeps these limits; None when there is none.

        Raises:
            UnansweredError: it is not decided within the time.
        """
        key = frozenset(held)
        if key not in self._answers:
            found = None if any(clash <= key for clash in self.impossible) else self._decided(key)
            self._answers[key] = found
            if found is None:
                self.impossible.append(key)
        return self._answers[key]

    def broken(self, placement: Placement) -> frozenset[Group]:
        """Which limits a placement breaks where all of them hold, but for that on moves."""
        if placement not in self._broken:
            found = set()
            for check in evaluate_placement(self.compiled, placement, "deterministic").violations:
                if check.kind == "airtime":  # heard by a device, on some channel
                    found |= {group for group in self.every if group[0] == "airtime"}
                elif check.kind == "privacy":
                    found.add(("allowed", check.subject))
                else:
                    found.add((check.kind, check.subject))
            self._broken[placement] = frozenset(found)
        return self._broken[placement]

    def _together(self, held: frozenset[Group]) -> Iterator[Placement]:
        """Everything on one device whose memory is not limited: the last of them that could run it all."""
        names, at = self.compiled.device_names, self.compiled.station_device
        free = [names.index(name) for kind, name in self.every if kind == "memory" and (kind, name) not in held]
        for station in (int(s) for device in free[:-3:-1] for s in np.flatnonzero(at == device)):
            variants = [self.compiled.variants[group[0]] for group in self.compiled.service_variants]
            if all(np.isfinite(variant.time[:, station]).all() for variant in variants):
                choice = tuple(group[0] for group in self.compiled.service_variants)
                yield Placement(choice, tuple((station,) * len(variant) for variant in variants))

    def _decided(self, held: frozenset[Group]) -> Placement | None:
        deployed = self.deployed if MOVES in held else None
        usual = all(group in held for group in self.every if group[0] in OF_WAYS)
        compiled = self.relaxed(held)
        for placement in self.known[: None if usual else REMEMBERED]:
            if usual and not self.broken(placement) & held:
                if deployed is None or deployed.moved(placement) <= deployed.most:
                    return placement
            elif not usual and keeps(compiled, placement, deployed):
                return placement
        for placement in self._together(held):
            if keeps(compiled, placement, deployed):
                self.known.insert(0, placement)
                return placement
        self.countdown.check("the search for what clashes")
        near = None if self.deployed is None else self.deployed.placement
        found = decide(compiled, self.countdown, deployed, near)
        if found is not None:
            self.known.insert(0, found)
        return found
