"""Machines that make tokens: effective bandwidth of device types, and language models whose request is one token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from placer.recipes.measured.accelerators import accelerator
from placer.recipes.measured.rows import Collection, figure


@dataclass(frozen=True)
class Machine:
    """A machine of the collection as a device type.

    Attributes:
        rows: names of the machine in the collection.
        title: for people.
        memory: RAM, or that of the card.
        unit: its compute unit.
        accelerators: which rows are of that unit, as the collection says.
        architecture, tier: as in a device type.
        assumed: ``memory`` where the machine is sold with several sizes, and the collection does not say which.
    """

    rows: tuple[str, ...]
    title: str
    memory: str
    unit: str
    accelerators: tuple[str | None, ...]
    architecture: str = "amd64"
    tier: str = "edge"
    assumed: tuple[str, ...] = ()


def _card(name: str, memory: str) -> Machine:
    return Machine((f"Intel 265K Custom PC (Nvidia {name})",), f"PC with an {name}", memory, "gpu", ("GPU",))


MACHINES: dict[str, Machine] = {
    "llm-raspberry-pi-5": Machine(
        ("Pi 5 - 16GB",), "Raspberry Pi 5 (16 GB) with a language model", "16 GiB", "cpu", ("CPU",), "arm64", "device"
    ),
    "llm-n150": Machine(
        ("GMKtek G3 Plus (Intel N150) - 16GB", "GMKtec G3 Plus (Intel N150) - 16GB"),
        "Mini PC with an Intel N150",
        "16 GiB",
        "cpu",
        ("CPU",),
    ),
    "llm-framework-13": Machine(
        ("Framework 13 (Ryzen AI 5 340 16GB)", "Framework 13 (Ryzen AI 5 340)"),
        "Laptop with a Ryzen AI 5 340",
        "16 GiB",
        "cpu",
        ("CPU",),
    ),
    "llm-minisforum-ms-r1": Machine(
        ("Minisforum MS-R1",), "Minisforum MS-R1", "64 GiB", "cpu", ("CPU",), "arm64", assumed=("memory",)
    ),
    "llm-framework-desktop": Machine(
        ("Framework Mainboard (128GB)", "Framework Desktop Mainboard (395+)"),
        "Framework Desktop (Ryzen AI Max+ 395)",
        "128 GiB",
        "gpu",
        ("GPU", "GPU/CPU"),
    ),
    "llm-gb10": Machine(
        ("Dell Pro Max with GB10 (Nvidia Spark)",), "Dell Pro Max with GB10", "128 GiB", "gpu", ("GPU",), "arm64"
    ),
    "llm-mac-studio-m3-ultra": Machine(
        ("Mac Studio (M3 Ultra 512GB)",), "Mac Studio (M3 Ultra, 512 GB)", "512 GiB", "gpu", ("GPU",), "arm64"
    ),
    "llm-rtx-4090": _card("RTX 4090", "24 GiB"),
    "llm-rtx-3080-ti": _card("RTX 3080 Ti", "12 GiB"),
    "llm-rtx-4070-ti": _card("RTX 4070 Ti", "12 GiB"),
    "llm-rtx-2080-ti": _card("RTX 2080 Ti", "11 GiB"),
    "llm-rtx-3060": _card("RTX 3060", "12 GiB"),
    "llm-m4-max": Machine(("Apple M4 Max",), "Apple M4 Max", "64 GiB", "gpu", (None,), "arm64"),
    "llm-c3d-highcpu-30": Machine(
        ("GCP c3d-highcpu-30 VM",), "Google Cloud c3d-highcpu-30", "59 GiB", "cpu", (None,), "amd64", "cloud"
    ),
}
"""Device types by name."""

MODELS = {
    "token-llama-3-2-3b": ("Llama-3.2-3B-Instruct", "A token of Llama 3.2 3B Instruct"),
    "token-deepseek-r1-14b": ("DeepSeek-R1-Distill-Qwen-14B", "A token of DeepSeek R1 Distill Qwen 14B"),
    "token-llama-3-1-70b": ("Llama-3.1-70B-Instruct", "A token of Llama 3.1 70B Instruct"),
}
"""Models by name: their names in the collection, and titles."""


def rows_of(name: str, collection: Collection) -> list[dict[str, Any]]:
    """The rows of a machine whose bytes per token are known: dense models, each once."""
    machine = MACHINES[name]
    found: dict[str, dict[str, Any]] = {}
    for row in collection.decoding:
        here = row["device"] in machine.rows and row.get("accelerator") in machine.accelerators
        if here and row.get("eff_bw_gb_s") is not None:
            found.setdefault(row["model"], row)
    return list(found.values())


def bandwidth(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Bytes per second and seconds per token beside them.

    Least squares of seconds = bytes / B + a from three sizes on, with residuals over seconds (each rate is as good as
    the other, whatever the size); of two, bytes over seconds of the larger, where a weighs least.
    """
    size = np.array([row.get("stream_bytes") or row["model_bytes"] for row in rows], dtype=np.float64)
    seconds = 1.0 / np.array([row["decode_tps"] for row in rows])
    if len(set(size.tolist())) >= 3:
        features = np.column_stack([size, np.ones_like(size)]) / seconds[:, None]
        (pace, fixed), *_ = np.linalg.lstsq(features, np.ones_like(size), rcond=None)
        if pace > 0 and fixed >= 0:
            return 1.0 / float(pace), float(fixed)
    largest = int(np.argmax(size))
    return float(size[largest] / seconds[largest]), 0.0


