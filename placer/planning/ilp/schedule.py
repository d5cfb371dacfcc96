"""Flows and latency of the placement ILP: chains as the paper's sum, parallel stretches as longest paths.

The layers between two consecutive gates (layers on every path) form a *stretch*. A stretch that is a chain adds its
processing and transfer times. In any other stretch ``finish[u,j]`` is the time from the end of the last gate to the
end of layer j: finish ≥ finish of each predecessor + transfer + processing, and of two layers that do not depend on
each other and share a node with one server one runs after the other, whichever.
A node takes them as they get ready, which is one of these orders and seldom not the best: the latency of a placement
is never less than the ILP says.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pyomo.core as pyo

from placer.instance.compiled import Compiled
from placer.instance.variant import Variant
from placer.planning.ilp.formulation import MS, Formulation, Terms, linear

Floats = np.ndarray[Any, np.dtype[np.float64]]


def add_flows(f: Formulation) -> None:
    """Declare y[u,j,l,i,k] with Σ_k y = alpha[u,j,i] and Σ_i y = alpha[u,l,k] for every edge of every network.

    Pairs on one device that a limit of one layer a device rules out are not declared.
    """
    m, compiled = f.model, f.compiled
    if hasattr(m, "y"):
        return
    names = [station.name for station in compiled.stations]
    keys: list[tuple[str, str, str, str, str]] = []
    for index, domain in f.domains.items():
        network, layers = f.network(index), domain.variant.layers
        for maker, reader in domain.variant.edges:
            f.check()
            heads = domain.stations(reader)
            for i in domain.stations(maker):
                keys += [
                    (network, layers[maker], layers[reader], names[i], names[k])
                    for k in heads
                    if pair_possible(f, i, k)
                ]
    f.check(len(keys))
    m.y = pyo.Var(keys, domain=pyo.NonNegativeReals)
    leaving: dict[tuple[str, str, str, str], Terms] = defaultdict(list)
    entering: dict[tuple[str, str, str, str], Terms] = defaultdict(list)
    for (network, maker_name, reader_name, tail, head), variable in m.y.items():
        leaving[network, maker_name, reader_name, tail].append((1.0, variable))
        entering[network, maker_name, reader_name, head].append((1.0, variable))
    m.flow_out = pyo.Constraint(pyo.Any)
    m.flow_in = pyo.Constraint(pyo.Any)
    for index, domain in f.domains.items():
        network, layers = f.network(index), domain.variant.layers
        for maker, reader in domain.variant.edges:
            f.check()
            for i in domain.stations(maker):
                key = (network, layers[maker], layers[reader], names[i])
                m.flow_out[key] = linear([*leaving[key], (-1.0, f.alpha(index, maker, i))]) == 0
            for k in domain.stations(reader):
                key = (network, layers[maker], layers[reader], names[k])
                m.flow_in[key] = linear([*entering[key], (-1.0, f.alpha(index, reader, k))]) == 0


def pair_possible(f: Formulation, i: int, k: int) -> bool:
    """Whether a limit of one layer a device leaves room for two adjacent layers on stations i and k."""
    compiled = f.compiled
    device = int(compiled.station_device[i])
    return device != int(compiled.station_device[k]) or bool(compiled.max_layers[device] >= 2)


def flows(f: Formulation, index: int, maker: int, reader: int) -> list[tuple[int, int, Any]]:
    """Return (i, k, y) of one edge."""
    domain = f.domains[index]
    network, layers = f.network(index), domain.variant.layers
    names = [station.name for station in f.compiled.stations]
    return [
        (i, k, f.model.y[network, layers[maker], layers[reader], names[i], names[k]])
        for i in domain.stations(maker)
        for k in domain.stations(reader)
        if pair_possible(f, i, k)
    ]


def transfer_ms(compiled: Compiled, variant: Variant, tensor: int) -> Floats:
    """Milliseconds to move a tensor between stations, shape (N, N)."""
    zone = compiled.tensor_zone(variant, tensor)
    return known(compiled.transfer(variant.tensor_size(tensor), zone) * MS)


def known(milliseconds: Floats) -> Floats:
    """Take ways that do not exist as free: they are in no domain."""
    return np.where(np.isfinite(milliseconds), milliseconds, 0.0)


def add_latency(f: Formulation) -> None:
    """Fill ``f.latency``: per service its expected data-to-decision latency in ms."""
    add_flows(f)
    f.model.finish = pyo.Var(pyo.Any, domain=pyo.NonNegativeReals, dense=False)
    f.model.precedence = pyo.Constraint(pyo.Any)
    f.model.one_at_a_time = pyo.Constraint(pyo.Any)
    f.model.first = pyo.Var(pyo.Any, domain=pyo.Binary, dense=False)
    f.model.decision = pyo.Constraint(pyo.Any)
    for service in range(len(f.compiled.instance.services)):
        f.latency[service] = []
    for index, domain in f.domains.items():
        f.latency[domain.variant.service] += _network_latency(f, index)


def _network_latency(f: Formulation, index: int) -> Terms:
    variant = f.domains[index].variant
    terms: Terms = []
    for before, layers in variant.stretches:
        ends_in_gate = layers[-1] in variant.gates
        is_chain = ends_in_gate and all(variant.predecessors[v] == (v - 1,) for v in layers)
        if is_chain:
            for layer in layers:
                f.check()
                terms += [(variant.run[layer] * c, v) for c, v in _step(f, index, layer)]
        else:
            terms += _parallel(f, index, before, layers, ends_in_gate)
    deliver_at = [layer for layer, _, _ in variant.exits]
    if variant.gates and variant.gates[-1] == len(variant) - 1:
        deliver_at.append(len(variant) - 1)  # otherwise the parallel end includes the way of the results
    for layer in deliver_at:
        way = known(f.compiled.deliver(variant, layer) * MS) * variant.leave[layer]
        terms += [(way[i], f.alpha(index, layer, i)) for i in f.domains[index].stations(layer)]
    return [(c, v) for c, v in terms if c != 0.0]


def _processing(f: Formulation, index: int, layer: int) -> Terms:
    domain = f.domains[index]
    return [(domain.variant.time[layer, i] * MS, f.alpha(index, layer, i)) for i in domain.stations(layer)]


def _arrival(f: Formulation, index: int, source: int, layer: int) -> Terms:
    """Time that the tensor of ``source`` (-1: the input) travels to ``layer``."""
    domain = f.domains[index]
    if source < 0:
        way = known(f.compiled.fetch(domain.variant) * MS)
        return [(way[i], f.alpha(index, layer, i)) for i in domain.stations(layer)]
    cost = transfer_ms(f.compiled, domain.variant, source)
    return [(cost[i, k], y) for i, k, y in flows(f, index, source, layer) if cost[i, k] > 0]


def _step(f: Formulation, index: int, layer: int) -> Terms:
    return _arrival(f, index, layer - 1, layer) + _processing(f, index, layer)


def _parallel(f: Formulation, index: int, before: int, layers: range, ends_in_gate: bool) -> Terms:
    """Longest path through a stretch; returns the terms of its expected duration."""
    m, variant, network = f.model, f.domains[index].variant, f.network(index)
    names = variant.layers
    for layer in layers:
        f.check()
        work = _processing(f, index, layer)
        for source in variant.predecessors[layer]:
            # a tensor made at or before the last gate leaves at time 0 of the stretch
            start: Terms = [(-1.0, m.finish[network, names[source]])] if source > before else []
            row = [(1.0, m.finish[network, names[layer]]), *start]
            row += [(-c, v) for c, v in work + _arrival(f, index, source, layer)]
            origin = names[source] if source >= 0 else "input"
            m.precedence[network, origin, names[layer]] = linear(row) >= 0
    _one_at_a_time(f, index, layers)
    probability = float(variant.run[layers[0]])
    if ends_in_gate:
        return [(probability, m.finish[network, names[layers[-1]]])]
    for leaf in (layer for layer in layers if layer in variant.leaves):
        way = known(f.compiled.deliver(variant, leaf) * MS)
        row = [(1.0, m.finish[network, "decision"]), (-1.0, m.finish[network, names[leaf]])]
        row += [(-way[i], f.alpha(index, leaf, i)) for i in f.domains[index].stations(leaf)]
        m.decision[network, names[leaf]] = linear(row) >= 0
    return [(probability, m.finish[network, "decision"])]


def _one_at_a_time(f: Formulation, index: int, layers: range) -> None:
    """Layers that do not depend on each other run one after the other where they share a node."""
    m, domain, network = f.model, f.domains[index], f.network(index)
    variant = domain.variant
    ancestors = _ancestors(variant, layers)
    horizon = _longest_stretch(f, index, layers)
    for later in layers:
        for earlier in range(layers[0], later):
            if earlier in ancestors[later]:
                continue
            f.check()
            shared = np.flatnonzero(domain.usable[earlier] & domain.usable[later] & (f.compiled.servers == 1))
            if not len(shared):
                continue
            pair = variant.layers[earlier], variant.layers[later]
            before = m.first[network, *pair]  # 1 where the one listed first runs first
            for i in shared:
                for sign, (ahead, behind) in ((1.0, (earlier, later)), (-1.0, (later, earlier))):
                    # finish[behind] ≥ finish[ahead] + time, when both are on i and run in this order
                    row = [
                        (1.0, m.finish[network, variant.layers[behind]]),
                        (-1.0, m.finish[network, variant.layers[ahead]]),
                        (-horizon, f.alpha(index, ahead, int(i))),
                        (-horizon - variant.time[behind, i] * MS, f.alpha(index, behind, int(i))),
                        (-sign * horizon, before),
                    ]
                    key = (network, variant.layers[ahead], variant.layers[behind], f.compiled.stations[i].name)
                    m.one_at_a_time[key] = linear(row) >= -2.0 * horizon - (horizon if sign > 0 else 0.0)


def _ancestors(variant: Variant, layers: range) -> dict[int, set[int]]:
    result: dict[int, set[int]] = {}
    for layer in layers:
        result[layer] = set()
        for source in variant.predecessors[layer]:
            if source in result:
                result[layer] |= {source} | result[source]
    return result


def _longest_stretch(f: Formulation, index: int, layers: range) -> float:
    """An upper bound of the duration of a stretch in ms: everything one after the other, each at its slowest."""
    domain = f.domains[index]
    variant = domain.variant
    total = 0.0
    for layer in layers:
        usable = domain.usable[layer]
        total += float(variant.time[layer, usable].max()) * MS
        for source in variant.predecessors[layer]:
            if source < 0:
                total += float(known(f.compiled.fetch(variant) * MS)[usable].max())
            else:
                cost = transfer_ms(f.compiled, variant, source)
                total += float(cost[np.ix_(domain.usable[source], usable)].max())
    return total
