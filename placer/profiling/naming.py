"""Names of models and layers, from what a graph calls them."""

from __future__ import annotations

import re
from collections.abc import Iterable

_LONGEST_LAYER_NAME = 90
_LONGEST_LABEL = 63
_MERE_NUMBER = re.compile(r"[A-Za-z]?\d*|OC2_DUMMY_\d+")


def layer_names(raw: Iterable[str]) -> list[str]:
    """Return a valid, unique name for each layer, without the folder that all share."""
    texts = [text.strip("/") for text in raw]
    folders = {text.split("/")[0] for text in texts if "/" in text}
    if len(folders) == 1:
        texts = [text.removeprefix(f"{next(iter(folders))}/") for text in texts]
    names: list[str] = []
    used = {"input"}
    number: dict[str, int] = {}
    for text in texts:
        base = re.sub(r"[^A-Za-z0-9_.-]+", "_", text.replace("/", ".")).strip(".-")[:_LONGEST_LAYER_NAME] or "layer"
        name = base
        while name in used:
            number[base] = number.get(base, 1) + 1
            name = f"{base}-{number[base]}"
        used.add(name)
        names.append(name)
    return names


def is_telling(name: str) -> bool:
    """Whether a name is more than a number that an exporter gave."""
    return not _MERE_NUMBER.fullmatch(name)


def label(stem: str) -> str:
    """Return a DNS label for a file's name."""
    text = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:_LONGEST_LABEL].strip("-")
    return text or "model"
