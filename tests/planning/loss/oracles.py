"""What the relaxations are held against: enumeration, scipy's LP and fixed points, none of them the package's own."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import linprog

from placer.evaluation.evaluate import evaluate_placement
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.device import DeviceType
from placer.instance.library import Library
from placer.instance.model import Model
from placer.instance.resolving import resolve
from placer.instance.schema import InstanceFile
from placer.plan.placement import Placement
from placer.queueing.mg1k_exact import embedded
from tests.random_instances import every_placement

EXACT = {"runs", "allowed", "range", "privacy", "memory", "flash", "layers", "compute", "utilisation", "min_accuracy"}


def keeps_exact_limits(compiled: Compiled, placement: Placement) -> bool:
    return not any(check.kind in EXACT for check in evaluate_placement(compiled, placement, "deterministic").violations)


def feasible_placements(compiled: Compiled) -> list[Placement]:
    return [placement for placement in every_placement(compiled) if keeps_exact_limits(compiled, placement)]


def fluid_loss(compiled: Compiled, placement: Placement, phi: bool = False) -> float:
    """The fluid loss of a placement by scipy; with the exact first-station limit when ``phi`` (plain chains only)."""
    cost, upper, rows, limits = [], [], [], []
    busy: dict[int, dict[int, float]] = {}
    first: dict[int, dict[int, float]] = {}
    mass = compiled.weight * np.nan_to_num(compiled.rate)
    for service, (choice, stations) in enumerate(zip(placement.choice, placement.stations, strict=True)):
        rate = compiled.rate[service]
        if not rate > 0:
            continue
        variant = compiled.variants[choice]
        ways = [(layer, share) for layer, share, _ in variant.exits] + [(len(variant) - 1, variant.run[-1])]
        for last, share in ways:
            column = len(cost)
            cost.append(-mass[service] / mass.sum())
            upper.append(share)
            for layer in range(last + 1):
                load = rate * variant.time[layer, stations[layer]]
                row = busy.setdefault(stations[layer], {})
                row[column] = row.get(column, 0.0) + load
            first.setdefault(stations[0], {})[column] = rate * variant.time[0, stations[0]]
    if not cost:
        return 0.0
    for row in busy.values():
        rows.append([row.get(column, 0.0) for column in range(len(cost))])
        limits.append(1.0)
    if phi:  # each stream that begins at a station is accepted at most as M/D/1/K accepts all of them
        for station, row in first.items():
            K = np.array([compiled.instance.devices[compiled.stations[station].device].buffer])
            rho = np.array([sum(row.values())])
            share = 1 - embedded(K, np.zeros(1, dtype=int), np.ones(1), rho, np.zeros(1)).loss[0]
            for column in row:
                upper[column] = min(upper[column], share)
    answer = linprog(cost, A_ub=rows, b_ub=limits, bounds=list(zip(itertools.repeat(0.0), upper, strict=False)))
    assert answer.status == 0
    return 1.0 + float(answer.fun)


def thinned_loss(compiled: Compiled, placements: Sequence[Placement]) -> Any:
    """Loss of plain chains when each station is an exact M/D/1/K with thinned Poisson arrivals, shape (P,)."""
    D, P = len(compiled.stations), len(placements)
    K = np.array([compiled.instance.devices[place.device].buffer for place in compiled.stations])
    jobs = []  # per placement and chain: runs of (station, seconds)
    for placement in placements:
        chains = []
        for variant, stations in zip(compiled.variants, placement.stations, strict=True):
            runs: list[list[float]] = []
            for layer, station in enumerate(stations):
                if runs and runs[-1][0] == station:
                    runs[-1][1] += variant.time[layer, station]
                else:
                    runs.append([station, variant.time[layer, station]])
            chains.append(runs)
        jobs.append(chains)
    loss = np.zeros((P, D))
    for sweep in range(400):
        rho = np.zeros((P, D))
        done = np.zeros((P, len(compiled.rate)))
        for p, chains in enumerate(jobs):
            for c, runs in enumerate(chains):
                flow = compiled.rate[c]
                for station, seconds in runs:
                    rho[p, int(station)] += flow * seconds
                    flow *= 1 - loss[p, int(station)]
                done[p, c] = flow
        exact = embedded(np.tile(K, P), np.arange(P * D), np.ones(P * D), rho.ravel(), np.zeros(P * D))
        step = exact.loss.reshape(P, D) - loss
        if np.abs(step).max() < 1e-9:
            break
        loss += step * (1.0 if sweep < 15 else 0.5)
    else:
        raise AssertionError("no fixed point")
    return 1 - done @ compiled.weight / (compiled.rate @ compiled.weight)


def chains_on(
    devices: Sequence[dict[str, Any]], chains: Sequence[dict[str, Any]], type_: dict[str, Any] | None = None
) -> Compiled:
    """An instance of chains: devices have overrides, chains ``work`` in seconds on a device of speed 1e9."""
    library = Library(None)
    kind: dict[str, Any] = {"format": "placer/device-type/1", "name": "kind", "source": "test", "memory": 1e9}
    kind |= {"units": ({"name": "cpu", "speed": 1e9, **(type_ or {})},)}
    library.entries["device type", "kind"] = DeviceType.model_validate(kind)
    services = []
    for index, chain in enumerate(chains):
        layers = tuple(
            {"name": f"f{i}", "compute": seconds * 1e9, "weights": 1e6, "output": 0.0}
            for i, seconds in enumerate(chain["work"])
        )
        model = {"format": "placer/model/1", "name": f"m{index}", "source": "test", "input": 0.0, "layers": layers}
        library.entries["model", f"m{index}"] = Model.model_validate(model)
        rest = {key: value for key, value in chain.items() if key != "work"}
        services.append({"name": f"c{index}", "model": f"m{index}", "source": "d0", **rest})
    data = {
        "format": "placer/instance/1",
        "name": "chains",
        "devices": tuple(
            {"name": f"d{i}", "type": "kind", "position": (0.0, 0.0), **extra} for i, extra in enumerate(devices)
        ),
        "network": {"radios": ({"rate": 1e9, "range": 1.0},)},
        "services": tuple(services),
    }
    return compile_instance(resolve(InstanceFile.model_validate(data), library))
