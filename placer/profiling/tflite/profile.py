"""Turn a TensorFlow Lite file into a model file of placer: layers, work, bytes; its flash and its arena.

One layer an operator, as the interpreter runs them; activations are fused in the file already. An operator on stored
tensors alone is no layer, and neither is the traffic with variables: reading one belongs to the operators that read it,
writing one to the operator whose result is written.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from placer.errors import InputError, Problem
from placer.profiling.model_file import Assumption, Heading, assemble, made_by, say_assumptions, show_exact
from placer.profiling.naming import is_telling, layer_names
from placer.profiling.tflite.macs import count
from placer.profiling.tflite.memory import Memory, memory_of
from placer.profiling.tflite.reading import Graph, Operator, read_graph

_KINDS = {
    "conv": {"CONV_2D", "TRANSPOSE_CONV", "CONV_3D", "CONV_3D_TRANSPOSE"},
    "depthwise": {"DEPTHWISE_CONV_2D"},
    "fc": {"FULLY_CONNECTED"},
    "attention": {"BATCH_MATMUL"},
    "pool": {"AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"},
    "norm": {"L2_NORMALIZATION", "LOCAL_RESPONSE_NORMALIZATION"},
    "activation": {
        "LOGISTIC", "RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "TANH", "PRELU", "LEAKY_RELU", "ELU", "HARD_SWISH",
        "GELU",
    },
    "add": {"ADD", "ADD_N"},
    "concat": {"CONCATENATION", "PACK"},
    "reshape": {"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "DEPTH_TO_SPACE", "SPACE_TO_DEPTH"},
    "softmax": {"SOFTMAX", "LOG_SOFTMAX"},
    "recurrent": {
        "LSTM", "RNN", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN",
        "BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN",
    },
}  # fmt: skip
_KIND_OF = {operator: kind for kind, operators in _KINDS.items() for operator in operators}
_VARIABLES = {"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"}
_CHOICES = {"IF", "WHILE", "STABLEHLO_WHILE"}


@dataclass
class _Layer:
    """A layer in the making.

    Attributes:
        step: number of its operator.
        operator: the operator.
        sources: tensors that it reads and that other layers make or that are given.
        stored: buffers that it reads weights from.
    """

    step: int
    operator: Operator
    sources: list[int]
    stored: set[int]


def profile(path: Path, *, heading: Heading | None = None) -> dict[str, Any]:
    """Return the mapping of a model file (``placer/model/1``) for the TensorFlow Lite file at ``path``.

    Args:
        path: the file.
        heading: what the model is called.

    Raises:
        InputError: when the file is broken or chooses at run time what it runs.
        MissingExtraError: when the package tflite is not installed.
    """
    graph = read_graph(path)
    layers = _layers(graph, path)
    memory = memory_of(graph)
    entries, assumptions, total = _entries(graph, layers, memory)
    source = _source(path, graph, memory) + " " + say_assumptions(assumptions, total)
    fed = sum(graph.tensors[number].size for number in dict.fromkeys(graph.inputs) if number >= 0)
    return assemble(path, heading or Heading(), source.strip(), fed, entries)


def _layers(graph: Graph, path: Path) -> list[_Layer]:
    """Tell operators that depend on the input from those on stored tensors and variables.

    Raises:
        InputError: when what runs is chosen at run time, or a tensor is read before it is made.
    """
    leaves: dict[int, frozenset[int]] = {
        number: frozenset([tensor.buffer] if tensor.stored else [])
        for number, tensor in enumerate(graph.tensors)
        if tensor.stored or not tensor.elements
    }
    given = set(graph.inputs)
    state = {number for number, tensor in enumerate(graph.tensors) if tensor.variable}
    made: set[int] = set()
    layers = []
    for step, operator in enumerate(graph.operators):
        place = f"$.subgraphs[0].operators[{step}]"
        if operator.type in _CHOICES:
            text = f"{operator.type} runs a graph that is chosen at run time, so there is no fixed graph to profile"
            raise InputError([Problem(text, place, str(path))])
        reads = [number for number in operator.inputs if number >= 0]
        if operator.type in _VARIABLES:
            state.update(operator.outputs)
            continue
        unknown = next((number for number in reads if number not in {*leaves, *given, *state, *made}), None)
        if unknown is not None:
            text = f"{operator.kind} reads tensor {unknown}, which no operator before it makes"
            raise InputError([Problem(text, place, str(path))])
        if not any(number >= 0 for number in operator.outputs):
            raise InputError([Problem(f"{operator.kind} makes nothing", place, str(path))])
        if reads and all(number in leaves and number not in given for number in reads):
            leaves |= dict.fromkeys(operator.outputs, frozenset().union(*(leaves[number] for number in reads)))
            continue
        sources = [number for number in dict.fromkeys(reads) if number in given or number in made]
        stored = {leaf for number in reads if number not in given for leaf in leaves.get(number, ())}
        made.update(operator.outputs)
        layers.append(_Layer(step, operator, sources, stored))
    if not layers:
        raise InputError([Problem("computes nothing: its results are stored", file=str(path))])
    return layers


def _entries(graph: Graph, layers: list[_Layer], memory: Memory) -> tuple[list[dict[str, Any]], list[Assumption], int]:
    names = layer_names(_names(graph, layers))
    maker = {number: name for name, layer in zip(names, layers, strict=True) for number in layer.operator.outputs}
    read = {number for layer in layers for number in layer.sources} | set(graph.outputs)
    seen: set[int] = set()
    size = {tensor.buffer: tensor.stored for tensor in graph.tensors}
    entries, assumptions, total = [], [], 0
    for name, layer in zip(names, layers, strict=True):
        macs, assumed = _work(graph, layer.operator)
        total += macs
        if assumed:
            assumptions.append(Assumption(name, layer.operator.kind, macs))
        weights = sum(size[buffer] for buffer in layer.stored - seen)
        seen |= layer.stored
        output = _bytes(graph, (number for number in layer.operator.outputs if number in read))
        sources = list(dict.fromkeys(maker.get(number, "input") for number in layer.sources))
        entry: dict[str, Any] = {
            "name": name,
            "kind": _KIND_OF.get(layer.operator.type, "other"),
            "inputs": sources or ["input"],
            "compute": show_exact(macs, "MAC"),
            "weights": show_exact(weights, "B"),
            "activations": show_exact(memory.live[layer.step], "B"),
            "output": show_exact(output, "B"),
        }
        if assumed:
            entry["assumed"] = ["compute"]
        entries.append(entry)
    return entries, assumptions, total


def _work(graph: Graph, operator: Operator) -> tuple[int, bool]:
    """Return multiply-accumulates, and whether they are assumed: one for each element read or made."""
    try:
        macs = count(operator, graph.tensors)
    except ValueError as error:
        raise InputError(f"operator {operator.kind}: {error}") from error
    if macs is not None:
        return macs, False
    ends = [
        sum(graph.tensors[number].elements for number in dict.fromkeys(numbers) if number >= 0)
        for numbers in (operator.inputs, operator.outputs)
    ]
    return max(*ends, 1), True


def _bytes(graph: Graph, numbers: Iterable[int]) -> int:
    return sum(graph.tensors[number].size for number in dict.fromkeys(numbers) if number >= 0)


def _names(graph: Graph, layers: list[_Layer]) -> list[str]:
    names = []
    for layer in layers:
        # converters join the names of all that they fused into one operator; the last is the result's
        made = graph.tensors[next(number for number in layer.operator.outputs if number >= 0)].name
        name = made.rstrip(";").split(";")[0]
        names.append(name if name and is_telling(name) else layer.operator.kind.lower())
    return names


def _source(path: Path, graph: Graph, memory: Memory) -> str:
    shapes = ", ".join(
        f"{tensor.name} {'x'.join(map(str, tensor.shape)) or 'scalar'}"
        for tensor in (graph.tensors[number] for number in dict.fromkeys(graph.inputs) if number >= 0)
    )
    tools = f"tflite {importlib.metadata.version('tflite')}"
    text = (
        f"{made_by(path, tools, graph.content)}, schema {graph.version}, input {shapes}. Flash: the file, "
        f"{show_exact(len(graph.content), 'B')}. Arena: {show_exact(memory.arena, 'B')} for tensors, laid greedily by "
        f"size as TensorFlow Lite Micro does (16-byte steps), no less than {show_exact(memory.peak, 'B')}, the most "
        "that is live at once; what an interpreter needs for itself comes on top. Compute = multiply-accumulates, "
        "counted as placer/profiling/tflite/macs.py says. Weights = bytes stored in the file, a shared buffer at its "
        "first user; activations = bytes of all tensors that are live while a layer runs."
    )
    if memory.state:
        text += (
            f" The model keeps {show_exact(memory.state, 'B')} in variables from run to run, counted in every layer: "
            "layers that share a variable belong on one device."
        )
    return text
