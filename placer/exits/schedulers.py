"""The schedulers by name: each makes a policy from a task. Every figure of one is worked out in ``report.py``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from placer.errors import InputError
from placer.exits import adaee, knapsack, queueing_lp, semi_markov, tpe, tuning
from placer.exits.policy import AnyPolicy, RateTablePolicy, TablePolicy, ThresholdPolicy
from placer.exits.profile import Profile
from placer.exits.simulate import Adapt
from placer.exits.station import Station, single
from placer.exits.thresholds import Costs
from placer.instance.reading import unknown
from placer.queueing.network import Floats

MEMORY = 0.02
"""Weight of a new gap in the estimate of the arrivals: about the last fifty count."""
REFRESH = 5000
"""Offered jobs between two refreshes of the online variants."""


@dataclass(frozen=True)
class Task:
    """What a scheduler is asked.

    Attributes:
        profile: what it plans with: with a table, accuracies of the calibration split.
        station: arrivals and room.
        max_loss: Lmax.
        seed: of whatever it draws.
        head: which of the knapsack's exits the head of the queue takes.
        room: 0: the knapsack counts K - n free places, 1: K - n + 1.
        evaluations: trials of TPE.
        edge: exit whose threshold AdaEE learns; None: the one nearest to half of the last one's time.
        overhead: of going on, for AdaEE, in units of confidence.
        window: jobs that AdaEE remembers; 0: all.
    """

    profile: Profile
    station: Station
    max_loss: float
    seed: int = 0
    head: knapsack.Head = "random"
    room: int = 0
    evaluations: int = 150
    edge: int | None = None
    overhead: float = 0.1
    window: int = 0


@dataclass(frozen=True)
class Made:
    """What a scheduler made.

    Attributes:
        policy: what a device executes.
        adapt: how the device refreshes it while it runs, or None.
        notes: what the search says of itself: gaps, evaluations.
        iid: shares of the exits when every job draws its exit alike (then the two-moment formula applies), (L,).
    """

    policy: AnyPolicy
    adapt: Adapt | None = None
    notes: dict[str, float] = field(default_factory=dict)
    iid: Floats | None = None


def as_rows(table: Floats) -> tuple[tuple[float, ...], ...]:
    """A table as plain numbers; rows sum to 1 within rounding."""
    return tuple(map(tuple, (table / table.sum(axis=1, keepdims=True)).tolist()))


def _shares(answer: queueing_lp.Shares, states: int) -> TablePolicy:
    return TablePolicy(probabilities=as_rows(single(answer.probabilities, states)[:1]))


def _notes(answer: queueing_lp.Shares) -> dict[str, float]:
    return {"gap": answer.gap, "programs": answer.programs, "limit": answer.limit}


def _queueing(task: Task) -> Made:
    answer = queueing_lp.solve(task.profile, task.station, task.max_loss)
    return Made(_shares(answer, task.station.states), notes=_notes(answer), iid=answer.probabilities)


def _queueing_exact(task: Task) -> Made:
    answer = queueing_lp.solve_exact(task.profile, task.station, task.max_loss)
    return Made(_shares(answer, task.station.states), notes=_notes(answer), iid=answer.probabilities)


def _queueing_confidence(task: Task) -> Made:
    def policy(confidence: Floats) -> TablePolicy:
        return _shares(queueing_lp.solve(_valued(task.profile, confidence), task.station, task.max_loss, gap=1e-4), 1)

    answer = queueing_lp.solve(_valued(task.profile, _confidence(task)), task.station, task.max_loss)
    return Made(_shares(answer, 1), Adapt(REFRESH, policy), {"programs": answer.programs})


def _knapsack(task: Task) -> Made:
    profile, station = task.profile, task.station
    table = knapsack.table(profile.accuracy, profile.mean, station, head=task.head, room=task.room)
    return Made(TablePolicy(probabilities=as_rows(table)))


def _rate_policy(task: Task, worth: Floats, points: int) -> RateTablePolicy:
    station = task.station
    rates = knapsack.rate_grid(station.rate, points)
    tables = knapsack.rate_tables(worth, task.profile.mean, station, rates, head=task.head, room=task.room)
    return RateTablePolicy(
        rates=tuple(rates.tolist()), memory=MEMORY, start=1.0 / station.rate, tables=tuple(map(as_rows, tables))
    )


def _knapsack_moving(task: Task) -> Made:
    return Made(_rate_policy(task, task.profile.accuracy, 48))


def _knapsack_confidence(task: Task) -> Made:
    start = _rate_policy(task, _confidence(task), 12)
    return Made(start, Adapt(REFRESH, lambda confidence: _rate_policy(task, confidence, 12)))


def _semi_markov(task: Task) -> Made:
    optimum = semi_markov.solve(task.profile, task.station, task.max_loss)
    return Made(TablePolicy(probabilities=as_rows(optimum.probabilities)), notes={"planned_accuracy": optimum.accuracy})


def _thresholds(task: Task) -> Made:
    samples, costs = task.profile.split("calibration"), Costs.of(task.profile)
    tuned = tuning.tune_safely(samples, costs, task.station, task.max_loss, seed=task.seed)
    return _tuned(tuned)


def _thresholds_tpe(task: Task) -> Made:
    samples, costs = task.profile.split("calibration"), Costs.of(task.profile)
    tuned = tpe.tune(samples, costs, task.station, task.max_loss, seed=task.seed, evaluations=task.evaluations)
    return _tuned(tuned)


def _tuned(tuned: tuning.Tuning) -> Made:
    notes = {
        "planned_accuracy": tuned.accuracy,
        "planned_loss": tuned.loss,
        "evaluations": tuned.evaluations,
        "limit": tuned.limit,
    }
    return Made(ThresholdPolicy(thresholds=tuple(tuned.thresholds.tolist())), notes=notes)


def _adaee(task: Task) -> Made:
    task.profile.split("calibration")  # it lives on confidences
    if task.edge is not None and not 0 <= task.edge < len(task.profile) - 1:
        raise InputError(f"the edge exit must be one of 1 … {len(task.profile) - 1}, got {task.edge + 1}")
    return Made(adaee.bandit(task.profile, edge=task.edge, overhead=task.overhead, window=task.window))


def _confidence(task: Task) -> Floats:
    task.profile.split("calibration")
    return task.profile.confidence


def _valued(profile: Profile, worth: Floats) -> Profile:
    return replace(profile, accuracy=worth)


@dataclass(frozen=True)
class Method:
    """A scheduler.

    Attributes:
        title: what it is, in a few words.
        make: from a task to a policy.
        table: whether it needs per-sample confidences.
        online: whether it learns from confidences while it runs.
        limits_loss: whether it aims at the loss limit.
    """

    title: str
    make: Callable[[Task], Made]
    table: bool = False
    online: bool = False
    limits_loss: bool = True


METHODS: dict[str, Method] = {
    "queueing": Method("shares by the queueing LP, certified", _queueing),
    "queueing-exact": Method("the same, corrected to the exact loss", _queueing_exact),
    "queueing-confidence": Method("the LP on confidences, solved again online", _queueing_confidence, True, True),
    "knapsack": Method("knapsack over the queue, rate known", _knapsack, limits_loss=False),
    "knapsack-moving": Method("the same, rate by moving average", _knapsack_moving, limits_loss=False),
    "knapsack-confidence": Method(
        "the same on observed confidences", _knapsack_confidence, table=True, online=True, limits_loss=False
    ),
    "semi-markov": Method("best single-exit policy by queue length", _semi_markov),
    "thresholds": Method("confidence thresholds, coordinate ascent", _thresholds, True),
    "thresholds-tpe": Method("confidence thresholds, TPE (extra tune)", _thresholds_tpe, True),
    "adaee": Method("one threshold learned by a bandit", _adaee, True, True, limits_loss=False),
}


def make(name: str, task: Task) -> Made:
    """Run a scheduler.

    Raises:
        InputError: unknown, or the profile lacks what it needs.
        InfeasibleError: it cannot keep the loss limit.
    """
    if name not in METHODS:
        raise InputError(unknown("method", name, list(METHODS)))
    return METHODS[name].make(task)
