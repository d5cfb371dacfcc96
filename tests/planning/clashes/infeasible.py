"""Random small instances whose limits were tightened, and what holds together by looking at every placement."""

from __future__ import annotations

import copy
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from placer.evaluation.evaluate import evaluate_placement
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.library import Library
from placer.instance.resolving import resolve
from placer.instance.schema import InstanceFile
from placer.plan.placement import Placement
from placer.planning.clashes.deployed import Deployed
from placer.planning.clashes.families import MOVES, Group
from placer.planning.clashes.relaxing import Relaxing
from tests.random_instances import every_placement, random_parts

Rng = np.random.Generator
KINDS = (
    *("memory", "unit-memory", "flash", "utilisation", "compute", "layers", "airtime", "links", "range", "deadline"),
    *("accuracy", "places", "stretched", "moves"),
)


@dataclass(frozen=True, eq=False)
class Case:
    """An instance as data, with what it refers to.

    Attributes:
        data, library: the instance.
        compiled: the same, compiled.
        deployed: what is there already.
    """

    data: dict[str, Any]
    library: Library
    compiled: Compiled
    deployed: Deployed | None


def compiled_of(data: dict[str, Any], library: Library) -> Compiled:
    """Compile plain data."""
    return compile_instance(resolve(InstanceFile.model_validate(data), library))


def tightened(seed: int, largest: int = 60) -> Case:
    """A random instance with one to three kinds of limits tightened; it may be feasible all the same."""
    rng = np.random.default_rng([seed, 77])
    data, library = random_parts(seed, largest, crowded=bool(rng.random() < 0.35), site=bool(rng.random() < 0.4))
    data = copy.deepcopy(data)
    kinds = rng.choice(KINDS, size=int(rng.choice([1, 1, 2, 3])), replace=False)
    if rng.random() < 0.6:  # so that what is tightened clashes, not what the instance has besides
        data["limits"] = {}
        for service in data["services"]:
            for field in ("pins", "forbid", "privacy", "deadline"):
                service.pop(field, None)
    for kind in kinds:
        if kind != "moves":
            _TIGHTEN[str(kind)](rng, data, library)
    compiled = compiled_of(data, library)
    deployed = None
    if "moves" in kinds:
        every = list(every_placement(compiled))
        deployed = Deployed(every[int(rng.integers(len(every)))], int(rng.integers(0, 2)))
    return Case(data, library, compiled, deployed)


def _types(rng: Rng, library: Library, field: str, low: float, high: float) -> None:
    for key, kind in list(library.entries.items()):
        if key[0] == "device type":
            library.entries[key] = kind.model_copy(update={field: float(rng.uniform(low, high))})


def _memory(rng: Rng, data: dict[str, Any], library: Library) -> None:
    _types(rng, library, "memory", 10e6, 90e6)
    for device in data["devices"]:
        if rng.random() < 0.4:
            device["reserve"] = {"memory": float(rng.uniform(0.1e6, 9e6))}


def _unit_memory(rng: Rng, data: dict[str, Any], library: Library) -> None:
    for key, kind in list(library.entries.items()):
        if key[0] == "device type":
            units = tuple(unit.model_copy(update={"memory": float(rng.uniform(5e6, 60e6))}) for unit in kind.units)
            library.entries[key] = kind.model_copy(update={"units": units})


def _flash(rng: Rng, data: dict[str, Any], library: Library) -> None:
    _types(rng, library, "flash", 10e6, 90e6)


def _arrivals(rng: Rng, data: dict[str, Any], low: float, high: float) -> None:
    for service in data["services"]:
        service["arrivals"] = {"rate": float(rng.uniform(low, high))}


def _utilisation(rng: Rng, data: dict[str, Any], library: Library) -> None:
    data["limits"]["utilisation"] = float(rng.uniform(0.02, 0.6))
    _arrivals(rng, data, 1.0, 6.0)


def _compute(rng: Rng, data: dict[str, Any], library: Library) -> None:
    for device in data["devices"]:
        device["max_compute"] = float(rng.uniform(2e6, 40e6))


def _layers(rng: Rng, data: dict[str, Any], library: Library) -> None:
    for device in data["devices"]:
        device["layers"] = 1


def _airtime(rng: Rng, data: dict[str, Any], library: Library) -> None:
    data["limits"]["airtime"] = float(rng.uniform(0.001, 0.3))
    data["network"]["links"] = ()
    _arrivals(rng, data, 1.0, 6.0)


def _links(rng: Rng, data: dict[str, Any], library: Library) -> None:
    data["limits"]["links"] = float(rng.uniform(0.001, 0.3))
    data["network"]["radios"] = ()
    _arrivals(rng, data, 1.0, 6.0)


def _range(rng: Rng, data: dict[str, Any], library: Library) -> None:
    for radio in data["network"]["radios"]:
        radio["range"] = float(rng.uniform(1.0, 9.0))
    if rng.random() < 0.7:
        data["network"]["links"] = ()


