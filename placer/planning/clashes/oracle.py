"""What limits can hold together, decided as seldom as possible: placements met and proofs found are remembered."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from placer.planning.clashes.deciding import decide, keeps
from placer.planning.clashes.deployed import Deployed
from placer.planning.clashes.families import MOVES, Group
from placer.planning.clashes.relaxing import Relaxing
from placer.solver.countdown import Countdown

REMEMBERED = 12
"""Placements that are looked at before a new one is sought."""


class Oracle:
    """Answers which limits of an instance some placement keeps together.

    Attributes:
        every: all families of limits.
        known: placements met, the last first.
        impossible: limits proven to clash.
    """

    def __init__(
        self, compiled: Compiled, every: Sequence[Group], countdown: Countdown, deployed: Deployed | None = None
    ) -> None:
        self.compiled, self.every, self.countdown, self.deployed = compiled, tuple(every), countdown, deployed
        self._relaxing = Relaxing(compiled, every)
        self.known: list[Placement] = [] if deployed is None else [deployed.placement]
        self._answers: dict[frozenset[Group], Placement | None] = {}
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

    def _decided(self, held: frozenset[Group]) -> Placement | None:
        compiled = self.relaxed(held)
        deployed = self.deployed if MOVES in held else None
        for placement in self.known[:REMEMBERED]:
            if keeps(compiled, placement, deployed):
                return placement
        self.countdown.check("the search for what clashes")
        found = decide(compiled, self.countdown, deployed)
        if found is not None:
            self.known.insert(0, found)
        return found
