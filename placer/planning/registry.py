"""The registry of planners: every method by its name, loaded when it is asked for.

A planner is a function ``(compiled, options, listener) -> Outcome``; it reads of the options what it understands.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from placer.errors import InputError
from placer.instance.compiled import Compiled
from placer.instance.reading import unknown
from placer.planning.outcome import Outcome
from placer.planning.request import Options
from placer.solver.progress import Listener

Planner = Callable[[Compiled, Options, Listener | None], Outcome]

PLANNERS: dict[str, tuple[str, str]] = {
    "auto": ("placer.planning.loss.planner:auto", "the ILP, and the loss-aware search where loss is asked for"),
    "ilp": ("placer.planning.ilp.planner:plan", "the placement ILP, proven"),
    "warm-start": ("placer.planning.ilp.planner:plan", "the heuristic that starts the ILP, alone"),
    "loss": ("placer.planning.loss.planner:plan_loss", "bounds, search and simulation for little loss"),
    "enumeration": ("placer.planning.loss.planner:plan_enumeration", "every placement, for small instances"),
    "joint-exits": ("placer.planning.exits.planner:plan_joint", "placement and shares of exits together, for accuracy"),
    "sequential-exits": (
        "placer.planning.exits.planner:plan_sequential",
        "one after the other, in both orders: the baseline",
    ),
    "round-robin": ("placer.planning.baselines:round_robin", "layers dealt out in turn"),
    "random": ("placer.planning.baselines:random_placement", "each layer on a random device with room"),
    "greedy-memory": ("placer.planning.baselines:greedy_memory", "each layer where most memory is free"),
    "min-latency": ("placer.planning.baselines:min_latency", "the latency ILP, blind to loss"),
    "min-max-utilisation": (
        "placer.planning.baselines:min_max_utilisation",
        "the ILP of the smallest bottleneck load: the linear proxy for loss",
    ),
    "annealing": ("placer.planning.baselines:annealing", "simulated annealing, analytic evaluator"),
    "annealing-simulation": (
        "placer.planning.baselines:annealing_simulation",
        "simulated annealing, short simulations as evaluator",
    ),
    "neurosurgeon": ("placer.planning.split:neurosurgeon", "each service by its best single split"),
    "dads": ("placer.planning.split:dads", "each service by its minimum cut, or bottleneck under heavy load"),
}
"""Per method: where its function is, and what it is in a few words."""


def planner(name: str) -> Planner:
    """Return the planner of a method.

    Raises:
        InputError: for an unknown method.
    """
    if name not in PLANNERS:
        raise InputError(unknown("method", name, list(PLANNERS)))
    module, function = PLANNERS[name][0].split(":")
    found: Planner = getattr(import_module(module), function)
    return found


def plan(compiled: Compiled, options: Options, listener: Listener | None = None) -> Outcome:
    """Plan by the method that the options name.

    Raises:
        InputError: for an unknown method, or what the method refuses.
        InfeasibleError: when no placement satisfies the instance (proven).
        UnansweredError: when the limits ended the search before any placement was found.
    """
    objectives = options.objectives or compiled.instance.file.objective
    if options.method == "auto" and "accuracy" in objectives:
        chooses = any(service.choose_exits for service in compiled.instance.services)
        return planner("joint-exits" if chooses else "loss")(compiled, options, listener)
    return planner(options.method)(compiled, options, listener)
