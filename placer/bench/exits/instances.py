"""Small random instances whose services let the planner choose their exits; every accuracy in them is assumed."""

from __future__ import annotations

from typing import Any

import numpy as np

from placer.instance.compiled import Compiled, compile_instance
from placer.instance.device import DeviceType
from placer.instance.library import Library
from placer.instance.model import Model
from placer.instance.resolving import resolve
from placer.instance.schema import InstanceFile

SOURCE = "random, placer/bench/exits_instances.py"
WORK = 1e9


def generate(seed: int, *, variants: bool = False, services: int | None = None, devices: int | None = None) -> Compiled:
    """Chains of three layers with one or two exits on two or three devices with small buffers; two services at times.

    Args:
        seed: of everything that is drawn.
        services, devices: how many; drawn when None.
        variants: give each model a second alternative of half the work and lower accuracy: a pruned one.
    """
    rng = np.random.default_rng([seed, 77])
    library = Library(None)
    devices, services = devices or int(rng.integers(2, 4)), services or int(rng.integers(1, 3))
    places: list[dict[str, Any]] = []
    for index in range(devices):
        unit = {"name": "cpu", "speed": float(rng.uniform(0.5, 2.0)) * WORK}
        kind = {"format": "placer/device-type/1", "name": f"type-{index}", "source": SOURCE, "units": (unit,)}
        library.entries["device type", f"type-{index}"] = DeviceType.model_validate(
            {**kind, "memory": float(rng.integers(3, 6)) * 1e6}
        )
        buffer = int(rng.integers(2, 12))
        places.append({"name": f"d{index}", "type": f"type-{index}", "position": (0.0, 0.0), "buffer": buffer})
    streams = []
    for index in range(services):
        name = f"model-{index}"
        library.entries["model", name] = Model.model_validate(
            {"format": "placer/model/1", "name": name, "source": SOURCE, **_graphs(rng, variants)}
        )
        streams.append(
            {
                "name": f"s{index}",
                "model": name,
                "source": "d0",
                "arrivals": {"rate": float(rng.uniform(0.4, 1.2))},
                "max_loss": float(rng.choice([0.01, 0.05])),
                "choose_exits": True,
            }
        )
    data = {
        "format": "placer/instance/1",
        "name": f"exits-{seed}",
        "devices": tuple(places),
        "network": {"radios": ({"rate": 1e6, "range": 1.0, "latency": 0.01},)},
        "services": tuple(streams),
        "objective": ("accuracy",),
    }
    return compile_instance(resolve(InstanceFile.model_validate(data), library))


def _graphs(rng: np.random.Generator, variants: bool) -> dict[str, Any]:
    work = rng.uniform(0.2, 1.0, 3) * WORK
    gates = [0, 1] if rng.random() < 0.5 else [0]
    accuracy = np.sort(rng.uniform(0.5, 0.97, 3))
    graphs = []
    for name, speed, lost in (("plain", 1.0, 0.0), ("pruned", 0.5, 0.03))[: 2 if variants else 1]:
        layers = tuple(
            {"name": f"f{i}", "compute": float(w * speed), "weights": 1e6 * speed, "output": 1e4}
            for i, w in enumerate(work)
        )
        exits = tuple(
            {"after": f"f{i}", "share": 0.4, "accuracy": float(accuracy[i] - lost), "assumed": ("accuracy",)}
            for i in gates
        )
        final = {"accuracy": float(accuracy[2] - lost), "accuracy_source": SOURCE, "assumed": ("accuracy",)}
        graphs.append({"name": name, "input": 2e4, "layers": layers, "exits": exits, **final})
    return {"alternatives": tuple(graphs)}
