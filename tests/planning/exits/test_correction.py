"""Limits on loss that the analytic evaluator is held to: corrected both ways by what a simulation sees."""

from __future__ import annotations

import numpy as np
import pytest

from placer.bench.exits.instances import generate
from placer.bench.exits.used import rows
from placer.planning.exits.correction import Corrected, observed
from placer.planning.exits.shares import Judge
from placer.planning.loss.enumeration import placements
from placer.simulation.statistics import Estimate
from placer.solver.countdown import Countdown


def corrected(ratio: float, half: float = 0.0) -> Corrected:
    """An answer that really loses ``ratio`` times what the analytic evaluator says."""
    judge = Judge(generate(3, services=1, devices=2))
    point = judge.judge([(next(iter(placements(judge.base))), judge.default)])[0]
    point.losses[0] = 0.01

    def estimate(mean: float) -> Estimate:
        width = np.array([half * mean])
        return Estimate(np.array([mean]), width, width, np.array([24.0]), 0.95)

    return Corrected(point, judge, estimate(0.01 * ratio), estimate(0.01 * ratio), 24, np.array([0.01]))


@pytest.mark.parametrize("ratio", [0.5, 0.9, 1.0, 1.8])
def test_a_limit_is_moved_by_what_the_evaluator_is_wrong(ratio: float) -> None:
    factors = corrected(ratio).factors(tighten_only=False)
    assert factors[0] * ratio == pytest.approx(0.96)  # the true loss at the new limit, as a part of the stated one
    assert corrected(ratio).factors(tighten_only=True)[0] == min(factors[0], 1.0)


def test_a_vague_simulation_keeps_more_distance_and_moves_little() -> None:
    assert corrected(1.0, 0.08).factors(tighten_only=False)[0] == pytest.approx(0.92)
    assert corrected(1.0, 0.5).factors(tighten_only=False)[0] == pytest.approx(0.9)
    assert corrected(1e-6).factors(tighten_only=False)[0] == pytest.approx(4.0)


def test_what_is_broken_or_unused_is_not_settled() -> None:
    for one, done in ((corrected(0.5), False), (corrected(0.95), True), (corrected(1.2), False)):
        assert one.settled(one.factors(tighten_only=False)) is done


def test_no_time_no_word() -> None:
    judge = Judge(generate(3, services=1, devices=2))
    point = judge.judge([(next(iter(placements(judge.base))), judge.default)])[0]
    assert observed(judge, point, 0, Countdown.of(0.0)) is None


@pytest.mark.slow
def test_limits_are_nearly_used_up() -> None:
    """`placer bench exits --method used`: between 90 and 100 % of the limit, and never less accurate."""
    *found, last = rows(4, 1.0, 0)
    assert all(
        0.9 - row["interval"] <= row["part_of_the_limit_used"] <= 1.0 for row in found if row["method"] == "verdict"
    )
    assert min(last["figures"]["accuracy_gained"]) >= -1e-4
