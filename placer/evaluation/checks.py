"""The result of judging a plan: one check per limit, and the words for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from placer.instance import units

Status = Literal["ok", "violated", "skipped", "undecided", "waived"]
Kind = Literal[
    "instance",
    "placement",
    "stale",
    "fragments",
    "runs",
    "allowed",
    "privacy",
    "range",
    "max_devices",
    "max_fragments",
    "contiguous",
    "memory",
    "flash",
    "layers",
    "compute",
    "utilisation",
    "airtime",
    "link",
    "stability",
    "deadline",
    "deadline_p95",
    "max_loss",
    "min_accuracy",
]

RELATIVE_TOLERANCE = 1e-7
"""A limit is kept when it is exceeded by less than this fraction: what solvers and rounding leave."""

LEAST_SCALE, LARGEST_EXCESS = 1e-6, 1e12
"""An excess is relative to the limit, or to this where the limit is smaller, and at most so large."""

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
        """By how much the limit is missed, in its unit; negative when it is kept."""
        if self.actual is None or self.limit is None:
            return None
        return self.limit - self.actual if self.kind == "min_accuracy" else self.actual - self.limit

    @property
    def relative_excess(self) -> float:
        """How badly the limit is broken, see :func:`excess_of`; 1 for what has no size, 0 when it is not violated."""
        if self.status != "violated":
            return 0.0
        if self.actual is None or self.limit is None or self.kind == "placement":
            return 1.0
        sign = -1.0 if self.kind == "min_accuracy" else 1.0
        return float(excess_of(sign * self.actual, sign * self.limit))


def exit_code(checks: Iterable[Check]) -> int:
    """How a command ends that asked whether limits are kept: 0 yes, 1 no, 3 when it is not decided."""
    seen = {check.status for check in checks}
    return 1 if "violated" in seen else 3 if "undecided" in seen else 0


def excess_of(actual: ArrayLike, limit: ArrayLike) -> NDArray[np.float64]:
    """How badly upper limits are broken, relative to each; 0 where ``actual <= limit`` within rounding.

    The one measure of it: the evaluation sums it over its checks, searches over the limits that they look at. A lower
    limit is the upper one of the negatives. Shapes are those of the arguments, broadcast; NaN counts as broken beyond
    measure, an infinite limit as none.
    """
    value, most = np.asarray(actual, dtype=float), np.asarray(limit, dtype=float)
    with np.errstate(invalid="ignore"):
        kept = value <= most + RELATIVE_TOLERANCE * np.maximum(np.abs(most), 1e-12)
    return np.where(kept, 0.0, np.nan_to_num(beyond(value, most), nan=LARGEST_EXCESS))


def beyond(actual: ArrayLike, limit: ArrayLike) -> NDArray[np.float64]:
    """What upper limits are exceeded by, relative to each, negative when kept: the slope behind :func:`excess_of`."""
    value, most = np.asarray(actual, dtype=float), np.asarray(limit, dtype=float)
    with np.errstate(invalid="ignore", over="ignore"):
        over = (value - most) / np.maximum(np.abs(most), LEAST_SCALE)
    return np.asarray(np.minimum(over, LARGEST_EXCESS))


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
