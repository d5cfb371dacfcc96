"""The result of judging a plan: one check per limit, and the words for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from placer.instance import units

Status = Literal["ok", "violated", "skipped", "undecided", "waived"]
Kind = Literal[
    "placement",
    "stale",
    "fragments",
    "runs",
    "allowed",
    "privacy",
    "range",
    "memory",
    "flash",
    "layers",
    "compute",
    "utilisation",
    "airtime",
    "deadline",
    "deadline_p95",
    "max_loss",
    "min_accuracy",
]

RELATIVE_TOLERANCE = 1e-7
"""A limit is kept when it is exceeded by less than this fraction: what solvers and rounding leave."""

_SHOW: dict[str, Callable[[float], str]] = {
    "B": units.show_bytes,
    "s": units.show_seconds,
    "MAC": units.show_macs,
    "1": units.show_fraction,
    "": lambda value: f"{value:g}",
}


@dataclass(frozen=True)
class Check:
    """One limit, judged.

    Attributes:
        kind: which limit.
        subject: the device, service or layer that it concerns, in the user's names.
        status: ``ok``, ``violated``, ``skipped`` (with the reason in ``message``) or ``undecided``.
        message: one sentence.
        actual: what is; None when it is not a number.
        limit: what is allowed; None when it is not a number.
        unit: unit of both: B, s, MAC, 1 (a fraction) or empty.
        evaluator: who judged it: ``exact`` or an evaluator's name.
    """

    kind: Kind
    subject: str
    status: Status
    message: str
    actual: float | None = None
    limit: float | None = None
    unit: str = ""
    evaluator: str = "exact"

    @property
    def excess(self) -> float | None:
        """By how much the limit is missed; negative when it is kept."""
        if self.actual is None or self.limit is None:
            return None
        return self.limit - self.actual if self.kind == "min_accuracy" else self.actual - self.limit


def limit_check(
    kind: Kind, subject: str, what: str, actual: float, limit: float, unit: str, evaluator: str = "exact"
) -> Check:
    """Judge ``actual <= limit`` and say it with both figures and the excess."""
    show = _SHOW[unit]
    slack = RELATIVE_TOLERANCE * max(abs(limit), 1e-12)
    if actual <= limit + slack:
        message = f"{what}: {show(actual)} of {show(limit)}"
        return Check(kind, subject, "ok", message, actual, limit, unit, evaluator)
    message = f"{what}: {show(actual)}, allowed {show(limit)}, {show(actual - limit)} too much"
    return Check(kind, subject, "violated", message, actual, limit, unit, evaluator)
