"""Small instances and plans that the tests of this room share."""

from __future__ import annotations

from placer.instance.compiled import Compiled, compile_instance
from placer.instance.device import DeviceType
from placer.instance.library import Library
from placer.instance.model import Model
from placer.instance.reading import parse_document, validate
from placer.instance.resolving import resolve
from placer.instance.schema import InstanceFile
from placer.plan.placement import Placement
from placer.plan.plan import Certificate, Plan, make_plan

BOARD = """
format: placer/device-type/1
name: board
source: made up
memory: 512 MiB
reserve: {memory: 112 MiB}
units: [{name: cpu, cores: 4, speed: 1 GMAC/s}]
"""
MCU = """
format: placer/device-type/1
name: chip
source: made up
memory: 1 MiB
flash: 2 MiB
architecture: mcu
kubelet: false
units: [{name: cpu, speed: 0.1 GMAC/s}]
"""
CHAIN = """
format: placer/model/1
name: chain
source: made up
input: 100 kB
runtime_memory: 100 kB
layers:
  - {name: a, compute: 10 MMAC, weights: 200 kB, activations: 300 kB, output: 50 kB}
  - {name: b, compute: 20 MMAC, weights: 400 kB, activations: 100 kB, output: 20 kB}
  - {name: c, compute: 30 MMAC, weights: 8 MB, output: 1 kB}
"""
EXITS = CHAIN.replace("name: chain", "name: exits") + "exits: [{after: a, share: 40 %}]\n"
DAG = """
format: placer/model/1
name: dag
source: made up
input: 10 kB
layers:
  - {name: stem, compute: 10 MMAC, weights: 1 MB, output: 8 kB}
  - {name: left, inputs: [stem], compute: 10 MMAC, weights: 1 MB, output: 4 kB}
  - {name: right, inputs: [stem], compute: 10 MMAC, weights: 1 MB, output: 4 kB}
  - {name: join, inputs: [left, right], compute: 10 MMAC, weights: 1 MB, output: 1 kB}
"""
INSTANCE = """
format: placer/instance/1
name: tiny
devices:
  - {name: near, type: board, position: [0 m, 0 m]}
  - {name: middle, type: board, position: [20 m, 0 m]}
  - {name: far, type: board, position: [40 m, 0 m]}
  - {name: sensor, type: chip, position: [0 m, 10 m]}
network:
  radios: [{rate: 8 Mbit/s, range: 25 m}]
services:
  - {name: look, model: chain, source: near, sink: far, arrivals: 2 /s, deadline: 400 ms}
"""


def tiny(instance: str = INSTANCE, container: str = "0 B") -> Compiled:
    """Compile an instance whose types and models are the ones above; ``container``: what each takes on a board."""
    library = Library(None)
    for text in (f"{BOARD}container: {container}\n", MCU):
        kind = validate(DeviceType, parse_document(text, "type"))
        library.entries["device type", kind.name] = kind
    for text in (CHAIN, EXITS, DAG):
        model = validate(Model, parse_document(text, "model"))
        library.entries["model", model.name] = model
    return compile_instance(resolve(validate(InstanceFile, parse_document(instance, "tiny.yaml")), library))


def plan_of(compiled: Compiled, *stations: str) -> Plan:
    """Return the plan that places the layers of each service: ``"near near far"`` a service."""
    index = {station.name: number for number, station in enumerate(compiled.stations)}
    placement = Placement(
        tuple(group[0] for group in compiled.service_variants),
        tuple(tuple(index[name] for name in text.split()) for text in stations),
    )
    certificate = Certificate(method="given", termination="given", objectives=(), seconds=0.0, seed=0)
    return make_plan(compiled, placement, certificate)


def with_services(*services: str, extra: str = "") -> str:
    """Return the tiny instance with other services."""
    head = INSTANCE[: INSTANCE.index("services:")]
    return head + "services:\n" + "".join(f"  - {service}\n" for service in services) + extra


LOOK = "{name: look, model: chain, source: near, sink: far, arrivals: 2 /s, deadline: 400 ms}"
LEAVE = "{name: leave, model: exits, source: near, arrivals: 1 /s}"
BRANCH = "{name: branch, model: dag, source: near, sink: middle}"
FEEL = "{name: feel, model: chain, source: sensor, sink: far, deadline_p95: 2 s, share: false}"
IMAGE = "registry.example/node:1.0"


def everything(container: str = "0 B") -> tuple[Compiled, Plan]:
    """A chain that returns to a device and is relayed, exits, a DAG, and a microcontroller."""
    services = with_services(LOOK, LEAVE, BRANCH, FEEL, extra="deployment: {namespace: edge}\n")
    compiled = tiny(services, container)
    return compiled, plan_of(
        compiled, "near far near", "near middle middle", "near middle near middle", "sensor near middle"
    )
