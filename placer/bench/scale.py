"""Suite ``scale``: sites of 10 to 200 devices with 1 to 20 services, by themselves and in each other's way.

Sites are random: Raspberry Pis, Jetsons and PCs of the shipped types in a square in which each has some tens of others
in Wi-Fi range (wifi-n, 30 m), all connected over several hops; services arise at random devices, without arrivals, so
that no limit couples them, or coupled (:func:`couple`). Each row is planned in a process of its own: its peak of memory
is that of this row.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from placer.errors import InputError, UnansweredError
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.library import Library
from placer.instance.reading import unknown
from placer.instance.resolving import resolve
from placer.instance.schema import InstanceFile

DEFAULT_SECONDS = 60.0
TYPES = (
    "raspberry-pi-3b-plus",
    "raspberry-pi-4b",
    "raspberry-pi-5",
    "jetson-nano",
    "jetson-orin-nano",
    "n5105",
    "edge-2500",
)
DAGS = ("resnet-50", "densenet-121", "inception-v1", "squeezenet", "vgg-19")
CHAINS = ("mobilenet-v2-measured", "resnet-50-measured", "vgg-16-measured")
METHODS = ("decomposition", "ilp")
COUPLINGS = ("work", "air", "layers")
GOODPUT = 5.4e6
"""What wifi-n carries, bytes/s."""
SPACING, RANGE = 15.0, 30.0
"""Metres: side of the square over the root of the number of devices, and range of the shipped radio."""


@dataclass(frozen=True)
class Spec:
    """A site by its seed and size.

    Attributes:
        devices: how many.
        models: one service each.
        gap: relative gap at which a plan is good enough.
        objective: what is planned for.
        seed: of everything that is drawn.
        coupling: what puts services in each other's way, see :func:`couple`; None for nothing.
    """

    devices: int
    models: tuple[str, ...]
    gap: float = 1e-3
    objective: str = "latency"
    seed: int = 0
    coupling: str | None = None

    @property
    def name(self) -> str:
        """Name of the instance: devices x services, the models' name where they are one, and the seed."""
        kinds = sorted(set(self.models))
        of = kinds[0] if len(kinds) == 1 else "mixed"
        coupled = "" if self.coupling is None else f"-{self.coupling}"
        return f"{self.devices}x{len(self.models)}-{of}-{self.objective}-{self.seed}{coupled}"


GRID: tuple[Spec, ...] = (
    *(Spec(devices, (model,)) for devices in (10, 50, 200) for model in DAGS),
    *(Spec(50, (model,)) for model in CHAINS),
    *(Spec(50, (model,), objective="latency", seed=1) for model in DAGS),
    Spec(50, ("resnet-50", "squeezenet", "resnet-50", "squeezenet", "resnet-50")),
    Spec(50, DAGS * 2, objective="latency-worst"),
    Spec(100, DAGS * 2),
    Spec(200, DAGS * 4, gap=1e-2),
    *(Spec(50, DAGS * 2, gap=2e-2, coupling=kind) for kind in COUPLINGS),
    *(Spec(50, CHAINS * 3, gap=1e-3, coupling=kind) for kind in COUPLINGS),
    *(Spec(50, DAGS * 2, gap=2e-2, objective=goal, coupling="work") for goal in ("latency-worst", "throughput")),
    *(Spec(200, DAGS * 4, gap=5e-2, coupling=kind) for kind in COUPLINGS),
)


def generate(spec: Spec) -> Compiled:
    """Return the compiled instance of a specification: the first connected site of its seed."""
    rng = np.random.default_rng([spec.seed, spec.devices])
    side = SPACING * float(np.sqrt(spec.devices))
    while True:
        points = rng.uniform(0.0, side, (spec.devices, 2))
        if _connected(np.linalg.norm(points[:, None] - points[None], axis=2) < RANGE):
            break
    kinds = rng.choice(TYPES, spec.devices)
    sources = rng.integers(spec.devices, size=len(spec.models))
    data: dict[str, Any] = {
        "format": "placer/instance/1",
        "name": spec.name,
        "devices": tuple(
            {"name": f"d{index}", "type": str(kind), "position": (float(x), float(y))}
            for index, (kind, (x, y)) in enumerate(zip(kinds, points, strict=True))
        ),
        "network": {"radios": ({"technology": "wifi-n"},)},
        "services": tuple(
            {"name": f"s{index}", "model": model, "source": f"d{source}"}
            for index, (model, source) in enumerate(zip(spec.models, sources, strict=True))
        ),
        "objective": spec.objective,
    }
    if spec.coupling is not None:
        couple(data, spec.coupling)
    return _compiled(data)


