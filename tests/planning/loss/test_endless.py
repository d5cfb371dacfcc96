"""Queues without a bound: what is never done waits for ever and is not lost, and the bound says so."""

from __future__ import annotations

import pytest

from placer.errors import InfeasibleError
from placer.instance.compiled import Compiled
from placer.planning.loss.planner import plan_loss
from placer.planning.request import Request
from placer.solver.progress import Limits
from tests.instance.build import compiled_from


def endless(**service: object) -> Compiled:
    """One board without a buffer limit that gets twice the work it can do."""
    return compiled_from(
        [{"name": "a", "type": "board"}],
        [{"name": "s", "model": "net", "source": "a", "arrivals": {"rate": 2.0}, **service}],
    )


def test_the_bound_is_of_placements_whose_queues_do_not_grow() -> None:
    found = plan_loss(endless(), Request(("loss",), "loss", Limits(seconds=2.0), rounds=1))
    fluid = found.plan.certificate.bounds[0]
    assert fluid.value > 0.3
    assert fluid.holds_for == "every placement whose queues do not grow without end"
    assert [check.kind for check in found.evaluation.violations] == ["stability"]


def test_a_larger_limit_on_loss_is_no_repair() -> None:
    with pytest.raises(InfeasibleError, match="do not grow without end") as refused:
        plan_loss(endless(max_loss=0.1), Request(("loss",), "loss", Limits(seconds=2.0), rounds=1))
    assert "max_loss" not in str(refused.value.tip)
