"""Who decides a limit on loss or response time: the analytic evaluator where it leaves no doubt, else simulation.

The analytic evaluator decides where the limit lies outside its measured band (:mod:`placer.evaluation.bands`). What is
in doubt is simulated until the limit lies outside an interval that holds at all looks at once
(:func:`placer.simulation.sequential.decide`); what that leaves open is undecided. Each check names who decided it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from placer.evaluation.bands import LOSS, RESPONSE, band
from placer.evaluation.checks import Check, Kind, Status, limit_check
from placer.evaluation.evaluation import Evaluation, ServiceTimes
from placer.evaluation.queues import Labelled
from placer.evaluation.runs import Effort
from placer.instance.compiled import Compiled
from placer.instance.units import show_fraction, show_seconds

if TYPE_CHECKING:  # the simulator is loaded when a limit is in doubt
    from placer.simulation.decision import Decided, Limit

WORDS: dict[Kind, str] = {
    "max_loss": "loss ratio",
    "deadline": "mean response time",
    "deadline_p95": "95th percentile of the response time",
}
MEASURES: dict[Kind, str] = {"max_loss": "LOSS", "deadline": "MEAN", "deadline_p95": "PERCENTILE"}
STATUS: dict[str, Status] = {"kept": "ok", "broken": "violated", "undecided": "undecided"}


@dataclass(frozen=True)
class _Open:
    """A limit that the analytic evaluator may not decide."""

    kind: Kind
    owner: int
    limit: float


def decided(compiled: Compiled, labelled: Labelled, judged: Evaluation, effort: Effort) -> Evaluation:
    """Return an analytic evaluation with every limit in doubt decided by simulation.

    Args:
        compiled: the instance.
        labelled: the queueing network of the answer.
        judged: its analytic evaluation.
        effort: how much may be simulated.
    """
    open_ = list(_open_limits(compiled, labelled, judged.times))
    if not open_:
        return judged
    from placer.simulation.executors import open_executor
    from placer.simulation.sequential import decide

    limits = [_engine_limit(labelled, one) for one in open_]
    with open_executor() as pool:
        ended = decide(
            labelled.network,
            limits,
            error=effort.error,
            events=effort.events,
            seconds=effort.seconds,
            seed=effort.seed,
            executor=pool,
        )
    checks = [_check(labelled, one, found) for one, found in zip(open_, ended.limits, strict=True)]
    replaced = {(check.kind, check.subject) for check in checks}
    kept = [check for check in judged.checks if (check.kind, check.subject) not in replaced]
    return replace(
        judged,
        evaluator="analytic and simulation",
        times=_seen(labelled, judged.times, checks),
        checks=(*kept, *checks),
    )


def _open_limits(compiled: Compiled, labelled: Labelled, times: Sequence[ServiceTimes]) -> list[_Open]:
    services = {service.name: service for service in compiled.instance.services}
    found: list[_Open] = []
    for owner, one in enumerate(times):
        service = services[one.name]
        for kind, limit, measure, predicted in (
            ("max_loss", service.max_loss, LOSS, one.loss_ratio),
            ("deadline", service.deadline, RESPONSE, one.response_time),
        ):
            if limit is None or not math.isfinite(predicted):
                continue  # an infinite response time is certain: the queue grows without end
            known = band(labelled.network, owner, measure, predicted)
            if known is None or known.doubts(predicted, limit):
                found.append(_Open(kind, owner, limit))  # type: ignore[arg-type]
        if service.deadline_p95 is not None:
            found.append(_Open("deadline_p95", owner, service.deadline_p95))
    return found


def _engine_limit(labelled: Labelled, one: _Open) -> Limit:
    """The limit as the engine counts: what a rate limit at the source turns away never enters the network."""
    from placer.simulation.decision import Limit, Measure

    value = one.limit
    if one.kind == "max_loss":
        admitted = float(labelled.network.rates[one.owner] / labelled.offered[one.owner])
        value = max(1.0 - (1.0 - value) / admitted, 0.0)
    return Limit(Measure[MEASURES[one.kind]], one.owner, value)


def _check(labelled: Labelled, one: _Open, found: Decided) -> Check:
    name = labelled.services[one.owner]
    estimate, half = found.estimate, found.half_width
    if one.kind == "max_loss":
        admitted = float(labelled.network.rates[one.owner] / labelled.offered[one.owner])
        estimate, half = 1.0 - (1.0 - estimate) * admitted, half * admitted
    unit = "1" if one.kind == "max_loss" else "s"
    show = show_fraction if unit == "1" else show_seconds
    what = f"service {name}: {WORDS[one.kind]}"
    status = STATUS[str(found.status)]
    if status == "violated":
        return replace(limit_check(one.kind, name, what, estimate, one.limit, unit, "simulation"), status="violated")
    message = f"{what}: {show(estimate)} ± {show(half)} of {show(one.limit)}"
    if status == "undecided":
        message += ": undecided; " + (
            f"about {found.missing:.2g} more simulated events would decide it"
            if 0 < found.missing < float("inf")
            else "it is too close to the limit for any simulation"
        )
    return Check(one.kind, name, status, message, estimate, one.limit, unit, "simulation")


def _seen(labelled: Labelled, times: tuple[ServiceTimes, ...], checks: Sequence[Check]) -> tuple[ServiceTimes, ...]:
    """The times with the simulated figures where there are any, so that tables and checks say the same."""
    known = {(check.subject, check.kind): check.actual for check in checks}
    names: dict[Kind, str] = {"max_loss": "loss_ratio", "deadline": "response_time", "deadline_p95": "p95"}
    result = []
    for one in times:
        figures = {field: known[one.name, kind] for kind, field in names.items() if (one.name, kind) in known}
        result.append(replace(one, **figures))  # type: ignore[arg-type]
    return tuple(result)
