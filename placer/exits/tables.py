"""A policy and its samples laid out as the simulator's loop reads them."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from placer.exits import kernel
from placer.exits.kernel import BANDIT, END, TABLE, THRESHOLDS, ExitState, ExitTables
from placer.exits.policy import AnyPolicy, BanditPolicy, RateTablePolicy, TablePolicy, ThresholdPolicy
from placer.exits.profile import Profile
from placer.exits.samples import Split
from placer.exits.station import Station
from placer.queueing.network import Floats

Rows = TypeVar("Rows", ExitTables, ExitState)

FORGET = 0.01
"""Weight of a new confidence in the running means that the online variants read."""


def times_of(profile: Profile, policy: AnyPolicy) -> Floats:
    """Mean service time of a job that leaves at each exit under a policy, shape (L,), s.

    A threshold policy runs the classifier of every enabled exit on the way, the bandit those of its two exits.
    """
    if isinstance(policy, TablePolicy | RateTablePolicy):
        return profile.mean
    L = len(profile)
    if isinstance(policy, BanditPolicy):
        enabled = np.zeros(L, dtype=bool)
        enabled[policy.edge] = True
    else:
        enabled = np.asarray(policy.thresholds) <= 1.0
    classifier = np.where(np.isnan(profile.classifier), 0.0, profile.classifier)
    on_the_way = np.cumsum(np.where(enabled, classifier, 0.0)) - np.where(enabled, classifier, 0.0)
    return np.asarray(profile.mean + on_the_way)


def as_given(rows: Rows, lists: bool) -> Rows:
    """Uncompiled, the loop reads lists: they give an entry faster than arrays do."""
    if not lists:
        return rows
    return type(rows)(*(row.tolist() for row in rows))


def initial(profile: Profile, station: Station, policy: AnyPolicy, log: int = 0) -> ExitState:
    """The state of an empty device."""
    arms = len(policy.arms) if isinstance(policy, BanditPolicy) else 1
    window = max(policy.window, 1) if isinstance(policy, BanditPolicy) else 1
    clock = np.zeros(10)
    clock[END] = np.inf
    trust = np.where(np.isnan(profile.confidence), profile.accuracy, profile.confidence)
    L, K = len(profile), station.capacity
    return ExitState(
        clock=clock,
        counts=np.zeros(9, dtype=np.int64),
        since=np.zeros(K),
        left=np.zeros(L, dtype=np.int64),
        trust=trust.astype(np.float64),
        arm_count=np.zeros(arms, dtype=np.int64),
        arm_sum=np.zeros(arms),
        ring_edge=np.zeros(window),
        ring_gain=np.zeros(window),
        ring_arm=np.zeros(window, dtype=np.int64),
        log_jobs=np.zeros(log, dtype=np.int64),
        log_arrivals=np.zeros(log, dtype=np.int64),
        log_sample=np.zeros(log, dtype=np.int64),
        log_exit=np.zeros(log, dtype=np.int64),
        log_draw=np.zeros(log),
        log_gap=np.zeros(log),
    )


def lay_out(
    profile: Profile, station: Station, policy: AnyPolicy, samples: Split | None, rate: float, log: int = 0
) -> ExitTables:
    """The arrays that the loop reads; see :class:`placer.exits.kernel.ExitTables`."""
    L = len(profile)
    mean = times_of(profile, policy)
    shape = np.divide(1.0, profile.scv, out=np.zeros(L), where=profile.scv > 0.0)
    confidence = (profile.confidence if samples is None else samples.confidence).reshape(-1)
    right = (profile.accuracy if samples is None else samples.correct).reshape(-1).astype(np.float64)
    dims = np.zeros(11, dtype=np.int64)
    dims[[kernel.EXITS, kernel.CAPACITY, kernel.SAMPLES]] = L, station.capacity, len(right) // L
    dims[[kernel.RATES, kernel.STATES, kernel.LOGGED]] = 1, station.states, log
    chance, rates, thresholds, arms = np.ones(L), np.ones(1), np.zeros(L), np.zeros(1)
    memory = overhead = exploration = 0.0
    if isinstance(policy, TablePolicy | RateTablePolicy):
        dims[kernel.KIND] = TABLE
        table = np.array(policy.tables if isinstance(policy, RateTablePolicy) else [policy.probabilities])
        dims[kernel.STATES] = table.shape[1]
        chance = np.cumsum(table, axis=2).ravel()
        if isinstance(policy, RateTablePolicy):
            rates, memory = np.array(policy.rates), policy.memory
            dims[kernel.RATES] = len(rates)
    elif isinstance(policy, ThresholdPolicy):
        dims[kernel.KIND] = THRESHOLDS
        thresholds = np.array(policy.thresholds)
    else:
        dims[kernel.KIND] = BANDIT
        arms, overhead, exploration = np.array(policy.arms), policy.overhead, policy.exploration
        dims[[kernel.SIDE, kernel.WINDOW]] = int(policy.side), policy.window
        dims[[kernel.EDGE, kernel.ARMS]] = policy.edge, len(arms)
    figures = np.array([1.0 / rate, memory, overhead, exploration, FORGET])
    scale = mean * profile.scv
    return ExitTables(
        dims, figures, mean, shape, scale, np.ascontiguousarray(confidence), right, chance, rates, thresholds, arms
    )
