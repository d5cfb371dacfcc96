"""Networks that the simulation tests share, and an exact oracle for the small exponential ones."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import spsolve

from placer.queueing.network import DELAY, Arrivals, Law, Process, QueueNetwork

State = tuple[tuple[int, ...], ...]


def poisson(rate: float) -> Arrivals:
    return Arrivals(Process.POISSON, rate)


def network(
    capacity: list[int],
    arrivals: list[Arrivals],
    tasks: list[list[tuple[int, list[int]]]],
    outcomes: list[list[tuple[float, float, float, Law, bool, float]]],
    up: list[float] | None = None,
    down: list[float] | None = None,
) -> QueueNetwork:
    """Any network. ``tasks``: per class (station, predecessors within the class); ``outcomes``: per task
    (probability, mean, scv, law, leaves, delay to the sink)."""
    first = [0, *itertools.accumulate(len(chain) for chain in tasks)]
    flat = [task for chain in tasks for task in chain]
    base = [first[c] for c, chain in enumerate(tasks) for _ in chain]
    preds = [[p + offset for p in task[1]] for task, offset in zip(flat, base, strict=True)]
    rows = [outcome for task in outcomes for outcome in task]
    columns = list(zip(*rows, strict=True))
    stations = len(capacity)
    return QueueNetwork(
        capacity=np.array(capacity),
        arrivals=tuple(arrivals),
        class_tasks=np.array(first),
        task_station=np.array([task[0] for task in flat]),
        pred_ptr=np.array([0, *itertools.accumulate(len(p) for p in preds)]),
        preds=np.array([p for row in preds for p in row], dtype=np.int64),
        outcome_ptr=np.array([0, *itertools.accumulate(len(task) for task in outcomes)]),
        outcome_probability=np.array(columns[0], dtype=float),
        outcome_mean=np.array(columns[1], dtype=float),
        outcome_scv=np.array(columns[2], dtype=float),
        outcome_law=np.array([int(law) for law in columns[3]]),
        outcome_leaves=np.array(columns[4], dtype=bool),
        outcome_delay=np.array(columns[5], dtype=float),
        up=np.array(up if up is not None else [0.0] * stations),
        down=np.array(down if down is not None else [0.0] * stations),
    )


def served(
    mean: float, law: Law = Law.EXPONENTIAL, scv: float = 1.0
) -> list[tuple[float, float, float, Law, bool, float]]:
    """The only outcome of a task."""
    return [(1.0, mean, scv, law, False, 0.0)]


def everything() -> QueueNetwork:
    """All that the loop knows: joins, exits, delays, outages, servers, each law, each arrival process."""
    modulated = Arrivals(Process.MMPP, 0.5, rates=np.array([1.2, 0.15]), generator=np.array([[-0.2, 0.2], [0.1, -0.1]]))
    trace = Arrivals(Process.TRACE, 0.4, times=np.array([0.5, 2.0, 2.0, 6.0]))
    law = Law
    net = network(
        capacity=[4, 3, 0, 2],
        arrivals=[poisson(0.6), Arrivals(Process.PERIODIC, 0.3), modulated, trace],
        tasks=[
            [(0, []), (1, [0]), (DELAY, [0]), (2, [1, 2])],
            [(0, []), (3, [0])],
            [(1, []), (2, []), (DELAY, [0, 1]), (1, [2])],
            [(3, []), (DELAY, [0])],
        ],
        outcomes=[
            [
                (0.3, 0.4, 0.0, law.DETERMINISTIC, True, 0.2),
                (0.7, 0.6, 2.5, law.HYPEREXPONENTIAL, False, 0.0),
            ],
            served(0.7, law.GAMMA, 0.4),
            served(1.5, law.EXPONENTIAL),
            [(1.0, 0.5, 1.0, law.EXPONENTIAL, False, 0.1)],
            served(0.5, law.DETERMINISTIC, 0.0),
            served(1.2, law.GAMMA, 2.0),
            [(0.5, 0.3, 0.0, law.DETERMINISTIC, True, 0.0), (0.5, 0.9, 1.0, law.EXPONENTIAL, False, 0.0)],
            served(0.4, law.HYPEREXPONENTIAL, 3.0),
            served(0.8, law.DETERMINISTIC, 0.0),
            served(0.5),
            served(0.9),
            served(0.3, law.GAMMA, 0.0),
        ],
        up=[40.0, 0.0, 60.0, 30.0],
        down=[3.0, 0.0, 4.0, 2.0],
    )
    return replace(net, servers=np.array([1, 2, 1, 1]))


def exact_losses(net: QueueNetwork) -> np.ndarray:
    """Loss ratio per class of Poisson chains with exponential service, shape (C,).

    The state is the order of the tasks in each queue; the chain is explored from empty and πQ = 0 solved.
    """
    rate = net.rates
    last = set((net.class_tasks[1:] - 1).tolist())
    owner = np.repeat(np.arange(net.classes), np.diff(net.class_tasks))
    empty: State = tuple(() for _ in range(net.stations))
    index, todo = {empty: 0}, [empty]
    rows, columns, values = [], [], []
    finishing: list[tuple[int, int, float]] = []

    def enter(state: State, task: int) -> State:
        station = int(net.task_station[task])
        if len(state[station]) >= net.capacity[station]:
            return state
        return tuple((*queue, task) if s == station else queue for s, queue in enumerate(state))

    while todo:
        state = todo.pop()
        moves = [(enter(state, int(net.class_tasks[c])), float(rate[c])) for c in range(net.classes)]
        for station, queue in enumerate(state):
            if queue:
                task, mu = queue[0], 1 / float(net.outcome_mean[queue[0]])
                after: State = tuple(q[1:] if s == station else q for s, q in enumerate(state))
                if task in last:
                    finishing.append((index[state], int(owner[task]), mu))
                else:
                    after = enter(after, task + 1)
                moves.append((after, mu))
        for target, speed in moves:
            if target not in index:
                index[target] = len(index)
                todo.append(target)
            rows += [index[state], index[state]]
            columns += [index[target], index[state]]
            values += [speed, -speed]
    n = len(index)
    balance = coo_matrix((values, (columns, rows)), shape=(n, n)).tolil()
    balance[n - 1, :] = 1.0
    share = spsolve(balance.tocsc(), np.append(np.zeros(n - 1), 1.0))
    completed = np.zeros(net.classes)
    for state_index, c, mu in finishing:
        completed[c] += share[state_index] * mu
    return 1 - completed / rate
