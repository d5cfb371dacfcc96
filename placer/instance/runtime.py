"""Inference runtimes: what a process of one keeps in memory beside the weights and tensors of its model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, StringConstraints

from placer.instance.fields import Facts, Reference, Text
from placer.instance.units import Bytes

if TYPE_CHECKING:
    from placer.instance.device import Device, DeviceType
    from placer.instance.model import Graph
    from placer.instance.service import Service

RUNTIME_FORMAT = "placer/runtime/1"


class Runtime(Facts):
    """An inference runtime, from a library file."""

    format: Literal["placer/runtime/1"]
    """Version of this format."""
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-.a-z0-9]{0,61}[a-z0-9])?$")]
    """Name of the runtime; dots are allowed (``llama.cpp``)."""
    title: Text | None = None
    """Name for people."""
    source: Text
    """Where the figures come from."""
    memory: Bytes
    """Bytes resident in a process that has loaded it, beside weights and working memory."""
    container: Bytes = 0.0
    """Bytes that a container of it takes besides: the program around it. Devices without containers
    (microcontrollers) do without."""
    arena: Literal["greedy-by-size"] | None = None
    """How it lays the tensors of a fragment into one block of memory, largest first, so that those that are not alive
    at the same time share room; what it needs is then computed from the outputs of the layers and who reads them, and
    is more than what is alive. Left out: it frees and takes memory as it goes."""
    alignment: Annotated[int, Field(ge=1, le=4096)] = 1
    """Bytes of which the size of each tensor is made a multiple in an arena."""


def runtime_named(service: Service, graph: Graph, device: Device, kind: DeviceType) -> Reference | None:
    """Return the runtime that serves a model on a device, None where nothing names one.

    The service's, else the model's, else the device's, else its type's; a model that states its ``runtime_memory``
    needs nobody to name one.
    """
    if service.runtime is not None:
        return service.runtime
    if graph.runtime is not None or graph.runtime_memory is not None:
        return graph.runtime
    return device.runtime or kind.runtime


def container_memory(device: Device, kind: DeviceType, runtime: Runtime | None) -> float:
    """Return the bytes that each container on a device takes beside its runtime, weights and working memory."""
    if not kind.has_containers:
        return 0.0
    own = device.container if device.container is not None else kind.container
    if own is not None:
        return own
    return 0.0 if runtime is None else runtime.container


def process_memory(graph: Graph, device: Device, kind: DeviceType, runtime: Runtime | None) -> float:
    """Return the bytes that a process takes on a device beside weights and working memory, its container included."""
    resident = graph.runtime_memory or 0.0 if runtime is None else runtime.memory
    return resident + container_memory(device, kind, runtime)
