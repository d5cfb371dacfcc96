"""Small random instances for oracles: chains and DAGs, exits, several services, alternatives, limits, pins, zones."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from placer.instance.compiled import Compiled, compile_instance
from placer.instance.device import DeviceType
from placer.instance.library import Library
from placer.instance.model import Model, gate_layers
from placer.instance.resolving import resolve
from placer.instance.runtime import Runtime
from placer.instance.schema import InstanceFile
from placer.plan.placement import Placement

Rng = np.random.Generator


def random_graph(rng: Rng, layers: int, dag: bool) -> dict[str, Any]:
    items: list[dict[str, Any]] = []
    for index in range(layers):
        item: dict[str, Any] = {
            "name": f"l{index}",
            "compute": float(rng.integers(1, 40)) * 1e6,
            "weights": float(rng.integers(1, 60)) * 1e6,
            "output": float(rng.integers(1, 200)) * 1e3,
        }
        if rng.random() < 0.4:
            item["activations"] = float(rng.integers(1, 20)) * 1e6
        if dag and index > 0:
            pool = ["input", *(f"l{i}" for i in range(index))]
            many = int(rng.integers(1, 3))
            recent = [pool[-1]] if rng.random() < 0.5 else []
            chosen = [*recent, *rng.choice(pool, size=min(many, len(pool)), replace=False)]
            item["inputs"] = tuple(dict.fromkeys(str(name) for name in chosen))
        items.append(item)
    _measure(rng.spawn(1)[0], items)
    graph: dict[str, Any] = {"layers": tuple(items), "input": float(rng.integers(1, 400)) * 1e3}
    if rng.random() < 0.4:
        graph["runtime_memory"] = 5e6
    return graph


def _measure(rng: Rng, items: list[dict[str, Any]]) -> None:
    """Give some layers a measured energy; drawn apart, so that all else stays what it was without."""
    if rng.random() < 0.4:
        for item in items:
            kinds = [kind for kind in ("kind-0", "kind-1", "kind-1/npu") if rng.random() < 0.5]
            item["energy"] = {kind: float(rng.uniform(0.0, 0.4)) for kind in kinds}


def random_model(rng: Rng, name: str, layers: int, dag: bool, exits: bool, alternatives: int) -> Model:
    graphs = []
    for number in range(alternatives):
        graph = random_graph(rng, layers - (number if layers > 2 else 0), dag)
        probe = Model.model_validate({"format": "placer/model/1", "name": name, "source": "random", **graph})
        gates = gate_layers(probe.alternatives[0].predecessors())
        free = [gate for gate in gates if gate < len(graph["layers"]) - 1]
        if exits and free:
            count = int(rng.integers(1, min(2, len(free)) + 1))
            picked = sorted(int(gate) for gate in rng.choice(free, size=count, replace=False))
            graph["exits"] = tuple({"after": f"l{gate}", "share": float(rng.uniform(0.05, 0.45))} for gate in picked)
        graphs.append({"name": f"a{number}", **graph})
    return Model.model_validate(
        {"format": "placer/model/1", "name": name, "source": "random", "alternatives": tuple(graphs)}
    )


def random_instance(seed: int, largest: int = 20_000, crowded: bool = False, site: bool = False) -> Compiled:
    """A random instance compiled, see :func:`random_parts`."""
    data, library = random_parts(seed, largest, crowded, site)
    return compile_instance(resolve(InstanceFile.model_validate(data), library))


def random_parts(
    seed: int, largest: int = 20_000, crowded: bool = False, site: bool = False
) -> tuple[dict[str, Any], Library]:
    """The data of a random instance with at most ``largest`` placements before limits, and what it refers to.

    Crowded, everything is the same but for arrivals of every service, at such rates that links and channels can be full
    before compute units are. A site has what installations have besides, see :func:`_as_a_site`.
    """
    rng = np.random.default_rng(seed)
    devices = int(rng.integers(2, 5))
    services = int(rng.integers(1, 3))
    budget = np.log(largest) / np.log(devices + 0.5)
    layers = max(2, min(5, int(budget / services)))
    library = Library(None)
    for number in range(2):
        units = [{"name": "cpu", "speed": float(rng.uniform(50e6, 900e6))}]
        if number == 1 and rng.random() < 0.3 and devices < 4 and services == 1:
            units.append(
                {
                    "name": "npu",
                    "speed": float(rng.uniform(1e9, 4e9)),
                    "memory": float(rng.integers(40, 120)) * 1e6,
                }
            )
        kind: dict[str, Any] = {
            "format": "placer/device-type/1",
            "name": f"kind-{number}",
            "source": "random",
            "memory": float(rng.integers(60, 400)) * 1e6,
            "units": tuple(units),
            "power": {"idle": 1.0, "load": float(rng.uniform(1.5, 6.0))},
        }
        if rng.random() < 0.2:
            kind["flash"] = float(rng.integers(80, 300)) * 1e6
        library.entries["device type", f"kind-{number}"] = DeviceType.model_validate(kind)
    names = [f"d{index}" for index in range(devices)]
    inventory = [
        {
            "name": name,
            "type": f"kind-{int(rng.integers(0, 2))}",
            "position": (float(rng.uniform(0, 20)), float(rng.uniform(0, 20))),
        }
        for name in names
    ]
    radio: dict[str, Any] = {
        "rate": float(rng.uniform(1e5, 9e6)),
        "range": float(rng.uniform(8, 25)),
        "transmit_energy": 4e-8,
        "latency": float(rng.choice([0.0, 0.005])),
    }
    if rng.random() < 0.3:
        radio["channel"] = "one"
    links = [{"between": (names[0], names[-1]), "rate": 1e6, "latency": 0.01, "transmit_energy": 1e-8}]
    stream: list[dict[str, Any]] = []
    for index in range(services):
        dag, exits = bool(rng.random() < 0.5), bool(rng.random() < 0.5)
        library.entries["model", f"m{index}"] = random_model(
            rng, f"m{index}", layers, dag, exits, 2 if rng.random() < 0.25 else 1
        )
        service: dict[str, Any] = {
            "name": f"s{index}",
            "model": f"m{index}",
            "source": str(rng.choice(names)),
        }
        if rng.random() < 0.5:
            service["sink"] = str(rng.choice(names))
        if rng.random() < 0.7:
            service["arrivals"] = {"rate": float(rng.uniform(0.2, 4.0))}
        if crowded:
            share = 1.0 if index else 0.6
            service["arrivals"] = {"rate": share * radio["rate"] / 4e5}
        if rng.random() < 0.3:
            service["pins"] = {"l1": tuple(str(n) for n in rng.choice(names, size=2, replace=False))}
        if rng.random() < 0.3:
            service["forbid"] = {"l0": (str(rng.choice(names)),)}
        if rng.random() < 0.25:
            service["privacy"] = {"until": "l1", "zone": (service["source"], str(rng.choice(names)))}
        if rng.random() < 0.3:
            service["deadline"] = float(rng.uniform(0.2, 2.0))
        if rng.random() < 0.3:
            service["weight"] = 2.0
        stream.append(service)
    limits: dict[str, Any] = {}
    if rng.random() < 0.5:
        limits["layers"] = int(rng.integers(1, 4))
    if rng.random() < 0.4 and not crowded:
        limits["utilisation"] = 0.8
    data = {
        "format": "placer/instance/1",
        "name": f"random-{seed}",
        "devices": tuple(inventory),
        "network": {"radios": (radio,), "links": tuple(links)},
        "services": tuple(stream),
        "limits": limits,
    }
    if site:
        models = {f"m{index}": library.model(f"m{index}") for index in range(services)}
        _as_a_site(np.random.default_rng(seed + 10**6), data, models)
        _served(np.random.default_rng(seed + 2 * 10**6), data, models, library)
    return data, library


def _as_a_site(rng: Rng, data: dict[str, Any], models: dict[str, Model]) -> None:
    """Directions of links and loss of packets; services of one model, which share weights or do not; servers;
    limits on devices and fragments; pins by patterns; inputs as they travel."""
    (link,), (radio,) = data["network"]["links"], data["network"]["radios"]
    link["rate"] = {"up": float(rng.uniform(2e5, 2e6)), "down": float(rng.uniform(2e5, 2e7))}
    for device in data["devices"]:
        if rng.random() < 0.4:
            device["servers"] = int(rng.integers(2, 4))
    services = data["services"]
    if len(services) > 1 and rng.random() < 0.7:
        services[1]["model"] = services[0]["model"]
        for service in services:
            service["share"] = bool(rng.random() < 0.8)
            for key in ("pins", "forbid", "privacy"):
                if key in services[1] and rng.random() < 0.5:
                    services[1].pop(key)
    for service in services:
        model = models[service["model"]]
        in_a_row = all(
            sources == [index - 1] for graph in model.alternatives for index, sources in enumerate(graph.predecessors())
        )
        if rng.random() < 0.3:
            service["input"], service["decode"] = float(rng.integers(1, 90)) * 1e3, float(rng.choice([0.0, 0.02]))
        if rng.random() < 0.25:
            service["max_devices"] = int(rng.integers(1, 3))
        if rng.random() < 0.3:
            service["contiguous"] = True
        if in_a_row and rng.random() < 0.4:
            service["max_fragments"] = int(rng.integers(1, 4))
        if "pins" not in service and rng.random() < 0.2:
            key = str(rng.choice(["l0..l1", "l*", "first 2", "last 1"]))
            service["pins"] = {key: tuple(str(n) for n in rng.choice(["d0", "d1", "d*"], size=2))}
    link["loss"], radio["loss"] = float(rng.choice([0.0, 0.3])), float(rng.choice([0.0, 0.1]))


def _served(rng: Rng, data: dict[str, Any], models: dict[str, Model], library: Library) -> None:
    """Inference runtimes of devices and services, and what containers take."""
    for name, memory, container in (("heavy", 18e6, 4e6), ("light", 3e6, 0.0)):
        runtime = {"format": "placer/runtime/1", "name": name, "source": "random", "memory": memory}
        library.entries["runtime", name] = Runtime.model_validate({**runtime, "container": container})
    for device in data["devices"]:
        if rng.random() < 0.4:
            device["runtime"] = str(rng.choice(["heavy", "light"]))
        if rng.random() < 0.3:
            device["container"] = float(rng.integers(0, 7)) * 1e6
    named = rng.random() < 0.4
    for service in data["services"]:
        stated = any(graph.runtime_memory is not None for graph in models[service["model"]].alternatives)
        if named and not stated:
            service["runtime"] = "heavy" if rng.random() < 0.9 else "light"


def every_placement(compiled: Compiled) -> Iterator[Placement]:
    """All assignments of layers to stations, for every choice of alternatives."""
    stations = range(len(compiled.stations))
    per_service = [
        [
            (index, assignment)
            for index in group
            for assignment in itertools.product(stations, repeat=len(compiled.variants[index]))
        ]
        for group in compiled.service_variants
    ]
    for combination in itertools.product(*per_service):
        yield Placement(tuple(c for c, _ in combination), tuple(s for _, s in combination))


def with_models(rng: Rng, models: dict[str, Model], devices: int) -> Compiled:
    """A random site of a few devices, some with two units, in reach of each other; a service of each model.

    No limit couples anything: rates, memories and deadlines are left out or large.
    """
    library = Library(None)
    for name, model in models.items():
        library.entries["model", name] = model
    for number in range(2):
        units = [{"name": f"u{unit}", "speed": float(rng.uniform(50e6, 900e6))} for unit in range(1 + number)]
        kind = {
            "format": "placer/device-type/1",
            "name": f"kind-{number}",
            "source": "random",
            "memory": 1e12,
            "units": tuple(units),
            "power": {"idle": 1.0, "load": float(rng.uniform(1.5, 6.0))},
        }
        library.entries["device type", f"kind-{number}"] = DeviceType.model_validate(kind)
    names = [f"d{index}" for index in range(devices)]
    inventory = [{"name": name, "type": f"kind-{int(rng.random() < 0.3)}", "position": (0.0, 0.0)} for name in names]
    radio = {
        "rate": float(rng.uniform(1e5, 9e6)),
        "range": 10.0,
        "transmit_energy": float(rng.choice([4e-9, 4e-8])),
        "latency": float(rng.choice([0.0, 0.005])),
    }
    links = [{"between": (names[0], names[-1]), "rate": 20e6, "latency": 0.001, "transmit_energy": 1e-9}]
    stream = [
        {"name": f"s-{name}", "model": name, "source": str(rng.choice(names)), "sink": str(rng.choice(names))}
        for name in models
    ]
    file = InstanceFile.model_validate(
        {
            "format": "placer/instance/1",
            "name": "uncoupled",
            "devices": tuple(inventory),
            "network": {"radios": (radio,), "links": tuple(links)},
            "services": tuple(stream),
        }
    )
    return compile_instance(resolve(file, library))
