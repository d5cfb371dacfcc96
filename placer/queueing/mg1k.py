"""M/G/1/K by two moments of the service time, and the largest variability that a loss limit allows.

J. MacGregor Smith, *Optimal design and performance modelling of M/G/1/K queueing systems*, Mathematical and
Computer Modelling 39 (2004). His formula is identical to the M/M/1/n loss at the real capacity ``n = 1 + 2 (K
- 1)/b`` with ``b = 2 + sqrt(rho) (scv - 1)``: that form is evaluated here, the printed one is 0/0 at rho = 1.

How far the formula is from the exact loss (``tests/queueing/test_mg1k.py`` keeps the table): exact for
exponential service; M/D/1/10 at rho .5/.7/.8/.9/1/1.2: x4 / +54% / +18% / +2.8% / -1.7% / -.7%; gamma with
scv .5, K = 10 at .7/.9: +9.9% / +.2%; hyperexponential with scv 4, K = 10 at .5/.7/.9/1.2: -30% / -2% / +9%
/ +10%; with K = 50 at .5: -97%. So it is conservative for scv < 1 and *optimistic* for scv > 1 at low load.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from placer.queueing import mm1k
from placer.queueing.network import Floats


def spread(rho: ArrayLike, scv: ArrayLike, arrival_scv: ArrayLike = 1.0, *, clip: bool = False) -> Floats:
    """The denominator ``b = 1 + c_a^2 + sqrt(rho) (scv - 1)`` of the effective capacity.

    The one place of the clipping rule: with ``clip`` and scv < 1, sqrt(rho) is bounded by 1, which keeps b
    positive and rho (1 - loss) concave; for scv > 1 nothing is ever clipped.

    Args:
        rho: offered load.
        scv: squared coefficient of variation of the service time.
        arrival_scv: that of the interarrival times; 1 is Smith's formula, other values the usual two-moment
            extension.
        clip: the rule above.
    """
    root = np.sqrt(np.asarray(rho, dtype=np.float64))
    variation = np.asarray(scv, dtype=np.float64)
    if clip:
        root = np.where(variation < 1.0, np.minimum(root, 1.0), root)
    return np.asarray(1.0 + np.asarray(arrival_scv) + root * (variation - 1.0), dtype=np.float64)


def loss(
    rho: ArrayLike, scv: ArrayLike, capacity: ArrayLike, arrival_scv: ArrayLike = 1.0, *, clip: bool = False
) -> Floats:
    """Loss ratio of M/G/1/K by the two-moment formula, in [0, 1).

    Past its pole (b <= 0: rho >= 4/(1-scv)^2 with scv < 1, reachable without ``clip`` only) the value is the
    continuous extension ``1 - 1/rho``; the limit scv -> infinity is ``rho/(1+rho)``.

    Args:
        rho: offered load, any broadcastable shape.
        scv: squared coefficient of variation of the service time.
        capacity: K >= 1, jobs including the one in service.
        arrival_scv: see :func:`spread`.
        clip: see :func:`spread`; pass the same to :func:`scv_max`.
    """
    load = np.asarray(rho, dtype=np.float64)
    places = np.asarray(capacity, dtype=np.float64)
    b = spread(load, scv, arrival_scv, clip=clip)
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = 1.0 + 2.0 * (places - 1.0) / np.where(b > 0.0, b, 1.0)
        fluid = 1.0 - 1.0 / np.maximum(load, 1.0)
    # K = 1 has the effective capacity 1 whatever b is
    value = np.where((b > 0.0) | (places <= 1.0), mm1k.loss(load, np.where(b > 0.0, effective, 1.0)), fluid)
    return np.asarray(np.where(load <= 0.0, 0.0, value), dtype=np.float64)


def scv_max(rho: ArrayLike, max_loss: ArrayLike, capacity: ArrayLike, *, clip: bool = False) -> Floats:
    """Largest service scv for which :func:`loss` stays within a limit.

    With ``c = 1 - rho (1 - Lmax)``: c <= 0 is infeasible (the fluid bound), ``Lmax >= rho/(1+rho)`` sets no
    limit, and otherwise ``n* = ln(Lmax/c)/ln(rho)`` inverts the formula: ``1 + (2/sqrt(rho)) (K - n*)/(n* -
    1)``, with sqrt(rho) bounded by 1 under ``clip`` where the result is below 1.

    Args:
        rho: offered load, any broadcastable shape.
        max_loss: Lmax in [0, 1].
        capacity: K >= 1.
        clip: the rule that the evaluator uses, see :func:`spread`.

    Returns:
        The scv; ``inf`` for no limit; negative (``-inf`` past the fluid bound) when even deterministic
        service loses more.
    """
    load, limit, places = np.broadcast_arrays(
        np.asarray(rho, dtype=np.float64),
        np.asarray(max_loss, dtype=np.float64),
        np.asarray(capacity, dtype=np.float64),
    )
    c = 1.0 - load * (1.0 - limit)
    with np.errstate(divide="ignore", invalid="ignore"):
        x = np.log(load)
        n = np.where(np.abs(x) < 1e-12, 1.0 / limit - 1.0, np.log(limit / c) / x)
        root = np.sqrt(load)
        value = 1.0 + 2.0 / root * (places - n) / (n - 1.0)
        if clip:
            value = np.where(value < 1.0, 1.0 + 2.0 / np.minimum(root, 1.0) * (places - n) / (n - 1.0), value)
    # an infinite n (no loss allowed at all) leaves the limit of the expression
    value = np.where(np.isinf(n), 1.0 - 2.0 / np.where(load > 0.0, root, 1.0), value)
    if clip:
        value = np.where(np.isinf(n), 1.0 - 2.0 / np.minimum(np.where(load > 0.0, root, 1.0), 1.0), value)
    unlimited = (limit >= load / (1.0 + load)) | (load <= 0.0)
    return np.asarray(np.where(unlimited, np.inf, np.where(c <= 0.0, -np.inf, value)), dtype=np.float64)
