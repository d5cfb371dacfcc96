"""Control flow that is no choice: an If whose condition is constant, a Loop or Scan whose laps are known.

Each is replaced by what runs: the branch, or the body once a lap, with names of its own for what a lap makes. What a
body stores (initialisers, constants) is stored once, however many laps there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

CONTROL_FLOW = {"If", "Loop", "Scan", "SequenceMap"}
OWN_DOMAIN = "placer"
"""Domain of operators that stand only in unrolled graphs."""

_LAST = 2**63 - 1


class RunTimeChoiceError(ValueError):
    """What runs is known only at run time; the message says which operand leaves it open."""


@dataclass
class Body:
    """Operators that take the place of a control flow operator.

    Attributes:
        nodes: in order.
        weights: stored tensors of the body, under their new names.
        size: operators that were copied, those in the graphs of their attributes included.
        recorded: what the body records of the types of its tensors, under their new names.
        constants: int64 or bool values that the laps need (the number of the lap), by name.
    """

    nodes: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)
    size: int = 0
    recorded: list[Any] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Laps:
    """A Loop whose next lap is due; stands among the operators until the condition of that lap is known.

    Attributes:
        node: the Loop.
        lap: number of the lap, from 0.
        limit: laps at most.
        condition: tensor that must be true for this lap; '' where nothing is asked.
        carried: tensors handed from lap to lap.
        scanned: for each output that collects one slice a lap, the slices so far.
    """

    node: Any
    lap: int
    limit: int
    condition: str
    carried: tuple[str, ...]
    scanned: tuple[tuple[str, ...], ...]


def attribute(node: Any, name: str) -> Any:
    """Return the attribute of that name, or None."""
    return next((one for one in node.attribute if one.name == name), None)


def name_of(node: Any) -> str:
    """Return the operator's name, or that of its first output."""
    return str(node.name or next((name for name in node.output if name), node.op_type))


def choose(onnx: Any, node: Any, values: Mapping[str, Any]) -> Body:
    """Return what an If runs.

    Raises:
        RunTimeChoiceError: when its condition is not constant.
    """
    condition = values.get(node.input[0])
    if condition is None or condition.size != 1:
        raise RunTimeChoiceError(f"its condition '{node.input[0]}' depends on the data")
    graph = attribute(node, "then_branch" if bool(condition.reshape(-1)[0]) else "else_branch").g
    body, names = _placed(graph, {}, name_of(node), name_of(node))
    for placed, original in zip(body.nodes, graph.node, strict=True):
        placed.name = original.name  # it runs once at most, and its name says enough
    body.nodes += [_identity(onnx, names.get(end.name, end.name), name) for end, name in _ends(graph, node.output)]
    return body


def first_lap(node: Any, values: Mapping[str, Any]) -> Laps:
    """Return the start of a Loop.

    Raises:
        RunTimeChoiceError: when the number of laps is not constant.
    """
    limit, condition = (node.input[position] if len(node.input) > position else "" for position in (0, 1))
    laps = _LAST
    if limit:
        if limit not in values or values[limit].size != 1 or values[limit].dtype.kind not in "iu":
            raise RunTimeChoiceError(f"its number of laps '{limit}' depends on the data")
        laps = max(int(values[limit].reshape(-1)[0]), 0)
    body = attribute(node, "body").g
    carried = tuple(node.input[2:])
    return Laps(node, 0, laps, condition, carried, ((),) * (len(body.output) - 1 - len(carried)))


def next_lap(onnx: Any, laps: Laps, values: Mapping[str, Any]) -> tuple[Body, Laps | None]:
    """Return the operators of the lap that is due and what comes after it; of the end where none is due.

    Raises:
        RunTimeChoiceError: when nobody knows whether it is due.
    """
    import numpy as np

    due = laps.lap < laps.limit
    if due and laps.condition:
        if laps.condition not in values:
            raise RunTimeChoiceError(f"its condition '{laps.condition}' depends on the data")
        due = bool(values[laps.condition].reshape(-1)[0])
    if not due:
        return _loop_end(onnx, laps), None
    graph, loop = attribute(laps.node, "body").g, name_of(laps.node)
    number, told = f"{loop}/lap{laps.lap}", f"{loop}/goes-on"
    given = dict(
        zip((value.name for value in graph.input), (number, laps.condition or told, *laps.carried), strict=False)
    )
    body, names = _placed(graph, given, loop, number, first=not laps.lap)
    body.constants = {number: np.array(laps.lap, dtype=np.int64), told: np.array(True)}
    ends = [names.get(value.name, value.name) for value in graph.output]
    split = 1 + len(laps.carried)
    # a Loop of a number of laps heeds its body's condition in every runtime, though the definition says otherwise
    scanned = tuple((*before, new) for before, new in zip(laps.scanned, ends[split:], strict=True))
    return body, Laps(laps.node, laps.lap + 1, laps.limit, ends[0], tuple(ends[1:split]), scanned)


def _loop_end(onnx: Any, laps: Laps) -> Body:
    body = Body()
    outputs = list(laps.node.output)
    for inner, outer in zip(laps.carried, outputs, strict=False):
        if outer:
            body.nodes.append(_identity(onnx, inner, outer))
    for slices, outer in zip(laps.scanned, outputs[len(laps.carried) :], strict=False):
        if outer and not slices:
            raise RunTimeChoiceError(f"it makes no lap, so that '{outer}' has no shape")
        if outer:
            body.nodes.append(stack(onnx, slices, outer, 0))
    return body


