"""Latency against two independent computations: the paper's sums on chains, and a small event simulation on DAGs."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator
from typing import Any

import networkx as nx
import numpy as np
import pytest

from placer.evaluation.evaluate import evaluate
from placer.instance.compiled import Compiled
from placer.instance.variant import Variant
from placer.plan.placement import Placement, fragments_of
from placer.plan.plan import Certificate, make_plan
from tests.instance.build import board, chain, compiled_from
from tests.random_instances import random_instance

GIVEN = Certificate(method="given", termination="given", objectives=(), seconds=0.0, seed=0)
RATE, RANGE = 9.025e6, 7.5


def paper_case(seed: int) -> tuple[Compiled, dict[str, Any]]:
    """Chains with exits on a unit-disk graph of identical links; the figures beside it, as the paper names them."""
    rng = np.random.default_rng(seed)
    nodes, networks = 8, int(rng.integers(1, 4))
    points = rng.uniform(-7, 7, (nodes, 2))
    speeds = rng.uniform(1e8, 6e8, nodes)
    data: dict[str, Any] = {"points": points, "e": speeds, "networks": []}
    models, services = {}, []
    for u in range(networks):
        layers = int(rng.integers(1, 7))
        c, m, k = rng.uniform(1e6, 2e8, layers), rng.uniform(1e3, 1e8, layers), rng.uniform(40, 3e5, layers)
        gates = sorted(
            int(g) for g in rng.choice(layers, size=int(rng.integers(0, 3)), replace=layers < 3) if g < layers - 1
        )
        leave = np.zeros(layers)
        for gate in set(gates):
            leave[gate] = rng.uniform(0, 0.45)
        source, sink = (int(x) for x in rng.choice(nodes, 2))
        model = chain(layers, input=float(rng.uniform(100, 7e5)))
        model["layers"] = tuple(
            {"name": f"l{j}", "compute": float(c[j]), "weights": float(m[j]), "output": float(k[j])}
            for j in range(layers)
        )
        model["exits"] = tuple({"after": f"l{j}", "share": float(leave[j])} for j in sorted(set(gates)))
        models[f"net-{u}"] = model
        services.append({"name": f"s{u}", "model": f"net-{u}", "source": f"n{source}", "sink": f"n{sink}"})
        leave[-1] = 1 - leave.sum()
        data["networks"].append({"c": c, "K": k, "g": leave, "Ks": model["input"], "s": source, "f": sink})
    types = {f"t{i}": board(units=({"name": "cpu", "speed": float(speed)},)) for i, speed in enumerate(speeds)}
    devices = [
        {"name": f"n{i}", "type": f"t{i}", "position": tuple(float(x) for x in point)} for i, point in enumerate(points)
    ]
    network = {"radios": ({"rate": RATE, "range": RANGE},)}
    return compiled_from(devices, services, models=models, types=types, network=network), data


def paper_latency(data: dict[str, Any], networks: list[np.ndarray[Any, Any]]) -> list[float]:
    """The paper's formula, with alpha[i, j] = 1 when layer j is on node i; one value per network."""
    graph = nx.Graph()
    graph.add_nodes_from(range(len(data["points"])))
    for i, a in enumerate(data["points"]):
        graph.add_edges_from((i, j) for j, b in enumerate(data["points"]) if i < j and math.dist(a, b) < RANGE)
    hops = dict(nx.all_pairs_shortest_path_length(graph))
    nodes = range(len(data["points"]))
    d = np.array([[hops[i].get(k, math.inf) for k in nodes] for i in nodes])
    values = []
    for net, alpha in zip(data["networks"], networks, strict=True):
        layers = len(net["c"])
        p = np.array([net["g"][j:].sum() for j in range(layers)])
        total = 0.0
        for j in range(layers):
            for i in nodes:
                if not alpha[i, j]:
                    continue
                total += p[j] * net["c"][j] / data["e"][i]
                if net["g"][j] > 0:
                    total += net["g"][j] * (net["K"][-1] / RATE) * d[i, net["f"]]
                if j == 0:
                    total += p[0] * (net["Ks"] / RATE) * d[net["s"], i]
                if j + 1 < layers:
                    total += sum(p[j + 1] * (net["K"][j] / RATE) * d[i, k] for k in nodes if alpha[k, j + 1])
        values.append(total)
    return values


@pytest.mark.parametrize("seed", range(60))
def test_chains_follow_the_papers_formula(seed: int) -> None:
    compiled, data = paper_case(seed)
    rng = np.random.default_rng(seed + 1000)
    for _ in range(5):
        alphas = []
        for net in data["networks"]:
            alpha = np.zeros((8, len(net["c"])), dtype=int)
            alpha[rng.integers(0, 8, len(net["c"])), np.arange(len(net["c"]))] = 1
            alphas.append(alpha)
        stations = tuple(tuple(int(i) for i in alpha.argmax(axis=0)) for alpha in alphas)
        placement = Placement(tuple(range(len(alphas))), stations)
        result = evaluate(make_plan(compiled, placement, GIVEN), compiled)
        expected = paper_latency(data, alphas)
        assert [m.latency for m in result.services] == pytest.approx(expected, rel=1e-9)
        assert result.objectives["latency"] == pytest.approx(sum(expected), rel=1e-9)
        assert result.objectives["latency-worst"] == pytest.approx(max(expected), rel=1e-9)
        assert math.isfinite(sum(expected)) is not any(v.kind == "range" for v in result.violations)


