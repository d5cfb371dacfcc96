"""The methods by name: where each is, what it plans for, and which options it takes.

A new planner is a function ``(compiled, request, listener) -> Outcome`` and one entry here; the registry refuses what
the entry does not declare, so that a planner never sees an option that it would ignore.
"""

from __future__ import annotations

from dataclasses import dataclass

DETERMINISTIC = ("latency", "latency-worst", "throughput", "energy")
"""Objectives that know no waiting."""
EVERY = (*DETERMINISTIC, "loss", "accuracy")


@dataclass(frozen=True)
class Method:
    """What a method declares.

    Attributes:
        name: for ``--method``.
        function: ``module:function`` of the planner.
        title: what it is, in a few words.
        objectives: what it plans for, or reports where it is blind.
        takes: options beyond objectives, time limit and seed; names of :data:`placer.planning.request.SPELLINGS`.
        most: objectives at once at most.
        blind: the objectives are reported, none of them steers it.
        needs_arrivals: whether it has nothing to do where no service has arrivals.
    """

    name: str
    function: str
    title: str
    objectives: tuple[str, ...]
    takes: frozenset[str] = frozenset()
    most: int = 1
    blind: bool = False
    needs_arrivals: bool = False


_ILP = "placer.planning.ilp.planner:plan"
_LOSS = "placer.planning.loss.planner:"
_EXITS = "placer.planning.exits.planner:"
_BASELINES = "placer.planning.baselines:"
_SPLIT = "placer.planning.split:"

_MANY = 10
_OF_ILP = frozenset({"gap", "threads", "nodes", "keep", "max_moves", "write_model", "shortcut"})
_OF_LOSS = frozenset({"gap", "threads", "keep", "scenarios", "worst", "admission", "rounds", "confirm"})
_OF_EXITS = frozenset({"evaluations", "confirm"})

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            "auto",
            "placer.planning.auto:auto",
            "services by themselves, column generation or the ILP by size, and the loss-aware search where limits "
            "under random arrivals are broken; by objective, loss or joint-exits",
            DETERMINISTIC,
            _OF_ILP | {"confirm"},
            _MANY,
        ),
        Method(
            "decomposition",
            "placer.planning.columns.planner:plan",
            "every service by itself, stretch by stretch, and column generation where limits couple them: proven",
            DETERMINISTIC,
            frozenset({"gap", "keep", "max_moves"}),
        ),
        Method("ilp", _ILP, "the placement ILP, proven", DETERMINISTIC, _OF_ILP, _MANY),
        Method(
            "warm-start",
            _ILP,
            "the heuristic that starts the ILP, alone",
            DETERMINISTIC,
            frozenset({"keep", "max_moves", "shortcut"}),
            _MANY,
        ),
        Method(
            "loss",
            f"{_LOSS}plan_loss",
            "bounds, search and simulation for little loss",
            EVERY,
            _OF_LOSS,
            2,
            needs_arrivals=True,
        ),
        Method(
            "enumeration",
            f"{_LOSS}plan_enumeration",
            "every placement, for small instances",
            EVERY,
            frozenset({"scenarios", "worst"}),
            2,
            needs_arrivals=True,
        ),
        Method(
            "joint-exits",
            f"{_EXITS}plan_joint",
            "placement and shares of exits together, for accuracy",
            ("accuracy",),
            _OF_EXITS,
            needs_arrivals=True,
        ),
        Method(
            "sequential-exits",
            f"{_EXITS}plan_sequential",
            "one after the other, in both orders: the baseline",
            ("accuracy",),
            _OF_EXITS,
            needs_arrivals=True,
        ),
        Method("round-robin", f"{_BASELINES}round_robin", "layers dealt out in turn", EVERY, most=_MANY, blind=True),
        Method(
            "random",
            f"{_BASELINES}random_placement",
            "each layer on a random device with room",
            EVERY,
            most=_MANY,
            blind=True,
        ),
        Method(
            "greedy-memory",
            f"{_BASELINES}greedy_memory",
            "each layer where most memory is free",
            EVERY,
            most=_MANY,
            blind=True,
        ),
        Method(
            "min-latency",
            f"{_BASELINES}min_latency",
            "the latency ILP, blind to everything else",
            EVERY,
            frozenset({"gap", "threads", "nodes"}),
            _MANY,
            blind=True,
        ),
        Method(
            "min-max-utilisation",
            f"{_BASELINES}min_max_utilisation",
            "the ILP of the smallest bottleneck load: the linear proxy for loss",
            EVERY,
            frozenset({"gap", "threads", "nodes"}),
            _MANY,
            blind=True,
        ),
        Method(
            "annealing",
            f"{_BASELINES}annealing",
            "simulated annealing, analytic evaluator",
            ("loss",),
            frozenset({"evaluations"}),
            needs_arrivals=True,
        ),
        Method(
            "annealing-simulation",
            f"{_BASELINES}annealing_simulation",
            "simulated annealing, short simulations as evaluator",
            ("loss",),
            frozenset({"evaluations"}),
            needs_arrivals=True,
        ),
        Method("neurosurgeon", f"{_SPLIT}neurosurgeon", "each service by its best single split", DETERMINISTIC),
        Method(
            "dads",
            f"{_SPLIT}dads",
            "each service by its minimum cut, or bottleneck under heavy load",
            DETERMINISTIC,
        ),
    )
}
