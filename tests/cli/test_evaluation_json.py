"""One object behind all output: the JSON of an evaluation, the table of baselines, the verdict of ``check``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from placer.cli.common import evaluation_json, plain
from placer.cli.output.check import Judgement, as_json, exit_code
from placer.cli.output.plan import against, shown
from placer.evaluation.checks import Check
from placer.evaluation.evaluate import By, evaluate_placement
from placer.evaluation.objectives import OBJECTIVES
from placer.evaluation.runs import Runs
from placer.plan.placement import Placement
from tests.instance.build import chain, compiled_from

RUNS = Runs(jobs=2000, replications=3, seed=1)


def evaluated(by: By, **service: Any) -> dict[str, Any]:
    one = {"name": "s", "model": "net", "source": "a", "arrivals": {"rate": 0.5}, **service}
    boards = [{"name": "a", "type": "board", "buffer": 2}]
    compiled = compiled_from(boards, [one], models={"net": chain(4, accuracy=0.75)})
    result: dict[str, Any] = plain(
        evaluation_json(evaluate_placement(compiled, Placement((0,), ((0, 0, 0, 0),)), by, runs=RUNS))
    )
    return result


@pytest.mark.parametrize("by", ["deterministic", "analytic", "simulation"])
def test_the_json_says_values_with_their_sense_and_unit(by: By) -> None:
    data = evaluated(by, max_loss=0.01)
    json.dumps(data, allow_nan=False)
    assert set(data) == {
        "evaluator", "services", "devices", "objectives", "slowest", "checks", "times", "stations",
        "senses", "units", "feasible", "excess", "carriers", "warnings",
    }  # fmt: skip
    assert data["objectives"].keys() == data["senses"].keys() == data["units"].keys() == OBJECTIVES.keys()
    assert data["objectives"]["accuracy"] == 0.75
    assert (data["senses"]["accuracy"], data["units"]["accuracy"]) == ("max", "1")
    assert data["objectives"]["throughput"] == pytest.approx(1.0)  # 1 s of work a request
    assert (data["senses"]["throughput"], data["units"]["throughput"]) == ("max", "requests/s")
    assert data["slowest"] == {"name": "a", "load": pytest.approx(0.5), "busy": pytest.approx(1.0)}
    assert data["feasible"] == (by == "deterministic")
    assert (data["excess"] > 0) == (by != "deterministic")


def test_check_says_how_badly_a_plan_breaks_its_limits() -> None:
    broken = Check("memory", "a", "violated", "memory of a", 3.0, 2.0, "B")
    undecided = Check("max_loss", "s", "undecided", "loss of s", 0.1, 0.1, "1", "simulation")
    kept = Check("runs", "s", "ok", "runs")
    judgements = [Judgement("p.json", "analytic", (kept, broken)), Judgement("q.json", "simulation", (undecided,))]
    plans = json.loads(as_json(judgements))["plans"]
    assert [(one["feasible"], one["excess"]) for one in plans] == [(False, 0.5), (False, 0.0)]
    assert [exit_code([one]) for one in judgements] == [1, 3]
    assert exit_code(judgements) == 1


def test_values_are_shown_as_people_know_them() -> None:
    assert shown("accuracy", 0.75312, "1") == "0.7531"
    assert shown("loss", 0.05, "1") == "5 %"
    assert shown("throughput", 500.0, "requests/s") == "500 requests/s"
    assert shown("energy", float("nan"), "J") == "unknown"
    assert against("accuracy", 0.75, 0.7) == "+0.05 for the plan"
    assert against("latency", 2.0, 3.0) == "× 1.5"
    assert against("loss", 0.1, 0.4) == "the plan loses 75 % less"
    assert against("throughput", 500.0, float("nan")) == ""
