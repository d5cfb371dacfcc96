"""The instance file: devices, network, services, limits and objective, as written."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from placer.instance.deployment import Deployment
from placer.instance.device import Device
from placer.instance.fields import Count, Label, LabelPattern, Text
from placer.instance.network import Network
from placer.instance.reading import Strict
from placer.instance.service import Service
from placer.instance.units import Fraction, FractionOrNone

INSTANCE_FORMAT = "placer/instance/1"

ObjectiveName = Literal["latency", "latency-worst", "throughput", "energy", "loss", "accuracy"]
LARGEST = 1000
"""Devices, and services, of an instance."""
OBJECTIVES: tuple[ObjectiveName, ...] = ("latency", "latency-worst", "throughput", "energy", "loss", "accuracy")


class Limits(Strict):
    """Limits that hold for every device; a device may set its own."""

    layers: Count | None = None
    """Largest number of layers on a device, over all services (the paper's L)."""
    utilisation: Fraction | None = None
    """Largest utilisation of a compute unit, from the arrival rates."""
    airtime: FractionOrNone = 1.0
    """Largest share of the airtime of a channel, from the arrival rates; ``none`` allows any load."""
    links: FractionOrNone = 1.0
    """Largest utilisation of a direction of a link (or of radios without contention); ``none`` allows any load."""


def _objective(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class InstanceFile(Strict):
    """A planning instance as a file holds it: references not yet resolved."""

    format: Literal["placer/instance/1"]
    """Version of this format."""
    name: Label | None = None
    """Name of the instance; that of its file when left out."""
    title: Text | None = None
    """Name for people."""
    source: Text | None = None
    """Where the figures come from."""
    devices: Annotated[tuple[Device, ...], Field(min_length=1, max_length=LARGEST)]
    """The inventory."""
    zones: dict[Label, tuple[LabelPattern, ...]] = Field(default_factory=dict)
    """Named groups of devices, for privacy."""
    network: Network = Network()
    """Radios and links."""
    services: Annotated[tuple[Service, ...], Field(min_length=1, max_length=LARGEST)]
    """What the devices serve."""
    limits: Limits = Limits()
    """Limits for every device."""
    objective: Annotated[tuple[ObjectiveName, ...], BeforeValidator(_objective), Field(min_length=1, max_length=4)] = (
        "latency",
    )
    """What is best; several are taken in order (lexicographic)."""
    deployment: Deployment = Deployment()
    """For manifests."""
