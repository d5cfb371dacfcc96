"""The event loop of one device whose jobs leave at exits, and the bandit that learns where.

The rules of :mod:`placer.simulation.kernel` hold: one-dimensional rows that are only indexed, one generator,
the same numbers compiled or not. (The bandit takes a logarithm and a root; both runs call the same libm.)
"""

from __future__ import annotations

from math import inf, log, sqrt
from typing import NamedTuple

import numpy as np

from placer.jit import helper
from placer.simulation.tables import Row

TABLE, THRESHOLDS, BANDIT = 0, 1, 2

# ExitTables.dims
KIND, EXITS, CAPACITY, SAMPLES, STATES, RATES, SIDE, WINDOW, EDGE, ARMS, LOGGED = range(11)
# ExitTables.figures
MEAN_GAP, MEMORY, OVERHEAD, EXPLORATION, FORGET = range(5)
# ExitState.clock
NOW, ARRIVAL, END, LAST, GAP, RESPONSE, BUSY, RIGHT, STARTED, PENDING = range(10)
# ExitState.counts
HEAD, NUMBER, OFFERED, LOST, COMPLETED, SERVED, PLAYED, SEEN, STARTS = range(9)


class ExitTables(NamedTuple):
    """What the loop never changes. L exits, N samples, S states, R rates, A arms.

    Attributes:
        dims: shape (11,): kind of policy, L, K, N, S, R (1: no estimate), side observations, window, edge
            exit, A, room in the log.
        figures: shape (5,): mean gap between arrivals in s, weight of a new gap, overhead, exploration,
            weight of a new confidence in the running means.
        mean, shape, scale: shape (L,): service time of a job that leaves there, s; gamma shape (0: constant)
            and scale in s.
        confidence, right: shape (N L,), by sample.
        chance: shape (R S L,), running sums of the exits' probabilities.
        rates: shape (R,), 1/s, increasing.
        thresholds: shape (L,); above 1 the exit is passed by.
        arms: shape (A,), thresholds of the bandit.
    """

    dims: Row
    figures: Row
    mean: Row
    shape: Row
    scale: Row
    confidence: Row
    right: Row
    chance: Row
    rates: Row
    thresholds: Row
    arms: Row


class ExitState(NamedTuple):
    """What the loop changes.

    Attributes:
        clock: shape (10,): now, next arrival, end of the service, last arrival, moving average of the gaps, in
            s; sums of response and busy time in s, of right answers; start of the service in s; how right the
            answer of the job in service is.
        counts: shape (9,): head and number of the queue; jobs offered, lost, completed; the exit in service;
            jobs that the bandit was played for and that it remembers; services started.
        since: shape (K,), arrival of each job present, a ring.
        left: shape (L,), jobs completed by exit.
        trust: shape (L,), running mean of the confidence seen at each exit.
        arm_count, arm_sum: shape (A,), rewards that each arm remembers.
        ring_edge, ring_gain, ring_arm: shape (W,), what the bandit remembers of each job: confidence at the
            edge, gain of going on (-1: unknown), arm played.
        log_jobs, log_arrivals, log_sample, log_exit, log_draw, log_gap: what happened, for as many services
            and arrivals as there is room.
    """

    clock: Row
    counts: Row
    since: Row
    left: Row
    trust: Row
    arm_count: Row
    arm_sum: Row
    ring_edge: Row
    ring_gain: Row
    ring_arm: Row
    log_jobs: Row
    log_arrivals: Row
    log_sample: Row
    log_exit: Row
    log_draw: Row
    log_gap: Row


@helper
def best_arm(tb: ExitTables, st: ExitState) -> int:
    """The arm to play: one that knows nothing, else the best mean reward plus its confidence radius."""
    known = st.counts[SEEN]
    best, value = 0, -inf
    for arm in range(tb.dims[ARMS]):
        n = st.arm_count[arm]
        if n == 0:
            return arm
        score = st.arm_sum[arm] / n + tb.figures[EXPLORATION] * sqrt(log(known) / n)
        if score > value:
            best, value = arm, score
    return best


@helper
def teach(tb: ExitTables, st: ExitState, edge: float, gain: float, played: int, sign: int) -> None:
    """Add (sign 1) or take back (-1) what one job says of the arms: their rewards where it reveals them."""
    for arm in range(tb.dims[ARMS]):
        # Lower arms only. A job that goes on reveals higher ones too, but only because its confidence is low: to
        # learn from those would flatter the higher arms, and no number of jobs would put it right.
        if arm == played or (tb.dims[SIDE] == 1 and arm < played):
            st.arm_count[arm] += sign
            if tb.arms[arm] > edge:
                st.arm_sum[arm] += sign * (gain - tb.figures[OVERHEAD])


@helper
def remember(tb: ExitTables, st: ExitState, edge: float, gain: float, played: int) -> None:
    """Teach the arms, and make them forget the job that falls out of the window."""
    window = tb.dims[WINDOW]
    teach(tb, st, edge, gain, played, 1)
    if window > 0:
        place = st.counts[PLAYED] % window
        if st.counts[SEEN] == window:
            teach(tb, st, st.ring_edge[place], st.ring_gain[place], st.ring_arm[place], -1)
            st.counts[SEEN] -= 1
        st.ring_edge[place] = edge
        st.ring_gain[place] = gain
        st.ring_arm[place] = played
    st.counts[SEEN] += 1
    st.counts[PLAYED] += 1


