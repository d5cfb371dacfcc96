"""Memory, work, rates, airtime, energy and the bottleneck, recomputed by plain loops from the instance's objects."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from placer.evaluation.checks import limit_check
from placer.evaluation.evaluate import evaluate_placement
from placer.instance.compiled import Compiled
from placer.plan.placement import Placement
from tests.evaluation.test_latency import placements
from tests.instance.build import board, chain, compiled_from
from tests.random_instances import random_instance


def recomputed(compiled: Compiled, placement: Placement) -> dict[str, Any]:
    """Every figure of a placement, from names and objects: device -> value, unit -> value, hop -> value."""
    instance = compiled.instance
    units = [(d.name, u.name) for d in instance.devices if d.compute for u in instance.device_type(d).units]
    kinds = {device.name: instance.device_type(device) for device in instance.devices}
    own = {(d.name, u.name): u.memory for d in instance.devices for u in kinds[d.name].units}
    found: dict[str, Any] = {key: defaultdict(float) for key in ("weights", "runtime", "compute", "layers", "work")}
    peak, own_weights, unit_work, hop_work = (defaultdict(float) for _ in range(4))
    energy = []
    for service, choice, stations in zip(instance.services, placement.choice, placement.stations, strict=True):
        variant = compiled.variants[choice]
        graph = next(a for a in instance.alternatives(service) if a.name == variant.name)
        shares = {e.after: service.exits.get(e.after, e.share) for e in graph.exits}
        rate = service.arrivals.mean_rate if service.arrivals else None
        place = {layer.name: units[station] for layer, station in zip(graph.layers, stations, strict=True)}
        alive, joules, sent = 1.0, 0.0, set()
        read = {name for index, sources in enumerate(graph.predecessors()) for name in sources}
        for index, layer in enumerate(graph.layers):
            device, unit = place[layer.name]
            kind = kinds[device]
            speed = next(u.speed for u in kind.units if u.name == unit)
            seconds = (layer.compute or 0.0) / (speed or math.nan)
            found["layers"][device] += 1
            found["compute"][device] += layer.compute or 0.0
            (found["weights"] if own[device, unit] is None else own_weights)[
                device if own[device, unit] is None else (device, unit)
            ] += layer.weights
            peak[device, unit] = max(peak[device, unit], layer.activations)
            found["work"][device, unit] += alive * seconds * (rate or 0.0)
            unit_work[device, unit] += alive * seconds * (1.0 if rate is None else rate)
            given = [f"{kind.name}/{unit}", *([kind.name] if unit == kind.units[0].name else [])]
            measured = [layer.energy[name] for name in given if name in layer.energy]
            if measured:
                joules += alive * measured[0]
            elif kind.power is not None:
                joules += alive * seconds * (kind.power.load - kind.power.idle)
            for source in graph.predecessors()[index]:
                tail = service.source if source < 0 else place[graph.layers[source].name][0]
                if tail != device and (source, device) not in sent:
                    sent.add((source, device))
                    size = graph.input if source < 0 else graph.layers[source].output
                    zone = variant.zone if variant.private[source] else None
                    joules += carry(compiled, tail, device, size, zone, alive, rate, hop_work)
            share = shares.get(layer.name, 0.0)
            if share:
                last = max(i for i in range(len(graph.layers)) if i not in read)
                size = graph.layers[last].output
                joules += carry(compiled, device, service.result_device, size, None, share, rate, hop_work)
            alive -= share
        for index, layer in enumerate(graph.layers):
            if index not in read:
                device = place[layer.name][0]
                joules += carry(compiled, device, service.result_device, layer.output, None, alive, rate, hop_work)
        for device in {device for device, _ in place.values()}:
            spec = next(d for d in instance.devices if d.name == device)
            name = service.runtime or graph.runtime
            if name is None and graph.runtime_memory is None:
                name = spec.runtime or kinds[device].runtime
            resident = graph.runtime_memory or 0.0
            around = 0.0
            if name is not None:
                resident, around = instance.runtimes[name].memory, instance.runtimes[name].container
            for given in (kinds[device].container, spec.container):
                around = around if given is None else given
            found["runtime"][device] += resident + (around if kinds[device].architecture != "mcu" else 0.0)
        energy.append(joules * service.weight)
    ram = {d.name: found["runtime"][d.name] for d in instance.devices}
    for (device, unit), value in peak.items():
        if own[device, unit] is None:
            ram[device] += value
        else:
            own_weights[device, unit] += value
    for device, kind in kinds.items():
        if kind.flash is None:
            ram[device] += found["weights"][device]
    return {**found, "ram": ram, "unit": own_weights, "unit_work": unit_work, "hops": hop_work, "energy": energy}


def carry(
    compiled: Compiled,
    tail: str,
    head: str,
    size: float,
    zone: frozenset[int] | None,
    probability: float,
    rate: float | None,
    hops: dict[Any, float],
) -> float:
    """Joules of a transfer; adds its seconds on the air to ``hops`` (with a rate of 1 where there is none)."""
    index = {name: i for i, name in enumerate(compiled.device_names)}
    routes = compiled.topology.routes(size, zone)
    if tail == head or not math.isfinite(routes.seconds[index[tail], index[head]]):
        return 0.0
    joules = 0.0
    for number in routes.arcs_of(index[tail], index[head]):
        arc = compiled.topology.arcs[number]
        hops[number, rate is not None] += (1.0 if rate is None else rate) * probability * size / arc.rate
        joules += probability * size * arc.energy
    return joules


@pytest.mark.parametrize("seed", range(100))
def test_every_limit(seed: int) -> None:
    compiled = random_instance(seed, 10**7)
    instance = compiled.instance
    for placement in placements(compiled, seed, 4):
        result = evaluate_placement(compiled, placement, "deterministic")
        truth = recomputed(compiled, placement)
        checks = {
            (check.kind, check.message.split(":")[0]): check for check in result.checks if check.limit is not None
        }
        for device in instance.devices:
            kind = instance.device_type(device)
            used = truth["layers"][device.name] > 0
            check = checks.pop(("memory", f"memory of {device.name}"), None)
            assert (check is not None) == used
            if check is None:
                continue
            assert check.actual == pytest.approx(truth["ram"][device.name])
            assert check.limit == kind.memory
            assert (check.status == "violated") == (truth["ram"][device.name] > kind.memory * (1 + 1e-7))
            flash = checks.pop(("flash", f"flash of {device.name}"), None)
            assert (flash is not None) == (kind.flash is not None)
            if flash is not None:
                assert (flash.actual, flash.limit) == (pytest.approx(truth["weights"][device.name]), kind.flash)
            layers = checks.pop(("layers", f"layers on {device.name}"), None)
            assert (layers is not None) == (instance.file.limits.layers is not None)
            if layers is not None:
                assert (layers.actual, layers.limit) == (truth["layers"][device.name], instance.file.limits.layers)
            for unit in kind.units:
                if unit.memory is not None:
                    own = checks.pop(("memory", f"memory of {device.name}/{unit.name}"))
                    assert own.actual == pytest.approx(truth["unit"][device.name, unit.name], abs=1e-9)
        for (device_name, unit_name), work in truth["work"].items():
            many = len(instance.device_type(next(d for d in instance.devices if d.name == device_name)).units) > 1
            name = f"{device_name}/{unit_name}" if many else device_name
            busy = checks.pop(("utilisation", f"utilisation of {name}"), None)
            assert (busy is not None) == (work > 0 and instance.file.limits.utilisation is not None)
            if busy is not None:
                assert busy.actual == pytest.approx(work)
        assert_airtime(compiled, truth["hops"], checks)
        rest = {kind for kind, _ in checks}
        assert rest <= {"deadline", "max_loss", "min_accuracy", "deadline_p95"}
        if not any(check.kind == "range" and check.status == "violated" for check in result.checks):
            assert result.objectives["energy"] == pytest.approx(sum(truth["energy"]))
            slowest = bottleneck(compiled, truth)
            rates = sum(s.arrivals.mean_rate if s.arrivals else 1.0 for s in compiled.instance.services)
            assert result.slowest.load == result.costs["throughput"] == pytest.approx(slowest)
            assert result.objectives["throughput"] == pytest.approx(rates / slowest)
            assert result.slowest.busy == pytest.approx(slowest / rates)


def heard(compiled: Compiled, hops: dict[Any, float], *, all_rates: bool) -> dict[tuple[str, int], float]:
    total: dict[tuple[str, int], float] = defaultdict(float)
    positions = [device.position for device in compiled.instance.devices]
    for (number, has_rate), seconds in hops.items():
        arc = compiled.topology.arcs[number]
        if arc.channel is None or not (has_rate or all_rates):
            continue
        reach = max(radio.range for radio in compiled.instance.radios if radio.channel == arc.channel)
        for device, at in enumerate(positions):
            ends = [positions[arc.tail], positions[arc.head]]
            if at is not None and any(end is not None and math.dist(at, end) < reach for end in ends):
                total[arc.channel, device] += seconds
    return total


def assert_airtime(compiled: Compiled, hops: dict[Any, float], checks: dict[Any, Any]) -> None:
    """One check a channel and set of devices in range, at the device that hears most; one a link direction."""
    names, most = compiled.device_names, defaultdict(float)
    for (channel, device), seconds in heard(compiled, hops, all_rates=False).items():
        cell = min(within(compiled, channel, device))
        most[channel, cell] = max(most[channel, cell], seconds)
    air = {key: checks.pop(key) for key in list(checks) if key[0] == "airtime"}
    found = {}
    for _, text in air:
        check = air["airtime", text]
        channel = text.split()[3]
        found[channel, min(within(compiled, channel, names.index(check.subject)))] = check.actual
        assert check.limit == compiled.instance.file.limits.airtime
    assert {key: value for key, value in found.items() if value} == pytest.approx({k: v for k, v in most.items() if v})
    for number in {number for number, has_rate in hops if has_rate}:
        arc = compiled.topology.arcs[number]
        if arc.channel is None:
            ends = f"{names[arc.tail]} → {names[arc.head]}"
            link = checks.pop(("link", f"utilisation of link {ends}"))
            assert link.actual == pytest.approx(hops[number, True])
    assert all(checks.pop(key).actual == 0 for key in list(checks) if key[0] == "link")


def within(compiled: Compiled, channel: str, device: int) -> set[int]:
    """Devices that one hears over the others of a channel, itself included."""
    near = compiled.topology.hears[channel]
    found, todo = {device}, [device]
    while todo:
        more = {int(other) for other in np.flatnonzero(near[todo.pop()])} - found
        found |= more
        todo += more
    return found


def bottleneck(compiled: Compiled, truth: dict[str, Any]) -> float:
    alone: dict[int, float] = defaultdict(float)
    for (number, _), seconds in truth["hops"].items():
        if compiled.topology.arcs[number].channel is None:
            alone[number] += seconds
    shared = heard(compiled, truth["hops"], all_rates=True)
    return max([*truth["unit_work"].values(), *alone.values(), *shared.values(), 0.0])


def test_figures_that_are_unknown() -> None:
    """No power, no energy; no accuracy, none; no time, an infinite latency and a violation, without a warning."""
    model = chain(2)
    model["layers"] = ({"name": "l0", "output": 1.0}, {"name": "l1", "output": 1.0, "compute": 1e9})
    idle = board(power={"idle": 2.0, "load": 2.0})
    devices = [{"name": "a", "type": "board"}, {"name": "b", "type": "idle"}]
    for arrivals in ({}, {"arrivals": {"rate": 2.0}}):
        compiled = compiled_from(
            devices,
            [{"name": "s", "model": "net", "source": "a", **arrivals}],
            models={"net": model},
            types={"idle": idle},
        )
        result = evaluate_placement(compiled, Placement((0,), ((1, 1),)))
        assert result.services[0].latency == math.inf
        assert [check.kind for check in result.violations][:1] == ["runs"]
        assert not np.isnan(result.objectives["throughput"])
        assert math.isnan(result.services[0].accuracy)
        assert math.isnan(evaluate_placement(compiled, Placement((0,), ((0, 1),))).objectives["energy"])


def test_accuracy_limit() -> None:
    model = chain(3, accuracy=0.9, exits=({"after": "l0", "share": 0.5, "accuracy": 0.6},))
    for wanted, status in ((0.75, "ok"), (0.76, "violated")):
        service = {"name": "s", "model": "net", "source": "a", "min_accuracy": wanted}
        compiled = compiled_from([{"name": "a", "type": "board"}], [service], models={"net": model})
        (check,) = [
            c for c in evaluate_placement(compiled, Placement((0,), ((0, 0, 0),))).checks if c.kind == "min_accuracy"
        ]
        assert check.status == status
        assert check.excess == pytest.approx(wanted - 0.75, abs=1e-12)


def test_limit_checks_tolerate_rounding_only() -> None:
    assert limit_check("memory", "a", "memory of a", 1.00000005e9, 1e9, "B").status == "ok"
    check = limit_check("memory", "a", "memory of a", 1.1e9, 1e9, "B")
    assert check.status == "violated"
    assert check.message == "memory of a: 1.1 GB, allowed 1 GB, 100 MB too much"
    assert limit_check("memory", "a", "x", math.nan, 1e9, "B").status == "violated"
    assert limit_check("deadline", "a", "x", math.inf, 1.0, "s").status == "violated"
    assert limit_check("layers", "a", "x", 0.0, 0.0, "").status == "ok"
