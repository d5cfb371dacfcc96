"""Which measured compute units are accelerators, and of what kind."""

from __future__ import annotations

_ACCELERATORS = {
    "raspberry-pi-5-hailo-8": "hailo",
    "coral-dev-board-micro": "coral",
    "rtx-5090-desktop": "nvidia",
    "llm-framework-desktop": "amd",
    "llm-gb10": "nvidia",
    "llm-rtx-2080-ti": "nvidia",
    "llm-rtx-3060": "nvidia",
    "llm-rtx-3080-ti": "nvidia",
    "llm-rtx-4070-ti": "nvidia",
    "llm-rtx-4090": "nvidia",
}
"""What the measured compute unit of a type is, where containers can ask for it."""


def accelerator(name: str) -> dict[str, str]:
    """The field of the measured compute unit that says what it is; empty for processors."""
    return {"accelerator": _ACCELERATORS[name]} if name in _ACCELERATORS else {}
