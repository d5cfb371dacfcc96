"""A small instance that the tests of this room vary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from placer.instance.reading import parse_document
from placer.planning.request import Request
from placer.solver.progress import Limits
from placer.sweep.grid import Grid, read_grid
from placer.sweep.run import Sweep, run_sweep

INSTANCE = """\
format: placer/instance/1
name: small
devices:
  - {name: cam, type: raspberry-pi-3a-plus, position: [0 m, 0 m], buffer: 10}
  - {name: hub, type: raspberry-pi-4b, position: [20 m, 0 m], buffer: 50, reserve: {memory: 64 MiB}}
  - {name: cloud-1, type: cloud-gpu}
network:
  radios: [{technology: wifi-n, range: 30 m}]
  links: [{between: [hub, cloud-1], rate: 20 Mbit/s, latency: 15 ms}]
services:
  - {name: plates, model: cnn-5, source: cam, sink: hub, arrivals: 4 /s, pins: {fc5: hub}}
  - {name: people, model: cnn-5-exit, source: cam, sink: hub, arrivals: {rate: 60 /min, process: periodic}}
  - name: bursts
    model: cnn-5
    source: hub
    arrivals: {process: mmpp, states: [{rate: 1 /s, mean: 10 s}, {rate: 9 /s, mean: 2 s}]}
limits: {utilisation: 0.8}
"""


def data() -> Any:
    return parse_document(INSTANCE, "small.yaml").data


def write(folder: Path, text: str = INSTANCE) -> Path:
    path = folder / "small.yaml"
    path.write_text(text)
    return path


def grid_of(folder: Path, *vary: str, text: str = INSTANCE) -> Grid:
    return read_grid(write(folder, text), vary)


def sweep_of(folder: Path, *vary: str, text: str = INSTANCE, **more: Any) -> Sweep:
    options = more.pop("options", Request(limits=Limits(seconds=20)))
    return run_sweep(grid_of(folder, *vary, text=text), options, **more)
