"""Smaller problems: few stations per layer, or the only ones of a placement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from placer.instance.compiled import Compiled, Floats
from placer.plan.placement import Placement
from placer.planning.ilp.formulation import Formulation
from placer.solver.result import Values

PER_LAYER = 3
"""With 3 the fluid MILP of 80 devices × 12 chains × 12 layers is solved in a second to within .001 of its bound."""


def narrowed(
    f: Formulation,
    values: Values | None,
    placements: Sequence[Placement] = (),
    per_layer: int = PER_LAYER,
    seed: int = 0,
) -> Compiled:
    """Return the instance with at least ``per_layer`` stations allowed per layer (or all that there are).

    Args:
        f: the whole problem.
        values: of a relaxation; every station with a part of a layer stays. None where none was solved.
        placements: whose stations stay too.
        per_layer: stations to fill up to, drawn.
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    variants = list(f.compiled.variants)
    for index, domain in f.domains.items():
        variant = domain.variant
        part: Floats = np.where(domain.usable, 0.0, -1.0)
        if values is not None:
            for layer in range(len(variant)):
                for station in domain.stations(layer):
                    part[layer, station] = values.get(f.alpha(index, layer, station), 0.0)
        for placement in placements:
            if placement.choice[variant.service] == index:
                at = placement.stations[variant.service]
                part[np.arange(len(at)), list(at)] += 1.0
        order = np.argsort(-(part + 1e-7 * rng.random(part.shape)), axis=1)
        keep = part > 1e-6
        keep[np.arange(len(variant))[:, None], order[:, :per_layer]] = True
        variants[index] = replace(variant, allowed=variant.allowed & keep)
    return replace(f.compiled, variants=tuple(variants))


def held(compiled: Compiled, placement: Placement) -> Compiled:
    """Return the instance with ``placement`` as its only one: a relaxation of it gives what that placement can do."""
    variants = []
    for index, variant in enumerate(compiled.variants):
        allowed = np.zeros_like(variant.allowed)
        if placement.choice[variant.service] == index:
            at = placement.stations[variant.service]
            allowed[np.arange(len(at)), list(at)] = True
        variants.append(replace(variant, allowed=variant.allowed & allowed))
    return replace(compiled, variants=tuple(variants))
