"""How jobs flow through the tasks of a batch: thinning, AND-joins, exits, response times."""

from __future__ import annotations

import numpy as np

from placer.queueing.flattened import Batch
from placer.queueing.network import Floats

APART = 3.6
"""Fitted factor of :func:`togetherness`."""


def reach(batch: Batch, passing: Floats) -> Floats:
    """Probability that a job of the class comes to each task, and to its sink.

    Along a chain it is the product of the ``passing`` probabilities before. At an AND-join all ancestors must
    have passed: independent branches give the product over the distinct ancestors, and since branches fed by
    one stream meet their full stations together, the truth lies between that and the smallest of the
    branches. Where it lies depends on how far the services are random, see :func:`togetherness`; both bounds are
    carried on, so every value downstream lies between them too. Branches that meet at one station are admitted in
    order: there the bounds are one.

    Args:
        batch: the networks.
        passing: shape (T,), probability that a job that comes to a task is admitted and does not leave there.

    Returns:
        Shape (T+C,): tasks, then one sink per class.
    """
    total = len(batch.first)
    through = np.append(passing, np.ones(total - len(passing)))
    low, high = np.ones(total), np.ones(total)
    with np.errstate(divide="ignore"):
        logs = np.log(through) if any(len(level.joins) for level in batch.levels) else through
    for level in batch.levels:
        low[level.single] = low[level.single_pred] * through[level.single_pred]
        high[level.single] = high[level.single_pred] * through[level.single_pred]
        if len(level.joins):
            branches = high[level.join_preds] * through[level.join_preds]
            high[level.joins] = np.minimum.reduceat(branches, level.join_ptr[:-1])
            low[level.joins] = np.exp(np.add.reduceat(logs[level.ancestors], level.ancestor_ptr[:-1]))
    if not any(len(level.joins) for level in batch.levels):
        return np.asarray(low)
    weight = togetherness(batch)[np.append(batch.task_class, np.arange(total - len(passing)))]
    with np.errstate(divide="ignore", invalid="ignore"):
        between = low ** (1.0 - weight) * high**weight
    return np.asarray(np.where(high > 0.0, between, 0.0))


def togetherness(batch: Batch) -> Floats:
    """How nearly the branches of each class lose the same jobs: the exponent of the smallest branch in :func:`reach`.

    Two stations with constant services that are fed at the same instants are full together (1); random services drive
    them apart. ``1/(1 + 3.6 sqrt(scv))``, fitted to simulated pairs (K 3 to 10, loads .5 to 1.2, equal and unequal
    speeds, scv 0 to 2), where it is off by less than .06 for equal stations; exact chains of exponential pairs have
    .13 to .3 where the fit has .22 (``tests/queueing/test_forks.py``).

    Returns:
        Shape (C,).
    """
    served = batch.task_station >= 0
    owner = batch.task_class[served]
    root = np.sqrt(np.maximum(batch.scv[served], 0.0))
    spread = np.bincount(owner, root, minlength=len(batch.rate))
    count = np.bincount(owner, minlength=len(batch.rate))
    return np.asarray(1.0 / (1.0 + APART * spread / np.maximum(count, 1)))


def responses(
    batch: Batch, come: Floats, acceptance: Floats, waiting: Floats, sojourn: Floats
) -> tuple[Floats, Floats]:
    """Probability that a job of each class completes, and the mean time it takes then.

    Args:
        batch: the networks.
        come: shape (T+C,), see :func:`reach`.
        acceptance, waiting, sojourn: shape (T,).

    Returns:
        Both of shape (C,).
    """
    tasks = len(acceptance)
    classes = len(batch.rate)
    total = len(batch.first)
    outcome_task = np.repeat(np.arange(tasks), np.diff(batch.outcome_ptr))
    leaves = batch.outcome_leaves.astype(bool)
    stays = ~leaves
    # the way of the result after the last task, over the outcomes that do not leave
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.bincount(outcome_task[stays], batch.outcome_probability[stays], minlength=tasks)
        after = np.bincount(
            outcome_task[stays], (batch.outcome_probability * batch.outcome_delay)[stays], minlength=tasks
        )
        after = np.where(weight > 0.0, after / weight, 0.0)
        own = np.bincount(outcome_task[stays], (batch.outcome_probability * batch.outcome_mean)[stays], minlength=tasks)
        goes = np.where(weight > 0.0, waiting + own / weight, sojourn)
    goes = goes + np.where(batch.terminal.astype(bool), after, 0.0)
    begin = np.zeros(total)
    for level in batch.levels:
        begin[level.single] = begin[level.single_pred] + goes[level.single_pred]
        if len(level.joins):
            ends = begin[level.join_preds] + goes[level.join_preds]
            begin[level.joins] = np.maximum.reduceat(ends, level.join_ptr[:-1])
    full = come[tasks:]
    complete = full.copy()
    time = np.where(full > 0.0, full * begin[tasks:], 0.0)
    if leaves.any():
        at = outcome_task[leaves]
        chance = come[at] * acceptance[at] * batch.outcome_probability[leaves]
        when = begin[at] + waiting[at] + batch.outcome_mean[leaves] + batch.outcome_delay[leaves]
        complete += np.bincount(batch.task_class[at], chance, minlength=classes)
        time += np.bincount(batch.task_class[at], np.where(chance > 0.0, chance * when, 0.0), minlength=classes)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(complete > 0.0, time / complete, np.nan)
    return np.minimum(complete, 1.0), mean
