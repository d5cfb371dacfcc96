"""The shipped detector: ``python -m placer.recipes.detector -o models/yolox-tiny.yaml`` writes it (extra ``onnx``).

YOLOX-Tiny (Ge et al., YOLOX: Exceeding YOLO series in 2021, arXiv 2107.08430; published under the Apache License 2.0)
is built as an ONNX graph from its published architecture, the normalisations in the convolutions as it is deployed, no
weights but their sizes, and profiled like any file; then its stages are blocks.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from placer.files import write_atomically
from placer.instance.units import BYTES
from placer.profiling.blocks import merge
from placer.profiling.model_file import Heading, show_exact
from placer.profiling.onnx.profile import profile
from placer.profiling.onnx.reading import need_onnx
from placer.profiling.render import render

SIZE, CLASSES = 416, 80
"""Pixels of a side of the input, and classes of COCO, for which the totals are published."""

DEPTH, WIDTH = 1, 24
"""Repeats of the shortest stage and channels of the stem: the factors .33 of 3 and .375 of 64."""

BOXES = 100
"""That are kept of an image, as where COCO is judged; six numbers each: corners, score, class."""

_NOTE = (
    "YOLOX-Tiny for COCO at 416 x 416: built from the published architecture (Ge et al. 2021, arXiv 2107.08430, Apache "
    "License 2.0) by python -m placer.recipes.detector, normalisations folded into convolutions; stages are blocks. "
    "Published totals: 5.06 M parameters, 6.45 GFLOPs = 3.22 GMAC (normalisations counted). "
    "The last layer keeps 100 boxes of 24 B, as where COCO is judged; its work, one for each number, is assumed."
)


class _Builder:
    """An ONNX graph that grows by one part after the other; each method returns the name of its result."""

    def __init__(self) -> None:
        self.onnx = need_onnx()
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def add(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def weight(self, name: str, *shape: int) -> str:
        """A tensor that lies beside the file, where nobody looks for it: its size is all that is asked."""
        tensor = self.onnx.TensorProto(name=name, dims=shape, data_type=self.onnx.TensorProto.FLOAT)
        tensor.data_location = self.onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="weights.bin")
        self.weights.append(tensor)
        return name

    def constant(self, name: str, values: Any) -> str:
        self.weights.append(self.onnx.numpy_helper.from_array(values, name))
        return name

    def plain(self, x: str, name: str, wide: tuple[int, int], kernel: int = 1, stride: int = 1) -> str:
        """A convolution with a bias, and nothing after it."""
        operands = [
            x,
            self.weight(f"{name}.weight", wide[1], wide[0], kernel, kernel),
            self.weight(f"{name}.bias", wide[1]),
        ]
        pad = [(kernel - 1) // 2] * 4
        return self.add("Conv", operands, name, pads=pad, strides=[stride] * 2, kernel_shape=[kernel] * 2)

    def conv(self, x: str, name: str, wide: tuple[int, int], kernel: int = 1, stride: int = 1) -> str:
        """A convolution and a SiLU."""
        made = self.plain(x, name, wide, kernel, stride)
        return self.add("Mul", [made, self.add("Sigmoid", [made], f"{name}.sigmoid")], f"{name}.silu")

    def csp(self, x: str, name: str, wide: tuple[int, int], repeats: int, *, shortcut: bool = True) -> str:
        """A cross-stage partial layer: half of it through bottlenecks, half past them."""
        half = wide[1] // 2
        way, past = self.conv(x, f"{name}.conv1", (wide[0], half)), self.conv(x, f"{name}.conv2", (wide[0], half))
        for number in range(repeats):
            part = f"{name}.m{number}"
            inner = self.conv(self.conv(way, f"{part}.conv1", (half, half)), f"{part}.conv2", (half, half), 3)
            way = self.add("Add", [way, inner], f"{part}.add") if shortcut else inner
        joined = self.add("Concat", [way, past], f"{name}.concat", axis=1)
        return self.conv(joined, f"{name}.conv3", (2 * half, wide[1]))

    def focus(self, x: str, name: str, wide: int) -> str:
        """Four pixels of a square as channels, and a convolution."""
        import numpy as np

        parts = []
        for row, column in ((0, 0), (1, 0), (0, 1), (1, 1)):
            part = f"{name}.part{row}{column}"
            starts = self.constant(f"{part}.starts", np.array([row, column], dtype=np.int64))
            fixed = [self.constant(f"{part}.{key}", np.array(values, dtype=np.int64)) for key, values in (
                ("ends", [SIZE, SIZE]), ("axes", [2, 3]), ("steps", [2, 2])
            )]  # fmt: skip
            parts.append(self.add("Slice", [x, starts, *fixed], part))
        return self.conv(self.add("Concat", parts, f"{name}.concat", axis=1), f"{name}.conv", (12, wide), 3)

    def pyramid(self, x: str, name: str, wide: int) -> str:
        """Spatial pyramid pooling: the same tensor and its maxima over windows of 5, 9 and 13."""
        first = self.conv(x, f"{name}.conv1", (wide, wide // 2))
        pools = [
            self.add("MaxPool", [first], f"{name}.pool{size}", kernel_shape=[size] * 2, pads=[size // 2] * 4)
            for size in (5, 9, 13)
        ]
        return self.conv(
            self.add("Concat", [first, *pools], f"{name}.concat", axis=1), f"{name}.conv2", (2 * wide, wide)
        )

    def up(self, x: str, name: str) -> str:
        """Twice as high and wide, each value four times."""
        import numpy as np

        scales = self.constant(f"{name}.scales", np.array([1, 1, 2, 2], dtype=np.float32))
        return self.add("Resize", [x, "", scales], name, mode="nearest")

    def join(self, x: str, y: str, name: str) -> str:
        return self.add("Concat", [x, y], name, axis=1)


def graph() -> Any:
    """Return YOLOX-Tiny as a ModelProto."""
    import numpy as np

    b, w = _Builder(), WIDTH
    x = b.focus("image", "stem", w)
    x = b.csp(b.conv(x, "dark2.down", (w, 2 * w), 3, 2), "dark2", (2 * w, 2 * w), DEPTH)
    d3 = b.csp(b.conv(x, "dark3.down", (2 * w, 4 * w), 3, 2), "dark3", (4 * w, 4 * w), 3 * DEPTH)
    d4 = b.csp(b.conv(d3, "dark4.down", (4 * w, 8 * w), 3, 2), "dark4", (8 * w, 8 * w), 3 * DEPTH)
    x = b.pyramid(b.conv(d4, "dark5.down", (8 * w, 16 * w), 3, 2), "spp", 16 * w)
    d5 = b.csp(x, "dark5", (16 * w, 16 * w), DEPTH, shortcut=False)
    top = b.conv(d5, "lateral", (16 * w, 8 * w))
    x = b.csp(b.join(b.up(top, "up4"), d4, "c3_p4.join"), "c3_p4", (16 * w, 8 * w), DEPTH, shortcut=False)
    middle = b.conv(x, "reduce", (8 * w, 4 * w))
    p3 = b.csp(b.join(b.up(middle, "up3"), d3, "c3_p3.join"), "c3_p3", (8 * w, 4 * w), DEPTH, shortcut=False)
    x = b.join(b.conv(p3, "down3", (4 * w, 4 * w), 3, 2), middle, "c3_n3.join")
    p4 = b.csp(x, "c3_n3", (8 * w, 8 * w), DEPTH, shortcut=False)
    x = b.join(b.conv(p4, "down4", (8 * w, 8 * w), 3, 2), top, "c3_n4.join")
    p5 = b.csp(x, "c3_n4", (16 * w, 16 * w), DEPTH, shortcut=False)
    levels = [
        _level(b, x, f"head{number}", wide)
        for number, (x, wide) in enumerate(((p3, 4 * w), (p4, 8 * w), (p5, 16 * w)), 3)
    ]
    flat = b.constant("flat", np.array([1, CLASSES + 5, -1], dtype=np.int64))
    rows = [b.add("Reshape", [level, flat], f"{level}.flat") for level in levels]
    joined = b.add("Concat", rows, "detections.concat", axis=2)
    b.add("Transpose", [joined], "detections", perm=[0, 2, 1])
    helper, float32 = b.onnx.helper, b.onnx.TensorProto.FLOAT
    ends = [helper.make_tensor_value_info("image", float32, [1, 3, SIZE, SIZE])]
    results = [helper.make_tensor_value_info("detections", float32, None)]
    made = helper.make_graph(b.nodes, "yolox-tiny", ends, results, b.weights)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _level(b: _Builder, x: str, name: str, wide: int) -> str:
    """The decoupled head of one scale: classes one way, boxes and whether there is one the other."""
    hidden = 4 * WIDTH
    x = b.conv(x, f"{name}.stem", (wide, hidden))
    ends = {}
    for way in ("cls", "reg"):
        y = b.conv(x, f"{name}.{way}.conv1", (hidden, hidden), 3)
        ends[way] = b.conv(y, f"{name}.{way}.conv2", (hidden, hidden), 3)
    classes = b.add("Sigmoid", [b.plain(ends["cls"], f"{name}.cls.pred", (hidden, CLASSES))], f"{name}.cls.sigmoid")
    boxes = b.plain(ends["reg"], f"{name}.reg.pred", (hidden, 4))
    there = b.add("Sigmoid", [b.plain(ends["reg"], f"{name}.reg.obj", (hidden, 1))], f"{name}.reg.sigmoid")
    return b.add("Concat", [boxes, there, classes], f"{name}.join", axis=1)


def _block(layer: str) -> str:
    """Stages are blocks; each way of a head is one, and what joins the heads is the last."""
    parts = layer.split(".")
    if parts[0] == "detections" or (parts[0].startswith("head") and parts[1] == "join"):
        return "detections"
    if parts[0].startswith("head") or parts[1:] == ["down"]:
        return ".".join(parts[:2])
    return {"up4": "c3_p4", "up3": "c3_p3", "down3": "c3_n3", "down4": "c3_n4"}.get(parts[0], parts[0])


def model() -> dict[str, Any]:
    """Return the mapping of the model file.

    Raises:
        MissingExtraError: when onnx is not installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "yolox-tiny.onnx"
        path.write_bytes(graph().SerializeToString())
        made = profile(path, heading=Heading("yolox-tiny", "YOLOX-Tiny (detector, 416 x 416)", "yolox-tiny", _NOTE))
    made["layers"] = merge(made["layers"], {layer["name"]: _block(layer["name"]) for layer in made["layers"]})
    made["layers"].append(_boxes(made["layers"][-1]))
    return made


def _boxes(last: dict[str, Any]) -> dict[str, Any]:
    """What makes boxes of the rows: without it a megabyte of raw rows would be the result."""
    rows = round(BYTES.parse(last["output"]))
    return {
        "name": "nms",
        "kind": "other",
        "inputs": [last["name"]],
        "compute": show_exact(rows // 4, "MAC"),
        "weights": "0 B",
        "activations": show_exact(rows + BOXES * 24, "B"),
        "output": show_exact(BOXES * 24, "B"),
        "assumed": ["compute", "output"],
    }


def main() -> None:
    """Write the model file."""
    parser = argparse.ArgumentParser(description="Write the shipped detector.")
    parser.add_argument("-o", "--output", type=Path, required=True, help="Where the model file goes.")
    write_atomically(parser.parse_args().output, render(model()))


if __name__ == "__main__":
    main()
