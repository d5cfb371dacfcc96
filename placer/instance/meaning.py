"""The meaning of an instance as plain data: what a stored plan depends on, and nothing else.

Comments, order of keys, titles, sources and the names of the files that figures come from do not matter;
every figure, every name and every order of a list does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from placer.instance.schema import InstanceFile
from placer.instance.service import Service

_DOCUMENTATION = {"title", "source", "accuracy_source", "assumed"}


def meaning_hash(
    file: InstanceFile, kinds: Mapping[str, BaseModel], nets: Mapping[str, BaseModel], links: Iterable[object]
) -> str:
    """Return ``sha256:`` and the hash of what an instance means.

    Args:
        file: the instance as written.
        kinds: device types by their reference.
        nets: models by their reference.
        links: the radios with their technologies' figures filled in.
    """
    types = {reference: _digest(_plain(kind)) for reference, kind in kinds.items()}
    models = {reference: _digest(_plain(model)) for reference, model in nets.items()}
    meaning = _plain(file)
    meaning.pop("name")
    for device in meaning["devices"]:
        device["type"] = types[device["type"]]
    for service in meaning["services"]:
        service["model"] = models[service["model"]]
    meaning["network"]["radios"] = [
        {key: _plain(value) for key, value in vars(radio).items() if key != "assumed"} for radio in links
    ]
    return _digest(meaning)


def _digest(meaning: Any) -> str:
    text = json.dumps(meaning, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Return models as dictionaries without their documentation; keys that a user chose are never dropped."""
    if isinstance(value, BaseModel):
        names = set(type(value).model_fields) - _DOCUMENTATION
        if isinstance(value, Service):
            names.add("source")  # there it is a device
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
