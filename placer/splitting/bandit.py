"""Re-splitting over an uplink whose rate nobody measures: learn it from the costs of the requests themselves.

As in Autodidactic Neurosurgeon (Zhang et al., INFOCOM 2021) the cost of a cut is linear in what is unknown, here the
inverse rate x: y = c + cx x. Whoever sends nothing learns nothing, so the uncertainty about x has to grow while the
network runs on the device: past observations are discounted at every request, and the cut with the lowest optimistic
cost is taken (a linear bandit with a lower confidence bound, discounted as in Garivier and Moulines, ALT 2011).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from placer.splitting.costs import Plane


class LinearBandit:
    """Chooses among cuts whose cost is known but for the inverse rate of the uplink.

    Attributes:
        planes: the cuts; the load is known.
        load: factor on the server's times.
        x_low, x_high: the inverse rate lies between them, s/byte.
    """

    def __init__(
        self,
        planes: Sequence[Plane],
        load: float,
        x_low: float,
        x_high: float,
        *,
        discount: float = 0.9,
        optimism: float = 1.0,
    ) -> None:
        self.planes = tuple(planes)
        self.load = load
        self.x_low, self.x_high = x_low, x_high
        self._discount, self._optimism = discount, optimism
        self._scale = max((plane.cx for plane in self.planes), default=0.0) or 1.0
        # sums over past observations: weight cx**2, cx * y, and y**2 for the spread around the estimate
        self._weight = self._product = self._square = self._count = 0.0

    def choose(self) -> int:
        """Return the index of the cut with the least optimistic cost."""
        x = self._optimistic_x()
        return min(range(len(self.planes)), key=lambda index: self.planes[index].at(x, self.load))

    def observe(self, index: int, cost: float) -> None:
        """Take the cost of a request that ran under cut ``index``."""
        plane = self.planes[index]
        self._weight *= self._discount
        self._product *= self._discount
        self._square *= self._discount
        self._count *= self._discount
        if plane.cx <= 0:
            return
        size = plane.cx / self._scale
        rest = (cost - plane.c - plane.ck * self.load) / self._scale
        self._weight += size * size
        self._product += size * rest
        self._square += rest * rest
        self._count += 1.0

    def _optimistic_x(self) -> float:
        if self._weight <= 1e-12:
            return self.x_low
        x = self._product / self._weight
        spread = max(self._square - x * self._product, 0.0) / max(self._count, 1e-12)
        # at least a tenth of the estimate: a single observation has no spread of its own
        deviation = max(math.sqrt(spread), 0.1 * abs(x) * math.sqrt(self._weight / max(self._count, 1e-12)))
        x -= self._optimism * deviation / math.sqrt(self._weight)
        return min(max(x, self.x_low), self.x_high)
