"""Reader of the public ChainNet data layout: one folder, one text file a quantity, ragged rows.

Niu, Roveri, Casale, *ChainNet: A Customized Graph Neural Network Model for Loss-Aware Edge AI Service
Deployment*, DSN 2024 (repository imperial-qore/ChainNet). One row per sample: ``numClasses``, ``numNodes``,
``capacity``. One row per chain, the chains of a sample one after the other: ``path`` (1-based devices),
``arrival`` (mean time *between* arrivals), ``service`` (mean service time at each step), and the labels
``tputRatio`` (completed over measured arrivals) and ``responseTime`` (sum over the steps of the mean sojourn
of the jobs accepted there). Poisson arrivals, fixed service times, FIFO, a job that finds its device full is
lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from placer.errors import InputError, Problem
from placer.instance.reading import brief, read_text
from placer.queueing.network import Floats, Ints, QueueNetwork, chains

LARGEST_FILE = 32 * 2**20
MOST_ROWS = 1_000_000
LONGEST_PATH = 1000
PER_SAMPLE = ("numClasses", "numNodes", "capacity")
PER_CHAIN = ("path", "arrival", "service", "tputRatio", "responseTime")
MAX_PROBLEMS = 20
TIP = "the folder must hold the text files of one ChainNet data set: " + ", ".join(
    f"{name}.txt" for name in (*PER_SAMPLE, *PER_CHAIN)
)


@dataclass(frozen=True)
class ChainNetData:
    """A data set: the deployments as queueing networks, and the simulated labels.

    Attributes:
        name: of the folder.
        networks: one per sample, length N.
        class_ptr: shape (N+1,), chains of each sample.
        rates: shape (C,), arrivals per second of each chain.
        throughput_ratio: shape (C,), completed over offered.
        response_time: shape (C,), s, sum over the steps of the mean sojourn of the jobs accepted there.
    """

    name: str
    networks: tuple[QueueNetwork, ...]
    class_ptr: Ints
    rates: Floats
    throughput_ratio: Floats
    response_time: Floats


@dataclass(frozen=True)
class _Kind:
    """What a number of a file may be."""

    name: str
    low: float
    high: float
    whole: bool = False

    def holds(self, value: float) -> bool:
        """Whether a number is one of these."""
        return self.low <= value <= self.high and (not self.whole or value == int(value))

    def __str__(self) -> str:
        return f"{self.name} between {self.low:g} and {self.high:g}"


_CLASSES = _Kind("a whole number of chains", 1, 1000, whole=True)
_NODES = _Kind("a whole number of devices", 1, 1000, whole=True)
_PLACES = _Kind("a whole number of places", 1, 1000, whole=True)
"""The analytic model walks through the places of a device one by one: very many would take for ever."""
_STEP = _Kind("the number of a device, a whole number", 1, 1000, whole=True)
_TIME = _Kind("a positive time", 1e-9, 1e9)
_LABEL = _Kind("a positive figure", 1e-12, 1e12)


@dataclass
class _Rows:
    """The rows of one file, and the problems found while reading all files."""

    file: str
    rows: list[str]
    problems: list[Problem]

    def numbers(self, row: int, kind: _Kind) -> list[float]:
        """The numbers of a row; what is wrong is noted."""
        words = self.rows[row].split()
        if len(words) > LONGEST_PATH:
            self.note(row, f"{len(words)} numbers; at most {LONGEST_PATH} are allowed")
            return []
        try:
            values = [float(text) for text in words]
        except ValueError:
            self.note(row, f"{brief(self.rows[row])} is not a row of numbers")
            return []
        if not values:
            self.note(row, f"is empty; expected {kind}")
        wrong = next((value for value in values if not kind.holds(value)), None)
        if wrong is not None:
            self.note(row, f"{wrong:.12g} must be {kind}")
            return []
        return values

    def number(self, row: int, kind: _Kind) -> float | None:
        """The one number of a row."""
        values = self.numbers(row, kind)
        if len(values) > 1:
            self.note(row, f"{len(values)} numbers where one is allowed")
        return values[0] if len(values) == 1 else None

    def note(self, row: int, message: str) -> None:
        """Add a problem of a row."""
        self.problems.append(Problem(message, path=f"$[{row}]", file=self.file, line=row + 1))


def read(folder: Path, limit: int | None = None) -> ChainNetData:
    """Read a data set.

    Args:
        folder: where the text files lie.
        limit: read the first so many samples only; all when None.

    Raises:
        InputError: a file is missing, numbers of rows do not fit each other, or a value is not allowed.
    """
    problems: list[Problem] = []
    tables = {name: _rows(folder, name, problems) for name in (*PER_SAMPLE, *PER_CHAIN)}
    if problems:
        raise InputError(problems, tip=TIP)
    samples = len(tables["numClasses"].rows)
    if samples == 0:
        raise InputError([Problem("no samples", file=str(folder / "numClasses.txt"))], tip=TIP)
    if limit is not None and limit < 1:
        raise InputError(f"the limit of samples is {limit}; it must be at least 1")
    counts = [_count(tables["numClasses"], row, _CLASSES) for row in range(samples)]
    for name in PER_SAMPLE:
        _expect(tables[name], samples, "samples (rows of numClasses.txt)")
    if not problems:
        for name in PER_CHAIN:
            _expect(tables[name], sum(counts), "chains (sum of numClasses.txt)")
    if problems:
        raise InputError(problems[:MAX_PROBLEMS], tip=TIP)
    used = samples if limit is None else min(limit, samples)
    class_ptr = np.concatenate([[0], np.cumsum(counts[:used])]).astype(np.int64)
    networks: list[QueueNetwork] = []
    for sample in range(used):
        network = _sample(tables, sample, int(class_ptr[sample]), int(class_ptr[sample + 1]))
        if network is not None:
            networks.append(network)
        if len(problems) >= MAX_PROBLEMS:
            break
    chain_count = int(class_ptr[-1])
    read_labels: Callable[[str], list[float | None]] = lambda name: [  # noqa: E731
        tables[name].number(row, _LABEL) for row in range(chain_count)
    ]
    ratio, response = read_labels("tputRatio"), read_labels("responseTime")
    if problems:
        raise InputError(problems[:MAX_PROBLEMS], tip=TIP)
    return ChainNetData(
        name=folder.resolve().name,
        networks=tuple(networks),
        class_ptr=class_ptr,
        rates=np.concatenate([network.rates for network in networks]),
        throughput_ratio=np.array(ratio, dtype=np.float64),
        response_time=np.array(response, dtype=np.float64),
    )


def _rows(folder: Path, name: str, problems: list[Problem]) -> _Rows:
    file = folder / f"{name}.txt"
    try:
        lines = read_text(file, str(file), LARGEST_FILE).splitlines()
    except InputError as error:
        problems += error.problems
        lines = []
    if len(lines) > MOST_ROWS:
        problems.append(Problem(f"has {len(lines)} rows; at most {MOST_ROWS} are read", file=str(file)))
    while lines and not lines[-1].strip():
        lines.pop()
    return _Rows(str(file), lines, problems)


def _expect(table: _Rows, rows: int, what: str) -> None:
    if len(table.rows) != rows:
        table.problems.append(
            Problem(
                f"{len(table.rows)} rows where {rows} are expected, one for each of the {what}",
                file=table.file,
            )
        )


def _count(table: _Rows, row: int, kind: _Kind) -> int:
    """A whole positive number; 0 after noting a problem."""
    return int(table.number(row, kind) or 0)


def _sample(tables: dict[str, _Rows], sample: int, start: int, stop: int) -> QueueNetwork | None:
    """One deployment, or None after noting what is wrong with it."""
    found = len(tables["capacity"].problems)
    devices = _count(tables["numNodes"], sample, _NODES)
    capacity = tables["capacity"].numbers(sample, _PLACES)
    if capacity and len(capacity) != devices:
        tables["capacity"].note(sample, f"{len(capacity)} capacities for {devices} devices")
    rates, paths, services = [], [], []
    for chain in range(start, stop):
        gap = tables["arrival"].number(chain, _TIME)
        path = tables["path"].numbers(chain, _STEP)
        service = tables["service"].numbers(chain, _TIME)
        if path and service and len(path) != len(service):
            tables["service"].note(chain, f"{len(service)} service times for a path of {len(path)} devices")
        if devices and any(step > devices for step in path):
            tables["path"].note(chain, f"{max(path):g} is no device: they are counted from 1 to {devices}")
        rates.append(1.0 / gap if gap else 0.0)
        paths.append([int(step) - 1 for step in path])
        services.append(service)
    if len(tables["capacity"].problems) > found:
        return None
    return chains(np.array(capacity, dtype=np.int64), np.array(rates), paths, services)
