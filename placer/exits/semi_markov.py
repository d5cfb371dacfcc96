"""The best queue-length-based single-exit policy there is: a semi-Markov decision linear program.

With x_{k,l} the share of services that start after a departure which left k jobs behind and take exit l:
``max sum a_l x_{k,l}`` subject to the balance of the chain, ``sum x = 1`` and ``sum tau_{k,l} x_{k,l} <=
1/(lambda (1 - Lmax))``, tau = t_l (plus 1/lambda at k = 0). It is linear and exact, so its value bounds the
accuracy of every policy that chooses one exit per job by the queue's length at Poisson arrivals. Policies
that look at a sample's confidence may beat it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.errors import InfeasibleError, UnansweredError
from placer.exits.profile import Profile
from placer.exits.station import Station, arrivals_in_service
from placer.instance.units import show_fraction
from placer.queueing.network import Floats
from placer.solver.highs import LinearProgram


@dataclass(frozen=True)
class Optimum:
    """The optimum of the program.

    Attributes:
        accuracy: right answers per completed job; no queue-length-based single-exit policy has more.
        probabilities: shape (states, L): row n-1 is the choice with n jobs present.
        loss: loss ratio of the program's point.
    """

    accuracy: float
    probabilities: Floats
    loss: float


def solve(profile: Profile, station: Station, max_loss: float) -> Optimum:
    """Solve the program for a loss limit.

    Raises:
        InfeasibleError: no policy keeps the limit; says what the least loss is.
    """
    K, L = station.capacity, len(profile)
    load = station.rate * profile.mean
    step = np.zeros((K, L, K))
    pmf = arrivals_in_service(load, profile.scv, K)
    for k in range(K):
        base = max(k, 1) - 1
        step[k, :, base : K - 1] = pmf[:, : K - 1 - base]
        step[k, :, K - 1] = np.maximum(1.0 - pmf[:, : K - 1 - base].sum(axis=1), 0.0)
    # tau in units of 1/lambda keeps the rows near 1
    tau = np.tile(load, (K, 1))
    tau[0] += 1.0
    balance = -step.reshape(K * L, K).T
    for k in range(K):
        balance[k, k * L : (k + 1) * L] += 1.0
    rows = np.vstack([balance[1:], np.ones(K * L), tau.ravel()])
    equal = np.append(np.zeros(K - 1), 1.0)
    worth = np.tile(profile.accuracy, K)
    limit = 1.0 / max(1.0 - max_loss, 1e-12)
    program = LinearProgram(-worth, rows, np.append(equal, -np.inf), np.append(equal, limit), most=1.0)
    status, objective, values = program.solve()
    if status == "infeasible":
        least = least_loss(rows, equal, tau.ravel())
        raise InfeasibleError(
            f"no queue-length-based policy keeps the loss at {show_fraction(max_loss)}: the least is "
            f"{show_fraction(least)} (proven)",
            tip="a larger buffer, fewer arrivals, or a faster device",
        )
    if status != "optimal":
        raise UnansweredError(f"the semi-Markov program ended with the status {status}")
    x = np.maximum(values.reshape(K, L), 0.0)
    x /= x.sum()
    return Optimum(-objective, _by_jobs_present(x, profile, station), max(1.0 - 1.0 / float((x * tau).sum()), 0.0))


def least_loss(rows: Floats, equal: Floats, tau: Floats) -> float:
    """The least loss ratio of any policy, from the rows of the program."""
    status, cycle, _ = LinearProgram(tau, rows[:-1], equal, equal, most=1.0).solve()
    if status != "optimal":
        raise UnansweredError(f"the semi-Markov program ended with the status {status}")
    return max(1.0 - 1.0 / cycle, 0.0)


def _by_jobs_present(x: Floats, profile: Profile, station: Station) -> Floats:
    """Choices by jobs present: after 0 and after 1 left behind the same chain goes on, so the two are one state."""
    merged = x[1:].copy() if station.capacity > 1 else x.copy()
    if station.capacity > 1:
        merged[0] += x[0]
    seen = merged.sum(axis=1)
    chance = np.zeros_like(merged)
    visited = seen > 1e-13
    chance[visited] = merged[visited] / seen[visited, None]
    chance[~visited, int(np.argmin(profile.mean))] = 1.0  # never reached: the quickest exit is the safe one
    return chance
