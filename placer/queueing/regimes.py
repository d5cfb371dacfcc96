"""Stations under a clock where not all is constant: which chain represents the services, and how large it may be."""

from __future__ import annotations

import numpy as np

from placer.queueing import clocked, grid_station
from placer.queueing.clock_chain import states
from placer.queueing.map_g1k import Server
from placer.queueing.markov_streams import MarkovArrivals
from placer.queueing.patterns import Pattern
from placer.queueing.phase_type import PhaseType, phase_type

MOST_STATES = 640
"""States of a chain under a clock."""

FEW_STATES = 400
"""The same where constants are represented by stages."""


def regime_of(
    pattern: Pattern, server: Server, others: MarkovArrivals | None, most_seconds: float = np.inf
) -> clocked.Regime:
    """The regime under a clock; constants by two Erlang laws, extrapolated to infinitely many stages.

    Raises:
        clocked.TooLargeError: it would take longer than ``most_seconds``, by a rough count of the work.
    """
    law = server.law
    service = phase_type(law)
    constant = law.scv == 0.0
    if not constant.any():
        if states(server, service, others) > MOST_STATES:
            service = _smaller(server, others, MOST_STATES)
        return clocked.solve(pattern, server, service, others, most_seconds)
    if len(law.mean) == 1 and others is not None and server.up <= 0.0:
        on_grid = grid_station.solve(pattern, server.capacity, float(law.mean[0]), others, most_seconds)
        if on_grid is not None:
            return on_grid
    fine = _smaller(server, others, FEW_STATES)
    stages = int((len(fine.start)) / max(len(law.mean), 1))
    if stages < 4:
        return clocked.solve(pattern, server, fine, others, most_seconds)
    half = phase_type(law, stages // 2)
    good = clocked.solve(pattern, server, phase_type(law, 2 * (stages // 2)), others, most_seconds)
    rough = clocked.solve(pattern, server, half, others, most_seconds)
    fields = {name: np.asarray(2.0 * getattr(good, name) - getattr(rough, name)) for name in good.__dataclass_fields__}
    for name in ("loss", "background_loss", "survival", "background_survival"):
        fields[name] = np.clip(fields[name], 0.0, 1.0)
    return clocked.Regime(**fields)


def _smaller(server: Server, others: MarkovArrivals | None, most: int) -> PhaseType:
    """Phases with as many stages as fit into so many states."""
    stages = 64
    while stages > 2 and states(server, phase_type(server.law, stages), others) > most:
        stages -= max(1, stages // 8)
    return phase_type(server.law, stages)
