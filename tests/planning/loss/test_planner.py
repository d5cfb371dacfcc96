"""The loss-aware planner, baselines, the simulation's choice and rate limits, against enumeration and simulation."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from placer.bench.loss.instances import Spec, generate
from placer.errors import InfeasibleError, InputError
from placer.evaluation.comparison import simulate_plan
from placer.evaluation.evaluate import evaluate, evaluate_placement
from placer.evaluation.runs import Runs
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.resolving import read_instance
from placer.plan.placement import Placement
from placer.plan.plan import dump_plan, read_plan
from placer.planning.auto import auto
from placer.planning.loss.admission import LEAST, choose_limits
from placer.planning.loss.enumeration import count, enumerate_all
from placer.planning.loss.planner import plan_enumeration, plan_loss
from placer.planning.loss.problem import LOSS, Problem
from placer.planning.loss.scenarios import read_scenarios
from placer.planning.loss.search.search import Budget, Search
from placer.planning.loss.selection import select
from placer.planning.methods import METHODS
from placer.planning.registry import plan
from placer.planning.request import Request
from placer.solver.countdown import Countdown
from placer.solver.progress import Limits, Progress
from tests.instance.build import compiled_from

SMALL = [Spec(seed, *shape) for seed in range(1) for shape in ((3, 2, (2, 3)), (4, 2, (2, 3)), (3, 3, (2, 2)))]


def options(seconds: float = 4.0, **more: object) -> Request:
    return Request(objectives=(LOSS,), limits=Limits(seconds=seconds), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("spec", SMALL, ids=lambda spec: spec.name)
def test_search_finds_what_enumeration_proves(spec: Spec) -> None:
    problem = Problem(generate(spec))
    best = enumerate_all(problem)
    assert best is not None
    found = Search(problem, 0).run(Budget(seconds=20.0, stale=10))
    assert found.ended == "stale"
    assert found.elite[0].score.total == pytest.approx(best.score.total, abs=1e-4)
    assert found.elite[0].score.total >= best.score.total - 1e-3


def test_enumeration_is_the_least_over_all_products() -> None:
    compiled = generate(Spec(4, 3, 2, (2, 2)))
    problem = Problem(compiled)
    best = enumerate_all(problem)
    assert best is not None
    values = []
    for a, b in itertools.product(itertools.product(range(3), repeat=2), repeat=2):
        placement = Placement((0, 1), (a, b))
        if evaluate_placement(compiled, placement, "deterministic").feasible:
            values.append(evaluate_placement(compiled, placement).objectives[LOSS])
    assert count(problem) == 81
    assert best.score.total == pytest.approx(min(values), abs=1e-4)


def test_enumeration_refuses_what_is_too_large() -> None:
    with pytest.raises(InputError, match="too many to enumerate"):
        enumerate_all(Problem(generate(Spec(1, 80, 12, (12, 12)))))


def test_same_seed_and_rounds_same_plan_and_progress_is_told() -> None:
    compiled = generate(Spec(2, 5, 3, (2, 4)))
    seen: list[Progress] = []
    runs = [Search(Problem(compiled), 7, seen.append).run(Budget(60.0, rounds=3)) for _ in range(2)]
    assert [c.placement for c in runs[0].elite] == [c.placement for c in runs[1].elite]
    assert runs[0].ended == "rounds"
    assert seen


def test_interrupted_search_keeps_the_best() -> None:
    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    found = Search(Problem(generate(Spec(101, 5, 4, (2, 6)))), 0, stop).run(Budget(30.0))
    assert found.ended == "interrupted"
    assert found.elite


def test_plan_states_bounds_with_what_they_bound_and_round_trips(tmp_path: Path) -> None:
    compiled = generate(Spec(101, 5, 4, (2, 6)))
    outcome = plan_loss(compiled, options(120.0, rounds=2))
    certificate = outcome.plan.certificate
    by_name = {bound.name: bound for bound in certificate.bounds}
    assert by_name["fluid"].proven
    assert not by_name["acceptance"].proven
    assert "guide" in by_name["acceptance"].holds_for
    objective = certificate.objectives[0]
    assert objective.bound is not None
    assert objective.bound <= objective.value
    assert certificate.confirmed is not None
    assert abs(certificate.confirmed.value - objective.value) < max(0.1 * objective.value, 0.01)
    path = tmp_path / "plan.json"
    path.write_text(dump_plan(outcome.plan))
    again = evaluate(read_plan(path), compiled)
    assert again.objectives[LOSS] == pytest.approx(objective.value, rel=1e-7)
    assert again.feasible


def test_enumeration_as_a_planner_says_what_it_proves() -> None:
    outcome = plan_enumeration(generate(SMALL[0]), options())
    certificate = outcome.plan.certificate
    assert certificate.termination == "optimal"
    assert certificate.objectives[0].gap == pytest.approx(0.0, abs=1e-6)
    assert certificate.objectives[0].bound_of == "every placement under the analytic evaluator"


def overloaded() -> Compiled:
    """Two services that share a fast device; one floods the other."""
    types = {
        "board": {
            "format": "placer/device-type/1", "name": "board", "source": "test", "memory": 1e9,
            "units": ({"name": "cpu", "speed": 1e9},),
        }
    }  # fmt: skip
    layer = {"compute": 5e8, "weights": 1e6, "output": 0.0}
    model = {
        "format": "placer/model/1", "source": "test", "input": 0.0,
        "layers": ({"name": "a", **layer}, {"name": "b", **layer}, {"name": "c", **layer}),
    }  # fmt: skip
    devices = [{"name": f"d{k}", "type": "board", "position": (0.0, 0.0), "buffer": 3} for k in range(2)]
    services = [
        {"name": "flood", "model": "net", "source": "d0", "arrivals": {"rate": 6.0}},
        {"name": "calm", "model": "net", "source": "d1", "arrivals": {"rate": 0.5}},
    ]
    network = {"radios": ({"rate": 1e9, "range": 5.0},)}
    return compiled_from(devices, services, models={"net": model}, types=types, network=network)


def test_rate_limits_save_losses_and_the_simulation_agrees(tmp_path: Path) -> None:
    compiled = overloaded()
    problem = Problem(compiled)
    placement = Placement((0, 1), ((0, 0, 1), (1, 1, 0)))
    from placer.planning.loss.scoring import Scorer

    without = Scorer(problem).score([placement], exact=True)[0]
    gaps, limited = choose_limits(problem, placement)
    assert gaps
    assert limited.total < without.total
    for service, gap in gaps.items():
        part = 1.0 / (1.0 + gap * compiled.rate[service])
        assert LEAST - 1e-9 <= part < 1.0
    plain = select(problem, [placement], None, 5)
    better = select(problem, [placement], None, 5, limits=[gaps])
    assert better.value <= plain.value + plain.half_width + better.half_width
    outcome = plan_loss(compiled, options(admission=True))
    assert outcome.plan.certificate.admission_gain is not None
    simulated = simulate_plan(outcome.plan, compiled, Runs(jobs=40_000, replications=5, seed=1))
    assert simulated.simulation.objectives[LOSS] == pytest.approx(outcome.evaluation.objectives[LOSS], abs=0.03)
    assert any(service.min_gap for service in outcome.plan.services)


def test_selection_takes_the_better_and_ends_early_on_twins() -> None:
    problem = Problem(overloaded())
    good, bad = Placement((0, 1), ((0, 0, 1), (1, 1, 1))), Placement((0, 1), ((0, 0, 0), (0, 0, 0)))
    found = select(problem, [bad, good], Countdown.of(20.0), 3)
    assert found.best == 1
    assert found.decided
    twins = select(problem, [good, good], Countdown.of(20.0), 3)
    assert twins.decided
    assert twins.best == 0
    long = select(problem, [good], None, 99, jobs=400_000)
    assert abs(found.value - long.value) <= 2 * (found.half_width + long.half_width)


def test_auto_keeps_the_optimum_where_it_can_and_plans_for_loss_where_it_must() -> None:
    parking = compile_instance(read_instance("smart-parking"))
    assert auto(parking, Request(limits=Limits(seconds=10), by="analytic")).plan.certificate.method == "shortest-path"
    boards = compile_instance(read_instance("five-board"))
    blind = plan(boards, Request(method="ilp", limits=Limits(seconds=10), by="analytic"))
    assert not blind.evaluation.feasible
    found = auto(boards, Request(limits=Limits(seconds=10), by="analytic"))
    assert found.evaluation.feasible
    objective = found.plan.certificate.objectives[0]
    assert objective.bound is not None
    assert objective.bound <= objective.value
    assert objective.value >= blind.plan.certificate.objectives[0].value - 1e-9


def test_limits_that_no_placement_can_keep_are_proven_and_named() -> None:
    compiled = overloaded()
    services = [
        {"name": s.name, "model": "net", "source": s.source, "arrivals": {"rate": 9.0}, "max_loss": 0.01}
        for s in compiled.instance.services
    ]
    model = compiled.instance.models["net"].model_dump(exclude_none=True)
    tight = compiled_from(
        [d.model_dump(exclude_none=True) for d in compiled.instance.devices],
        services,
        models={"net": model},
        types={"board": compiled.instance.types["board"].model_dump(exclude_none=True)},
        network={"radios": ({"rate": 1e9, "range": 5.0},)},
    )
    with pytest.raises(InfeasibleError, match="service flood loses at most 1 %"):
        plan_loss(tight, options())


OTHERS = {"ilp", "decomposition", "warm-start", "neurosurgeon", "dads", "joint-exits", "sequential-exits"}
"""Methods that plan for something else; they have tests of their own."""


@pytest.mark.parametrize("name", [name for name in METHODS if name not in OTHERS])
def test_every_method_plans_a_small_instance(name: str) -> None:
    compiled = generate(SMALL[0])
    outcome = plan(compiled, options(0.4, method=name))
    assert evaluate_placement(compiled, outcome.placement).feasible


def test_round_robin_deals_in_turn() -> None:
    outcome = plan(overloaded(), options(1.0, method="round-robin"))
    assert outcome.placement.stations == ((0, 1, 0), (1, 0, 1))


def test_scenarios_are_read_and_a_device_that_is_down_is_avoided(tmp_path: Path) -> None:
    compiled = overloaded()
    file = tmp_path / "states.yaml"
    file.write_text(
        "format: placer/scenarios/1\nscenarios:\n"
        "  - {name: usual, weight: 3, arrivals: {flood: 0.2 /s, calm: 0.1 /s}}\n"
        "  - {name: gone, down: [d1], arrivals: {flood: 0.2 /s, calm: 0.1 /s}}\n"
    )
    states = read_scenarios(file, compiled)
    assert states[1].down == frozenset({1})
    assert states[1].factors[0] == pytest.approx(0.2 / 6)
    outcome = plan_loss(compiled, options(scenarios=states, worst=True))
    assert not np.isin(1, [s for stations in outcome.placement.stations for s in stations])
    file.write_text("format: placer/scenarios/1\nscenarios:\n  - {name: gone, down: [d7]}\n")
    with pytest.raises(InputError, match=r"states.yaml:3 \$\.scenarios\[0\]\.down\[0\].*d7"):
        read_scenarios(file, compiled)


def test_the_alternative_is_chosen_with_the_placement() -> None:
    """Pruned layers lose less; where accuracy is limited the full network is taken (both accuracies are made up)."""
    layer = {"weights": 1e6, "output": 0.0}
    graphs = [
        {"name": name, "input": 0.0, "accuracy": accuracy, "accuracy_source": "made up for the test",
         "layers": tuple({"name": f"l{k}", "compute": work, **layer} for k in range(count))}
        for name, accuracy, work, count in (("full", 0.9, 6e8, 3), ("pruned", 0.8, 3e8, 2))
    ]  # fmt: skip
    model = {"format": "placer/model/1", "source": "test", "alternatives": tuple(graphs)}
    devices = [{"name": f"d{k}", "type": "board", "position": (0.0, 0.0), "buffer": 3} for k in range(2)]
    network = {"radios": ({"rate": 1e9, "range": 5.0},)}
    chosen = {}
    for least in (None, 0.85):
        service = {"name": "s", "model": "net", "source": "d0", "arrivals": {"rate": 1.5}}
        limited = service if least is None else {**service, "min_accuracy": least}
        outcome = plan_loss(compiled_from(devices, [limited], models={"net": model}, network=network), options(2.0))
        assert outcome.evaluation.feasible
        chosen[least] = outcome.plan.services[0].alternative
    assert chosen == {None: "pruned", 0.85: "full"}
