"""The whole verdict on an answer: what it does, which limits it keeps, how badly it breaks the others.

Feasible is defined here and nowhere else: an answer is feasible, under an evaluator, when no check is violated and none
is undecided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from placer.evaluation.checks import Check, Status, exit_code
from placer.evaluation.deterministic import DeviceMetrics, ServiceMetrics
from placer.evaluation.stages import Stage
from placer.evaluation.traffic import CarrierMetrics

if TYPE_CHECKING:  # the simulator is loaded when it is asked for
    from placer.simulation.results import SimulationResult

NAN = float("nan")


@dataclass(frozen=True)
class ServiceTimes:
    """What requests of a service meet under random arrivals; intervals are half-widths, 0 for the analytic model.

    Attributes:
        name: the service.
        offered: requests per second.
        throughput: completed requests per second.
        loss_ratio: lost / offered.
        sum_of_sojourns: Σ over stations and ways of the mean sojourn of the jobs accepted there, s.
        response_time: mean time from arrival to sink of completed jobs, s.
        p50, p95, p99: percentiles of that time, s; NaN from the analytic model.
        loss_interval, response_interval: half-widths.
        loss_range: loss under the best and the worst phases of periodic arrivals that the instance does not state
            (each set lasts for ever); both are the loss where phases do not matter, NaN where it is not known.
    """

    name: str
    offered: float
    throughput: float
    loss_ratio: float
    sum_of_sojourns: float
    response_time: float
    p50: float = NAN
    p95: float = NAN
    p99: float = NAN
    loss_interval: float = 0.0
    response_interval: float = 0.0
    loss_range: tuple[float, float] = (NAN, NAN)

    @property
    def phases_matter(self) -> bool:
        """Whether the loss depends on phases that are assumed."""
        low, high = self.loss_range
        return high - low > 1e-3 * high + 1e-9


@dataclass(frozen=True)
class StationTimes:
    """What a compute unit, a link direction or a channel meets.

    Attributes:
        name: the station.
        utilisation: fraction of time busy.
        loss_ratio: jobs turned away / jobs that asked.
        number: mean jobs there, the one in service included.
        load: work that arrives per second, in seconds; NaN from the simulator.
        unstable: there is no buffer limit and the load is 1 or more: nothing is lost, the queue grows without end.
    """

    name: str
    utilisation: float
    loss_ratio: float
    number: float
    load: float = NAN
    unstable: bool = False


@dataclass(frozen=True)
class Evaluation:
    """What an answer does.

    Attributes:
        evaluator: who judged limits that involve time: ``deterministic`` knows no waiting.
        services: metrics per service.
        devices: metrics per device that runs something.
        carriers: metrics per link direction and channel that carries something.
        costs: what planners minimise for every objective, by name; NaN where a figure is unknown.
        objectives: its value as people know it, by name; NaN where a figure is unknown.
        slowest: the stage that limits the throughput.
        checks: every limit, judged.
        times: loss and response times per service with arrivals; empty from the deterministic evaluator.
        stations: utilisation and loss per compute unit; empty from the deterministic evaluator.
        warnings: what a reader must know although no limit is broken, a line each.
        simulation: the figures behind a simulated evaluation; None from the other evaluators.
    """

    evaluator: str
    services: tuple[ServiceMetrics, ...]
    devices: tuple[DeviceMetrics, ...]
    carriers: tuple[CarrierMetrics, ...]
    costs: dict[str, float]
    objectives: dict[str, float]
    slowest: Stage
    checks: tuple[Check, ...]
    times: tuple[ServiceTimes, ...] = ()
    stations: tuple[StationTimes, ...] = ()
    warnings: tuple[str, ...] = ()
    simulation: SimulationResult | None = None

    def having(self, status: Status) -> list[Check]:
        """The checks with a status."""
        return [check for check in self.checks if check.status == status]

    @property
    def violations(self) -> list[Check]:
        """The checks that are violated."""
        return self.having("violated")

    @property
    def skipped(self) -> list[Check]:
        """The checks that this evaluator cannot make."""
        return self.having("skipped")

    @property
    def undecided(self) -> list[Check]:
        """The checks whose limit lies inside the interval of what was seen."""
        return self.having("undecided")

    @property
    def feasible(self) -> bool:
        """Whether every limit that was judged is kept."""
        return self.exit_code == 0

    @property
    def exit_code(self) -> int:
        """How a command ends that asked whether the limits are kept, see :func:`placer.evaluation.checks.exit_code`.

        An interrupted simulation decides nothing.
        """
        if self.simulation is not None and self.simulation.partial:
            return 3
        return exit_code(self.checks)

    @property
    def excess(self) -> float:
        """How badly limits are broken: the sum of what violated ones are exceeded by, relative to each; 0 for none."""
        return sum(check.relative_excess for check in self.checks)
