"""The rows of the collection that may be shipped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Collection:
    """Published measurements.

    Attributes:
        cite: by source, where it stands, at which commit, and under which licence.
        single: rows of one inference of a network on a device.
        decoding: rows of a language model that makes tokens on one machine.
        networks: figures of the networks by name.
    """

    cite: dict[str, str]
    single: tuple[dict[str, Any], ...]
    decoding: tuple[dict[str, Any], ...]
    networks: dict[str, dict[str, Any]]


def read(path: Path) -> Collection:
    """Read the collection, leaving out what has no licence or lost its accuracy."""
    data = json.loads(path.read_text(encoding="utf-8"))
    licensed = {source["id"]: source for source in data["sources"] if source["kind"].startswith("repository file")}
    return Collection(
        cite={name: _citation(source) for name, source in licensed.items()},
        single=tuple(row for row in data["single"] if row["source"] in licensed and row.get("usable", True)),
        decoding=tuple(row for row in data["llm_single"] if row["source"] in licensed),
        networks=data["models"],
    )


def _citation(source: dict[str, Any]) -> str:
    address = source["address"].removeprefix("https://github.com/")
    licence = source["licence"].split(";")[0]
    return f"repository {address}, commit {source['commit'][:12]}, {licence}"


def figure(value: float, digits: int = 6) -> str:
    """A figure to so many digits, never in a notation that YAML would take for text."""
    return f"{value:.{digits}g}" if 1e-4 <= abs(value) < 10**digits or value == 0 else f"{value:.{digits - 1}e}"


def median(values: Sequence[float]) -> float:
    """The middle one; of an even number the lower of both, so that it is a figure of the source."""
    return sorted(values)[(len(values) - 1) // 2]
