"""One device whose jobs leave at exits, exactly: the chain embedded at departures, with a choice per queue length.

Poisson arrivals, K places. When a service starts with n jobs present (this one included, n = 1 … K-1, and 1
when K = 1), exit l is taken with a probability that depends on n; its time is gamma with the exit's scv,
constant at 0. Between departures the number present only rises, so the balance of level crossings
``pi_{j+1} P(none arrive | j+1) = sum_{i<=j} pi_i P(more than j stay | i)`` gives the numbers left behind in
positive terms. The next departure comes after ``tau = t_l`` (plus 1/lambda after an empty device), hence
``loss = 1 - 1/(lambda E[tau])``; arrivals see time averages (PASTA) and accepted ones see what departures
leave, so ``P(N = k) = (1 - loss) pi_k`` and Little's law gives the latency.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.exits.profile import Profile
from placer.queueing import mg1k, mg1k_exact
from placer.queueing.network import Floats, Law

CLIP = True
"""The clipping rule of the two-moment formula: that of the analytic evaluator of plans."""


@dataclass(frozen=True)
class Station:
    """What jobs meet: arrivals and room.

    Attributes:
        rate: Poisson arrivals, 1/s.
        capacity: K >= 1, jobs including the one in service.
    """

    rate: float
    capacity: int

    @property
    def states(self) -> int:
        """Numbers of jobs that can be present when a service starts: 1 … this."""
        return max(1, self.capacity - 1)


@dataclass(frozen=True)
class Measures:
    """What a policy does at a station.

    Attributes:
        accuracy: right answers per completed job.
        accuracy_offered: right answers per offered job: a lost one counts as wrong.
        loss: lost / offered.
        latency: mean time in the system of a completed job, s.
        utilisation: share of time busy.
        shares: completed jobs by exit, shape (L,).
    """

    accuracy: float
    accuracy_offered: float
    loss: float
    latency: float
    utilisation: float
    shares: Floats


def arrivals_in_service(load: Floats, scv: Floats, count: int) -> Floats:
    """P(j arrivals in one gamma service), j = 0 … count-1, shape (L, count).

    Args:
        load: shape (L,), mean arrivals in the service.
        scv: shape (L,), of the service; 0 is Poisson, otherwise negative binomial.
        count: number of terms.
    """
    theta = load * scv
    with np.errstate(divide="ignore", invalid="ignore"):
        first = np.where(scv > 1e-12, -np.log1p(theta) / np.where(scv > 1e-12, scv, 1.0), -load)
    n = np.arange(count - 1)
    ratio = (load[:, None] + n * theta[:, None]) / ((n + 1.0) * (1.0 + theta[:, None]))
    terms = np.column_stack([first, np.log(np.maximum(ratio, 1e-300))])
    return np.asarray(np.exp(np.cumsum(terms, axis=1)))


def evaluate_table(profile: Profile, station: Station, probabilities: Floats) -> Measures:
    """Exact stationary measures of a queue-length-based policy.

    Args:
        profile: the exits; its ``accuracy`` is what is counted.
        station: arrivals and room.
        probabilities: shape (states, L): row n-1 is the choice with n jobs present; rows sum to 1.
    """
    K = station.capacity
    chance = np.vstack([probabilities[:1], probabilities])[:K]  # by jobs left behind: an empty device starts with 1
    pmf = arrivals_in_service(station.rate * profile.mean, profile.scv, K + 1)
    exceed = np.maximum(1.0 - np.cumsum(pmf, axis=1), 0.0)  # P(more than j arrive)
    more, none = chance @ exceed, chance @ pmf[:, 0]
    pi = np.zeros(K)
    pi[0] = 1.0
    for j in range(K - 1):
        back = np.arange(1, j + 1)
        flow = pi[0] * more[0, j] + pi[back] @ more[back, j - back + 1]
        pi[j + 1] = flow / max(none[j + 1], 1e-250)
        if pi[j + 1] > mg1k_exact.RESCALE_ABOVE:
            pi /= pi[j + 1]
    pi /= pi.sum()
    return _measures(profile, station, pi, chance)


def _measures(profile: Profile, station: Station, pi: Floats, chance: Floats) -> Measures:
    shares = pi @ chance
    busy = float(shares @ profile.mean)
    cycle = busy + pi[0] / station.rate
    loss = max(1.0 - 1.0 / (station.rate * float(cycle)), 0.0)
    number = (1.0 - loss) * float(np.arange(len(pi)) @ pi) + station.capacity * loss
    right = float(shares @ profile.accuracy)
    latency = number / (station.rate * (1.0 - loss))
    return Measures(right, right * (1.0 - loss), loss, float(latency), float(busy / cycle), shares)


def evaluate_mixture(shares: Floats, mean: Floats, scv: Floats, right: Floats, station: Station) -> Measures:
    """Exact measures when every job draws its outcome alike: M/G/1/K with a mixture of gamma services.

    Args:
        shares: shape (L,), probability of each outcome.
        mean, scv: shape (L,), its time in s and that time's squared coefficient of variation.
        right: shape (L,), probability that a job with this outcome is answered rightly.
        station: arrivals and room.
    """
    used = shares > 0.0
    solved = mg1k_exact.mg1k(station.rate, station.capacity, mean[used], scv[used], Law.GAMMA, shares[used])
    accepted = station.rate * (1.0 - solved.loss)
    accuracy = float(shares @ right)
    busy = accepted * float(shares @ mean)
    latency = float(solved.mean_number / accepted)
    return Measures(accuracy, accuracy * (1.0 - solved.loss), solved.loss, latency, busy, shares)


def formula_loss(shares: Floats, mean: Floats, scv: Floats, station: Station) -> float:
    """Loss of the same station by the two-moment formula (Smith 2004, :mod:`placer.queueing.mg1k`)."""
    first = float(shares @ mean)
    second = float(shares @ (mean**2 * (1.0 + scv)))
    spread = max(second / first**2 - 1.0, 0.0)
    return float(mg1k.loss(station.rate * first, spread, station.capacity, clip=CLIP))


def single(shares: Floats, states: int) -> Floats:
    """The table of a policy that does not look at the queue, shape (states, L)."""
    return np.tile(shares, (states, 1))
