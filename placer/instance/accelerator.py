"""Accelerators of compute units, and what a container asks for to get one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

Accelerator = Literal["nvidia", "amd", "intel", "coral", "hailo", "other"]

RESOURCES: dict[str, tuple[str, ...]] = {
    "nvidia": ("nvidia.com/gpu",),
    "amd": ("amd.com/gpu", "/dev/kfd", "/dev/dri"),
    "intel": ("gpu.intel.com/i915", "/dev/dri"),
    "coral": ("/dev/apex_0",),
    "hailo": ("/dev/hailo0",),
    "other": (),
}
"""What the makers' device plugins for Kubernetes call their devices, and the device files of their Linux drivers (of a
Coral on PCI Express; one on USB is ``/dev/bus/usb``)."""

_FILE = r"/dev/[A-Za-z0-9_-][A-Za-z0-9._-]{0,60}(/[A-Za-z0-9_-][A-Za-z0-9._-]{0,60}){0,4}"
_NAME = r"[a-z0-9]([-a-z0-9.]{0,200}[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"


def _several(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Resource = Annotated[str, StringConstraints(pattern=f"^({_FILE}|{_NAME})$")]
"""An extended resource of Kubernetes (``nvidia.com/gpu``), or a device file (``/dev/apex_0``)."""

Resources = Annotated[tuple[Resource, ...], BeforeValidator(_several), Field(max_length=8)]


def problem_of(accelerator: Accelerator | None, resource: tuple[str, ...], slices: int) -> str | None:
    """Say what is wrong with the fields of a unit that concern its accelerator; None when nothing is."""
    if accelerator is None and (resource or slices > 1):
        return "'resource' and 'slices' are of an accelerator; name it too (accelerator: nvidia, coral, …, or other)"
    if accelerator == "other" and not resource:
        return "accelerator 'other' needs its 'resource': an extended resource of Kubernetes or a device file"
    return None
