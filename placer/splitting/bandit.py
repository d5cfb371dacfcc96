"""Re-splitting over an uplink whose rate nobody measures: learn it from the costs of the requests themselves.

As in Autodidactic Neurosurgeon (Zhang et al., INFOCOM 2021) the cost of a cut is known but for the uplink, here
y = c + ck k + cx x with the inverse rate x unknown. A request that sends something reveals x; one that sends nothing
reveals nothing, and whoever never sends never learns that the uplink has recovered: such runs need forced sampling.
Plain optimism about an uplink that jumps between 3G and Wi-Fi costs more than it finds (a try over 3G may take ten
times as long as the run on the device), so the tries have a budget: every silent request saves the fraction
``explore`` of its cost, and the uplink is tried when the savings cover what the try would lose if nothing had changed.
Exploration therefore costs that fraction at most, as long as the uplink is no worse than when it was last seen.
"""

from __future__ import annotations

from collections.abc import Sequence

from placer.splitting.costs import Plane


class UplinkBandit:
    """Chooses among cuts whose cost is known but for the inverse rate of the uplink.

    Attributes:
        planes: the cuts.
        load: factor on the server's times, known.
        x_low, x_high: the inverse rate lies between them, s/byte.
        explore: the fraction of the cost that may be spent on tries.
        tries: requests that were sent to learn the uplink.
    """

    def __init__(
        self, planes: Sequence[Plane], load: float, x_low: float, x_high: float, *, explore: float = 0.05
    ) -> None:
        self.planes = tuple(planes)
        self.load = load
        self.x_low, self.x_high = x_low, x_high
        self.explore = explore
        self.tries = 0
        self._x: float | None = None
        self._savings = 0.0

    def choose(self) -> int:
        """Return the index of the cut for the next request."""
        every = range(len(self.planes))
        senders = [index for index in every if self.planes[index].cx > 0]
        if self._x is None:
            # nothing is known: the cut that sends least risks least
            return min(senders or every, key=lambda index: self.planes[index].cx)
        x = self._x
        best = min(every, key=lambda index: self.planes[index].at(x, self.load))
        if self.planes[best].cx > 0 or not senders:
            return best
        value = self.planes[best].at(x, self.load)
        attempt = min(senders, key=lambda index: self.planes[index].at(x, self.load))
        self._savings += self.explore * value
        loss = self.planes[attempt].at(x, self.load) - value
        if self._savings < loss:
            return best
        self._savings -= loss
        self.tries += 1
        return attempt

    def observe(self, index: int, cost: float) -> None:
        """Take the cost of a request that ran under cut ``index``."""
        plane = self.planes[index]
        if plane.cx > 0:
            x = (cost - plane.c - plane.ck * self.load) / plane.cx
            self._x = min(max(x, self.x_low), self.x_high)
