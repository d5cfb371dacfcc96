"""One replication: run the event loop over windows of time, and turn what it counted into measures.

The statistics of the loop are cumulative. A replication reads them at the ends of its windows, so that the
warm-up, the batches and the measured interval are all differences of two readings.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from placer.jit import version
from placer.queueing.network import Floats, Ints
from placer.simulation import kernel
from placer.simulation.features import features_of
from placer.simulation.state import (
    EVENTS,
    GROW,
    SAMPLED,
    SAMPLES_FULL,
    STRIDE,
    Layout,
    State,
    grown,
    initial,
    layout,
    roomier,
    thin,
)
from placer.simulation.statistics import mser5
from placer.simulation.tables import Tables

BATCHES = 20
"""Batches that the measured interval of a single run is cut into: few enough for each to be long against the
correlation of the queues, many enough for Student's t to cost little (2.86 against 2.58 at 99%)."""

MSER = "mser"
"""Warm-up chosen by MSER-5 instead of a fixed fraction."""

MSER_WINDOWS = 500
SAMPLE_CAP = 1 << 20
FIRST_SAMPLES = 1 << 12
UNBOUNDED = 2**62
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True)
class Readings:
    """The cumulative statistics at the ends of the windows of one run. W windows, n samples.

    Attributes:
        layout: where each statistic lies in a row.
        times: shape (W+1,), s.
        counts, sums: shape (W+1, …), rows laid out by ``layout``.
        marks: shape (W+1,), samples taken up to each time.
        sample_class, sample_response: shape (n,), class and response time in s of sampled completed jobs, in
            the order of completion.
        stride: completed jobs per sample.
        events: arrivals and ends of tasks in the whole run.
    """

    layout: Layout
    times: Floats
    counts: Ints
    sums: Floats
    marks: Ints
    sample_class: Ints
    sample_response: Floats
    stride: int
    events: int


@dataclass(frozen=True)
class Replication:
    """What one replication measured.

    Attributes:
        measures: values over the measured interval by name; shapes in :func:`measure`.
        batches: the same per batch with a first axis ``BATCHES``, or empty when not asked for.
        events: arrivals and ends of tasks, warm-up included.
        warmup: s that were cut off.
        horizon: s simulated, warm-up included.
    """

    measures: dict[str, Floats]
    batches: dict[str, Floats]
    events: int
    warmup: float
    horizon: float


def replicate(
    net: Tables,
    seed: np.random.SeedSequence,
    horizon: float,
    warmup: float | str,
    *,
    batches: bool = False,
    compiled: bool | None = None,
    sample_cap: int = SAMPLE_CAP,
) -> Replication:
    """Run one replication; a function of its arguments only, wherever it runs.

    Args:
        net: the network as arrays.
        seed: of this replication.
        horizon: s to simulate, warm-up included.
        warmup: fraction of the horizon to cut off, or ``MSER``.
        batches: also measure each batch.
        compiled: True, False, or None for what is there.
        sample_cap: response times kept; beyond it every second one is dropped and sampling goes on half as
            often, so at least half of the cap is always there: the rank of a percentile p is then off by
            about sqrt(p (1-p) / (cap/2)), 0.0003 for p = 0.95.
    """
    rng = np.random.default_rng(seed)
    if warmup == MSER:
        readings = observe(net, rng, np.linspace(0.0, horizon, MSER_WINDOWS + 1), compiled, sample_cap)
        cut = _mser_cut(readings)
    else:
        start = float(warmup) * horizon
        marks = np.linspace(start, horizon, BATCHES + 1)
        readings = observe(net, rng, marks if start == 0 else np.append(0.0, marks), compiled, sample_cap)
        cut = len(readings.times) - 1 - BATCHES
    last = len(readings.times) - 1
    ends = np.round(np.linspace(cut, last, BATCHES + 1)).astype(int)
    parts = [measure(net, readings, a, b) for a, b in pairwise(ends)] if batches else []
    return Replication(
        measures=measure(net, readings, cut, last),
        batches={name: np.array([part[name] for part in parts]) for name in (parts[0] if parts else ())},
        events=readings.events,
        warmup=float(readings.times[cut]),
        horizon=horizon,
    )


def _mser_cut(readings: Readings) -> int:
    """Window at which MSER-5 ends the warm-up: it reads the mean number in the stations, window by window."""
    area = readings.sums[:, readings.layout.sums()["area"]].sum(axis=1)
    return mser5(np.diff(area))


