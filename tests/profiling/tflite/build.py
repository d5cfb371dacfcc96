"""Small TensorFlow Lite files for the tests, built by hand with the FlatBuffers library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass
class Op:
    """An operator: the name of its builtin code, tensors read and made by name, and what writes its options."""

    type: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    options: tuple[str, Callable[[Any], int]] | None = None
    custom: str = ""


@dataclass
class Net:
    """A graph: shapes by tensor name, arrays of what is stored, operators, ends."""

    shapes: dict[str, tuple[int, ...]]
    ops: list[Op]
    inputs: Sequence[str]
    outputs: Sequence[str]
    stored: dict[str, Any] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    variables: Sequence[str] = ()
    signatures: dict[str, tuple[int, ...]] = field(default_factory=dict)


def conv(stride: int = 1, *, same: bool = True) -> tuple[str, Callable[[Any], int]]:
    """Options of a CONV_2D."""
    import tflite

    def write(builder: Any) -> int:
        tflite.Conv2DOptionsStart(builder)
        tflite.Conv2DOptionsAddPadding(builder, 0 if same else 1)
        tflite.Conv2DOptionsAddStrideW(builder, stride)
        tflite.Conv2DOptionsAddStrideH(builder, stride)
        tflite.Conv2DOptionsAddDilationWFactor(builder, 1)
        tflite.Conv2DOptionsAddDilationHFactor(builder, 1)
        return int(tflite.Conv2DOptionsEnd(builder))

    return "Conv2DOptions", write


def leaky() -> tuple[str, Callable[[Any], int]]:
    """Options of a LEAKY_RELU."""
    import tflite

    def write(builder: Any) -> int:
        tflite.LeakyReluOptionsStart(builder)
        tflite.LeakyReluOptionsAddAlpha(builder, 0.1)
        return int(tflite.LeakyReluOptionsEnd(builder))

    return "LeakyReluOptions", write


def empty(name: str) -> tuple[str, Callable[[Any], int]]:
    """Options of a type that all have their default."""
    import tflite

    def write(builder: Any) -> int:
        getattr(tflite, f"{name}Start")(builder)
        return int(getattr(tflite, f"{name}End")(builder))

    return name, write


def matmul(*, turned: bool) -> tuple[str, Callable[[Any], int]]:
    """Options of a BATCH_MATMUL."""
    import tflite

    def write(builder: Any) -> int:
        tflite.BatchMatMulOptionsStart(builder)
        tflite.BatchMatMulOptionsAddAdjX(builder, turned)
        return int(tflite.BatchMatMulOptionsEnd(builder))

    return "BatchMatMulOptions", write


def content(net: Net) -> bytes:
    """Return the bytes of the file."""
    import flatbuffers
    import tflite

    builder = flatbuffers.Builder(1024)

    def numbers(values: Sequence[int]) -> int:
        builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            builder.PrependInt32(value)
        return int(builder.EndVector())

    def tables(ends: Sequence[int]) -> int:
        builder.StartVector(4, len(ends), 4)
        for end in reversed(ends):
            builder.PrependUOffsetTRelative(end)
        return int(builder.EndVector())

    names = list(net.shapes)
    place = {name: at for at, name in enumerate(names)}
    buffers = [b"", *(np.ascontiguousarray(net.stored[name]).tobytes() for name in names if name in net.stored)]
    held = {name: at for at, name in enumerate((name for name in names if name in net.stored), 1)}
    written = []
    for data in buffers:
        vector = builder.CreateByteVector(data) if data else None
        tflite.BufferStart(builder)
        if vector is not None:
            tflite.BufferAddData(builder, vector)
        written.append(tflite.BufferEnd(builder))
    tensors = []
    for name in names:
        text, shape = builder.CreateString(name), numbers(net.shapes[name])
        signature = numbers(net.signatures[name]) if name in net.signatures else None
        kind = (
            net.types.get(name)
            or {"f": "FLOAT32", "i": "INT32", "u": "UINT8", "b": "BOOL"}[
                np.asarray(net.stored.get(name, 0.0)).dtype.kind
            ]
        )
        if name in net.stored and np.asarray(net.stored[name]).dtype == np.int8:
            kind = "INT8"
        tflite.TensorStart(builder)
        tflite.TensorAddShape(builder, shape)
        tflite.TensorAddType(builder, getattr(tflite.TensorType, kind))
        tflite.TensorAddBuffer(builder, held.get(name, 0))
        tflite.TensorAddName(builder, text)
        tflite.TensorAddIsVariable(builder, name in net.variables)
        if signature is not None:
            tflite.TensorAddShapeSignature(builder, signature)
        tensors.append(tflite.TensorEnd(builder))
    kinds = list(dict.fromkeys((op.type, op.custom) for op in net.ops))
    codes = []
    for kind, custom in kinds:
        text = builder.CreateString(custom) if custom else None
        number = getattr(tflite.BuiltinOperator, kind)
        tflite.OperatorCodeStart(builder)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, min(number, 127))
        tflite.OperatorCodeAddBuiltinCode(builder, number)
        tflite.OperatorCodeAddVersion(builder, 1)
        if text is not None:
            tflite.OperatorCodeAddCustomCode(builder, text)
        codes.append(tflite.OperatorCodeEnd(builder))
    ops = []
    for op in net.ops:
        inputs = numbers([place[name] if name else -1 for name in op.inputs])
        outputs = numbers([place[name] for name in op.outputs])
        options = op.options[1](builder) if op.options else None
        tflite.OperatorStart(builder)
        tflite.OperatorAddOpcodeIndex(builder, kinds.index((op.type, op.custom)))
        tflite.OperatorAddInputs(builder, inputs)
        tflite.OperatorAddOutputs(builder, outputs)
        if op.options and options is not None:
            tflite.OperatorAddBuiltinOptionsType(builder, getattr(tflite.BuiltinOptions, op.options[0]))
            tflite.OperatorAddBuiltinOptions(builder, options)
        ops.append(tflite.OperatorEnd(builder))
    parts = [
        tables(tensors),
        numbers([place[name] for name in net.inputs]),
        numbers([place[n] for n in net.outputs]),
        tables(ops),
    ]
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, parts[0])
    tflite.SubGraphAddInputs(builder, parts[1])
    tflite.SubGraphAddOutputs(builder, parts[2])
    tflite.SubGraphAddOperators(builder, parts[3])
    graph = tables([tflite.SubGraphEnd(builder)])
    all_codes, all_buffers = tables(codes), tables(written)
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, 3)
    tflite.ModelAddOperatorCodes(builder, all_codes)
    tflite.ModelAddSubgraphs(builder, graph)
    tflite.ModelAddBuffers(builder, all_buffers)
    builder.Finish(tflite.ModelEnd(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def save(path: Path, net: Net) -> Path:
    """Write a graph."""
    path.write_bytes(content(net))
    return path