def simulate(compiled: Compiled, variant: Variant, stations: tuple[int, ...]) -> float:
    """Expected time to the decision: one run for each way out."""
    total = sum(share * one_run(compiled, variant, stations, gate) for gate, share, _ in variant.exits if share > 0)
    rest = 1.0 - sum(share for _, share, _ in variant.exits)
    return total + (rest * one_run(compiled, variant, stations, None) if rest > 1e-12 else 0.0)


def one_run(compiled: Compiled, variant: Variant, stations: tuple[int, ...], gate: int | None) -> float:
    """Event simulation of one request that leaves after ``gate``; a fragment is one job."""
    last = len(variant) - 1 if gate is None else gate
    jobs = [(at, [x for x in layers if x <= last]) for at, layers in fragments_of(variant, stations)]
    jobs = [job for job in jobs if job[1]]
    device = compiled.station_device
    line: dict[int, list[int]] = {at: [] for at, _ in jobs}
    queued: set[int] = set()
    waits_for: list[set[tuple[int, int]]] = []
    for at, layers in jobs:
        needed = {u for layer in layers for u in variant.predecessors[layer]} - set(layers)
        waits_for.append({(u, at) for u in needed})
    events: list[tuple[float, int, str, tuple[int, int]]] = []
    ends: dict[int, float] = {}
    busy: set[int] = set()
    serial = itertools.count()
    present: set[tuple[int, int]] = set()

    def send(now: float, tensor: int, tail: int) -> None:
        size = variant.input if tensor < 0 else float(variant.output[tensor])
        private = variant.private[tensor]
        way = compiled.topology.routes(size, variant.zone if private else None).seconds
        for at in {at for wanted in waits_for for u, at in wanted if u == tensor}:
            if tensor >= 0 and at == stations[tensor]:
                continue
            # from one unit of a device to another: 0.1 ms and a copy at 4 GB/s, where nobody says otherwise
            switch = 1e-4 + size / 4e9 if tensor >= 0 and device[at] == tail else 0.0
            heapq.heappush(events, (now + way[tail, device[at]] + switch, next(serial), "arrive", (tensor, at)))

    def start(now: float) -> None:
        for number, (at, _) in enumerate(jobs):  # first come, first served, as they get ready
            if number not in queued and waits_for[number] <= present:
                queued.add(number)
                line[at].append(number)
        for at, queue in line.items():
            if at not in busy and queue:
                busy.add(at)
                number, clock = queue.pop(0), now
                for layer in jobs[number][1]:
                    clock += float(variant.time[layer, at])
                    ends[layer] = clock
                heapq.heappush(events, (clock, next(serial), "done", (number, at)))

    send(0.0, -1, int(compiled.source[variant.service]))
    start(0.0)
    while events:
        now, _, what, (number, at) = heapq.heappop(events)
        if what == "arrive":
            present.add((number, at))
        else:
            busy.discard(at)
            present.update((layer, at) for layer in jobs[number][1])
            send(now, jobs[number][1][-1], int(device[at]))  # what others wait for is made last
        if not events or events[0][0] > now:
            start(now)
    sink = int(compiled.sink[variant.service])
    result = float(variant.output[variant.leaves[-1]])
    if gate is not None:
        return ends[gate] + float(compiled.topology.routes(result).seconds[device[stations[gate]], sink])
    decisions = []
    for leaf in variant.leaves:
        if leaf not in ends:
            return math.inf
        size = float(variant.output[leaf])
        decisions.append(ends[leaf] + float(compiled.topology.routes(size).seconds[device[stations[leaf]], sink]))
    return max(decisions)


def placements(compiled: Compiled, seed: int, count: int) -> Iterator[Placement]:
    rng = np.random.default_rng(seed)
    for _ in range(count):
        choice = tuple(int(rng.choice(group)) for group in compiled.service_variants)
        stations = tuple(
            tuple(int(x) for x in rng.integers(0, len(compiled.stations), len(compiled.variants[index])))
            for index in choice
        )
        yield Placement(choice, stations)


@pytest.mark.parametrize("seed", range(120))
def test_dags_follow_an_event_simulation(seed: int) -> None:
    compiled = random_instance(seed, 10**7)
    for placement in placements(compiled, seed, 6):
        result = evaluate(make_plan(compiled, placement, GIVEN), compiled, "deterministic")
        for index, stations, metrics in zip(placement.choice, placement.stations, result.services, strict=True):
            expected = simulate(compiled, compiled.variants[index], stations)
            assert metrics.latency == pytest.approx(expected, rel=1e-9), (seed, placement)
