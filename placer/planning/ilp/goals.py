"""Objectives and the limits that need flows: deadlines, links, airtime, what a lexicographic run has settled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pyomo.core as pyo
from numpy.typing import NDArray

from placer.evaluation.traffic import can_bind
from placer.instance.topology import Routes
from placer.planning.ilp.formulation import MS, Formulation, Terms, linear, placed
from placer.planning.ilp.schedule import add_flows, add_latency, flows
from placer.planning.ilp.stretch import limit_stretch


def add_goal_limits(f: Formulation) -> None:
    """Add the limits of services, channels and links: deadlines, and what can be carried."""
    services = f.compiled.instance.services
    f.model.deadline = pyo.Constraint(pyo.Any)
    if any(service.deadline is not None for service in services):
        _need_latency(f)
        for position, service in enumerate(services):
            if service.deadline is not None and f.latency[position]:
                f.model.deadline[service.name] = linear(f.latency[position]) <= service.deadline * MS
    f.model.airtime = pyo.Constraint(pyo.Any)
    f.model.link = pyo.Constraint(pyo.Any)
    if can_bind(f.compiled):
        _add_traffic_limits(f)
    limit_stretch(f)


def _add_traffic_limits(f: Formulation) -> None:
    """Σ λ·p·K/ρ·y ≤ the limit, of every link direction and of what any device hears of a channel."""
    topology, arcs = f.compiled.topology, _arc_terms(f, 0.0)
    if np.isfinite(f.compiled.max_airtime):
        for (channel, device), terms in _airtime(f, arcs).items():
            limit = f.compiled.channel_limit(channel)
            if _exceeds(terms, limit):
                f.model.airtime[channel, f.compiled.device_names[device]] = linear(terms) <= limit
    if np.isfinite(f.compiled.max_link_utilisation):
        for index, terms in arcs.items():
            carrier = topology.arcs[index].carrier
            limit = f.compiled.carrier_limit(carrier)
            if topology.arcs[index].channel is None and _exceeds(terms, limit):
                f.model.link[topology.carrier(carrier).name] = linear(terms) <= limit


def _exceeds(terms: Terms, limit: float) -> bool:
    """Whether variables between 0 and 1 could exceed a limit at all."""
    return sum(c for c, _ in terms) > limit


def add_objective(f: Formulation, name: str) -> Any:
    """Set the objective by name and return its expression; ``f.scale`` converts its value to SI."""
    expression, f.scale = _EXPRESSIONS[name](f)
    if hasattr(f.model, "objective"):
        f.model.del_component("objective")
    f.model.objective = pyo.Objective(expr=expression, sense=pyo.minimize)
    return expression


def settle(f: Formulation, position: int, expression: Any, value: float) -> None:
    """Keep an earlier objective of a lexicographic run at its value (in the model's units)."""
    if not hasattr(f.model, "settled"):
        f.model.settled = pyo.Constraint(pyo.Any)
    f.model.settled[position] = expression <= value + 1e-7 * max(abs(value), 1e-6)


def _need_latency(f: Formulation) -> None:
    if not f.latency:
        add_latency(f)


def _latency(f: Formulation) -> tuple[Any, float]:
    _need_latency(f)
    terms: Terms = []
    for service, parts in f.latency.items():
        terms += [(f.compiled.weight[service] * c, v) for c, v in parts]
    return linear(terms), MS


def _worst(f: Formulation) -> tuple[Any, float]:
    _need_latency(f)
    f.model.worst = pyo.Var(domain=pyo.NonNegativeReals)
    f.model.slowest = pyo.Constraint(pyo.Any)
    for service, parts in f.latency.items():
        f.model.slowest[service] = linear([*((c, v) for c, v in parts), (-1.0, f.model.worst)]) <= 0
    return linear([(1.0, f.model.worst)]), MS


def _energy(f: Formulation) -> tuple[Any, float]:
    compiled = f.compiled
    terms: Terms = []
    for _, variant, layer, station, alpha in placed(f):
        joules = variant.run[layer] * variant.joules[layer, station]
        terms.append((compiled.weight[variant.service] * joules * MS, alpha))
    for service, probability, routes, tail, head, variable in _moves(f):
        joules = float(routes.joules[tail, head])
        terms.append((compiled.weight[service] * probability * joules * MS, variable))
    return linear(terms), MS  # in mJ


def _bottleneck(f: Formulation) -> tuple[Any, float]:
    compiled = f.compiled
    f.model.bottleneck = pyo.Var(domain=pyo.NonNegativeReals)
    f.model.stage = pyo.Constraint(pyo.Any)
    rows: dict[Any, Terms] = defaultdict(list)
    rate = np.where(np.isnan(compiled.rate), 1.0, compiled.rate)
    for _, variant, layer, station, alpha in placed(f):
        load = rate[variant.service] * variant.run[layer] * variant.time[layer, station]
        rows["unit", compiled.stations[station].name].append((load / compiled.servers[station] * MS, alpha))
    arcs = _arc_terms(f, 1.0)
    for arc, terms in arcs.items():
        if compiled.topology.arcs[arc].channel is None:
            rows["arc", arc] += [(c * MS, v) for c, v in terms]
    for key, terms in _airtime(f, arcs).items():
        rows[("air", *key)] += [(c * MS, v) for c, v in terms]
    for stage, terms in rows.items():
        f.model.stage[stage] = linear([*terms, (-1.0, f.model.bottleneck)]) <= 0
    return linear([(1.0, f.model.bottleneck)]), MS


_EXPRESSIONS: dict[str, Callable[[Formulation], tuple[Any, float]]] = {
    "latency": _latency,
    "latency-worst": _worst,
    "throughput": _bottleneck,
    "energy": _energy,
}


def _moves(f: Formulation) -> Iterator[tuple[int, float, Routes, int, int, Any]]:
    """Yield (service, probability, routes, from device, to device, variable) of every possible transfer.

    The variable is 1 when the transfer takes place; a tensor read by several layers on a device travels there once.
    """
    compiled, at = f.compiled, f.compiled.station_device
    add_flows(f)
    if not hasattr(f.model, "sent"):
        f.model.sent = pyo.Var(pyo.Any, domain=pyo.NonNegativeReals, dense=False)
        f.model.sent_once = pyo.Constraint(pyo.Any)
    for index, domain in f.domains.items():
        variant = domain.variant
        readers: dict[int, list[int]] = defaultdict(list)
        for reader, sources in enumerate(variant.predecessors):
            for source in sources:
                readers[source].append(reader)
        for tensor, layers in readers.items():
            f.check()
            routes = compiled.topology.routes(variant.tensor_size(tensor), compiled.tensor_zone(variant, tensor))
            for tail, head, variable in _crossings(f, index, tensor, layers):
                if not np.isfinite(routes.seconds[tail, head]):
                    continue  # in no domain, except where an explanation drops the range
                yield variant.service, float(variant.run[layers[0]]), routes, tail, head, variable
        sink = int(compiled.sink[variant.service])
        for layer in np.flatnonzero(variant.leave > 0):
            routes = compiled.topology.routes(variant.result_size(int(layer)))
            for i in domain.stations(int(layer)):
                if at[i] != sink and np.isfinite(routes.seconds[at[i], sink]):
                    alpha = f.alpha(index, int(layer), i)
                    yield variant.service, float(variant.leave[layer]), routes, int(at[i]), sink, alpha


def _crossings(f: Formulation, index: int, tensor: int, layers: list[int]) -> Iterator[tuple[int, int, Any]]:
    """Yield (from device, to device, variable) for the ways of one tensor between different devices."""
    at, domain, m = f.compiled.station_device, f.domains[index], f.model
    source = int(f.compiled.source[domain.variant.service])
    arrivals: dict[tuple[int, int, int], dict[int, Terms]] = defaultdict(lambda: defaultdict(list))
    for layer in layers:
        if tensor < 0:
            for k in domain.stations(layer):
                if at[k] != source:
                    arrivals[-1, source, int(at[k])][layer].append((1.0, f.alpha(index, layer, k)))
        else:
            for i, k, y in flows(f, index, tensor, layer):
                if at[i] != at[k]:
                    arrivals[i, int(at[i]), int(at[k])][layer].append((1.0, y))
    for (station, tail, head), by_reader in arrivals.items():
        if len(layers) == 1:
            for _, variable in next(iter(by_reader.values())):
                yield tail, head, variable
            continue
        key = (f.network(index), tensor, station, head)
        if key not in m.sent:
            for layer, terms in by_reader.items():
                m.sent_once[(*key, layer)] = linear([*terms, (-1.0, m.sent[key])]) <= 0
        yield tail, head, m.sent[key]


def _arc_terms(f: Formulation, rate_if_none: float) -> dict[int, Terms]:
    """Seconds of transmission per second on each arc, as terms."""
    result: dict[int, Terms] = defaultdict(list)
    rates = np.where(np.isnan(f.compiled.rate), rate_if_none, f.compiled.rate)
    for service, probability, routes, tail, head, variable in _moves(f):
        load = float(rates[service]) * probability * routes.size
        if load > 0:
            for arc in routes.arcs_of(tail, head):
                result[arc].append((load / f.compiled.topology.arcs[arc].rate, variable))
    return result


def _airtime(f: Formulation, arcs: Mapping[int, Terms]) -> dict[tuple[str, int], Terms]:
    """What devices hear of channels, as terms; of devices that hear the same, or less than another, only the latter."""
    result: dict[tuple[str, int], Terms] = {}
    topology = f.compiled.topology
    for channel, near in topology.hears.items():
        used = [index for index in arcs if topology.arcs[index].channel == channel]
        tails = np.array([topology.arcs[index].tail for index in used], dtype=np.int64)
        heads = np.array([topology.arcs[index].head for index in used], dtype=np.int64)
        heard = near[:, tails] | near[:, heads]
        for device in _widest(heard):
            result[channel, device] = [term for k in np.flatnonzero(heard[device]) for term in arcs[used[k]]]
    return result


def _widest(heard: NDArray[np.bool_]) -> list[int]:
    """Rows that are part of no other row, of equal ones the first; shape (D, arcs)."""
    order = np.argsort(-heard.sum(axis=1), kind="stable")
    kept: list[int] = []
    for row in order:
        if heard[row].any() and not any((heard[row] <= heard[other]).all() for other in kept):
            kept.append(int(row))
    return sorted(kept)
