"""The models: a network as one block, an alternative per runtime and precision, times and energy as measured.

The work of a build is told in words only: were it a figure of the layer, a build for one accelerator would seem to run
on every device that has a speed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from placer.instance.library import Library
from placer.recipes.measured.boards import BOARDS, board_of, place_of
from placer.recipes.measured.networks import Network, networks
from placer.recipes.measured.rows import Collection, figure

_WINDOWS = (
    "the published variance is that of means of hundreds of inferences, a lower bound of that of single ones: assumed"
)
_RUNTIMES: tuple[tuple[str, str], ...] = (
    (r"TensorFlow Lite \(ai-edge-torch\)", "tflite-ai-edge-torch"),
    (r"TensorFlow Lite.*", "tflite"),
    (r"TFLite Micro \(Vela\)", "tflite-micro-vela"),
    (r"TFLite Micro", "tflite-micro"),
    (r"ONNX Runtime", "onnxruntime"),
    (r"Apache TVM", "tvm"),
    (r"ExecuTorch", "executorch"),
    (r"HailoRT", "hailort"),
    (r"HHB", "hhb"),
    (r"X-CUBE-AI v9.*", "x-cube-ai-9"),
    (r"X-CUBE-AI v10.*", "x-cube-ai-10"),
    (r"Bosch Hardware-Aware Lowering Engine.*", "hale"),
    (r"Qualcomm AI Stack", "qualcomm-ai-stack"),
    (r"TensorFlow, Syntiant SDK", "syntiant-sdk"),
    (r"ONNC", "onnc"),
    (r"TensorFlow", "tensorflow"),
    (r"TensorRT", "tensorrt"),
    (r"Edge TPU", "edgetpu"),
)


def alternative_of(row: dict[str, Any]) -> str:
    """Name of the build that a row is of: runtime and precision, and what else tells builds of one runtime apart."""
    text = row["runtime"] or "not-stated"
    runtime = next((slug for pattern, slug in _RUNTIMES if re.fullmatch(pattern, text)), "not-stated")
    if runtime == "tflite-micro" and row["accelerator"] == "Edge TPU":
        runtime = "tflite-micro-edgetpu"
    tail = next((end for end in ("max_performance", "min_ram") if (row.get("configuration") or "").endswith(end)), "")
    return "-".join(part for part in (runtime, precision_of(row), tail.replace("_", "-")) if part)


def precision_of(row: dict[str, Any]) -> str:
    """``float32``, ``int8`` or ``uint8``; nothing where the source does not say."""
    text = (row["precision"] or "").lower()
    if not text or text.startswith(("float", "uint8")):
        return text.split()[0] if text else ""
    return "int8"


def shipped_rows(collection: Collection) -> list[dict[str, Any]]:
    """The rows that become figures: of a known board and network, available, each once."""
    known = {network.row for network in networks(collection).values()}
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in collection.single:
        board = board_of(row)
        if board is None or row["model"] not in known or row.get("availability", "available") != "available":
            continue
        if row["latency_ms"]["mean"] is not None:
            found.setdefault((board, row["model"], alternative_of(row)), row)  # later rounds repeat some
    return list(found.values())


def model(name: str, collection: Collection, room: dict[str, float]) -> dict[str, Any]:
    """The file of a model.

    Args:
        name: of the model.
        collection: the measurements.
        room: bytes of RAM for layers by device type, at least what a network needed that ran there.
    """
    network = networks(collection)[name]
    builds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in shipped_rows(collection):
        if row["model"] == network.row:
            builds[alternative_of(row)].append(row)
    cited = "; ".join(dict.fromkeys(collection.cite[row["source"]] for rows in builds.values() for row in rows))
    measured = ["times", *(["energy"] if _any_energy(builds) else []), *(["accuracy"] if network.metric else [])]
    work = "" if network.work is None else f" {figure(network.work / 1e9, 4)} GMAC."
    source = [f"Measured {', '.join(measured)}: {cited}. {network.said}.{work}"]
    source.append("The alternatives are runtimes and precisions, each for the devices on which it was timed.")
    if _any_energy(builds):
        source.append(_energy_said(network))
        if any(_is_below_a_step(row) for rows in builds.values() for row in rows if row.get("energy_mj")):
            source.append("Where a step is more than that difference, the power read by hand there is taken instead.")
    if any(row["latency_ms"]["scv"] for rows in builds.values() for row in rows):
        source.append(f"Of `scv` {_WINDOWS}.")
    return {
        "format": "placer/model/1",
        "name": name,
        "title": network.title,
        "source": " ".join(source),
        "alternatives": [_alternative(build, network, rows, room) for build, rows in sorted(builds.items())],
    }


def _any_energy(builds: dict[str, list[dict[str, Any]]]) -> bool:
    return any(_joules(row) is not None for rows in builds.values() for row in rows)


def _energy_said(network: Network) -> str:
    if "energy" in network.assumed:
        return (
            "What the boards draw idle was not published and counts as nothing: `energy` is all that they draw, and "
            "marked as assumed."
        )
    return "Energy is that of the whole board less its idle power over the same time, from a meter with steps of 1 mWh."


def _joules(row: dict[str, Any]) -> float | None:
    """Joules above idle of one inference; without idle watts only where the source measured a bare chip or board."""
    if row.get("energy_mj") is None:
        return None
    if row.get("idle_w") is not None:
        above = float(row["energy_mj"] - row["idle_w"] * row["latency_ms"]["mean"]) / 1e3
        by_hand = re.search(r"hand-read power ([0-9.]+) W", row["note"] or "")
        if by_hand and _is_below_a_step(row):
            return (float(by_hand[1]) - float(row["idle_w"])) * float(row["latency_ms"]["mean"]) / 1e3
        return above
    return float(row["energy_mj"]) / 1e3 if row["source"].startswith("mlperf-tiny") else None


def _is_below_a_step(row: dict[str, Any]) -> bool:
    """Whether a step of the meter is more than what the network takes above idle."""
    step = row["energy_mj"] * (row.get("energy_step_pct") or 0.0) / 100.0
    return bool(step > row["energy_mj"] - (row.get("idle_w") or 0.0) * row["latency_ms"]["mean"])


def _alternative(name: str, network: Network, rows: list[dict[str, Any]], room: dict[str, float]) -> dict[str, Any]:
    size = 1 if "int8" in precision_of(rows[0]) else 4
    places = {place_of(str(board_of(row))): row for row in rows}
    layer: dict[str, Any] = {"name": "network", "kind": "block"}
    layer["weights"] = f"{figure(network.weights * size / 1e6)} MB"
    runtime = next((one for one in ("tflite-micro", "tflite", "onnxruntime") if name.startswith(one)), None)
    resident = Library(None).runtime(runtime).memory if runtime else 0.0
    if network.values is not None:
        boards = [str(board_of(row)) for row in rows]
        most = min(room[one] - resident - (0 if BOARDS[one].flash else network.weights * size) for one in boards)
        layer["activations"] = f"{figure(min(network.values * size, most) / 1e3)} kB"
    layer["output"] = f"{network.output * (network.output_bytes or size)} B"
    layer["times"] = {place: f"{figure(row['latency_ms']['mean'])} ms" for place, row in places.items()}
    joules = {place: _joules(row) for place, row in places.items()}
    if any(value is not None for value in joules.values()):
        layer["energy"] = {p: f"{figure(value * 1e3, 5)} mJ" for p, value in joules.items() if value is not None}
    spread = {place: row["latency_ms"]["scv"] for place, row in places.items() if row["latency_ms"]["scv"]}
    if spread:
        layer["scv"] = {place: float(figure(value, 3)) for place, value in spread.items()}
    layer["assumed"] = [field for field in network.assumed if field in layer]
    found: dict[str, Any] = {"name": name} | ({"runtime": runtime} if runtime else {})
    found |= {"input": f"{network.input * size} B", "layers": [layer]}
    return found | _accuracy(network, rows)


def _accuracy(network: Network, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The lowest accuracy of a build: it differs between boards in the third digit."""
    found = [float(row["accuracy"].split()[-1]) for row in rows if row.get("accuracy")]
    if not found or not network.metric:
        return {}
    value = min(found) / (100 if network.metric != "AUC" else 1)
    return {"accuracy": float(figure(value, 5)), "accuracy_source": f"{network.metric} of this build, same source"}
