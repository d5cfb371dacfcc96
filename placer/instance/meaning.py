"""The meaning of an instance as plain data: what a stored plan depends on, and nothing else.

Comments, order of keys, titles, sources and the names of the files that figures come from do not matter;
every figure, every name and every order of a list does. A field that is left out means its default, written or not:
fields that a later version adds leave the hashes of older files as they are.
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
    file: InstanceFile,
    kinds: Mapping[str, BaseModel],
    nets: Mapping[str, BaseModel],
    links: Iterable[object],
    runtimes: Mapping[str, BaseModel],
) -> str:
    """Return ``sha256:`` and the hash of what an instance means.

    Args:
        file: the instance as written.
        kinds: device types by their reference.
        nets: models by their reference.
        links: the radios with their technologies' figures filled in.
        runtimes: inference runtimes by their reference.
    """
    engines = {reference: _digest(_plain(runtime)) for reference, runtime in runtimes.items()}
    types = {reference: _digest(_served(_plain(kind), engines)) for reference, kind in kinds.items()}
    models = {}
    for reference, model in nets.items():
        plain = _plain(model)
        plain["alternatives"] = [_served(graph, engines) for graph in plain["alternatives"]]
        models[reference] = _digest(plain)
    meaning = _plain(file)
    meaning.pop("name", None)
    for device in meaning["devices"]:
        _served(device, engines)["type"] = types[device["type"]]
    for service in meaning["services"]:
        _served(service, engines)["model"] = models[service["model"]]
    radios = [{key: _plain(value) for key, value in vars(radio).items() if key != "assumed"} for radio in links]
    meaning.setdefault("network", {})["radios"] = radios
    return _digest(meaning)


def _served(plain: dict[str, Any], engines: Mapping[str, str]) -> dict[str, Any]:
    """Put what a runtime means in the place of the name by which something calls it."""
    if "runtime" in plain:
        plain["runtime"] = engines[plain["runtime"]]
    return plain


def _digest(meaning: Any) -> str:
    text = json.dumps(meaning, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _is_default(value: BaseModel, name: str) -> bool:
    field = type(value).model_fields[name]
    return not field.is_required() and bool(getattr(value, name) == field.get_default(call_default_factory=True))


def _plain(value: Any) -> Any:
    """Return models as dictionaries without their documentation; keys that a user chose are never dropped."""
    if isinstance(value, BaseModel):
        names = set(type(value).model_fields) - _DOCUMENTATION
        if isinstance(value, Service):
            names.add("source")  # there it is a device
        return {name: _plain(getattr(value, name)) for name in names if not _is_default(value, name)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