def scan(onnx: Any, node: Any, tensors: Mapping[str, Any], most: int) -> Body:
    """Return what a Scan runs: its body once for each slice, at most ``most`` operators.

    Raises:
        RunTimeChoiceError: when the length of what it goes through is not known, or it is of operator set 8.
    """
    graph = attribute(node, "body").g
    count = int(attribute(node, "num_scan_inputs").i)
    states = len(node.input) - count
    through, results = list(node.input[states:]), len(graph.output) - states
    if states < 0 or results < 0 or len(graph.input) != len(node.input):
        raise RunTimeChoiceError("its operands do not fit its body, as in operator set 8")
    axes, back = _list(node, "scan_input_axes", count), _list(node, "scan_input_directions", count)
    ends_axes, ends_back = _list(node, "scan_output_axes", results), _list(node, "scan_output_directions", results)
    shapes = [tensors[name].shape if name in tensors else () for name in through]
    if not shapes or any(not -len(shape) <= axis < len(shape) for axis, shape in zip(axes, shapes, strict=True)):
        raise RunTimeChoiceError("the length of what it goes through is not known")
    laps = shapes[0][axes[0]]
    body, carried, collected = Body(), list(node.input[:states]), [list[str]() for _ in range(results)]
    for lap in range(laps):
        place = f"{name_of(node)}/lap{lap}"
        slices = []
        for position, name in enumerate(through):
            slices.append(f"{place}/slice{position}")
            at = laps - 1 - lap if back[position] else lap
            body.nodes.append(part(onnx, name, slices[-1], axes[position], at, 1, True))
        given = dict(zip((value.name for value in graph.input), (*carried, *slices), strict=True))
        once, names = _placed(graph, given, name_of(node), place, first=not lap)
        body.nodes += once.nodes
        body.recorded += once.recorded
        body.weights += once.weights
        body.size += once.size
        if max(body.size, laps) > most:
            raise RunTimeChoiceError(f"it has more than {most} operators in all its laps")
        ends = [names.get(value.name, value.name) for value in graph.output]
        carried = ends[:states]
        for result, end in zip(collected, ends[states:], strict=True):
            result.append(end)
    for inner, outer in zip(carried, node.output, strict=False):
        if outer:
            body.nodes.append(_identity(onnx, inner, outer))
    for position, outer in enumerate(node.output[states:]):
        if outer and not collected[position]:
            raise RunTimeChoiceError(f"it goes through nothing, so that '{outer}' has no shape")
        if outer:
            ordered = collected[position][::-1] if ends_back[position] else collected[position]
            body.nodes.append(stack(onnx, tuple(ordered), outer, ends_axes[position]))
    return body


def _list(node: Any, name: str, count: int) -> list[int]:
    given = attribute(node, name)
    values = list(given.ints) if given is not None else []
    return [*values, *[0] * count][:count]


def _ends(graph: Any, outputs: Iterable[str]) -> list[tuple[Any, str]]:
    return [(end, name) for end, name in zip(graph.output, outputs, strict=False) if name]


def _identity(onnx: Any, source: str, target: str) -> Any:
    return onnx.helper.make_node("Identity", [source], [target])


def stack(onnx: Any, slices: Iterable[str], target: str, axis: int) -> Any:
    """Return the operator that puts tensors behind each other along a new axis; ONNX has none."""
    return onnx.helper.make_node("Stack", list(slices), [target], domain=OWN_DOMAIN, axis=axis)


def part(onnx: Any, source: str, target: str, axis: int, start: int, size: int, drop: bool) -> Any:
    """Return the operator that takes ``size`` places along an axis, or one place and ``drop`` the axis."""
    figures = {"axis": axis, "start": start, "size": size, "drop": int(drop)}
    return onnx.helper.make_node("Part", [source], [target], domain=OWN_DOMAIN, **figures)


def _placed(
    graph: Any, given: Mapping[str, str], store: str, place: str, *, first: bool = True
) -> tuple[Body, dict[str, str]]:
    """Copy a graph under new names: ``store`` before what it stores, ``place`` before what it makes.

    What it stores is copied the ``first`` time only.
    """
    names, body = dict(given), Body()
    for tensor in graph.initializer:
        names[tensor.name] = f"{store}/{tensor.name}"
        if not first:
            continue
        copy = type(tensor)()
        copy.CopyFrom(tensor)
        copy.name = names[tensor.name]
        body.weights.append(copy)
    for node in graph.node:
        under = store if node.op_type == "Constant" else place
        for name in filter(None, node.output):
            names[name] = f"{under}/{name}"
    for node in graph.node:
        if node.op_type == "Constant" and not first:
            continue
        copy = type(node)()
        copy.CopyFrom(node)
        if node.name:
            copy.name = f"{place}/{node.name}"
        body.size += _rename(copy, names)
        body.nodes.append(copy)
    for value in [*graph.value_info, *graph.output]:
        if value.name in names:
            copy = type(value)()
            copy.CopyFrom(value)
            copy.name = names[value.name]
            body.recorded.append(copy)
    return body, names


def _rename(node: Any, names: Mapping[str, str]) -> int:
    """Rename what an operator reads and makes, in the graphs of its attributes too; return how many operators it is."""
    size = 1
    for ends in (node.input, node.output):
        ends[:] = [names.get(name, name) for name in ends]
    for held in node.attribute:
        for graph in [held.g] if held.HasField("g") else held.graphs:
            own = {value.name for group in (graph.input, graph.initializer) for value in group}
            own |= {name for inner in graph.node for name in inner.output}
            outer = {name: new for name, new in names.items() if name not in own}
            size += sum(_rename(inner, outer) for inner in graph.node)
            for end in graph.output:
                end.name = outer.get(end.name, end.name)
    return size
