"""Small ONNX files for the tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


def save(
    path: Path,
    nodes: Sequence[Any],
    weights: dict[str, Any] | None = None,
    *,
    inputs: dict[str, Sequence[int | str | None]] | None = None,
    outputs: Sequence[str] = ("y",),
    opset: int = 17,
) -> Path:
    """Write a float model; weights are arrays by name."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))
        for name, shape in (inputs or {"x": [1, 3, 8, 8]}).items()
    ]
    graph = helper.make_graph(
        list(nodes),
        "test",
        ends,
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (weights or {}).items()],
    )
    domains = [helper.make_opsetid("", opset), helper.make_opsetid("somewhere.else", 1)]
    onnx.save(helper.make_model(graph, opset_imports=domains, ir_version=8), path)
    return path


def ones(*shape: int) -> Any:
    """Return a float32 array of ones."""
    return np.ones(shape, dtype=np.float32)
