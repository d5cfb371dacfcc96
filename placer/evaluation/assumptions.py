"""Which figures behind a plan are assumed: said in every report."""

from __future__ import annotations

from collections.abc import Sequence

from placer.evaluation.traffic import CarrierMetrics
from placer.instance.compiled import Compiled
from placer.instance.network import DEFAULT_QUEUE
from placer.plan.placement import Placement


def assumptions(compiled: Compiled, placement: Placement, carriers: Sequence[CarrierMetrics] = ()) -> list[str]:
    """Return one line per assumed figure that the placement rests on, without repeats; ``carriers`` are those used."""
    instance = compiled.instance
    lines: list[str] = []
    used: set[int] = set()
    for choice, stations in zip(placement.choice, placement.stations, strict=True):
        variant = compiled.variants[choice]
        service = instance.services[variant.service]
        model = instance.model(service)
        graph = next(a for a in model.alternatives if a.name == variant.name)
        lines += [f"model {model.name}: {name}" for name in (*model.assumed, *graph.assumed)]
        lines += [f"model {model.name}, layers: {name}" for layer in graph.layers for name in layer.assumed]
        for device in dict.fromkeys(int(compiled.station_device[station]) for station in stations):
            runtime = instance.runtime(service, graph, instance.devices[device])
            if runtime is not None:
                lines += [f"runtime {runtime.name}: {name}" for name in runtime.assumed]
        for maker, reader in variant.edges:
            one, other = stations[maker], stations[reader]
            if one != other and compiled.station_device[one] == compiled.station_device[other]:
                spec = instance.devices[int(compiled.station_device[one])]
                kind = instance.device_type(spec)
                if spec.switch is None and "switch" not in kind.model_fields_set:
                    lines.append(f"device type {kind.name}: switch (from one compute unit to another)")
        for layer, station in enumerate(stations):
            device = int(compiled.station_device[station])
            used.add(device)
            if variant.assumed[layer, station]:
                kind = instance.device_type(instance.devices[device])
                lines.append(f"times of {model.name} on {kind.name}: work over a speed, not measured for this model")
    for device in sorted(used):
        spec = instance.devices[device]
        kind = instance.device_type(spec)
        lines += [f"device type {kind.name}: {name}" for name in kind.assumed]
        lines += [f"device type {kind.name}, reserve: {name}" for name in kind.reserve.assumed]
        lines += [f"device type {kind.name}, power: {name}" for name in (kind.power.assumed if kind.power else ())]
        lines += [f"device type {kind.name}, {unit.name}: {name}" for unit in kind.units for name in unit.assumed]
        lines += [f"device {spec.name}: {name}" for name in spec.assumed]
    if any(one.assumed for one in carriers):
        lines.append(f"links and channels: queue ({DEFAULT_QUEUE} tensors where none is stated)")
    lines += [f"radio {radio.name}: {name}" for radio in instance.radios for name in radio.assumed]
    lines += [f"link {' – '.join(link.between)}: {name}" for link in instance.links for name in link.assumed]
    return list(dict.fromkeys(lines))
