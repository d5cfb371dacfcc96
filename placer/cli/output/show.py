"""Tables of instances, models, device types and plans."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


from placer.api import compiled_of
from placer.cli.common import evaluation_json
from placer.cli.output import plan as report
from placer.cli.output.table import table
from placer.errors import InputError
from placer.evaluation.evaluate import evaluate
from placer.files import Output
from placer.instance.compiled import Compiled
from placer.instance.library import FORMATS, Kind, find_shipped, is_file, shipped_names
from placer.instance.model import Graph, Model
from placer.instance.reading import Strict, kind_of, read_document, unknown, validate
from placer.instance.units import show_bytes, show_fraction, show_joules, show_macs, show_rate, show_seconds
from placer.instance.working import working_memory
from placer.plan.files import MIGRATIONS
from placer.plan.plan import PLAN_FORMAT, Plan

_KINDS: tuple[Kind, ...] = ("instance", "model", "device type", "radio", "link", "runtime", "exit profile")


def identify(thing: str) -> tuple[str, Path]:
    """Return what a name or file is: its kind and path.

    Raises:
        InputError: when it is nothing that placer knows.
    """
    path = Path(thing)
    if is_file(path):
        document = read_document(path, thing)
        data = document.data
        stated = data.get("format") if isinstance(data, dict) else None
        formats = {"placer/instance/1": "instance"} | dict.fromkeys((*MIGRATIONS, PLAN_FORMAT), "plan")
        formats |= {name: kind for kind, name in FORMATS.items()}
        if not isinstance(stated, str) or stated not in formats:
            said = stated if isinstance(stated, str) else kind_of(stated)
            raise InputError([document.problem(unknown("format", said, list(formats)), ("format",))])
        return formats[stated], path
    for kind in _KINDS:
        shipped = find_shipped(thing, kind)
        if shipped is not None:
            return kind, shipped
    raise InputError(unknown("name", thing, [name for kind in _KINDS for name in shipped_names(kind)]))


def show_plan(plan: Plan, compiled: Compiled, picture: Output | None, as_json: bool) -> dict[str, Any]:
    """Show a plan with its metrics."""
    evaluation = evaluate(plan, compiled)
    if picture is not None:
        from placer.pictures.plan import picture as draw_plan

        draw_plan(plan, compiled, picture)
    if not as_json:
        out = report.console()
        report.print_plan(plan, out)
        report.print_metrics(evaluation, out)
        report.print_checks(evaluation, out)
    return {"plan": plan.model_dump(mode="json"), "evaluation": evaluation_json(evaluation)}


def show_instance(thing: str, picture: Output | None, as_json: bool) -> dict[str, Any]:
    """Show devices, radios, links and services of an instance."""
    compiled = compiled_of(thing)
    if picture is not None:
        from placer.pictures.plan import picture_of_instance

        picture_of_instance(compiled, picture)
    if not as_json:
        _print_instance(compiled, report.console())
    data = compiled.instance.file.model_dump(mode="json")
    return {"instance": data, "hash": compiled.instance.meaning_hash}


def _print_instance(compiled: Compiled, out: Console) -> None:
    instance = compiled.instance
    devices = []
    names = compiled.device_names
    for index, device in enumerate(instance.devices):
        near = sorted({names[arc.head] for arc in compiled.topology.arcs if arc.tail == index})
        units = ", ".join(_unit(compiled, s) for s, station in enumerate(compiled.stations) if station.device == index)
        units = units or "relays only"
        shown = ", ".join(near[:6]) + (f" and {len(near) - 6} more" if len(near) > 6 else "")
        buffer = "unlimited" if device.buffer is None else str(device.buffer)
        devices.append((device.name, device.type, show_bytes(compiled.memory[index]), units, buffer, shown))
    of_devices = ("device", "type", "free memory", "compute units", "buffer", "reaches in one hop")
    out.print(table(instance.file.title or instance.name, of_devices, devices))
    for radio in instance.radios:
        line = f"radio {radio.name}: {show_rate(radio.rate)} goodput, range {radio.range:g} m"
        line += _lost(radio.loss) + (f", channel {radio.channel}" if radio.channel else "")
        out.print(line, markup=False)
    for link in instance.links:
        there, back = (show_rate(goodput) for goodput in link.goodputs)
        rate = there if there == back else f"{there} →, {back} ←"
        line = f"link {link.between[0]} – {link.between[1]}: {rate}, {link.latency * 1e3:g} ms{_lost(link.loss)}"
        out.print(line, markup=False)
    for runtime in instance.runtimes.values():
        line = f"runtime {runtime.name}: {show_bytes(runtime.memory)} a process"
        line += f", {show_bytes(runtime.container)} a container" if runtime.container else ""
        out.print(line + (f", arena {runtime.arena}" if runtime.arena else ""), markup=False)
    services = []
    for position, service in enumerate(instance.services):
        variant = compiled.variants[compiled.service_variants[position][0]]
        rate = "" if service.arrivals is None else f"{service.arrivals.mean_rate:.4g} /s {service.arrivals.process}"
        promises = [rate] if rate else []
        promises += [f"deadline {service.deadline * 1e3:g} ms"] if service.deadline is not None else []
        promises += [f"loss ≤ {service.max_loss * 100:g} %"] if service.max_loss is not None else []
        work, weights = show_macs(variant.macs.sum()), show_bytes(variant.weights.sum())
        way = f"{service.source} → {service.result_device}"
        services.append((service.name, service.model, str(len(variant)), work, weights, way, ", ".join(promises)))
    of_services = ("service", "model", "layers", "work", "weights", "source → sink", "promises")
    out.print(table("Services", of_services, services))
    out.print(f"objective: {', '.join(instance.file.objective)}", markup=False)


def _unit(compiled: Compiled, station: int) -> str:
    """A compute unit, what accelerator it is, if one, and how many jobs it serves at once where that is not one."""
    place, servers = compiled.stations[station], compiled.servers[station]
    kind = compiled.instance.device_type(compiled.instance.devices[place.device])
    accelerator = next(unit.accelerator for unit in kind.units if unit.name == place.unit)
    name = place.unit if accelerator is None else f"{place.unit} ({accelerator})"
    return name if servers == 1 else f"{name} × {servers}"


def _lost(loss: float) -> str:
    """What the loss of packets means; the rates beside it have it in them."""
    return f", {show_fraction(loss)} of the packets lost and sent again" if loss else ""


def show_entry(kind: str, path: Path, picture: Output | None, as_json: bool) -> dict[str, Any]:
    """Show a model, a device type, a radio, a kind of link, a runtime or an exit profile."""
    from placer.instance.device import DeviceType
    from placer.instance.exit_profile import ExitProfile
    from placer.instance.network import LinkType, RadioType
    from placer.instance.runtime import Runtime

    schemas: dict[str, type[Strict]] = {
        "model": Model,
        "device type": DeviceType,
        "radio": RadioType,
        "link": LinkType,
        "runtime": Runtime,
        "exit profile": ExitProfile,
    }
    entry = validate(schemas[kind], read_document(path))
    if picture is not None:
        if not isinstance(entry, Model):
            raise InputError(f"a {kind} has no picture; instances, models and plans have")
        from placer.pictures.model import picture_of_model

        picture_of_model(entry, picture)
    data = entry.model_dump(mode="json")
    if not as_json:
        out = report.console()
        if isinstance(entry, Model):
            _print_model(entry, out)
        else:
            out.print(table(data.get("title") or data["name"], ("field", "value"), _fields(data)))
        if isinstance(entry, DeviceType) and entry.power is None and not all(unit.power for unit in entry.units):
            out.print("energy here is unknown for want of: power (but for layers with a measured energy)", markup=False)
    return data


def _fields(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and text of every field that says something; exits are told one by one."""
    for key, value in data.items():
        if key == "exits":
            for row in value:
                shown = {name: figure for name, figure in row.items() if figure not in (None, [])}
                yield shown.pop("name"), ", ".join(f"{name} {figure}" for name, figure in shown.items())
        elif value not in (None, [], {}):
            yield key, str(value)


