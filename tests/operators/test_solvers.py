"""Operator graphs: every solver against all assignments of small random graphs, judged by the checker alone."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from placer.bench import device_placement
from placer.errors import InputError, PlacerError
from placer.operators.checker import METHODS, Method, judge
from placer.operators.graph import OperatorGraph, parse_graph, read_graph
from placer.operators.latency import solve_latency
from placer.operators.throughput import solve_contiguous, solve_free
from tests.effort import blocks

SHARED = Path(__file__).parents[4] / "shared" / "data" / "operator-graphs"
SOLVERS = {"contiguous": solve_contiguous, "free": solve_free, "latency": solve_latency}


def random_graph(seed: int, nodes: int = 6) -> dict[str, Any]:
    """Plain data of a graph: a DAG with colours now and then, two accelerators and a CPU."""
    rng = np.random.default_rng(seed)
    items = [
        {
            "id": i,
            "supportedOnFpga": 1 if rng.random() < 0.9 else 0,
            "cpuLatency": float(rng.integers(5, 60)),
            "fpgaLatency": float(rng.integers(1, 12)),
            "isBackwardNode": 0,
            "colorClass": int(rng.integers(0, 3)) if rng.random() < 0.25 else 100 + i,
            "size": float(rng.integers(1, 10)),
        }
        for i in range(nodes)
    ]
    edges = []
    for head in range(1, nodes):
        chosen = rng.choice(head, size=min(head, int(rng.integers(1, 3))), replace=False)
        edges += [(int(tail), head) for tail in chosen]
    costs = {tail: float(rng.integers(0, 6)) for tail, _ in edges}
    return {
        "maxSizePerFPGA": float(rng.integers(15, 40)),
        "maxFPGAs": 2,
        "maxCPUs": 1,
        "nodes": items,
        "edges": [{"sourceId": t, "destId": h, "cost": costs[t]} for t, h in edges],
    }


def brute_force(graph: OperatorGraph, method: Method) -> float:
    devices = range(graph.accelerators + graph.cpus)
    best = np.inf
    for assignment in itertools.product(devices, repeat=len(graph)):
        judgement = judge(graph, assignment, method)
        if judgement.feasible:
            best = min(best, judgement.objective)
    return best


@pytest.mark.parametrize("seed", blocks(4, 10))
@pytest.mark.parametrize("method", METHODS)
def test_solvers_find_the_best_of_all_assignments(seed: int, method: Method) -> None:
    graph = parse_graph(random_graph(seed), f"random-{seed}")
    best = brute_force(graph, method)
    if not np.isfinite(best):
        with pytest.raises(PlacerError):
            SOLVERS[method](graph, 1.0)
        return
    answer = SOLVERS[method](graph, 1.0)
    judgement = judge(graph, answer.assignment, method)
    assert judgement.feasible
    assert judgement.objective == pytest.approx(answer.judgement.objective)
    assert answer.bound <= best * (1 + 1e-6)
    assert judgement.objective == pytest.approx(best, rel=1e-6)
    if answer.status == "optimal":
        assert answer.bound == pytest.approx(best, rel=1e-5)


def test_the_load_of_an_accelerator_by_hand() -> None:
    """Work 3 + 4, the input of the second from the CPU (cost 2) enters once, its output (cost 5) leaves once."""
    data = random_graph(0, 4)
    for i, node in enumerate(data["nodes"]):
        node.update(supportedOnFpga=1, cpuLatency=10.0, fpgaLatency=float(3 + i), colorClass=i, size=1.0)
    data["edges"] = [
        {"sourceId": 0, "destId": 1, "cost": 2.0},
        {"sourceId": 0, "destId": 2, "cost": 2.0},
        {"sourceId": 1, "destId": 3, "cost": 5.0},
        {"sourceId": 2, "destId": 3, "cost": 1.0},
    ]
    graph = parse_graph(data, "hand")
    judgement = judge(graph, [2, 0, 0, 2], "free")
    assert judgement.feasible
    # accelerator: 4 + 5 of work, 2 in, 5 + 1 out = 17; the CPU does 10 + 10
    assert judgement.objective == pytest.approx(20.0)
    assert judge(graph, [2, 0, 0, 1], "free").objective == pytest.approx(17.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"maxFPGAs": "two"}, "maxFPGAs"),
        ({"nodes": []}, "nodes"),
        ({"edges": [{"sourceId": 0, "destId": 77, "cost": 1.0}]}, "77"),
        ({"edges": [{"sourceId": 0, "destId": 1, "cost": -1.0}]}, "cost"),
    ],
)
def test_bad_files_are_refused_with_their_path(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(json.dumps({**random_graph(1), **change}))
    with pytest.raises(InputError) as caught:
        read_graph(path)
    assert message in str(caught.value)
    assert "bad.json" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"maxFPGAs": NaN}', r"bad\.json \$: is not valid JSON: NaN is no number"),
        ('{"a": 1,\n"a": 2}', r"bad\.json \$: is not valid JSON: duplicate key 'a'"),
        ('{"a":\n1,,}', r"bad\.json:2 \$: is not valid JSON"),
        ("[" * 100_000, r"bad\.json \$: is not valid JSON: is nested too deeply"),
        ("9" * 10_000, r"bad\.json \$: is not valid JSON: Exceeds the limit"),
        ("\ufeff{}", r"bad\.json.* \$: is not valid JSON"),
        ("[1]", r"bad\.json:1 \$: expected a mapping"),
    ],
)
def test_what_is_no_json_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_graph(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], r"ref\.json \$: expected an object by group"),
        ({"throughput": [1]}, r"ref\.json \$\.throughput: expected an object by instance, got a list"),
        ({"throughput": {"g": "x"}}, r"ref\.json \$\.throughput\.g: expected an object of values, got text"),
        ({"throughput": {"g": {"contiguous": "1"}}}, r"\$\.throughput\.g\.contiguous: expected a number above 0.*'1'"),
        ({"latency": {"g": {"bound": True}}}, r"\$\.latency\.g\.bound: expected a number"),
        ({"latency": {"g": {"bound": 1e300}}}, r"\$\.latency\.g\.bound: expected a number above 0, at most 1e\+15"),
    ],
)
def test_a_bad_reference_is_refused_before_anything_is_solved(tmp_path: Path, data: Any, message: str) -> None:
    (tmp_path / "g.json").write_text(json.dumps(random_graph(1)))
    (tmp_path / "ref.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match=message):
        next(device_placement.run(tmp_path, reference=tmp_path / "ref.json"))


def test_suite_reads_a_folder_and_compares(tmp_path: Path) -> None:
    for group in ("throughput", "latency"):
        (tmp_path / group).mkdir()
        (tmp_path / group / "one.json").write_text(json.dumps(random_graph(3)))
    (tmp_path / "reference.json").write_text(json.dumps({"throughput": {"one": {"contiguous": 1.0}}}))
    rows = list(device_placement.run(tmp_path, time_limit=2.0))
    assert [row.get("method") for row in rows[:-1]] == ["contiguous", "free", "latency"]
    assert rows[0]["ratio"] == pytest.approx(rows[0]["objective"])
    assert rows[1]["ratio"] is None
    assert set(rows[-1]["summary"]) >= {"contiguous", "free", "latency", "better_values", "better_bounds"}
    with pytest.raises(InputError, match="contiguous"):
        list(device_placement.run(tmp_path, ("contigous",)))
    with pytest.raises(InputError, match="holds no"):
        list(device_placement.run(tmp_path / "throughput" / "nothing"))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the public graphs are not here")
def test_a_public_graph_reaches_its_reference() -> None:
    reference = json.loads((SHARED / "reference.json").read_text())["throughput"]["bert24_training"]
    graph = read_graph(SHARED / "throughput" / "bert24_training.json")
    assert solve_contiguous(graph, 15.0).judgement.objective <= 1.01 * reference["contiguous"]
