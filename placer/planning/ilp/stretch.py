"""Rows that limit how far a service is stretched: its devices, its fragments, and coming back to a device.

In the terms of :mod:`placer.planning.ilp.formulation`, of a network u whose layers j are in the order of the model:
``used[s,d]`` ≥ Σ_{i on d} alpha[u,j,i] says that service s is on device d; ``begins[u,j,i]`` ≥ alpha[u,j,i] -
alpha[u,j-1,i] that a run of layers begins at j on unit i, or on the units of a device together.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyomo.core as pyo

from placer.planning.ilp.formulation import Formulation, Terms, linear


def limit_stretch(f: Formulation) -> None:
    """Add the rows of the services that have such limits."""
    m, compiled = f.model, f.compiled
    m.used = pyo.Var(pyo.Any, domain=pyo.NonNegativeReals, bounds=(0, 1), dense=False)
    m.begins = pyo.Var(pyo.Any, domain=pyo.NonNegativeReals, bounds=(0, 1), dense=False)
    m.on_device, m.run_begins = pyo.Constraint(pyo.Any), pyo.Constraint(pyo.Any)
    m.max_devices, m.max_fragments, m.contiguous = (pyo.Constraint(pyo.Any) for _ in range(3))
    at = compiled.station_device
    for service, group in zip(compiled.instance.services, compiled.service_variants, strict=True):
        networks = [index for index in group if index in f.domains]
        if service.max_devices is not None:
            terms: Terms = []
            for device, name in enumerate(compiled.device_names):
                here = [i for i in range(len(at)) if at[i] == device]
                rows = [one for index in networks for one in _layers(f, index, here)]
                for key, row in rows:
                    m.on_device[(*key, name)] = linear([*row, (-1.0, m.used[service.name, name])]) <= 0
                if rows:
                    terms.append((1.0, m.used[service.name, name]))
            m.max_devices[service.name] = linear(terms) <= service.max_devices if terms else pyo.Constraint.Feasible
        if service.max_fragments is not None:
            begun = [
                one
                for index in networks
                for i, place in enumerate(compiled.stations)
                for one in _begins(f, index, place.name, [i])
            ]
            m.max_fragments[service.name] = linear(begun) <= service.max_fragments if begun else pyo.Constraint.Feasible
        if service.contiguous:
            for index in networks:
                for device, name in enumerate(compiled.device_names):
                    entered = _begins(f, index, f"device {name}", [i for i in range(len(at)) if at[i] == device])
                    if entered:
                        m.contiguous[f.network(index), name] = linear(entered) <= 1


def _layers(f: Formulation, index: int, stations: Iterable[int]) -> list[tuple[tuple[str, str], Terms]]:
    """Of each layer of a network that may run on some units the terms of whether it does."""
    domain, found = f.domains[index], []
    stations = list(stations)
    for layer, name in enumerate(domain.variant.layers):
        f.check()
        terms: Terms = [(1.0, f.alpha(index, layer, i)) for i in stations if domain.usable[layer, i]]
        if terms:
            found.append(((f.network(index), name), terms))
    return found


def _begins(f: Formulation, index: int, place: str, stations: list[int]) -> Terms:
    """The terms of how often a network begins a run of layers on some units together."""
    m, layers = f.model, dict(_layers(f, index, stations))
    found: Terms = []
    before: Terms = []
    for name in f.domains[index].variant.layers:
        key = (f.network(index), name)
        here = layers.get(key, [])
        if here:
            begins = m.begins[(*key, place)]
            row = [*here, *((-1.0, alpha) for _, alpha in before), (-1.0, begins)]
            m.run_begins[(*key, place)] = linear(row) <= 0
            found.append((1.0, begins))
        before = here
    return found
