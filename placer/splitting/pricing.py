"""From the compiled arrays of an instance to the costs of splitting one variant between two of its stations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from placer.instance.variant import Variant
from placer.splitting.costs import Plane, SplitCosts, Way

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Compression:
    """One way to shrink a tensor at the cut, on the device and server at hand.

    Attributes:
        name: name of the option.
        ratio: original bytes over compressed bytes.
        encode, decode: seconds per original byte on the device and on the unloaded server.
        layers: the layers whose tensors may take it (``input`` among them); empty for all.
    """

    name: str
    ratio: float
    encode: float
    decode: float
    layers: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Link:
    """What lies between device and server, beside the uplink's rate.

    Attributes:
        latency: seconds that each tensor takes beside its transmission.
        returns: whether the result goes back to the device (over the same rate and latency).
        power: W of the device's processor above idle, for the energy of compressing.
        radio_base: W of the device's radio while it sends, without the part that grows with the rate.
        radio_per_byte: J per byte sent.
    """

    latency: float = 0.0
    returns: bool = True
    power: float = 0.0
    radio_base: float = 0.0
    radio_per_byte: float = 0.0


def latency_costs(
    variant: Variant, device: int, server: int, link: Link, compressions: Sequence[Compression] = ()
) -> SplitCosts:
    """Expected latency in s: Σ device + (bytes x + latency) per crossing tensor + k Σ server + the way back.

    Neurosurgeon's formula (Kang et al., ASPLOS 2017), with the link's latency and the result's way back when
    ``link.returns``. On a DAG all layers and tensors count one after the other, as in DADS (Hu et al., INFOCOM
    2019).

    Args:
        variant: layers and times.
        device: station of the device.
        server: station of the server.
        link: what lies between.
        compressions: how tensors may be shrunk at the cut.
    """
    d, s = _busy(variant, device), _busy(variant, server)
    back = _backs(variant, link)

    def way(probability: float, size: float, encode: float, decode: float) -> Plane:
        return Plane(probability * (link.latency + encode), probability * size, probability * decode)

    return _costs(variant, d, s, d, s, back, way, compressions, "s")


def energy_costs(
    variant: Variant, device: int, server: int, link: Link, compressions: Sequence[Compression] = ()
) -> SplitCosts:
    """Expected energy of the device in J: what its layers take, compressing, and the radio's while it sends.

    The radio draws alpha * rate + beta (Huang et al., MobiSys 2012): D bytes cost D * alpha + D x beta. Receiving the
    result and waiting for it count nothing.
    """
    d, s = _busy(variant, device), _busy(variant, server)
    joules = np.where(np.isfinite(d), variant.run * np.where(np.isfinite(d), variant.joules[:, device], 0.0), np.inf)
    none = (Plane(0.0, 0.0, 0.0),) * len(variant)

    def way(probability: float, size: float, encode: float, decode: float) -> Plane:
        fixed = size * link.radio_per_byte + encode * link.power
        return Plane(probability * fixed, probability * size * link.radio_base, 0.0)

    never = np.where(np.isfinite(s), 0.0, np.inf)
    return _costs(variant, joules, never, d, s, none, way, compressions, "J")


def _busy(variant: Variant, station: int) -> Floats:
    """Expected seconds of each layer on a station, shape (M,); inf where it may not run."""
    with np.errstate(invalid="ignore"):
        times = np.where(variant.run > 0, variant.run * variant.time[:, station], 0.0)
    return np.where(variant.allowed[:, station] & np.isfinite(variant.time[:, station]), times, np.inf)


def _backs(variant: Variant, link: Link) -> tuple[Plane, ...]:
    if not link.returns:
        return (Plane(0.0, 0.0, 0.0),) * len(variant)
    shares = [float(share) for share in variant.leave]
    return tuple(
        Plane(share * link.latency, share * variant.result_size(layer), 0.0) if share > 0 else Plane(0.0, 0.0, 0.0)
        for layer, share in enumerate(shares)
    )


def _costs(
    variant: Variant,
    device: Floats,
    server: Floats,
    device_seconds: Floats,
    server_seconds: Floats,
    back: tuple[Plane, ...],
    way: Callable[[float, float, float, float], Plane],
    compressions: Sequence[Compression],
    unit: str,
) -> SplitCosts:
    chance = crossing_chance(variant)
    ways = []
    for tensor in [*range(len(variant)), -1]:
        size, p = variant.tensor_size(tensor), float(chance[tensor])
        name = "input" if tensor < 0 else variant.layers[tensor]
        options = [Way(way(p, size, 0.0, 0.0), 0.0, p * size, 0.0, "")]
        for option in compressions:
            if option.layers and name not in option.layers:
                continue
            encode, decode, small = option.encode * size, option.decode * size, size / option.ratio
            options.append(Way(way(p, small, encode, decode), p * encode, p * small, p * decode, option.name))
        ways.append(tuple(options))
    return SplitCosts(
        names=variant.layers,
        predecessors=variant.predecessors,
        device=device,
        server=server,
        home=np.zeros(len(variant)),
        back=back,
        ways=tuple(ways),
        device_seconds=device_seconds,
        server_seconds=server_seconds,
        unit=unit,
    )


def crossing_chance(variant: Variant) -> Floats:
    """Probability that somebody reads each tensor, shape (M + 1,); the last entry is the input."""
    chance = np.zeros(len(variant) + 1)
    for layer, sources in enumerate(variant.predecessors):
        for source in sources:
            chance[source] = max(chance[source], variant.run[layer])
    return chance
