"""Small early-exit networks, trained jointly over all their exits (extra ``train``: torch).

Imported by :mod:`placer.recipes.exit_profiles` only, after it has made sure that torch is there.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Images = NDArray[np.float32]
Labels = NDArray[np.int64]
CLASSES = 10


@dataclass(frozen=True)
class Shape:
    """What a network is made of.

    Attributes:
        kind: ``cnn`` (3x3 convolutions) or ``mlp`` (dense layers that read the image again).
        widths: channels or units of each block; one exit follows each block.
        strides: of each block (cnn only).
        pool: side of the map that each exit's classifier reads (cnn only).
        epochs: passes over the training split.
        rate: learning rate of Adam.
    """

    kind: str
    widths: tuple[int, ...]
    strides: tuple[int, ...] = ()
    pool: int = 2
    epochs: int = 20
    rate: float = 2e-3


class Dense(nn.Module):  # type: ignore[misc]
    """A dense layer that reads the image again beside the features, so that a narrow chain gains with depth."""

    def __init__(self, pixels: int, inside: int, outside: int) -> None:
        super().__init__()
        self.layer = nn.Linear(pixels + inside, outside)
        self.pixels, self.outside = pixels, outside

    def forward(self, x: Any) -> Any:
        """Map image and features, (batch, pixels + inside), to image and features, (batch, pixels + outside)."""
        image, features = x[:, : self.pixels], x[:, self.pixels :]
        y = torch.relu(self.layer(x))
        return torch.cat((image, features + y if features.shape == y.shape else y), dim=1)


class Features(nn.Module):  # type: ignore[misc]
    """Drop the image that stands before the features."""

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.pixels = pixels

    def forward(self, x: Any) -> Any:
        """Map (batch, pixels + inside) to (batch, inside)."""
        return x[:, self.pixels :]


class Network(nn.Module):  # type: ignore[misc]
    """Blocks in a chain, a classifier after each."""

    def __init__(self, shape: Shape, side: int) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        heads: list[nn.Module] = []
        inside = 1 if shape.kind == "cnn" else 0
        for position, width in enumerate(shape.widths):
            if shape.kind == "cnn":
                convolution = nn.Conv2d(inside, width, 3, stride=shape.strides[position], padding=1)
                blocks.append(nn.Sequential(convolution, nn.ReLU()))
                pool = nn.AdaptiveAvgPool2d(shape.pool)
                heads.append(nn.Sequential(pool, nn.Flatten(), nn.Linear(width * shape.pool**2, CLASSES)))
            else:
                blocks.append(Dense(side * side, inside, width))
                heads.append(nn.Sequential(Features(side * side), nn.Linear(width, CLASSES)))
            inside = width
        self.flatten = shape.kind == "mlp"
        self.blocks, self.heads = nn.ModuleList(blocks), nn.ModuleList(heads)

    def forward(self, x: Any) -> list[Any]:
        """Map images (batch, 1, side, side) to the logits (batch, classes) of every exit."""
        x = x.flatten(1) if self.flatten else x
        answers = []
        for block, head in zip(self.blocks, self.heads, strict=True):
            x = block(x)
            answers.append(head(x))
        return answers


def train(shape: Shape, images: Images, labels: Labels, seed: int) -> Network:
    """Train on (N, side, side) images in [0, 1] by the mean cross-entropy of all the exits."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    network = Network(shape, images.shape[1])
    x, y = torch.from_numpy(images[:, None]), torch.from_numpy(labels)
    optimiser = torch.optim.Adam(network.parameters(), lr=shape.rate, weight_decay=1e-4)
    batch = 64
    steps = shape.epochs * (len(x) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3 * shape.rate, total_steps=steps)
    for _ in range(shape.epochs):
        order = torch.randperm(len(x))
        for start in range(0, len(x) // batch * batch, batch):
            pick = order[start : start + batch]
            optimiser.zero_grad()
            losses = [nn.functional.cross_entropy(answer, y[pick]) for answer in network(x[pick])]
            torch.stack(losses).mean().backward()
            optimiser.step()
            schedule.step()
    return network.eval()  # type: ignore[no-any-return]


def answers(network: Network, images: Images, labels: Labels) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Confidence (largest softmax) and correctness of every exit on every image, both (N, L)."""
    with torch.inference_mode():
        logits = torch.stack(network(torch.from_numpy(images[:, None])), dim=1)
        confidence, choice = torch.softmax(logits.double(), dim=2).max(dim=2)
    right = choice.numpy() == labels[:, None]
    return np.asarray(confidence.numpy()), np.asarray(right)


def work(network: Network, side: int) -> tuple[list[int], list[int]]:
    """Multiply-accumulates of each block and of each classifier, for one image."""
    counts: dict[nn.Module, int] = {}

    def count(module: Any, inputs: Any, output: Any) -> None:
        each = module.weight[0].numel()  # multiplications for one output value
        counts[module] = each * output[0].numel()

    leaves = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    hooks = [module.register_forward_hook(count) for module in leaves]
    with torch.inference_mode():
        network(torch.zeros(1, 1, side, side))
    for hook in hooks:
        hook.remove()

    def total(part: Any) -> int:
        return sum(counts.get(module, 0) for module in part.modules())

    return [total(block) for block in network.blocks], [total(head) for head in network.heads]


def seconds(network: Network, side: int, runs: int = 400) -> tuple[list[float], list[float]]:
    """Median time of each block and of each classifier on one core, batch of one, in s."""
    torch.set_num_threads(1)
    count = len(network.blocks)
    taken = np.zeros((runs, 2, count))
    with torch.inference_mode():
        start = torch.zeros(1, 1, side, side)
        for run in range(runs + 20):
            x = start.flatten(1) if network.flatten else start
            for position, (block, head) in enumerate(zip(network.blocks, network.heads, strict=True)):
                begin = time.perf_counter()
                x = block(x)
                middle = time.perf_counter()
                head(x)
                end = time.perf_counter()
                if run >= 20:
                    taken[run - 20, :, position] = middle - begin, end - middle
    blocks, heads = np.median(taken, axis=0)
    return blocks.tolist(), heads.tolist()
