"""Random instances for loss-aware placement: chains on devices with finite buffers and finite memory.

Arrivals, service times and buffers are drawn as in the public ChainNet data (Niu, Roveri, Casale, DSN 2024):
inter-arrival times U(.1, 10) s, service times U(0, 2) s, buffers U{1..50}. Beyond it devices differ in speed (factor
U(.5, 2)) and have memory: a layer needs U(1, 10) MB, and a device has room for U(1, 3) times its share of all layers,
but always for one. The network costs nothing, as there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.instance.compiled import Compiled, compile_instance
from placer.instance.device import DeviceType
from placer.instance.library import Library
from placer.instance.model import Model
from placer.instance.resolving import resolve
from placer.instance.schema import InstanceFile

MB = 1e6
WORK = 1e9
"""Multiply-accumulates that a device of speed factor 1 does in a second; only ratios matter."""
SOURCE = "random, placer/bench/loss_instances.py"


@dataclass(frozen=True)
class Spec:
    """A random instance by its seed and size.

    Attributes:
        seed: of everything that is drawn.
        devices, chains: how many.
        fragments: layers per chain, (least, most).
        busiest: smallest mean inter-arrival time in s.
        buffers: largest buffer.
    """

    seed: int
    devices: int
    chains: int
    fragments: tuple[int, int]
    busiest: float = 0.1
    buffers: int = 50

    @property
    def name(self) -> str:
        """Name of the instance."""
        return f"loss-{self.devices}x{self.chains}x{self.fragments[1]}-{self.seed}"


def generate(spec: Spec) -> Compiled:
    """Return the compiled instance of a specification."""
    rng = np.random.default_rng([spec.seed, spec.devices, spec.chains, spec.fragments[1]])
    library = Library(None)
    lengths = rng.integers(spec.fragments[0], spec.fragments[1] + 1, spec.chains)
    gaps = rng.uniform(spec.busiest, 10.0, spec.chains)
    total = 0.0
    for chain, length in enumerate(lengths):
        memory = rng.uniform(1.0, 10.0, length) * MB
        work = rng.uniform(0.0, 2.0, length) * WORK
        total += float(memory.sum())
        layers = tuple(
            {"name": f"f{i}", "compute": float(w), "weights": float(m), "output": 0.0}
            for i, (w, m) in enumerate(zip(work, memory, strict=True))
        )
        model = {"format": "placer/model/1", "name": f"chain-{chain}", "source": SOURCE, "input": 0.0, "layers": layers}
        library.entries["model", f"chain-{chain}"] = Model.model_validate(model)
    speed = rng.uniform(0.5, 2.0, spec.devices)
    memory = np.maximum(rng.uniform(1.0, 3.0, spec.devices) * total / spec.devices, 10.0 * MB)
    buffers = rng.integers(1, spec.buffers + 1, spec.devices)
    devices = []
    for index in range(spec.devices):
        unit = {"name": "cpu", "speed": float(speed[index]) * WORK}
        kind = {"format": "placer/device-type/1", "name": f"type-{index}", "source": SOURCE, "units": (unit,)}
        library.entries["device type", f"type-{index}"] = DeviceType.model_validate(
            {**kind, "memory": float(memory[index])}
        )
        place = {"name": f"d{index}", "type": f"type-{index}", "position": (0.0, 0.0), "buffer": int(buffers[index])}
        devices.append(place)
    services = tuple(
        {
            "name": f"c{chain}",
            "model": f"chain-{chain}",
            "source": f"d{int(rng.integers(spec.devices))}",
            "arrivals": {"rate": float(1.0 / gap)},
        }
        for chain, gap in enumerate(gaps)
    )
    data = {
        "format": "placer/instance/1",
        "name": spec.name,
        "devices": tuple(devices),
        "network": {"radios": ({"rate": 1e9, "range": 1.0},)},
        "services": services,
    }
    return compile_instance(resolve(InstanceFile.model_validate(data), library))
