"""Text of the shipped instances that follow a recipe: the 50-node setting of Disabato et al., and ResNet-101 in blocks.

The files in ``instances/`` and ``models/`` are what these functions return for fixed seeds; a test holds that.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

PAPER_NODES = 50
_SIDE, _RANGE = 15.0, 7.5
_TYPES = ("paper-orange-pi-zero", "paper-beaglebone-ai", "paper-pi-3b-plus")
_SHARES = (0.45, 0.45, 0.10)

PAPER_INSTANCES: dict[str, tuple[int, tuple[str, ...], int]] = {
    "paper-alexnet-l1": (1, ("alexnet",), 1),
    "paper-alexnet-l2": (1, ("alexnet",), 2),
    "paper-alexnet-l8": (1, ("alexnet",), 8),
    "paper-alexnet-exit-l1": (1, ("alexnet-exit",), 1),
    "paper-cnn5-l1": (1, ("cnn-5",), 1),
    "paper-cnn5-exit-l1": (1, ("cnn-5-exit",), 1),
    "paper-3alexnet-l1": (2, ("alexnet",) * 3, 1),
    "paper-3resnet-l1": (3, ("resnet-101-blocks",) * 3, 1),
    "paper-3resnet-l3": (3, ("resnet-101-blocks",) * 3, 3),
}
"""Seed, models and layers per node of each shipped instance."""


def paper_setting(seed: int, models: Sequence[str], layers_per_node: int) -> str:
    """Return an instance of the paper's setting as YAML text.

    50 nodes in a square of ±15 with range 7.5 (the first connected layout from ``seed`` on), 45 % Orange Pi Zero,
    45 % BeagleBone AI, 10 % Raspberry Pi 3B+; each network has a source of its own, which is its sink too.

    Args:
        seed: of the layout.
        models: one service per entry.
        layers_per_node: the paper's L.
    """
    points, kinds, sources = _layout(seed, len(models))
    lines = [
        "# Generated from a seed (placer/instance/generate.py); the coordinates are the layout.",
        "format: placer/instance/1",
        f"title: Setting of Disabato et al., {len(models)} network(s), at most {layers_per_node} layer(s) a node",
        "source: >-",
        "  Disabato, Roveri, Alippi, IEEE Trans. Computers 70(8), 2021: 50 nodes in a square of +-15 with range 7.5,",
        "  45 % Orange Pi Zero, 45 % BeagleBone AI, 10 % Raspberry Pi 3B+, 72.2 Mbit/s.",
        f"  Positions, types and sources are drawn from seed {seed}.",
        "devices:",
    ]
    for index, ((x, y), kind) in enumerate(zip(points, kinds, strict=True)):
        lines.append(f"  - {{name: node-{index:02d}, type: {kind}, position: [{x:.3f} m, {y:.3f} m]}}")
    lines += ["network:", "  radios: [{technology: paper-72, contention: false}]", "services:"]
    own = ", share: false" if len(set(models)) < len(models) else ""  # every network of the paper has its own weights
    for index, (model, source) in enumerate(zip(models, sources, strict=True)):
        lines.append(f"  - {{name: network-{index + 1}, model: {model}, source: node-{source:02d}{own}}}")
    lines += [f"limits: {{layers: {layers_per_node}}}", "objective: latency"]
    return "\n".join(lines) + "\n"


def _layout(seed: int, networks: int) -> tuple[list[tuple[float, float]], list[str], list[int]]:
    attempt = 0
    while True:
        rng = np.random.default_rng([seed, attempt])
        points = np.round(rng.uniform(-_SIDE, _SIDE, (PAPER_NODES, 2)), 3)
        kinds = [_TYPES[i] for i in rng.choice(3, size=PAPER_NODES, p=_SHARES)]
        sources = [int(i) for i in rng.choice(PAPER_NODES, size=networks, replace=False)]
        if _connected(points):
            return [(float(x), float(y)) for x, y in points], kinds, sources
        attempt += 1


def _connected(points: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> bool:
    near = np.linalg.norm(points[:, None] - points[None], axis=2) < _RANGE
    reached = near[0]
    for _ in range(len(points)):
        reached = near[reached].any(axis=0)
    return bool(reached.all())


def resnet101_blocks() -> str:
    """Return ResNet-101 (He et al., CVPR 2016, table 1; 224 x 224) as a chain of nine blocks, YAML text.

    Work counts the convolutions and the last layer; weights are 32-bit floats, four per batch-normalised channel.
    """
    stages = [("conv2", 64, 3, 56), ("conv3", 128, 4, 28)]
    stages += [(f"conv4{part}", 256, count, 14) for part, count in zip("abcd", (6, 6, 6, 5), strict=True)]
    stages.append(("conv5", 512, 3, 7))
    rows = [("stem", 7 * 7 * 3 * 64 * 112 * 112, (7 * 7 * 3 * 64 + 4 * 64) * 4, 64 * 56 * 56 * 4)]
    channels = 64
    for name, width, count, side in stages:
        work = weights = 0
        for _ in range(count):
            block_work, block_weights = _bottleneck(channels, width, side, first=channels != 4 * width)
            work, weights, channels = work + block_work, weights + block_weights, 4 * width
        rows.append((name, work, weights * 4, channels * side * side * 4))
    rows.append(("fc", 2048 * 1000, (2048 * 1000 + 1000) * 4, 4000))
    lines = [
        "# Generated (placer/instance/generate.py).",
        "format: placer/model/1",
        "name: resnet-101-blocks",
        "title: ResNet-101 as a chain of nine blocks",
        "family: resnet-101",
        "source: >-",
        "  Computed from the architecture: He et al., Deep Residual Learning for Image Recognition, CVPR 2016,",
        "  table 1, at 224 x 224; the 23 blocks of conv4 in four parts. Weights only.",
        "input: 602112 B",
        "layers:",
    ]
    lines += [
        f"  - {{name: {name}, kind: block, compute: {work / 1e6:.6f} MMAC, weights: {weights} B, output: {output} B}}"
        for name, work, weights, output in rows
    ]
    return "\n".join(lines) + "\n"


def _bottleneck(channels: int, width: int, side: int, *, first: bool) -> tuple[int, int]:
    """Work and weights of one bottleneck; the first of a stage halves the side in its 3 x 3 convolution."""
    before = side * 2 if first and width > 64 else side
    work = channels * width * before * before + 9 * width * width * side * side + 4 * width * width * side * side
    weights = channels * width + 9 * width * width + 4 * width * width + 4 * (2 * width + 4 * width)
    if first:
        work += channels * 4 * width * side * side
        weights += channels * 4 * width + 4 * 4 * width
    return work, weights
