"""AdaEE: a bandit that learns the threshold of one exit from confidences alone, job by job.

Pacheco et al., *AdaEE*, ICC 2023. With C1 the confidence at the edge exit, CL at the last one and o the
overhead of going on, arm alpha earns ``r = 0 if C1 >= alpha else max(CL - C1, 0) - o``. Each arm is played
once, then the one with the largest ``mean + c sqrt(ln t / N)``. Two things beyond the paper: a job reveals
the reward of every arm at or below the one played, whatever its confidence (it went on if that is below the
arm, and otherwise the arm earns 0); and a sliding window forgets, which an average over all jobs never does.
With a window the logarithmic guarantee on the regret is given up. A job that goes on reveals the arms above as
well, but only jobs of low confidence do: learning from them flatters those arms for ever (on the shipped
profiles the regret was linear), so it is not done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from placer.exits import kernel
from placer.exits.policy import BanditPolicy
from placer.exits.profile import Profile
from placer.exits.samples import Split
from placer.exits.station import Station
from placer.exits.tables import as_given, initial, lay_out
from placer.jit import version
from placer.queueing.network import Floats, Ints

ARMS = tuple(round(0.1 * step, 1) for step in range(11))


def bandit(
    profile: Profile,
    *,
    edge: int | None = None,
    overhead: float = 0.1,
    exploration: float = 0.1,
    side: bool = True,
    window: int = 0,
) -> BanditPolicy:
    """The policy of a profile; the edge exit is the one nearest to half of the last one's time unless given."""
    if edge is None:
        edge = int(np.argmin(np.abs(profile.mean[:-1] - 0.5 * profile.mean[-1])))
    return BanditPolicy(
        edge=edge,
        exits=len(profile),
        arms=ARMS,
        overhead=overhead,
        exploration=exploration,
        side=side,
        window=window,
    )


def rewards(policy: BanditPolicy, samples: Split) -> Floats:
    """What each arm earns on each sample, shape (N, A)."""
    edge, last = samples.confidence[:, policy.edge, None], samples.confidence[:, -1, None]
    gain = np.maximum(last - edge, 0.0) - policy.overhead
    return np.asarray(np.where(edge >= np.asarray(policy.arms), 0.0, gain))


@dataclass(frozen=True)
class Played:
    """A run over a stream of T jobs.

    Attributes:
        arms: shape (T,), arm played for each job.
        regret: shape (T,), pseudo-regret so far: sum of (best arm's mean - played arm's mean), the means being
            those of the samples that the job was drawn from.
        behind: shape (T,), regret so far against an oracle that knows each sample; it may grow linearly.
        reward: shape (T,), mean reward of the arm played, on the samples that the job was drawn from.
        best: best arm of each phase.
        best_reward: its mean reward, per phase.
    """

    arms: Ints
    regret: Floats
    behind: Floats
    reward: Floats
    best: tuple[int, ...]
    best_reward: tuple[float, ...]


def run(
    profile: Profile,
    policy: BanditPolicy,
    phases: Sequence[tuple[Split, int]],
    *,
    seed: int = 0,
    compiled: bool | None = None,
) -> Played:
    """Play a stream without a queue: phases of samples, each drawn from so many times with replacement."""
    rng = np.random.default_rng(seed)
    step = version(kernel.bandit_stream, compiled)
    lists = step is kernel.bandit_stream
    station = Station(1.0, 1)
    state = as_given(initial(profile, station, policy), lists)
    arms, regret, behind, reward, best, top = [], [], [], [], [], []
    for samples, jobs in phases:
        tables = as_given(lay_out(profile, station, policy, samples, 1.0), lists)
        picks = rng.integers(len(samples), size=jobs)
        played = np.zeros(jobs, dtype=np.int64)
        rows: list[object] = [picks.tolist(), [0] * jobs] if lists else [picks, played]
        step(tables, state, *rows)
        if lists:
            played = np.asarray(rows[1], dtype=np.int64)
        table = rewards(policy, samples)
        means = table.mean(axis=0)
        arms.append(played)
        regret.append(means.max() - means[played])
        behind.append(table[picks].max(axis=1) - table[picks, played])
        reward.append(means[played])
        best.append(int(np.argmax(means)))
        top.append(float(means.max()))
    joined = [np.concatenate(rows) for rows in (arms, regret, behind, reward)]
    return Played(joined[0], np.cumsum(joined[1]), np.cumsum(joined[2]), joined[3], tuple(best), tuple(top))


@dataclass(frozen=True)
class Fit:
    """How a regret grows.

    Attributes:
        exponent: beta of ``R(t) ~ t^beta`` by least squares in logarithms over the last nine tenths; below 1
            is sublinear, 0 is bounded.
        slope: b of ``a + b ln t`` over the same part.
        last: regret at the end.
        late_share: share of the regret that the second half of the stream brought.
    """

    exponent: float
    slope: float
    last: float
    late_share: float


def fit(regret: Floats) -> Fit:
    """Fit the growth of a cumulative regret, shape (T,)."""
    T = len(regret)
    t = np.unique(np.geomspace(T / 10, T, 200).astype(int)) - 1
    value = np.maximum(regret[t], 1e-12)
    exponent = float(np.polyfit(np.log(t + 1.0), np.log(value), 1)[0])
    slope = float(np.polyfit(np.log(t + 1.0), regret[t], 1)[0])
    late = float((regret[-1] - regret[T // 2]) / regret[-1]) if regret[-1] > 0 else 0.0
    return Fit(exponent, slope, float(regret[-1]), late)


def harder(samples: Split, exit_: int, share: float = 0.5) -> Split:
    """The samples of which an exit is least sure: what drift towards hard inputs looks like."""
    order = np.argsort(samples.confidence[:, exit_], kind="stable")
    return samples.rows(order[: max(1, int(share * len(samples)))])


def blurred(samples: Split, exit_: int, by: float) -> Split:
    """The samples with the confidence of one exit scaled down: a drift that moves the best threshold."""
    confidence = samples.confidence.copy()
    confidence[:, exit_] *= by
    return replace(samples, confidence=confidence)


def recovery(played: Played, start: int, within: float = 0.1, span: int = 200) -> int | None:
    """Jobs after ``start`` until the mean reward over the next ``span`` jobs stays near the last phase's best.

    Near means within that share of the best arm's reward; None when it never gets there.
    """
    best = played.best_reward[-1]
    after = played.reward[start:]
    means = np.convolve(after, np.ones(span) / span, mode="valid")
    near = np.flatnonzero(means >= best - within * abs(best))
    return int(near[0]) if len(near) else None