def observe(net: Tables, rng: np.random.Generator, times: Floats, compiled: bool | None, sample_cap: int) -> Readings:
    """Run from an empty network and read the statistics at ``times`` (s, increasing from 0)."""
    plain = kernel.loop(features_of(net))
    run = version(plain, compiled)
    st = initial(net, rng, min(sample_cap, FIRST_SAMPLES))
    st.scalars[STRIDE] = 1 if sample_cap > 0 else 0
    where = layout(net)
    counts = np.zeros((len(times), len(st.counts)), dtype=np.int64)
    sums = np.zeros((len(times), len(st.sums)))
    marks = np.zeros(len(times), dtype=np.int64)
    tables = net
    if run is plain:
        tables, st = as_lists(net, st)
    for window in range(1, len(times)):
        while True:
            status = run(tables, st, rng, float(times[window]), UNBOUNDED)
            if status == GROW:
                st = grown(st)
            elif status == SAMPLES_FULL and len(st.sample_response) < sample_cap:
                st = roomier(st)
            elif status == SAMPLES_FULL:
                thin(st)
                marks = (marks + 1) // 2
            else:
                break
        counts[window] = st.counts
        sums[window] = st.sums
        marks[window] = st.scalars[SAMPLED]
    taken = int(st.scalars[SAMPLED])
    return Readings(
        where,
        times,
        counts,
        sums,
        marks,
        np.array(st.sample_class[:taken], dtype=np.int64),
        np.array(st.sample_response[:taken], dtype=np.float64),
        int(st.scalars[STRIDE]),
        int(st.scalars[EVENTS]),
    )


def as_lists(net: Tables, st: State) -> tuple[Tables, State]:
    """Both as Python lists: uncompiled, a list gives an entry about three times faster than an array."""
    return _listed(net), _listed(st)


def _listed(rows: Any) -> Any:
    """A named tuple of arrays, and of named tuples of arrays, with lists instead; what is a list stays one."""
    if isinstance(rows, list):
        return rows
    if isinstance(rows, np.ndarray):
        return rows.tolist()
    return type(rows)(*map(_listed, rows)) if rows else rows


def measure(net: Tables, readings: Readings, start: int, stop: int) -> dict[str, Floats]:
    """Measures between two readings. S stations, C classes, T tasks, O outcomes; NaN where nothing was seen.

    Shapes and units: ``offered completed lost`` (C,) jobs; ``in_system_start in_system_end`` (C,) jobs
    neither completed nor lost; ``loss_ratio`` (C,) lost / offered; ``total_loss_ratio`` () the same over all
    classes; ``throughput`` (C,) completed per s; ``end_to_end`` (C,) s, mean over completed jobs from arrival
    to sink; ``p50 p95 p99`` (C,) s, percentiles of the same; ``sum_of_sojourns`` (C,) s, sum over the tasks
    of the mean sojourn of the jobs accepted there; ``arrived dropped killed ended`` (T,) tasks;
    ``task_sojourn`` (T,) s; ``outcome`` (O,) tasks ended by outcome; ``utilisation full number availability``
    (S,) shares of time busy and full, mean number of jobs, share of time not failed; ``station_arrivals``
    (S,) per s, those that are turned away included; ``station_losses`` (S,) jobs turned away or killed;
    ``station_loss_ratio`` (S,).
    """
    where = readings.layout
    counts = readings.counts[stop] - readings.counts[start]
    sums = readings.sums[stop] - readings.sums[start]
    span = readings.times[stop] - readings.times[start]
    n: dict[str, Any] = {name: counts[part] for name, part in where.counts().items()}
    x: dict[str, Any] = {name: sums[part] for name, part in where.sums().items()}
    sojourn = _ratio(x["sojourn"], n["ended"])
    arrived, lost = np.zeros(where.stations), np.zeros(where.stations)
    queued = net.task_station >= 0
    np.add.at(arrived, net.task_station[queued], n["arrived"][queued])
    np.add.at(lost, net.task_station[queued], (n["dropped"] + n["killed"])[queued])
    result = {name: values.astype(np.float64) for name, values in n.items()}
    for name, row in (("in_system_start", start), ("in_system_end", stop)):
        offered, completed, gone = (readings.counts[row][where.counts()[k]] for k in ("offered", "completed", "lost"))
        result[name] = (offered - completed - gone).astype(np.float64)
    result |= {
        "loss_ratio": _ratio(n["lost"], n["offered"]),
        "total_loss_ratio": _ratio(n["lost"].sum(), n["offered"].sum()),
        "throughput": n["completed"] / span,
        "end_to_end": _ratio(x["response"], n["completed"]),
        "sum_of_sojourns": np.add.reduceat(sojourn, net.class_tasks[:-1]),
        "task_sojourn": sojourn,
        "utilisation": x["busy"] / span / net.servers,
        "full": x["full"] / span,
        "number": x["area"] / span,
        "availability": 1 - x["down"] / span,
        "station_arrivals": arrived / span,
        "station_losses": lost,
        "station_loss_ratio": _ratio(lost, arrived),
    }
    sampled = slice(int(readings.marks[start]), int(readings.marks[stop]))
    owner, response = readings.sample_class[sampled], readings.sample_response[sampled]
    tails = np.full((len(PERCENTILES), where.classes), np.nan)
    for c in range(where.classes):
        mine = response[owner == c]
        if len(mine):
            tails[:, c] = np.percentile(mine, PERCENTILES)
    return result | {f"p{p}": row for p, row in zip(PERCENTILES, tails, strict=True)}


def _ratio(above: Any, below: Any) -> Floats:
    below = np.asarray(below, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below > 0, np.divide(above, below), np.nan)
