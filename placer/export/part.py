"""One fragment as its program must know it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """One fragment to deploy.

    Attributes:
        name: unique name, a DNS label that starts with a letter: service and position, not the device, so
            that a new plan moves what runs instead of leaving it behind.
        service: the service.
        service_index: its index in the instance.
        index: position among the fragments of its service.
        model, alternative: what is run.
        device, unit: where.
        station: index of the compute unit.
        layers: names, in the order in which they run.
        layer_indices: the same as indices of the variant.
        seconds: expected processing time of a job that arrives here (early exits inside it counted).
        utilisation: share of the unit's time at the arrival rates; NaN without arrivals.
        weights, activations: bytes of RAM, activations for every job that the unit serves at once; 0 for what lies in
            flash or in a unit's own memory.
        runtime, container: bytes of RAM that its process takes besides, and the container of that.
        runtime_name: the inference runtime; None where none is named.
        runtime_known: whether a runtime is named, or the model states what one takes.
        exits: (layer, share of all jobs) of the early exits inside.
        timeout: seconds to wait for a reply.
        timeout_from: ``deadline_p95``, ``deadline`` or ``default``.
        ordinal: position among the parts of its device.
        min_gap: for a part that reads the input: the rate limit at the source, least seconds between two requests
            that are let in; None lets all in.
    """

    name: str
    service: str
    service_index: int
    index: int
    model: str
    alternative: str
    device: str
    unit: str
    station: int
    layers: tuple[str, ...]
    layer_indices: tuple[int, ...]
    seconds: float
    utilisation: float
    weights: float
    activations: float
    runtime: float
    container: float
    runtime_name: str | None
    runtime_known: bool
    exits: tuple[tuple[str, float], ...]
    timeout: float
    timeout_from: str
    ordinal: int
    min_gap: float | None = None

    @property
    def layer_range(self) -> str:
        """Its layers for people: ``conv1 … fc8``."""
        first, last = self.layers[0], self.layers[-1]
        return first if first == last else f"{first} … {last}"
