"""The decomposition against every placement, with everything that couples services and layers left out."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from placer.errors import InfeasibleError
from placer.evaluation.deterministic import RouteBook, service_metrics
from placer.evaluation.evaluate import evaluate_placement
from placer.instance.compiled import Compiled
from placer.instance.model import Model
from placer.planning.decomposition import table
from placer.planning.decomposition.relaxation import OBJECTIVES, relax
from placer.planning.domains import choices_of
from placer.solver.progress import Limits
from tests.effort import blocks
from tests.random_instances import random_instance, with_models

LARGEST = 2_500
"""Placements of a nested instance that are tried."""


def best_of(compiled: Compiled, service: int, objective: str) -> float:
    """The least cost of a service by itself, over all placements in its domains."""
    choices, best = choices_of(compiled), np.inf
    for index in choices.groups[service]:
        domain = choices.domains[index]
        for stations in itertools.product(*(domain.stations(layer) for layer in range(len(domain.variant)))):
            found = service_metrics(compiled, domain.variant, stations, RouteBook(compiled))
            best = min(best, found.energy if objective == "energy" else found.latency)
    return float(best)


def check(compiled: Compiled) -> bool:
    """All objectives; whether there was anything to choose from."""
    try:
        choices_of(compiled)
    except InfeasibleError:
        for objective in OBJECTIVES:
            with pytest.raises(InfeasibleError):
                relax(compiled, objective, Limits())
        return False
    services = range(len(compiled.instance.services))
    for kind, objectives in (("latency", ("latency", "latency-worst")), ("energy", ("energy",))):
        each = [best_of(compiled, service, kind) for service in services]
        for objective in objectives:
            expected = max(each) if objective == "latency-worst" else float(compiled.weight @ each)
            found = relax(compiled, objective, Limits())
            assert found.ended == "done"
            assert found.gap == 0
            assert found.bound == pytest.approx(expected, rel=1e-9, abs=1e-15)
            judged = evaluate_placement(compiled, found.placement, "deterministic")
            assert judged.costs[objective] == pytest.approx(expected, rel=1e-9, abs=1e-15)
    return True


@pytest.mark.parametrize("block", blocks(5, 10))
def test_random_instances(block: int) -> None:
    assert sum(check(random_instance(seed, 300)) for seed in range(block * 20, block * 20 + 20)) >= 5


def nested(rng: np.random.Generator, size: int) -> list[tuple[int, ...]]:
    """Predecessors of a random series-parallel graph with parallel parts within parallel parts, and crossing edges."""
    found: list[tuple[int, ...]] = [(-1,)]

    def block(start: int, depth: int) -> int:
        """Grow from a layer; returns the layer that ends it."""
        if len(found) >= size or depth > 2 or rng.random() < 0.2:
            found.append((start,))
            return len(found) - 1
        if rng.random() < 0.35:
            return block(block(start, depth + 1), depth + 1)
        ends = [block(start, depth + 1) for _ in range(int(rng.integers(2, 4)))]
        if rng.random() < 0.4:
            ends.append(start)
        if rng.random() < 0.3:
            ends.append(int(rng.integers(start, len(found))))
        found.append(tuple(sorted(set(ends))))
        return len(found) - 1

    block(0, 0)
    if rng.random() < 0.5:
        found.append((len(found) - 1,))
    return found


def nested_instance(seed: int) -> Compiled:
    """A small random site with services of nested graphs."""
    rng = np.random.default_rng([seed, 13])
    predecessors = nested(rng, 6)
    while not 5 <= len(predecessors) <= 7:
        predecessors = nested(rng, 6)
    layers: list[dict[str, Any]] = []
    for index, sources in enumerate(predecessors):
        layers.append(
            {
                "name": f"l{index}",
                "compute": float(rng.integers(1, 40)) * 1e6,
                "weights": 1e3,
                "output": float(rng.choice([0, 1, 20, 200])) * 1e3,
                "inputs": tuple("input" if source < 0 else f"l{source}" for source in sources),
            }
        )
    graph = {"layers": tuple(layers), "input": float(rng.integers(1, 100)) * 1e3}
    model = Model.model_validate({"format": "placer/model/1", "name": "nested", "source": "random", **graph})
    compiled = with_models(rng, {"nested": model}, int(rng.integers(2, 4)))
    while len(compiled.stations) ** len(predecessors) > LARGEST:
        compiled = with_models(rng, {"nested": model}, 2)
    return compiled


@pytest.mark.parametrize("block", blocks(2, 10))
def test_nested_parallel_parts(block: int) -> None:
    assert sum(check(nested_instance(seed)) for seed in range(block * 20, block * 20 + 20)) >= 15


def test_plain_python_and_compiled_code_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(5):
        compiled = nested_instance(seed)
        for objective in ("latency", "energy"):
            plain = relax(compiled, objective, Limits())
            monkeypatch.setattr(table, "SMALLEST_COMPILED", 0)
            fast = relax(compiled, objective, Limits())
            monkeypatch.undo()
            assert plain.placement == fast.placement
            assert (plain.bound, plain.value) == (fast.bound, fast.value)


def test_bounds_hold_whenever_the_search_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """After any number of looks at the clock the bound is at most the value, and at most the optimum."""
    stopped = 0
    for seed in range(20):
        compiled = nested_instance(seed)
        for objective in ("latency", "energy"):
            optimum = relax(compiled, objective, Limits()).value
            for looks in range(4):
                found = stopping(monkeypatch, looks, lambda o=objective, c=compiled: relax(c, o, Limits()))
                stopped += found.ended == "time-limit"
                assert found.bound <= optimum * (1 + 1e-12) <= found.value * (1 + 2e-12)
                judged = evaluate_placement(compiled, found.placement, "deterministic").costs[objective]
                assert judged <= found.value * (1 + 1e-9)
    assert stopped > 20


def stopping(monkeypatch: pytest.MonkeyPatch, looks: int, work: Callable[[], Any]) -> Any:
    """Do the work with a clock that runs out after so many looks at it."""
    left = itertools.count()
    monkeypatch.setattr(
        "placer.planning.decomposition.relaxation.time.monotonic", lambda: 0.0 if next(left) <= looks else 1e9
    )
    try:
        return work()
    finally:
        monkeypatch.undo()


def test_alternatives_are_weighed() -> None:
    compiled = next(
        one for one in map(random_instance, range(200)) if max(map(len, one.service_variants)) > 1 and _roomy(one)
    )
    with_all = relax(compiled, "latency", Limits()).value
    singles = [replace(compiled, service_variants=tuple((index,) for index in ways)) for ways in _ways(compiled)]
    assert with_all == pytest.approx(min(relax(one, "latency", Limits()).value for one in singles), rel=1e-12)


def _roomy(compiled: Compiled) -> bool:
    try:
        choices = choices_of(compiled)
    except InfeasibleError:
        return False
    return choices.groups == [list(group) for group in compiled.service_variants]


def _ways(compiled: Compiled) -> list[tuple[int, ...]]:
    return list(itertools.product(*compiled.service_variants))
