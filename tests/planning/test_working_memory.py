"""Where working memory decides: planners against brute force, on boards and microcontrollers beside each other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from placer.errors import InfeasibleError
from placer.evaluation.evaluate import evaluate_placement
from placer.evaluation.objectives import OBJECTIVES
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.device import DeviceType
from placer.instance.library import Library
from placer.instance.model import Model
from placer.instance.resolving import resolve
from placer.instance.runtime import Runtime
from placer.instance.schema import InstanceFile
from placer.plan.plan import to_placement
from placer.planning.columns.planner import plan as by_columns
from placer.planning.ilp.planner import plan as by_ilp
from placer.planning.request import Request
from placer.planning.resources import Resources
from tests.effort import blocks
from tests.random_instances import every_placement


def tight(seed: int) -> Compiled:
    """Two services on a board, a microcontroller with an arena and a board with an accelerator; memory is scarce."""
    rng = np.random.default_rng(seed)
    library = Library(None)
    for name, more in (("packed", {"arena": "greedy-by-size", "alignment": 16}), ("plain", {"container": 20e3})):
        runtime: dict[str, Any] = {"format": "placer/runtime/1", "name": name, "source": "random", "memory": 10e3}
        library.entries["runtime", name] = Runtime.model_validate(runtime | more)
    for index in range(2):
        count = int(rng.integers(2, 4)) if index == 0 else 2
        layers: list[dict[str, Any]] = []
        for number in range(count):
            reads = {f"l{number - 1}" if number else "input"}
            if number > 1 and rng.random() < 0.6:
                reads.add(f"l{int(rng.integers(0, number - 1))}")
            sizes = {"output": float(rng.integers(1, 60)) * 1e3, "weights": float(rng.integers(1, 30)) * 1e3}
            work = float(rng.integers(1, 20)) * 1e6
            layers.append({"name": f"l{number}", "inputs": tuple(sorted(reads)), "compute": work, **sizes})
        data: dict[str, Any] = {"format": "placer/model/1", "name": f"m{index}", "source": "random", "input": 4e4}
        data |= {"layers": tuple(layers), "activations": "lifetimes"}
        library.entries["model", f"m{index}"] = Model.model_validate(data)
    unit = {"name": "cpu", "speed": 1e8}
    npu = {"name": "npu", "speed": 1e9, "memory": float(rng.integers(60, 160)) * 1e3}
    kinds: dict[str, Any] = {
        "board": {"units": (unit,), "memory": float(rng.integers(80, 300)) * 1e3, "runtime": "plain"},
        "chip": {
            "units": ({**unit, "speed": 3e8},),
            "memory": float(rng.integers(80, 200)) * 1e3,
            "runtime": "packed",
            "architecture": "mcu",
        },
        "both": {"units": (unit, npu), "memory": float(rng.integers(60, 200)) * 1e3, "runtime": "plain"},
    }
    for name, kind in kinds.items():
        head = {"format": "placer/device-type/1", "name": name, "source": "random"}
        library.entries["device type", name] = DeviceType.model_validate(head | kind)
    names = ("board", "chip", "both")
    links = ({"between": ("board", "chip"), "rate": 1e6}, {"between": ("chip", "both"), "rate": 1e6})
    file = {
        "format": "placer/instance/1",
        "devices": tuple({"name": name, "type": name, "servers": 2 if name == "board" else 1} for name in names),
        "network": {"links": links},
        "services": tuple({"name": f"s{i}", "model": f"m{i}", "source": str(rng.choice(names))} for i in range(2)),
    }
    return compile_instance(resolve(InstanceFile.model_validate(file), library))


def check(seed: int) -> tuple[bool, bool]:
    """Whether there is a plan, and whether working memory kept a better one away."""
    compiled = tight(seed)
    resources, best, freely = Resources(compiled), math.inf, math.inf
    for placement in every_placement(compiled):
        evaluation = evaluate_placement(compiled, placement, "deterministic")
        assert (resources.overdrawn(placement) == 0.0) == evaluation.feasible
        broken = {violation.kind for violation in evaluation.violations}
        freely = min(freely, evaluation.costs["latency"] if broken <= {"memory"} else math.inf)
        if evaluation.feasible:
            best = min(best, evaluation.costs["latency"])
    for planner, method in ((by_ilp, "ilp"), (by_columns, "decomposition")):
        request = Request(("latency",), method)
        if math.isinf(best):
            with pytest.raises(InfeasibleError):
                planner(compiled, request)
            continue
        found = planner(compiled, request).plan
        (result,) = found.certificate.objectives
        value = OBJECTIVES["latency"].turned(compiled, best)
        assert result.value == pytest.approx(value, rel=1e-7)
        assert result.bound == pytest.approx(value, rel=2e-7)
        assert evaluate_placement(compiled, to_placement(found, compiled), "deterministic").feasible
    return math.isfinite(best), best > freely


@pytest.mark.parametrize("block", blocks(3, 10))
def test_planners_against_every_placement(block: int) -> None:
    answers = [check(seed) for seed in range(block * 4, block * 4 + 4)]
    assert any(feasible and bound for feasible, bound in answers)
