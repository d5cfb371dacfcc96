"""Whatever a file holds, reading and judging it ends in an answer or in an InputError, soon."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from placer.errors import InputError
from placer.evaluation.evaluate import evaluate
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.resolving import read_instance
from placer.plan.placement import Placement
from placer.plan.plan import Certificate, dump_plan, make_plan, read_plan
from tests.effort import bounded
from tests.instance.build import small_tree, write_tree

GIVEN = Certificate(method="given", termination="given", objectives=(), seconds=0.0, seed=0)
SMART_PARKING = Path(__file__).parents[2] / "instances" / "smart-parking.yaml"

VALUES = st.one_of(
    st.sampled_from(
        [
            *(None, True, False, 0, -1, 1, 2, 10**9, 10**17, 0.0, -0.0, 1e-300, 1e300, float("nan"), float("inf")),
            *("", " ", "nan", "inf", "-inf", ".nan", "a", "b", "e", "cam", "hub", "hub/cpu", "site", "input", "result"),
            *("0 s", "1e-300 s", "1e9 s", "-1 s", "1e999 s", "0 B", "1e-300 B", "1 PB", "1e15 B", "0 %", "1e-300 %"),
            *("100 %", "1e-200 bit/s", "1e15 B/s", "0 MAC", "1e18 MAC", "1e-300 MAC/s", "1e8 m", "-1e8 m", "0 W"),
            *("1e-9 /s", "1e9 /s", "0.99999999999999999", "1e-9 B/s", "1e-9 MAC/s", "1e7 W", "1 J/B"),
            *("../x.yaml", "/etc/passwd", "parts/net.yaml", "parts/board.yaml", "parts", "instance.yaml", "C:\\x"),
            *(
                "alexnet",
                "raspberry-pi-4b",
                "wifi-n",
                "memory",
                "Not A Label",
                "-x",
                "x" * 64,
                "x" * 5000,
                "ü",
                "\u2028",
            ),
            *("poisson", "mmpp", "trace", "periodic", "latency", "energy", "throughput", "placer/model/1", "*"),
        ]
    ),
    st.builds(list),
    st.builds(dict),
    st.just([[[]]]),
    st.just({"a": {"b": 1}}),
    st.text(max_size=8).filter(str.isprintable),
    st.integers(),
    st.floats(),
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(item, (*path, key))


def mutate(draw: st.DrawFn, tree: Any) -> None:
    """Drop, duplicate, replace, rename or exchange something in place."""
    every = list(paths(tree))
    if not every:
        return
    path = draw(st.sampled_from(every))
    parent = tree
    for key in path[:-1]:
        parent = parent[key]
    key = path[-1]
    action = draw(st.sampled_from(["replace", "replace", "replace", "drop", "copy", "rename", "exchange"]))
    if action == "replace":
        parent[key] = copy.deepcopy(draw(VALUES))
    elif action == "drop":
        del parent[key]
    elif action == "copy" and isinstance(parent, list):
        parent.insert(draw(st.integers(0, len(parent))), copy.deepcopy(parent[key]))
    elif action == "rename" and isinstance(parent, dict):
        parent[str(draw(VALUES))] = parent.pop(key)
    else:
        other = draw(st.sampled_from(every))
        target = tree
        for step in other:
            target = target[step]
        parent[key] = copy.deepcopy(target)


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Any]:
    tree = small_tree()
    for _ in range(draw(st.integers(1, 4))):
        mutate(draw, tree[draw(st.sampled_from([*tree, "instance.yaml"]))])
    return tree


def judge_everything(path: Path, seed: int = 0) -> Compiled | None:
    """Read, compile and judge some placements of a file; None when it is refused."""
    try:
        with bounded():
            compiled = compile_instance(read_instance(path))
            assert compiled.instance.meaning_hash
            if len(compiled.stations):
                rng = np.random.default_rng(seed)
                for _ in range(3):
                    plan = make_plan(compiled, some_placement(compiled, rng), GIVEN)
                    again = json.loads(dump_plan(plan))
                    assert plan.model_validate(again) == plan
                    result = evaluate(plan, compiled)
                    assert result.checks
                    assert all(check.message for check in result.checks)
    except InputError as error:
        assert error.problems
        assert str(error)
        return None
    return compiled


def some_placement(compiled: Compiled, rng: np.random.Generator) -> Placement:
    choice = tuple(int(rng.choice(group)) for group in compiled.service_variants)
    count = len(compiled.stations)
    few = rng.integers(0, count, size=2)
    return Placement(
        choice, tuple(tuple(int(x) for x in rng.choice(few, len(compiled.variants[index]))) for index in choice)
    )


@settings(max_examples=100)
@given(trees())
def test_mutated_trees(tmp_path: Path, tree: dict[str, Any]) -> None:
    judge_everything(write_tree(tmp_path, tree))


@settings(max_examples=60)
@given(st.data())
def test_mutated_smart_parking(tmp_path: Path, data: st.DataObject) -> None:
    tree = yaml.safe_load(SMART_PARKING.read_text())
    for _ in range(data.draw(st.integers(1, 3))):
        mutate(data.draw, tree)
    judge_everything(write_tree(tmp_path, {"instance.yaml": tree}))


def test_the_unmutated_tree_is_judged(tmp_path: Path) -> None:
    assert judge_everything(write_tree(tmp_path, small_tree())) is not None


@settings(max_examples=60)
@given(st.data())
def test_damaged_bytes(tmp_path: Path, data: st.DataObject) -> None:
    raw = bytearray(SMART_PARKING.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw)))
        action = data.draw(st.sampled_from(["cut", "insert", "flip", "remove"]))
        if action == "cut":
            del raw[at:]
        elif action == "insert":
            raw[at:at] = data.draw(
                st.binary(max_size=6) | st.sampled_from([b"[", b"{", b"\n", b"&a ", b"- ", b": ", b"'"])
            )
        elif action == "flip" and raw:
            raw[at % len(raw)] = data.draw(st.integers(0, 255))
        else:
            del raw[at : at + data.draw(st.integers(0, 30))]
    path = tmp_path / "instance.yaml"
    path.write_bytes(bytes(raw))
    judge_everything(path)


@settings(max_examples=100)
@given(st.binary(max_size=200))
@example(b"\xff\xfe")
@example(b"\x00")
@example(b"[" * 200_000)
@example(b"{a: " * 200_000)
@example(b"- " * 200_000)
@example(b"9" * 1_000_000)
@example(b"a: " + b"9" * 1_000_000)
@example(b"? " * 50_000)
@example(b"a\n" * 100_000)
@example(b"a: b\n" * 100_000)
@example(b'"' + b"\\" * 100_000)
@example(b"&a [*a]")
@example(b"!!python/object/new:os.system [x]")
@example(b"%TAG ! tag:yaml.org,2002:\n--- !str a\n")
def test_any_bytes(tmp_path: Path, raw: bytes) -> None:
    for name in ("instance.yaml", "plan.json"):
        (tmp_path / name).write_bytes(raw)
    assert judge_everything(tmp_path / "instance.yaml") is None
    with pytest.raises(InputError), bounded():
        read_plan(tmp_path / "plan.json")


@pytest.mark.parametrize("count", [1001, 20_000])
def test_many_devices_are_refused(tmp_path: Path, count: int) -> None:
    tree = small_tree()
    device = tree["instance.yaml"]["devices"][1]
    tree["instance.yaml"]["devices"] += [{**device, "name": f"x{i}"} for i in range(count - 2)]
    if count > 1001:
        tree["instance.yaml"]["devices"] = [{"name": f"x{i}", "type": "n5105"} for i in range(count)]
    assert judge_everything(write_tree(tmp_path, tree)) is None


def test_a_layer_that_reads_one_tensor_very_often(tmp_path: Path) -> None:
    tree = small_tree()
    layers = tree["parts/net.yaml"]["layers"]
    names = [f"x{i}" for i in range(1500)]
    layers[:0] = [{"name": name, "inputs": ["input"], "output": "1 B"} for name in names]
    del tree["parts/net.yaml"]["exits"]
    tree["parts/net.yaml"]["layers"][-1]["inputs"] = names * 30
    tree["instance.yaml"]["services"][0].pop("exits")
    judge_everything(write_tree(tmp_path, tree))


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Compiled, dict[str, Any]]:
    compiled = compile_instance(read_instance(write_tree(tmp_path_factory.mktemp("planned"), small_tree())))
    plan = make_plan(compiled, Placement((0,), ((0, 1, 0, 1, 1),)), GIVEN, "x.yaml")
    return compiled, json.loads(dump_plan(plan))


@settings(max_examples=100)
@given(st.data())
def test_mutated_plans(tmp_path: Path, planned: tuple[Compiled, dict[str, Any]], data: st.DataObject) -> None:
    compiled, original = planned
    tree = copy.deepcopy(original)
    for _ in range(data.draw(st.integers(1, 3))):
        mutate(data.draw, tree)
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(tree))
    try:
        with bounded():
            plan = read_plan(path)
            result = evaluate(plan, compiled)
        assert isinstance(result.feasible, bool)
        # a plan that decides something else than the original, or states something else, is never a clean one
        if tree["services"] != original["services"]:
            same = json.loads(dump_plan(plan))["services"] == original["services"]
            assert same or result.violations
    except InputError as error:
        assert error.problems


def test_a_large_wrong_plan_is_refused_soon(tmp_path: Path, planned: tuple[Compiled, dict[str, Any]]) -> None:
    compiled, original = planned
    tree = copy.deepcopy(original)
    fragment = {"device": "nowhere", "unit": "cpu", "layers": ["zz"]}
    tree["services"][0]["fragments"] = [fragment] * 20_000
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(tree))
    with pytest.raises(InputError) as caught, bounded():
        evaluate(read_plan(path), compiled)
    assert len(caught.value.problems) == 50
