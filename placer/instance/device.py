"""Devices: the type (a library file) and the device of an instance, which may override what its type says."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from placer.instance.accelerator import Accelerator, Resources, problem_of
from placer.instance.deployment import Taints
from placer.instance.fields import Count, Facts, Label, Positive, Reference, Scv, Text, Truth
from placer.instance.units import Bytes, DataRate, Duration, Fraction, Macs, Metres, Seconds, Speed, Watts

DEVICE_FORMAT = "placer/device-type/1"

Architecture = Literal["amd64", "arm64", "arm", "riscv64", "mcu"]
Tier = Literal["device", "edge", "cloud"]


HOST = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
"""Labels joined by dots: what DNS and Kubernetes call a subdomain. IPv4 addresses look like this too."""

Cores = Annotated[int, Field(ge=1, le=10**6)]


Servers = Annotated[int, Field(ge=1, le=1000)]


class Reserve(Facts):
    """What the system and other work keep for themselves."""

    memory: Bytes = 0.0
    """Bytes of RAM that layers may not use."""
    processor: Fraction = 0.0
    """Fraction of every compute unit that layers may not use: times grow by 1/(1 - reserve)."""


class Power(Facts):
    """Electrical power; their difference times the busy time is the energy of a job."""

    idle: Watts = 0.0
    """Power when nothing runs."""
    load: Watts
    """Power while a layer runs."""

    @model_validator(mode="after")
    def _load_is_more(self) -> Power:
        if self.load < self.idle:
            raise ValueError(f"the power at load ({self.load:g} W) is less than when idle ({self.idle:g} W)")
        return self


class Outages(Facts):
    """How often a device fails and for how long (exponential times)."""

    up: Duration
    """Mean time from a repair to the next failure."""
    down: Duration
    """Mean time to repair."""


class Unit(Facts):
    """A compute unit (CPU, accelerator): a station that serves one job at a time, or as many as it has servers."""

    name: Label = "cpu"
    """Unique in the device."""
    cores: Count = 1
    """Cores that the speeds below were measured with."""
    servers: Servers = 1
    """Jobs that it serves at once (threads, streams, contexts of an accelerator), each as fast as alone: the times are
    those of one job while the others run. Every one needs working memory of its own."""
    speed: Speed | None = None
    """Multiply-accumulates per second for models without a figure of their own: the last resort."""
    speeds: dict[str, Speed] = Field(default_factory=dict)
    """Measured multiply-accumulates per second by model family."""
    speedup: dict[Cores, Positive] = Field(default_factory=dict)
    """Measured speed on n cores relative to one core, by n; not linear in general."""
    overhead: Seconds = 0.0
    """Seconds that each layer takes beside its work by ``speed`` (starting a kernel, say)."""
    bandwidth: DataRate | None = None
    """Bytes of weights that it reads per second, as measured: where ``speed`` is what is known, a layer takes the
    longer of computing and reading its weights."""
    scv: Scv = 0.0
    """Squared coefficient of variation of service times on this unit; 0 is constant."""
    memory: Bytes | None = None
    """Memory of its own; None shares the device's."""
    power: Power | None = None
    """Idle and load power of the device while this unit runs, when they differ from the device type's."""
    accelerator: Accelerator | None = None
    """What it is where it is no processor: containers with a fragment on it ask for it."""
    resource: Resources = ()
    """What containers ask for: an extended resource of Kubernetes (``squat.ai/coral-edgetpu``), device files
    (``/dev/apex_0``, all that Docker knows), or both; what is usual for its kind when left out."""
    slices: Servers = 1
    """Containers that may ask for it at once: what its device plugin offers (time slicing), one without."""

    @model_validator(mode="after")
    def _accelerator_is_named(self) -> Unit:
        problem = problem_of(self.accelerator, self.resource, self.slices)
        if problem is not None:
            raise ValueError(problem)
        return self


class Switch(Facts):
    """What handing a tensor from one compute unit of a device to another costs: a synchronisation and a copy.

    The defaults are assumed, and said so in reports of plans that rest on them: a tenth of a millisecond is the order
    of a launch with its synchronisation on boards with an accelerator, 4 GB/s that of a copy in their memory.
    """

    time: Seconds = 1e-4
    """Fixed part of each handing over."""
    rate: DataRate = 4e9
    """Bytes per second of the copy."""


