"""Throughput: the smallest largest load, contiguous or free. Search first, then the MILP from its answer.

The bound is the better of the divisible balance of the work and what HiGHS proves; both hold for every
assignment that the method allows.
"""

from __future__ import annotations

import math
from typing import Any

import networkx as nx
import numpy as np

from placer.errors import InfeasibleError
from placer.operators.answer import PROVEN_GAP, Answer, Record, balance_bound, check_room
from placer.operators.contiguous_model import contiguous_model
from placer.operators.contiguous_search import search_chain
from placer.operators.free_model import free_model
from placer.operators.free_search import search_free
from placer.operators.graph import Ints, OperatorGraph
from placer.operators.units import Units, make_units, tied
from placer.solver.highs import Solver
from placer.solver.progress import Limits
from placer.solver.result import Values

SEARCH_SHARE, MOST_SEARCH, MOST_PATIENCE = 0.25, 60.0, 12.0
"""Of the time limit, and seconds: the first search, and how long it goes on without a better answer."""
LARGEST_MODEL = 150_000
"""Rows beyond which the MILP is left out: HiGHS would not finish its first relaxation in minutes."""


def solve_contiguous(graph: OperatorGraph, seconds: float = 240.0, seed: int = 0) -> Answer:
    """Return the best chain of ideals found within the time.

    Raises:
        InfeasibleError: when no assignment fits (proven).
        UnansweredError: when none was found.
    """
    record, rng = Record(graph, "contiguous", seconds), np.random.default_rng(seed)
    units = _begin(record)
    patience = min(MOST_PATIENCE, 0.2 + len(units) / 25)
    if not record.proven:
        search_chain(record, units, rng, min(SEARCH_SHARE * seconds, MOST_SEARCH), patience)
    if not record.proven and _devices(graph) > 1:
        _solve_chain(record, units)
    if not record.proven and record.left > 1.0:
        search_chain(record, units, rng, record.left, 2 * patience)
    return record.answer()


def solve_free(graph: OperatorGraph, seconds: float = 240.0, seed: int = 0) -> Answer:
    """Return the best assignment found within the time; nothing but colour classes and memory binds.

    Raises:
        InfeasibleError: when no assignment fits (proven).
        UnansweredError: when none was found.
    """
    record, rng = Record(graph, "free", seconds), np.random.default_rng(seed)
    units = _begin(record)
    patience = min(MOST_PATIENCE, 0.2 + len(units) / 25)
    if not record.proven:
        search_chain(record, make_units(graph, True), rng, 0.05 * seconds, patience / 4)
        search_free(record, units, rng, min(SEARCH_SHARE * seconds, MOST_SEARCH), patience)
    if not record.proven and _devices(graph) > 1:
        _solve_free(record, units)
    if not record.proven and record.left > 1.0:
        search_free(record, units, rng, record.left, 2 * patience)
    return record.answer()


def _devices(graph: OperatorGraph) -> int:
    return graph.accelerators + graph.cpus


def _begin(record: Record) -> Units:
    """Offer everything on one device, and the bound of the divisible balance."""
    graph = record.graph
    check_room(graph)
    units = make_units(graph, record.method == "contiguous")
    for device in {0, graph.accelerators} - {_devices(graph)}:
        record.offer(np.full(len(graph), device, dtype=np.int64), "one device")
    bound = balance_bound(units.accelerator, units.cpu, units.supported, graph.accelerators, graph.cpus)
    record.raise_bound(bound, "divisible balance")
    if _devices(graph) == 1:
        record.raise_bound(record.value, "the only assignment")
    return units


def _of_units(record: Record, units: Units) -> Ints:
    assert record.nodes is not None
    at = np.zeros(len(units), dtype=np.int64)
    at[units.of_node] = record.nodes
    return at


def chain_places(graph: OperatorGraph, units: Units, at: Ints) -> Ints:
    """Return the place of each device in a row in which no arc points back."""
    quotient = nx.DiGraph()
    quotient.add_nodes_from(range(_devices(graph)))
    quotient.add_edges_from((int(at[a]), int(at[b])) for a, b in units.arcs if at[a] != at[b])
    place = np.zeros(_devices(graph), dtype=np.int64)
    place[list(nx.topological_sort(quotient))] = np.arange(_devices(graph))
    return place


def _solve_chain(record: Record, units: Units) -> None:
    graph = record.graph
    units = tied(graph, units, True, record.value)
    slots = graph.accelerators + (graph.accelerators + 1) * graph.cpus
    pins = sum(len(net) - 1 for net in units.nets)
    if slots * (len(units) * 2 + len(units.arcs)) + 2 * graph.accelerators * pins > LARGEST_MODEL:
        return
    scale, limit = _scale(record)
    made = contiguous_model(graph, units, scale, limit)
    start: Values | None = None
    if record.nodes is not None:
        at = _of_units(record, units)
        start = made.start(chain_places(graph, units, at), at)
    _run(record, units, made, scale, start)


def _solve_free(record: Record, units: Units) -> None:
    graph = record.graph
    units = tied(graph, units, False, record.value)
    pins = sum(len(net) - 1 for net in units.nets)
    if 2 * graph.accelerators * pins + len(units) > LARGEST_MODEL:
        return
    scale, limit = _scale(record)
    made = free_model(graph, units, scale, limit)
    _run(record, units, made, scale, made.start(_of_units(record, units)) if record.nodes is not None else None)


def _scale(record: Record) -> tuple[float, float | None]:
    """Return what the model's loads are multiples of, and the largest that it allows."""
    if math.isfinite(record.value) and record.value > 0.0:
        return record.value, 1.0 + 1e-6
    return max(record.bound, 1e-12), None


def _run(record: Record, units: Units, made: Any, scale: float, start: Values | None) -> None:
    """Run HiGHS, and take its point and its bound."""
    try:
        solver = Solver.of(made.model)
        if start is not None:
            solver.start_from(start)
        result = solver.solve(Limits(seconds=max(record.left, 0.1), gap=PROVEN_GAP / 2))
    except InfeasibleError:
        if record.nodes is None:
            raise
        return
    if result.status == "infeasible" and record.nodes is None:
        raise InfeasibleError(f"{record.graph.name}: no assignment fits (proven)")
    if result.has_incumbent:
        record.offer(units.spread(made.devices(result.values)), "MILP")
    record.raise_bound(min(result.bound * scale, record.value), "MILP")
