"""Random networks of chains to learn from: what :mod:`placer.recipes.loss_correction` simulates.

Drawn by the index of the network alone. :func:`general`: chains as the public ChainNet data describes them (uniform
rates, service times and paths, fixed service times; small buffers more often than there), networks of our own whose
largest load is set, with fixed, gamma and exponential service, and the latter with early exits. :func:`meeting`: few
streams, each through some stations of its own or disturbed by others, that meet at one station with few places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from placer.queueing.network import Floats, Ints, Law, QueueNetwork, chains
from placer.queueing.rules import Rules
from placer.queueing.solve import solve_batch

SEED = 991
SHARE_OWN, SHARE_EXITS = 0.40, 0.07
LEAST_SERVICE = 1e-3
VARIATIONS = [0.0, 0.1, 0.25, 0.5, 0.75, 1.0]
TELLING = (2e-4, 0.4)
"""Losses by the rules, at a station that is fed by another one, that make a network worth simulating."""

CHUNK = 200


def general(index: int) -> QueueNetwork:
    """General network number ``index``; the same one always."""
    rng = np.random.default_rng([SEED, index])
    kind = rng.random()
    if kind < SHARE_OWN:
        return _own(np.random.default_rng([4242, 50_000_000 + index]))
    if kind < SHARE_OWN + SHARE_EXITS:
        return _with_exits(_own(np.random.default_rng([4242, 50_000_000 + index])), rng)
    return _public(rng)


def meeting(index: int) -> QueueNetwork:
    """Meeting number ``index``; the same one always. The station where the streams meet is the first."""
    rng = np.random.default_rng([SEED + 1, index])
    small = rng.random() < 0.7
    capacity = [int(rng.integers(1, 9) if small else rng.integers(9, 51))]
    paths: list[list[int]] = []
    for _ in range(int(rng.choice([1, 2, 3, 4], p=[0.3, 0.35, 0.25, 0.1]))):
        path: list[int] = []
        for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.2, 0.35, 0.3, 0.15]))):
            known = [step for step in range(1, len(capacity)) if step not in path]
            if known and rng.random() < 0.25:
                path.append(int(rng.choice(known)))
                continue
            capacity.append(int(rng.integers(1, 51)))
            path.append(len(capacity) - 1)
        paths.append([*path, 0])
    paths.extend([station] for station in range(1, len(capacity)) if rng.random() < 0.3)
    service = [np.maximum(rng.uniform(0, 2, len(path)), LEAST_SERVICE).tolist() for path in paths]
    rates = 1.0 / rng.uniform(0.1, 10, len(paths))
    kind = rng.random()
    if kind < 0.75:
        return chains(np.array(capacity), rates, paths, service)
    if kind < 0.82:
        return chains(np.array(capacity), rates, paths, service, None, Law.EXPONENTIAL)
    scv = [[float(rng.choice(VARIATIONS)) for _ in path] for path in paths]
    return chains(np.array(capacity), rates, paths, service, scv, Law.GAMMA)


def telling(draw: Callable[[int], QueueNetwork], start: int, stop: int) -> Iterator[tuple[int, QueueNetwork]]:
    """Networks ``start`` to ``stop`` from which something can be learned, and each tenth of the others."""
    for first in range(start, stop, CHUNK):
        drawn = [draw(index) for index in range(first, min(first + CHUNK, stop))]
        solution = solve_batch(drawn, Rules(correction=False))
        for k, one in enumerate(drawn):
            tasks = slice(int(solution.task_ptr[k]), int(solution.task_ptr[k + 1]))
            loss = 1.0 - solution.task_acceptance[tasks]
            fed = np.ones(len(loss), dtype=bool)
            fed[one.class_tasks[:-1]] = False
            mixed = np.zeros(one.stations, dtype=bool)
            mixed[one.task_station[fed]] = True
            near = mixed[one.task_station] & (loss > TELLING[0]) & (loss < TELLING[1])
            if near.any() or (first + k) % 10 == 0:
                yield first + k, one


def _public(rng: np.random.Generator) -> QueueNetwork:
    """Uniform rates, services and paths, and small buffers more often."""
    devices = int(rng.integers(2, 11))
    count = int(rng.integers(1, 4)) if rng.random() < 0.8 else int(rng.integers(3, 13))
    most = min(6 if rng.random() < 0.8 else 12, devices)
    least = min(2, most)
    paths = [rng.permutation(devices)[: int(rng.integers(least, most + 1))].tolist() for _ in range(count)]
    service = [np.maximum(rng.uniform(0, 2, len(path)), LEAST_SERVICE).tolist() for path in paths]
    capacity = rng.integers(1, 51, devices)
    if rng.random() < 0.6:
        capacity = np.where(rng.random(devices) < 0.6, rng.integers(1, 8, devices), capacity)
    rates = 1.0 / rng.uniform(0.1, 10, count)
    if rng.random() >= 0.2:
        return chains(capacity, rates, paths, service)
    scv = [[float(rng.choice([0.0, 0.0, 0.25, 0.5, 1.0])) for _ in path] for path in paths]
    return chains(capacity, rates, paths, service, scv, Law.GAMMA)


def _own(rng: np.random.Generator) -> QueueNetwork:
    """Chains over random paths, a common line, or own stations and a common end; the largest load is drawn."""
    plain = rng.random() < 0.35
    if plain:
        many = rng.random() < 0.3
        devices = int(rng.integers(2, 11))
        count = int(rng.integers(3, 13) if many else rng.integers(1, 4))
        least, most, topology = 2, (8 if many else 6), 0
    else:
        devices = int(rng.integers(2, 9))
        count = int(rng.choice([1, 2, 2, 3, 3, 4, 5, 6, 8, 12]))
        least, most = 1, 6
        topology = int(rng.choice([0, 0, 0, 1, 2]))
    most = min(most, devices)
    paths = _paths(rng, devices, count, (min(least, most), most), topology)
    service = _services(rng, devices, paths, plain)
    capacity = _capacities(rng, devices, plain)
    kind = int(rng.choice([0, 0, 0, 0, 0, 4] if plain else [0, 0, 0, 1, 2, 3, 4]))
    scv = [[[0.0, 0.25, 0.5, 1.0, float(rng.choice(VARIATIONS))][kind] for _ in path] for path in paths]
    if kind == 4:
        scv = [[float(rng.choice(VARIATIONS)) for _ in path] for path in paths]
    rates = 1.0 / rng.uniform(0.1, 10.0, count) if plain else np.exp(rng.uniform(0, 1.5, count))
    if not plain or rng.random() < 0.5:
        load = np.zeros(devices)
        for rate, path, times in zip(rates, paths, service, strict=True):
            np.add.at(load, path, rate * np.array(times))
        target = rng.uniform(0.35, 1.3) if rng.random() < 0.8 else rng.uniform(1.0, 3.0)
        rates = rates * target / load.max()
    law = [Law.DETERMINISTIC, Law.GAMMA, Law.GAMMA, Law.EXPONENTIAL, Law.GAMMA][kind]
    return chains(capacity, rates, paths, service, scv, law)


def _paths(
    rng: np.random.Generator, devices: int, count: int, length: tuple[int, int], topology: int
) -> list[list[int]]:
    least, most = length
    line = rng.permutation(devices)[: max(2, int(rng.integers(least, most + 1)))]
    paths = []
    for _ in range(count):
        size = int(rng.integers(least, most + 1))
        if topology == 0:
            path = rng.permutation(devices)[:size]
        elif topology == 1:
            start = int(rng.integers(0, len(line)) if rng.random() < 0.5 else 0)
            stop = len(line) if rng.random() < 0.6 else int(rng.integers(start + 1, len(line) + 1))
            path = line[start:stop]
        else:
            path = np.append(rng.permutation(devices - 1)[: max(size - 1, 1)], devices - 1)
        paths.append([int(step) for step in path])
    return paths


def _services(rng: np.random.Generator, devices: int, paths: list[list[int]], plain: bool) -> list[list[float]]:
    """Mean service times: uniform, those of the station, or over orders of magnitude."""
    style = 0 if plain else int(rng.integers(4))
    of_station = rng.uniform(0.1, 2.0, devices)
    service: list[list[float]] = []
    for path in paths:
        if style <= 1:
            times: Floats = rng.uniform(0.0, 2.0, len(path))
        elif style == 2:
            times = of_station[path]
        else:
            times = np.exp(rng.uniform(np.log(0.05), np.log(2.0), len(path)))
        service.append(np.maximum(times, LEAST_SERVICE).tolist())
    return service


def _capacities(rng: np.random.Generator, devices: int, plain: bool) -> Ints:
    kind = 3 if plain else int(rng.integers(5))
    kinds = [
        rng.integers(1, 6, devices),
        rng.integers(2, 17, devices),
        rng.integers(5, 51, devices),
        rng.integers(1, 51, devices),
        np.full(devices, int(rng.choice([2, 3, 5, 8, 10, 20]))),
    ]
    return np.asarray(kinds[kind], dtype=np.int64)


def _with_exits(plain: QueueNetwork, rng: np.random.Generator) -> QueueNetwork:
    """The same network; half of the tasks that others follow end in an exit with a shorter time now and then."""
    last = np.zeros(len(plain.task_station), dtype=bool)
    last[plain.class_tasks[1:] - 1] = True
    rows: list[tuple[float, float, int, bool]] = []
    ends = [0]
    for task, is_last in enumerate(last):
        mean = float(plain.outcome_mean[task])
        if not is_last and rng.random() < 0.5:
            leaves = rng.uniform(0.1, 0.6)
            rows += [(leaves, mean * rng.uniform(0.2, 0.95), task, True), (1.0 - leaves, mean, task, False)]
        else:
            rows.append((1.0, mean, task, False))
        ends.append(len(rows))
    source = np.array([row[2] for row in rows])
    return replace(
        plain,
        outcome_ptr=np.array(ends),
        outcome_probability=np.array([row[0] for row in rows]),
        outcome_mean=np.array([row[1] for row in rows]),
        outcome_scv=plain.outcome_scv[source],
        outcome_law=plain.outcome_law[source],
        outcome_leaves=np.array([row[3] for row in rows]),
        outcome_delay=np.zeros(len(rows)),
    )
