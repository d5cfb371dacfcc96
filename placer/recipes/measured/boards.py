"""The device types: what the collection says of a board, and what its maker says of its memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from placer.recipes.measured.accelerators import accelerator
from placer.recipes.measured.rows import Collection, figure, median


@dataclass(frozen=True)
class Board:
    """A device of the collection as a device type.

    Attributes:
        rows: names of the device in the collection.
        unit: its compute unit that was measured; ``name`` or ``name of another type`` for one that has a file already.
        title: name for people; empty for a type that has a file already.
        memory, flash, reserve: as in a device type.
        architecture, tier: as in a device type.
        said: where the memory comes from, and what else there is to say.
        assumed: which of memory and flash nobody published.
        units: units beside the measured one, before it.
        clock: rows of this clock only.
    """

    rows: tuple[str, ...]
    unit: str = "cpu"
    title: str = ""
    memory: str = ""
    flash: str = ""
    reserve: str = "64 KiB"
    architecture: str = "mcu"
    tier: str = "device"
    said: str = ""
    assumed: tuple[str, ...] = ()
    units: tuple[dict[str, Any], ...] = ()
    clock: str = ""


_MAKER = "RAM and flash by the maker of the chip."
_NCNN_PI_5: dict[str, Any] = {
    "name": "cpu",
    "cores": 4,
    "speed": "34 GMAC/s",
    "speeds": {"alexnet": "34 GMAC/s", "resnet-50": "84 GMAC/s"},
    "power": {"idle": "3 W", "load": "12.7 W"},
}

BOARDS: dict[str, Board] = {
    # types that have files of their own: only times are taken
    "raspberry-pi-3b-plus": Board(("Raspberry Pi 3, Model B+",)),
    "raspberry-pi-4b": Board(("Raspberry Pi 4",)),
    "raspberry-pi-5": Board(("Raspberry Pi 5",)),
    "jetson-nano": Board(("Jetson Nano",), "gpu"),
    "coral-dev-board": Board(("Coral Dev Board",), "tpu"),
    # edgebench
    "raspberry-pi-5-hailo-8": Board(
        ("Raspberry Pi 5 + AI HAT+",),
        "npu",
        "Raspberry Pi 5 with AI HAT+ (Hailo-8)",
        "8 GiB",
        reserve="300 MiB",
        architecture="arm64",
        said="The processor is that of the type raspberry-pi-5, with its figures; RAM of 8 GiB is assumed.",
        assumed=("memory",),
        units=(_NCNN_PI_5,),
    ),
    "beagley-ai": Board(
        ("BeagleY-AI",),
        title="BeagleY-AI",
        memory="4 GiB",
        reserve="300 MiB",
        architecture="arm64",
        said="RAM by the maker of the board. Only its processor was measured, not its accelerators.",
    ),
    "beaglev-ahead": Board(
        ("BeagleV-Ahead",),
        "npu",
        "BeagleV-Ahead (TH1520)",
        "4 GiB",
        reserve="300 MiB",
        architecture="riscv64",
        said="RAM by the maker of the board. Networks compiled by HHB; the source does not say on which unit they run.",
    ),
    "coral-dev-board-micro": Board(
        ("Coral Dev Board Micro",), "tpu", "Coral Dev Board Micro", "64 MiB", "128 MiB", said=_MAKER, reserve="1 MiB"
    ),
    "xiao-esp32s3": Board(
        ("XIAO ESP32S3",),
        title="Seeed XIAO ESP32S3",
        memory="8704 KiB",
        flash="8 MiB",
        reserve="192 KiB",
        said="512 KB SRAM and 8 MB PSRAM, 8 MB flash, by the maker of the board.",
    ),
    "grove-vision-ai-v2": Board(
        ("Grove Vision AI V2",),
        "npu",
        "Grove Vision AI V2 (Ethos-U55)",
        "2432 KiB",
        "16 MiB",
        said="2432 KB SRAM and 16 MB flash by the maker. The watts are without the carrier board.",
    ),
    "rtx-5090-desktop": Board(
        ("RTX 5090 desktop",),
        "gpu",
        "Desktop PC with an RTX 5090",
        "32 GiB",
        reserve="2 GiB",
        architecture="amd64",
        tier="edge",
        said="RAM of the PC assumed. Watts are those of processor and card, read by hand.",
        assumed=("memory",),
    ),
    "ryzen-7950x": Board(
        ("Ryzen 7950X",),
        title="Desktop PC with a Ryzen 9 7950X",
        memory="32 GiB",
        reserve="2 GiB",
        architecture="amd64",
        tier="edge",
        said="RAM assumed. No watts were published.",
        assumed=("memory",),
    ),
    # MLPerf Tiny
    "nucleo-l4r5zi": Board(
        ("NUCLEO-L4R5ZI",), title="NUCLEO-L4R5ZI (Cortex-M4, 120 MHz)", memory="640 KiB", flash="2 MiB", said=_MAKER
    ),
    "nucleo-l4r5zi-p": Board(
        ("NUCLEO-L4R5ZI-P",), title="NUCLEO-L4R5ZI-P (Cortex-M4, 120 MHz)", memory="640 KiB", flash="2 MiB", said=_MAKER
    ),
    "nucleo-h7a3zi-q": Board(
        ("NUCLEO-H7A3ZI-Q", "NUCLEO-H7A3ZI"),
        title="NUCLEO-H7A3ZI-Q (Cortex-M7, 280 MHz)",
        memory="1376 KiB",
        flash="2 MiB",
        said=_MAKER,
    ),
    "nucleo-u575zi-q": Board(
        ("NUCLEO-U575ZI-Q",),
        title="NUCLEO-U575ZI-Q (Cortex-M33, 160 MHz)",
        memory="784 KiB",
        flash="2 MiB",
        said=_MAKER,
    ),
    "nucleo-u385rg-q": Board(
        ("NUCLEO-U385RG-Q",), title="NUCLEO-U385RG-Q (Cortex-M33, 96 MHz)", memory="256 KiB", flash="1 MiB", said=_MAKER
    ),
    "nucleo-g0b1re": Board(
        ("NUCLEO-G0B1RE",),
        title="NUCLEO-G0B1RE (Cortex-M0+, 64 MHz)",
        memory="144 KiB",
        flash="512 KiB",
        reserve="16 KiB",
        said=_MAKER,
    ),
    "disco-f746ng": Board(
        ("DISCO-F746NG",), title="DISCO-F746NG (Cortex-M7, 216 MHz)", memory="340 KiB", flash="1 MiB", said=_MAKER
    ),
    "psoc-62s2": Board(
        ("CY8CPROTO-062-4343W",),
        title="CY8CPROTO-062-4343W (PSoC 6, Cortex-M4, 150 MHz)",
        memory="1 MiB",
        flash="2 MiB",
        said=_MAKER,
    ),
    "rh850-f1km-s4": Board(
        ("Renesas RH850/F1KM-S4 R7F701649",),
        title="Renesas RH850/F1KM-S4 (240 MHz)",
        memory="512 KiB",
        flash="4 MiB",
        said="RAM and flash assumed.",
        assumed=("memory", "flash"),
    ),
    "ek-ra8d1": Board(
        ("EK-RA8D1",), title="Renesas EK-RA8D1 (Cortex-M85, 480 MHz)", memory="1 MiB", flash="2 MiB", said=_MAKER
    ),
    "ndp9120-30mhz": Board(
        ("NDP9120",),
        "npu",
        "Syntiant NDP9120 at 0.9 V, 30.7 MHz",
        "1 MiB",
        said="RAM assumed.",
        assumed=("memory",),
        clock="30.7",
    ),
    "ndp9120-98mhz": Board(
        ("NDP9120",),
        "npu",
        "Syntiant NDP9120 at 1.1 V, 98.7 MHz",
        "1 MiB",
        said="RAM assumed.",
        assumed=("memory",),
        clock="98.7",
    ),
    "snapdragon-8-gen-3-hdk": Board(
        ("Snapdragon 8 Gen 3 Mobile HDK",),
        "sensing-hub",
        "Snapdragon 8 Gen 3 development kit, sensing hub",
        "12 GiB",
        reserve="2 GiB",
        architecture="arm64",
        said="RAM assumed. The low-power subsystem was measured; no watts were published.",
        assumed=("memory",),
    ),
    "asus-tinker-v": Board(
        ("ASUS Tinker V",),
        title="ASUS Tinker V (RISC-V, 1 GHz)",
        memory="1 GiB",
        reserve="200 MiB",
        architecture="riscv64",
        said="RAM by the maker of the board. No watts were published.",
    ),
}
"""Device types by name."""


def board_of(row: dict[str, Any]) -> str | None:
    """The device type of a row; None for a device that is left out."""
    for name, board in BOARDS.items():
        if row["device"] in board.rows and board.clock in (row.get("clock") or ""):
            return name
    return None


def place_of(name: str) -> str:
    """How layers name the measured compute unit of a device type: ``type``, or ``type/unit``."""
    board = BOARDS[name]
    return f"{name}/{board.unit}" if board.units or (not board.title and board.unit != "cpu") else name


def device_type(
    name: str, rows: list[dict[str, Any]], work: dict[str, float], collection: Collection
) -> dict[str, Any]:
    """The file of a device type.

    Args:
        name: of the type.
        rows: its rows.
        work: multiply-accumulates by network.
        collection: the measurements.
    """
    board = BOARDS[name]
    fastest: dict[str, float] = {}
    for row in rows:
        seconds = row["latency_ms"]["mean"] / 1e3
        fastest[row["model"]] = min(fastest.get(row["model"], seconds), seconds)
    speed = min(work[network] / seconds for network, seconds in fastest.items())
    cited = "; ".join(dict.fromkeys(collection.cite[row["source"]] for row in rows))
    source = [
        f"Measured: {cited}. `speed`, for networks that were not measured here, is the slowest of {len(fastest)}:"
    ]
    source.append("multiply-accumulates over the time of the fastest build.")
    power, said = _power(rows)
    source += [said, board.said, "The memory reserve is assumed."]
    unit: dict[str, Any] = {"name": board.unit, **accelerator(name), "speed": f"{figure(speed / 1e9, 4)} GMAC/s"}
    kept = {"memory": board.memory} | ({"flash": board.flash} if board.flash else {})
    return {
        "format": "placer/device-type/1",
        "name": name,
        "title": board.title,
        "source": " ".join(part for part in source if part),
        **kept,
        "architecture": board.architecture,
        "kubelet": board.architecture != "mcu",
        **({"tier": board.tier} if board.tier != "device" else {}),
        "reserve": {"memory": board.reserve, "assumed": ["memory"]},
        **({"power": power} if power and not board.units else {}),
        "units": [*board.units, unit | ({"power": power} if power and board.units else {})],
        **({"assumed": list(board.assumed)} if board.assumed else {}),
    }


def _power(rows: list[dict[str, Any]]) -> tuple[dict[str, Any], str]:
    """Idle and load power of a board, and where they come from."""
    loads = [row["load_w"] for row in rows if row.get("load_w")]
    if not loads:
        return {}, ""
    load, idle = median(loads), next((row["idle_w"] for row in rows if row.get("idle_w")), None)
    said = f"Watts at load: the median of {len(loads)} measurements between {min(loads):g} and {max(loads):g} W"
    if idle is None:
        no_idle = "; what it draws idle was not published and counts as nothing, so energy is all that it draws."
        return {"idle": "0 W", "load": f"{figure(load, 4)} W", "assumed": ["idle"]}, said + no_idle
    return {"idle": f"{idle:g} W", "load": f"{figure(load, 4)} W"}, f"{said}; watts idle as measured."
