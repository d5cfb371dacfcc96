"""The shipped instances: they read, compile, say where their figures come from, and can be planned (but one)."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from placer.evaluation.evaluate import evaluate_placement
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.library import Library, shipped_names, shipped_root
from placer.instance.resolving import read_instance
from placer.plan.placement import Placement
from placer.recipes.paper_instances import PAPER_INSTANCES, paper_setting, resnet101_blocks

NAMES = shipped_names("instance")


def compiled(name: str) -> Compiled:
    return compile_instance(read_instance(name))


def greedy(problem: Compiled) -> Placement | None:
    """Layer by layer the station that is nearest in time and has room; None when some layer finds none."""
    memory, layers = problem.memory.copy(), problem.max_layers.copy()
    work = problem.max_work.copy()
    at = problem.station_device
    choice, placed = [], []
    for service, group in enumerate(problem.service_variants):
        variant = problem.variants[group[0]]
        stations: list[int] = []
        where = int(problem.source[service])
        for layer in range(len(variant)):
            size = variant.tensor_size(layer - 1)
            zone = variant.zone if variant.private[layer - 1] else None
            way = problem.topology.routes(size, zone).seconds[where, at]
            busy = variant.run[layer] * variant.time[layer] * np.nan_to_num(problem.rate[service])
            need = variant.weights[layer] + variant.activations[layer]
            fits = (memory[at] >= need) & (layers[at] >= 1) & variant.allowed[layer] & (work >= busy)
            cost = np.where(fits, way + variant.time[layer], np.inf)
            best = int(np.argmin(cost))
            if not np.isfinite(cost[best]):
                return None
            stations.append(best)
            where = int(at[best])
            memory[where] -= need[best]
            layers[where] -= 1
            work[best] -= busy[best]
        choice.append(group[0])
        placed.append(tuple(stations))
    return Placement(tuple(choice), tuple(placed))


def test_the_list() -> None:
    assert {"smart-parking", "five-board", "do-not-split", "infeasible", *PAPER_INSTANCES} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_can_be_planned(name: str) -> None:
    problem = compiled(name)
    assert problem.instance.name == name
    assert problem.instance.file.source
    assert problem.instance.file.title
    placement = greedy(problem)
    if name == "infeasible":
        assert placement is None
    else:
        assert placement is not None
        assert evaluate_placement(problem, placement, "deterministic").feasible


def test_infeasible_because_of_one_layer() -> None:
    problem = compiled("infeasible")
    (variant,) = problem.variants
    too_large = variant.weights > problem.memory.max()
    assert [name for name, large in zip(variant.layers, too_large, strict=True) if large] == ["fc6"]
    assert variant.weights[too_large] == pytest.approx(151.01e6, rel=1e-3)
    assert problem.memory.max() == 128e6


@pytest.mark.parametrize("name", sorted(PAPER_INSTANCES))
def test_paper_instances_are_what_the_generator_writes(name: str) -> None:
    path = shipped_root() / "instances" / f"{name}.yaml"
    assert path.read_text(encoding="utf-8") == paper_setting(*PAPER_INSTANCES[name])


@pytest.mark.parametrize("name", sorted(PAPER_INSTANCES))
def test_paper_setting(name: str) -> None:
    _, models, most = PAPER_INSTANCES[name]
    problem = compiled(name)
    assert len(problem.device_names) == 50
    kinds = [device.type for device in problem.instance.devices]
    assert set(kinds) == {"paper-orange-pi-zero", "paper-beaglebone-ai", "paper-pi-3b-plus"}
    positions = np.array([device.position for device in problem.instance.devices])
    assert np.abs(positions).max() <= 15
    graph = nx.Graph((i, j) for i in range(50) for j in range(i) if np.linalg.norm(positions[i] - positions[j]) < 7.5)
    assert nx.is_connected(graph)
    assert len(graph) == 50
    assert set(problem.max_layers) == {most}
    assert (problem.source == problem.sink).all()
    assert len(set(problem.source.tolist())) == len(models)
    assert {arc.rate for arc in problem.topology.arcs} == {72.2e6 / 8}


def test_other_seeds_make_other_layouts() -> None:
    assert paper_setting(1, ["alexnet"], 1) == paper_setting(1, ["alexnet"], 1)
    assert paper_setting(1, ["alexnet"], 1) != paper_setting(2, ["alexnet"], 1)


def test_resnet_101_in_blocks() -> None:
    path = shipped_root() / "models" / "resnet-101-blocks.yaml"
    assert path.read_text(encoding="utf-8") == resnet101_blocks()
    (graph,) = Library().model("resnet-101-blocks").alternatives
    assert len(graph.layers) == 9
    # torchvision: 44 549 160 parameters (two per normalised channel; here four, with the running figures), 7.8 GMAC
    parameters = sum(layer.weights for layer in graph.layers) / 4
    channels = 64 + sum(n * 6 * w for w, n in ((64, 3), (128, 4), (256, 23), (512, 3))) + 4 * (64 + 128 + 256 + 512)
    assert parameters == 44_549_160 + 2 * channels
    assert sum(layer.compute or 0 for layer in graph.layers) == pytest.approx(7.80e9, rel=0.01)
    assert max(layer.weights for layer in graph.layers) < 128e6


def test_do_not_split() -> None:
    """Every other placement of the parts is slower than all of it at the camera: checked from the relaxation."""
    problem = compiled("do-not-split")
    (variant,) = problem.variants
    home = evaluate_placement(problem, Placement((0,), ((0,) * 8,))).objectives["latency"]
    smallest = min(variant.input, variant.output.min())
    there_and_back = 2 * problem.transfer(smallest)[0, 1]
    fastest = variant.time.min(axis=1).sum()
    assert there_and_back + fastest > home


def test_five_boards_lose_requests_when_layers_are_dealt_out() -> None:
    problem = compiled("five-board")
    kinds = sorted(device.type for device in problem.instance.devices)
    assert kinds == ["orange-pi-zero"] * 2 + ["raspberry-pi-3a-plus"] + ["raspberry-pi-a-plus"] * 2
    assert all(device.buffer for device in problem.instance.devices)
    assert all(service.max_loss is not None for service in problem.instance.services)
    dealt = tuple(tuple(i % 5 for i in range(len(variant))) for variant in problem.variants)
    round_robin = evaluate_placement(problem, Placement(tuple(range(len(dealt))), dealt))
    assert round_robin.costs["throughput"] > 3
    placement = greedy(problem)
    assert placement is not None
    assert evaluate_placement(problem, placement).costs["throughput"] < 1
