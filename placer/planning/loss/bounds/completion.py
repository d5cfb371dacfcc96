"""What the loss MILPs share: the objective over completed jobs, limits on loss, and reading the completed rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyomo.core as pyo

from placer.instance.compiled import Compiled, Floats
from placer.planning.ilp.formulation import Terms, linear
from placer.solver.result import Values


def add_loss_objective(
    model: Any, compiled: Compiled, completed: Mapping[int, Terms], max_loss: bool, slack: float
) -> None:
    """Minimise the weighted loss ratio, 1 − Σ w λ x / Σ w λ, and keep ``max_loss`` where it is asked for.

    Args:
        model: has a constraint set ``max_loss``.
        compiled: the instance.
        completed: per service the terms of its completed share x.
        max_loss: whether services must keep their limits.
        slack: by which a limit may be missed.
    """
    mass = compiled.weight * np.nan_to_num(compiled.rate)
    total = float(mass.sum())
    objective: Terms = []
    for service, terms in completed.items():
        objective += [(-float(mass[service]) / total * c, v) for c, v in terms]
        spec = compiled.instance.services[service]
        if max_loss and spec.max_loss is not None:
            model.max_loss[spec.name] = linear(terms) >= 1.0 - spec.max_loss - slack
    model.objective = pyo.Objective(expr=linear(objective, 1.0 if total > 0 else 0.0), sense=pyo.minimize)


def completed_rates(compiled: Compiled, completed: Mapping[int, Terms], values: Values) -> Floats:
    """Completed rates of a solution in 1/s, NaN without arrivals, shape (S,)."""
    found = np.full(len(compiled.rate), np.nan)
    for service, terms in completed.items():
        share = sum(c * values.get(v, 0.0) for c, v in terms)
        found[service] = float(compiled.rate[service]) * min(max(share, 0.0), 1.0)
    return found
