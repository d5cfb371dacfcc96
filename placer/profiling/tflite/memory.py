"""Memory of a TensorFlow Lite graph on a microcontroller: what is live at each step, and the arena for it."""

from __future__ import annotations

from dataclasses import dataclass

from placer.instance.lifetimes import Lifetime, arena, lifetimes_of, live
from placer.profiling.tflite.reading import Graph

ALIGNMENT = 16
"""Bytes; of tensors in the arena of TensorFlow Lite Micro (MicroArenaBufferAlignment)."""


@dataclass(frozen=True)
class Memory:
    """Bytes of the tensors that are computed.

    Attributes:
        live: for each operator what is in memory while it runs, variables included.
        arena: the block that holds all but the variables.
        peak: the most that is live at once of what is in the arena, in steps of the alignment: its lower bound.
        state: variables, which keep their value from run to run and lie outside of the arena's plan.
    """

    live: tuple[int, ...]
    arena: int
    peak: int
    state: int


def memory_of(graph: Graph) -> Memory:
    """Return the memory that a graph takes, operator by operator in the order of the file.

    As the memory planner has it: an input is there from the first operator, a result to the last, everything else from
    the operator that makes it to the last one that reads it. A resource variable is as large as what is read from it.
    """
    tensors = graph.tensors
    # an input that nobody reads is there all the same; what is stored lies in flash
    planned = {number for number, tensor in enumerate(tensors) if not tensor.stored and not tensor.variable}
    steps = len(graph.operators)
    given = [number for number in dict.fromkeys(graph.inputs) if number in planned]
    made: list[list[int]] = []
    there = set(given)
    for operator in graph.operators:
        made.append([number for number in dict.fromkeys(operator.outputs) if number in planned - there])
        there.update(made[-1])
    read = [[number for number in operator.inputs if number in there] for operator in graph.operators]
    kept = [number for number in graph.outputs if number in there]
    sizes = {number: tensors[number].size for number in there}
    found = lifetimes_of(made, read, sizes, kept=kept, given=given)
    lifetimes = [found[number] for number in sorted(there)]  # the planner has them by number
    rounded = [Lifetime(one.first, one.last, -(-one.size // ALIGNMENT) * ALIGNMENT) for one in lifetimes]
    state = sum(tensor.size for tensor in tensors if tensor.variable) + _resources(graph)
    return Memory(
        live=tuple(round(size) + state for size in live(lifetimes, steps)),
        arena=round(arena(rounded, ALIGNMENT).size),
        peak=round(max(live(rounded, steps))),
        state=state,
    )


def _resources(graph: Graph) -> int:
    """Bytes behind the handles: of each the largest tensor that is read from or written to it."""
    sizes: dict[int, int] = {}
    for operator in graph.operators:
        if operator.type == "READ_VARIABLE" and operator.inputs and operator.outputs:
            handle, value = operator.inputs[0], operator.outputs[0]
        elif operator.type == "ASSIGN_VARIABLE" and len(operator.inputs) > 1:
            handle, value = operator.inputs[:2]
        else:
            continue
        if value >= 0:
            sizes[handle] = max(sizes.get(handle, 0), graph.tensors[value].size)
    return sum(sizes.values())
