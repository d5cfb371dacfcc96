"""Plans that 0.1.0 wrote (``written_by_0.1.0/``) say today what they said then, in today's words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from placer.errors import InputError
from placer.evaluation.evaluate import evaluate
from placer.evaluation.plan_checks import renewed
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.resolving import read_instance
from placer.plan.plan import Plan, dump_plan, read_plan

FOLDER = Path(__file__).parent / "written_by_0.1.0"


def case(name: str) -> tuple[Plan, Compiled]:
    return read_plan(FOLDER / f"{name}.json"), compile_instance(read_instance(str(FOLDER / "instance.yaml")))


def test_inaccuracy_becomes_accuracy() -> None:
    plan, compiled = case("accuracy")
    assert json.loads((FOLDER / "accuracy.json").read_text())["certificate"]["objectives"][0]["value"] < 0.2
    (result,) = plan.certificate.objectives
    assert (result.name, result.sense, result.unit) == ("accuracy", "max", "1")
    assert result.value == pytest.approx(0.75 * 0.9 + 0.25 * 0.6)
    assert result.bound == pytest.approx(result.value)
    assert evaluate(plan, compiled).feasible
    assert plan.format == "placer/plan/2"


def test_a_load_becomes_requests_per_second_beside_the_instance() -> None:
    """5 requests a second keep the slowest stage busy for .1525 s of it: 32.8 a second keep it always busy."""
    plan, compiled = case("throughput")
    (old,) = plan.certificate.objectives
    assert (old.value, old.sense, old.unit) == (pytest.approx(0.1525), "min", "s/s")
    (new,) = renewed(plan, compiled).certificate.objectives
    assert (new.sense, new.unit, new.gap) == ("max", "requests/s", 0.0)
    assert new.value == pytest.approx(5 / 0.1525)
    assert new.bound == pytest.approx(5 / 0.1525)
    judged = evaluate(plan, compiled)
    assert judged.feasible
    assert judged.objectives["throughput"] == pytest.approx(new.value)
    assert judged.slowest.busy == pytest.approx(0.1525 / 5)


def test_a_wrong_promise_stays_wrong(tmp_path: Path) -> None:
    for name, value in (("accuracy", 0.2), ("throughput", 0.1)):
        data = json.loads((FOLDER / f"{name}.json").read_text())
        data["certificate"]["objectives"][0]["value"] = value
        path = tmp_path / "plan.json"
        path.write_text(json.dumps(data))
        (check,) = evaluate(read_plan(path), case(name)[1]).violations
        assert check.kind == "placement"


def test_what_is_migrated_is_written_in_the_new_format(tmp_path: Path) -> None:
    for name in ("accuracy", "throughput"):
        plan, compiled = case(name)
        path = tmp_path / f"{name}.json"
        path.write_text(dump_plan(renewed(plan, compiled)))
        assert read_plan(path) == renewed(plan, compiled)


@pytest.mark.parametrize("objectives", [1, [1], [{"name": "accuracy", "value": "x"}], [{"name": ["accuracy"]}], None])
def test_a_broken_old_plan_is_refused(objectives: object, tmp_path: Path) -> None:
    data = json.loads((FOLDER / "accuracy.json").read_text())
    data["certificate"]["objectives"] = objectives
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(data))
    with pytest.raises(InputError):
        read_plan(path)


def test_a_format_from_the_future_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({**json.loads((FOLDER / "accuracy.json").read_text()), "format": "placer/plan/99"}))
    with pytest.raises(InputError):
        read_plan(path)