def device_type(name: str, collection: Collection) -> dict[str, Any]:
    """The file of a machine."""
    machine, rows = MACHINES[name], rows_of(name, collection)
    rate, fixed = bandwidth(rows)
    cited = "; ".join(dict.fromkeys(collection.cite[row["source"]] for row in rows))
    said = (
        "least squares of the time of a token over the bytes of the model"
        if fixed
        else "bytes over time of the largest"
    )
    extra = f", and {fixed * 1e3:.2g} ms a token beside" if fixed else ""
    guessed = any("model_bytes" in (row.get("assumed") or ()) for row in rows)
    watts = [row["watts"] for row in rows if row.get("watts")]
    source = [f"Measured: {cited}. `bandwidth`: {said} of {len(rows)} models{extra}"]
    source[0] += "; their quantisation, and so their bytes, is not stated there: Q4_K_M is assumed." if guessed else "."
    source.append("RAM, or that of the card, as sold; what the system keeps is assumed.")
    if watts:
        source.append(
            f"Watts at load: the largest of the peaks at the wall ({min(watts):g} to {max(watts):g} W); what it draws "
            "idle was not published and counts as nothing, so energy is all that it draws."
        )
    power = {"power": {"idle": "0 W", "load": f"{max(watts):g} W", "assumed": ["idle"]}} if watts else {}
    unit: dict[str, Any] = {"name": machine.unit, **accelerator(name), "bandwidth": f"{figure(rate / 1e9, 4)} GB/s"}
    return {
        "format": "placer/device-type/1",
        "name": name,
        "title": machine.title,
        "source": " ".join(source),
        "memory": machine.memory,
        "architecture": machine.architecture,
        "tier": machine.tier,
        "reserve": {"memory": "1 GiB", "assumed": ["memory"]},
        **power,
        "units": [unit | ({"assumed": ["bandwidth"]} if guessed else {})],
        **({"assumed": list(machine.assumed)} if machine.assumed else {}),
    }


def model(name: str, collection: Collection) -> dict[str, Any]:
    """The file of a language model as one block that makes a token."""
    known, title = MODELS[name]
    rows = ((machine, row) for machine in MACHINES for row in rows_of(machine, collection))
    times = {machine: row for machine, row in rows if row["model"] == known}
    row = next(iter(times.values()))
    cited = "; ".join(dict.fromkeys(collection.cite[row["source"]] for row in times.values()))
    return {
        "format": "placer/model/1",
        "name": name,
        "title": title,
        "source": (
            f"Tokens per second: {cited}. The quantisation is not stated there: Q4_K_M, and with it the bytes of the "
            "weights, is assumed. A request is one token with a short context: neither the prompt nor the growing "
            "cache of keys and values counts. Work is left out, so that it runs where it was measured only."
        ),
        "runtime": "llama.cpp",
        "input": "4 B",
        "layers": [
            {
                "name": "network",
                "kind": "block",
                "weights": f"{figure(row['model_bytes'] / 1e9)} GB",
                "output": "4 B",
                "times": {machine: f"{figure(1e3 / row['decode_tps'])} ms" for machine, row in times.items()},
                "assumed": ["weights"],
            }
        ],
    }
