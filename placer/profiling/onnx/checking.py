"""What must hold for a graph before anything is inferred from it: the libraries below take it on trust.

They answer a missing operand, a tensor without its data or a function that calls itself with an exception of their own
kind, with a wrong shape, or with the end of the process.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from placer.errors import InputError, Problem

MOST_OPERATORS = 50_000
LARGEST_SIZE = 10**9
"""Of one dimension of a tensor."""

MOST_ELEMENTS = 10**13
_MOST_PROBLEMS = 20
_STANDARD = ("", "ai.onnx")

BITS = {
    "FLOAT": 32, "UINT8": 8, "INT8": 8, "UINT16": 16, "INT16": 16, "INT32": 32, "INT64": 64, "BOOL": 8,
    "FLOAT16": 16, "DOUBLE": 64, "UINT32": 32, "UINT64": 64, "COMPLEX64": 64, "COMPLEX128": 128,
    "BFLOAT16": 16, "UINT4": 4, "INT4": 4, "FLOAT4E2M1": 4, "UINT2": 2, "INT2": 2,
}  # fmt: skip

Found = Iterator[tuple[str, str]]
"""Path in the file, and what is wrong there."""


def bits_of(onnx: Any, kind: int) -> int | None:
    """Bits of an element of a type by its number; 0 for text, None for a number that is no type."""
    if kind not in onnx.TensorProto.DataType.values() or kind == onnx.TensorProto.UNDEFINED:
        return None
    name = onnx.TensorProto.DataType.Name(kind)
    return BITS.get(name, 8 if name.startswith("FLOAT8") else 0)


def check(onnx: Any, model: Any, file: str) -> None:
    """Refuse a model whose operators, tensors or functions are not whole.

    Raises:
        InputError: what is wrong, with the path in the file.
    """
    problems = []
    for path, message in (*_functions(model), *_nodes(onnx, model), *_tensors(onnx, model), *_order(model.graph)):
        problems.append(Problem(message, path, file))
        if len(problems) == _MOST_PROBLEMS:
            break
    if problems:
        raise InputError(problems)


def _brief(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _functions(model: Any) -> Found:
    """Functions of one name, and functions that call themselves."""
    keys = [(function.domain, function.name) for function in model.functions]
    for (domain, name), count in Counter(keys).items():
        if count > 1:
            yield "$.functions", f"the function {_brief(name)} of domain {_brief(domain)} is defined {count} times"
    calls = {
        key: {(node.domain, node.op_type) for node in _all_nodes(function.node)} & set(keys)
        for key, function in zip(keys, model.functions, strict=True)
    }
    while calls:
        leaves = [key for key, called in calls.items() if not called & calls.keys()]
        if not leaves:
            yield "$.functions", f"the function {_brief(next(iter(calls))[1])} calls itself, perhaps through others"
            return
        for key in leaves:
            del calls[key]


def _all_nodes(nodes: Iterable[Any]) -> Iterator[Any]:
    """Operators, those of the graphs in their attributes included."""
    stack = list(nodes)
    while stack:
        node = stack.pop()
        yield node
        for attribute in node.attribute:
            stack += attribute.g.node
            for graph in attribute.graphs:
                stack += graph.node


def _nodes(onnx: Any, model: Any) -> Found:
    """Operators without type or result, and those that have not the operands and attributes of their type."""
    if len(model.graph.node) > MOST_OPERATORS:
        yield "$.graph.node", f"{len(model.graph.node)} operators; at most {MOST_OPERATORS} are profiled"
        return
    version = version_of(model)
    for position, node in enumerate(model.graph.node):
        fault = fault_of_node(onnx, node, version)
        if fault is not None:
            yield f"$.graph.node[{position}]", fault


def version_of(model: Any) -> int:
    """Return the standard operator set of a model; 1 where it names none."""
    versions = {entry.domain: entry.version for entry in model.opset_import}
    return next((versions[domain] for domain in _STANDARD if domain in versions), 1)


def fault_of_node(onnx: Any, node: Any, version: int) -> str | None:
    """Return what is wrong with an operator by itself, or None."""
    if not node.op_type or not any(node.output):
        return f"an operator of type {_brief(node.op_type)} has no type or no output"
    fault = _fault(onnx, node, version) if node.domain in _STANDARD else None
    return None if fault is None else f"operator {_brief(node.name or node.output[0])} ({node.op_type[:60]}): {fault}"


def _fault(onnx: Any, node: Any, version: int) -> str | None:
    try:
        schema = onnx.defs.get_schema(node.op_type, version, "")
    except Exception:  # the library's own kind: nothing of that name, which shape inference will say
        return None
    if not schema.min_input <= len(node.input) <= schema.max_input:
        return f"has {len(node.input)} operands; {schema.min_input} to {schema.max_input} are possible"
    if not schema.min_output <= len(node.output) <= schema.max_output:
        return f"has {len(node.output)} outputs; {schema.min_output} to {schema.max_output} are possible"
    single = onnx.defs.OpSchema.FormalParameterOption.Single
    for formal, name in zip(schema.inputs, node.input, strict=False):
        if formal.option == single and not name:
            return f"its operand {formal.name} is left out"
    names = Counter(attribute.name for attribute in node.attribute)
    for attribute in node.attribute:
        known = schema.attributes.get(attribute.name)
        if names[attribute.name] > 1:
            return f"the attribute {_brief(attribute.name)} is given twice"
        if known is not None and int(attribute.type) != int(known.type.value) and not attribute.ref_attr_name:
            return f"the attribute {_brief(attribute.name)} is not of the type {known.type.name}"
    # consumed_inputs of operator set 1 says what memory may be used again, and is left out by many
    needed = (name for name, known in schema.attributes.items() if known.required and name != "consumed_inputs")
    missing = [name for name in needed if name not in names]
    return f"its attribute {missing[0]} is missing" if missing else None


def _tensors(onnx: Any, model: Any) -> Found:
    """Stored tensors whose type, shape and data do not fit each other, and shapes beyond all measure."""
    graph = model.graph
    for position, tensor in enumerate(graph.initializer):
        fault = fault_of_tensor(onnx, tensor)
        if fault is not None:
            yield f"$.graph.initializer[{position}]", f"tensor {_brief(tensor.name)} {fault}"
    for position, node in enumerate(graph.node):
        for attribute in node.attribute:
            fault = fault_of_tensor(onnx, attribute.t) if attribute.HasField("t") else None
            if fault is not None:
                yield f"$.graph.node[{position}]", f"attribute {_brief(attribute.name)} {fault}"
    for group in ("input", "output", "value_info"):
        for position, value in enumerate(getattr(graph, group)):
            dims = value.type.tensor_type.shape.dim
            if any(dim.dim_value > LARGEST_SIZE for dim in dims):
                shape = [dim.dim_value for dim in dims]
                yield f"$.graph.{group}[{position}]", f"{_brief(value.name)} has the shape {shape}: too large"
            if group == "input" and value.type.HasField("tensor_type"):
                kind = value.type.tensor_type.elem_type
                if bits_of(onnx, kind) is None:
                    yield f"$.graph.input[{position}]", f"{_brief(value.name)} is of no type that ONNX has ({kind})"


def fault_of_tensor(onnx: Any, tensor: Any) -> str | None:
    """Return what is wrong with a stored tensor, or None."""
    bits, dims = bits_of(onnx, tensor.data_type), list(tensor.dims)
    if bits is None:
        return f"is of no type that ONNX has ({tensor.data_type})"
    if any(not 0 <= size <= LARGEST_SIZE for size in dims) or math.prod(dims) > MOST_ELEMENTS or len(dims) > 64:
        return f"has the shape {dims[:8]}: a size is negative, or there is too much of it"
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        return None
    elements = math.prod(dims)
    if tensor.HasField("raw_data"):
        need = -(-elements * bits // 8)
        if bits and len(tensor.raw_data) != need:
            return f"of shape {dims} holds {len(tensor.raw_data)} bytes; {need} are needed"
        return None
    field = onnx.helper.tensor_dtype_to_field(tensor.data_type)
    held = len(getattr(tensor, field))
    need = 2 * elements if tensor.data_type in (onnx.TensorProto.COMPLEX64, onnx.TensorProto.COMPLEX128) else elements
    packed = -(-elements * bits // 8) if bits in (2, 4) else need
    if held not in (need, packed):
        return f"of shape {dims} holds {held} values; {need} are needed"
    return None


def _order(graph: Any) -> Found:
    """Tensors that are made twice, read before they are made, or promised and never made."""
    made = {tensor.name for tensor in graph.initializer} | {tensor.values.name for tensor in graph.sparse_initializer}
    if len(made) < len(graph.initializer) + len(graph.sparse_initializer):
        yield "$.graph.initializer", "two stored tensors have the same name"
    inputs = Counter(value.name for value in graph.input)
    for name, count in inputs.items():
        if count > 1 or not name:
            yield "$.graph.input", f"{count} inputs are called {_brief(name)}"
    made |= set(inputs)
    for position, node in enumerate(graph.node):
        path, shown = f"$.graph.node[{position}]", _brief(node.name or (node.output[0] if node.output else ""))
        for name in node.input:
            if name and name not in made:
                yield path, f"operator {shown} reads {_brief(name)}, which no operator before it makes"
        for name in filter(None, node.output):
            if name in made:
                yield path, f"operator {shown} makes {_brief(name)}, which is there already"
            made.add(name)
    for position, value in enumerate(graph.output):
        if value.name not in made:
            yield f"$.graph.output[{position}]", f"no operator makes the output {_brief(value.name)}"