def _measured(graph: Graph) -> Iterator[str]:
    """What running all layers on one compute unit takes, where that was measured for all of them."""
    kinds = [set(layer.times) for layer in graph.layers]
    for kind in sorted(set.intersection(*kinds)):
        seconds = sum(layer.times[kind] for layer in graph.layers)
        line = f"measured on {kind}: {show_seconds(seconds)}"
        if all(kind in layer.energy for layer in graph.layers):
            line += f", {show_joules(sum(layer.energy[kind] for layer in graph.layers))} above idle"
        fields = [name for name in ("times", "energy") if any(name in layer.assumed for layer in graph.layers)]
        yield line + (f" (assumed: {', '.join(fields)})" if fields else "")


def _print_model(model: Model, out: Console) -> None:
    for graph in model.alternatives:
        rows = []
        working = working_memory(graph, [None])[:, 0]
        gates = {exit_.after: exit_.share for exit_ in graph.exits}
        for index, layer in enumerate(graph.layers):
            reads = ", ".join(layer.inputs or ("input" if index == 0 else graph.layers[index - 1].name,))
            name = layer.name + (f" (exit, {gates[layer.name] * 100:g} %)" if layer.name in gates else "")
            work = "measured" if layer.compute is None else show_macs(layer.compute)
            memory = show_bytes(working[index])
            rows.append((name, layer.kind, reads, work, show_bytes(layer.weights), memory, show_bytes(layer.output)))
        columns = ("layer", "kind", "reads", "work", "weights", "working memory", "output")
        out.print(table(f"{model.title or model.name} ({graph.name})", columns, rows))
        work = show_macs(sum(layer.compute or 0.0 for layer in graph.layers))
        weights = show_bytes(sum(layer.weights for layer in graph.layers))
        out.print(f"{len(graph.layers)} layers, {work}, {weights} of weights, input {show_bytes(graph.input)}")
        for line in _measured(graph):
            out.print(line, markup=False)
    out.print(f"source: {model.source}", markup=False)
