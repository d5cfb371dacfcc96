"""Small instances for tests, made from plain data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from placer.instance.compiled import Compiled, compile_instance
from placer.instance.device import DeviceType
from placer.instance.library import Library
from placer.instance.model import Model
from placer.instance.resolving import resolve
from placer.instance.schema import InstanceFile

CASES = Path(__file__).parent / "cases"


def chain(count: int, **more: Any) -> dict[str, Any]:
    """A flat model of ``count`` layers in a row, SI numbers."""
    layers = [
        {"name": f"l{i}", "compute": 1e8 * (i + 1), "weights": 1e6, "output": 1e4 * (i + 1)} for i in range(count)
    ]
    return {"format": "placer/model/1", "name": "net", "source": "test", "input": 1e5, "layers": tuple(layers)} | more


def board(**more: Any) -> dict[str, Any]:
    """A device type with one unit of 1 GMAC/s."""
    units = ({"name": "cpu", "speed": 1e9},)
    return {"format": "placer/device-type/1", "name": "board", "source": "test", "memory": 1e9, "units": units} | more


def compiled_from(
    devices: list[dict[str, Any]],
    services: list[dict[str, Any]],
    *,
    models: dict[str, dict[str, Any]] | None = None,
    types: dict[str, dict[str, Any]] | None = None,
    **file: Any,
) -> Compiled:
    """Compile an instance made of SI numbers; the model ``net`` and the type ``board`` are there unless given."""
    library = Library(None)
    for name, model in ({"net": chain(4)} | (models or {})).items():
        library.entries["model", name] = Model.model_validate({**model, "name": name})
    for name, kind in ({"board": board()} | (types or {})).items():
        library.entries["device type", name] = DeviceType.model_validate({**kind, "name": name})
    data = {"format": "placer/instance/1", "devices": tuple(devices), "services": tuple(services), **file}
    return compile_instance(resolve(InstanceFile.model_validate(data), library))


def write_tree(folder: Path, tree: dict[str, Any]) -> Path:
    """Write files (text as it is, data as YAML) below a folder; return ``instance.yaml``."""
    for name, content in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        path.write_text(text, encoding="utf-8")
    return folder / "instance.yaml"


def small_tree() -> dict[str, Any]:
    """Plain data of a small instance with its own model and device type: what the fuzzers start from."""
    base = yaml.safe_load((CASES / "positive" / "everything.yaml").read_text())
    return {
        "instance.yaml": base,
        "parts/net.yaml": yaml.safe_load((CASES / "positive" / "parts" / "net.yaml").read_text()),
        "parts/board.yaml": yaml.safe_load((CASES / "positive" / "parts" / "board.yaml").read_text()),
        "parts/engine.yaml": yaml.safe_load((CASES / "positive" / "parts" / "engine.yaml").read_text()),
    }
