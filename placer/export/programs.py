"""What one container runs: the parts of a service on a device, or of services that share a runtime and loaded weights.

That is what a plan counts as one process: its runtime is on the device once, and so is its container.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from placer.export import names
from placer.export.parts import Parts
from placer.instance.compiled import Compiled
from placer.instance.units import show_bytes


@dataclass(frozen=True)
class Program:
    """One container.

    Attributes:
        name: a DNS label that starts with a letter, unique among parts and programs: that of its first part where it
            serves one service.
        parts: indices of its parts; the k-th of them listens on the k-th port.
        device: where it runs.
        services: how many services it serves.
        weights, activations: bytes of RAM: every layer loaded once, the largest working memory of each unit.
        runtime, container: bytes of RAM besides.
        runtime_name, runtime_known: as of its parts.
    """

    name: str
    parts: tuple[int, ...]
    device: str
    services: int
    weights: float
    activations: float
    runtime: float
    container: float
    runtime_name: str | None
    runtime_known: bool

    @property
    def memory(self) -> float:
        """Bytes of RAM that it needs."""
        return self.weights + self.activations + self.runtime + self.container

    @property
    def memory_note(self) -> str:
        """What its memory is for, for people."""
        name = f" {self.runtime_name}" if self.runtime_name is not None else ""
        held = {"weights": self.weights, "activations": self.activations, f"runtime{name}": self.runtime}
        text = ", ".join(f"{what} {show_bytes(size)}" for what, size in (held | {"container": self.container}).items())
        if not self.runtime_known:
            text += " (no runtime is named: what the program itself takes is not in it)"
        return text


def programs_of(compiled: Compiled, parts: Parts, hosted: Iterable[int]) -> list[Program]:
    """Return the programs of the parts with the indices ``hosted``, in the order of their first parts."""
    sharing = compiled.sharing
    groups: dict[tuple[int, str], list[int]] = {}
    for number in hosted:
        part = parts.parts[number]
        choice = parts.placement.choice[part.service_index]
        groups.setdefault((sharing.first[choice], part.device), []).append(number)
    taken = {part.name for part in parts.parts}
    found = []
    for members in groups.values():
        first = parts.parts[members[0]]
        services = len({parts.parts[number].service for number in members})
        name = first.name if services == 1 else _name(f"{first.model}-shared", taken)
        taken.add(name)
        units = dict.fromkeys(parts.parts[number].station for number in members)
        sizes = [_held(compiled, parts, [n for n in members if parts.parts[n].station == unit]) for unit in units]
        weights, activations = (sum(column) for column in zip(*sizes, strict=True))
        own = (first.runtime, first.container, first.runtime_name, first.runtime_known)
        found.append(Program(name, tuple(members), first.device, services, weights, activations, *own))
    return found


def _held(compiled: Compiled, parts: Parts, members: list[int]) -> tuple[float, float]:
    """Bytes of weights and working memory in RAM of the parts of a program on one compute unit."""
    first = parts.parts[members[0]]
    variant = compiled.variants[parts.placement.choice[first.service_index]]
    layers = sorted({layer for number in members for layer in parts.parts[number].layer_indices})
    in_ram = compiled.stores.weights[first.station] == compiled.station_device[first.station]
    weights = float(variant.weights[layers].sum()) if in_ram else 0.0
    return weights, max(parts.parts[number].activations for number in members)


def _name(wanted: str, taken: set[str]) -> str:
    number = 1
    while (name := names.label(f"{wanted}-{number}", first_letter=True)) in taken:
        number += 1
    return name
