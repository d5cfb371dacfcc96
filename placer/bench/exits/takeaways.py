"""The keynote's takeaways table, worked out from runs: which scheduler is best at what, offline and online.

Every profile of 8 to 24 exits, two loads (the last exit alone would lose 14 % and 55 %), K = 10, limit 1 %.
Each policy runs through three phases of one stream: as planned; the data drift (jobs are the half of the test
samples that the middle exit is least sure of; profiles without a table cannot show it); the arrivals drift
(half as many again). Offline schedulers read accuracies or labelled samples, online ones confidences while
they run. Measures, each over all runs:

- accuracy: right answers per completed job, as planned;
- latency control: mean time in the system, in units of the last exit's service time, as planned (less is better);
- loss control: share of the runs that keep the limit as planned (a run whose interval holds the limit keeps it);
- robustness: right answers per *offered* job under drift, over the same as planned.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from placer.errors import InfeasibleError, InputError
from placer.exits import adaee
from placer.exits.profile import Profile, read_profile, shipped_names
from placer.exits.report import bound
from placer.exits.schedulers import METHODS, Task, make
from placer.exits.simulate import Phase, simulate
from placer.exits.station import Station

CAPACITY, LIMIT, LOADS = 10, 0.01, (1.15, 2.2)
LEVEL = 0.99
JOBS, REPLICATIONS = 20_000, 5
BUSIER = 1.5
COLUMNS = {
    "offline": {"thresholds": "Data-driven", "queueing-exact": "Queueing model", "knapsack-moving": "Knapsack"},
    "online": {
        "queueing-confidence": "Queueing model",
        "knapsack-confidence": "Knapsack",
        "adaee": "AdaEE (not in the keynote)",
    },
}
KEYNOTE = {
    "accuracy": {"offline": ["Data-driven"], "online": ["Knapsack"]},
    "latency control": {"offline": ["Data-driven", "Queueing model"], "online": ["Queueing model"]},
    "loss control": {"offline": ["Data-driven", "Queueing model"], "online": ["Queueing model"]},
    "robustness": {"offline": ["Data-driven", "Knapsack"], "online": ["Knapsack"]},
}
TIES = {"accuracy": 0.002, "latency control": 0.25, "loss control": 1e-9, "robustness": 0.01}
"""Two schedulers this close share a cell."""


def profiles() -> list[str]:
    """Names of the shipped profiles of 8 to 24 exits."""
    return [name for name in shipped_names("exit profile") if 8 <= len(read_profile(name)) <= 24]


def rows(names: Sequence[str], *, jobs: int = JOBS, replications: int = REPLICATIONS) -> Iterator[dict[str, Any]]:
    """One row per profile, load and scheduler; a scheduler that does not apply says why."""
    for name in names:
        profile = read_profile(name)
        for load in LOADS:
            station = Station(load / float(profile.mean[-1]), CAPACITY)
            for column, methods in COLUMNS.items():
                for method in methods:
                    row: dict[str, Any] = {"instance": f"{name}@{load}", "method": method, "column": column}
                    row |= {"exits": len(profile), "synthetic": profile.synthetic, "part": "takeaways"}
                    try:
                        yield row | _run(profile, station, method, jobs, replications)
                    except (InputError, InfeasibleError) as error:
                        yield row | {"status": "skipped", "reason": error.message}


def _run(profile: Profile, station: Station, method: str, jobs: int, replications: int) -> dict[str, Any]:
    begin = time.perf_counter()
    made = make(method, Task(profile, station, LIMIT))
    seconds = time.perf_counter() - begin
    shown = profile.seen_on("test")
    test = None if profile.table is None else profile.split("test")
    phases = {"planned": Phase(jobs, station.rate, test)}
    if test is not None:
        phases["data drift"] = Phase(jobs, station.rate, adaee.harder(test, len(profile) // 2))
    phases["arrivals drift"] = Phase(jobs, BUSIER * station.rate, test)
    done = simulate(
        shown,
        station,
        made.policy,
        list(phases.values()),
        replications=replications,
        level=LEVEL,
        adapt=made.adapt,
    )
    seen = dict(zip(phases, done, strict=True))
    planned = seen["planned"]
    best = bound(shown, station, LIMIT)
    offered = {name: float(run.accuracy_offered.mean) for name, run in seen.items()}
    drifts = [offered[name] / offered["planned"] for name in seen if name != "planned"]
    accuracy = float(planned.accuracy.mean)
    return {
        "status": "ok",
        "objective": accuracy,
        "bound": best,
        "gap": best - accuracy,
        "seconds": seconds,
        "accuracy_half_width": float(planned.accuracy.half_width),
        "loss": {name: float(run.loss.mean) for name, run in seen.items()},
        "loss_half_width": float(planned.loss.half_width),
        "latency": float(planned.latency.mean),
        "latency_in_services": float(planned.latency.mean) / float(profile.mean[-1]),
        "accuracy_offered": offered,
        "keeps": float(planned.loss.mean) - float(planned.loss.half_width) <= LIMIT,
        "retained": float(np.mean(drifts)),
    }


def table(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The takeaways: the figure of every scheduler, the best ones of each cell, and the keynote's cell beside."""
    done = [row for row in found if row["status"] == "ok"]
    result: dict[str, Any] = {}
    for measure in KEYNOTE:
        result[measure] = {}
        for column, methods in COLUMNS.items():
            # compared on the instances that every scheduler of the column can run
            sets = [{row["instance"] for row in done if row["method"] == method} for method in methods]
            common = set.intersection(*sets) if sets else set()
            figures = {
                label: _figure(measure, [r for r in done if r["method"] == method and r["instance"] in common])
                for method, label in methods.items()
            }
            keynote = KEYNOTE[measure][column]
            best = _best(measure, figures)
            result[measure][column] = {
                "figures": figures,
                "runs": len(common),
                "best": best,
                "keynote": keynote,
                # the keynote has no bandit: agreement is judged among its own schedulers
                "agrees": set(_best(measure, {k: v for k, v in figures.items() if "AdaEE" not in k})) == set(keynote),
            }
    return result


def _figure(measure: str, runs: Sequence[dict[str, Any]]) -> float:
    key = {"accuracy": "objective", "latency control": "latency_in_services", "loss control": "keeps"}
    values = [float(run[key.get(measure, "retained")]) for run in runs]
    return float(np.mean(values)) if values else float("nan")


def _best(measure: str, figures: dict[str, float]) -> list[str]:
    known = {label: value for label, value in figures.items() if not np.isnan(value)}
    if not known:
        return []
    sign = -1.0 if measure == "latency control" else 1.0
    top = max(sign * value for value in known.values())
    return [label for label, value in known.items() if sign * value >= top - TIES[measure]]


def titles() -> dict[str, str]:
    """What each scheduler of the table is."""
    return {method: METHODS[method].title for methods in COLUMNS.values() for method in methods}