def couple(data: dict[str, Any], by: str) -> None:
    """Put services in each other's way.

    ``work``: a fastest device may do the work of the heaviest service and little more; ``air``: their images, were they
    sent once and heard everywhere, would fill the channel twice; ``layers``: a device holds as many layers as the
    deepest model has.
    """
    variants, busy = _compiled(data).variants, []
    if by == "layers":
        data["limits"] = {"layers": max(map(len, variants))}
        return
    for service, variant in zip(data["services"], variants, strict=True):
        rate = GOODPUT / variant.input * (2.0 / len(variants) if by == "air" else 0.25)
        service["arrivals"] = {"rate": rate}
        busy.append(rate * float(variant.time.sum(axis=0).min()))
    if by == "work":
        data["network"]["radios"][0]["contention"] = False
        data["limits"] = {"utilisation": min(1.05 * max(busy), 1.0)}


def _compiled(data: dict[str, Any]) -> Compiled:
    return compile_instance(resolve(InstanceFile.model_validate(data), Library(None)))


def _connected(near: np.ndarray[Any, np.dtype[np.bool_]]) -> bool:
    reached, fresh = {0}, {0}
    while fresh:
        fresh = {int(other) for one in fresh for other in np.flatnonzero(near[one])} - reached
        reached |= fresh
    return len(reached) == len(near)


def run(
    *,
    methods: tuple[str, ...] | None = None,
    time_limit: float = DEFAULT_SECONDS,
    limit: int | None = None,
    **_: Any,
) -> Iterator[dict[str, Any]]:
    """Plan each site of the grid; the time limit is one row's, start-up and compilation are not in the times.

    Raises:
        InputError: for an unknown method.
    """
    asked = methods or METHODS[:1]
    for method in asked:
        if method not in METHODS:
            raise InputError(unknown("method", method, list(METHODS)))
    summary: dict[str, Any] = {}
    for number, spec in enumerate(GRID[:limit]):
        for method in asked:
            command = [sys.executable, "-m", "placer.bench.scale", str(number), method, str(time_limit)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            row = json.loads(done.stdout)
            yield row
            figures = ("gap", "seconds", "cpu_seconds", "megabytes")
            summary.setdefault(spec.name, {})[method] = {key: row[key] for key in figures}
    for method in asked:
        summary[f"exponent-{method}"] = exponent(GRID[:limit], [summary[s.name][method] for s in GRID[:limit]])
    yield {"summary": summary}


def exponent(specs: Sequence[Spec], rows: Sequence[dict[str, Any]]) -> float | None:
    """The power of the number of devices by which processor seconds grow, where services do not hinder each other.

    Least squares on logarithms, one level for each list of models; None where none was planned at two sizes.
    """
    x, y = [], []
    groups: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for spec, row in zip(specs, rows, strict=True):
        if spec.coupling is None and spec.seed == 0 and row["cpu_seconds"] > 0:
            point = float(np.log(spec.devices)), float(np.log(row["cpu_seconds"]))
            groups.setdefault((spec.objective, *spec.models), []).append(point)
    for points in groups.values():
        centre = np.mean(points, axis=0)
        x += [one - centre[0] for one, _ in points]
        y += [other - centre[1] for _, other in points]
    return float(np.dot(x, y) / np.dot(x, x)) if np.any(x) else None


def row_of(spec: Spec, method: str, seconds: float) -> dict[str, Any]:
    """Plan one site: its row, with wall and processor seconds and the peak of this process's memory."""
    import resource
    import time

    from placer.planning.registry import plan
    from placer.planning.request import Request
    from placer.solver.progress import Limits

    # What is loaded, and compiled once on a machine, is not the method's time.
    plan(generate(Spec(10, ("squeezenet",))), Request(method=method, limits=Limits(seconds=seconds)))
    compiled = generate(spec)
    request = Request((spec.objective,), method, Limits(seconds=seconds, gap=spec.gap))
    row: dict[str, Any] = {"suite": "scale", "instance": spec.name, "method": method}
    wall, processor = time.perf_counter(), time.process_time()
    try:
        certificate = plan(compiled, request).plan.certificate
        (result,) = certificate.objectives
        row |= {"status": certificate.termination, "by": certificate.method}
        row |= {"objective": result.value, "bound": result.bound, "gap": result.gap}
    except UnansweredError as error:
        row |= {"status": "unanswered", "by": method, "reason": error.message}
        row |= dict.fromkeys(("objective", "bound", "gap"))
    row |= {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - processor}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return row | {"megabytes": peak / (1024 if sys.platform != "darwin" else 1024**2)}


if __name__ == "__main__":
    print(json.dumps(row_of(GRID[int(sys.argv[1])], sys.argv[2], float(sys.argv[3]))))
