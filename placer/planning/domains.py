"""Where each layer may run at all, after everything that concerns one layer alone has been taken into account."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from placer.errors import InfeasibleError
from placer.instance.compiled import Compiled, Floats
from placer.instance.topology import Zone
from placer.instance.variant import Variant

Truths = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Domain:
    """Stations that a variant's layers may use.

    Attributes:
        variant: the variant.
        usable: shape (M, N), whether the layer may run on the station.
        possible: whether every layer has a station.
    """

    variant: Variant
    usable: Truths

    @property
    def possible(self) -> bool:
        """Whether every layer has a station."""
        return bool(self.usable.any(axis=1).all())

    def stations(self, layer: int) -> list[int]:
        """Stations of a layer."""
        return [int(station) for station in np.flatnonzero(self.usable[layer])]


def reachable(compiled: Compiled, device: int, zone: Zone | None) -> Truths:
    """Devices that a tensor can get to from ``device`` (or back: arcs come in pairs), shape (D,)."""
    near: Truths = np.isfinite(compiled.topology.routes(1.0, zone).seconds[device])
    return near


def domain_of(compiled: Compiled, variant: Variant) -> Domain:
    """Return the stations of each layer that pins, privacy, times, range and the layer's own size leave.

    Range needs nothing more than this: radio and link arcs come in pairs, so devices reach each other exactly when
    they are in one component, and every tensor of a service starts at its source.
    """
    usable: Truths = np.isfinite(variant.time) & variant.allowed & reached(compiled, variant)
    for station in range(len(compiled.station_device)):
        usable[:, station] &= _fits_alone(compiled, variant, station)
    return Domain(variant, usable)


def reached(compiled: Compiled, variant: Variant) -> Truths:
    """Whether what each layer reads gets to each station and the result from there to the sink, shape (M, N)."""
    at = compiled.station_device
    source, sink = int(compiled.source[variant.service]), int(compiled.sink[variant.service])
    near = reachable(compiled, source, None)
    found: Truths = np.broadcast_to(near[at] & near[sink], variant.time.shape).copy()
    if variant.zone is not None:
        inside = reachable(compiled, source, variant.zone)[at]
        for layer, sources in enumerate(variant.predecessors):
            if any(variant.private[tensor] for tensor in sources):
                found[layer] &= inside
    return found


def accurate_enough(compiled: Compiled, variant: Variant) -> bool:
    """Whether a variant keeps its service's ``min_accuracy``; its accuracy does not depend on the placement."""
    service = compiled.instance.services[variant.service]
    if service.min_accuracy is None:
        return True
    return bool(variant.accuracy >= service.min_accuracy - 1e-9)


def needed_alone(compiled: Compiled, variant: Variant, station: int) -> dict[int, Floats]:
    """What each layer needs, alone, of every memory that it uses on a station: bytes, shape (M,)."""
    stores = compiled.stores
    working = stores.servers[station] * variant.activations[:, station]
    need: dict[int, Floats] = {int(stores.runtime[station]): np.full(len(variant), variant.runtime_memory[station])}
    for store, held in ((stores.weights[station], variant.weights), (stores.working[station], working)):
        need[int(store)] = need.get(int(store), 0.0) + held
    return need


def _fits_alone(compiled: Compiled, variant: Variant, station: int) -> Truths:
    """Which layers fit a station that holds nothing else, shape (M,)."""
    device = int(compiled.station_device[station])
    stores = compiled.stores
    fits = np.ones(len(variant), dtype=bool)
    for store, size in needed_alone(compiled, variant, station).items():
        fits &= size <= stores.capacity[store] * (1 + 1e-12)
    fits &= variant.macs <= compiled.max_compute[device] * (1 + 1e-12)
    return fits


@dataclass(frozen=True, eq=False)
class Choices:
    """What a placement of an instance may choose from.

    Attributes:
        domains: by variant, of those that have a place for every layer and are accurate enough.
        groups: such variants per service.
    """

    domains: dict[int, Domain]
    groups: list[list[int]]


def choices_of(compiled: Compiled) -> Choices:
    """Return what each service may choose from.

    Raises:
        InfeasibleError: when a service has nothing to choose from.
    """
    domains = {}
    for index, variant in enumerate(compiled.variants):
        domain = domain_of(compiled, variant)
        if domain.possible and accurate_enough(compiled, variant):
            domains[index] = domain
    groups = [[index for index in group if index in domains] for group in compiled.service_variants]
    for service, group in zip(compiled.instance.services, groups, strict=True):
        if not group:
            raise InfeasibleError(
                f"service {service.name}: no alternative has a place for all its layers",
                tip="placer explain says what clashes",
            )
    return Choices(domains, groups)
