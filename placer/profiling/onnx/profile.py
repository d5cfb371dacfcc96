"""Turn an ONNX file into a model file of placer: layers, work, bytes."""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from placer._version import __version__
from placer.errors import InputError, Problem
from placer.profiling.onnx.folding import fold
from placer.profiling.onnx.macs import count
from placer.profiling.onnx.operators import Dag, Group, Operator, build_dag, group
from placer.profiling.onnx.reading import fix_inputs, read_model

MODEL_FORMAT = "placer/model/1"
_LONGEST_LAYER_NAME = 90
_LONGEST_LABEL = 63
_LONGEST_SOURCE = 4000
_MERE_NUMBER = re.compile(r"[A-Za-z]?\d*|OC2_DUMMY_\d+")
_WEIGHT_ENDING = re.compile(r"[._/](?:w|W|weight|weights|kernel|scale|gamma|s)(?:_\d+)?$")


def profile(
    path: Path,
    *,
    name: str | None = None,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    batch: int = 1,
    fuse: bool = True,
    title: str | None = None,
    family: str | None = None,
    note: str | None = None,
) -> dict[str, Any]:
    """Return the mapping of a model file (``placer/model/1``) for the ONNX file at ``path``.

    Each layer gets its multiply-accumulates, the bytes of its weights (a shared weight counts at its first
    user), as working memory the bytes of the tensors that it reads and writes, and as output the bytes of all
    its tensors that others read. Several inputs of the model are one input of the sum of their bytes.

    Args:
        path: the ONNX file. Weights beside it are not opened.
        name: name of the model, a DNS label; made from the file's name when left out.
        input_shapes: full shape by input name, needed where more than the batch is open.
        batch: size of an open first dimension.
        fuse: merge what every runtime merges (``operators.group``); else one layer an operator.
        title: name for people.
        family: key into the measured speeds of device types.
        note: put before what ``source`` says by itself.

    Raises:
        InputError: when the file cannot be profiled.
        MissingExtraError: when onnx or onnx-tool is not installed.
    """
    model = read_model(path)
    fix_inputs(model, path, input_shapes, batch)
    dag = build_dag(model, fold(model, path), path)
    groups = group(dag, fuse=fuse)
    estimated: Counter[str] = Counter()
    layers = _layers(dag, groups, estimated)
    result: dict[str, Any] = {"format": MODEL_FORMAT, "name": name or _label(path.stem)}
    if title is not None:
        result["title"] = title
    if family is not None:
        result["family"] = family
    shapes = {tensor: list(dag.tensor(tensor).shape) for tensor in dag.inputs}
    source = " ".join(filter(None, [note, _source(path, model, shapes, fuse=fuse, estimated=estimated)]))
    # names in the graph may be anything; YAML takes printable text
    source = "".join(letter if letter.isprintable() else "?" for letter in source)
    result["source"] = source if len(source) <= _LONGEST_SOURCE else source[: _LONGEST_SOURCE - 2] + " …"
    result["input"] = show_exact(sum(dag.tensor(tensor).size for tensor in dag.inputs), "B")
    result["layers"] = layers
    _expect_readable(result, path)
    return result


def _expect_readable(model: dict[str, Any], path: Path) -> None:
    """Refuse what the model's own format does not allow, before it is written: too large, too long, no label."""
    from placer.instance.model import Model
    from placer.instance.reading import parse_document, validate
    from placer.profiling.onnx.render import render

    try:
        validate(Model, parse_document(render(model), str(path)))
    except InputError as error:
        problems = [Problem(f"in its profile: {one.message}", one.path, str(path)) for one in error.problems]
        raise InputError(problems) from error


def show_exact(value: int, unit: str) -> str:
    """Return ``value`` with the largest decimal prefix up to mega, every digit kept: ``9.408 kB``."""
    for factor, prefix in ((10**6, "M"), (10**3, "k")):
        if value >= factor:
            return f"{(Decimal(value) / factor).normalize():f} {prefix}{unit}"
    return f"{value} {unit}"


