"""Every combination of instance, objective, method and option is answered or refused with its reason."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from placer.errors import InfeasibleError, InputError, UnansweredError
from placer.evaluation.evaluate import evaluate
from placer.evaluation.objectives import OBJECTIVES
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.library import shipped_names
from placer.instance.resolving import read_instance
from placer.planning.answer import answer
from placer.planning.methods import EVERY, METHODS
from placer.planning.registry import plan, planner, resolve
from placer.planning.request import SPELLINGS, Request, Scenario
from placer.solver.progress import Limits

INSTANCES = shipped_names("instance")
SMALL = ("do-not-split", "pi-edge-cloud", "choose-exits", "infeasible", "smart-parking")
REQUESTED: dict[str, dict[str, Any]] = {
    "gap": {"limits": Limits(gap=0.1)},
    "threads": {"limits": Limits(threads=2)},
    "nodes": {"limits": Limits(nodes=1)},
    "rounds": {"rounds": 1},
    "evaluations": {"evaluations": 50},
    "keep": {},
    "max_moves": {"max_moves": 0},
    "write_model": {"write_model": Path("model.lp")},
    "scenarios": {"scenarios": (Scenario(),)},
    "worst": {"worst": True, "scenarios": (Scenario(),)},
    "admission": {"admission": True},
    "confirm": {"confirm": False},
    "shortcut": {"shortcut": False},
}


@cache
def compiled_of(name: str) -> Compiled:
    return compile_instance(read_instance(name))


def requested(option: str, kept: Any = None, **more: Any) -> Request:
    given = dict(REQUESTED[option])
    if option in ("keep", "max_moves"):
        given["keep"] = kept
    return Request(**given, **more)


def test_the_table_is_whole() -> None:
    assert len(INSTANCES) >= 16
    assert set(EVERY) == set(OBJECTIVES)
    assert REQUESTED.keys() == SPELLINGS.keys()
    for method in METHODS.values():
        assert callable(planner(method.name))
        assert method.takes <= SPELLINGS.keys()
        assert set(method.objectives) <= set(EVERY)
    taken = frozenset[str]().union(*(method.takes for method in METHODS.values()))
    assert taken == SPELLINGS.keys()


@pytest.mark.parametrize("name", INSTANCES)
def test_every_combination_is_resolved_or_refused_with_its_reason(name: str) -> None:
    """What a method declares is taken, what it does not declare is refused by its name; no third way."""
    compiled = compiled_of(name)
    kept = plan(compiled_of("do-not-split"), Request(("latency",), "greedy-memory")).placement
    answered = refused = 0
    for method in METHODS.values():
        for objective in OBJECTIVES:
            base = Request((objective,), method.name)
            try:
                chosen = METHODS[resolve(compiled, base).method]
            except InputError as error:
                assert objective in error.message or "arrivals" in error.message, error.message
                refused += 1
                continue
            answered += 1
            assert objective in chosen.objectives
            for option, spelling in SPELLINGS.items():
                request = requested(option, kept, objectives=(objective,), method=method.name)
                try:
                    taken = resolve(compiled, request)
                except InputError as error:
                    assert spelling in error.message or "plans under random arrivals" in error.message, error.message
                else:
                    assert request.asked <= METHODS[taken.method].takes
    assert answered > 20
    assert refused > 20


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (Request(("latency", "latency")), "'latency' is given twice"),
        (Request(("speed",)), "unknown objective 'speed'"),
        (Request(method="ilq"), r"unknown method 'ilq'.*ilp"),
        (Request(max_moves=0), "--max-moves needs --keep"),
        (Request(worst=True), "--robust worst needs --scenarios"),
        (Request(method="ilp", scenarios=(Scenario(),), admission=True), "takes no --admission and no --scenarios"),
        (Request(method="ilp", rounds=3), "takes no --rounds"),
        (Request(method="round-robin", write_model=Path("x.lp")), "takes no --write-model"),
        (Request(("loss",), "neurosurgeon"), "neurosurgeon does not plan for loss"),
        (Request(("energy",), "annealing"), "annealing does not plan for energy"),
        (Request(("accuracy",)), "accuracy"),
        (Request(("loss",), write_model=Path("x.lp")), r"method loss \(chosen by auto\) takes no --write-model"),
        (Request(("latency", "energy"), "dads"), "takes one objective"),
    ],
)
def test_refusals_name_what_is_refused(request_: Request, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        resolve(compiled_of("pi-fleet"), request_)


def outcome_of(name: str, request: Request) -> str:
    """How a combination ends; whatever else is raised fails the test."""
    compiled = compiled_of(name)
    try:
        found = answer(compiled, replace(request, by="analytic"))
    except InputError as error:
        assert error.message
        return "refused"
    except InfeasibleError as error:
        assert error.message
        return "infeasible"
    except UnansweredError as error:
        assert "internal" not in error.message, error.message
        return "unanswered"
    judged = evaluate(found.plan, compiled)
    assert repr(judged) == repr(found.evaluation)  # NaN differs from itself
    assert [one.name for one in found.plan.certificate.objectives]
    assert all(one.reason or one.outcome for one in found.baselines)
    assert "\n" not in repr(found)
    return "planned"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", SMALL)
def test_small_instances_by_every_method(name: str, method: str) -> None:
    """Each objective that the method plans for, within a short time limit."""
    limits = Limits(seconds=0.3, nodes=1 if "nodes" in METHODS[method].takes else None)
    objectives = METHODS[method].objectives[:: 1 if name == "do-not-split" else 5]
    ends = {objective: outcome_of(name, Request((objective,), method, limits)) for objective in objectives}
    if name == "infeasible":
        assert "planned" not in ends.values()
    elif method in ("auto", "ilp", "warm-start") and name in ("do-not-split", "smart-parking"):
        assert ends["latency"] == "planned"


@pytest.mark.slow
@pytest.mark.parametrize("name", INSTANCES)
def test_whole_matrix(name: str) -> None:
    """Every objective and method, then every option, on every shipped instance."""
    seen = 0
    for method in METHODS:
        for objective in OBJECTIVES:
            ended = outcome_of(name, Request((objective,), method, Limits(seconds=0.5)))
            seen += 1
            if ended != "planned":
                continue
            kept = None
            for option in METHODS[method].takes:
                if option in ("keep", "max_moves"):
                    kept = kept or plan(compiled_of(name), Request((objective,), method, Limits(seconds=0.5))).placement
                if option == "write_model":
                    continue  # writes a file; tests/cli holds it
                outcome_of(name, requested(option, kept, objectives=(objective,), method=method))
                seen += 1
    assert seen >= len(METHODS) * len(OBJECTIVES)


def test_the_answer_is_judged_once() -> None:
    """What the planner returns, what is printed and what ``check`` judges are one object: waiting included."""
    found = answer(compiled_of("five-board"), Request(("latency",), "ilp", Limits(seconds=5), by="analytic"))
    assert found.evaluation.evaluator == "analytic"
    assert not found.evaluation.feasible
    assert found.evaluation.violations == evaluate(found.plan, found.compiled).violations


def test_baselines_are_data() -> None:
    found = answer(compiled_of("smart-parking"), Request(("latency",)))
    assert [one.key for one in found.baselines] == ["single_node", "cloud"]
    assert found.baselines[0].outcome is not None


def test_blind_methods_report_what_is_asked() -> None:
    found = plan(compiled_of("smart-parking"), Request(("loss", "latency"), "min-latency"))
    loss, latency = found.plan.certificate.objectives
    assert (loss.name, loss.bound) == ("loss", None)
    assert latency.bound is not None
    assert found.plan.certificate.method == "min-latency"
