"""One line per scheduler: accuracy, loss three ways, latency, utilisation, and the bound beside them.

A scheduler plans with the calibration split; everything here is of the test split (of the profile's figures
where it has no table).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from placer.errors import InfeasibleError
from placer.exits import semi_markov, thresholds
from placer.exits.policy import AnyPolicy, PolicyFile, TablePolicy, ThresholdPolicy
from placer.exits.profile import Profile
from placer.exits.schedulers import METHODS, Made, Task, make
from placer.exits.simulate import Phase, Simulated, simulate
from placer.exits.station import Measures, Station, evaluate_table, formula_loss
from placer.exits.thresholds import Costs
from placer.simulation.statistics import judge

KEPT = 1e-9


@dataclass(frozen=True)
class Request:
    """How a policy is simulated.

    Attributes:
        jobs: offered jobs a replication; 0 leaves the simulation out where the chain is exact.
        replications: independent runs.
        level: of the intervals.
        seed: of the runs.
    """

    jobs: int = 50_000
    replications: int = 10
    level: float = 0.99
    seed: int = 0


@dataclass(frozen=True)
class Report:
    """What a scheduler's policy does. NaN where a figure does not exist.

    Attributes:
        method, title: of the scheduler.
        policy: what it made.
        accuracy: per completed job; exact where the chain is, else simulated.
        accuracy_offered: per offered job.
        loss_formula: by the two-moment formula, for policies whose jobs draw their exits alike.
        loss_exact: by the embedded chain, for policies by queue length and for thresholds.
        loss_simulated, loss_half_width: simulated, with its interval.
        accuracy_simulated, accuracy_half_width: likewise.
        latency: mean time in the system of a completed job, s; exact or simulated.
        utilisation: share of time busy.
        bound: accuracy of the best queue-length-based single-exit policy within the limit; NaN when none keeps it.
        bound_here: the same at this policy's own loss.
        keeps: whether the limit is kept; None when the interval holds it.
        seconds: of the scheduler.
        notes: what the search says of itself.
        shares: completed jobs by exit.
    """

    method: str
    title: str
    policy: AnyPolicy
    accuracy: float
    accuracy_offered: float
    loss_formula: float
    loss_exact: float
    loss_simulated: float
    loss_half_width: float
    accuracy_simulated: float
    accuracy_half_width: float
    latency: float
    utilisation: float
    bound: float
    bound_here: float
    keeps: bool | None
    seconds: float
    notes: dict[str, float] = field(default_factory=dict)
    shares: tuple[float, ...] = ()

    @property
    def loss(self) -> float:
        """The exact loss where there is one, else the simulated one."""
        return self.loss_simulated if np.isnan(self.loss_exact) else self.loss_exact


def assess(name: str, task: Task, request: Request) -> Report:
    """Run a scheduler and work out all its figures.

    Raises:
        InputError: the profile lacks what it needs.
        InfeasibleError: it cannot keep the limit.
    """
    begin = time.perf_counter()
    made = make(name, task)
    seconds = time.perf_counter() - begin
    shown = task.profile.seen_on("test")
    # a policy that is refreshed while it runs has no stationary chain
    exact = None if made.adapt is not None else exact_measures(made.policy, shown, task.station)
    seen = run(made, shown, task.station, request) if request.jobs or exact is None else None
    loss = exact.loss if exact is not None else float(_seen(seen).loss.mean)
    if exact is not None:
        keeps: bool | None = exact.loss <= task.max_loss + KEPT
    else:
        keeps = judge(_seen(seen).loss, task.max_loss).kept
    formula = np.nan
    if made.iid is not None:
        formula = formula_loss(made.iid, shown.mean, shown.scv, task.station)
    elif isinstance(made.policy, ThresholdPolicy):
        done = thresholds.behaviour(np.array(made.policy.thresholds), shown.split("test"), Costs.of(shown))
        formula = formula_loss(done.shares, done.mean, shown.scv, task.station)

    def figure(name: str, half: bool = False) -> float:
        if seen is None:
            return np.nan
        estimate = getattr(seen, name)
        return float(estimate.half_width if half else estimate.mean)

    def best(name: str) -> float:
        return float(getattr(exact, name)) if exact is not None else figure(name)

    return Report(
        method=name,
        title=METHODS[name].title,
        policy=made.policy,
        accuracy=best("accuracy"),
        accuracy_offered=best("accuracy_offered"),
        loss_formula=float(formula),
        loss_exact=np.nan if exact is None else exact.loss,
        loss_simulated=figure("loss"),
        loss_half_width=figure("loss", half=True),
        accuracy_simulated=figure("accuracy"),
        accuracy_half_width=figure("accuracy", half=True),
        latency=best("latency"),
        utilisation=best("utilisation"),
        bound=bound(shown, task.station, task.max_loss),
        bound_here=bound(shown, task.station, min(loss + KEPT, 1.0)),
        keeps=keeps,
        seconds=seconds,
        notes=made.notes,
        shares=tuple(float(x) for x in (_seen(seen).shares if exact is None else exact.shares)),
    )


def _seen(seen: Simulated | None) -> Simulated:
    assert seen is not None  # a policy without exact measures is always simulated
    return seen


def exact_measures(policy: AnyPolicy, profile: Profile, station: Station) -> Measures | None:
    """Exact stationary measures of a policy, or None for one that estimates or learns while it runs."""
    if isinstance(policy, TablePolicy):
        table = np.array(policy.probabilities)
        rows = np.minimum(np.arange(station.states), len(table) - 1)
        return evaluate_table(profile, station, table[rows])
    if isinstance(policy, ThresholdPolicy):
        return thresholds.measures(np.array(policy.thresholds), profile.split("test"), Costs.of(profile), station)
    return None


def run(made: Made, profile: Profile, station: Station, request: Request) -> Simulated:
    """Simulate a policy at its own arrivals, on the test samples."""
    samples = None if profile.table is None else profile.split("test")
    (seen,) = simulate(
        profile,
        station,
        made.policy,
        [Phase(request.jobs or Request.jobs, station.rate, samples)],
        replications=request.replications,
        seed=request.seed,
        level=request.level,
        adapt=made.adapt,
    )
    return seen


def bound(profile: Profile, station: Station, max_loss: float) -> float:
    """Accuracy that no queue-length-based single-exit policy exceeds within a loss; NaN when none keeps it."""
    try:
        return semi_markov.solve(profile, station, max_loss).accuracy
    except InfeasibleError:
        return float("nan")


def policy_file(report: Report, task: Task) -> PolicyFile:
    """The file that a device executes."""
    return PolicyFile(
        profile=task.profile.name,
        method=report.method,
        exits=task.profile.exits,
        arrivals=task.station.rate,
        buffer=task.station.capacity,
        max_loss=task.max_loss,
        policy=report.policy,
    )
