"""Where the plan changes: the layers that move from one answer to the next."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from placer.sweep.answer import Answer, ServiceRow
from placer.sweep.grid import Grid


def changes_between(before: Sequence[ServiceRow], after: Sequence[ServiceRow]) -> tuple[str, ...]:
    """Return what differs between two placements, one sentence per run of layers that moves together.

    A run is a stretch of layers, in the order of the plan, that go from one same unit to one same other unit.
    """
    old = {service.name: service for service in before}
    sentences: list[str] = []
    for service in after:
        previous = old.get(service.name)
        if previous is None:
            sentences.append(f"{service.name} is new")
        elif previous.alternative != service.alternative:
            where = ", ".join(dict.fromkeys(_places(service).values()))
            sentences.append(f"{service.name} changes {previous.alternative} → {service.alternative} (on {where})")
        elif _places(previous).keys() != _places(service).keys():
            where = ", ".join(dict.fromkeys(_places(service).values()))
            sentences.append(f"{service.name} has other layers (on {where})")
        else:
            sentences += _moves(previous, service)
    gone = old.keys() - {service.name for service in after}
    return (*sentences, *(f"{name} is gone" for name in sorted(gone)))


def _places(service: ServiceRow) -> dict[str, str]:
    """Where each layer runs, in the order of the plan: a device, or ``device/unit`` beside a plain ``cpu``."""
    return {
        layer: fragment.device if fragment.unit == "cpu" else f"{fragment.device}/{fragment.unit}"
        for fragment in service.fragments
        for layer in fragment.layers
    }


def _moves(before: ServiceRow, after: ServiceRow) -> list[str]:
    old, new = _places(before), _places(after)
    sentences = []
    for (tail, head), run in groupby(new, key=lambda layer: (old[layer], new[layer])):
        layers = list(run)
        if tail != head:
            shown = layers[0] if len(layers) == 1 else f"{layers[0]} … {layers[-1]}"
            sentences.append(f"{shown} of {after.name} moves {tail} → {head}")
    return sentences


def changes_along(grid: Grid, answers: Sequence[Answer | None]) -> list[tuple[str, ...] | None]:
    """Compare each answer with the plan before it on its line: the other axes fixed, the first one running.

    Args:
        grid: the points.
        answers: by number of the point; None where it was not reached.

    Returns:
        Per point: what changed; empty when nothing did; None for the first plan of a line and where there is no plan.
    """
    before = plans_before(grid, answers)
    return [
        None if found is None or previous is None else changes_between(previous.services, found.services)
        for previous, found in zip(before, answers, strict=True)
    ]


def plans_before(grid: Grid, answers: Sequence[Answer | None]) -> list[Answer | None]:
    """Return, per point with a plan, the plan before it on its line; None where there is none to compare with."""
    result: list[Answer | None] = []
    last: Answer | None = None
    for point, found in zip(grid.points, answers, strict=True):
        if point.index[0] == 0:
            last = None
        if found is None or not found.planned:
            result.append(None)
            continue
        result.append(last)
        last = found
    return result
