"""Search for free answers: annealing towards a target load that falls."""

from __future__ import annotations

import math

import numpy as np

from placer.operators.annealing import Annealer, steps_per_run
from placer.operators.answer import Record
from placer.operators.graph import Ints
from placer.operators.units import Units, tied

CROWD = 6
"""Assignments from which a run may start beside the best."""


def search_free(record: Record, units: Units, rng: np.random.Generator, seconds: float, patience: float) -> None:
    """Search until ``seconds`` have passed, or ``patience`` seconds without a better answer."""
    graph = record.graph
    units = tied(graph, units, False, record.value)
    annealer = Annealer(graph, units, chain=False)
    begin = last = record.spent
    kinds = graph.accelerators or graph.cpus
    crowd: list[Ints] = [rng.integers(0, kinds, len(units))]
    best: Ints | None = None
    if record.nodes is not None:
        best = np.zeros(len(units), dtype=np.int64)
        best[units.of_node] = record.nodes
    target = record.value if math.isfinite(record.value) else 2.0 * record.bound + 1e-12
    while record.spent - begin < seconds and record.spent - last < patience and record.left > 0.0:
        hot = 10 ** rng.uniform(-4, -1)
        start = best if best is not None and rng.random() < 0.6 else crowd[int(rng.integers(len(crowd)))]
        at, met = annealer.run(start, target, rng, steps_per_run(), hot)
        if record.offer(units.spread(at), "annealing"):
            best, last = at, record.spent
        elif not met:
            crowd = [*crowd, at][-CROWD:]
        if record.proven:
            return
        if best is not None:
            target = record.value * (1 - 10 ** rng.uniform(-4.5, -2))
        else:
            target *= 1.1
