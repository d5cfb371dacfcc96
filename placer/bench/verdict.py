"""Suite ``verdict``: verdicts on limits near the true value, against long simulations.

Random instances of a few devices and services (Poisson, periodic and modulated arrivals, service of scv 0 to 4, buffers
of 1 to 30) are placed at random. A long simulation says what one service really loses, or how long it really takes; a
limit is drawn around that, and the verdict is asked for. Rows: who decided, how long it took, whether it was right;
``right`` is null where the limit lies inside the interval of the long simulation. The summary holds the shares of wrong
and undecided verdicts and the median time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from placer.evaluation.analytic import queues_of
from placer.evaluation.deterministic import RouteBook
from placer.evaluation.evaluate import evaluate_placement
from placer.evaluation.queues import Labelled
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.device import DeviceType
from placer.instance.library import Library
from placer.instance.model import Model
from placer.instance.resolving import resolve
from placer.instance.schema import InstanceFile
from placer.plan.placement import Placement
from placer.simulation.runner import simulate

SUITE = "verdict"
INSTANCES = 500
JOBS, REPLICATIONS = 400_000, 20
"""Of the long simulation."""
SPREAD = 0.35
"""Standard deviation of the logarithm of limit over true value."""
LEAST, MOST = 1e-4, 0.5
"""True loss ratios that are asked about."""
SOURCE = "random, placer/bench/verdict.py"


@dataclass(frozen=True)
class Asked:
    """An instance without limits, its placement, and the limit to add.

    Attributes:
        data: plain data of the instance, without limits.
        library: what it refers to.
        placement: drawn at random.
        service: position of the service that gets the limit.
        kind: ``max_loss`` or ``deadline``.
        limit: a ratio, or s.
        true, half_width: by the long simulation.
    """

    data: dict[str, Any]
    library: Library
    placement: Placement
    service: int
    kind: str
    limit: float
    true: float
    half_width: float

    def compiled(self) -> Compiled:
        """The instance with its limit."""
        services = [dict(service) for service in self.data["services"]]
        services[self.service][self.kind] = self.limit
        return _compiled({**self.data, "services": tuple(services)}, self.library)


def run(*, limit: int | None = None, jobs: int = JOBS, seed: int = 0, **_: Any) -> Iterator[dict[str, Any]]:
    """Ask for verdicts.

    Args:
        limit: number of instances, ``INSTANCES`` when None.
        jobs: per replication of the long simulation.
        seed: of the first instance.
    """
    rows: list[dict[str, Any]] = []
    number = seed
    while len(rows) < (limit or INSTANCES):
        asked = draw(number, jobs)
        number += 1
        if asked is None:
            continue
        row = _row(asked, number - 1)
        rows.append(row)
        yield row
    right = [row["right"] for row in rows if row["right"] is not None]
    yield {
        "summary": {
            "instances": len(rows),
            "wrong": sum(not one for one in right) / max(len(right), 1),
            "undecided": sum(row["status"] == "undecided" for row in rows) / len(rows),
            "by_analytic": sum(row["method"] == "analytic" for row in rows) / len(rows),
            "median_seconds": float(np.median([row["seconds"] for row in rows])),
            "median_cpu_seconds": float(np.median([row["cpu_seconds"] for row in rows])),
        }
    }


def _row(asked: Asked, number: int) -> dict[str, Any]:
    compiled = asked.compiled()
    name = compiled.instance.services[asked.service].name
    begin, cpu = time.perf_counter(), time.process_time()
    judged = evaluate_placement(compiled, asked.placement, "verdict")
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    (check,) = [one for one in judged.checks if one.kind == asked.kind and one.subject == name]
    right: bool | None = None
    if check.status != "undecided" and abs(asked.limit - asked.true) > asked.half_width:
        right = (check.status == "ok") == (asked.true <= asked.limit)
    return {
        "suite": SUITE,
        "instance": f"verdict-{number}",
        "method": check.evaluator,
        "status": check.status,
        "objective": asked.kind,
        "limit": asked.limit,
        "true": asked.true,
        "half_width": asked.half_width,
        "right": right,
        "seconds": seconds,
        "cpu_seconds": cpu,
    }


def draw(seed: int, jobs: int = JOBS) -> Asked | None:
    """Draw an instance, its placement and a limit; None where nothing worth asking about happens."""
    rng = np.random.default_rng([seed, 77])
    data, library = _instance(rng)
    compiled = _compiled(data, library)
    placement = _placement(compiled, rng)
    labelled = queues_of(compiled, placement, RouteBook(compiled))
    if labelled is None:
        return None
    result = simulate(labelled.network, jobs=jobs, replications=REPLICATIONS, seed=seed)
    service, kind = int(rng.integers(len(labelled.services))), "max_loss" if rng.random() < 0.7 else "deadline"
    figure = result.classes.loss_ratio if kind == "max_loss" else result.classes.end_to_end
    true, half = float(figure.mean[service]), float(figure.half_width[service])
    if not np.isfinite(true) or (kind == "max_loss" and not LEAST <= true <= MOST):
        return None
    limit = true * float(np.exp(SPREAD * rng.standard_normal()))
    if kind == "max_loss" and limit >= 1.0:
        return None
    return Asked(data, library, placement, _position(compiled, labelled, service), kind, limit, true, half)


def _position(compiled: Compiled, labelled: Labelled, owner: int) -> int:
    names = [service.name for service in compiled.instance.services]
    return names.index(labelled.services[owner])


def _instance(rng: np.random.Generator) -> tuple[dict[str, Any], Library]:
    """Plain data of a small instance whose busiest device is loaded between a half and a third too much."""
    library = Library(None)
    devices = int(rng.integers(1, 5))
    scv = float(rng.choice([0.0, 0.0, 0.5, 1.0, 4.0]))
    for index in range(devices):
        unit = {"name": "cpu", "speed": float(rng.uniform(0.5, 2.0)), "scv": scv}
        kind = {"format": "placer/device-type/1", "name": f"t{index}", "source": SOURCE, "units": (unit,)}
        library.entries["device type", f"t{index}"] = DeviceType.model_validate({**kind, "memory": 1e9})
    services = []
    load = float(rng.uniform(0.5, 1.3)) * devices
    count = int(rng.integers(1, 4))
    for chain in range(count):
        work = rng.uniform(0.2, 1.0, int(rng.integers(1, 4)))
        layers = tuple({"name": f"l{i}", "compute": float(w), "output": 0.0} for i, w in enumerate(work))
        model = {"format": "placer/model/1", "name": f"m{chain}", "source": SOURCE, "input": 0.0, "layers": layers}
        library.entries["model", f"m{chain}"] = Model.model_validate(model)
        rate = load / count / float(work.sum())
        services.append({"name": f"s{chain}", "model": f"m{chain}", "source": "d0", "arrivals": _arrivals(rng, rate)})
    data = {
        "format": "placer/instance/1",
        "name": "verdict",
        "devices": tuple(
            {"name": f"d{i}", "type": f"t{i}", "position": (0.0, 0.0), "buffer": int(rng.integers(1, 31))}
            for i in range(devices)
        ),
        "network": {"radios": ({"rate": 1e12, "range": 1.0},)},
        "services": tuple(services),
    }
    return data, library


def _arrivals(rng: np.random.Generator, rate: float) -> dict[str, Any]:
    process = str(rng.choice(["poisson", "poisson", "poisson", "periodic", "mmpp"]))
    if process == "mmpp":
        quiet = float(rng.uniform(0.1, 0.6))
        states = ({"rate": rate * (2.0 - quiet), "mean": 20.0 / rate}, {"rate": rate * quiet, "mean": 20.0 / rate})
        return {"process": "mmpp", "states": states}
    return {"process": process, "rate": rate}


def _placement(compiled: Compiled, rng: np.random.Generator) -> Placement:
    """Each service in runs of layers on random stations."""
    choice = tuple(group[0] for group in compiled.service_variants)
    stations = []
    for index in choice:
        here, run_ = int(rng.integers(len(compiled.stations))), []
        for _ in range(len(compiled.variants[index])):
            run_.append(here)
            if rng.random() < 0.5:
                here = int(rng.integers(len(compiled.stations)))
        stations.append(tuple(run_))
    return Placement(choice, tuple(stations))


def _compiled(data: dict[str, Any], library: Library) -> Compiled:
    return compile_instance(resolve(InstanceFile.model_validate(data), library))
