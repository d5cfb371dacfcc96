"""The whole answer to a request, within its time limit: the plan, what stands beside it, what was assumed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from placer.errors import InfeasibleError, UnansweredError
from placer.evaluation.assumptions import assumptions
from placer.evaluation.evaluation import Evaluation
from placer.instance.compiled import Compiled
from placer.plan.plan import Plan
from placer.planning.methods import DETERMINISTIC
from placer.planning.outcome import Baseline, Outcome
from placer.planning.registry import plan, planner, resolve
from placer.planning.request import SHARE_OF_VERDICT, Request
from placer.planning.whole import whole_baselines
from placer.solver.countdown import Countdown
from placer.solver.progress import Limits, Listener

if TYPE_CHECKING:
    from placer.planning.loss.outlook import Outlook

SHARE_OF_BASELINES, LONGEST_BASELINE = 0.1, 20.0
"""Of the time limit: for the plan of least latency beside a plan for little loss, or for services kept whole."""

SHARE_OF_EVALUATION, LONGEST_EVALUATION = 0.02, 0.5
"""Of the time limit, kept for the evaluation of the plan."""


@dataclass(frozen=True)
class Answer:
    """A plan with what a reader needs to judge it.

    Attributes:
        compiled: the instance.
        request: what was asked, defaults filled in.
        outcome: the plan, its placement and its evaluation, which is the one that ``placer check`` makes.
        baselines: what people would try first, judged like the plan.
        assumed: the assumed figures that the plan rests on, a line each.
        seconds: wall time of all of it.
        scenarios: what the plan does in each scenario that was asked for.
    """

    compiled: Compiled
    request: Request
    outcome: Outcome
    baselines: tuple[Baseline, ...]
    assumed: tuple[str, ...]
    seconds: float
    scenarios: tuple[Outlook, ...] = ()

    @property
    def plan(self) -> Plan:
        """The plan."""
        return self.outcome.plan

    @property
    def evaluation(self) -> Evaluation:
        """Its evaluation."""
        return self.outcome.evaluation

    def __repr__(self) -> str:
        values = ", ".join(f"{one.name} {one.value:.6g} {one.unit}" for one in self.plan.certificate.objectives)
        broken, open_ = len(self.evaluation.violations), len(self.evaluation.undecided)
        kept = f"{broken} limits violated" if broken else f"{open_} limits undecided" if open_ else "feasible"
        ended = f"{self.plan.certificate.method}, {self.plan.certificate.termination}"
        return f"<Answer for {self.compiled.instance.name}: {values}, {kept} ({ended}, {self.seconds:.2f} s)>"


def answer(
    compiled: Compiled,
    request: Request | None = None,
    listener: Listener | None = None,
    keep: Callable[[Outcome], None] | None = None,
) -> Answer:
    """Plan, and put baselines beside the plan; the time limit holds for all of it.

    Args:
        compiled: the instance.
        request: how.
        listener: told of progress.
        keep: gets the outcome as soon as it is there.

    Raises:
        InputError: for what the instance, the method or the planner refuses.
        InfeasibleError: when no placement satisfies the instance (proven).
        UnansweredError: when the limits ended the search before any placement was found.
    """
    countdown = (request or Request()).limits.start()
    request = resolve(compiled, request or Request())
    objective = request.objectives[0]
    beside: list[Baseline] = []
    if objective not in DETERMINISTIC:
        beside = blind_baselines(compiled, request, countdown)
    planning = countdown.until(_reserve(compiled, request))
    outcome = plan(compiled, replace(request, limits=request.limits.within(planning)), listener)
    if keep is not None:
        keep(outcome)
    if objective in DETERMINISTIC:
        world = compiled.by_energy() if objective == "energy" else compiled
        beside = whole_baselines(world, objective, countdown, replace(request, path=None))
    assumed = tuple(assumptions(compiled, outcome.placement, outcome.evaluation.carriers))
    seen: tuple[Outlook, ...] = ()
    if request.scenarios:
        from placer.planning.loss.outlook import outlooks  # only who has scenarios needs it

        seen = tuple(outlooks(compiled, outcome, request.scenarios))
    return Answer(compiled, request, outcome, tuple(beside), assumed, countdown.spent, seen)


def _reserve(compiled: Compiled, request: Request) -> float:
    """Seconds of the time limit that are not the planner's: for the evaluation, baselines that follow, the verdict."""
    seconds = request.limits.seconds
    reserve = min(SHARE_OF_EVALUATION * seconds, LONGEST_EVALUATION)
    if request.objectives[0] in DETERMINISTIC:
        reserve += min(SHARE_OF_BASELINES * seconds, LONGEST_EVALUATION)
    if request.by == "verdict" and any(
        service.arrivals is not None
        and (service.max_loss is not None or service.deadline is not None or service.deadline_p95 is not None)
        for service in compiled.instance.services
    ):
        reserve += SHARE_OF_VERDICT * seconds
    return reserve


def blind_baselines(compiled: Compiled, request: Request, countdown: Countdown) -> list[Baseline]:
    """What stands beside a plan for little loss or accuracy: layers dealt out in turn, the plan of least latency.

    Args:
        compiled: the instance.
        request: of the whole answer.
        countdown: what is left of it.
    """
    part = countdown.part(SHARE_OF_BASELINES, LONGEST_BASELINE)
    limits = request.limits
    asked = Request(
        ("latency",), limits=Limits(threads=limits.threads, seed=limits.seed, now=limits.now), by=request.by
    )
    titles = {"round-robin": "round robin", "min-latency": "least latency (ILP)"}
    result = []
    for method, title in titles.items():
        key = method.replace("-", "_")
        try:
            own = replace(asked, method=method, limits=asked.limits.within(part))
            result.append(Baseline(key, title, planner(method)(compiled, own, None)))
        except (InfeasibleError, UnansweredError) as error:
            result.append(Baseline(key, title, None, error.message))
    return result
