"""Loss and queue of single stations under arrivals that are not Poisson."""

from __future__ import annotations

import numpy as np

from placer.queueing import mg1k
from placer.queueing.mg1k_exact import Exact, embedded
from placer.queueing.network import UNLIMITED, Floats, Ints
from placer.queueing.variability import TINY

MAX_LOSS = 0.9999
NOISE = 1e-12
"""Rounding error of an exact loss, with a margin."""


def corrected(
    capacity: Ints, rho: Floats, service_scv: Floats, arrival_scv: Floats, poisson: Exact | None
) -> tuple[Floats, Floats]:
    """Loss and mean number waiting, all classes of a station alike.

    The exact value under Poisson arrivals times the ratio of the two-moment values at the actual and at the
    Poisson arrival scv; the loss never below the fluid bound 1 - 1/rho. An unlimited station loses nothing;
    its queue is that of Kingman's formula, which is Pollaczek-Khinchine's for Poisson arrivals.

    Args:
        capacity: shape (S,).
        rho: shape (S,), offered load.
        service_scv: shape (S,).
        arrival_scv: shape (S,), what stands for the arrivals in the two-moment formula; may be slightly
            negative (see :func:`placer.queueing.variability.work_scv`).
        poisson: exact values, or None to use the two-moment formula alone.
    """
    finite = np.where(capacity == UNLIMITED, 1, capacity)
    loss = mg1k.loss(rho, service_scv, finite, arrival_scv, clip=True)
    queue = queue_length(rho, service_scv, finite, arrival_scv, loss)
    if poisson is not None:
        plain_loss = mg1k.loss(rho, service_scv, finite, clip=True)
        plain_queue = queue_length(rho, service_scv, finite, np.ones_like(rho), plain_loss)
        with np.errstate(divide="ignore", invalid="ignore"):
            # below NOISE the exact loss is rounding, which a ratio of tiny numbers would blow up
            usable = (plain_loss > 1e-300) & (poisson.loss > NOISE)
            loss = np.where(usable, poisson.loss * (loss / plain_loss), np.minimum(loss, plain_loss))
            waiting = poisson.waiting_number
            queue = np.where(plain_queue > 1e-300, waiting * (queue / plain_queue), waiting)
    loss = np.clip(np.maximum(loss, 1.0 - 1.0 / np.maximum(rho, TINY)), 0.0, MAX_LOSS)
    queue = np.clip(queue, 0.0, finite - 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        variability = np.maximum(arrival_scv + service_scv, 0.0)
        endless = np.where(rho < 1.0, 0.5 * rho**2 * variability / (1.0 - rho), np.inf)
    unlimited = capacity == UNLIMITED
    return np.where(unlimited, 0.0, loss), np.where(unlimited, endless, queue)


def queue_length(rho: Floats, scv: Floats, capacity: Ints, arrival_scv: Floats, loss: Floats) -> Floats:
    """Mean number waiting under the two-moment formula.

    The diffusion behind the formula makes the number geometric between 1 and K, ``p_k ~ rho^(2k/b)``, with
    the busy probability ``rho (1 - loss)``; the mean of that law is written with expm1 and a series, so that
    it neither overflows nor cancels.

    Args:
        rho, scv, arrival_scv, loss: shape (S,).
        capacity: shape (S,), K >= 1.
    """
    b = np.maximum(mg1k.spread(rho, scv, arrival_scv, clip=True), 1e-9)
    size = capacity.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        x = 2.0 / b * np.log(np.maximum(rho, 1e-300))
        mean = 1.0 / np.expm1(-x) - size / np.expm1(-size * x)
    series = (size - 1.0) / 2.0 + (size**2 - 1.0) * x / 12.0
    mean = np.where(np.abs(x) * size < 1e-3, series, mean)
    return np.asarray(np.clip(mean, 0.0, size - 1.0) * np.minimum(rho * (1.0 - loss), 1.0))


def tandem_waiting(capacity: Ints, rate: Floats, service: Floats, before: Floats) -> Floats:
    """Wait in s at a deterministic stage behind faster ones on a path of its own.

    The waits of a tandem of deterministic servers sum to that of its slowest alone, in any order (Friedman,
    Oper. Res. 13, 1965), so a new slowest stage adds the difference of two Poisson stations.

    Args:
        capacity: shape (P,), K of the stage.
        rate: shape (P,), 1/s.
        service, before: shape (P,), s, service time of the stage and of the slowest one before.
    """
    one, fixed = np.arange(len(rate)), np.zeros(len(rate))
    slow = embedded(capacity, one, np.ones(len(rate)), rate * service, fixed)
    fast = embedded(capacity, one, np.ones(len(rate)), rate * before, fixed)
    wait = slow.waiting_number / (1.0 - slow.loss) - fast.waiting_number / (1.0 - fast.loss)
    return np.asarray(np.maximum(wait, 0.0) / np.maximum(rate, TINY))
