"""Plans: JSON round trips, and a plan that says something wrong is violated or refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placer.errors import InputError
from placer.evaluation.evaluate import Evaluation, evaluate
from placer.files import write_atomically
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from placer.plan.plan import (
    Certificate,
    Fragment,
    ObjectiveResult,
    Origin,
    Plan,
    ServicePlan,
    Transfer,
    dump_plan,
    make_plan,
    read_plan,
    to_placement,
)
from tests.evaluation.test_latency import placements
from tests.instance.build import chain, compiled_from
from tests.random_instances import random_instance

GIVEN = Certificate(method="given", termination="given", objectives=(), seconds=0.0, seed=0)
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)

PLANS = st.builds(
    Plan,
    version=NAMES,
    instance=st.builds(
        Origin, name=NAMES, path=st.none() | NAMES, hash=st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True)
    ),
    certificate=st.builds(
        Certificate,
        method=NAMES,
        termination=st.sampled_from(["optimal", "time-limit", "given"]),
        objectives=st.lists(
            st.builds(
                ObjectiveResult,
                name=NAMES,
                sense=st.sampled_from(["min", "max"]),
                value=NUMBERS,
                bound=st.none() | NUMBERS,
                gap=st.none(),
                unit=NAMES,
            ),
            max_size=2,
        ).map(tuple),
        seconds=NUMBERS,
        seed=st.integers(-(10**17), 10**17),
        options=st.dictionaries(NAMES, st.none() | NUMBERS | st.integers(-9, 9) | NAMES, max_size=3),
    ),
    services=st.lists(
        st.builds(
            ServicePlan,
            service=NAMES,
            alternative=NAMES,
            fragments=st.lists(
                st.builds(
                    Fragment, device=NAMES, unit=NAMES, layers=st.lists(NAMES, min_size=1, max_size=3).map(tuple)
                ),
                min_size=1,
                max_size=2,
            ).map(tuple),
            transfers=st.lists(
                st.builds(
                    Transfer,
                    tensor=NAMES,
                    after=st.none() | NAMES,
                    size=NUMBERS,
                    path=st.lists(NAMES, min_size=2, max_size=3).map(tuple),
                    technologies=st.lists(NAMES, max_size=2).map(tuple),
                ),
                max_size=2,
            ).map(tuple),
            exits=st.dictionaries(NAMES, NUMBERS, max_size=2),
        ),
        min_size=1,
        max_size=2,
    ).map(tuple),
)


@settings(max_examples=100)
@given(PLANS)
def test_round_trip(tmp_path: Path, plan: Plan) -> None:
    path = tmp_path / "plan.json"
    write_atomically(path, dump_plan(plan))
    assert json.loads(path.read_text(encoding="utf-8")) == plan.model_dump(mode="json")
    assert read_plan(path) == plan


@pytest.mark.parametrize("seed", range(40))
def test_a_plan_is_its_placement(seed: int) -> None:
    compiled = random_instance(seed, 10**6)
    for placement in placements(compiled, seed, 3):
        plan = make_plan(compiled, placement, GIVEN)
        assert to_placement(plan, compiled) == placement
        assert not [check for check in evaluate(plan, compiled).violations if check.kind in ("fragments", "placement")]


def small() -> tuple[Compiled, dict[str, Any]]:
    """Three devices in a row with a second radio between neighbours, and a plan that crosses them."""
    devices = [
        {"name": name, "type": "board", "position": (x, 0.0)} for name, x in (("a", 0.0), ("b", 5.0), ("c", 10.0))
    ]
    network = {
        "radios": ({"rate": 1e6, "range": 6.0}, {"rate": 1e4, "range": 6.0}),
        "links": ({"between": ("a", "c"), "rate": 1e3},),
    }
    model = chain(4, exits=({"after": "l0", "share": 0.25},))
    services = [{"name": "s", "model": "net", "source": "a"}]
    compiled = compiled_from(devices, services, models={"net": model}, network=network)
    plan = make_plan(compiled, Placement((0,), ((0, 0, 2, 2),)), GIVEN)
    return compiled, json.loads(dump_plan(plan))


def judged(compiled: Compiled, data: dict[str, Any]) -> Evaluation:
    return evaluate(Plan.model_validate(data), compiled)


def test_the_small_plan_is_feasible() -> None:
    compiled, data = small()
    result = judged(compiled, data)
    assert result.feasible
    (service,) = data["services"]
    assert [fragment["layers"] for fragment in service["fragments"]] == [["l0", "l1"], ["l2", "l3"]]
    assert [transfer["path"] for transfer in service["transfers"]] == [["a", "b", "c"], ["c", "b", "a"]]
    assert service["exits"] == {"l0": 0.25}


def test_its_own_routes_are_judged() -> None:
    compiled, data = small()
    fast = judged(compiled, data).services[0].latency
    transfer = data["services"][0]["transfers"][0]
    transfer["path"], transfer["technologies"] = ["a", "c"], ["link"]
    slow = judged(compiled, data)
    assert slow.feasible
    size = transfer["size"]
    assert slow.services[0].latency - fast == pytest.approx(0.75 * (size / 1e3 - 2 * size / 1e6))
    transfer["path"], transfer["technologies"] = ["a", "b", "c"], ["radio-1", "radio-2"]
    mixed = judged(compiled, data)
    assert mixed.services[0].latency - fast == pytest.approx(0.75 * (size / 1e4 - size / 1e6))


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        ({"path": ["a", "c"], "technologies": ["radio-1"]}, "a does not reach c by radio-1"),
        ({"path": ["a", "b", "c"], "technologies": ["radio-1"]}, "one technology per hop"),
        ({"path": ["a", "b", "c"], "technologies": ["radio-1", "lora"]}, "b does not reach c by lora"),
        ({"path": ["a", "x", "c"]}, "names something unknown"),
        ({"path": ["a", "b"], "technologies": ["radio-1"]}, "is not needed"),
        ({"path": ["a", "a", "b", "c"], "technologies": ["radio-1"] * 3}, "a does not reach a"),
        ({"tensor": "l9"}, "names something unknown"),
        ({"tensor": "l0"}, "is not needed"),
        ({"tensor": "input"}, "is not needed"),
        ({"tensor": "result", "after": "l1"}, "is not needed"),
        ({"size": 1.0}, "the model says"),
        ({"size": -1.0}, "the model says"),
    ],
)
def test_wrong_transfers_are_violations(change: dict[str, Any], fragment: str) -> None:
    compiled, data = small()
    data["services"][0]["transfers"][0].update(change)
    result = judged(compiled, data)
    assert not result.feasible
    assert any(fragment in check.message and check.kind == "range" for check in result.violations)


def test_missing_and_repeated_transfers() -> None:
    compiled, data = small()
    transfers = data["services"][0]["transfers"]
    transfers.append(dict(transfers[0]))
    assert any("is not needed" in check.message for check in judged(compiled, data).violations)
    data["services"][0]["transfers"] = transfers[1:2]
    messages = [check.message for check in judged(compiled, data).violations]
    assert messages == ["service s: no route is given for l1 from a to c"]


def test_wrong_fragments_are_violations() -> None:
    for change in (
        [["l0"], ["l1"], ["l2", "l3"]],
        [["l2", "l3"], ["l0", "l1"]],
        [["l1", "l0"], ["l2", "l3"]],
    ):
        compiled, data = small()
        data["services"][0]["fragments"] = [
            {"device": "a" if "l0" in layers or "l1" in layers else "c", "unit": "cpu", "layers": layers}
            for layers in change
        ]
        assert [check.kind for check in judged(compiled, data).violations] == ["fragments"]


@pytest.mark.parametrize("exits", [{}, {"l0": 0.5}, {"l1": 0.25}, {"l0": 0.25, "l1": 0.0}])
def test_wrong_exits_are_violations(exits: dict[str, float]) -> None:
    compiled, data = small()
    data["services"][0]["exits"] = exits
    (check,) = judged(compiled, data).violations
    assert "shares of exits" in check.message


def test_wrong_promises_are_violations() -> None:
    compiled, data = small()
    value = judged(compiled, data).objectives["latency"]
    stated = {"name": "latency", "sense": "min", "value": value, "bound": None, "gap": None, "unit": "s"}
    data["certificate"]["objectives"] = [stated]
    assert judged(compiled, data).feasible
    stated["value"] = value * 1.001
    (check,) = judged(compiled, data).violations
    assert check.message.startswith("objective latency: stated")
    stated["name"] = "energy"  # unknown here: no device has a power
    assert not judged(compiled, data).feasible
    stated["name"] = "beauty"
    with pytest.raises(InputError, match="unknown objective 'beauty'"):
        judged(compiled, data)


def test_a_promise_about_something_unreachable_is_none() -> None:
    devices = [{"name": "a", "type": "board"}, {"name": "b", "type": "board"}]
    compiled = compiled_from(devices, [{"name": "s", "model": "net", "source": "a"}])
    stated = ObjectiveResult(name="latency", sense="min", value=1.0, bound=None, gap=None, unit="s")
    certificate = GIVEN.model_copy(update={"objectives": (stated,)})
    plan = make_plan(compiled, Placement((0,), ((1, 1, 1, 1),)), certificate)
    kinds = {check.kind for check in evaluate(plan, compiled).violations}
    assert kinds == {"range", "placement"}


@pytest.mark.parametrize(
    ("where", "value", "fragment"),
    [
        (("service",), "t", "unknown service 't'"),
        (("alternative",), "defalt", "did you mean 'default'"),
        (("fragments", 0, "device"), "d", "unknown compute unit 'd/cpu'"),
        (("fragments", 0, "unit"), "gpu", "unknown compute unit 'a/gpu'"),
        (("fragments", 0, "layers"), ["l0", "l9"], "unknown layer 'l9'"),
        (("fragments", 0, "layers"), ["l0", "l1", "l2"], "layer 'l2' is placed twice"),
        (("fragments", 0, "layers"), ["l0"], "layers not placed: l1"),
    ],
)
def test_plans_of_something_else_are_refused(where: tuple[Any, ...], value: Any, fragment: str) -> None:
    compiled, data = small()
    target = data["services"][0]
    for key in where[:-1]:
        target = target[key]
    target[where[-1]] = value
    with pytest.raises(InputError) as caught:
        judged(compiled, data)
    assert any(fragment in problem.message for problem in caught.value.problems)


def test_a_service_planned_twice_or_not_at_all() -> None:
    compiled, data = small()
    data["services"] *= 2
    with pytest.raises(InputError, match="planned twice"):
        judged(compiled, data)
    data["services"] = [{**data["services"][0], "service": "other"}]
    with pytest.raises(InputError, match="says nothing of service 's'"):
        judged(compiled, data)


def test_reading_tells_the_line(tmp_path: Path) -> None:
    _, data = small()
    data["services"][0]["fragments"][0]["devise"] = data["services"][0]["fragments"][0].pop("device")
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(data, indent=2))
    with pytest.raises(InputError) as caught:
        read_plan(path)
    problem = next(p for p in caught.value.problems if "devise" in p.path)
    assert problem.line is not None
    assert "devise" in path.read_text().splitlines()[problem.line - 1]
    assert "did you mean 'device'" in problem.message


def test_writing_is_atomic(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_atomically(path, "one")
    write_atomically(path, "two")
    assert path.read_text() == "two"
    assert list(tmp_path.iterdir()) == [path]
    umask = os.umask(0o022)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask
    with pytest.raises(InputError, match="cannot be written"):
        write_atomically(tmp_path / "none" / "plan.json", "x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        write_atomically(tmp_path / "folder", "x")
    assert {entry.name for entry in tmp_path.iterdir()} == {"plan.json", "folder"}
