"""What repairs limits on loss and response times: the limit, requests, buffers, servers, speed, the rate of a link."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from placer.errors import UnansweredError
from placer.evaluation.evaluation import Evaluation, StationTimes
from placer.instance.compiled import Compiled, compile_instance
from placer.instance.units import show_fraction, show_seconds
from placer.plan.placement import Placement
from placer.planning.clashes.changes import Change, Edit, as_printed, with_service
from placer.planning.clashes.choosing import chooses, chosen
from placer.planning.clashes.deployed import Deployed
from placer.planning.clashes.families import Group
from placer.planning.clashes.knobs import Knob, faster, knobs_of
from placer.planning.clashes.repairs import Repair, Workshop, least
from placer.planning.clashes.substitutes import fewer_requests, more_cores, more_places, more_servers
from placer.planning.clashes.waiting import WAITING, WaitingOracle, keeps_all, names_in, plan_for
from placer.solver.countdown import Countdown

ROOM, TOLERANCE, REMEMBERED = 1e-3, 0.04, 3
"""Relative: what a figure is more than the analytic evaluator finds, and what it may be more than just enough.
Placements met that a changed instance is tried with first."""
WORDS = {"max_loss": "lose", "deadline": "answer within", "deadline_p95": "answer 95 % of its requests within"}
UNITS = {"max_loss": "1", "deadline": "s", "deadline_p95": "s"}


def waiting_workshop(oracle: WaitingOracle, countdown: Countdown) -> Workshop:
    """What repairs of limits on waiting are made with: the verdict decides."""

    def knobs(compiled: Compiled, group: Group, deployed: Deployed | None) -> list[Knob]:
        waiting = group[0] in UNITS and _served(compiled, group[1])
        if group[0] == "min_accuracy" and chooses(compiled):
            return [_accuracy(compiled, group[1])]
        return [_limit(oracle, group)] if waiting else knobs_of(compiled, group, deployed)

    return Workshop(oracle, plan_for, countdown, keeps_all, knobs, TOLERANCE, remedied, REMEMBERED)


def remedied(shop: Workshop, clash: Sequence[Group], said: Sequence[str]) -> tuple[list[str], list[Repair]]:
    """A clash of limits on waiting in words, with what the best placement does; and what else repairs it."""
    assert isinstance(shop.oracle, WaitingOracle)
    seen = shop.oracle.best()
    words = [sentence(shop.compiled, group, seen) or one for group, one in zip(clash, said, strict=False)]
    return words if len(said) == len(clash) else [*said], list(remedies(shop, clash, seen))


def _served(compiled: Compiled, name: str) -> bool:
    return any(service.name == name and service.arrivals is not None for service in compiled.instance.services)


def _limit(oracle: WaitingOracle, group: Group) -> Knob:
    """A limit of a service that depends on waiting."""
    (kind, name), compiled = group, oracle.compiled
    now = float(getattr(next(s for s in compiled.instance.services if s.name == name), kind))
    unit, most = UNITS[kind], 1.0 if kind == "max_loss" else np.inf
    shown = _shown(kind, now)

    def change(value: float) -> Change:
        figure, text = as_printed(min(value, most), unit)
        words = f"allow service {name} {text}{_of(kind)} (now {shown})"
        made = with_service(compiled.instance, name, **{kind: figure})
        return Change(made, words, (Edit(f"services.{name}.{kind}", text),))

    def need(placement: Placement) -> float:
        checks = oracle.verdict(compiled, placement).checks
        found = [check for check in checks if (check.kind, check.subject) == group and check.actual is not None]
        room = 0.5 * TOLERANCE if any(check.evaluator == "simulation" for check in found) else ROOM
        return max((float(check.actual or 0.0) for check in found), default=0.0) * (1.0 + room)

    return Knob(now, change, need, most)


def _accuracy(compiled: Compiled, name: str) -> Knob:
    """The accuracy of a service whose exits are chosen, as what is missing to all answers being right."""
    now = next(s for s in compiled.instance.services if s.name == name).min_accuracy or 0.0

    def change(value: float) -> Change:
        accuracy = float(np.floor((1.0 - value) * 1e4) / 1e4)
        words = f"accept an accuracy of {accuracy:g} of service {name} (now {now:g})"
        made = with_service(compiled.instance, name, min_accuracy=accuracy)
        return Change(made, words, (Edit(f"services.{name}.min_accuracy", accuracy),))

    def need(placement: Placement) -> float:
        world = chosen(compile_instance(with_service(compiled.instance, name, min_accuracy=None)), placement)
        accuracy = [world.variants[k].accuracy for k in placement.choice if services[world.variants[k].service] == name]
        return 1.0 - float(accuracy[0]) + ROOM

    services = [service.name for service in compiled.instance.services]
    return Knob(1.0 - now, change, need, most=1.0)


def _of(kind: str) -> str:
    return {"max_loss": " of loss", "deadline_p95": " for 95 % of its requests"}.get(kind, "")


def _shown(kind: str, value: float) -> str:
    return show_fraction(value) if kind == "max_loss" else show_seconds(value)


def remedies(shop: Workshop, clash: Sequence[Group], seen: Evaluation | None) -> Iterator[Repair]:
    """Yield what else repairs a clash of limits on waiting: fewer requests, and more of what drops or delays most."""
    compiled = shop.compiled
    services = names_in(clash, compiled)
    knobs: list[tuple[Group, Knob | None]] = [(("requests", s), fewer_requests(compiled, [s])) for s in services]
    if len(services) > 1:
        knobs.append((("requests", " and ".join(services)), fewer_requests(compiled, services)))
    for station in _worst(seen):
        device = next((s.device for s in compiled.stations if s.name == station.name), None)
        if device is None:
            knobs += [(("rate", station.name), knob) for knob in faster(compiled, station.name)]
            continue
        name = compiled.device_names[device]
        knobs.append((("buffer", name), more_places(compiled, name)))
        knobs += [(("servers", name), more_servers(compiled, name)), (("cores", name), more_cores(compiled, name))]
    tried = [(what, knob) for what, knob in knobs if knob is not None]
    for position, (what, knob) in enumerate(tried):
        share = shop.countdown.part(1.0 / (len(tried) - position))
        try:
            yield Repair(what, least(shop, knob, None, share))
        except UnansweredError:
            yield Repair(what, None, decided=False)


def _worst(seen: Evaluation | None) -> list[StationTimes]:
    """The station that turns most away, or where requests wait most."""
    stations = list(seen.stations) if seen is not None else []
    if not stations:
        return []
    most = max(stations, key=lambda one: (one.unstable, one.loss_ratio > 1e-6, one.loss_ratio, one.number))
    return [most]


def sentence(compiled: Compiled, group: Group, seen: Evaluation | None) -> str | None:
    """A limit on waiting in words, with what the best placement does; None for another limit."""
    kind, name = group
    if kind == "stability":
        return f"{name} must not get more work than it can do: it has no buffer limit, and its queue would grow"
    if kind not in WAITING or not _served(compiled, name):
        return None
    service = next(one for one in compiled.instance.services if one.name == name)
    limit = float(getattr(service, kind))
    what = f"service {name} must {WORDS[kind]} {'at most ' if kind == 'max_loss' else ''}{_shown(kind, limit)}"
    if kind == "deadline":
        what = f"service {name} must answer on average within {_shown(kind, limit)}"
    times = next((one for one in seen.times if one.name == name), None) if seen is not None else None
    if times is None or kind == "deadline_p95":
        return what
    value = times.loss_ratio if kind == "max_loss" else times.response_time
    worst = _worst(seen)
    where = f"; {_at(worst[0], kind)}" if worst else ""
    best = "no placement does it alone" if np.isinf(value) else f"the best placement: {_shown(kind, value)}{where}"
    return f"{what} ({best}, by the analytic evaluator)"


def _at(station: StationTimes, kind: str) -> str:
    """What a station does to requests, by what is limited."""
    load = f"{show_fraction(station.load)} of what it can do arrives"
    if station.unstable:
        return f"{station.name} has no end of a queue: {load}"
    if station.loss_ratio > 1e-6 and kind == "max_loss":
        return f"{station.name} drops {show_fraction(station.loss_ratio)}: {load}"
    return f"requests wait at {station.name}: {load}"
