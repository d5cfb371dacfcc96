"""A lower bound of the loss that needs no solver: each service's own bottleneck, then all stations as one.

With c_j the largest share that any station allows layer j (:mod:`placer.planning.loss.bounds.effort`), the completed
shares x_k of the exits k (the end is one) obey Σ_{k at or after j} x_k ≤ run_j c_j and x_k ≤ share_k: nested sums, so
filling from the end is optimal. Then Σ_i λ_i e_i x_i ≤ Σ_d A_d with e_i the least effort of a completed job on the
fastest stations: a fractional knapsack.
"""

from __future__ import annotations

import numpy as np

from placer.instance.compiled import Compiled
from placer.instance.variant import Floats, Variant
from placer.planning.domains import Domain
from placer.planning.loss.bounds.effort import Effort


def ways_out(variant: Variant) -> list[tuple[int, float]]:
    """Exits of a variant in order and the end: (last layer that such a job runs, its share)."""
    shares: dict[int, float] = {}
    for layer, share, _ in variant.exits:
        shares[layer] = shares.get(layer, 0.0) + share
    ways = [(layer, share) for layer, share in sorted(shares.items()) if share > 0]
    return [*ways, (len(variant) - 1, float(variant.run[-1]))]


def best_shares(compiled: Compiled, effort: Effort, domains: dict[int, Domain]) -> Floats:
    """Largest share of each service's jobs that can be completed, NaN without arrivals, shape (S,)."""
    best = np.full(len(compiled.service_variants), np.nan)
    for service, group in enumerate(compiled.service_variants):
        if not compiled.rate[service] > 0:
            continue
        most = _most_completed(compiled, effort, domains, group)
        best[service] = _pooled(compiled, effort, domains, service, group, most)
    return _knapsack(compiled, effort, domains, best)


def _most_completed(compiled: Compiled, effort: Effort, domains: dict[int, Domain], group: tuple[int, ...]) -> float:
    shares = [0.0]
    for index in group:
        if index not in domains:
            continue
        usable = domains[index].usable
        room = compiled.variants[index].run * np.where(usable, effort.ceiling[index], 0.0).max(axis=1)
        total, upto = 0.0, len(room)
        ways = ways_out(compiled.variants[index])
        for k in range(len(ways) - 1, -1, -1):
            before = ways[k - 1][0] + 1 if k else 0
            total = min(total + ways[k][1], float(room[before:upto].min()) if before < upto else np.inf)
            upto = before
        shares.append(total)
    return max(shares)


def _pooled(
    compiled: Compiled,
    effort: Effort,
    domains: dict[int, Domain],
    service: int,
    group: tuple[int, ...],
    most: float,
) -> float:
    """The service alone on all its stations together."""
    least = _least_effort(compiled, effort, domains, group)
    load = float(compiled.rate[service]) * least
    return min(most, float(effort.room.sum()) / load) if load > 0 else most


def _least_effort(compiled: Compiled, effort: Effort, domains: dict[int, Domain], group: tuple[int, ...]) -> float:
    """Smallest effective seconds of a completed job, whichever the alternative and the exit."""
    efforts = []
    for index in group:
        if index in domains:
            fastest = np.where(domains[index].usable, effort.seconds[index], np.inf).min(axis=1)
            efforts.append(float(fastest[: ways_out(compiled.variants[index])[0][0] + 1].sum()))
    return min(efforts, default=0.0)


def _knapsack(compiled: Compiled, effort: Effort, domains: dict[int, Domain], most: Floats) -> Floats:
    """Fill all stations as one with the services that are worth most per second of work."""
    room = float(effort.room.sum())
    result = most.copy()
    needs = [_least_effort(compiled, effort, domains, group) for group in compiled.service_variants]
    served = np.flatnonzero(np.nan_to_num(compiled.rate) > 0)
    for service in sorted(served, key=lambda i: -compiled.weight[i] / max(needs[i], 1e-300)):
        work = float(compiled.rate[service]) * needs[service]
        if work * most[service] > room:
            result[service] = room / work
        room = max(room - work * result[service], 0.0)
    return result


def loss_of(compiled: Compiled, shares: Floats) -> float:
    """Weighted loss ratio of completed shares, shape (S,): Σ weight λ (1 − share) / Σ weight λ; 0 without arrivals."""
    mass = compiled.weight * np.nan_to_num(compiled.rate)
    total = float(mass.sum())
    return float(mass @ (1.0 - np.nan_to_num(shares, nan=1.0)) / total) if total > 0 else 0.0
