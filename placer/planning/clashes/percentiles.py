"""What limits on percentiles of response times mean where nothing is simulated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from placer.instance.compiled import Compiled
from placer.planning.clashes.changes import with_service


def on_means(compiled: Compiled) -> Compiled:
    """The instance whose mean response times are to keep the limits on percentiles, for an order of placements."""
    for service in compiled.instance.services:
        limits = [limit for limit in (service.deadline, service.deadline_p95) if limit is not None]
        if service.arrivals is not None and service.deadline_p95 is not None:
            changed = with_service(compiled.instance, service.name, deadline=min(limits))
            compiled = replace(compiled, instance=changed)
    return compiled


def is_constant(compiled: Compiled, name: str) -> bool:
    """Whether all requests of a service are alike: no exits, constant times of its layers wherever they run."""
    variants = [v for v in compiled.variants if compiled.instance.services[v.service].name == name]
    return all(not v.exits and not np.where(np.isfinite(v.time), v.scv, 0.0).any() for v in variants)
