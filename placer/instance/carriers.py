"""What sends tensors one after the other: link directions, and channels that radios in range of each other share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from placer.instance.instance import Instance, RadioLink
from placer.instance.network import DEFAULT_QUEUE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Truths = NDArray[np.bool_]


@dataclass(frozen=True)
class Carrier:
    """What sends tensors one after the other: a link direction, or a channel that devices in range of each other share.

    Attributes:
        name: for reports.
        queue: tensors that find room, the one being sent included.
        stated: whether the instance says so; assumed otherwise.
        tail, head: the devices, of a link direction; -1 of a channel.
        channel: its name; None of a link direction.
    """

    name: str
    queue: int
    stated: bool
    tail: int = -1
    head: int = -1
    channel: str | None = None


def queue_of(stated: int | None) -> tuple[int, bool]:
    """The places of a queue, and whether somebody states them."""
    return (DEFAULT_QUEUE, False) if stated is None else (stated, True)


def in_range(radio: RadioLink, index: dict[str, int], distance: Floats) -> Truths:
    """Which pairs of the devices that carry a radio are strictly nearer than its range, shape (D, D)."""
    carries = np.zeros(len(index), dtype=bool)
    carries[[index[name] for name in radio.devices]] = True
    with np.errstate(invalid="ignore"):
        near: Truths = (distance < radio.range) & carries[:, None] & carries[None, :]
    return near


def hearing(instance: Instance, index: dict[str, int], distance: Floats) -> dict[str, Truths]:
    """Per channel whether two devices hear each other, whichever of its radios they carry, shape (D, D)."""
    hears: dict[str, Truths] = {}
    members: dict[str, Truths] = {}
    for radio in instance.radios:
        if radio.channel is not None:
            carries = members.setdefault(radio.channel, np.zeros(len(index), dtype=bool))
            carries[[index[name] for name in radio.devices]] = True
    for radio in instance.radios:
        if radio.channel is None:
            continue
        own = np.zeros(len(index), dtype=bool)
        own[[index[name] for name in radio.devices]] = True
        with np.errstate(invalid="ignore"):
            near = (distance < radio.range) & own[:, None] & members[radio.channel][None, :]
        hears[radio.channel] = hears.get(radio.channel, np.zeros_like(near)) | near | near.T
    return hears


def cells_of(
    names: tuple[str, ...], hears: dict[str, Truths], instance: Instance
) -> tuple[dict[str, Ints], list[Carrier]]:
    """Per channel the number of each device's cell, from 0 over all channels, shape (D,), -1 for none; the cells.

    A cell is what hears each other directly or over others: its devices take turns. Devices at the two ends of a long
    cell could send at once; that they wait for each other all the same errs on the safe side.
    """
    stated = {radio.channel: radio.queue for radio in instance.radios if radio.queue is not None}
    cells: dict[str, Ints] = {}
    carriers: list[Carrier] = []
    for channel, near in hears.items():
        cell = np.full(len(names), -1, dtype=np.int64)
        groups: list[Ints] = []
        for device in np.flatnonzero(near.any(axis=1)):
            if cell[device] < 0:
                reached = _component(near, int(device))
                cell[reached] = len(carriers) + len(groups)
                if len(reached) > 1:
                    groups.append(reached)
        for group in groups:
            name = f"channel {channel}" + (f" around {names[group[0]]}" if len(groups) > 1 else "")
            carriers.append(Carrier(name, *queue_of(stated.get(channel)), channel=channel))
        cells[channel] = cell
    return cells, carriers


def _component(near: Truths, device: int) -> Ints:
    """The devices that are joined to one, itself included."""
    reached = near[device].copy()
    reached[device] = True
    while True:
        more = near[reached].any(axis=0) | reached
        if (more == reached).all():
            return np.flatnonzero(reached)
        reached = more


def link_carriers(instance: Instance, index: dict[str, int]) -> list[Carrier]:
    """The directions of the links in the order of the file, there before back; ``index`` numbers the devices."""
    found = []
    for link in instance.links:
        for tail, head in (link.between, link.between[::-1]):
            found.append(Carrier(f"link {tail} → {head}", *queue_of(link.queue), index[tail], index[head]))
    return found
