"""Hop counts and routes against networkx, on random graphs with mixed rates and latencies."""

from __future__ import annotations

import math
from typing import Any

import networkx as nx
import numpy as np
import pytest

from placer.errors import InputError
from placer.instance import topology as module
from placer.instance.topology import Topology
from tests.instance.build import compiled_from


def random_topology(seed: int) -> tuple[Topology, list[dict[str, Any]]]:
    """Two radios, one of them on a channel and only on some devices, and links; plain data beside it."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 14))
    names = [f"d{i}" for i in range(count)]
    devices: list[dict[str, Any]] = []
    for name in names:
        device: dict[str, Any] = {"name": name, "type": "board"}
        if rng.random() < 0.9:
            device["position"] = tuple(float(x) for x in rng.uniform(0, 20, int(rng.integers(2, 4))))
        devices.append(device)
    placed = [device["name"] for device in devices if "position" in device]
    some = tuple(name for name in placed if rng.random() < 0.6)
    radios: list[dict[str, Any]] = [
        {"rate": 1e6, "goodput": 0.5, "range": 8.0, "latency": 0.002, "transmit_energy": 3e-7},
        {"rate": 4e4, "range": 15.0, "devices": some, "channel": "c1", "transmit_energy": 1e-7, "loss": 0.1},
    ]
    links: list[dict[str, Any]] = []
    for _ in range(int(rng.integers(0, 4))):
        a, b = (str(x) for x in rng.choice(names, 2, replace=False))
        up, down = (float(rate) for rate in rng.uniform(1e4, 1e7, 2))
        link = {"between": (a, b), "rate": {"up": up, "down": down} if rng.random() < 0.5 else up}
        link |= {"latency": float(rng.choice([0.0, 0.05, 1.0])), "loss": float(rng.choice([0.0, 0.2]))}
        if not any(set(link["between"]) == set(other["between"]) for other in links):
            links.append(link)
    services = [{"name": "s", "model": "net", "source": "d0"}]
    compiled = compiled_from(devices, services, network={"radios": tuple(radios), "links": tuple(links)})
    points = {d["name"]: (*d["position"], 0.0)[:3] for d in devices if "position" in d}
    arcs: list[dict[str, Any]] = []
    for radio in radios:
        carriers = radio.get("devices", tuple(points))
        for a in carriers:
            for b in carriers:
                if a != b and math.dist(points[a], points[b]) < radio["range"]:
                    arrives = 1.0 - radio.get("loss", 0.0)
                    rate = radio["rate"] * radio.get("goodput", 1.0) * arrives
                    energy = radio["transmit_energy"] / arrives
                    arcs.append({"a": a, "b": b, "rate": rate, "latency": radio.get("latency", 0.0), "energy": energy})
    for link in links:
        a, b = link["between"]
        rates = link["rate"] if isinstance(link["rate"], dict) else {"up": link["rate"], "down": link["rate"]}
        for x, y, nominal in ((a, b, rates["up"]), (b, a, rates["down"])):
            rate = nominal * (1.0 - link["loss"])
            arcs.append({"a": x, "b": y, "rate": rate, "latency": link["latency"], "energy": math.nan})
    return compiled.topology, arcs


def graph(
    topology: Topology, arcs: list[dict[str, Any]], size: float, zone: frozenset[int] | None = None
) -> nx.DiGraph:
    allowed = set(topology.names) if zone is None else {topology.names[i] for i in zone}
    result = nx.DiGraph()
    result.add_nodes_from(topology.names)
    for arc in arcs:
        if {arc["a"], arc["b"]} <= allowed:
            seconds = size / arc["rate"] + arc["latency"]
            old = result.get_edge_data(arc["a"], arc["b"], {"seconds": math.inf})["seconds"]
            result.add_edge(arc["a"], arc["b"], seconds=min(old, seconds))
    return result


@pytest.mark.parametrize("seed", range(40))
def test_hops_and_routes(seed: int) -> None:
    topology, arcs = random_topology(seed)
    names = topology.names
    hops = dict(nx.all_pairs_shortest_path_length(graph(topology, arcs, 1.0)))
    for i, a in enumerate(names):
        for j, b in enumerate(names):
            assert topology.hop_counts[i, j] == hops[a].get(b, math.inf)
    zone = frozenset(i for i in range(len(names)) if (seed + i) % 3)
    for size in (0.0, 1e-300, 1.0, 5e3, 1e6, 1e12):
        for area in (None, zone):
            routes = topology.routes(size, area)
            assert topology.routes(size, area) is routes
            # an empty tensor goes the way of one byte, and pays only latency on it
            reference = graph(topology, arcs, size or 1.0, area)
            best = dict(nx.all_pairs_dijkstra_path_length(reference, weight="seconds"))
            for i, a in enumerate(names):
                for j, b in enumerate(names):
                    if b not in best[a]:
                        assert routes.seconds[i, j] == math.inf
                        with pytest.raises(ValueError, match="cannot be reached"):
                            routes.path(i, j)
                        continue
                    path = routes.path(i, j)
                    assert (path[0], path[-1]) == (i, j)
                    used = [topology.arcs[arc] for arc in routes.arcs_of(i, j)]
                    assert [(arc.tail, arc.head) for arc in used] == list(zip(path, path[1:], strict=False))
                    assert area is None or set(path) <= area or i == j
                    along = sum(arc.seconds(size) for arc in used)
                    assert routes.seconds[i, j] == pytest.approx(along, rel=1e-12, abs=1e-300)
                    if size:
                        assert along == pytest.approx(best[a][b], rel=1e-9, abs=1e-300)
                    joules = sum(arc.energy * size for arc in used)
                    assert routes.joules[i, j] == pytest.approx(joules, rel=1e-12, abs=1e-300, nan_ok=True)


def test_range_is_strict_and_three_dimensional() -> None:
    devices = [
        {"name": "a", "type": "board", "position": (0.0, 0.0)},
        {"name": "b", "type": "board", "position": (7.5, 0.0)},
        {"name": "c", "type": "board", "position": (0.0, 0.0, 7.4)},
        {"name": "d", "type": "board"},
    ]
    network = {"radios": ({"rate": 1e6, "range": 7.5},)}
    compiled = compiled_from(devices, [{"name": "s", "model": "net", "source": "a"}], network=network)
    hops = compiled.topology.hop_counts
    assert hops[0, 1] == math.inf
    assert hops[0, 2] == 1
    assert hops[0, 3] == math.inf


def test_who_hears_whom() -> None:
    places = {"a": (0.0, 0.0), "b": (5.0, 0.0), "c": (9.0, 0.0)}
    devices = [{"name": name, "type": "board", "position": place} for name, place in places.items()]
    radio = {"rate": 1e6, "range": 6.0, "channel": "six"}
    compiled = compiled_from(
        devices, [{"name": "s", "model": "net", "source": "a"}], network={"radios": (radio, {**radio, "range": 1.0})}
    )
    assert compiled.topology.hears["six"].tolist() == [[True, True, False], [True, True, True], [False, True, True]]


def test_arcs_between_and_no_network() -> None:
    topology, _ = random_topology(3)
    for arc in topology.arcs:
        assert arc in topology.arcs_between(arc.tail, arc.head)
    assert sum(len(topology.arcs_between(i, j)) for i in range(14) for j in range(14)) == len(topology.arcs)
    alone = compiled_from([{"name": "a", "type": "board"}], [{"name": "s", "model": "net", "source": "a"}]).topology
    assert alone.hop_counts.tolist() == [[0]]
    assert alone.routes(0.0).seconds.tolist() == [[0]]
    assert alone.routes(5.0).joules.tolist() == [[0]]


def test_too_many_arcs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_ARCS", 10)
    devices = [{"name": f"d{i}", "type": "board", "position": (0.0, float(i))} for i in range(6)]
    with pytest.raises(InputError, match="too many"):
        compiled_from(
            devices, [{"name": "s", "model": "net", "source": "d0"}], network={"radios": ({"rate": 1.0, "range": 9.0},)}
        )


def test_up_and_down() -> None:
    """5 Mbit/s up and 50 down (iFogSim gives devices both apart, harshitgupta1337/fogsim issues 19 and 21)."""
    devices = [{"name": "gw", "type": "board"}, {"name": "cloud", "type": "board"}]
    link = {"between": ("gw", "cloud"), "rate": {"up": 5e6 / 8, "down": 50e6 / 8}, "latency": 0.02}
    services = [{"name": "s", "model": "net", "source": "gw"}]
    seconds = compiled_from(devices, services, network={"links": (link,)}).topology.routes(618_348.0).seconds
    assert seconds[0, 1] == pytest.approx(0.02 + 618_348 * 8 / 5e6)
    assert seconds[1, 0] == pytest.approx(0.02 + 618_348 * 8 / 50e6)
    lossy = compiled_from(devices, services, network={"links": ({**link, "loss": 0.2},)}).topology.routes(618_348.0)
    assert lossy.seconds[0, 1] == pytest.approx(0.02 + 618_348 * 8 / 5e6 / 0.8)