@helper
def play(tb: ExitTables, st: ExitState, sample: int) -> int:
    """Let the bandit decide on a sample, teach it, and return the arm that it played."""
    L = tb.dims[EXITS]
    arm = best_arm(tb, st)
    edge = tb.confidence[sample * L + tb.dims[EDGE]]
    gain = -1.0
    if edge < tb.arms[arm]:
        gain = max(tb.confidence[sample * L + L - 1] - edge, 0.0)
    remember(tb, st, edge, gain, arm)
    return arm


def bandit_stream(tb: ExitTables, st: ExitState, samples: Row, arms: Row) -> None:
    """Play a stream of samples one after the other, without a queue; writes the arm played for each."""
    for position in range(len(samples)):
        arms[position] = play(tb, st, samples[position])


@helper
def choose(tb: ExitTables, st: ExitState, draw: float, sample: int) -> int:
    """The exit at which the sample leaves."""
    L: int = tb.dims[EXITS]
    if tb.dims[KIND] == THRESHOLDS:
        for e in range(L - 1):
            if tb.thresholds[e] <= 1.0 and tb.confidence[sample * L + e] >= tb.thresholds[e]:
                return e
        return L - 1
    if tb.dims[KIND] == BANDIT:
        arm = play(tb, st, sample)
        stays: int = tb.dims[EDGE]
        return stays if tb.confidence[sample * L + tb.dims[EDGE]] >= tb.arms[arm] else L - 1
    rate = 0
    if tb.dims[RATES] > 1:
        estimate = 1.0 / st.clock[GAP]
        while rate < tb.dims[RATES] - 1 and tb.rates[rate] < estimate:
            rate += 1
    row = (rate * tb.dims[STATES] + min(st.counts[NUMBER], tb.dims[STATES]) - 1) * L
    e = 0
    while e < L - 1 and draw >= tb.chance[row + e]:
        e += 1
    return e


@helper
def serve(tb: ExitTables, st: ExitState, rng: np.random.Generator) -> None:
    """Start the service of the job at the head of the queue."""
    L = tb.dims[EXITS]
    draw = rng.random()
    sample = int(rng.random() * tb.dims[SAMPLES])
    e = choose(tb, st, draw, sample)
    start = st.counts[STARTS]
    if start < tb.dims[LOGGED]:
        st.log_jobs[start], st.log_arrivals[start] = st.counts[NUMBER], st.counts[OFFERED]
        st.log_sample[start], st.log_exit[start], st.log_draw[start] = sample, e, draw
    st.counts[STARTS] = start + 1
    st.counts[SERVED] = e
    time = tb.mean[e]
    if tb.shape[e] > 0.0:
        time = tb.scale[e] * rng.standard_gamma(tb.shape[e])
    st.clock[STARTED] = st.clock[NOW]
    st.clock[END] = st.clock[NOW] + time
    st.clock[PENDING] = tb.right[sample * L + e]
    st.trust[e] += tb.figures[FORGET] * (tb.confidence[sample * L + e] - st.trust[e])


def run_exits(tb: ExitTables, st: ExitState, rng: np.random.Generator, offered: int) -> None:
    """Go on until so many jobs have been offered in all; the sums then hold every job that has completed."""
    K = tb.dims[CAPACITY]
    while st.counts[OFFERED] < offered:
        if st.clock[END] <= st.clock[ARRIVAL]:
            now = st.clock[END]
            st.clock[NOW] = now
            head = st.counts[HEAD]
            st.clock[RESPONSE] += now - st.since[head]
            st.clock[BUSY] += now - st.clock[STARTED]
            st.clock[RIGHT] += st.clock[PENDING]
            st.left[st.counts[SERVED]] += 1
            st.counts[COMPLETED] += 1
            st.counts[HEAD] = head + 1 if head + 1 < K else 0
            st.counts[NUMBER] -= 1
            if st.counts[NUMBER] > 0:
                serve(tb, st, rng)
            else:
                st.clock[END] = inf
        else:
            now = st.clock[ARRIVAL]
            st.clock[NOW] = now
            gap = now - st.clock[LAST]
            if st.counts[OFFERED] < tb.dims[LOGGED]:
                st.log_gap[st.counts[OFFERED]] = gap
            st.clock[GAP] += tb.figures[MEMORY] * (gap - st.clock[GAP])
            st.clock[LAST] = now
            st.clock[ARRIVAL] = now + tb.figures[MEAN_GAP] * rng.standard_exponential()
            st.counts[OFFERED] += 1
            number = st.counts[NUMBER]
            if number == K:
                st.counts[LOST] += 1
            else:
                at = st.counts[HEAD] + number
                st.since[at if at < K else at - K] = now
                st.counts[NUMBER] = number + 1
                if number == 0:
                    serve(tb, st, rng)
