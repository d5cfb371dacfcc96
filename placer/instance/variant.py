"""One alternative of one service as arrays: layers, edges, exits, and where each layer may run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from placer.instance.model import Alternative, gate_layers
from placer.instance.service import Service, layers_named
from placer.instance.timing import Figures
from placer.instance.topology import Zone

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Truths = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Memory:
    """What one alternative takes beside its weights: M layers on N stations.

    Attributes:
        activations: shape (M, N), bytes of working memory while each layer runs.
        processes: shape (N,), bytes on the device of each station, once, if a part of it runs there.
    """

    activations: Floats
    processes: Floats


@dataclass(frozen=True, eq=False)
class Variant:
    """M layers of one alternative of one service, in topological order, on N stations.

    Attributes:
        service: index of the service.
        name: name of the alternative.
        layers: layer names, length M.
        predecessors: per layer the layers that it reads; -1 is the input.
        macs, weights, output: shape (M,), work and bytes.
        activations: shape (M, N), bytes of working memory while the layer runs.
        input: bytes of the input as it travels.
        runtime_memory: shape (N,), bytes that its process takes on the device of each station, once, if a part of it
            runs there: runtime and container.
        time: shape (M, N), seconds of one inference, decoding included; inf where the layer cannot run.
        assumed: shape (M, N), whether that time rests on an assumption.
        joules: shape (M, N), energy of one inference above idle in J, decoding included; NaN when it is not known.
        scv: shape (M, N), squared coefficient of variation of that time.
        run: shape (M,), probability p_j that a job reaches the layer.
        leave: shape (M,), probability g_j that a job leaves after the layer (1 over all for gates and the
            end).
        leaves: indices of the layers that nobody reads: the outputs.
        allowed: shape (M, N), pins, forbidden pairs and privacy.
        private: shape (M+1,), whether a tensor must stay in the zone; the last entry is the input.
        zone: devices of the privacy zone, or None.
        exits: (layer, share, accuracy or NaN) of each early exit.
        accuracy: expected accuracy per completed job over the exits; NaN when unknown.
        final_accuracy: accuracy on the jobs that run to the end; NaN when unknown.
    """

    service: int
    name: str
    layers: tuple[str, ...]
    predecessors: tuple[tuple[int, ...], ...]
    macs: Floats
    weights: Floats
    activations: Floats
    output: Floats
    input: float
    runtime_memory: Floats
    time: Floats
    assumed: Truths
    joules: Floats
    scv: Floats
    run: Floats
    leave: Floats
    leaves: tuple[int, ...]
    allowed: Truths
    private: Truths
    zone: Zone | None
    exits: tuple[tuple[int, float, float], ...]
    accuracy: float
    final_accuracy: float

    def __len__(self) -> int:
        return len(self.layers)

    @cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Pairs (maker, reader) of layers, without the input."""
        return tuple((u, v) for v, sources in enumerate(self.predecessors) for u in sources if u >= 0)

    @cached_property
    def reads(self) -> tuple[Ints, Ints]:
        """What layer v reads, ``sources[first_source[v]:first_source[v + 1]]``: shapes (M + 1,) and (E,)."""
        first_source = np.cumsum([0, *map(len, self.predecessors)])
        return first_source, np.array([u for sources in self.predecessors for u in sources], dtype=np.int64)

    @cached_property
    def roots(self) -> tuple[int, ...]:
        """Layers that read the input."""
        return tuple(v for v, sources in enumerate(self.predecessors) if -1 in sources)

    @cached_property
    def is_chain(self) -> bool:
        """Whether each layer reads just the one before it."""
        return all(sources == (layer - 1,) for layer, sources in enumerate(self.predecessors))

    @cached_property
    def gates(self) -> tuple[int, ...]:
        """Layers on every path from the input to every output."""
        return tuple(gate_layers([list(sources) for sources in self.predecessors]))

    @cached_property
    def stretches(self) -> list[tuple[int, range]]:
        """The layers between gates: (gate before or -1, layers up to and with the next gate)."""
        result, before = [], -1
        for gate in self.gates:
            result.append((before, range(before + 1, gate + 1)))
            before = gate
        if before < len(self) - 1:
            result.append((before, range(before + 1, len(self))))
        return result

    def result_size(self, layer: int) -> float:
        """Bytes of the result that ``layer`` sends to the sink: an exit's is as large as the last output."""
        return float(self.output[layer if layer in self.leaves else self.leaves[-1]])

    def tensor_size(self, tensor: int) -> float:
        """Bytes of the tensor that layer ``tensor`` makes; -1 is the input."""
        return self.input if tensor < 0 else float(self.output[tensor])


