"""Read a TensorFlow Lite file without trusting it: every index and every length is checked before it is followed.

A FlatBuffer is a web of offsets, and the library that follows them checks none. What a broken file makes it raise is
told as a broken file; what a hostile one makes it read again and again is counted, and more than the file could hold is
refused.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from placer import optional
from placer.errors import InputError, Problem
from placer.instance.reading import read_bytes

LARGEST_FILE = 2**30
MOST_PARTS = 50_000
"""Tensors, operators or buffers of a file."""

_LARGEST_RANK = 16
_LARGEST_SIZE = 10**9
_MOST_ELEMENTS = 10**13
_IDENTIFIER = b"TFL3"
_BITS = {
    "FLOAT32": 32, "FLOAT16": 16, "INT32": 32, "UINT8": 8, "INT64": 64, "STRING": 0, "BOOL": 8, "INT16": 16,
    "COMPLEX64": 64, "INT8": 8, "FLOAT64": 64, "COMPLEX128": 128, "UINT64": 64, "RESOURCE": 0, "VARIANT": 0,
    "UINT32": 32, "UINT16": 16, "INT4": 4, "BFLOAT16": 16,
}  # fmt: skip
_BROKEN = (struct.error, IndexError, ValueError, TypeError, OverflowError, AttributeError, AssertionError)
"""What following an offset to nowhere ends in."""


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph.

    Attributes:
        name: as in the file.
        shape: every dimension.
        bits: of an element.
        stored: bytes that the file holds of it; 0 for a tensor that is computed.
        buffer: number of the buffer that holds them; two tensors may share one.
        variable: whether it keeps its value between runs.
    """

    name: str
    shape: tuple[int, ...]
    bits: int
    stored: int
    buffer: int
    variable: bool

    @property
    def elements(self) -> int:
        """Number of elements; 1 for a scalar."""
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return -(-self.elements * self.bits // 8)


@dataclass(frozen=True)
class Operator:
    """An operator of the graph.

    Attributes:
        type: name of the builtin operator, or CUSTOM.
        custom: name of a custom operator, else ''.
        inputs: tensors that it reads; -1 where an optional one is left out.
        outputs: tensors that it makes.
        proto: the table of the library, for its options.
    """

    type: str
    custom: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    proto: Any

    @property
    def kind(self) -> str:
        """The type for people."""
        return self.custom or self.type


@dataclass(frozen=True)
class Graph:
    """The main graph of a file.

    Attributes:
        tensors: by number.
        operators: in the order in which they run.
        inputs: tensors that are given.
        outputs: tensors that are results.
        version: of the schema.
        content: the bytes of the file.
    """

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    version: int
    content: bytes


def need_tflite() -> Any:
    """Return the module ``tflite``.

    Raises:
        MissingExtraError: when it is not installed, or cannot be imported.
    """
    return optional.load("tflite", "profiling a TensorFlow Lite file", "tflite")


def read_graph(path: Path) -> Graph:
    """Return the main graph of the file at ``path``.

    Raises:
        InputError: when it is no TensorFlow Lite file, is broken, or its shapes are open.
        MissingExtraError: when the package tflite is not installed.
    """
    tflite = need_tflite()
    content = _content(path)
    try:
        return _Reader(tflite, content, path).graph()
    except _BROKEN as error:
        text = "is broken: an offset or a length in it leads nowhere"
        raise InputError([Problem(text, file=str(path))]) from error


def _content(path: Path) -> bytes:
    file = str(path)
    content = read_bytes(path, file, LARGEST_FILE)
    if content[4:8] != _IDENTIFIER:
        raise InputError([Problem("is no TensorFlow Lite file: it does not bear the mark TFL3", file=file)])
    return content


class _Reader:
    def __init__(self, tflite: Any, content: bytes, path: Path) -> None:
        self.tflite = tflite
        self.content = content
        self.path = path
        # whoever reads each part once reads no more than this
        self.left = 4 * len(content) + 1024
        self.types = _names(tflite.TensorType)
        self.builtins = _names(tflite.BuiltinOperator)

    def graph(self) -> Graph:
        model = self.tflite.Model.GetRootAsModel(self.content, 0)
        if not model.SubgraphsLength():
            raise self.broken("holds no graph")
        self._count("graphs", model.SubgraphsLength())
        main = model.Subgraphs(0)
        buffers = [self._buffer(model.Buffers(at)) for at in self._all("buffers", model.BuffersLength())]
        codes = [self._code(model.OperatorCodes(at)) for at in self._all("operator codes", model.OperatorCodesLength())]
        tensors = tuple(
            self._tensor(main.Tensors(at), at, buffers) for at in self._all("tensors", main.TensorsLength())
        )
        operators = tuple(
            self._operator(main.Operators(at), at, codes, len(tensors))
            for at in self._all("operators", main.OperatorsLength())
        )
        if not operators:
            raise self.broken("holds no operators")
        ends = [
            self._numbers(length, get, len(tensors), f"$.subgraphs[0].{name}")
            for name, length, get in (
                ("inputs", main.InputsLength(), main.Inputs),
                ("outputs", main.OutputsLength(), main.Outputs),
            )
        ]
        self._open_shapes(main, ends[0])
        return Graph(tensors, operators, ends[0], ends[1], int(model.Version()), self.content)

    def broken(self, message: str, path: str = "$") -> InputError:
        return InputError([Problem(message, path, str(self.path))])

    def _count(self, what: str, number: int) -> None:
        if number > MOST_PARTS:
            raise self.broken(f"says that it has {number} {what}; at most {MOST_PARTS} are profiled")

    def _all(self, what: str, number: int) -> Iterator[int]:
        self._count(what, number)
        for at in range(number):
            self._spend(4)
            yield at

    def _spend(self, size: int) -> None:
        """Count what is read; a file whose parts overlap could be read for ever."""
        self.left -= size
        if self.left < 0:
            raise self.broken("is broken: its parts overlap")

    def _text(self, value: Any) -> str:
        text = value or b""
        self._spend(len(text))
        return bytes(text[:200]).decode("utf-8", "replace")

    def _numbers(self, length: int, get: Callable[[int], int], limit: int, path: str) -> tuple[int, ...]:
        """Numbers of tensors; -1 for one that is left out."""
        self._count("numbers of tensors", length)
        self._spend(4 * length)
        numbers = tuple(int(get(at)) for at in range(length))
        wrong = next((number for number in numbers if not -1 <= number < limit), None)
        if wrong is not None:
            raise self.broken(f"names tensor {wrong}; there are {limit}", path)
        return numbers

    def _buffer(self, buffer: Any) -> int:
        """Bytes of a buffer, in the table or, in large files, behind all tables."""
        length, offset, size = int(buffer.DataLength()), int(buffer.Offset()), int(buffer.Size())
        if offset > 1:
            if offset + size > len(self.content):
                raise self.broken("is cut short: a buffer lies behind its end")
            return size
        if length > len(self.content):
            raise self.broken("is cut short: a buffer is larger than the file")
        return length

    def _code(self, code: Any) -> tuple[str, str]:
        # the builtin code took a byte once; files since 2.4 hold both
        number = max(int(code.BuiltinCode()), int(code.DeprecatedBuiltinCode()))
        name = self.builtins.get(number)
        if name is None:
            raise self.broken(f"uses the builtin operator {number}, which this version of tflite does not know")
        return name, self._text(code.CustomCode()) if name == "CUSTOM" else ""

    def _tensor(self, tensor: Any, at: int, buffers: list[int]) -> Tensor:
        path = f"$.subgraphs[0].tensors[{at}]"
        rank, name, number = int(tensor.ShapeLength()), self._text(tensor.Name()), int(tensor.Buffer())
        if rank > _LARGEST_RANK:
            raise self.broken(f"{name!r:.60} has {rank} dimensions; at most {_LARGEST_RANK} are profiled", path)
        self._spend(4 * rank)
        shape = tuple(int(tensor.Shape(axis)) for axis in range(rank))
        if any(not 0 <= size <= _LARGEST_SIZE for size in shape) or math.prod(shape) > _MOST_ELEMENTS:
            raise self.broken(f"{name!r:.60} has the shape {list(shape)}, which no tensor has", path)
        kind = self.types.get(int(tensor.Type()))
        if kind is None or kind not in _BITS:
            raise self.broken(f"{name!r:.60} is of the type {tensor.Type()}, which is not known", path)
        if buffers and number >= len(buffers):
            raise self.broken(f"{name!r:.60} lies in buffer {number}; there are {len(buffers)}", path)
        stored = buffers[number] if buffers else 0
        made = Tensor(name, shape, _BITS[kind], stored, number, bool(tensor.IsVariable()))
        if stored and not tensor.Sparsity() and made.bits and stored != made.size:
            raise self.broken(f"{name!r:.60} holds {stored} bytes; {made.size} are needed", path)
        return made

    def _operator(self, operator: Any, at: int, codes: list[tuple[str, str]], tensors: int) -> Operator:
        path = f"$.subgraphs[0].operators[{at}]"
        number = int(operator.OpcodeIndex())
        if number >= len(codes):
            raise self.broken(f"names operator code {number}; there are {len(codes)}", path)
        inputs = self._numbers(operator.InputsLength(), operator.Inputs, tensors, path)
        outputs = self._numbers(operator.OutputsLength(), operator.Outputs, tensors, path)
        return Operator(*codes[number], inputs, outputs, operator)

    def _open_shapes(self, main: Any, inputs: tuple[int, ...]) -> None:
        """Refuse inputs of open size: the file records 1 for such a size, which is right for a batch only."""
        for number in inputs:
            tensor = main.Tensors(number)
            signature = [int(tensor.ShapeSignature(axis)) for axis in range(min(tensor.ShapeSignatureLength(), 16))]
            if any(size < 0 for size in signature[1:]):
                shown = [size if size >= 0 else "?" for size in signature]
                raise self.broken(
                    f"the input {self._text(tensor.Name())!r:.60} has the open shape {shown}: convert the model with "
                    "fixed sizes",
                    f"$.subgraphs[0].tensors[{number}]",
                )


def _names(enumeration: Any) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if not name.startswith("_")}