def _deadline(rng: Rng, data: dict[str, Any], library: Library) -> None:
    for service in data["services"]:
        if rng.random() < 0.8:
            service["deadline"] = float(rng.uniform(0.01, 0.4))


def _accuracy(rng: Rng, data: dict[str, Any], library: Library) -> None:
    for key, model in list(library.entries.items()):
        if key[0] == "model":
            graphs = tuple(
                graph.model_copy(
                    update={
                        "accuracy": float(rng.uniform(0.5, 0.95)),
                        "exits": tuple(
                            e.model_copy(update={"accuracy": float(rng.uniform(0.3, 0.9))}) for e in graph.exits
                        ),
                    }
                )
                for graph in model.alternatives
            )
            library.entries[key] = model.model_copy(update={"alternatives": graphs})
    for service in data["services"]:
        service["min_accuracy"] = float(rng.uniform(0.5, 0.95))


def _places(rng: Rng, data: dict[str, Any], library: Library) -> None:
    names = [device["name"] for device in data["devices"]]
    for service in data["services"]:
        service["pins"] = {"l0": (str(rng.choice(names)),), "l1": (str(rng.choice(names)),)}
        if rng.random() < 0.5:
            service["forbid"] = {"l0": (str(rng.choice(names)),)}
        if rng.random() < 0.5:
            service["privacy"] = {"until": "l1", "zone": (service["source"],)}


def _stretched(rng: Rng, data: dict[str, Any], library: Library) -> None:
    for device in data["devices"]:
        if rng.random() < 0.7:
            device["layers"] = int(rng.integers(1, 3))
    for service in data["services"]:
        service["max_devices"] = 1
        service["contiguous"] = bool(rng.random() < 0.5)


_TIGHTEN = {
    "memory": _memory,
    "unit-memory": _unit_memory,
    "flash": _flash,
    "utilisation": _utilisation,
    "compute": _compute,
    "layers": _layers,
    "airtime": _airtime,
    "links": _links,
    "range": _range,
    "deadline": _deadline,
    "accuracy": _accuracy,
    "places": _places,
    "stretched": _stretched,
}


def anything(compiled: Compiled, deployed: Deployed | None = None) -> Placement | None:
    """A placement that the one evaluator finds feasible, by looking at every one."""
    for placement in every_placement(compiled):
        if deployed is not None and deployed.moved(placement) > deployed.most:
            continue
        if evaluate_placement(compiled, placement, "deterministic").feasible:
            return placement
    return None


def together(case: Case, every: Collection[Group], held: Collection[Group]) -> bool:
    """Whether some placement keeps these limits: those of files without the others, or, where a range is among the
    others, of arrays without them."""
    lifted = set(every) - set(held)
    deployed = case.deployed if MOVES in held else None
    if any(kind == "range" for kind, _ in lifted):
        return anything(Relaxing(case.compiled, tuple(every)).held(held), deployed) is not None
    return anything(_without(case, lifted), deployed) is not None


def _without(case: Case, lifted: Collection[Group]) -> Compiled:
    """The instance of a file from which limits were taken out."""
    data, library = copy.deepcopy(case.data), Library(None)
    library.entries.update(case.library.entries)
    devices = {device["name"]: device for device in data["devices"]}
    services = {service["name"]: service for service in data["services"]}
    limits = data["limits"]
    for name in ("layers", "utilisation"):  # common limits become those of each device
        if (common := limits.pop(name, None)) is not None:
            for device in devices.values():
                device.setdefault(name, common)
    some = {"airtime": set(), "link": set()}
    for kind, subject in lifted:
        if kind in ("memory", "flash"):
            device = devices[subject]
            own = library.device_type(device["type"])
            units = own.units
            if kind == "memory":
                units = tuple(
                    unit.model_copy(update={"memory": None if unit.memory is None else 1e14}) for unit in units
                )
            name = f"{device['type']}-without-{kind}-{subject}"
            library.entries["device type", name] = own.model_copy(update={"units": units, kind: 1e14, "name": name})
            device["type"] = name
            device.pop(kind, None)
        elif kind in ("layers", "utilisation"):
            devices[subject].pop(kind, None)
        elif kind == "compute":
            devices[subject]["max_compute"] = 1e17
        elif kind == "allowed":
            for field in ("pins", "forbid", "privacy"):
                services[subject].pop(field, None)
        elif kind in some:
            some[kind].add(subject)
        elif kind != "max_moves":
            services[subject].pop(kind, None)
    compiled = compiled_of(data, library)
    return _carried(compiled, some["airtime"] | some["link"])


def _carried(compiled: Compiled, names: set[str]) -> Compiled:
    """A file has one limit for all channels and one for all links: single ones are lifted in the arrays."""
    from dataclasses import replace

    return replace(compiled, unlimited=frozenset(names))
