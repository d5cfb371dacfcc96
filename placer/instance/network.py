"""The network as a person writes it: radios with a range, and explicit links."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from placer.instance.fields import Count, Facts, Label, LabelPattern, Reference, Text, Truth
from placer.instance.reading import Strict
from placer.instance.units import DataRate, Distance, EnergyPerByte, PacketLoss, Seconds, Share, Watts

RADIO_FORMAT = "placer/radio/1"
LINK_FORMAT = "placer/link/1"

LARGEST_LINKS = 20_000

DEFAULT_QUEUE = 64
"""Tensors that a link direction or a channel holds where nobody says how many: assumed, and said so in reports."""


class TransmitPower(Facts):
    """What a radio draws while it sends at a rate of r bytes/s: ``base`` + ``per_byte`` r."""

    base: Watts
    """The part that does not depend on the rate."""
    per_byte: EnergyPerByte
    """The part that grows with the rate."""


class Rates(Strict):
    """Nominal rates of a link whose directions differ."""

    up: DataRate
    """From the first of the two devices to the second."""
    down: DataRate
    """From the second of the two devices to the first."""


def _kind_of_rate(value: Any) -> str:
    return "rates" if isinstance(value, dict | Rates) else "rate"


LinkRate = Annotated[
    Annotated[DataRate, Tag("rate")] | Annotated[Rates, Tag("rates")],
    Discriminator(_kind_of_rate),
]


class RadioType(Facts):
    """A radio technology, from a library file."""

    format: Literal["placer/radio/1"]
    """Version of this format."""
    name: Label
    """Name of the technology."""
    title: Text | None = None
    """Name for people."""
    source: Text
    """Where the figures come from."""
    rate: DataRate
    """Nominal (PHY) rate."""
    goodput: Share = 1.0
    """Fraction of the nominal rate that carries data."""
    range: Distance
    """Devices nearer than this hear each other."""
    loss: PacketLoss = 0.0
    """Fraction of the packets that are lost and sent again: tensors take 1/(1 - loss) times as long, no request is
    lost. 0 where the goodput was measured with the losses in it."""
    latency: Seconds = 0.0
    """Delay per hop beside the transmission."""
    transmit_energy: EnergyPerByte | None = None
    """Energy of the sender per byte at the rate above; unknown when left out."""
    transmit_power: TransmitPower | None = None
    """Power of the sender at any rate, for uplinks whose rate changes; unknown when left out."""


class Radio(Facts):
    """A radio that devices with a position carry."""

    technology: Reference | None = None
    """A shipped technology or a file beside the instance; the fields below override it."""
    rate: DataRate | None = None
    """Nominal rate, when it differs from the technology's."""
    goodput: Share | None = None
    """Fraction of the nominal rate that carries data, when it differs."""
    range: Distance | None = None
    """Range, when it differs."""
    loss: PacketLoss | None = None
    """Fraction of the packets that are lost and sent again, when it differs."""
    latency: Seconds | None = None
    """Delay per hop, when it differs."""
    transmit_energy: EnergyPerByte | None = None
    """Energy of the sender per byte, when it differs."""
    devices: tuple[LabelPattern, ...] | None = None
    """The devices that carry it, by names or patterns (``cam-*``); every device with a position when left out."""
    contention: Truth = True
    """Whether devices within range share airtime; False gives every pair the rate to itself, in each direction."""
    channel: Label | None = None
    """Radios of one channel share airtime within range; the technology is the channel when left out."""
    queue: Count | None = None
    """Tensors that wait for the channel or are being sent, in all devices within range; assumed when left out."""

    @model_validator(mode="after")
    def _is_complete(self) -> Radio:
        if self.technology is None and (self.rate is None or self.range is None):
            raise ValueError("a radio needs a technology, or a rate and a range")
        if self.channel is not None and not self.contention:
            raise ValueError("a radio without contention has no channel to share")
        return self


class LinkType(Facts):
    """A kind of cable or uplink, from a library file."""

    format: Literal["placer/link/1"]
    """Version of this format."""
    name: Label
    """Name of the kind."""
    title: Text | None = None
    """Name for people."""
    source: Text
    """Where the figures come from."""
    rate: LinkRate
    """Nominal rate of each direction, or ``{up: …, down: …}`` as seen from the first device of a link."""
    goodput: Share = 1.0
    """Fraction of the nominal rate that carries data."""
    loss: PacketLoss = 0.0
    """Fraction of the packets that are lost and sent again: tensors take 1/(1 - loss) times as long, no request is
    lost. 0 where the goodput was measured with the losses in it."""
    latency: Seconds = 0.0
    """Delay beside the transmission."""
    transmit_energy: EnergyPerByte | None = None
    """Energy of the sender per byte; unknown when left out."""


class Link(Facts):
    """A cable or an uplink between two devices, in both directions; between two devices there is one at most."""

    between: tuple[LabelPattern, LabelPattern]
    """The two devices. One may be a pattern (``cam-*``), which makes a link for each device that is like it."""
    technology: Reference | None = None
    """A shipped kind of link (``ethernet-1g``) or a file beside the instance; the fields below override it."""
    rate: LinkRate | None = None
    """Nominal rate of each direction, when it differs from the technology's, or ``{up: …, down: …}``: up is from the
    first of the two devices to the second."""
    goodput: Share = 1.0
    """Fraction of the nominal rate that carries data."""
    loss: PacketLoss = 0.0
    """Fraction of the packets that are lost and sent again: tensors take 1/(1 - loss) times as long, no request is
    lost."""
    latency: Seconds = 0.0
    """Delay beside the transmission."""
    transmit_energy: EnergyPerByte | None = None
    """Energy of the sender per byte; unknown when left out."""
    queue: Count | None = None
    """Tensors that the link holds in each direction, the one being sent included; assumed when left out."""

    @model_validator(mode="after")
    def _is_complete(self) -> Link:
        if self.technology is None and self.rate is None:
            raise ValueError("a link needs a technology, or a rate")
        if self.between[0] == self.between[1]:
            raise ValueError(f"a link needs two different devices, got '{self.between[0]}' twice")
        return self

    def like(self, base: LinkType) -> Link:
        """This link with the figures of its technology where it has none of its own."""
        own = self.model_fields_set
        names = ("rate", "goodput", "loss", "latency", "transmit_energy")
        figures: dict[str, Any] = {name: getattr(base, name) for name in names if name not in own}
        inherited = tuple(name for name in base.assumed if name not in own)
        return self.model_copy(update=figures | {"assumed": (*self.assumed, *inherited)})

    @property
    def goodputs(self) -> tuple[float, float]:
        """Bytes/s of data from the first device to the second and back, what is sent again taken off."""
        assert self.rate is not None, "the technology's figures are filled in when an instance is resolved"
        there, back = (self.rate.up, self.rate.down) if isinstance(self.rate, Rates) else (self.rate, self.rate)
        share = self.goodput * (1.0 - self.loss)
        return there * share, back * share


class Network(Strict):
    """Who hears whom, and how fast."""

    radios: Annotated[tuple[Radio, ...], Field(max_length=50)] = ()
    """Radios with a range."""
    links: Annotated[tuple[Link, ...], Field(max_length=LARGEST_LINKS)] = ()
    """Explicit links."""
