"""How a device executes a policy file: the whole of it, 40 lines of plain Python.

``device = Device(json.load(file)["policy"])``; per arrival ``device.arrived(gap)`` with the seconds since the one
before; per service ``device.start(jobs, draw)`` with the jobs present and a number drawn from [0, 1), then
``device.leaves(exit, confidence)`` after each classifier that ``device.runs(exit)``, until it says True.
"""

# ruff: noqa: D101, D102
from bisect import bisect_left, bisect_right
from itertools import accumulate
from math import inf, log, sqrt
from typing import Any


class Device:
    def __init__(self, policy: dict[str, Any]) -> None:
        self.p, self.kind, self.gap, self.edge = policy, policy["kind"], policy.get("start", 1.0), 0.0
        self.n, self.total = ([zero for _ in policy.get("arms", ())] for zero in (0, 0.0))
        self.seen: list[tuple[float, float, int]] = []

    def arrived(self, gap: float) -> None:
        self.gap += self.p.get("memory", 0.0) * (gap - self.gap)

    def start(self, jobs: int, draw: float) -> None:
        if self.kind == "bandit":
            bonus = [inf if n == 0 else self.p["exploration"] * sqrt(log(len(self.seen)) / n) for n in self.n]
            worth = [inf if n == 0 else t / n + b for t, n, b in zip(self.total, self.n, bonus, strict=True)]
            self.arm = worth.index(max(worth))
        elif self.kind != "thresholds":
            rates = self.p.get("rates", [inf])
            tables = self.p.get("tables") or [self.p["probabilities"]]
            rows = tables[min(bisect_left(rates, 1.0 / self.gap), len(rates) - 1)]
            row = rows[min(jobs, len(rows)) - 1]
            self.goal = min(bisect_right(list(accumulate(row)), draw), len(row) - 1)

    def runs(self, exit: int) -> bool:
        if self.kind == "thresholds":
            return bool(self.p["thresholds"][exit] <= 1.0)
        return exit in (self.p["edge"], self.p["exits"] - 1) if self.kind == "bandit" else exit == self.goal

    def leaves(self, exit: int, confidence: float) -> bool:
        if self.kind != "bandit":
            return self.kind != "thresholds" or bool(confidence >= self.p["thresholds"][exit])
        self.edge = confidence if exit == self.p["edge"] else self.edge
        if exit == self.p["edge"] and confidence < self.p["arms"][self.arm]:
            return False
        self.seen.append((self.edge, -1.0 if exit == self.p["edge"] else max(confidence - self.edge, 0.0), self.arm))
        old = [(self.seen.pop(0), -1)] if 0 < self.p["window"] < len(self.seen) else []
        for job, sign in [(self.seen[-1], 1), *old]:
            for arm, threshold in enumerate(self.p["arms"]):
                if arm == job[2] or (self.p["side"] and arm < job[2]):
                    self.n[arm] += sign
                    self.total[arm] += sign * (job[1] - self.p["overhead"]) if threshold > job[0] else 0.0
        return True
