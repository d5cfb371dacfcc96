"""Why an instance is infeasible: an irreducible set of clashing constraints, and what single relaxation repairs it.

Constraints are switched on and off in the families a user knows (the memory of a device, the deadline of a service),
and QuickXplain (Junker, AAAI 2004) finds a subset-minimal infeasible family set with few feasibility problems.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyomo.core as pyo

from placer.errors import InfeasibleError, UnansweredError
from placer.evaluation.traffic import can_bind
from placer.instance import units
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.instance import Instance
from placer.planning.domains import Group, domain_of
from placer.planning.ilp.formulation import build
from placer.planning.ilp.goals import add_goal_limits
from placer.planning.ilp.readiness import solve
from placer.planning.quickxplain import quick_explain
from placer.planning.repairs import least_change
from placer.solver.countdown import Countdown
from placer.solver.progress import Limits


@dataclass(frozen=True)
class Explanation:
    """Why there is no plan.

    Attributes:
        feasible: whether there is one after all; then the rest is empty.
        clash: families that cannot hold together; without any one of them the others can.
        sentences: the clash in words.
        repairs: single changes after which a plan exists.
        irreducible: whether without any one family of the clash the others can hold; the time limit may end the
            search for such a clash.
        unfinished: what the time limit left undone, in words; empty when all of it was done.
    """

    feasible: bool
    clash: tuple[Group, ...] = ()
    sentences: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()
    irreducible: bool = True
    unfinished: str = ""


def families(compiled: Compiled) -> list[Group]:
    """Every constraint family of an instance that a user could relax, the likeliest culprits last."""
    result: list[Group] = []
    for service in compiled.instance.services:
        if service.pins or service.forbid or service.privacy:
            result.append(("allowed", service.name))
        result.append(("range", service.name))
        stretched = ("max_devices", "max_fragments", "contiguous")
        result += [(kind, service.name) for kind in stretched if getattr(service, kind)]
        if service.min_accuracy is not None:
            result.append(("min_accuracy", service.name))
    if can_bind(compiled) and np.isfinite(compiled.max_airtime):
        result += [("airtime", channel) for channel in compiled.topology.hears]
    if can_bind(compiled) and np.isfinite(compiled.max_link_utilisation):
        carriers = (compiled.topology.carrier(arc.carrier) for arc in compiled.topology.arcs if arc.channel is None)
        result += [("link", carrier.name) for carrier in carriers]
    computing = sorted({int(device) for device in compiled.station_device})
    for device in computing:
        name = compiled.device_names[device]
        if np.isfinite(compiled.max_compute[device]):
            result.append(("compute", name))
        here = compiled.station_device == device
        if np.isfinite(compiled.max_work[here]).any():
            result.append(("utilisation", name))
        if np.isfinite(compiled.max_layers[device]):
            result.append(("layers", name))
        if not np.isnan(compiled.flash[device]):
            result.append(("flash", name))
    result += [("memory", compiled.device_names[device]) for device in computing]
    result += [("deadline", s.name) for s in compiled.instance.services if s.deadline is not None]
    return result


def explain(compiled: Compiled, limits: Limits | None = None) -> Explanation:
    """Return an irreducible clash and its repairs, or say that the instance is feasible.

    Args:
        compiled: the instance.
        limits: of all of it together; where they end it early, the answer says what was left undone.

    Raises:
        UnansweredError: when it is not decided within the limits whether there is a plan.
        InfeasibleError: when even without any limit no layer has a time anywhere.
    """
    limits = limits or Limits()
    countdown = limits.start()
    every = families(compiled)
    clash = every

    def possible(held: Sequence[Group]) -> bool:
        nonlocal clash
        found = is_feasible(compiled, held, limits.within(countdown))
        if not found and len(held) < len(clash):
            clash = list(held)
        return found

    if possible(every):
        from placer.planning.loss.clash import waiting_clash  # only who has such limits needs it

        waits = waiting_clash(compiled, limits, countdown)
        return Explanation(True) if waits is None else Explanation(False, waits.clash, waits.sentences, waits.repairs)
    irreducible, unfinished = False, ""
    repairs: list[str] = []
    try:
        if not possible([]):
            raise InfeasibleError(_untimed(compiled))
        clash = quick_explain(every, possible)
        irreducible = True
        repairs += _repairs(compiled, every, tuple(clash), limits, countdown)
    except UnansweredError:
        unfinished = "the time limit ended the search for repairs"
        if not irreducible:
            unfinished = "the time limit ended the search: some of these may not be needed for the clash"
    sentences = tuple(_sentences(compiled, clash))
    return Explanation(False, tuple(clash), sentences, tuple(dict.fromkeys(repairs)), irreducible, unfinished)


def _repairs(
    compiled: Compiled, every: list[Group], clash: Sequence[Group], limits: Limits, countdown: Countdown
) -> Iterator[str]:
    """Single changes after which a plan exists.

    Raises:
        UnansweredError: it was not decided in time whether one is enough.
    """

    def possible(dropped: Sequence[Group]) -> bool:
        return is_feasible(compiled, _without(every, dropped), limits.within(countdown))

    def repaired(instance: Instance) -> bool:
        return is_feasible(compile_instance(instance), every, limits.within(countdown))

    for group in clash:
        if possible([group]):
            kind, subject = group
            found = least_change(compiled, group, repaired)
            yield found.text if found is not None else f"relax {_KIND_NAMES[kind]} of {subject}"
    for kind in sorted({kind for kind, _ in clash}):
        members = [group for group in every if group[0] == kind]
        if len([g for g in clash if g[0] == kind]) > 1 and kind != "memory" and possible(members):
            yield f"drop or raise the limit on {_KIND_NAMES[kind]} of all of them"


def is_feasible(compiled: Compiled, held: Sequence[Group], limits: Limits) -> bool:
    """Whether a placement exists that keeps the families in ``held``.

    Raises:
        UnansweredError: it is not decided within the limits.
    """
    holds, countdown = set(held), limits.start()
    try:
        formulation = build(compiled, lambda kind, subject: (kind, subject) in holds, countdown)
        add_goal_limits(formulation)
        formulation.model.objective = pyo.Objective(expr=0.0)
        found = solve(formulation, limits, countdown)
    except InfeasibleError:
        return False
    if found.placement is not None and found.exact:
        return True
    if found.result.status == "infeasible":
        return False
    raise UnansweredError(f"a feasibility problem was not decided within the limits ({found.result.status})")


def _without(groups: list[Group], dropped: Sequence[Group]) -> list[Group]:
    return [group for group in groups if group not in dropped]


_KIND_NAMES = {
    "memory": "the memory",
    "flash": "the flash",
    "layers": "the number of layers",
    "compute": "the work per inference",
    "utilisation": "the utilisation",
    "deadline": "the deadline",
    "airtime": "the airtime",
    "link": "the utilisation",
    "allowed": "pins, forbidden pairs and privacy",
    "range": "the range",
    "min_accuracy": "the accuracy",
    "max_devices": "the number of devices",
    "max_fragments": "the number of fragments",
    "contiguous": "one run of layers a device",
}


def _sentences(compiled: Compiled, clash: Sequence[Group]) -> list[str]:
    sentences = _single_layer(compiled, clash)
    if sentences:
        return sentences
    by_name = {service.name: service for service in compiled.instance.services}
    for kind, subject in clash:
        device = compiled.device_names.index(subject) if subject in compiled.device_names else -1
        if kind == "memory":
            sentences.append(f"{subject} has {units.show_bytes(compiled.memory[device])} of memory free for layers")
        elif kind == "flash":
            sentences.append(f"{subject} has {units.show_bytes(compiled.flash[device])} of flash for weights")
        elif kind == "layers":
            sentences.append(f"{subject} may hold {compiled.max_layers[device]:g} layer(s)")
        elif kind == "compute":
            sentences.append(f"{subject} may do {units.show_macs(compiled.max_compute[device])} per inference")
        elif kind == "utilisation":
            here = compiled.station_device == device
            limit = (compiled.max_work / compiled.servers)[here].min()
            sentences.append(f"{subject} may be busy {units.show_fraction(limit)} of the time")
        elif kind == "deadline":
            deadline = by_name[subject].deadline or 0.0
            sentences.append(f"service {subject} must answer within {units.show_seconds(deadline)}")
        elif kind in ("max_devices", "max_fragments"):
            most = getattr(by_name[subject], kind)
            sentences.append(f"service {subject} may have {most} {kind.removeprefix('max_')[:-1]}(s)")
        elif kind == "contiguous":
            sentences.append(f"service {subject} must not come back to a device (contiguous)")
        elif kind == "min_accuracy":
            sentences.append(f"service {subject} must have an accuracy of {by_name[subject].min_accuracy:g}")
        elif kind == "range":
            sentences.append(
                f"service {subject} reaches only devices in range of {by_name[subject].source}, over relays"
            )
        elif kind == "airtime":
            sentences.append(f"channel {subject} carries {units.show_fraction(compiled.max_airtime)}")
        elif kind == "link":
            sentences.append(f"{subject} may be busy {units.show_fraction(compiled.max_link_utilisation)} of the time")
        else:
            sentences.append(f"service {subject}: pins, forbidden pairs and privacy say where its layers may run")
    return sentences


def _single_layer(compiled: Compiled, clash: Sequence[Group]) -> list[str]:
    """The clearest case: one layer is too large for every device that it may run on."""
    held = set(clash)
    stores = {subject for kind, subject in clash if kind in ("memory", "flash")}
    for variant in compiled.variants:
        domain = domain_of(compiled, variant, lambda kind, subject: (kind, subject) in held)
        free = domain_of(compiled, variant, lambda kind, s: (kind, s) in held and kind not in ("memory", "flash"))
        for layer in np.flatnonzero(~domain.usable.any(axis=1) & free.usable.any(axis=1)):
            devices = sorted({int(compiled.station_device[i]) for i in free.stations(int(layer))})
            devices = [device for device in devices if compiled.device_names[device] in stores]
            if not devices:
                continue
            largest = max(devices, key=lambda device: compiled.memory[device])
            station = next(i for i in free.stations(int(layer)) if compiled.station_device[i] == largest)
            own = variant.activations[layer, station] + variant.runtime_memory[station]
            need = float(variant.weights[layer] + own)
            service = compiled.instance.services[variant.service].name
            return [
                f"layer {variant.layers[layer]} of service {service} needs {units.show_bytes(need)}; the largest free "
                f"device it may run on, {compiled.device_names[largest]}, has "
                f"{units.show_bytes(compiled.memory[largest])} ({len(devices)} device(s) looked at)"
            ]
    return []


def _untimed(compiled: Compiled) -> str:
    for variant in compiled.variants:
        for layer in np.flatnonzero(~np.isfinite(variant.time).any(axis=1)):
            service = compiled.instance.services[variant.service].name
            return (
                f"layer {variant.layers[layer]} of service {service} can run on no device: neither a measured time "
                "nor its work and a speed are known"
            )
    return "no placement exists even without limits"
