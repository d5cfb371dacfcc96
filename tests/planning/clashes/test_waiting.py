"""What ``explain`` says of limits under random arrivals must be what ``plan`` finds: the kind of ``site/two.yaml``."""

from __future__ import annotations

from typing import Any

import pytest

from placer.errors import InfeasibleError
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.resolving import read_instance
from placer.instance.units import RATE
from placer.planning.answer import answer
from placer.planning.clashes.changes import READ, with_service
from placer.planning.explain import explain
from placer.planning.request import Request
from placer.solver.progress import Limits
from tests.instance.build import board, chain, compiled_from


def camera(rate: float, **limits: Any) -> Compiled:
    """One board that needs 76.34 ms a request and holds 3 of them."""
    model = chain(1)
    model["layers"] = ({"name": "l0", "compute": 76.34e6, "output": 1.0, "weights": 1e6},)
    devices = [{"name": "cam", "type": "board", "buffer": limits.pop("buffer", 3)}]
    if "memory" in limits:
        devices[0]["memory"] = limits.pop("memory")
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
        pytest.param(
            *(20.0, {"max_loss": 0.01, "deadline": 3.0}, ("max_loss", "detect")),  # more than a third is lost
            marks=pytest.mark.slow,
        ),
        pytest.param(10.0, {"deadline": 0.08}, ("deadline", "detect"), marks=pytest.mark.slow),
        (10.0, {"max_loss": 0.1, "deadline": 0.13}, None),
    ],
)
def test_explain_and_plan_agree(rate: float, limits: dict[str, float], clash: tuple[str, str] | None) -> None:
    compiled = camera(rate, **limits)
    found = explain(compiled, Limits(3.0))
    assert found.feasible == (clash is None) == plans(compiled)
    assert found.clash == (() if clash is None else (clash,))


@pytest.mark.parametrize(
    "limits",
    [
        {"max_loss": 0.01},
        pytest.param({"deadline": 0.08}, marks=pytest.mark.slow),
        pytest.param({"deadline_p95": 0.2}, marks=pytest.mark.slow),
    ],
)
def test_what_repairs_a_limit_under_random_arrivals(limits: dict[str, float]) -> None:
    """The limit itself, fewer requests, room, servers or speed: every printed figure is enough by the verdict."""
    found = explain(camera(10.0, **limits), Limits(8.0 if "max_loss" in limits else 20.0))
    (kind,) = limits
    assert found.clash == ((kind, "detect"),)
    edits = {edit.path: edit.value for edits in found.edits for edit in edits}
    assert {f"services.detect.{kind}", "services.detect.arrivals"} <= edits.keys()
    assert "devices.cam.cores" in edits or "cores of cam" in found.unfinished
    figure = READ["1" if kind == "max_loss" else "s"].parse(edits[f"services.detect.{kind}"])
    exact = {"deadline": 0.12420, "max_loss": 0.09141, "deadline_p95": 0.21280}[kind]  # M/D/1/3, ρ = .7634
    assert exact < figure < 1.06 * exact
    assert plans(camera(10.0, **{kind: figure}))
    rate = RATE.parse(edits["services.detect.arrivals"])
    assert rate < 10.0
    assert plans(camera(rate, **limits))
    if kind != "deadline_p95":
        assert "76.34 % of what it can do arrives" in found.sentences[0]


def test_a_single_change_is_printed_only_where_it_is_enough() -> None:
    """Each of the two limits is broken: raising one leaves the other."""
    found = explain(camera(10.0, deadline=0.08, max_loss=0.01), Limits(6.0))
    paths = {edit.path for edits in found.edits for edit in edits}
    assert paths
    assert not paths & {"services.detect.deadline", "services.detect.max_loss"}


def test_more_work_than_a_station_can_do_is_a_clash() -> None:
    """No buffer limit and a load of 153 %: nothing is lost, and the queue grows without end."""
    found = explain(camera(20.0, max_loss=0.5, buffer=None), Limits(6.0))
    assert found.clash == (("stability", "cam"),)
    paths = {edit.path for edits in found.edits for edit in edits}
    assert {"devices.cam.servers", "services.detect.arrivals"} <= paths


def test_a_limit_that_holds_without_waiting_is_repaired_with_it() -> None:
    """Memory clashes, and the larger memory must keep the limit on loss too: it does not, and is not printed."""
    tight = camera(10.0, max_loss=0.01, memory=0.5e6)
    found = explain(tight, Limits(15.0))
    assert found.clash == (("memory", "cam"),)
    assert found.repairs == ()
    loose = explain(camera(10.0, max_loss=0.2, memory=0.5e6), Limits(15.0))
    assert [edit.path for edits in loose.edits for edit in edits] == ["devices.cam.memory"]


@pytest.mark.slow
def test_accuracy_and_loss_of_chosen_exits_clash() -> None:
    """All requests to the end are too many for the boards, and less accurate at the first exit."""
    instance = read_instance("choose-exits")
    (service,) = instance.services
    made = with_service(instance, service.name, min_accuracy=0.8)
    found = explain(compile_instance(made), Limits(60.0))
    assert {kind for kind, _ in found.clash} == {"min_accuracy", "max_loss"}
    assert "a search found, not proven" in found.unfinished
    edits = {edit.path: edit.value for edits in found.edits for edit in edits}
    if "services.looks.min_accuracy" not in edits:  # a busy machine
        assert "min_accuracy of looks" in found.unfinished
        return
    lower = float(edits["services.looks.min_accuracy"])  # type: ignore[arg-type]
    assert 0.7 < lower < 0.8
    kept = compile_instance(with_service(instance, service.name, min_accuracy=lower))
    assert explain(kept, Limits(60.0)).feasible
