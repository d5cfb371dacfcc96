"""Suite ``split``: cuts by method, break points, sharing among many users, replays, regressions, and speed.

Rows have a ``part``: ``cut`` (one network, one uplink, every method), ``users`` (exact, alternating and equal shares
of one server), ``replay`` (a trace), ``regression`` (errors per type of layer) and, with ``data``, ``min-cut`` (time of
the minimum cut on operator graphs: JSON files as in the suite device-placement).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from placer.errors import InputError
from placer.instance.library import shipped_names
from placer.instance.reading import read_text
from placer.operators.graph import OperatorGraph, read_graph
from placer.profiling.regression import FORMS, leave_one_network_out, shipped_samples
from placer.splitting.mincut import min_cut
from placer.splitting.replay import replay
from placer.splitting.sharing import alternating, by_dynamic_programme, equal, exact
from placer.splitting.split import METHODS, Question, answer
from placer.splitting.table import break_rates, split_table
from placer.splitting.trace import read_trace
from placer.splitting.two_machines import Machines, build_case, read_model
from placer.splitting.users import User, UsersFile, crowd

SUITE = "split"
DAGS = ("inception-v1", "resnet-50", "densenet-121", "squeezenet")
DEVICE, SERVER = "raspberry-pi-4b", "edge-2500"
UPLINKS = (2e6 / 8, 20e6 / 8)
CROWDS = (10, 50, 200)
_REPEATS = 7


def run(
    *, data: Path | None = None, methods: Sequence[str] | None = None, limit: int | None = None, **_: Any
) -> Iterator[dict[str, Any]]:
    """Yield the rows, then the summary.

    Args:
        data: folder of operator graphs, searched below; None leaves the minimum cut's times out.
        methods: some of the splitting methods; None runs all.
        limit: use the first so many networks, crowds and graphs only.

    Raises:
        InputError: an unknown method, or a folder without graphs.
    """
    chosen = tuple(methods) if methods is not None else METHODS
    for name in chosen:
        if name not in METHODS:
            raise InputError(f"method {name!r}: suite {SUITE} has {', '.join(METHODS)}")
    found = graphs(data)[:limit]
    models = ([name for name in shipped_names("model") if name.endswith("-measured")] + list(DAGS))[:limit]
    rows = []
    for parts in (_cuts(models, chosen), _crowds(CROWDS[:limit]), _replays(), _regressions(), min_cuts(found)):
        for row in parts:
            rows.append(row)
            yield {"suite": SUITE, **row}
    yield {"summary": _summary(rows)}


def _cuts(models: Sequence[str], methods: Sequence[str]) -> Iterator[dict[str, Any]]:
    for name in models:
        for uplink in UPLINKS:
            case = build_case(read_model(name), Machines(DEVICE, SERVER, uplink, None, 0.01))
            for objective in ("latency", "throughput"):
                for method in methods:
                    if objective == "latency" and method == "dads-grid":
                        continue  # for throughput only
                    one = answer(case, Question(objective, method))
                    row: dict[str, Any] = {
                        "part": "cut",
                        "instance": f"{name}@{uplink * 8 / 1e6:g}Mbit/s",
                        "method": method,
                        "status": one.proof,
                        "aim": objective,
                        "objective": one.value,
                        "layers_on_device": one.cut.on_server.count(False),
                        "layers": len(one.variant),
                        "all_on_device": one.all_device,
                        "all_on_server": one.all_server,
                        "seconds": one.seconds,
                    }
                    if objective == "latency":
                        begin = time.perf_counter()
                        table = split_table(one.costs, single=method == "neurosurgeon")
                        row["break_rates_mbit_s"] = [rate * 8 / 1e6 for rate in break_rates(table, 1.0)]
                        row["cuts_in_table"] = len(table["cuts"])
                        row["table_seconds"] = time.perf_counter() - begin
                    yield row


def _crowds(sizes: Sequence[int]) -> Iterator[dict[str, Any]]:
    models = [name for name in shipped_names("model") if name.endswith("-measured")]
    for size in sizes:
        for seed in range(3):
            rng = np.random.default_rng(seed)
            users = tuple(
                User(
                    name=f"user-{number}",
                    model=str(rng.choice(models)),
                    device=DEVICE,
                    uplink=float(np.exp(rng.uniform(np.log(10e6 / 8), np.log(200e6 / 8)))),
                    latency=0.01,
                )
                for number in range(size)
            )
            # half a core a user, of which each further one adds less (Amdahl, a five hundredth serial): assumed
            cores = max(size // 2, 4)
            speedup = {n: 1.0 / (0.002 + 0.998 / n) for n in range(2, cores + 1)}
            file = UsersFile(format="placer/users/1", source="bench", users=users, cores=cores, speedup=speedup)
            begin = time.perf_counter()
            table = crowd(file, SERVER).table
            build, begin = time.perf_counter() - begin, time.perf_counter()
            best = exact(table)
            seconds, begin = time.perf_counter() - begin, time.perf_counter()
            published = alternating(table)
            other = time.perf_counter() - begin
            yield {
                "part": "users",
                "instance": f"{size}-users-{seed}",
                "method": "exact",
                "status": "optimal",
                "objective": best.worst,
                "bound": by_dynamic_programme(table) if size <= CROWDS[1] else None,
                "alternating": published.worst,
                "alternating_gap": published.worst / best.worst - 1.0,
                "equal": equal(table).worst,
                "gain_over_equal": equal(table).worst / best.worst,
                "build_seconds": build,
                "seconds": seconds,
                "alternating_seconds": other,
            }


def _replays() -> Iterator[dict[str, Any]]:
    trace = read_trace("walk-synthetic")
    for name in ("vgg-16-measured", "mobilenet-v1-measured"):
        case = build_case(read_model(name), Machines(DEVICE, "cloud-gpu", UPLINKS[0], None, 0.01))
        table = split_table(answer(case, Question()).costs)
        for score in replay(table, trace):
            yield {
                "part": "replay",
                "instance": f"{name}/walk-synthetic",
                "method": score.policy,
                "status": "ok",
                "objective": score.mean,
                "regret": score.regret,
                "worst": score.worst,
                "switches": score.switches,
            }


def _regressions() -> Iterator[dict[str, Any]]:
    for device in (DEVICE, SERVER, "cloud-6700k", "cloud-gpu"):
        samples = shipped_samples(device)
        for form in FORMS:
            for error in leave_one_network_out(samples, form):
                yield {
                    "part": "regression",
                    "instance": device,
                    "method": form,
                    "status": "ok",
                    "type": error.group,
                    "layers": error.layers,
                    "median_error": error.median,
                    "p90_error": error.p90,
                    "r2": error.r2,
                }


def graphs(data: Path | None) -> list[Path]:
    """The files below a folder that hold operator graphs.

    Raises:
        InputError: there is none, or a file cannot be read.
    """
    if data is None:
        return []
    files = sorted(path for path in data.rglob("*.json") if path.is_file())
    found = [path for path in files if '"cpuLatency"' in read_text(path, str(path))]
    if not found:
        raise InputError(f"{data} holds no operator graph (JSON with nodes that have a cpuLatency)")
    return found


def min_cuts(paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """Time the minimum cut of operator graphs.

    Raises:
        InputError: all that is wrong with a file.
    """
    for path in paths:
        predecessors, device, server, crossing = _arrays(read_graph(path))
        # transfers as they are and slower, so that the cut moves through the graph
        for factor in (1.0, 10.0, 100.0):
            times = []
            for _ in range(_REPEATS):
                begin = time.perf_counter()
                remote = min_cut(predecessors, device, server, crossing * factor)
                times.append(time.perf_counter() - begin)
            yield {
                "part": "min-cut",
                "instance": f"{path.parent.name}/{path.stem}",
                "method": "dads",
                "status": "optimal",
                "transfer_factor": factor,
                "nodes": len(predecessors),
                "on_server": sum(remote),
                "seconds": float(np.median(times)),
                "worst_seconds": max(times),
            }


def _arrays(graph: OperatorGraph) -> tuple[list[tuple[int, ...]], Any, Any, Any]:
    """An operator graph as a DAG between its CPU (device) and its accelerator (server), in topological order."""
    place = np.empty(len(graph), dtype=np.int64)
    place[graph.order] = np.arange(len(graph))
    sources: list[list[int]] = [[] for _ in range(len(graph))]
    for tail, head in graph.edges:
        sources[place[head]].append(int(place[tail]))
    predecessors = [tuple(found) or (-1,) for found in sources]
    device = graph.cpu[graph.order]
    server = np.where(graph.supported, graph.accelerator, np.inf)[graph.order]
    crossing = np.append(graph.cost[graph.order], graph.cost.max())
    return predecessors, device, server, crossing


def _summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    def of(part: str) -> list[dict[str, Any]]:
        return [row for row in rows if row["part"] == part]

    cuts = [row for row in of("cut") if row["aim"] == "latency"]
    heavy: dict[str, dict[str, float]] = {}
    for row in of("cut"):
        if row["aim"] == "throughput":
            heavy.setdefault(row["instance"], {})[row["method"]] = row["objective"]
    ratios = [found["dads-grid"] / found["dads"] for found in heavy.values() if {"dads", "dads-grid"} <= set(found)]
    users = of("users")
    return {
        "cuts": len(cuts),
        "cuts_mid_network": sum(0 < row["layers_on_device"] < row["layers"] for row in cuts),
        "grid_over_milp_worst": max(ratios, default=None),
        "alternating_gap_worst": max((row["alternating_gap"] for row in users), default=None),
        "gain_over_equal_mean": float(np.mean([row["gain_over_equal"] for row in users])) if users else None,
        "largest_crowd_seconds": max((row["seconds"] + row["build_seconds"] for row in users), default=None),
        "min_cut_ms_worst": max((1e3 * row["worst_seconds"] for row in of("min-cut")), default=None),
        "min_cut_ms_326_nodes": max(
            (1e3 * r["worst_seconds"] for r in of("min-cut") if r["nodes"] == 326), default=None
        ),
    }