def compile_variant(
    position: int,
    service: Service,
    graph: Alternative,
    figures: Figures,
    stations: list[tuple[int, str, str]],
    zone: Zone | None,
    memory: Memory,
) -> Variant:
    """Build the arrays of one alternative of the service at index ``position``.

    Args:
        position: index of the service.
        service: the service.
        graph: the alternative.
        figures: what its layers take on the stations.
        stations: (device index, device name, unit name) of each station.
        zone: device indices of the privacy zone.
        memory: what it takes beside its weights.
    """
    predecessors = tuple(tuple(sources) for sources in graph.predecessors())
    names = tuple(layer.name for layer in graph.layers)
    leaves = tuple(sorted(set(range(len(names))) - {u for sources in predecessors for u in sources}))
    shares = [(names.index(e.after), service.exits.get(e.after, e.share), e.accuracy) for e in graph.exits]
    exits = tuple((layer, share, np.nan if accuracy is None else accuracy) for layer, share, accuracy in shares)
    run, leave = _ways(len(names), leaves, exits)
    final = np.nan if graph.accuracy is None else graph.accuracy
    private = _private_tensors(service, names, predecessors)
    return Variant(
        service=position,
        name=graph.name,
        layers=names,
        predecessors=predecessors,
        macs=np.array([layer.compute or 0.0 for layer in graph.layers]),
        weights=np.array([layer.weights for layer in graph.layers]),
        activations=memory.activations,
        output=np.array([layer.output for layer in graph.layers]),
        input=graph.input if service.input is None else service.input,
        runtime_memory=memory.processes,
        time=figures.time,
        assumed=figures.assumed,
        joules=figures.joules,
        scv=figures.scv,
        run=run,
        leave=leave,
        leaves=leaves,
        allowed=_allowed(service, names, predecessors, stations, private, zone),
        private=private,
        zone=zone,
        exits=exits,
        accuracy=_expected_accuracy(final, exits, float(run[-1])),
        final_accuracy=final,
    )


def with_shares(variant: Variant, shares: Sequence[float]) -> Variant:
    """The variant with other shares of its exits, in their order: a job is sent to an exit without being looked at.

    The accuracy of each exit is taken to be the same whatever its share.

    Args:
        variant: the variant.
        shares: fraction of all jobs that leave at each exit; at least 0, at most 1 together.
    """
    kept = [max(float(share), 0.0) for share in shares]
    kept = [share / max(sum(kept), 1.0) for share in kept]  # rounding only
    exits = tuple((layer, share, known) for (layer, _, known), share in zip(variant.exits, kept, strict=True))
    run, leave = _ways(len(variant), variant.leaves, exits)
    accuracy = _expected_accuracy(variant.final_accuracy, exits, float(run[-1]))
    return replace(variant, exits=exits, run=run, leave=leave, accuracy=accuracy)


def _ways(layers: int, leaves: tuple[int, ...], exits: tuple[tuple[int, float, float], ...]) -> tuple[Floats, Floats]:
    """``run`` and ``leave`` of a variant."""
    run, leave = np.ones(layers), np.zeros(layers)
    for layer, share, _ in exits:
        run[layer + 1 :] -= share  # everything listed after a gate depends on it
        leave[layer] = share
    run = np.maximum(run, 0.0)
    leave[list(leaves)] = run[-1]
    return run, leave


def _expected_accuracy(final: float, exits: tuple[tuple[int, float, float], ...], rest: float) -> float:
    total = rest * final if rest > 0 else 0.0
    return float(total + sum(share * accuracy for _, share, accuracy in exits if share > 0))


def _private_tensors(service: Service, names: tuple[str, ...], predecessors: tuple[tuple[int, ...], ...]) -> Truths:
    """Tensors made before the privacy layer: its ancestors' and the input's; the last entry is the input."""
    private = np.zeros(len(names) + 1, dtype=bool)
    if service.privacy is None or service.privacy.until not in names:
        return private
    private[-1] = True
    frontier = [names.index(service.privacy.until)]
    while frontier:
        for source in predecessors[frontier.pop()]:
            if source >= 0 and not private[source]:
                private[source] = True
                frontier.append(source)
    return private


def _allowed(
    service: Service,
    names: tuple[str, ...],
    predecessors: tuple[tuple[int, ...], ...],
    stations: list[tuple[int, str, str]],
    private: Truths,
    zone: Zone | None,
) -> Truths:
    allowed = np.ones((len(names), len(stations)), dtype=bool)
    matches = {
        target: np.array([target in (device, f"{device}/{unit}") for _, device, unit in stations], dtype=bool)
        for targets in (*service.pins.values(), *service.forbid.values())
        for target in targets
    }
    for key, targets in service.pins.items():
        allowed[layers_named(key, names)] &= np.any([matches[target] for target in targets], axis=0)
    for key, targets in service.forbid.items():
        allowed[layers_named(key, names)] &= ~np.any([matches[target] for target in targets], axis=0)
    for row in range(len(names)):
        if zone is not None and any(private[source] for source in predecessors[row]):
            allowed[row] &= np.array([device in zone for device, _, _ in stations], dtype=bool)
    return allowed