class DeviceType(Facts):
    """A kind of board or machine, from a library file."""

    format: Literal["placer/device-type/1"]
    """Version of this format."""
    name: Label
    """Name of the type."""
    title: Text | None = None
    """Name for people."""
    source: Text
    """Where the figures come from."""
    memory: Bytes
    """RAM in bytes."""
    flash: Bytes | None = None
    """Bytes of a separate store that holds the weights; without one the weights are in RAM."""
    architecture: Architecture = "arm64"
    """Processor architecture, for the choice of images."""
    kubelet: Truth = True
    """Whether it can run containers under Kubernetes."""
    tier: Tier = "device"
    """Where it stands; ``cloud`` marks candidates for the all-in-the-cloud baseline."""
    reserve: Reserve = Reserve()
    """What the system keeps."""
    runtime: Reference | None = None
    """The inference runtime of services that name none, and whose models name none either."""
    container: Bytes | None = None
    """Bytes that each container takes here beside runtime, weights and working memory; its runtime's figure when left
    out."""
    margin: Fraction = 0.0
    """Added to times that were not measured for the model on this type."""
    power: Power | None = None
    """Idle and load power; without it energy is unknown."""
    units: tuple[Unit, ...] = Field(max_length=16)
    """Compute units; an empty list relays only."""
    switch: Switch = Switch()
    """What handing a tensor from one of its compute units to another costs; assumed where left out."""
    max_compute: Macs | None = None
    """Largest work per inference, summed over all layers placed here."""

    @model_validator(mode="after")
    def _units_are_unique(self) -> DeviceType:
        names = [unit.name for unit in self.units]
        if len(set(names)) < len(names):
            raise ValueError("two compute units have the same name")
        if self.container is not None and not self.has_containers:
            raise ValueError("a microcontroller (architecture: mcu) has no containers, so it takes no 'container'")
        return self

    @property
    def has_containers(self) -> bool:
        """Whether containers run on it, under Kubernetes or by Docker alone."""
        return self.architecture != "mcu"


def _buffer(value: Any) -> Any:
    if isinstance(value, bool) or not (value == "memory" or isinstance(value, int)):
        raise ValueError(f"expected a number of jobs (1 or more) or 'memory', got {value!r}"[:160])
    return value


def _undotted(value: Any) -> Any:
    if isinstance(value, str) and "." in value:
        raise ValueError(
            f"the name {value!r} has dots; choose a short name and write 'hostname: {value}' beside it"[:400]
        )
    return value


def _address(value: Any) -> Any:
    """Accept a host name or an IP address of either kind."""
    text = str(value)[:254]
    if re.fullmatch(HOST, text) is None:
        try:
            ipaddress.IPv6Address(text)
        except ValueError as error:
            raise ValueError(f"{text[:80]!r} is neither a host name nor an IP address") from error
    return value


Buffer = Annotated[
    Literal["memory"] | Annotated[int, Field(ge=1, le=10**6)],
    BeforeValidator(_buffer, json_schema_input_type=Literal["memory"] | int),
]


HostName = Annotated[str, Field(max_length=253, pattern=f"^{HOST}$")]
Address = Annotated[str, Field(max_length=253), BeforeValidator(_address)]


class Device(Facts):
    """One device of the inventory."""

    name: Annotated[Label, BeforeValidator(_undotted)]
    """Unique in the instance; in manifests its node and its host, unless the two fields below say otherwise."""
    hostname: HostName | None = None
    """Its name as a Kubernetes node (``kubernetes.io/hostname``); dots are allowed."""
    address: Address | None = None
    """Host name or IP address at which others reach it; its host name, or its name, when left out."""
    tolerations: Taints = ()
    """Taints of its Kubernetes node that containers on it tolerate, as ``kubectl taint`` writes them."""
    replicas: Count | None = None
    """So many devices instead of one: ``NAME-1``, ``NAME-2`` and so on."""
    type: Reference
    """A shipped device type, or a file beside the instance."""
    position: tuple[Metres, Metres] | tuple[Metres, Metres, Metres] | None = None
    """Coordinates; needed for radios."""
    buffer: Buffer | None = None
    """K: jobs in each compute unit including those in service, or ``memory``. Unlimited when left out."""
    cores: Count | None = None
    """Cores of the first compute unit given to layers, when fewer (or more) than its type's."""
    servers: Servers | None = None
    """Jobs that its first compute unit serves at once, when it differs from the type's."""
    slices: Servers | None = None
    """Containers that may ask for each of its accelerators at once, when that differs from the type's."""
    memory: Bytes | None = None
    """RAM, when it differs from the type's."""
    flash: Bytes | None = None
    """Store for weights, when it differs from the type's."""
    reserve: Reserve | None = None
    """What the system keeps, when it differs from the type's."""
    runtime: Reference | None = None
    """The inference runtime here, when it differs from the type's."""
    container: Bytes | None = None
    """What each container takes here, when it differs from the type's (or its runtime's)."""
    margin: Fraction | None = None
    """Safety margin on times that were not measured, when it differs from the type's."""
    power: Power | None = None
    """Power, when it differs from the type's."""
    tier: Tier | None = None
    """Where it stands, when it differs from the type's."""
    switch: Switch | None = None
    """What handing a tensor from one of its compute units to another costs, when it differs from the type's."""
    compute: Truth = True
    """False for a device that relays only."""
    layers: Count | None = None
    """Largest number of layers here, over all services."""
    max_compute: Macs | None = None
    """Largest work per inference here, over all services."""
    utilisation: Fraction | None = None
    """Largest utilisation of each of its compute units."""
    outages: Outages | None = None
    """How often it fails, for the simulation."""

    @model_validator(mode="after")
    def _is_one_node(self) -> Device:
        if self.replicas is not None and (self.hostname is not None or self.address is not None):
            raise ValueError("'replicas' are several nodes: write devices with a hostname or an address one by one")
        return self

    @property
    def node(self) -> str:
        """Its name as a Kubernetes node."""
        return self.hostname or self.name

    @property
    def host(self) -> str:
        """Where others reach it, as it stands before a port."""
        host = self.address or self.node
        return f"[{host}]" if ":" in host else host
