"""What is deployed, and how many of its layers may move."""

from __future__ import annotations

from dataclasses import dataclass

from placer.plan.placement import Placement


@dataclass(frozen=True)
class Deployed:
    """A placement that is there already.

    Attributes:
        placement: where layers are now.
        most: how many of them may move away.
    """

    placement: Placement
    most: int

    def moved(self, placement: Placement) -> int:
        """Layers that are no longer where they were; all of a service whose alternative changed."""
        total = 0
        for old, new, before, after in zip(
            self.placement.choice, placement.choice, self.placement.stations, placement.stations, strict=True
        ):
            total += len(before) if old != new else sum(a != b for a, b in zip(before, after, strict=True))
        return total
