"""How many arrivals of a Markovian process fall into a random time, by uniformisation.

Events of a Poisson process of rate g, at least as fast as any phase is left, move the phase with ``I + hidden/g``
and, counted, with ``events/g``. The number of such events in a time of a gamma law is negative binomial (Poisson if
the time is constant), so for every mixture of gamma laws, constants included, the result is exact up to a
truncation below rounding. No term is negative: nothing cancels. Jensen 1953; Lucantoni, *New results on the single
server queue with a batch Markovian arrival process*, Stochastic Models 7 (1991).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placer.queueing.network import Floats, Ints

NEGLIGIBLE = 1e-17
"""Tail probability at which a count is cut off."""

MOST_STEPS = 30_000
"""Steps of uniformisation beyond which a system is too stiff for this method."""

FEW = 4
"""Steps, on average, of the shortest time that is squared."""

CHUNK = 1_000_000
"""Numbers held at once while the powers of the chain are summed."""


@dataclass(frozen=True)
class TimeLaw:
    """A mixture of gamma laws; times in s.

    Attributes:
        weight: shape (G,), probabilities, sum 1.
        mean: shape (G,), s.
        scv: shape (G,), squared coefficients of variation; 0 is a constant, 1 exponential.
    """

    weight: Floats
    mean: Floats
    scv: Floats

    @property
    def average(self) -> float:
        """Mean in s."""
        return float(self.weight @ self.mean)

    @property
    def variation(self) -> float:
        """Squared coefficient of variation of the mixture."""
        average = self.average
        if average <= 0.0:
            return 0.0
        return max(float(self.weight @ (self.mean**2 * (1.0 + self.scv))) / average**2 - 1.0, 0.0)


def poisson_counts(rate: float, law: TimeLaw) -> tuple[Floats, Floats]:
    """Law of the number of Poisson events in a time.

    Args:
        rate: events per second.
        law: of the time.

    Returns:
        (P(N = k), P(N > k)), k = 0, 1, ..., until the tail is negligible.

    Raises:
        OverflowError: more than ``MOST_STEPS`` terms are needed.
    """
    y = rate * law.mean
    t = y * law.scv
    # a gamma tail decays like (t/(1+t))^k, a Poisson one faster than any power
    reach = y + 12.0 * np.sqrt(y + y * t) + 42.0 * (1.0 + t) * np.where(law.scv > 1.0, 1.0 / np.maximum(law.scv, 1), 1)
    reach = np.maximum(reach, 42.0 * t + 60.0)
    steps = int(np.max(reach)) + 2
    if steps > MOST_STEPS:
        raise OverflowError(f"{steps} steps of uniformisation")
    n = np.arange(steps)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        first = np.where(law.scv > 1e-12, -np.log1p(t) / np.maximum(law.scv, 1e-300), -y)
        ratio = np.log((y + n * t) / ((n + 1.0) * (1.0 + t)))
    logs = np.cumsum(np.vstack([first, ratio[:-1]]), axis=0)
    mass = np.exp(logs) @ law.weight
    tail = np.cumsum(mass[::-1])[::-1]
    keep = int(np.searchsorted(-tail, -NEGLIGIBLE)) + 1
    mass = mass[:keep]
    return mass, np.append(tail[1:], 0.0)[:keep]


def constant_counts(rate: float, time: float) -> Floats:
    """Law of the number of Poisson events in a constant time."""
    if rate * time <= 0.0:
        return np.ones(1)
    return poisson_counts(rate, TimeLaw(np.ones(1), np.array([time]), np.zeros(1)))[0]


def count_matrices(hidden: Floats, events: Floats, batch: Ints, rate: float, most: int, weights: Floats) -> Floats:
    """Sums of the counting matrices of the uniformised chain.

    Args:
        hidden: shape (m, m); its diagonal may be larger in size than the rest of the row needs (killing).
        events: shape (E, m, m).
        batch: shape (E,).
        rate: of the uniformising Poisson process.
        most: counts of ``most`` and more are taken together.
        weights: shape (J, steps), one row per wanted sum.

    Returns:
        Shape (J, m, most+1, m): ``sum_k weights[j, k] P(count = n, phase' | phase, k steps)``.
    """
    phases = len(hidden)
    sizes = [1, *sorted({int(min(b, most)) for b in batch})] if len(batch) else [1]
    sizes = sorted(set(sizes))
    by_size = [events[np.minimum(batch, most) == size].sum(axis=0) / rate for size in sizes]
    step = np.hstack([np.eye(phases) + hidden / rate, *by_size])
    steps = weights.shape[1]
    width = phases * (most + 1) * phases
    chunk = max(1, min(steps, CHUNK // width))
    held = np.zeros((chunk, phases, most + 1, phases))
    total = np.zeros((len(weights), width))
    now = np.zeros((phases, most + 1, phases))
    now[:, 0, :] = np.eye(phases)
    done = 0
    while done < steps:
        stop = min(chunk, steps - done)
        for k in range(stop):
            held[k] = now
            moved = (now.reshape(-1, phases) @ step).reshape(phases, most + 1, -1)
            now = moved[:, :, :phases].copy()
            for i, size in enumerate(sizes, start=1):
                part = moved[:, :, i * phases : (i + 1) * phases]
                now[:, size:] += part[:, : most + 1 - size]
                now[:, most] += part[:, most + 1 - size :].sum(axis=1)
        total += weights[:, done : done + stop] @ held[:stop].reshape(stop, width)
        done += stop
    return total.reshape(len(weights), phases, most + 1, phases)


def counts_within(hidden: Floats, events: Floats, batch: Ints, times: Floats, most: int) -> Floats:
    """Counting matrices over constant times.

    Long times are halved until few steps are left, and what is found is squared as often: counts over two times that
    follow each other add. Many times of moderate length share the steps of one sum.

    Args:
        hidden: shape (m, m).
        events: shape (E, m, m).
        batch: shape (E,).
        times: shape (J,), s.
        most: counts of ``most`` and more are taken together.

    Returns:
        Shape (J, m, most+1, m): ``P(count = n, phase' | phase)`` over time j.

    Raises:
        OverflowError: more than ``MOST_STEPS`` terms are needed.
    """
    rate = float(-np.diag(hidden).min())
    halvings = np.ceil(np.log2(np.maximum(rate * times / FEW, 1.0))).astype(int)
    sizes = 1 + len({int(min(b, most)) for b in batch})
    a_step, a_square = sizes * (most + 1), (most + 1) * (most + 2) / 2  # products of matrices
    y = rate * float(times.max(initial=0.0))
    if halvings.sum() * a_square + len(times) * 4 * FEW * a_step > (y + 12.0 * np.sqrt(y)) * a_step:
        return count_matrices(hidden, events, batch, rate, most, _poisson_rows(rate, times))
    found = np.empty((len(times), len(hidden), most + 1, len(hidden)))
    for j, (time, often) in enumerate(zip(times, halvings.tolist(), strict=True)):
        row = _poisson_rows(rate, np.array([time / 2.0**often]))
        now = count_matrices(hidden, events, batch, rate, most, row)[0]
        for _ in range(often):
            now = _twice(now)
        found[j] = now
    return found


def _poisson_rows(rate: float, times: Floats) -> Floats:
    """Laws of the number of Poisson events in constant times, shape (J, steps)."""
    laws = [constant_counts(rate, time) for time in times.tolist()]
    rows = np.zeros((len(times), max(len(law) for law in laws)))
    for row, law in zip(rows, laws, strict=True):
        row[: len(law)] = law
    return rows


def _twice(counts: Floats) -> Floats:
    """Counting matrices, shape (m, most+1, m), over twice the time; ``most`` and more together."""
    m, most = len(counts), counts.shape[1] - 1
    by_count = counts.transpose(1, 0, 2)
    at_least = np.cumsum(by_count[::-1], axis=0)[::-1]
    wide = counts.reshape(m, -1)  # the matrices of the counts 0, 1, ... side by side
    upside_down = by_count[::-1].reshape(-1, m)
    found = np.empty_like(counts)
    for n in range(most):
        found[:, n] = wide[:, : (n + 1) * m] @ upside_down[(most - n) * m :]
    found[:, most] = wide @ at_least[::-1].reshape(-1, m)
    return found
