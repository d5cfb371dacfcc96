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
from placer.queueing.network import Floats, Ints, QueueNetwork, chains

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


@dataclass
class _Rows:
    """The rows of one file, and the problems found while reading all files."""

    file: str
    rows: list[list[str]]
    problems: list[Problem]

    def numbers(self, row: int, low: float, allowed: str) -> list[float]:
        """The numbers of a row, all above ``low``; what is wrong is noted."""
        try:
            values = [float(text) for text in self.rows[row]]
        except ValueError:
            self.note(row, f"'{' '.join(self.rows[row])}' is not a row of numbers")
            return []
        if not values or not all(low < value < float("inf") for value in values):
            self.note(row, f"{values} must be {allowed}")
            return []
        return values

    def number(self, row: int, low: float, allowed: str) -> float | None:
        """The one number of a row."""
        values = self.numbers(row, low, allowed)
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
    counts = [_count(tables["numClasses"], row) for row in range(samples)]
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
        tables[name].number(row, 0.0, "positive") for row in range(chain_count)
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
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        problems.append(Problem(f"cannot be read: {reason}", file=str(file)))
        lines = []
    while lines and not lines[-1].strip():
        lines.pop()
    return _Rows(str(file), [line.split() for line in lines], problems)


def _expect(table: _Rows, rows: int, what: str) -> None:
    if len(table.rows) != rows:
        table.problems.append(
            Problem(
                f"{len(table.rows)} rows where {rows} are expected, one for each of the {what}",
                file=table.file,
            )
        )


def _count(table: _Rows, row: int) -> int:
    """A whole positive number; 0 after noting a problem."""
    value = table.number(row, 0.0, "a positive whole number")
    if value is None:
        return 0
    if value != int(value):
        table.note(row, f"{value} must be a whole number")
        return 0
    return int(value)


def _sample(tables: dict[str, _Rows], sample: int, start: int, stop: int) -> QueueNetwork | None:
    """One deployment, or None after noting what is wrong with it."""
    found = len(tables["capacity"].problems)
    devices = _count(tables["numNodes"], sample)
    capacity = tables["capacity"].numbers(sample, 0.0, "positive whole numbers")
    if capacity and len(capacity) != devices:
        tables["capacity"].note(sample, f"{len(capacity)} capacities for {devices} devices")
    if any(value != int(value) for value in capacity):
        tables["capacity"].note(sample, f"{capacity} must be whole numbers")
    rates, paths, services = [], [], []
    for chain in range(start, stop):
        gap = tables["arrival"].number(chain, 0.0, "a positive time between arrivals")
        path = tables["path"].numbers(chain, 0.0, "device numbers from 1")
        service = tables["service"].numbers(chain, 0.0, "positive service times")
        if path and service and len(path) != len(service):
            tables["service"].note(chain, f"{len(service)} service times for a path of {len(path)} devices")
        if any(step != int(step) or step > devices for step in path):
            tables["path"].note(chain, f"{path} must be device numbers from 1 to {devices}")
        rates.append(1.0 / gap if gap else 0.0)
        paths.append([int(step) - 1 for step in path])
        services.append(service)
    if len(tables["capacity"].problems) > found:
        return None
    return chains(np.array(capacity, dtype=np.int64), np.array(rates), paths, services)
