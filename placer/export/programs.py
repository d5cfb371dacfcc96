"""What one container runs: one part, or the parts of services that share a runtime and loaded weights on a unit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from placer.export import names
from placer.export.parts import Parts
from placer.instance.compiled import Compiled


@dataclass(frozen=True)
class Program:
    """One container.

    Attributes:
        name: a DNS label that starts with a letter, unique among parts and programs: its part's name where it runs one.
        parts: indices of its parts; the k-th of them listens on the k-th port.
        device: where it runs.
        weights, activations, runtime: bytes of RAM: every layer loaded once, the largest working memory.
    """

    name: str
    parts: tuple[int, ...]
    device: str
    weights: float
    activations: float
    runtime: float

    @property
    def memory(self) -> float:
        """Bytes of RAM that it needs."""
        return self.weights + self.activations + self.runtime


def programs_of(compiled: Compiled, parts: Parts, hosted: Iterable[int]) -> list[Program]:
    """Return the programs of the parts with the indices ``hosted``, in the order of their first parts."""
    sharing = compiled.sharing
    groups: dict[tuple[str, int, int], list[int]] = {}
    for number in hosted:
        part = parts.parts[number]
        choice = parts.placement.choice[part.service_index]
        shared = ("shared", sharing.first[choice], part.station)
        groups.setdefault(("alone", number, part.station) if sharing.alone[choice] else shared, []).append(number)
    taken = {part.name for part in parts.parts}
    found = []
    for members in groups.values():
        first = parts.parts[members[0]]
        name, weights = first.name, first.weights
        if len(members) > 1:
            name = _name(f"{first.model}-shared", taken)
            taken.add(name)
            variant = compiled.variants[parts.placement.choice[first.service_index]]
            layers = sorted({layer for number in members for layer in parts.parts[number].layer_indices})
            in_ram = compiled.stores.weights[first.station] == compiled.station_device[first.station]
            weights = float(variant.weights[layers].sum()) if in_ram else 0.0
        activations = max(parts.parts[number].activations for number in members)
        found.append(Program(name, tuple(members), first.device, weights, activations, first.runtime))
    return found


def _name(wanted: str, taken: set[str]) -> str:
    number = 1
    while (name := names.label(f"{wanted}-{number}", first_letter=True)) in taken:
        number += 1
    return name
