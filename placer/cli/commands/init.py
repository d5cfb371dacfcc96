"""``placer init``."""

from __future__ import annotations

from pathlib import Path

import click

from placer.cli.common import claim_output, json_option, print_json
from placer.cli.parameters import FILE

STARTER = """\
# A starter instance of placer: two boards, a hub, one service. Change it, then run
#   placer plan {file} -o plan.json
# Quantities carry units. `placer schema instance` prints every field; `placer show raspberry-pi-4b` a device type.
format: placer/instance/1
devices:
  # type: a shipped device type, or a file beside this one. buffer: jobs in the device, the one in service included.
  - {{name: camera, type: raspberry-pi-3a-plus, position: [0 m, 0 m], buffer: 10}}
  - {{name: hub, type: raspberry-pi-4b, position: [15 m, 5 m], buffer: 50}}
  # Memory that the system keeps, and a margin on times that were not measured, are fields of a device too:
  - name: spare
    type: raspberry-pi-4b
    position: [20 m, 0 m]
    reserve: {{memory: 500 MiB, processor: 10 %}}
    margin: 20 %
network:
  radios:
    - {{technology: wifi-n, range: 30 m}} # devices in range share airtime, unless contention: false
  # links:
  #   - {{between: [hub, cloud], rate: 20 Mbit/s, latency: 15 ms}}
services:
  - name: pictures
    model: alexnet # a shipped model, or a file beside this one (see `placer profile`)
    source: camera # where inputs arise
    sink: hub # who wants the answer
    arrivals: 2 /s # Poisson; also {{process: periodic, rate: 2 /s}}, mmpp or trace
    deadline: 500 ms
    # pins: {{conv1: camera}}
    # forbid: {{"*": [spare]}}
    # privacy: {{until: conv3, zone: [camera, hub]}}
limits:
  utilisation: 80 % # of each compute unit, from the arrival rates
  # layers: 4 # at most so many layers on a device
objective: latency # or latency-worst, throughput, energy; a list is taken in order
# deployment: {{image: registry.example/edge-node:1.0}} # needed by `placer export`
"""


@click.command("init")
@click.argument("file", type=FILE, default=Path("instance.yaml"))
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@json_option
def command(file: Path, force: bool, as_json: bool) -> int:
    """Write a commented starter instance to FILE."""
    target = claim_output(file, force)
    if target is not None:
        target.write(STARTER.format(file=file.name))
    if as_json:
        print_json({"written": str(file)})
    else:
        click.echo(f"{file} written; next: placer plan {file} -o plan.json")
    return 0
