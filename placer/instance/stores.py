"""Where bytes lie: the one rule of which memory holds weights, working memory and runtimes.

The weights of a layer lie in the own memory of its compute unit where that has one, else in the flash of its device
where weights are kept apart, else in the device's RAM. Activations lie in the unit's own memory or in RAM; the layers
of a unit run one after the other and share them, so the largest counts, once for each job that the unit serves at once.
The runtime of a service lies in the RAM of every device that runs a part of it, once. Services of one model share both:
:mod:`placer.instance.sharing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Truths = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Stores:
    """The memories of D devices and N compute units: the RAM of every device, then its flash, then the units' own.

    Attributes:
        devices: D.
        capacity: shape (2 D + N,), bytes; inf where there is no such memory.
        servers: shape (N,), jobs that a unit serves at once, each with working memory of its own.
        weights, working, runtime: shape (N,), the memory that holds each of them for what runs on a unit.
    """

    devices: int
    capacity: Floats
    servers: Ints
    weights: Ints
    working: Ints
    runtime: Ints

    def __len__(self) -> int:
        return len(self.capacity)

    def kept(self, stations: Ints, weights: Floats, runtime: Floats) -> Floats:
        """Bytes that one runtime keeps in every memory, shape (2 D + N,): weights, and itself once a device.

        Args:
            stations: shape (M,), the unit of each layer that is loaded.
            weights: shape (M,), bytes.
            runtime: shape (N,), bytes on the device of each unit, once if a part runs there.
        """
        kept = np.bincount(self.weights[stations], weights, minlength=len(self)).astype(np.float64)
        devices, first = np.unique(self.runtime[stations], return_index=True)
        kept[devices] += runtime[stations[first]]
        return kept

    def shared(self, peak: Floats) -> Floats:
        """Bytes of working memory in every memory, shape (2 D + N,), from the largest of each unit's jobs, (N,)."""
        return np.bincount(self.working, self.servers * peak, minlength=len(self)).astype(np.float64)

    def fitting(self, free: Floats, weights: Floats, working: Floats, runtime: Floats | float) -> Truths:
        """Whether what comes to each unit fits, shape (…, N).

        Args:
            free: shape (2 D + N,), bytes left in every memory.
            weights, working: shape (…, N) or what broadcasts to it, bytes of weights and more working memory of a job.
            runtime: bytes of the runtime, of shape (N,) or the same everywhere.
        """
        working = self.servers * working
        in_ram = runtime + np.where(self._weights_in_ram, weights, 0.0) + np.where(self._working_in_ram, working, 0.0)
        fits = in_ram <= free[self.runtime]
        if not self._weights_in_ram.all():  # elsewhere, with the working memory where that is there too
            fits = fits & (weights + np.where(self._together, working, 0.0) <= free[self.weights])
        if not (self._working_in_ram | self._together).all():
            fits = fits & (working <= free[self.working])
        return np.asarray(fits)

    @cached_property
    def _weights_in_ram(self) -> Truths:
        return np.asarray(self.weights == self.runtime)

    @cached_property
    def _working_in_ram(self) -> Truths:
        return np.asarray(self.working == self.runtime)

    @cached_property
    def _together(self) -> Truths:
        return np.asarray(self.working == self.weights)

    def ram(self, used: Floats) -> Floats:
        """The part of the devices' RAM, shape (D,), of bytes in every memory."""
        return used[: self.devices]

    def flash(self, used: Floats) -> Floats:
        """The part of the devices' flash, shape (D,), of bytes in every memory."""
        return used[self.devices : 2 * self.devices]

    def own(self, used: Floats) -> Floats:
        """The part of the units' own memory, shape (N,), of bytes in every memory."""
        return used[2 * self.devices :]

    def family(self, store: int) -> str:
        """How limits on a memory are called: ``memory`` or ``flash``."""
        return "flash" if self.devices <= store < 2 * self.devices else "memory"


def stores_of(memory: Floats, flash: Floats, unit_memory: Floats, servers: Ints, station_device: Ints) -> Stores:
    """The memories of an instance; arguments are those of :class:`placer.instance.compiled.Compiled`."""
    devices, units = len(memory), len(station_device)
    own, apart = ~np.isnan(unit_memory), ~np.isnan(flash)[station_device]
    unit = 2 * devices + np.arange(units)
    capacity = np.concatenate([memory, np.where(np.isnan(flash), np.inf, flash), np.where(own, unit_memory, np.inf)])
    return Stores(
        devices=devices,
        capacity=capacity,
        servers=servers,
        weights=np.where(own, unit, np.where(apart, devices + station_device, station_device)),
        working=np.where(own, unit, station_device),
        runtime=station_device,
    )