def _layers(dag: Dag, groups: list[Group], estimated: Counter[str]) -> list[dict[str, Any]]:
    names = _names(groups)
    maker = {tensor: name for name, made in zip(names, groups, strict=True) for tensor in made.last.writes}
    read = {tensor for operator in dag.operators for tensor in operator.reads} | dag.outputs
    seen: set[str] = set()
    layers = []
    for name, members in zip(names, groups, strict=True):
        sources = list(dict.fromkeys(maker.get(tensor, "input") for tensor in members.head.reads))
        macs, unknown = 0, False
        for operator in members.members:
            if operator.writes[0] in members.folded_away:
                continue
            work = count(operator, dag)
            macs += work.macs
            if work.estimated:
                estimated[operator.type] += 1
                unknown = True
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
            "activations": show_exact(_bytes(dag, [*members.head.reads, *made]), "B"),
            "output": show_exact(_bytes(dag, [tensor for tensor in made if tensor in read]), "B"),
        }
        if unknown:
            layer["assumed"] = ["compute"]
        layers.append(layer)
    return layers


def _bytes(dag: Dag, tensors: Iterable[str]) -> int:
    return sum(dag.tensor(tensor).size for tensor in dict.fromkeys(tensors))


def _names(groups: list[Group]) -> list[str]:
    """Return a valid, unique name for each layer, without the folder that all share."""
    numbers: Counter[str] = Counter()
    raw = []
    for members in groups:
        text = _telling_name(members.head)
        if text is None:
            numbers[members.head.type] += 1
            text = f"{members.head.type.lower()}{numbers[members.head.type]}"
        raw.append(text.strip("/"))
    folders = {text.split("/")[0] for text in raw if "/" in text}
    if len(folders) == 1:
        raw = [text.removeprefix(f"{next(iter(folders))}/") for text in raw]
    names: list[str] = []
    used = {"input"}
    for text in raw:
        base = re.sub(r"[^A-Za-z0-9_.-]+", "_", text.replace("/", ".")).strip(".-")[:_LONGEST_LAYER_NAME] or "layer"
        name, number = base, 1
        while name in used:
            number += 1
            name = f"{base}-{number}"
        used.add(name)
        names.append(name)
    return names


def _telling_name(head: Operator) -> str | None:
    """Return the operator's name; if that is a mere number, its weights' or its output's name, or None."""
    weights = [_WEIGHT_ENDING.sub("", name) for name in head.operands[1:2] if name in head.constants]
    for name in (head.name, *weights, *head.writes[:1]):
        if not _MERE_NUMBER.fullmatch(name):
            return name
    return None


def _label(stem: str) -> str:
    label = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:_LONGEST_LABEL].strip("-")
    return label or "model"


def _source(path: Path, model: Any, shapes: Mapping[str, list[int]], *, fuse: bool, estimated: Counter[str]) -> str:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    versions = ", ".join(f"{package} {importlib.metadata.version(package)}" for package in ("onnx", "onnx-tool"))
    opset = max((entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"}), default=0)
    inputs = ", ".join(f"{name} {'x'.join(map(str, shape)) or 'scalar'}" for name, shape in shapes.items())
    text = (
        f"Made by: placer profile {path.name} (placer {__version__}, {versions}); sha256 of the file "
        f"{digest}..., operator set {opset}, input {inputs}. Compute = multiply-accumulates as onnx-tool "
        "counts them, corrected as placer/onnx/macs.py says. Weights = bytes stored in the file, a shared "
        "weight at its first user; activations = bytes of the tensors that a layer reads and writes. "
    )
    if fuse:
        text += (
            "Batch normalisations and per-channel affine maps after a convolution, fully connected layer or "
            "batch normalisation are part of it and cost nothing, since runtimes fold them into its weights; "
            "activations and changes of shape belong to the layer before."
        )
    else:
        text += "One layer an operator."
    if estimated:
        listed = ", ".join(f"{operator} x{number}" for operator, number in sorted(estimated.items()))
        text += f" No count is known for these, one multiply-accumulate per element is assumed: {listed}."
    return text
