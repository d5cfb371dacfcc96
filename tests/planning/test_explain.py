"""Explanations: infeasible exactly when brute force says so, irreducible, and repairs that repair."""

from __future__ import annotations

from pathlib import Path

from placer.errors import PlacerError
from placer.evaluation.evaluate import evaluate_placement
from placer.instance.compiled import compile_instance
from placer.instance.resolving import read_instance
from placer.planning.clashes.families import families
from placer.planning.explain import explain
from placer.planning.ilp.formulation import build
from placer.planning.ilp.goals import add_goal_limits, add_objective
from placer.planning.ilp.planner import plan
from placer.planning.ilp.warmstart import warm_start
from placer.planning.quickxplain import quick_explain
from placer.planning.request import Request
from placer.solver.highs import Solver
from placer.solver.progress import Limits
from tests.random_instances import every_placement, random_instance

REPO = Path(__file__).parent.parent.parent


def test_explanations_are_right() -> None:
    """Feasible exactly when some placement is; what clashes and what repairs it is tested in ``clashes``."""
    explained = 0
    for seed in range(40):
        compiled = random_instance(seed, 100)
        possible = any(
            evaluate_placement(compiled, placement, "deterministic").feasible for placement in every_placement(compiled)
        )
        try:
            found = explain(compiled)
        except PlacerError:
            assert not possible
            continue
        assert found.feasible == possible, seed
        explained += not found.feasible
        assert bool(found.sentences) != found.feasible
    assert explained >= 5


def test_quick_explain_finds_a_minimal_conflict() -> None:
    groups = [("kind", str(number)) for number in range(12)]

    def possible(held: object) -> bool:
        return not {("kind", "3"), ("kind", "8")} <= set(held)  # type: ignore[call-overload]

    assert set(quick_explain(groups, possible)) == {("kind", "3"), ("kind", "8")}


def test_alexnet_on_orange_pi_zeros() -> None:
    found = explain(compile_instance(read_instance("infeasible")))
    assert "layer fc6 of service pictures needs 151 MB" in found.sentences[0]
    assert "128 MB" in found.sentences[0]
    assert {kind for kind, _ in found.clash} == {"memory"}
    assert any("give opi-1 151" in repair for repair in found.repairs)


def test_families_name_known_things() -> None:
    compiled = compile_instance(read_instance("smart-parking"))
    known = {*compiled.device_names, *(service.name for service in compiled.instance.services)}
    topology = compiled.topology
    known |= {*topology.hears, *(topology.carrier(arc.carrier).name for arc in topology.arcs)}
    assert {subject for _, subject in families(compiled)} <= known


def test_warm_starts_are_feasible_and_accepted() -> None:
    started = 0
    for seed in range(60):
        compiled = random_instance(seed, 2000)
        start = warm_start(compiled, "latency")
        if start is None:
            continue
        started += 1
        value = evaluate_placement(compiled, start, "deterministic")
        assert value.feasible
        best = plan(compiled, Request(objectives=("latency",))).evaluation.objectives["latency"]
        assert best <= value.objectives["latency"] * (1 + 1e-9)
    assert started >= 20


def test_a_node_limit_is_reproducible_and_bounds_hold() -> None:
    compiled = compile_instance(read_instance("paper-alexnet-l1"))
    options = Request(limits=Limits(nodes=1, seed=3))
    first, second = plan(compiled, options), plan(compiled, options)
    assert first.placement == second.placement
    result = first.plan.certificate.objectives[0]
    assert result.bound is not None
    assert result.bound <= result.value


def test_statuses_are_told_apart() -> None:
    compiled = compile_instance(read_instance("paper-3alexnet-l1"))
    formulation = build(compiled)
    add_goal_limits(formulation)
    add_objective(formulation, "latency")
    result = Solver.of(formulation.model).solve(Limits(seconds=0.05))
    assert result.status == "time-limit"
    assert not result.has_incumbent
    assert not result.values


def test_what_the_time_did_not_allow_is_said() -> None:
    """Not one repair was looked for: that is not to say that there is none."""
    now = iter([0.0, 0.0, *[0.5] * 40, *[100.0] * 10_000])
    found = explain(compile_instance(read_instance("infeasible")), Limits(seconds=1.0, now=lambda: next(now)))
    assert not found.feasible
    assert found.repairs or found.unfinished
