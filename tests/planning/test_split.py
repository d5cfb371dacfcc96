"""Neurosurgeon and DADS as planners, judged by the one evaluator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from placer.errors import InputError, UnansweredError
from placer.evaluation.evaluate import evaluate_placement
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.resolving import read_instance
from placer.plan.placement import Placement
from placer.planning.registry import plan
from placer.planning.request import Request
from placer.splitting.split import Question, answer
from placer.splitting.two_machines import Machines, build_case, read_model
from tests.instance.build import chain, compiled_from


def two_machines(rng: np.random.Generator, layers: int, **service: object) -> Compiled:
    """A chain between a board and a quicker server; results go back to the board."""
    model = chain(layers)
    for layer in model["layers"]:
        layer["compute"], layer["output"] = float(rng.exponential(3e8)), float(rng.exponential(2e5))
    fast = {
        "format": "placer/device-type/1",
        "source": "test",
        "memory": 1e10,
        "units": ({"name": "cpu", "speed": 8e9},),
    }
    return compiled_from(
        [{"name": "cam", "type": "board"}, {"name": "box", "type": "fast"}],
        [{"name": "s", "model": "net", "source": "cam", **service}],
        models={"net": model},
        types={"fast": fast},
        network={"links": ({"between": ("cam", "box"), "rate": float(10 ** rng.uniform(5, 7)), "latency": 0.01},)},
    )


@pytest.mark.parametrize("method", ["neurosurgeon", "dads"])
@pytest.mark.parametrize("objective", ["latency", "throughput"])
@pytest.mark.parametrize("seed", range(8))
def test_the_plan_of_a_chain_is_the_best_of_all_splits(seed: int, objective: str, method: str) -> None:
    problem = two_machines(np.random.default_rng(seed), 6, arrivals=1e-3)
    outcome = plan(problem, Request(objectives=(objective,), method=method))
    splits = [Placement((0,), ((0,) * cut + (1,) * (6 - cut),)) for cut in range(7)]
    best = min(evaluate_placement(problem, split, "deterministic").costs[objective] for split in splits)
    found = outcome.evaluation.costs[objective]
    assert found == pytest.approx(best, rel=1e-9)
    certificate = outcome.plan.certificate
    assert (certificate.method, certificate.termination) == (method, "heuristic")
    assert certificate.objectives[0].bound is None


def test_split_and_evaluator_agree_on_latency() -> None:
    for name in ("mobilenet-v2-measured", "vgg-16-measured", "densenet-121-measured"):
        case = build_case(read_model(name), Machines("raspberry-pi-4b", "edge-2500", 2.5e6, None, 0.01))
        one = answer(case, Question())
        stations = tuple(case.server if far else case.device for far in one.cut.on_server)
        judged = evaluate_placement(case.compiled, Placement((0,), (stations,)))
        assert one.value == pytest.approx(judged.objectives["latency"], rel=1e-9)


def test_dads_plans_for_throughput_when_requests_would_pile_up() -> None:
    slow = two_machines(np.random.default_rng(3), 6, arrivals=1e-3)
    light = plan(slow, Request(method="dads")).evaluation.objectives
    busy = two_machines(np.random.default_rng(3), 6, arrivals=1.0)
    heavy = plan(busy, Request(method="dads")).evaluation.objectives
    assert heavy["latency"] >= light["latency"]
    neurosurgeon = plan(busy, Request(method="neurosurgeon")).evaluation.objectives
    assert heavy["throughput"] <= neurosurgeon["throughput"] + 1e-12


@pytest.mark.parametrize("method", ["neurosurgeon", "dads"])
@pytest.mark.parametrize("name", ["pi-edge-cloud", "pi-fleet", "smart-parking", "do-not-split"])
def test_shipped_instances_get_feasible_plans_no_better_than_the_optimum(name: str, method: str) -> None:
    problem = compile_instance(read_instance(name))
    found = plan(problem, Request(method=method))
    assert found.evaluation.feasible
    best = plan(problem, Request()).plan.certificate.objectives[0]
    assert best.gap == 0
    assert found.evaluation.objectives["latency"] >= best.value * (1 - 1e-9)


def test_services_that_clash_are_moved() -> None:
    """Both services are best on the server, which holds one of them."""
    model = chain(3)
    board = {
        "format": "placer/device-type/1",
        "source": "test",
        "memory": 1e9,
        "units": ({"name": "cpu", "speed": 1e9},),
    }
    fast = board | {"memory": 4e6, "units": ({"name": "cpu", "speed": 1e11},)}
    problem = compiled_from(
        [{"name": "a", "type": "board"}, {"name": "b", "type": "board"}, {"name": "box", "type": "fast"}],
        [
            {"name": "s", "model": "net", "source": "a", "share": False},
            {"name": "t", "model": "net", "source": "b", "share": False},
        ],
        models={"net": model},
        types={"board": board, "fast": fast},
        network={"links": tuple({"between": (end, "box"), "rate": 1e8} for end in ("a", "b"))},
    )
    outcome = plan(problem, Request(method="neurosurgeon"))
    assert outcome.evaluation.feasible
    assert {2} < {station for stations in outcome.placement.stations for station in stations}


def test_what_the_planners_refuse(tmp_path: Path) -> None:
    problem = compile_instance(read_instance("do-not-split"))
    with pytest.raises(InputError, match="takes no --write-model"):
        plan(problem, Request(method="dads", write_model=tmp_path / "x.lp"))
    with pytest.raises(InputError, match="needs power figures"):
        plan(problem, Request(method="dads", objectives=("energy",)))
    with pytest.raises(UnansweredError):
        plan(compile_instance(read_instance("infeasible")), Request(method="neurosurgeon"))
