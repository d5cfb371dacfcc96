"""Turn an ONNX file into a model file of placer: layers, work, bytes."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from placer.profiling.model_file import Heading, assemble, made_by, say_assumptions
from placer.profiling.onnx.folding import fold
from placer.profiling.onnx.grouping import group
from placer.profiling.onnx.layers import layers_of
from placer.profiling.onnx.operators import Dag, build_dag
from placer.profiling.onnx.reading import fix_inputs, read_model


@dataclass(frozen=True)
class Inputs:
    """What a user says about the inputs of a graph.

    Attributes:
        shapes: full shape by input name, needed where more than the batch is open.
        values: inputs that always have one value in every element, by name; what depends on them is settled.
        batch: size of an open first dimension.
    """

    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    batch: int = 1


def profile(
    path: Path, *, heading: Heading | None = None, inputs: Inputs | None = None, fuse: bool = True
) -> dict[str, Any]:
    """Return the mapping of a model file (``placer/model/1``) for the ONNX file at ``path``.

    Each layer gets its multiply-accumulates, the bytes of its weights (a shared weight counts at its first
    user), as working memory the bytes of the tensors that are live while it runs (``layers.live_bytes``), and as
    output the bytes of all its tensors that others read. Several inputs of the model are one input of the sum of
    their bytes.

    Args:
        path: the ONNX file. Weights beside it are not opened.
        heading: what the model is called.
        inputs: what is known of its inputs beside the file.
        fuse: merge what every runtime merges (``grouping.group``); else one layer an operator.

    Raises:
        InputError: when the file cannot be profiled.
        MissingExtraError: when onnx is not installed.
    """
    given = inputs or Inputs()
    model = read_model(path)
    recorded = fix_inputs(model, path, given.shapes, given.batch, given.values)
    dag = build_dag(model, fold(model, path, recorded), path, fuse=fuse)
    layers, work = layers_of(dag, group(dag, fuse=fuse))
    source = _source(path, model, dag, fuse=fuse)
    source += " " + say_assumptions(work.assumptions, work.macs)
    fed = sum(dag.tensor(tensor).size for tensor in dag.inputs)
    return assemble(path, heading or Heading(), source.strip(), fed, layers)


def _source(path: Path, model: Any, dag: Dag, *, fuse: bool) -> str:
    opset = max((entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"}), default=0)
    shapes = {tensor: list(dag.tensor(tensor).shape) for tensor in dag.inputs}
    inputs = ", ".join(f"{name} {'x'.join(map(str, shape)) or 'scalar'}" for name, shape in shapes.items())
    tools = f"onnx {importlib.metadata.version('onnx')}"
    text = (
        f"{made_by(path, tools, path.read_bytes())}, operator set {opset}, "
        f"input {inputs}. Compute = multiply-accumulates, counted as placer/profiling/onnx/macs.py says. Weights = "
        "bytes stored in the file, a shared weight at its first user; activations = bytes of all tensors that are "
        "live while a layer runs: what it reads and makes, and what earlier layers made for later ones. "
    )
    if fuse:
        text += (
            "Batch normalisations and per-channel affine maps after a convolution, fully connected layer or "
            "batch normalisation are part of it and cost nothing, since runtimes fold them into its weights; "
            "activations, be they one operator or several, and changes of shape belong to the layer before."
        )
    else:
        text += "One layer an operator."
    return text + _from_file(dag)


def _from_file(dag: Dag) -> str:
    used = {name for operator in dag.operators for name in operator.writes}
    names: Sequence[str] = [name for name in dag.folded.recorded if name in used]
    if not names:
        return ""
    listed = ", ".join(name[:60] for name in names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    return f" No rule gives the shapes of these tensors, the file's own record is taken: {listed}."
