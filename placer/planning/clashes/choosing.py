"""Services whose exits are chosen with the placement: what they can keep at the shares that suit the limits best."""

from __future__ import annotations

import time
from dataclasses import replace

from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from placer.plan.plan import with_chosen
from placer.planning.exits.shares import Judge

AIM, LONGEST = 0.85, 0.5
"""Share of a limit on loss that is aimed at; seconds for the shares at one placement."""


def chooses(compiled: Compiled) -> bool:
    """Whether the shares of some service's exits are chosen."""
    services = compiled.instance.services
    return any(services[v.service].choose_exits and v.exits for v in compiled.variants)


def eased(compiled: Compiled) -> Compiled:
    """The instance as far as no choice of shares can undo what it lacks: all leave at the first exit, however accurate.

    Whatever has no placement then has none at any shares, as fewer layers run at none.
    """
    services = tuple(
        service.model_copy(update={"min_accuracy": None}) if service.choose_exits else service
        for service in compiled.instance.services
    )
    file = compiled.instance.file.model_copy(update={"services": services})
    loose = replace(compiled, instance=replace(compiled.instance, file=file))
    first = {
        index: (1.0,) + (0.0,) * (len(variant.exits) - 1)
        for index, variant in enumerate(compiled.variants)
        if services[variant.service].choose_exits and variant.exits
    }
    return with_chosen(loose, first)


def chosen(compiled: Compiled, placement: Placement) -> Compiled:
    """The instance with the shares that a local search finds best for its limits at a placement.

    It aims below the limits on loss, so that a verdict can tell the loss from the limit.
    """
    limited = [s for s, service in enumerate(compiled.instance.services) if service.max_loss is not None]
    judge = Judge(compiled, dict.fromkeys(limited, AIM), time.monotonic() + LONGEST)
    return with_chosen(compiled, judge.best_at(placement, [judge.default]).shares)
