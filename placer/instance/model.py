"""The DNN model: a DAG of layers with exits, and alternatives to choose from."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from placer.instance.fields import Facts, Label, LayerName, Reference, Scv, Text
from placer.instance.reading import Strict
from placer.instance.units import Bytes, Fraction, Joules, Macs, Seconds

MODEL_FORMAT = "placer/model/1"
MODEL_INPUT = "input"
"""The name by which a layer reads the input tensor of the model."""

LayerKind = Literal[
    "conv",
    "depthwise",
    "fc",
    "pool",
    "norm",
    "activation",
    "add",
    "concat",
    "reshape",
    "softmax",
    "attention",
    "recurrent",
    "exit",
    "block",
    "other",
]


def _kind_of_scv(value: Any) -> str:
    return "by_type" if isinstance(value, dict) else "everywhere"


ScvByType = Annotated[
    Annotated[Scv, Tag("everywhere")] | Annotated[dict[str, Scv], Tag("by_type")],
    Discriminator(_kind_of_scv),
]


class Layer(Facts):
    """One layer: what it computes, what it needs, what it hands on."""

    name: LayerName
    """Unique in the model."""
    kind: LayerKind = "other"
    """Family of the layer, for regressions and reports."""
    inputs: tuple[LayerName, ...] | None = None
    """Layers (or ``input``) whose tensors it reads; the layer listed before it when left out."""
    compute: Macs | None = None
    """Multiply-accumulate operations of one inference."""
    times: dict[str, Seconds] = Field(default_factory=dict)
    """Measured seconds of one inference by device type, or by ``type/unit``."""
    energy: dict[str, Joules] = Field(default_factory=dict)
    """Measured joules of one inference above what the device draws idle, by device type, or by ``type/unit``; where
    left out they follow from the time and the power of the device."""
    weights: Bytes = 0.0
    """Bytes of parameters."""
    activations: Bytes = 0.0
    """Bytes of working memory while the layer runs: tensors that are alive (what it reads and makes, and what later
    layers wait for) and whatever else it needs. A model with ``activations: lifetimes`` leaves it out."""
    output: Bytes
    """Bytes of the tensor that it hands to each layer that reads it."""
    scv: ScvByType = 0.0
    """Squared coefficient of variation of its service time, 0 for a constant one; by device type (or ``type/unit``)
    where that differs, and then that of the compute unit on others."""


class Exit(Facts):
    """An early exit: the share of all jobs that leave after a gate layer."""

    after: LayerName
    """The gate: a layer through which every path from input to output goes."""
    share: Fraction
    """Fraction of all jobs that leave here (not of those that get here)."""
    accuracy: Fraction | None = None
    """Accuracy on the jobs that leave here."""


class Graph(Facts):
    """A DAG of layers, listed in the order in which one device would run them."""

    layers: tuple[Layer, ...] = Field(min_length=1, max_length=5000)
    """Layers in topological order."""
    exits: tuple[Exit, ...] = Field(default=(), max_length=200)
    """Early exits, in the order of the layers."""
    input: Bytes
    """Bytes of the input tensor."""
    accuracy: Fraction | None = None
    """Accuracy on the jobs that run to the end."""
    accuracy_source: Text | None = None
    """Where the accuracy comes from."""
    activations: Literal["lifetimes"] | None = None
    """``lifetimes`` computes the working memory of every layer from the outputs and who reads them, when one device
    runs the layers in their order; left out, the layers state theirs."""
    runtime: Reference | None = None
    """The inference runtime that serves it: a shipped one, or a file beside the instance. Without one that of the
    device does; a service may name another."""
    runtime_memory: Bytes | None = None
    """Bytes resident on each device that runs a part of it, whatever the part, where no ``runtime`` says so."""

    @model_validator(mode="after")
    def _graph_is_sound(self) -> Graph:
        names = [layer.name for layer in self.layers]
        seen: set[str] = set()
        for name in names:
            if name in seen or name == MODEL_INPUT:
                raise ValueError(f"layer name '{name}' is used twice or reserved")
            seen.add(name)
        predecessors = self.predecessors()
        check_exits(self, predecessors)
        stated = [layer.name for layer in self.layers if "activations" in layer.model_fields_set]
        if self.activations is not None and stated:
            raise ValueError(f"layer '{stated[0]}' states its activations, which 'activations: lifetimes' computes")
        if self.runtime is not None and self.runtime_memory is not None:
            raise ValueError("'runtime' and 'runtime_memory' say the same thing; give one of the two")
        return self

    def predecessors(self) -> list[list[int]]:
        """Return, per layer, the indices of the layers that it reads; -1 stands for the model's input.

        Raises:
            ValueError: when a layer reads something unknown, itself, or a layer listed after it.
        """
        index = {layer.name: position for position, layer in enumerate(self.layers)}
        result = []
        for position, layer in enumerate(self.layers):
            if layer.inputs is None:
                result.append([position - 1])
                continue
            sources: list[int] = []
            for name in dict.fromkeys(layer.inputs):
                source = -1 if name == MODEL_INPUT else index.get(name)
                if source is None:
                    raise ValueError(f"layer '{layer.name}' reads '{name}', which is no layer of the model")
                if source >= position:
                    raise ValueError(
                        f"layer '{layer.name}' reads '{name}', which is not listed before it: layers must be "
                        "in topological order, without cycles"
                    )
                sources.append(source)
            if not sources:
                raise ValueError(f"layer '{layer.name}' has an empty list of inputs")
            result.append(sources)
        return result


def check_exits(graph: Graph, predecessors: list[list[int]]) -> None:
    """Raise ValueError unless every exit is a gate on every path and the shares sum to at most 1."""
    index = {layer.name: position for position, layer in enumerate(graph.layers)}
    gates = set(gate_layers(predecessors))
    total, last = 0.0, -1
    for exit_ in graph.exits:
        position = index.get(exit_.after)
        if position is None:
            raise ValueError(f"an exit is after '{exit_.after}', which is no layer of the model")
        if position not in gates or position == len(graph.layers) - 1:
            raise ValueError(
                f"the exit after '{exit_.after}' is not on every path from the input to the output "
                "(or is the last layer): jobs could not leave there"
            )
        if position <= last:
            raise ValueError(f"the exit after '{exit_.after}' is listed twice or out of the order of the layers")
        total, last = total + exit_.share, position
    if total > 1 + 1e-9:
        raise ValueError(f"the shares of the exits sum to {total:g}; at most 1 is possible")


def gate_layers(predecessors: list[list[int]]) -> list[int]:
    """Return the layers through which every path from the input to every output goes, in order.

    In topological order a layer j is a gate exactly when no tensor made before j is read after j, and none
    but j
    is an output at or before j: then everything later depends on j alone.
    """
    count = len(predecessors)
    last_reader = [-1] * (count + 1)  # index count stands for the input
    for reader, sources in enumerate(predecessors):
        for source in sources:
            last_reader[source] = reader
    gates, reach = [], last_reader[count] if count else -1
    for layer in range(count):
        if reach <= layer:
            gates.append(layer)
        # a leaf is read by the sink, after everything
        reach = max(reach, count if last_reader[layer] < 0 else last_reader[layer])
    return gates


class Alternative(Graph):
    """One way to build the model (quantised, pruned, split by classes…), chosen by the planner."""

    name: Label
    """Unique in the model."""


class Model(Strict):
    """A DNN model file: one graph, or several alternatives of which one is chosen per service."""

    format: Literal["placer/model/1"]
    """Version of this format."""
    name: Label
    """Name of the model."""
    title: Text | None = None
    """Name for people."""
    family: Label | None = None
    """Key into a device's measured ``speeds``; the name when left out."""
    source: Text
    """Where the figures come from."""
    assumed: tuple[str, ...] = ()
    """Names of the top-level fields that are assumed."""
    alternatives: Annotated[tuple[Alternative, ...], Field(min_length=1, max_length=50)]
    """The graphs to choose from. A file with ``layers`` at the top level has one, called ``default``."""

    @model_validator(mode="before")
    @classmethod
    def _one_graph_is_one_alternative(cls, data: Any) -> Any:
        """Let a model of one graph be written flat, which is how nearly all are."""
        if not isinstance(data, dict) or "alternatives" in data:
            return data
        graph_fields = [field for field in Graph.model_fields if field != "assumed"]
        flat = {key: value for key, value in data.items() if key not in graph_fields}
        graph = {key: data[key] for key in graph_fields if key in data}
        assumed = data.get("assumed", [])
        if isinstance(assumed, list):
            flat["assumed"] = [name for name in assumed if name not in graph_fields]
            graph["assumed"] = [name for name in assumed if name in graph_fields]
        return {**flat, "alternatives": [{"name": "default", **graph}]}

    @classmethod
    def keys(cls) -> list[str]:
        """Return the keys that a file may hold, those of the only graph included."""
        return [*super().keys(), *(name for name in Graph.model_fields if name != "assumed")]

    @model_validator(mode="after")
    def _names_are_unique(self) -> Model:
        names = [alternative.name for alternative in self.alternatives]
        if len(set(names)) < len(names):
            raise ValueError("two alternatives have the same name")
        return self


ModelReference = Reference
