"""An instance of which some limits hold and others do not, as if they had been taken out of its file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from placer.instance.compiled import Compiled
from placer.instance.variant import Variant
from placer.planning.clashes.families import Group
from placer.planning.clashes.farther import farther
from placer.planning.domains import reached

ENOUGH = 1e15
"""Bytes of RAM that no placement fills; a finite number, as buffers may be counted from it."""
FIELDS: dict[str, Any] = {
    **dict.fromkeys(("deadline", "deadline_p95", "max_loss", "min_accuracy", "max_devices", "max_fragments")),
    "contiguous": False,
}
"""Fields of a service that are its limits, and what they are without."""
PLACES: dict[str, Any] = {"pins": {}, "forbid": {}, "privacy": None}
"""The fields of a service that say where its layers may run."""


class Relaxing:
    """Makes instances without some of their limits.

    Attributes:
        compiled: the instance.
        every: all of its families of limits.
    """

    def __init__(self, compiled: Compiled, every: Sequence[Group]) -> None:
        self.compiled, self.every = compiled, tuple(every)

    @cached_property
    def _farther(self) -> tuple[Compiled, Compiled]:
        return farther(self.compiled)

    def held(self, groups: Collection[Group]) -> Compiled:
        """The instance of which only these limits hold."""
        return self.without(set(self.every) - set(groups))

    def without(self, lifted: Collection[Group]) -> Compiled:
        """The instance without some limits."""
        if not lifted:
            return self.compiled
        subjects: dict[str, set[str]] = {}
        for kind, subject in lifted:
            subjects.setdefault(kind, set()).add(subject)
        found = self._services(self._devices(subjects), subjects)
        carried = subjects.get("airtime", set()) | subjects.get("link", set())
        return replace(found, unlimited=found.unlimited | carried)

    def _devices(self, lifted: dict[str, set[str]]) -> Compiled:
        compiled, names = self.compiled, self.compiled.device_names

        def of(kind: str) -> list[bool]:
            return [name in lifted.get(kind, ()) for name in names]

        memory, flash, busy = np.array(of("memory")), np.array(of("flash")), np.array(of("utilisation"))
        own = memory[compiled.station_device] & ~np.isnan(compiled.unit_memory)
        return replace(
            compiled,
            memory=np.where(memory, ENOUGH, compiled.memory),
            unit_memory=np.where(own, ENOUGH, compiled.unit_memory),
            flash=np.where(flash & ~np.isnan(compiled.flash), ENOUGH, compiled.flash),
            max_layers=np.where(of("layers"), np.inf, compiled.max_layers),
            max_compute=np.where(of("compute"), np.inf, compiled.max_compute),
            max_work=np.where(busy[compiled.station_device], np.inf, compiled.max_work),
        )

    def _services(self, compiled: Compiled, lifted: dict[str, set[str]]) -> Compiled:
        """Limits of services taken out of the file, and of the arrays."""
        services = []
        for service in compiled.instance.services:
            changes = {field: none for field, none in FIELDS.items() if service.name in lifted.get(field, ())}
            if service.name in lifted.get("allowed", ()):
                changes |= PLACES
            services.append(service.model_copy(update=changes) if changes else service)
        file = compiled.instance.file.model_copy(update={"services": tuple(services)})
        compiled = replace(compiled, instance=replace(compiled.instance, file=file))
        free = lifted.get("allowed", set())
        variants = tuple(
            _anywhere(variant) if services[variant.service].name in free else variant for variant in compiled.variants
        )
        compiled = replace(compiled, variants=variants)
        return self._ways(compiled, lifted["range"]) if "range" in lifted else compiled

    def _ways(self, compiled: Compiled, free: set[str]) -> Compiled:
        """Ways where there are none, for services whose range is not limited.

        A service with a deadline goes only where tensors take a known time: elsewhere it is never in time.
        """
        reach, joined = self._farther
        found = replace(compiled, topology=joined.topology, unlimited=compiled.unlimited | joined.unlimited)
        wide = replace(compiled, topology=reach.topology)
        variants = []
        for variant in compiled.variants:
            service = compiled.instance.services[variant.service]
            if service.name not in free:
                variant = replace(variant, allowed=variant.allowed & reached(compiled, variant))
            elif service.deadline is not None:
                variant = replace(variant, allowed=variant.allowed & reached(wide, variant))
            variants.append(variant)
        return replace(found, variants=tuple(variants))


def _anywhere(variant: Variant) -> Variant:
    """A variant that may run wherever it has a time."""
    nowhere_private = np.zeros_like(variant.private)
    return replace(variant, allowed=np.ones_like(variant.allowed), private=nowhere_private, zone=None)
