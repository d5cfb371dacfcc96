"""From a request to an outcome: the one place that refuses what a method or an instance cannot give.

A planner is a function ``(compiled, request, listener) -> Outcome``. It is loaded when its method is asked for, and
gets a request whose objectives are filled in and whose request it declared.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

from placer.errors import InfeasibleError, InputError
from placer.evaluation.objectives import OBJECTIVES, refusal
from placer.instance.compiled import Compiled
from placer.instance.reading import unknown
from placer.planning.methods import METHODS, Method
from placer.planning.outcome import Outcome
from placer.planning.request import SPELLINGS, Request
from placer.solver.progress import Listener

Planner = Callable[[Compiled, Request, Listener | None], Outcome]


def planner(name: str) -> Planner:
    """Return the planner of a method.

    Raises:
        InputError: for an unknown method.
    """
    module, function = method_of(name).function.split(":")
    found: Planner = getattr(import_module(module), function)
    return found


def method_of(name: str) -> Method:
    """Return what a method declares.

    Raises:
        InputError: for an unknown method.
    """
    if name not in METHODS:
        raise InputError(unknown("method", name, list(METHODS)))
    return METHODS[name]


def plan(compiled: Compiled, request: Request | None = None, listener: Listener | None = None) -> Outcome:
    """Plan by the method that the request names; the outcome carries the evaluation that ``placer check`` makes.

    Tensors take the ways of least time, or of least energy where that is the first objective.

    Raises:
        InputError: for what the instance, the method or the planner refuses.
        InfeasibleError: when no placement satisfies the instance (proven).
        UnansweredError: when the limits ended the search before any placement was found.
    """
    request = resolve(compiled, request or Request())
    make = planner(request.method)
    if request.objectives[0] != "energy":
        return make(compiled, request, listener)
    begin = time.monotonic()
    try:
        return make(compiled.by_energy(), request, listener)
    except InfeasibleError:
        # the ways of least energy may be too slow for a deadline, or crowd where those of least time do not
        if not compiled.topology.has_choice:
            raise
        left = max(request.limits.seconds - (time.monotonic() - begin), 0.1)
        return make(compiled, replace(request, limits=replace(request.limits, seconds=left)), listener)


def resolve(compiled: Compiled, request: Request) -> Request:
    """Return the request with its objectives filled in and ``auto`` decided as far as that needs no planning.

    Raises:
        InputError: for unknown, repeated or impossible objectives, and for request that the method does not take.
    """
    objectives = request.objectives or tuple(compiled.instance.file.objective)
    for name in objectives:
        if name not in OBJECTIVES:
            raise InputError(unknown("objective", name, list(OBJECTIVES)))
        if objectives.count(name) > 1:
            raise InputError(f"objective '{name}' is given twice", tip="objectives are taken in order; name each once")
    _check_company(request)
    asked = method_of(request.method)
    request = replace(request, objectives=objectives)
    if asked.name == "auto":
        request = replace(request, method=_by_objective(compiled, request))
    chosen = METHODS[request.method]
    called = f"method {chosen.name}" + ("" if chosen is asked else " (chosen by auto)")
    _check_objectives(compiled, objectives, chosen, called)
    refused = sorted(SPELLINGS[name] for name in request.asked - chosen.takes)
    if refused:
        raise InputError(f"{called} takes no {' and no '.join(refused)}", tip=_who_takes(request))
    return request


def _check_company(request: Request) -> None:
    """Request that mean nothing alone."""
    if request.max_moves is not None and request.keep is None:
        raise InputError("--max-moves needs --keep")
    if request.worst and not request.scenarios:
        raise InputError("--robust worst needs --scenarios")


def _by_objective(compiled: Compiled, request: Request) -> str:
    """What ``auto`` stands for; it stays itself where only the ILP's answer tells whether loss has to be looked at."""
    if "accuracy" in request.objectives:
        chooses = any(service.choose_exits for service in compiled.instance.services)
        return "joint-exits" if chooses and request.objectives == ("accuracy",) else "loss"
    of_loss = METHODS["loss"].takes - METHODS["auto"].takes
    return "loss" if "loss" in request.objectives or request.asked & of_loss else "auto"


def _check_objectives(compiled: Compiled, objectives: tuple[str, ...], method: Method, called: str) -> None:
    if len(objectives) > method.most:
        most = "one objective" if method.most == 1 else f"{method.most} objectives at most"
        raise InputError(f"{called} takes {most}, not {', '.join(objectives)}")
    for name in objectives:
        if name not in method.objectives:
            able = ", ".join(other.name for other in METHODS.values() if name in other.objectives and not other.blind)
            allowed = ", ".join(method.objectives)
            raise InputError(
                f"{called} does not plan for {name} (it plans for: {allowed})", tip=f"{name} is planned for by: {able}"
            )
        reason = refusal(compiled, name)
        if reason is not None:
            raise InputError(reason)
    if method.needs_arrivals and all(service.arrivals is None for service in compiled.instance.services):
        raise InputError(
            f"{called} plans under random arrivals, and no service has any", tip="give services 'arrivals'"
        )


def _who_takes(request: Request) -> str:
    able = [
        method.name
        for method in METHODS.values()
        if request.asked <= method.takes and set(request.objectives) <= set(method.objectives)
    ]
    if able:
        return f"{', '.join(able)} would take all that is asked"
    return "no method takes all that is asked"
