"""The registry of planners: every method by its name, loaded when it is asked for.

A planner is a function ``(compiled, options, listener) -> Outcome``; it reads of the options what it understands.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from placer.errors import InputError
from placer.instance.compiled import Compiled
from placer.instance.reading import unknown
from placer.optimization.bridge import Listener
from placer.optimization.planner import Options, Outcome

Planner = Callable[[Compiled, Options, Listener | None], Outcome]

PLANNERS: dict[str, tuple[str, str]] = {
    "ilp": ("placer.optimization.planner:plan", "the placement ILP, proven"),
    "warm-start": ("placer.optimization.planner:plan", "the heuristic that starts the ILP, alone"),
    "neurosurgeon": ("placer.splitting.planner:neurosurgeon", "each service by its best single split"),
    "dads": ("placer.splitting.planner:dads", "each service by its minimum cut, or bottleneck under heavy load"),
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
    return planner(options.method)(compiled, options, listener)
