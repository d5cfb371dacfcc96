"""Open an ONNX file without trusting it: one file is read, nothing beside it, nothing of it is executed."""

from __future__ import annotations

import difflib
import importlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from placer import optional
from placer.errors import InputError, Problem
from placer.instance.reading import read_bytes
from placer.profiling.onnx.checking import check

_FIRST_IR_WITH_FREE_INITIALISERS = 4
_IR_VERSION = 8
LARGEST_FILE = 2**30
LARGEST_CONSTANT = 4096
"""Elements of an input that is given a value."""


def need_onnx() -> Any:
    """Return the module ``onnx``.

    Raises:
        MissingExtraError: when it is not installed, or cannot be imported.
    """
    return optional.load("onnx", "profiling an ONNX file", "onnx")


@dataclass(frozen=True)
class Recorded:
    """What a file says of the tensors between its operators.

    Attributes:
        values: ValueInfoProto by tensor name, as in the file.
        symbols: sizes of named dimensions, from the inputs.
    """

    values: Mapping[str, Any]
    symbols: Mapping[str, int]


def read_model(path: Path) -> Any:
    """Return the ModelProto in ``path``: functions inlined, outside weights not loaded.

    Raises:
        InputError: when it is no ONNX file, or refers to files outside its folder.
    """
    onnx = need_onnx()
    file = str(path)
    content = read_bytes(path, file, LARGEST_FILE)
    try:
        model = onnx.ModelProto.FromString(content)
    except Exception as error:  # protobuf's DecodeError, whose module has no types and moves between versions
        raise InputError([Problem("is no ONNX file: its content is not a ModelProto", file=file)]) from error
    if not model.graph.node or not model.opset_import:
        raise InputError([Problem("is no ONNX file: it has no operators or names no operator set", file=file)])
    check(onnx, model, file)
    if model.functions:
        try:
            model = importlib.import_module("onnx.inliner").inline_local_functions(model)
        except Exception as error:  # the inliner raises RuntimeError, ValueError and its own kinds
            raise InputError([Problem(f"its functions cannot be put in place: {_line(error)}", file=file)]) from error
        check(onnx, model, file)
    _check_external_data(model, path)
    if model.ir_version < _FIRST_IR_WITH_FREE_INITIALISERS:
        model.ir_version = _IR_VERSION
    initialised = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in initialised]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    return model


def _line(error: Exception) -> str:
    """The first line of a library's message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _check_external_data(model: Any, path: Path) -> None:
    """Refuse weights outside the model's folder. Those inside are not read: their sizes are known."""
    onnx = need_onnx()
    problems = []
    for position, tensor in enumerate(model.graph.initializer):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        windows = PureWindowsPath(location)
        outside = windows.drive or windows.root or ".." in windows.parts or PurePosixPath(location).is_absolute()
        if not location or outside:
            problems.append(
                Problem(
                    f"initialiser '{tensor.name}' lies in '{location}', outside the model's folder: refused",
                    file=str(path),
                    path=f"$.graph.initializer[{position}]",
                )
            )
    if problems:
        raise InputError(problems)


