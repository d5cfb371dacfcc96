"""DADS (Hu et al., INFOCOM 2019; Liang et al., IEEE TCC 2023): least latency while the load is light, else throughput.

Light: the minimum cut. When its largest stage takes longer than the time between two requests, requests would pile up:
heavy, the smallest bottleneck. When that is still too slow, the largest rate that fits is the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from placer.solver.progress import Limits
from placer.splitting.bottleneck import best_bottleneck, grid_bottleneck
from placer.splitting.costs import Cut, SplitCosts, Stages, stages
from placer.splitting.mincut import cheapest_cut

Mode = Literal["light", "heavy"]


@dataclass(frozen=True)
class Decision:
    """What DADS decides.

    Attributes:
        mode: ``light`` or ``heavy``.
        cut: the cut.
        stages: its stages in s.
        bound: for heavy load, the smallest bottleneck that any cut may have (s); -inf when nothing is proven.
        sustained: whether the rate asked for fits; True when none was asked for.
    """

    mode: Mode
    cut: Cut
    stages: Stages
    bound: float
    sustained: bool

    @property
    def largest_rate(self) -> float:
        """Requests per second that the cut sustains."""
        return 1.0 / self.stages.largest if self.stages.largest > 0 else float("inf")


def decide(
    costs: SplitCosts,
    x: float,
    load: float,
    rate: float | None = None,
    *,
    exact: bool = True,
    limits: Limits | None = None,
) -> Decision:
    """Return the cut for a rate of requests.

    Args:
        costs: the costs, of latency or of energy (which then stands for the light load's objective).
        x: inverse rate of the uplink in s/byte.
        load: factor on the server's times.
        rate: requests per second; None for a request alone.
        exact: whether heavy load is solved by MILP or by the published approximation.
        limits: when the MILP stops.

    Raises:
        InfeasibleError: when no cut puts every layer where it can run.
    """
    cut = cheapest_cut(costs, x, load)
    times = stages(costs, cut, x, load)
    if rate is None or times.largest * rate <= 1.0:
        return Decision("light", cut, times, float("-inf"), True)
    found = best_bottleneck(costs, x, load, limits) if exact else grid_bottleneck(costs, x, load)
    return Decision("heavy", found.cut, found.stages, found.bound, found.stages.largest * rate <= 1.0)
