"""Write the shipped files: ``python -m placer.recipes.measured DATA.json -o models``."""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from placer.files import write_atomically
from placer.instance.device import DeviceType
from placer.instance.library import Library
from placer.instance.reading import parse_document, validate
from placer.profiling.render import render
from placer.recipes.measured import tokens
from placer.recipes.measured.boards import BOARDS, board_of, device_type
from placer.recipes.measured.builds import model, shipped_rows
from placer.recipes.measured.networks import networks
from placer.recipes.measured.rows import Collection, read


def files(collection: Collection) -> dict[str, str]:
    """Return the text of every file by its path below the folder of models."""
    made: dict[str, str] = {}
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in shipped_rows(collection):
        rows[str(board_of(row))].append(row)
    known = networks(collection)
    work = {network.row: network.work for network in known.values() if network.work is not None}
    room: dict[str, float] = {}
    for name in sorted(rows):
        text = render(device_type(name, rows[name], work, collection)) if BOARDS[name].title else ""
        kind = validate(DeviceType, parse_document(text, name)) if text else Library(None).device_type(name)
        room[name] = kind.memory - kind.reserve.memory
        if text:
            made[f"devices/{name}.yaml"] = text
    timed = {row["model"] for row in shipped_rows(collection)}
    for name, network in known.items():
        if network.row in timed:
            made[f"{name}.yaml"] = render(model(name, collection, room))
    made |= {f"devices/{name}.yaml": render(tokens.device_type(name, collection)) for name in tokens.MACHINES}
    return made | {f"{name}.yaml": render(tokens.model(name, collection)) for name in tokens.MODELS}


def main(arguments: list[str]) -> None:
    """Write the files below a folder."""
    parser = argparse.ArgumentParser(prog="python -m placer.recipes.measured", description="Write measured devices.")
    parser.add_argument("data", type=Path, help="the collection of measurements (JSON)")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of models to write to")
    given = parser.parse_args(arguments)
    for name, text in files(read(given.data)).items():
        write_atomically(given.output / name, text)


if __name__ == "__main__":
    main(sys.argv[1:])