def fix_inputs(
    model: Any,
    path: Path,
    shapes: Mapping[str, tuple[int, ...]] | None,
    batch: int,
    values: Mapping[str, float] | None = None,
) -> Recorded:
    """Give every input of ``model`` a fixed shape, in place.

    Args:
        model: a ModelProto of ``read_model``.
        path: its file, for messages.
        shapes: full shapes by input name; needed where more than the batch is open.
        batch: size of an open first dimension (of inputs with two or more).
        values: inputs that always have one value in every element, by name; they become constants.

    Returns:
        What the file records of its other tensors.

    Raises:
        InputError: when a shape stays open, contradicts the model, or names no input.
    """
    file = str(path)
    shapes = dict(shapes or {})
    values = dict(values or {})
    names = [value.name for value in model.graph.input]
    problems = []
    if batch < 1:
        problems.append(Problem(f"the batch must be 1 or more, got {batch}", file=file))
    for what, given in (("shape", shapes), ("value", values)):
        for name in given:
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1)
                hint = f"; did you mean '{near[0]}'?" if near else ""
                problems.append(
                    Problem(f"a {what} is given for '{name}', which is no input{hint} ({names})", file=file)
                )
    symbols: dict[str, int] = {}
    for position, value in enumerate(model.graph.input):
        try:
            _fix_input(value, shapes.get(value.name), batch, symbols)
            if value.name in values:
                model.graph.initializer.append(_constant(value, values[value.name]))
        except ValueError as error:
            problems.append(Problem(str(error), file=file, path=f"$.graph.input[{position}]"))
    if problems:
        raise InputError(problems)
    kept = [value for value in model.graph.input if value.name not in values]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    return Recorded({value.name: value for value in [*model.graph.output, *model.graph.value_info]}, symbols)


def _constant(value: Any, number: float) -> Any:
    """Return the stored tensor of an input that always has one value."""
    import numpy as np

    onnx = need_onnx()
    shape = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    if dtype.kind not in "fiub" or math.prod(shape) > LARGEST_CONSTANT:
        raise ValueError(f"input '{value.name}' is no number or of more than {LARGEST_CONSTANT}: it takes no value")
    if dtype.kind in "iub" and (number != int(number) or np.array(int(number)).astype(dtype) != number):
        raise ValueError(f"input '{value.name}' is of the type {dtype}, which does not hold {number:g}")
    return onnx.numpy_helper.from_array(np.full(shape, number).astype(dtype), value.name)


def _fix_input(value: Any, given: tuple[int, ...] | None, batch: int, symbols: dict[str, int]) -> None:
    if not value.type.HasField("tensor_type"):
        raise ValueError(f"input '{value.name}' is no tensor (a sequence, map or optional): not supported")
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        if given is None:
            raise ValueError(f"input '{value.name}' has no shape at all; give it one, such as {value.name}=1x3x224x224")
        tensor.shape.Clear()
        for size in given:
            tensor.shape.dim.add().dim_value = size
        return
    dims = list(tensor.shape.dim)
    # a size of 0 is a size where the file says so; one that is not said, or is negative, is open
    sizes = [dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else None for dim in dims]
    shown = [size if size is not None else dim.dim_param or "?" for size, dim in zip(sizes, dims, strict=True)]
    text = "[" + ", ".join(map(str, shown)) + "]"
    if given is not None and (len(given) != len(dims) or any(size < 0 for size in given)):
        raise ValueError(f"input '{value.name}' has the shape {text}; the given {list(given)} does not fit")
    several = len(dims) > 1
    for position, (dim, fixed) in enumerate(zip(dims, sizes, strict=True)):
        if given is not None:
            wanted: int | None = given[position]
        elif position == 0 and several and (fixed is None or (batch != 1 and fixed)):
            wanted = batch
        else:
            wanted = fixed if fixed is not None else symbols.get(dim.dim_param)
        if wanted is None:
            example = "x".join(_example(size, place) for place, size in enumerate(shown))
            raise ValueError(
                f"input '{value.name}' has the open shape {text}; give it one, such as {value.name}={example}"
            )
        # old exporters write 0 for an open size, so that another may be given
        if fixed and wanted != fixed:
            raise ValueError(
                f"input '{value.name}' has the shape {text}; its dimension {position} is fixed, not {wanted}"
            )
        if dim.dim_param not in {"", "?"} and symbols.setdefault(dim.dim_param, wanted) != wanted:
            raise ValueError(
                f"input '{value.name}': '{dim.dim_param}' is {symbols[dim.dim_param]} before, {wanted} here"
            )
        dim.dim_value = wanted


def _example(size: int | str, place: int) -> str:
    """Return what a person might give for a dimension: 1 for an open batch, 224 for another open one."""
    if isinstance(size, int):
        return str(size)
    return "224" if place else "1"
