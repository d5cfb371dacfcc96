"""Instances made by code as the files that a user would have, and edits of these files as repairs print them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from placer.instance.compiled import Compiled, compile_instance
from placer.instance.library import Library
from placer.instance.resolving import read_instance
from placer.planning.clashes.changes import Edit
from placer.sweep.paths import find, set_value, value_at

UNITS = {
    **dict.fromkeys(("memory", "flash", "weights", "activations", "output", "input", "runtime_memory"), "B"),
    **dict.fromkeys(("compute", "max_compute"), "MAC"),
    **dict.fromkeys(("speed", "speeds"), "MAC/s"),
    **dict.fromkeys(("latency", "deadline", "deadline_p95", "decode", "time", "times"), "s"),
    **dict.fromkeys(("range", "position"), "m"),
    **dict.fromkeys(("idle", "load"), "W"),
    "transmit_energy": "J/B",
    "energy": "J",
    "container": "B",
}


def _written(value: Any, unit: str | None, network: bool, key: str = "") -> Any:
    """Plain data with units, as a file holds it."""
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_unset=True)
    if isinstance(value, Mapping):
        found = {}
        for name, item in value.items():
            own = UNITS.get(name, unit if key in UNITS else None)
            if name in ("rate", "up", "down"):
                own = "B/s" if network else "/s"
            if name == "switch" or key == "switch":
                own = {"time": "s", "rate": "B/s"}.get(name)
            found[name] = _written(item, own, network or name == "network", name)
        return found
    if isinstance(value, list | tuple):
        return [_written(item, unit, network, key) for item in value]
    if unit is not None and isinstance(value, float | int) and not isinstance(value, bool):
        return f"{value!r} {unit}"
    return value


def write_files(data: Mapping[str, Any], library: Library, folder: Path) -> Path:
    """Write an instance with its types and models; return its path."""
    types = {d["type"] for d in data["devices"]}
    models = {s["model"] for s in data["services"]}
    for name in types:
        _write(folder / f"{name}.yaml", _written(library.device_type(name), None, False))
    for name in models:
        _write(folder / f"{name}.yaml", _written(library.model(name), None, False))
    for name in {o["runtime"] for o in (*data["devices"], *data["services"]) if "runtime" in o}:
        _write(folder / f"{name}.yaml", _written(library.runtime(name), None, False))
    path = folder / "instance.yaml"
    _write(path, _written(data, None, False))
    return path


def _write(path: Path, data: Any) -> None:
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")


def compiled_file(path: Path) -> Compiled:
    """The compiled instance of a file."""
    return compile_instance(read_instance(path))


def edited(path: Path, edits: Sequence[Edit], number: int) -> Path:
    """A copy of an instance file with some fields changed as a repair says."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    for edit in edits:
        if edit.path.startswith("types."):
            _edit_type(path, data, edit, number)
            continue
        if edit.path == "network.links.+":
            data["network"]["links"] = [*data["network"].get("links", ()), edit.value]
            continue
        for where in find(data, edit.path):
            if edit.value is None:
                value_at(data, where[:-1]).pop(where[-1])
            elif where[-1] in ("up", "down") and not isinstance(value_at(data, where[:-1]), dict):
                raise AssertionError(f"{edit.path}: write both directions")
            else:
                set_value(data, where, edit.value)
    changed = path.with_name(f"changed-{number}.yaml")
    _write(changed, data)
    return changed


def _edit_type(path: Path, data: Any, edit: Edit, number: int) -> None:
    """A unit's figure of one device: its type becomes a file of its own (``types.DEVICE.units.UNIT.FIELD``)."""
    _, device, _, unit, field = edit.path.split(".")
    entry = next(one for one in data["devices"] if one["name"] == device)
    kind = yaml.safe_load((path.parent / f"{entry['type'].removesuffix('.yaml')}.yaml").read_text(encoding="utf-8"))
    next(one for one in kind["units"] if one.get("name", "cpu") == unit)[field] = edit.value
    own = f"own-{device}-{number}"
    _write(path.parent / f"{own}.yaml", kind)
    entry["type"] = f"{own}.yaml"
