"""The bound by counting layers against every placement, and contiguous stages where they are the optimum."""

from __future__ import annotations

import numpy as np
import pytest

from placer.errors import InfeasibleError
from placer.evaluation.evaluate import evaluate_placement
from placer.instance.compiled import Compiled
from placer.planning.auto import auto
from placer.planning.domains import choices_of
from placer.planning.request import Request
from placer.planning.throughput import best_stages, counting_bound, loads_of
from placer.solver.countdown import Countdown
from placer.solver.progress import Limits
from tests.instance.build import board, chain, compiled_from
from tests.random_instances import every_placement, random_instance


def equal(stages: int, layers: int, memory: float = 1e9) -> Compiled:
    """Equal stages, all linked, and layers of 1 ms and 1 MB each."""
    model = chain(layers, input=1.0)
    for layer in model["layers"]:
        layer |= {"compute": 1e6, "weights": 1e6, "output": 1.0}
    devices = [{"name": f"d{i}", "type": "board"} for i in range(stages)]
    links = tuple({"between": (f"d{i}", f"d{j}"), "rate": 1e9} for i in range(stages) for j in range(i))
    return compiled_from(
        devices,
        [{"name": "s", "model": "net", "source": "d0"}],
        models={"net": model},
        types={"board": board(memory=memory)},
        network={"links": links},
        objective="throughput",
    )


def bound_of(compiled: Compiled) -> float:
    choices = choices_of(compiled)
    return counting_bound(compiled, choices, loads_of(compiled, choices))


@pytest.mark.parametrize(("stages", "layers", "slowest"), [(4, 5, 2), (16, 42, 3), (7, 7, 1), (3, 10, 4)])
def test_equal_layers_on_equal_stages(stages: int, layers: int, slowest: int) -> None:
    """The busiest of n stages has ceil(M / n) of M equal layers: shares of layers would say M / n."""
    compiled = equal(stages, layers)
    assert bound_of(compiled) == pytest.approx(slowest * 1e-3)
    outcome = auto(compiled, Request(("throughput",), limits=Limits(seconds=20)))
    assert outcome.plan.certificate.termination == "optimal"
    assert outcome.evaluation.costs["throughput"] == pytest.approx(slowest * 1e-3)
    fragments = outcome.plan.services[0].fragments
    assert len(fragments) == len({fragment.device for fragment in fragments})  # one stage a device


def test_memory_counts_layers_too() -> None:
    """Two layers of 1 MB fit a board of 2.5 MB: what three stages cannot hold is no plan, four hold two each."""
    assert bound_of(equal(4, 7, 2.5e6)) == pytest.approx(2e-3)
    assert bound_of(equal(3, 7, 2.5e6)) == np.inf


@pytest.mark.parametrize("block", range(2))
def test_the_bound_is_one(block: int) -> None:
    """Against the best of all placements of random instances, alternatives, exits, memories and servers included."""
    met = 0
    for seed in range(block * 20, block * 20 + 20):
        compiled = random_instance(seed, 300, crowded=bool(seed % 2), site=bool(seed % 3))
        judged = [evaluate_placement(compiled, one, "deterministic") for one in every_placement(compiled)]
        best = min((one.costs["throughput"] for one in judged if one.feasible), default=np.inf)
        try:
            bound = bound_of(compiled)
        except InfeasibleError:
            assert best == np.inf
            continue
        assert bound <= best * (1 + 1e-9), seed
        met += bool(bound > 0 and bound >= best * (1 - 1e-9))
        found = best_stages(compiled, choices_of(compiled), Countdown.of(5.0))
        assert found.cost >= best * (1 - 1e-9), seed
        if found.placement is not None:
            assert evaluate_placement(compiled, found.placement, "deterministic").feasible
    assert met
