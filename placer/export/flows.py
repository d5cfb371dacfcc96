"""Tensors and results on their way between the fragments of a service."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from placer.export.part import Part
from placer.instance.compiled import Compiled
from placer.instance.model import MODEL_INPUT
from placer.instance.service import Service
from placer.instance.variant import Variant
from placer.plan.plan import RESULT, ServicePlan, Transfer


@dataclass(frozen=True)
class Flow:
    """A tensor or result on its way between parts.

    Attributes:
        tensor: the layer that made it, ``input``, or ``result``.
        after: for a result the layer after which the job leaves; None otherwise.
        size: bytes.
        sender: index of the sending part; None for the source of the service.
        receiver: index of the receiving part; None for the sink of the service.
        sender_device, receiver_device: their devices.
        path: devices from sender to receiver; one when both are the same, empty when the plan has no route.
        technologies: radio or ``link`` of each hop.
        seconds: time on the way; NaN without a route.
        share: probability that a job sends it.
    """

    tensor: str
    after: str | None
    size: float
    sender: int | None
    receiver: int | None
    sender_device: str
    receiver_device: str
    path: tuple[str, ...]
    technologies: tuple[str, ...]
    seconds: float
    share: float

    @property
    def relays(self) -> tuple[str, ...]:
        """Devices that only pass it on."""
        return self.path[1:-1]


def flows_of(
    compiled: Compiled,
    entry: ServicePlan,
    service: Service,
    variant: Variant,
    parts: Sequence[Part],
    first: int,
) -> Iterator[Flow]:
    """Yield what flows between parts (once per receiving part), then what goes to the sink."""
    routes = {(t.tensor, t.after, t.path[0], t.path[-1]): t for t in entry.transfers}
    part_of = {layer: number for number, part in enumerate(parts) for layer in part.layer_indices}

    def flow(layer: int, after: bool, sender: int | None, receiver: int | None, share: float) -> Flow:
        tail = service.source if sender is None else parts[sender].device
        head = service.result_device if receiver is None else parts[receiver].device
        made_by = MODEL_INPUT if layer < 0 else variant.layers[layer]
        size = variant.result_size(layer) if after else variant.tensor_size(layer)
        tensor, left_at = (RESULT, made_by) if after else (made_by, None)
        path, technologies, seconds = _route(compiled, routes.get((tensor, left_at, tail, head)), tail, head, size)
        return Flow(
            tensor,
            left_at,
            size,
            None if sender is None else first + sender,
            None if receiver is None else first + receiver,
            tail,
            head,
            path,
            technologies,
            seconds,
            share,
        )

    seen: set[tuple[int, int]] = set()
    for receiver, part in enumerate(parts):
        for layer in part.layer_indices:
            for maker in variant.predecessors[layer]:
                sender = None if maker < 0 else part_of[maker]
                if sender != receiver and (maker, receiver) not in seen:
                    seen.add((maker, receiver))
                    yield flow(maker, False, sender, receiver, float(variant.run[layer]))
    for layer in range(len(variant)):
        if variant.leave[layer] > 0 or layer in variant.leaves:
            yield flow(layer, True, part_of[layer], None, float(variant.leave[layer]))


def _route(
    compiled: Compiled, transfer: Transfer | None, tail: str, head: str, size: float
) -> tuple[tuple[str, ...], tuple[str, ...], float]:
    if tail == head:
        return (tail,), (), 0.0
    if transfer is None:
        return (), (), math.nan
    index = {name: position for position, name in enumerate(compiled.device_names)}
    seconds = 0.0
    hops = zip(transfer.path, transfer.path[1:], transfer.technologies, strict=False)
    for a, b, technology in hops:
        arcs = compiled.topology.arcs_between(index[a], index[b]) if a in index and b in index else []
        times = [arc.seconds(size) for arc in arcs if arc.technology == technology]
        seconds += min(times, default=math.nan)
    return transfer.path, transfer.technologies, seconds
