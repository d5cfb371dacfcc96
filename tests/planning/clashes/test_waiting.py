"""What ``explain`` says of limits under random arrivals must be what ``plan`` finds: the kind of ``site/two.yaml``."""

from __future__ import annotations

from typing import Any

import pytest

from placer.errors import InfeasibleError
from placer.instance.compiled import Compiled
from placer.planning.answer import answer
from placer.planning.explain import explain
from placer.planning.request import Request
from placer.solver.progress import Limits
from tests.instance.build import board, chain, compiled_from


def camera(rate: float, **limits: Any) -> Compiled:
    """One board that needs 76.34 ms a request and holds 3 of them."""
    model = chain(1)
    model["layers"] = ({"name": "l0", "compute": 76.34e6, "output": 1.0},)
    devices = [{"name": "cam", "type": "board", "buffer": 3}]
    service = {"name": "detect", "model": "net", "source": "cam", "arrivals": {"rate": rate}, **limits}
    return compiled_from(devices, [service], models={"net": model}, types={"board": board()})


def plans(compiled: Compiled) -> bool:
    """Whether ``plan`` finds that all limits are kept."""
    try:
        return answer(compiled, Request(limits=Limits(3.0), confirm=False)).evaluation.feasible
    except InfeasibleError:
        return False


@pytest.mark.parametrize(
    ("rate", "limits", "clash"),
    [
        (10.0, {"max_loss": 0.01, "deadline": 0.08}, ("max_loss", "detect")),  # 9.14 % lost, 124.1 ms
        (20.0, {"max_loss": 0.01, "deadline": 3.0}, ("max_loss", "detect")),  # more than a third is lost
        (10.0, {"deadline": 0.08}, ("deadline", "detect")),
        (10.0, {"max_loss": 0.1, "deadline": 0.13}, None),
    ],
)
def test_explain_and_plan_agree(rate: float, limits: dict[str, float], clash: tuple[str, str] | None) -> None:
    compiled = camera(rate, **limits)
    found = explain(compiled, Limits(20.0))
    assert found.feasible == (clash is None) == plans(compiled)
    assert found.clash == (() if clash is None else (clash,))


def test_a_printed_repair_repairs() -> None:
    found = explain(camera(10.0, deadline=0.08), Limits(20.0))
    assert found.repairs == ("allow service detect 124.2 ms (now 80 ms)",)
    assert explain(camera(10.0, deadline=0.1242), Limits(20.0)).feasible
    both = explain(camera(10.0, deadline=0.08, max_loss=0.01), Limits(20.0))
    assert both.repairs == ()  # the other limit stays broken
