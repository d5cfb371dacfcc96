"""A reference interpreter of policy files: what a device does with one. Copy this file; it needs nothing but Python.

A policy (``placer exits -o policy.json``) says at which exit of a network each job leaves. The device tells the
interpreter what happens, and asks it what to do::

    device = Device(json.load(file)["policy"])
    device.arrived(spacing)               # at every arrival: seconds since the one before
    device.start(jobs, draw)              # at every service: jobs present, and a number drawn from [0, 1)
    for exit in range(exits):             # while the backbone runs: exit by exit, 0 is the shallowest
        if device.runs(exit):             # whether the classifier there is run at all
            confidence = ...              # its largest probability
            if device.leaves(exit, confidence):
                break                     # the job leaves here with this classifier's answer

Four kinds of policy, a class each: by the number of jobs present, the same with a table per arrival rate, by
confidence thresholds, and a bandit that learns one threshold while it runs.
"""

from __future__ import annotations

from math import inf, log, sqrt
from typing import Any


class Device:
    """Executes a policy of any kind."""

    def __init__(self, policy: dict[str, Any]) -> None:
        kinds = {"table": ByQueue, "rate-table": ByQueueAndRate, "thresholds": ByConfidence, "bandit": Bandit}
        self.rule: Rule = kinds[policy["kind"]](policy)

    def arrived(self, spacing: float) -> None:
        """A job arrived, ``spacing`` seconds after the one before."""
        self.rule.arrived(spacing)

    def start(self, jobs: int, draw: float) -> None:
        """A job starts, ``jobs`` are present (itself included), ``draw`` is uniform in [0, 1)."""
        self.rule.start(jobs, draw)

    def runs(self, exit: int) -> bool:
        """Whether the classifier of an exit is run for the job in service."""
        return self.rule.runs(exit)

    def leaves(self, exit: int, confidence: float) -> bool:
        """Whether the job in service leaves at an exit whose classifier was run."""
        return self.rule.leaves(exit, confidence)


class Rule:
    """One kind of policy; what a kind does not look at is left out of its class."""

    def __init__(self, policy: dict[str, Any]) -> None:
        self.policy = policy

    def arrived(self, spacing: float) -> None:
        """See :class:`Device`."""

    def start(self, jobs: int, draw: float) -> None:
        """See :class:`Device`."""

    def runs(self, exit: int) -> bool:
        """See :class:`Device`."""
        raise NotImplementedError

    def leaves(self, exit: int, confidence: float) -> bool:
        """See :class:`Device`: where only the classifier of the chosen exit is run, everybody leaves there."""
        return True


class ByQueue(Rule):
    """The exit is drawn when a job starts, from the row of the number of jobs present."""

    chosen = 0

    def rows(self) -> list[list[float]]:
        """Row n - 1: probability of each exit with n jobs present; more jobs use the last row."""
        return self.policy["probabilities"]  # type: ignore[no-any-return]

    def start(self, jobs: int, draw: float) -> None:
        """Draw the exit: the first one at which the sum of the probabilities exceeds the draw."""
        rows = self.rows()
        row = rows[min(jobs, len(rows)) - 1]
        total = 0.0
        for exit, probability in enumerate(row):
            total += probability
            self.chosen = exit
            if draw < total:
                break

    def runs(self, exit: int) -> bool:
        """Only the classifier of the exit that was drawn."""
        return exit == self.chosen


class ByQueueAndRate(ByQueue):
    """The same with a table per arrival rate; the rate is estimated by a moving average of the times between jobs."""

    def __init__(self, policy: dict[str, Any]) -> None:
        super().__init__(policy)
        self.spacing: float = policy["start"]

    def arrived(self, spacing: float) -> None:
        """Let the average follow."""
        self.spacing += self.policy["memory"] * (spacing - self.spacing)

    def rows(self) -> list[list[float]]:
        """The table of the first rate that is not below the estimate; of the largest one beyond it."""
        rate = 1.0 / self.spacing
        for known, table in zip(self.policy["rates"], self.policy["tables"], strict=True):
            if rate <= known:
                return table  # type: ignore[no-any-return]
        return self.policy["tables"][-1]  # type: ignore[no-any-return]


class ByConfidence(Rule):
    """A job leaves at the first exit whose confidence reaches its threshold; one above 1 switches the exit off."""

    def runs(self, exit: int) -> bool:
        """Every classifier that is not switched off."""
        return bool(self.policy["thresholds"][exit] <= 1.0)

    def leaves(self, exit: int, confidence: float) -> bool:
        """Everybody leaves at the last exit, whose threshold is 0."""
        return bool(confidence >= self.policy["thresholds"][exit])


class Bandit(Rule):
    """AdaEE: one exit (the edge) before the last; its threshold is the arm with the largest upper confidence bound.

    A job that goes on shows what going on is worth: the confidence that it gains, less the overhead. A job that leaves
    at the edge has gained nothing; an arm is credited for the jobs that its threshold would have sent on.
    """

    def __init__(self, policy: dict[str, Any]) -> None:
        super().__init__(policy)
        self.arms: list[float] = policy["arms"]
        self.played = [0 for _ in self.arms]
        self.total = [0.0 for _ in self.arms]
        self.jobs: list[tuple[float, float, int]] = []  # confidence at the edge, gain (-1 where unknown), arm
        self.arm = 0
        self.at_edge = 0.0

    def start(self, jobs: int, draw: float) -> None:
        """Play the arm of the largest bound; one that was never played comes first."""
        bounds = []
        for played, total in zip(self.played, self.total, strict=True):
            if played == 0:
                bounds.append(inf)
            else:
                bounds.append(total / played + self.policy["exploration"] * sqrt(log(len(self.jobs)) / played))
        self.arm = bounds.index(max(bounds))

    def runs(self, exit: int) -> bool:
        """The edge and the last exit."""
        return exit in (self.policy["edge"], self.policy["exits"] - 1)

    def leaves(self, exit: int, confidence: float) -> bool:
        """At the edge by the threshold that is played; whoever leaves teaches."""
        if exit == self.policy["edge"]:
            self.at_edge = confidence
            if confidence < self.arms[self.arm]:
                return False
            self._learn(-1.0)
        else:
            self._learn(max(confidence - self.at_edge, 0.0))
        return True

    def _learn(self, gain: float) -> None:
        self.jobs.append((self.at_edge, gain, self.arm))
        self._count(self.jobs[-1], 1)
        if 0 < self.policy["window"] < len(self.jobs):
            self._count(self.jobs.pop(0), -1)

    def _count(self, job: tuple[float, float, int], sign: int) -> None:
        """Add a job to the statistics of the arms, or take it out again."""
        at_edge, gain, played = job
        for arm, threshold in enumerate(self.arms):
            # a job that was sent on shows what every lower threshold would have done too (side observations)
            if arm == played or (self.policy["side"] and arm < played):
                self.played[arm] += sign
                if threshold > at_edge:
                    self.total[arm] += sign * (gain - self.policy["overhead"])
