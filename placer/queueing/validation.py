"""Whether the arrays of a queueing network agree with each other, said in full before anything runs."""

from __future__ import annotations

import numpy as np

from placer.errors import Problem
from placer.queueing.network import DELAY, UNLIMITED, Arrivals, Law, Process, QueueNetwork


def problems_of(network: QueueNetwork) -> list[Problem]:
    """Everything that would make the loop index out of range or draw nonsense."""
    found: list[Problem] = []

    def check(good: bool, path: str, message: str) -> None:
        if not good:
            found.append(Problem(message, f"$.{path}"))

    tasks, outcomes = len(network.task_station), len(network.outcome_mean)
    check(network.classes > 0 and tasks > 0, "arrivals", "no class or no task, at least one of each is needed")
    for name, length in {"class_tasks": network.classes, "pred_ptr": tasks, "outcome_ptr": tasks}.items():
        check(len(getattr(network, name)) == length + 1, name, f"must have {length + 1} entries")
    for name in ("probability", "scv", "law", "leaves", "delay"):
        length = len(getattr(network, f"outcome_{name}"))
        check(length == outcomes, f"outcome_{name}", f"has {length} entries, must have {outcomes}")
    for name in ("up", "down"):
        length = len(getattr(network, name))
        check(length == network.stations, name, f"has {length} entries, must have {network.stations}")
    check(len(network.at_once) == network.stations, "servers", f"must have {network.stations} entries or none")
    if found:
        return found
    in_range = (network.task_station >= DELAY) & (network.task_station < network.stations)
    check(bool(in_range.all()), "task_station", f"must be {DELAY} or a station below {network.stations}")
    check(bool((network.capacity >= 0).all()), "capacity", f"must be 1 or more, or {UNLIMITED} for unlimited")
    check(bool((network.at_once >= 1).all()), "servers", "must be 1 or more")
    several = network.at_once > 1
    check(not bool((several & (network.up > 0)).any()), "servers", "a station that fails serves one job at a time")
    check(bool((np.diff(network.class_tasks) > 0).all()), "class_tasks", "every class needs a task")
    check(int(network.class_tasks[-1]) == tasks, "class_tasks", f"must end at {tasks}")
    check(bool((np.diff(network.outcome_ptr) > 0).all()), "outcome_ptr", "every task needs an outcome")
    check(int(network.outcome_ptr[-1]) == outcomes, "outcome_ptr", f"must end at {outcomes}")
    for name in ("outcome_probability", "outcome_mean", "outcome_scv", "outcome_delay", "up", "down"):
        values = getattr(network, name)
        check(bool(np.isfinite(values).all() and (values >= 0).all()), name, "must be finite and not negative")
    if found:
        return found
    sums = np.add.reduceat(network.outcome_probability, network.outcome_ptr[:-1])
    check(bool(np.allclose(sums, 1.0, atol=1e-6)), "outcome_probability", "must sum to 1 over each task")
    phased = network.outcome_law == Law.HYPEREXPONENTIAL
    check(
        bool((network.outcome_scv[phased] >= 1).all()),
        "outcome_scv",
        "a hyperexponential law needs 1 or more",
    )
    check(
        bool(((network.up == 0) | (network.down > 0)).all()),
        "down",
        "a station that fails needs a repair time",
    )
    owner = np.repeat(np.arange(network.classes), np.diff(network.class_tasks))
    follower = np.repeat(np.arange(tasks), np.diff(network.pred_ptr))
    earlier = (network.preds < follower) & (network.preds >= 0)
    check(bool(earlier.all()), "preds", "must come before their task")
    if earlier.all():
        check(bool((owner[network.preds] == owner[follower]).all()), "preds", "must be of the same class")
    for index, arrivals in enumerate(network.arrivals):
        for message in _arrival_problems(arrivals):
            check(False, f"arrivals[{index}]", message)
    return found


def _arrival_problems(arrivals: Arrivals) -> list[str]:
    found = []
    if not (np.isfinite(arrivals.rate) and arrivals.rate >= 0):
        found.append(f"rate {arrivals.rate} must be finite and not negative")
    if arrivals.spacing and (arrivals.process != Process.POISSON or not 0 < arrivals.spacing * arrivals.rate < 1):
        found.append(f"spacing {arrivals.spacing} is for Poisson arrivals and must be shorter than the mean gap")
    if arrivals.process == Process.MMPP:
        states = len(arrivals.rates)
        if states == 0 or arrivals.generator.shape != (states, states):
            found.append("an MMPP needs rates (states,) and a generator (states, states)")
        elif (arrivals.rates < 0).any() or not np.allclose(arrivals.generator.sum(axis=1), 0.0):
            found.append("MMPP rates must not be negative and the rows of the generator must sum to 0")
        elif ((arrivals.rates - np.diag(arrivals.generator)) <= 0).any():
            found.append("an MMPP state must have arrivals or a way out")
    if arrivals.process == Process.TRACE:
        times = arrivals.times
        if len(times) == 0 or arrivals.rate <= 0:
            found.append("a trace needs instants and a rate")
        elif (np.diff(times) < 0).any() or times[0] < 0:
            found.append("the instants of a trace must increase from 0 or later")
    return found
