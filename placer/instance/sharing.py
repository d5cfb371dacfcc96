"""Which services have loaded weights in common, and what that leaves to load.

Services that run the same alternative of the same model by the same runtime are served by one process on each device:
a layer that several of them run on one compute unit is loaded there once, and the runtime is there once. A service with
``share: false`` has everything to itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from placer.instance.service import Service
from placer.instance.stores import Stores
from placer.instance.variant import Variant

Floats = NDArray[np.float64]
Assignment = tuple[int, ...]
"""The unit of each layer, or of each of the first layers."""


@dataclass(frozen=True, eq=False)
class Sharing:
    """The sets of variants with weights in common.

    Attributes:
        stores: the memories.
        variants: all variants of the instance.
        first: per variant the first one with the same weights, which may be itself.
        alone: per variant whether no other has the same weights.
    """

    stores: Stores
    variants: tuple[Variant, ...]
    first: tuple[int, ...]
    alone: tuple[bool, ...]

    @property
    def is_possible(self) -> bool:
        """Whether any two services have weights in common."""
        return not all(self.alone)

    def kept(self, choice: Sequence[int], stations: Sequence[Assignment]) -> Floats:
        """Bytes of weights and runtimes in every memory, shape of :attr:`Stores.capacity`.

        Args:
            choice: variants, one of each of some services.
            stations: the units of their layers, or of their first layers.
        """
        kept = np.zeros(len(self.stores))
        together: dict[int, list[Assignment]] = {}
        for index, assignment in zip(choice, stations, strict=True):
            if self.alone[index]:
                variant = self.variants[index]
                units = np.array(assignment, dtype=np.int64)
                kept += self.stores.kept(units, variant.weights[: len(units)], variant.runtime_memory)
            else:
                together.setdefault(self.first[index], []).append(assignment)
        for index, assignments in together.items():
            variant = self.variants[index]
            held = np.zeros(variant.time.shape, dtype=bool)
            for assignment in assignments:
                held[np.arange(len(assignment)), list(assignment)] = True
            layers, units = np.nonzero(held)
            kept += self.stores.kept(units, variant.weights[layers], variant.runtime_memory)
        return kept

    def to_load(
        self, index: int, choice: Sequence[int] = (), stations: Sequence[Assignment] = ()
    ) -> tuple[Floats, Floats]:
        """What a variant has still to load where other services are placed already.

        Args:
            index: the variant, of M layers.
            choice, stations: as in :meth:`kept`, of other services.

        Returns:
            (bytes of each layer on each of N units, shape (M, N); bytes of the runtime there, shape (N,)).
        """
        variant = self.variants[index]
        weights = np.repeat(variant.weights[:, None], len(self.stores.runtime), axis=1)
        runtime = variant.runtime_memory.copy()
        if not self.alone[index]:
            for other, assignment in zip(choice, stations, strict=True):
                if self.first[other] == self.first[index]:
                    weights[np.arange(len(assignment)), list(assignment)] = 0.0
                    runtime[np.isin(self.stores.runtime, self.stores.runtime[list(assignment)])] = 0.0
        return weights, runtime


def sharing_of(stores: Stores, services: Sequence[Service], variants: tuple[Variant, ...]) -> Sharing:
    """The sets of variants with weights in common; variants know the index of their service."""
    first: list[int] = []
    seen: dict[tuple[str, str, str | None], int] = {}
    for index, variant in enumerate(variants):
        service = services[variant.service]
        first.append(seen.setdefault((service.model, variant.name, service.runtime), index) if service.share else index)
    return Sharing(stores, variants, tuple(first), tuple(first.count(one) == 1 for one in first))
