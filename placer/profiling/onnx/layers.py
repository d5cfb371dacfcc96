"""The layers of a model file from the groups of a graph: work, weights, memory, what they hand on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from placer.profiling.model_file import Assumption, show_exact
from placer.profiling.naming import is_telling, layer_names
from placer.profiling.onnx.grouping import Group
from placer.profiling.onnx.macs import count
from placer.profiling.onnx.operators import Dag, Operator

_WEIGHT_ENDING = re.compile(r"[._/](?:w|W|weight|weights|kernel|scale|gamma|s)(?:_\d+)?$")


@dataclass(frozen=True)
class Work:
    """The work of a whole model.

    Attributes:
        macs: multiply-accumulates.
        assumptions: operators in it that nothing knows how to count.
    """

    macs: int
    assumptions: tuple[Assumption, ...]


def layers_of(dag: Dag, groups: list[Group]) -> tuple[list[dict[str, Any]], Work]:
    """Return the layers as a model file has them, and their work together."""
    names = _names(groups)
    maker = {tensor: name for name, made in zip(names, groups, strict=True) for tensor in made.last.writes}
    read = {tensor for operator in dag.operators for tensor in operator.reads} | dag.outputs
    seen: set[str] = set()
    layers, assumptions, total = [], [], 0
    for name, members, live in zip(names, groups, live_bytes(dag, groups), strict=True):
        sources = list(dict.fromkeys(maker.get(tensor, "input") for tensor in members.head.reads))
        macs, unknown = 0, False
        for operator in members.members:
            if operator.writes[0] in members.folded_away:
                continue
            work = count(operator, dag)
            macs += work.macs
            if work.estimated:
                assumptions.append(Assumption(operator.name, operator.type, work.macs))
                unknown = True
        total += macs
        constants = [constant for operator in members.members for constant in operator.constants]
        stored = {leaf for constant in constants for leaf in dag.folded.stored[constant]}
        weights = sum(dag.folded.sizes[leaf] for leaf in stored - seen)
        seen |= stored
        made = [tensor for tensor in members.last.writes if tensor in dag.folded.tensors]
        layer = {
            "name": name,
            "kind": members.head.kind,
            "inputs": sources or ["input"],
            "compute": show_exact(macs, "MAC"),
            "weights": show_exact(weights, "B"),
            "activations": show_exact(live, "B"),
            "output": show_exact(_bytes(dag, [tensor for tensor in made if tensor in read]), "B"),
        }
        if unknown:
            layer["assumed"] = ["compute"]
        layers.append(layer)
    return layers, Work(total, tuple(assumptions))


def live_bytes(dag: Dag, groups: list[Group]) -> list[int]:
    """Return, for each layer, the bytes of the tensors that are in memory while it runs.

    Those are what it reads and what it makes, and what earlier layers made for later ones. The input is there from
    the start until the last layer that reads it has run; results of the model stay to the end. What lies between the
    operators of one layer is not counted: runtimes work there in place.
    """
    from placer.instance.lifetimes import lifetimes_of, live

    made = [[name for name in members.last.writes if name in dag.folded.tensors] for members in groups]
    read = [members.head.reads for members in groups]
    there = {name for names in made for name in names} | set(dag.inputs)
    sizes = {name: dag.tensor(name).size for name in there}
    kept = [name for name in dag.outputs if name in there]
    lifetimes = lifetimes_of(made, read, sizes, kept=kept, given=dag.inputs)
    return [round(size) for size in live(lifetimes.values(), len(groups))]


def _bytes(dag: Dag, tensors: Iterable[str]) -> int:
    return sum(dag.tensor(tensor).size for tensor in dict.fromkeys(tensors))


def _names(groups: list[Group]) -> list[str]:
    numbers: Counter[str] = Counter()
    raw = []
    for members in groups:
        text = _telling_name(members.head)
        if text is None:
            numbers[members.head.type] += 1
            text = f"{members.head.type.lower()}{numbers[members.head.type]}"
        raw.append(text)
    return layer_names(raw)


def _telling_name(head: Operator) -> str | None:
    """Return the operator's name; if that is a mere number, its weights' or its output's name, or None."""
    weights = [_WEIGHT_ENDING.sub("", name) for name in head.operands[1:2] if name in head.constants]
    return next((name for name in (head.name, *weights, *head.writes[:1]) if is_telling(name)), None)
