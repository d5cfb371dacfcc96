"""The keynote's five boards with services in blocks, so that every placement can be looked at.

Boards as in ``instances/five-board.yaml`` (2 Orange Pi Zero, 2 Raspberry Pi A+, 1 Raspberry Pi 3A+); the layers of the
shipped models are joined into a few blocks each, whose work and memory are those of their layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from placer.instance.compiled import Compiled, compile_instance
from placer.instance.library import Library
from placer.instance.model import Model
from placer.instance.resolving import read_instance, resolve
from placer.planning.baselines import min_latency, round_robin
from placer.planning.loss.enumeration import count, enumerate_all
from placer.planning.loss.planner import plan_loss
from placer.planning.loss.problem import LOSS, Problem
from placer.planning.loss.scoring import Scorer
from placer.planning.loss.selection import select
from placer.planning.request import Request
from placer.solver.progress import Limits

CUTS: dict[str, tuple[str, ...]] = {"alexnet": ("conv5", "fc6"), "cnn-5": ()}
"""Last layers of the blocks but the last."""

SERVICES = (
    ("gate-in", "alexnet", "rpi-3a", 2.0),
    ("gate-out", "alexnet", "opi-1", 2.0),
    ("count-1", "cnn-5", "rpi-a-1", 2.0),
)
JOBS = 200_000
FRESH_SEED = 77_001


def five_board(rate: float = 1.0) -> Compiled:
    """The instance: seven blocks of three services on five boards, 5^7 placements before limits.

    Args:
        rate: factor on the arrival rates of ``instances/five-board.yaml``.
    """
    base = read_instance("five-board")
    library = Library(None)
    for name, cuts in CUTS.items():
        model = next(m for m in base.models.values() if m.name == name)
        library.entries["model", name] = _in_blocks(model, cuts)
    for reference, kind in base.types.items():
        library.entries["device type", reference] = kind
    services = tuple(
        {"name": name, "model": model, "source": source, "arrivals": {"rate": arrivals * rate}}
        for name, model, source, arrivals in SERVICES
    )
    data = base.file.model_dump()
    data.update(name="five-board-blocks", services=services, objective=(LOSS,), limits={})
    return compile_instance(resolve(type(base.file).model_validate(data), library))


def _in_blocks(model: Model, cuts: tuple[str, ...]) -> Model:
    graph = model.alternatives[0]
    blocks: list[list[Any]] = [[]]
    for layer in graph.layers:
        blocks[-1].append(layer)
        if layer.name in cuts:
            blocks.append([])
    layers = []
    for block in blocks:
        kinds = set().union(*(layer.times for layer in block))
        shared = [kind for kind in kinds if all(kind in layer.times for layer in block)]
        layers.append(
            {
                "name": f"{block[0].name}-{block[-1].name}",
                "compute": sum(layer.compute or 0.0 for layer in block),
                "times": {kind: sum(layer.times[kind] for layer in block) for kind in shared},
                "weights": sum(layer.weights for layer in block),
                "activations": max(layer.activations for layer in block),
                "output": block[-1].output,
            }
        )
    whole = {"format": "placer/model/1", "name": model.name, "family": model.family, "source": model.source}
    return Model.model_validate({**whole, "input": graph.input, "layers": tuple(layers)})


def rows(seconds: float) -> Iterator[dict[str, Any]]:
    """The plan for little loss beside round robin and least latency: enumerated, analytic and simulated."""
    compiled = five_board()
    problem = Problem(compiled, LOSS)
    best = enumerate_all(problem)
    options = Request(objectives=(LOSS,), limits=Limits(seconds=seconds))
    placements = {"enumeration": best.placement if best else None}
    for name, planner in (("loss", plan_loss), ("round-robin", round_robin), ("min-latency", min_latency)):
        placements[name] = planner(compiled, options, None).placement
    simulated: dict[str, float] = {}
    for name, placement in placements.items():
        if placement is None or best is None:
            continue
        seen = select(problem, [placement], None, FRESH_SEED, jobs=JOBS)
        promise = Scorer(problem).score([placement], exact=True)[0].total
        simulated[name] = seen.value
        yield {
            "suite": "loss",
            "part": "five-board",
            "instance": compiled.instance.name,
            "method": name,
            "status": "optimal" if promise <= best.score.total + 1e-6 else "worse",
            "objective": promise,
            "bound": best.score.total,
            "gap": promise - best.score.total,
            "simulated": seen.value,
            "half_width": seen.half_width,
            "placements": count(problem),
            "loss_reduction": None if name in ("enumeration", "loss") else 1.0 - simulated["loss"] / seen.value,
        }
